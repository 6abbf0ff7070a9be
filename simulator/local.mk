# simulator: Google's APIs on loopback. All but main.c is a library, for the tests.
noinst_LIBRARIES += libskl_sim.a
sim_sources =
libskl_sim_a_SOURCES = $(sim_sources)
libskl_sim_a_CPPFLAGS = $(AM_CPPFLAGS) $(PATH_CPPFLAGS)

bin_PROGRAMS += sockerless-gcp-simulator
sockerless_gcp_simulator_SOURCES = simulator/main.c
sockerless_gcp_simulator_CPPFLAGS = $(AM_CPPFLAGS) $(PATH_CPPFLAGS)
sockerless_gcp_simulator_LDADD = libskl_sim.a $(BASE_ARCHIVES) $(DAEMON_LIBS)
