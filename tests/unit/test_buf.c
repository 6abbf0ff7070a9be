/*
 * Tests of base/buf.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "tests/unit/harness.h"

static void test_append_keeps_nul(void)
{
    struct buf b;

    buf_init(&b, 1000);
    UNIT_STR_EQ(buf_str(&b), "");
    CU_ASSERT_EQUAL(buf_puts(&b, "abc"), 0);
    CU_ASSERT_EQUAL(buf_putc(&b, 'd'), 0);
    CU_ASSERT_EQUAL(buf_printf(&b, "%d-%s", 42, "x"), 0);
    UNIT_STR_EQ(buf_str(&b), "abcd42-x");
    UNIT_INT_EQ(b.len, 8);
    buf_clear(&b);
    UNIT_STR_EQ(buf_str(&b), "");
    buf_fini(&b);
    CU_ASSERT_PTR_NULL(b.data);
    UNIT_INT_EQ(b.max, 1000);
}

static void test_limit_is_exact_and_sticky(void)
{
    struct buf b;

    buf_init(&b, 5);
    CU_ASSERT_EQUAL(buf_append(&b, "12345", 5), 0);
    CU_ASSERT_EQUAL(buf_putc(&b, '6'), -1);
    CU_ASSERT_TRUE(b.overflow);
    UNIT_STR_EQ(buf_str(&b), "12345");
    buf_consume(&b, 3);
    CU_ASSERT_EQUAL_FATAL(buf_putc(&b, '6'), -1);
    buf_clear(&b);
    CU_ASSERT_EQUAL(buf_printf(&b, "%s", "123456"), -1);
    UNIT_STR_EQ(buf_str(&b), "");
    buf_clear(&b);
    CU_ASSERT_EQUAL(buf_printf(&b, "%s", "12345"), 0);
    UNIT_STR_EQ(buf_str(&b), "12345");
    buf_fini(&b);
}

static void test_printf_overflow_leaves_text(void)
{
    struct buf b;

    buf_init(&b, 10);
    buf_puts(&b, "1234");
    CU_ASSERT_EQUAL(buf_printf(&b, "%s", "567890abcdef"), -1);
    UNIT_STR_EQ(buf_str(&b), "1234");
    CU_ASSERT_TRUE(b.cap <= 11);
    buf_fini(&b);
}

static void test_max_size_t(void)
{
    struct buf b;

    buf_init(&b, SIZE_MAX);
    CU_ASSERT_EQUAL(buf_puts(&b, "x"), 0);
    CU_ASSERT_PTR_NULL(buf_reserve(&b, SIZE_MAX));
    CU_ASSERT_PTR_NULL(buf_reserve(&b, 1)); /* sticky */
    buf_fini(&b);
}

static void test_grows_past_many_doublings(void)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100000; i++)
        buf_printf(&b, "%d,", i % 10);
    UNIT_INT_EQ(b.len, 200000);
    CU_ASSERT_EQUAL(strlen(b.data), b.len);
    CU_ASSERT_TRUE(b.cap <= b.max + 1);
    buf_fini(&b);
}

static void test_consume_and_steal(void)
{
    struct buf b;
    size_t n;
    char *s;

    buf_init(&b, 100);
    buf_puts(&b, "hello world");
    buf_consume(&b, 6);
    UNIT_STR_EQ(buf_str(&b), "world");
    s = buf_steal(&b, &n);
    UNIT_STR_EQ(s, "world");
    UNIT_INT_EQ(n, 5);
    free(s);
    s = buf_steal(&b, NULL);
    UNIT_STR_EQ(s, "");
    free(s);
    buf_puts(&b, "again");
    buf_consume(&b, 100);
    UNIT_STR_EQ(buf_str(&b), "");
    buf_fini(&b);
}

static void json(const char *in, size_t n, const char *expected)
{
    struct buf b;

    buf_init(&b, 1000);
    CU_ASSERT_EQUAL(buf_json_string(&b, in, n), 0);
    UNIT_STR_EQ(buf_str(&b), expected);
    buf_fini(&b);
}

static void test_json_string(void)
{
    struct buf b;

    json("a/b<c>&d", 8, "\"a/b<c>&d\"");
    json("q\"\\\n\t\r\b\f", 8, "\"q\\\"\\\\\\n\\t\\r\\b\\f\"");
    json("\0\x1f\x7f", 3, "\"\\u0000\\u001f\x7f\"");
    json("gr\xC3\xBC\xC3\x9F", 6, "\"gr\xC3\xBC\xC3\x9F\"");
    json("a\xFF" "b", 3, "\"a\xEF\xBF\xBD" "b\"");
    json("cut\xE2\x82", 5, "\"cut\xEF\xBF\xBD\xEF\xBF\xBD\"");
    buf_init(&b, 4);
    CU_ASSERT_EQUAL(buf_json_string(&b, "abcd", 4), -1);
    buf_fini(&b);
}

UNIT_MAIN("buf", UNIT(test_append_keeps_nul), UNIT(test_limit_is_exact_and_sticky),
          UNIT(test_printf_overflow_leaves_text), UNIT(test_max_size_t), UNIT(test_grows_past_many_doublings),
          UNIT(test_consume_and_steal), UNIT(test_json_string))
