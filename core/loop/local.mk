# core/loop: event loop, child processes, HTTP client.
noinst_LIBRARIES += libskl_loop.a
loop_sources = core/loop/child.h core/loop/http_client.h core/loop/loop.h
libskl_loop_a_SOURCES = $(loop_sources)
