# scripts
EXTRA_DIST += scripts/check scripts/deps scripts/quickstart tests/rules/check_tree.py tests/rules/check-exports \
	tests/rules/count-junit
