# core/loop: event loop, child processes, HTTP client.
noinst_LIBRARIES += libskl_loop.a
loop_sources = \
	core/loop/child.c core/loop/child.h \
	core/loop/http_call.c core/loop/http_client.c core/loop/http_client.h core/loop/http_internal.h \
	core/loop/internal.h core/loop/loop.c core/loop/loop.h \
	core/loop/work.c
libskl_loop_a_SOURCES = $(loop_sources)
