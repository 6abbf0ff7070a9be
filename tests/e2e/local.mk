# tests/e2e: daemon, plugin, simulator and agent together. Needs root and crun, so not part of `make check`:
# `make check-e2e`, or scripts/check.
EXTRA_DIST += $(e2e_files)
e2e_files =
include tests/e2e/gcf/local.mk
