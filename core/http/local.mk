# core/http: HTTP/1.1 server.
noinst_LIBRARIES += libskl_http.a
http_sources = core/http/route.h core/http/server.h core/http/tls.h
libskl_http_a_SOURCES = $(http_sources)

# llhttp from Debian's C sources: units that include them where they stand. Its own library, since warnings
# about somebody else's code are nobody's business here.
if LLHTTP_FROM_SOURCE
noinst_LIBRARIES += libskl_llhttp.a
llhttp_units = core/http/llhttp_llhttp.c core/http/llhttp_api.c core/http/llhttp_http.c
nodist_libskl_llhttp_a_SOURCES = $(llhttp_units)
libskl_llhttp_a_CFLAGS = $(AM_CFLAGS) -w
LLHTTP_ARCHIVE = libskl_llhttp.a
CLEANFILES += $(llhttp_units)
$(llhttp_units): Makefile
	$(AM_V_GEN)$(MKDIR_P) core/http && f=$@ && \
		echo "#include \"$(LLHTTP_SRCDIR)/$${f##*_}\"" >$@.tmp && mv $@.tmp $@
else
LLHTTP_ARCHIVE =
endif
