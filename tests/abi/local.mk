# tests/abi: what the ABI's end-to-end tests (tests/e2e/test_plugin_*.py) build out of tree. v1.0 is frozen.
EXTRA_DIST += tests/abi/check-abi tests/abi/host.c tests/abi/misbehaving.c tests/abi/refused.c tests/abi/services.c \
	tests/abi/v1.0/sockerless/driver.h tests/abi/v1.0/sockerless/error.h \
	tests/abi/v1.0/sockerless/version.h
