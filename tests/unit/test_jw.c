/*
 * tests/unit/test_jw.c - JSON written without a tree.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include "json/jw.h"
#include "tests/unit/harness.h"

static void test_everything(void)
{
    const char *const strs[] = {"x", "y", NULL};
    struct buf b;
    struct jw w;

    buf_init(&b, 4096);
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_string(&w, "s", "a\"<b>&\n");
    jw_array(&w, "a");
    jw_i64(&w, NULL, INT64_MIN);
    jw_u64(&w, NULL, UINT64_MAX);
    jw_object(&w, NULL);
    jw_object_end(&w);
    jw_array(&w, NULL);
    jw_array_end(&w);
    jw_array_end(&w);
    jw_bool(&w, "t", true);
    jw_null(&w, "n");
    jw_key(&w, "k\"y");
    jw_i64(&w, NULL, 0);
    jw_key_string(&w, "l", "v");
    jw_strings(&w, "strs", strs);
    jw_strings_or_null(&w, "none", NULL);
    jw_raw(&w, "raw", "{\"z\":1}");
    jw_printf(&w, "p", "%d\"", 5);
    jw_time(&w, "zero", 0);
    jw_string(&w, "e", NULL);
    jw_object_end(&w);
    UNIT_STR_EQ(buf_str(&b),
                "{\"s\":\"a\\\"<b>&\\n\",\"a\":[-9223372036854775808,18446744073709551615,{},[]],\"t\":true,\"n\":null,"
                "\"k\\\"y\":0,\"l\":\"v\",\"strs\":[\"x\",\"y\"],\"none\":null,\"raw\":{\"z\":1},\"p\":\"5\\\"\","
                "\"zero\":\"0001-01-01T00:00:00Z\",\"e\":\"\"}");
    buf_fini(&b);
}

static void test_overflow_shows(void)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 16);
    jw_init(&w, &b);
    jw_string(&w, NULL, "much longer than sixteen bytes");
    CU_ASSERT(b.overflow);
    buf_fini(&b);
}

UNIT_MAIN("jw", UNIT(test_everything), UNIT(test_overflow_shows))
