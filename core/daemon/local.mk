# core/daemon: main, options, configuration, listeners. All but main.c is a library, for the tests.
noinst_LIBRARIES += libskl_daemon.a
daemon_sources = core/daemon/agents.c core/daemon/agents.h core/daemon/config.c core/daemon/config.h \
	core/daemon/daemon.c core/daemon/daemon.h core/daemon/endpoint.c core/daemon/endpoint.h \
	core/daemon/listen.c core/daemon/listen.h core/daemon/notify.c core/daemon/notify.h \
	core/daemon/simulator.c core/daemon/simulator.h
libskl_daemon_a_SOURCES = $(daemon_sources)
libskl_daemon_a_CPPFLAGS = $(AM_CPPFLAGS) $(PATH_CPPFLAGS)

sbin_PROGRAMS += sockerlessd
sockerlessd_SOURCES = core/daemon/main.c
sockerlessd_CPPFLAGS = $(AM_CPPFLAGS) $(PATH_CPPFLAGS)
sockerlessd_LDADD = libskl_daemon.a $(DAEMON_ARCHIVES) $(DAEMON_LIBS)

# In link order. Tests use them too.
DAEMON_ARCHIVES = libskl_api.a libskl_drivers.a libskl_state.a libskl_plugin.a $(BASE_ARCHIVES)
BASE_ARCHIVES = libskl_http.a libskl_wire.a libskl_loop.a libskl_json.a libskl_base.a $(LLHTTP_ARCHIVE)
DAEMON_LIBS = $(EVENT_LIBS) $(CURL_LIBS) $(JSON_LIBS) $(OPENSSL_LIBS) $(SQLITE_LIBS) $(ARCHIVE_LIBS) \
	$(NGHTTP2_LIBS) $(LLHTTP_LIBS) -ldl -lpthread -lm
