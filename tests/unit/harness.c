/*
 * tests/unit/harness.c - see harness.h. TAP is made from CUnit's own callbacks: one line per test, its
 * failures as comments before it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/harness.h"
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *suite_name;
static unsigned count;
static unsigned failed;
static char tmpdir[64];

static void on_complete(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure)
{
    (void)suite;
    for (const struct CU_FailureRecord *f = failure; f != NULL; f = f->pNext)
        printf("# %s:%u: %s\n", f->strFileName ? f->strFileName : "?", f->uiLineNumber,
               f->strCondition ? f->strCondition : "?");
    failed += failure != NULL;
    printf("%sok %u - %s: %s\n", failure != NULL ? "not " : "", ++count, suite_name, test->pName);
    fflush(stdout);
}

static CU_pSuite register_tests(const struct unit_test *tests, size_t n, const char *filter)
{
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);

    for (size_t i = 0; suite != NULL && i < n; i++) {
        if (filter != NULL && strstr(tests[i].name, filter) == NULL)
            continue;
        if (CU_add_test(suite, tests[i].name, tests[i].fn) == NULL)
            return NULL;
    }
    return suite;
}

static int on_tree_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tmpdir(void)
{
    if (tmpdir[0] != '\0' && nftw(tmpdir, on_tree_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "# could not remove %s\n", tmpdir);
}

int unit_run(const char *suite, const struct unit_test *tests, size_t n, int argc, char **argv)
{
    CU_pSuite s;

    suite_name = suite;
    alarm(UNIT_TIMEOUT_S);
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 99;
    s = register_tests(tests, n, argc > 1 ? argv[1] : NULL);
    if (s == NULL) {
        fprintf(stderr, "Bail out! %s\n", CU_get_error_msg());
        return 99;
    }
    printf("1..%u\n", s->uiNumberOfTests);
    CU_set_test_complete_handler(on_complete);
    CU_run_all_tests();
    CU_cleanup_registry();
    remove_tmpdir();
    return failed != 0;
}

const char *unit_tmpdir(void)
{
    const char *base = getenv("TMPDIR");

    if (tmpdir[0] == '\0') {
        int n = snprintf(tmpdir, sizeof(tmpdir), "%s/skl-unit-XXXXXX", base != NULL ? base : "/tmp");
        if (n < 0 || (size_t)n >= sizeof(tmpdir) || mkdtemp(tmpdir) == NULL) {
            perror("mkdtemp");
            exit(99);
        }
    }
    return tmpdir;
}

const char *unit_srcpath(const char *rel)
{
    static char path[4096];
    const char *src = getenv("SKL_SRCDIR");

    snprintf(path, sizeof(path), "%s/%s", src != NULL ? src : ".", rel);
    return path;
}

void unit_fail(const char *message, const char *file, int line)
{
    CU_assertImplementation(CU_FALSE, (unsigned)line, message, file, "", CU_FALSE);
}

void unit_str_eq(const char *actual, const char *expected, const char *file, int line)
{
    char message[2048];

    if (actual == expected || (actual != NULL && expected != NULL && strcmp(actual, expected) == 0)) {
        CU_assertImplementation(CU_TRUE, (unsigned)line, "equal", file, "", CU_FALSE);
        return;
    }
    snprintf(message, sizeof(message), "got \"%s\", expected \"%s\"", actual != NULL ? actual : "(null)",
             expected != NULL ? expected : "(null)");
    unit_fail(message, file, line);
}

void unit_int_eq(int64_t actual, int64_t expected, const char *what, const char *file, int line)
{
    char message[512];

    if (actual == expected) {
        CU_assertImplementation(CU_TRUE, (unsigned)line, "equal", file, "", CU_FALSE);
        return;
    }
    snprintf(message, sizeof(message), "%s is %" PRId64 ", expected %" PRId64, what, actual, expected);
    unit_fail(message, file, line);
}
