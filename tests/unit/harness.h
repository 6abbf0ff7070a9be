/*
 * tests/unit/harness.h - CUnit programs that speak TAP to automake's test driver.
 *
 *     static void test_append(void) { CU_ASSERT_EQUAL(1 + 1, 2); }
 *     UNIT_MAIN("buf", UNIT(test_append))
 *
 * `test_buf append` runs only the tests with "append" in their names. A program that hangs is killed by an
 * alarm after UNIT_TIMEOUT_S.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_TESTS_HARNESS_H
#define SKL_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <CUnit/CUnit.h>

#define UNIT_TIMEOUT_S 120

struct unit_test {
    const char *name;
    void (*fn)(void);
};
#define UNIT(fn_) {#fn_, fn_}
#define UNIT_MAIN(suite, ...)                                                                  \
    int main(int argc, char **argv)                                                            \
    {                                                                                          \
        static const struct unit_test unit_tests[] = {__VA_ARGS__};                            \
        return unit_run((suite), unit_tests, sizeof(unit_tests) / sizeof(unit_tests[0]), argc, argv); \
    }
int unit_run(const char *suite, const struct unit_test *tests, size_t n, int argc, char **argv);

/* A fresh private directory, removed with all it holds when the program ends. */
const char *unit_tmpdir(void);
/* A file of the source tree, e.g. unit_srcpath("tests/unit/data/x.json"). A static buffer. */
const char *unit_srcpath(const char *rel);

/* Records a failure of the running test. */
void unit_fail(const char *message, const char *file, int line);
/* Equal strings, and both printed when not (CU_ASSERT_STRING_EQUAL prints only the expressions). */
#define UNIT_STR_EQ(actual, expected) unit_str_eq((actual), (expected), __FILE__, __LINE__)
void unit_str_eq(const char *actual, const char *expected, const char *file, int line);
#define UNIT_INT_EQ(actual, expected) unit_int_eq((int64_t)(actual), (int64_t)(expected), #actual, __FILE__, __LINE__)
void unit_int_eq(int64_t actual, int64_t expected, const char *what, const char *file, int line);

/* Runs the loop until *flag, or fails the test after UNIT_WAIT_S. */
#define UNIT_WAIT_S 20
struct loop;
#define UNIT_WAIT(loop, flag) unit_wait((loop), (flag), #flag, __FILE__, __LINE__)
bool unit_wait(struct loop *loop, const bool *flag, const char *what, const char *file, int line);

#endif
