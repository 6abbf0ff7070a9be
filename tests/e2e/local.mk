# tests/e2e: daemon, plugin, simulator and agent together. Needs root and crun, so not part of `make check`:
# `make check-e2e`, or scripts/check.
EXTRA_DIST += $(e2e_files)
e2e_files = tests/e2e/conftest.py tests/e2e/dockerapi.py tests/e2e/skl.py tests/e2e/test_api_containers.py \
	tests/e2e/test_api_events.py tests/e2e/test_api_http.py tests/e2e/test_api_objects.py tests/e2e/test_api_streams.py \
	tests/e2e/test_api_wait.py tests/e2e/gate.py tests/e2e/test_recovery.py tests/e2e/test_skeleton.py tests/images/mkbusybox tests/api/conformance.py tests/api/docker-v1.44.yaml
include tests/e2e/gcf/local.mk
