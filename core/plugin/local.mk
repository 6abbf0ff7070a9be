# core/plugin: the loader and the services it lends a plugin.
noinst_LIBRARIES += libskl_plugin.a
plugin_sources = core/plugin/call.c core/plugin/catalog.c core/plugin/elf.c core/plugin/elf.h core/plugin/handle.c \
	core/plugin/handle.h core/plugin/host.c core/plugin/http.c core/plugin/internal.h core/plugin/load.c \
	core/plugin/options.c core/plugin/options.h core/plugin/pack.c core/plugin/plugin.h core/plugin/run.c \
	core/plugin/services.c core/plugin/stream.c core/plugin/take.h core/plugin/trust.c core/plugin/trust.h
libskl_plugin_a_SOURCES = $(plugin_sources)
