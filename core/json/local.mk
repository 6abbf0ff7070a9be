# core/json: helpers over json-c.
noinst_LIBRARIES += libskl_json.a
json_sources = core/json/json.h core/json/json_parse.c core/json/json_get.c core/json/json_build.c core/json/jw.c core/json/jw.h
libskl_json_a_SOURCES = $(json_sources)
