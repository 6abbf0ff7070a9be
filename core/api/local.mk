# core/api: one file per Docker resource.
noinst_LIBRARIES += libskl_api.a
api_sources = core/api/api.c core/api/api.h core/api/call.c core/api/call.h core/api/filters.c \
	core/api/filters.h core/api/internal.h core/api/port.c core/api/port.h core/api/schema.c \
	core/api/schema.h core/api/schema_tables.c core/api/status.c core/api/status.h core/api/system.c \
	core/api/version.c core/api/version.h
libskl_api_a_SOURCES = $(api_sources)
