# tests/bench: figures, not tests. compare wants `make tests/bench/load` first; see each file's head.
if !FUZZING
check_PROGRAMS += tests/bench/load
endif
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_CPPFLAGS = -D_GNU_SOURCE
EXTRA_DIST += tests/bench/compare tests/bench/measure.py tests/bench/peers.py tests/bench/many-containers
