# tests/bench
EXTRA_DIST += tests/bench/many-containers
