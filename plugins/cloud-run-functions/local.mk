# plugins/cloud-run-functions: the driver for Google Cloud Functions, 2nd gen. All but plugin.c is a library,
# for the tests.
noinst_LIBRARIES += libskl_gcf.a
gcf_sources =
libskl_gcf_a_SOURCES = $(gcf_sources)
libskl_gcf_a_CPPFLAGS = $(PLUGIN_CPPFLAGS)

driver_PROGRAMS += plugins/cloud-run-functions.so
plugins_cloud_run_functions_so_SOURCES = plugins/cloud-run-functions/plugin.c
plugins_cloud_run_functions_so_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_cloud_run_functions_so_CFLAGS = $(PLUGIN_CFLAGS)
plugins_cloud_run_functions_so_LDFLAGS = $(DRIVER_LINK)
plugins_cloud_run_functions_so_LDADD = libskl_gcf.a libskl_gcp.a libskl_json.a libskl_base.a \
	$(JSON_LIBS) $(OPENSSL_LIBS)
EXTRA_plugins_cloud_run_functions_so_DEPENDENCIES = $(PLUGIN_DEPS)
