# drivers: the exec driver chain.
noinst_LIBRARIES += libskl_drivers.a
drivers_sources =
libskl_drivers_a_SOURCES = $(drivers_sources)
