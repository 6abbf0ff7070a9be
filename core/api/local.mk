# core/api: one file per Docker resource.
noinst_LIBRARIES += libskl_api.a
api_sources =
libskl_api_a_SOURCES = $(api_sources)
