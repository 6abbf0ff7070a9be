# core/api: one file per Docker resource.
noinst_LIBRARIES += libskl_api.a
api_sources = core/api/auth_config.c core/api/auth_config.h core/api/create.h core/api/create_config.c core/api/create_host.c core/api/create_merge.c core/api/registry.c core/api/registry.h core/api/registry_challenge.c core/api/api.c core/api/api.h core/api/call.c core/api/call.h core/api/decompress.c core/api/decompress.h core/api/detach.c core/api/detach.h core/api/filters.c \
	core/api/filters.h core/api/internal.h core/api/port.c core/api/port.h core/api/schema.c \
	core/api/schema.h core/api/schema_tables.c core/api/status.c core/api/status.h core/api/system.c \
	core/api/unsupported.c core/api/version.c core/api/version.h
libskl_api_a_SOURCES = $(api_sources)
