# core/http: HTTP/1.1 server.
noinst_LIBRARIES += libskl_http.a
http_sources = core/http/blocks.c core/http/blocks.h \
	core/http/body.c core/http/conn.c core/http/guard.c core/http/guard.h core/http/http-internal.h \
	core/http/input.c core/http/listen.c core/http/output.c core/http/parser.c core/http/parser.h \
	core/http/queue.c core/http/queue.h core/http/request.c core/http/response.c core/http/route.c \
	core/http/route.h core/http/server.c core/http/server.h core/http/sock.c core/http/stream.c \
	core/http/tls.c core/http/tls.h
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
