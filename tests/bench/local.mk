# tests/bench: figures, not tests; each file's head says what it wants.
if !FUZZING
check_PROGRAMS += tests/bench/load tests/bench/stub-agents
endif
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_CPPFLAGS = -D_GNU_SOURCE
tests_bench_stub_agents_SOURCES = tests/bench/stub-agents.c
tests_bench_stub_agents_LDADD = $(BASE_ARCHIVES) $(DAEMON_LIBS)
EXTRA_DIST += tests/bench/compare tests/bench/measure.py tests/bench/peers.py tests/bench/many-containers tests/bench/many-links
EXTRA_DIST += tests/bench/links-driver.c
