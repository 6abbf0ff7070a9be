# core/plugin: the loader and the services it lends a plugin.
noinst_LIBRARIES += libskl_plugin.a
plugin_sources =
libskl_plugin_a_SOURCES = $(plugin_sources)
