/*
 * tests/unit/test_api_detach.c - detach keys (reference 2.3.17).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "api/detach.h"
#include "base/buf.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

static void collect(void *arg, const char *p, size_t n)
{
    buf_append(arg, p, n);
}

static void test_parse(void)
{
    struct detach d;

    UNIT_INT_EQ(detach_parse(NULL, &d, NULL), 0);
    UNIT_INT_EQ(d.n, 2);
    UNIT_INT_EQ(d.keys[0], 16);
    UNIT_INT_EQ(d.keys[1], 17);
    UNIT_INT_EQ(detach_parse("ctrl-a,b,ctrl-@,ctrl-[,ctrl-_,ctrl-Z", &d, NULL), 0);
    UNIT_INT_EQ(d.keys[0], 1);
    UNIT_INT_EQ(d.keys[1], 'b');
    UNIT_INT_EQ(d.keys[2], 0);
    UNIT_INT_EQ(d.keys[3], 27);
    UNIT_INT_EQ(d.keys[4], 31);
    UNIT_INT_EQ(d.keys[5], 26);
}

static void test_parse_bad(void)
{
    static const char *const cases[] = {"ctrl-", "ctrl-pp", "ab", "ctrl-p,,", "ctrl-1", "ctrl-p,ctrl",
                                        "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct detach d;
        struct skl_error err = {0};
        UNIT_INT_EQ(detach_parse(cases[i], &d, &err), -1);
        UNIT_INT_EQ(err.kind, SKL_ERR_INVALID);
    }
}

static void expect(const char *const *pieces, const char *through, bool detached)
{
    struct detach d;
    struct buf got;
    bool end = false;

    buf_init(&got, 1024);
    detach_parse("x,y", &d, NULL);
    for (; *pieces != NULL && !end; pieces++)
        end = detach_feed(&d, *pieces, strlen(*pieces), collect, &got);
    UNIT_STR_EQ(buf_str(&got), through);
    UNIT_INT_EQ(end, detached);
    buf_fini(&got);
}

static void test_feed(void)
{
    expect((const char *const[]){"hello", NULL}, "hello", false);
    expect((const char *const[]){"abxy", "never", NULL}, "ab", true);
    expect((const char *const[]){"x", "y", NULL}, "", true);
    expect((const char *const[]){"x", "a", "xy", NULL}, "xa", true);
    expect((const char *const[]){"xxy", NULL}, "x", true);
    expect((const char *const[]){"xxz", NULL}, "xxz", false);
    expect((const char *const[]){"axb", NULL}, "axb", false);
    expect((const char *const[]){"ax", "", "b", NULL}, "axb", false);
}

UNIT_MAIN("api_detach", UNIT(test_parse), UNIT(test_parse_bad), UNIT(test_feed))
