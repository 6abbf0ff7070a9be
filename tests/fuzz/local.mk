# tests/fuzz: libFuzzer targets fuzz_<x>.c with corpora in corpus/<x>/. Built with --enable-fuzzing they are
# fuzzers (scripts/fuzz); else replay.c gives them a main that runs each file of the corpus, as a test.
fuzz_gcf = tests/fuzz/fuzz_gcp_fault tests/fuzz/fuzz_gcp_cred tests/fuzz/fuzz_gcf_answer
fuzz_api = tests/fuzz/fuzz_api_specs tests/fuzz/fuzz_api_create tests/fuzz/fuzz_api_filters tests/fuzz/fuzz_daemon_config
fuzz_state = tests/fuzz/fuzz_state_reference tests/fuzz/fuzz_state_row tests/fuzz/fuzz_state_output
fuzz_wire = tests/fuzz/fuzz_wire_pax tests/fuzz/fuzz_wire_ws tests/fuzz/fuzz_http_head tests/fuzz/fuzz_http_chunked
fuzz_plugin = tests/fuzz/fuzz_plugin_elf tests/fuzz/fuzz_drivers_view
fuzz_sim = tests/fuzz/fuzz_sim_filter tests/fuzz/fuzz_sim_entry tests/fuzz/fuzz_sim_line tests/fuzz/fuzz_sim_schema tests/fuzz/fuzz_sim_aip tests/fuzz/fuzz_sim_jwt tests/fuzz/fuzz_sim_parse
fuzz_targets = $(fuzz_sim) $(fuzz_wire) $(fuzz_plugin) $(fuzz_gcf) $(fuzz_state) $(fuzz_api)

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

FUZZ_GCP_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/plugins
tests_fuzz_fuzz_gcp_fault_CPPFLAGS = $(FUZZ_GCP_CPPFLAGS)
tests_fuzz_fuzz_gcp_cred_CPPFLAGS = $(FUZZ_GCP_CPPFLAGS)
tests_fuzz_fuzz_gcf_answer_CPPFLAGS = $(FUZZ_GCP_CPPFLAGS)
