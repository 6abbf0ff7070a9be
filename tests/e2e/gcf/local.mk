# The driver's shared object on a bench (bench.c), over real sockets, against a scripted Google (fake_google.py).
if !FUZZING
check_PROGRAMS += tests/e2e/gcf/gcf-bench
endif
tests_e2e_gcf_gcf_bench_SOURCES = tests/e2e/gcf/bench.c tests/e2e/gcf/bench.h tests/e2e/gcf/host.c
tests_e2e_gcf_gcf_bench_CPPFLAGS = -D_GNU_SOURCE -I$(top_srcdir)/include $(JSON_CFLAGS) $(CURL_CFLAGS)
tests_e2e_gcf_gcf_bench_LDADD = $(CURL_LIBS) $(JSON_LIBS)
EXTRA_DIST += tests/e2e/gcf/driver_bench.py tests/e2e/gcf/fake_google.py tests/e2e/gcf/test_gcf_driver.py
EXTRA_DIST += tests/e2e/gcf/test_gcf_semantics.py
EXTRA_DIST += tests/e2e/gcf/google_front.py tests/e2e/gcf/google_registry.py tests/e2e/gcf/test_gcf_google.py
EXTRA_DIST += tests/e2e/gcf/test_gcf_project.py
