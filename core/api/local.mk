# core/api: one file per Docker resource.
noinst_LIBRARIES += libskl_api.a
api_sources = core/api/api.c core/api/api.h core/api/archive.c core/api/attach.c core/api/auth.c \
	core/api/auth_config.c core/api/auth_config.h core/api/call.c core/api/call.h core/api/cloud_tail.c core/api/cloud_tail.h \
	core/api/containers_create.c core/api/containers_inspect.c core/api/containers_list.c \
	core/api/containers_ops.c core/api/containers_text.c core/api/containers_text.h core/api/create.h \
	core/api/create_config.c core/api/create_host.c core/api/create_merge.c core/api/create_modes.c core/api/create_mounts.c core/api/create_mounts.h core/api/decompress.c \
	core/api/decompress.h core/api/detach.c core/api/detach.h core/api/df.c core/api/events.c \
	core/api/exec.c core/api/filters.c core/api/filters.h core/api/images.c core/api/images_pull.c \
	core/api/info.c core/api/internal.h core/api/logs.c core/api/networks.c core/api/port.c \
	core/api/port.h core/api/prune.c core/api/registry.c core/api/registry.h \
	core/api/registry_challenge.c core/api/routes.c core/api/schema.c core/api/schema.h \
	core/api/schema_tables.c core/api/stats.c core/api/status.c core/api/status.h core/api/streams.c \
	core/api/streams.h core/api/system.c core/api/unsupported.c core/api/version.c core/api/version.h \
	core/api/volumes.c
libskl_api_a_SOURCES = $(api_sources)
