/*
 * Tests of base/str.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "tests/unit/harness.h"

static void test_compare(void)
{
    CU_ASSERT_TRUE(str_eq("a", "a"));
    CU_ASSERT_FALSE(str_eq("a", "A"));
    CU_ASSERT_TRUE(str_eq(NULL, NULL));
    CU_ASSERT_FALSE(str_eq(NULL, ""));
    CU_ASSERT_TRUE(str_ieq("Content-TYPE", "content-type"));
    CU_ASSERT_FALSE(str_ieq("content", "content-type"));
    CU_ASSERT_FALSE(str_ieq("content-type", "content"));
    CU_ASSERT_FALSE(str_ieq("@", "`"));
    CU_ASSERT_TRUE(str_starts("unix:///x", "unix://"));
    CU_ASSERT_FALSE(str_starts("uni", "unix"));
    CU_ASSERT_TRUE(str_ends("a.tar.gz", ".gz"));
    CU_ASSERT_FALSE(str_ends("gz", ".gz"));
    CU_ASSERT_FALSE(str_ends(NULL, "x"));
    CU_ASSERT_TRUE(str_empty(NULL) && str_empty("") && !str_empty(" "));
    CU_ASSERT_TRUE(mem_eq_const_time("abc", "abc", 3));
    CU_ASSERT_FALSE(mem_eq_const_time("abc", "abd", 3));
}

static void test_trim_lower(void)
{
    char a[] = " \t x y \r\n", b[] = "   ", c[] = "AbC-\xC3\x84";

    UNIT_STR_EQ(str_trim(a), "x y");
    UNIT_STR_EQ(str_trim(b), "");
    str_lower(c);
    UNIT_STR_EQ(c, "abc-\xC3\x84");
}

static void test_split(void)
{
    size_t n;
    char **p = str_split("a,,bc,", ',', &n);

    UNIT_INT_EQ(n, 4);
    UNIT_STR_EQ(p[0], "a");
    UNIT_STR_EQ(p[1], "");
    UNIT_STR_EQ(p[2], "bc");
    UNIT_STR_EQ(p[3], "");
    CU_ASSERT_PTR_NULL(p[4]);
    free(p);
    p = str_split("", ',', &n);
    UNIT_INT_EQ(n, 0);
    CU_ASSERT_PTR_NULL(p[0]);
    free(p);
}

static void test_integers(void)
{
    int64_t i = 7;
    uint64_t u = 7;

    CU_ASSERT_TRUE(str_to_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &i));
    CU_ASSERT_EQUAL(i, INT64_MIN);
    CU_ASSERT_TRUE(str_to_i64("9223372036854775807", INT64_MIN, INT64_MAX, &i));
    CU_ASSERT_EQUAL(i, INT64_MAX);
    CU_ASSERT_FALSE(str_to_i64("9223372036854775808", INT64_MIN, INT64_MAX, &i));
    CU_ASSERT_FALSE(str_to_i64("-9223372036854775809", INT64_MIN, INT64_MAX, &i));
    CU_ASSERT_TRUE(str_to_u64("18446744073709551615", 0, UINT64_MAX, &u));
    CU_ASSERT_EQUAL(u, UINT64_MAX);
    CU_ASSERT_FALSE(str_to_u64("18446744073709551616", 0, UINT64_MAX, &u));
    static const char *const bad[] = {"", "-", "+1", " 1", "1 ", "0x1", "1e3", "1.0", "--1"};
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        i = 7;
        CU_ASSERT_FALSE(str_to_i64(bad[k], INT64_MIN, INT64_MAX, &i));
        CU_ASSERT_EQUAL(i, 7);
        CU_ASSERT_FALSE(str_to_u64(bad[k], 0, UINT64_MAX, &u));
    }
    CU_ASSERT_FALSE(str_to_u64("-1", 0, UINT64_MAX, &u));
    CU_ASSERT_FALSE(str_to_i64("11", 0, 10, &i));
    CU_ASSERT_FALSE(str_to_i64(NULL, 0, 10, &i));
}

static void test_double(void)
{
    double d;

    CU_ASSERT_TRUE(str_to_double("-1.5e3", &d) && d == -1500.0);
    CU_ASSERT_TRUE(str_to_double("0.25", &d) && d == 0.25);
    static const char *const bad[] = {"", "nan", "inf", "0x1p3", " 1", "1 ", "1e999", "1,5", "e", "1.2.3"};
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        CU_ASSERT_FALSE(str_to_double(bad[k], &d));
}

static void test_utf8(void)
{
    static const struct {
        const char *s;
        bool valid;
    } t[] = {
        {"", true}, {"ascii", true}, {"\xC3\xA9", true}, {"\xE2\x82\xAC", true}, {"\xF0\x9F\x90\xB3", true},
        {"\x80", false}, {"\xC3", false}, {"\xC0\x80", false}, {"\xC1\xBF", false}, {"\xE0\x80\x80", false},
        {"\xE0\x9F\xBF", false}, {"\xED\xA0\x80", false}, {"\xF0\x8F\xBF\xBF", false},
        {"\xF4\x90\x80\x80", false}, {"\xF5\x80\x80\x80", false}, {"\xE2\x28\xA1", false}, {"\xE2\x82\x28", false},
        {"\xED\x9F\xBF", true}, {"\xF4\x8F\xBF\xBF", true}, {"ok\xFF", false},
    };

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        CU_ASSERT_EQUAL(utf8_valid(t[i].s, strlen(t[i].s)), t[i].valid);
    UNIT_INT_EQ(utf8_sequence("\xE2\x82\xAC!", 4), 3);
    UNIT_INT_EQ(utf8_sequence("\xE2\x82\xAC!", 2), 0);
}

static void test_docker_bool(void)
{
    static const char *const no[] = {"", "0", "no", "False", " NONE ", "  "};
    static const char *const yes[] = {"1", "true", "yes", "x", "00"};

    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        CU_ASSERT_FALSE(str_docker_bool(no[i], true));
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        CU_ASSERT_TRUE(str_docker_bool(yes[i], false));
    CU_ASSERT_TRUE(str_docker_bool(NULL, true));
    CU_ASSERT_FALSE(str_docker_bool(NULL, false));
}

static void test_size(void)
{
    static const struct {
        const char *s;
        int64_t n;
    } good[] = {{"1", 1}, {"100k", 102400}, {"10M", 10 << 20}, {"2gb", INT64_C(2) << 30}, {"5b", 5}, {"64kB", 65536}};
    static const char *const bad[] = {"", "0", "-1", "k", "1t", "1kk", "1bb", "99999999999g", "1.5m", " 1"};
    int64_t n;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CU_ASSERT_TRUE(str_to_size(good[i].s, &n) && n == good[i].n);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(str_to_size(bad[i], &n));
}

UNIT_MAIN("str", UNIT(test_compare), UNIT(test_trim_lower), UNIT(test_split), UNIT(test_integers), UNIT(test_double),
          UNIT(test_utf8), UNIT(test_docker_bool), UNIT(test_size))
