# scripts
EXTRA_DIST += scripts/check scripts/deps scripts/quickstart scripts/check-clients scripts/check-slow \
	tests/rules/check_tree.py tests/rules/check-exports \
	tests/rules/count-junit
