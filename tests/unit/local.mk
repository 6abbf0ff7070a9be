# tests/unit: one CUnit program per module, tests/unit/test_<module>.c (found by its name: listing the program is
# all there is to do; one that needs more sources or libraries gets its own _SOURCES and _LDADD).
# Each room has a list of its own, so that rooms don't meet in one line.
unit_base = tests/unit/test_signame tests/unit/test_buf tests/unit/test_str tests/unit/test_codec tests/unit/test_clock tests/unit/test_error \
	tests/unit/test_fs tests/unit/test_misc tests/unit/test_log
unit_loop = tests/unit/test_loop tests/unit/test_child tests/unit/test_http_client
unit_json = tests/unit/test_jw
unit_wire = tests/unit/test_wire_h2 tests/unit/test_wire_link tests/unit/test_wire_pax tests/unit/test_wire_record tests/unit/test_wire_ws
unit_http = tests/unit/test_http_blocks
unit_plugin = tests/unit/test_plugin_parts
unit_state = tests/unit/test_state_run tests/unit/test_state_logs tests/unit/test_state_tables tests/unit/test_state_machine
unit_drivers =
unit_api = tests/unit/test_api_filters tests/unit/test_api_create tests/unit/test_api_detach tests/unit/test_api_port tests/unit/test_api_version
unit_daemon = tests/unit/test_daemon_config
unit_gcf = $(gcp_unit_tests)
unit_agent =
unit_sim = tests/unit/test_sim_filter tests/unit/test_sim_regex tests/unit/test_sim_store

unit_tests = $(unit_base) $(unit_loop) $(unit_json) $(unit_wire) $(unit_http) $(unit_plugin) $(unit_state) \
	$(unit_drivers) $(unit_api) $(unit_daemon) $(unit_gcf) $(unit_agent) $(unit_sim)

if !FUZZING
if HAVE_CUNIT
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
check_LIBRARIES += libskl_harness.a
endif
endif
libskl_harness_a_SOURCES = tests/unit/harness.c tests/unit/harness.h tests/unit/harness_loop.c \
	tests/unit/testserver.c tests/unit/testserver.h
libskl_harness_a_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS)

# For all test programs, fuzz targets included. Static archives: each takes what it uses.
LDADD = libskl_harness.a libskl_daemon.a libskl_api.a libskl_drivers.a libskl_agent.a libskl_sim.a \
	libskl_gcf.a libskl_gcp.a libskl_state.a libskl_plugin.a $(BASE_ARCHIVES) $(CUNIT_LIBS) $(DAEMON_LIBS)

LOG_DRIVER = $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = \
	SKL_SRCDIR='$(abs_top_srcdir)'; export SKL_SRCDIR; \
	SKL_BUILDDIR='$(abs_top_builddir)'; export SKL_BUILDDIR; \
	ASAN_OPTIONS="$${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}"; export ASAN_OPTIONS; \
	UBSAN_OPTIONS="$${UBSAN_OPTIONS:-print_stacktrace=1}"; export UBSAN_OPTIONS;
include tests/unit/gcp/local.mk

# core/state against a fake plugin host and a fake chain
state_fake = tests/unit/state/fake.c tests/unit/state/fake.h
tests_unit_test_state_run_SOURCES = tests/unit/test_state_run.c $(state_fake)
tests_unit_test_state_machine_SOURCES = tests/unit/test_state_machine.c $(state_fake)
tests_unit_test_state_tables_SOURCES = tests/unit/test_state_tables.c $(state_fake)
tests_unit_test_state_logs_SOURCES = tests/unit/test_state_logs.c $(state_fake)
