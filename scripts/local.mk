# scripts
EXTRA_DIST += scripts/check scripts/deps
