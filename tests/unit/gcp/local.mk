# The Google plugins' tests: a host table with virtual time (fake.h) instead of sockets.
GCPTEST_CPPFLAGS = $(AM_CPPFLAGS) $(CUNIT_CFLAGS) -I$(top_srcdir)/plugins
GCPTEST_LDADD = libskl_gcptest.a $(LDADD)

if !FUZZING
if HAVE_CUNIT
check_LIBRARIES += libskl_gcptest.a
endif
endif
libskl_gcptest_a_SOURCES = tests/unit/gcp/fake.c tests/unit/gcp/fake.h tests/unit/gcp/driver.c \
	tests/unit/gcp/cloud.c tests/unit/gcp/cloud.h \
	tests/unit/gcp/discovery.c tests/unit/gcp/discovery.h tests/unit/gcp/keys.c tests/unit/gcp/keys.h
libskl_gcptest_a_CPPFLAGS = $(GCPTEST_CPPFLAGS)

gcp_unit_tests = tests/unit/test_gcf_create
tests_unit_test_gcf_create_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcf_create_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcf_run
tests_unit_test_gcf_run_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcf_run_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcf_garbled
tests_unit_test_gcf_garbled_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcf_garbled_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcp_auth
tests_unit_test_gcp_auth_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcp_auth_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcp_fault
tests_unit_test_gcp_fault_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcp_fault_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcp_base
tests_unit_test_gcp_base_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcp_base_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcf_config
tests_unit_test_gcf_config_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcf_config_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcf_ops
tests_unit_test_gcf_ops_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcf_ops_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcf_logs
tests_unit_test_gcf_logs_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcf_logs_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcf_storm
tests_unit_test_gcf_storm_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcf_storm_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcp_client
tests_unit_test_gcp_client_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcp_client_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcf_image
tests_unit_test_gcf_image_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcf_image_LDADD = $(GCPTEST_LDADD)
gcp_unit_tests += tests/unit/test_gcf_transcript
tests_unit_test_gcf_transcript_CPPFLAGS = $(GCPTEST_CPPFLAGS)
tests_unit_test_gcf_transcript_LDADD = $(GCPTEST_LDADD)
EXTRA_DIST += tests/unit/gcp/data/discovery.json tests/unit/gcp/trim-discovery.py
