# tests/fuzz: libFuzzer targets fuzz_<x>.c with corpora in corpus/<x>/. Built with --enable-fuzzing they are
# fuzzers (scripts/fuzz); else replay.c gives them a main that runs each file of the corpus, as a test.
fuzz_targets =

check_PROGRAMS += $(fuzz_targets)
if FUZZING
AM_CFLAGS += -fsanitize=fuzzer-no-link
LDADD += $(FUZZ_LIBS)
else
check_LIBRARIES += libskl_replay.a
libskl_replay_a_SOURCES = tests/fuzz/replay.c
LDADD += libskl_replay.a
TESTS += $(fuzz_targets)
endif
EXTRA_DIST += tests/fuzz/corpus
