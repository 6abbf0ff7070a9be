# plugins/gcp: what drivers for Google's clouds share (credentials, REST, operations).
noinst_LIBRARIES += libskl_gcp.a
gcp_sources =
libskl_gcp_a_SOURCES = $(gcp_sources)
libskl_gcp_a_CPPFLAGS = $(PLUGIN_CPPFLAGS)
