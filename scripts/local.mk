# scripts
EXTRA_DIST += scripts/check scripts/deps scripts/quickstart scripts/check-clients scripts/check-slow \
	tests/rules/check_tree.py tests/rules/check-exports \
	tests/rules/check_cases.py tests/rules/count-junit tests/cases/list.txt tests/cases/api.tsv
