# plugins/cloud-run-functions: the driver for Google Cloud Functions, 2nd gen. All but plugin.c is a library,
# for the tests.
noinst_LIBRARIES += libskl_gcf.a
gcf_sources = \
	plugins/cloud-run-functions/answer.c \
	plugins/cloud-run-functions/bake.c \
	plugins/cloud-run-functions/bake.h \
	plugins/cloud-run-functions/cleanup.c \
	plugins/cloud-run-functions/cleanup.h \
	plugins/cloud-run-functions/config.c \
	plugins/cloud-run-functions/config.h \
	plugins/cloud-run-functions/create.c \
	plugins/cloud-run-functions/deploy.c \
	plugins/cloud-run-functions/deploy.h \
	plugins/cloud-run-functions/deploy_image.c \
	plugins/cloud-run-functions/deploy_internal.h \
	plugins/cloud-run-functions/driver.h \
	plugins/cloud-run-functions/env.c \
	plugins/cloud-run-functions/env.h \
	plugins/cloud-run-functions/function.c \
	plugins/cloud-run-functions/function.h \
	plugins/cloud-run-functions/instance.c \
	plugins/cloud-run-functions/instance.h \
	plugins/cloud-run-functions/layer.c \
	plugins/cloud-run-functions/list.c \
	plugins/cloud-run-functions/log_share.c \
	plugins/cloud-run-functions/log_share.h \
	plugins/cloud-run-functions/logs.c \
	plugins/cloud-run-functions/patch.c \
	plugins/cloud-run-functions/patch.h \
	plugins/cloud-run-functions/project.c \
	plugins/cloud-run-functions/removal.c \
	plugins/cloud-run-functions/removal.h \
	plugins/cloud-run-functions/remove.c \
	plugins/cloud-run-functions/request.c \
	plugins/cloud-run-functions/request.h \
	plugins/cloud-run-functions/resources.c \
	plugins/cloud-run-functions/resources.h \
	plugins/cloud-run-functions/run.c \
	plugins/cloud-run-functions/run.h \
	plugins/cloud-run-functions/stub.c \
	plugins/cloud-run-functions/stub.h
libskl_gcf_a_SOURCES = $(gcf_sources)
libskl_gcf_a_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DSKL_AGENT_BINARY='"$(pkglibexecdir)/sockerless-agent"'

driver_PROGRAMS += plugins/cloud-run-functions.so
plugins_cloud_run_functions_so_SOURCES = plugins/cloud-run-functions/plugin.c
plugins_cloud_run_functions_so_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_cloud_run_functions_so_CFLAGS = $(PLUGIN_CFLAGS)
plugins_cloud_run_functions_so_LDFLAGS = $(DRIVER_LINK)
plugins_cloud_run_functions_so_LDADD = libskl_gcf.a libskl_gcp.a \
	$(JSON_LIBS) $(OPENSSL_LIBS)
EXTRA_plugins_cloud_run_functions_so_DEPENDENCIES = $(PLUGIN_DEPS)
