# plugins/gcp: what drivers for Google's clouds share (credentials, REST, operations, logging).
noinst_LIBRARIES += libskl_gcp.a
gcp_sources = \
	plugins/gcp/archive.c \
	plugins/gcp/archive.h \
	plugins/gcp/auth.c \
	plugins/gcp/auth.h \
	plugins/gcp/blob.c \
	plugins/gcp/blob.h \
	plugins/gcp/client.c \
	plugins/gcp/client.h \
	plugins/gcp/cred.c \
	plugins/gcp/cred.h \
	plugins/gcp/explain.c \
	plugins/gcp/fault.c \
	plugins/gcp/fault.h \
	plugins/gcp/fetch.c \
	plugins/gcp/fetch.h \
	plugins/gcp/json.c \
	plugins/gcp/json.h \
	plugins/gcp/jwt.c \
	plugins/gcp/jwt.h \
	plugins/gcp/logging.c \
	plugins/gcp/logging.h \
	plugins/gcp/operation.c \
	plugins/gcp/operation.h \
	plugins/gcp/registry.c \
	plugins/gcp/registry.h \
	plugins/gcp/str.c \
	plugins/gcp/str.h \
	plugins/gcp/time.c
libskl_gcp_a_SOURCES = $(gcp_sources)
libskl_gcp_a_CPPFLAGS = $(PLUGIN_CPPFLAGS)
