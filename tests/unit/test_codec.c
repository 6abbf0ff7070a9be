/*
 * Tests of base/codec: hex, base64, percent-encoding.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "base/str.h"
#include "tests/unit/harness.h"

static void test_hex(void)
{
    char text[9];
    unsigned char bytes[4];

    hex_encode("\x00\x9f\xff\x10", 4, text);
    UNIT_STR_EQ(text, "009fff10");
    CU_ASSERT_TRUE(hex_decode("009FfF10", 8, bytes));
    CU_ASSERT_EQUAL(memcmp(bytes, "\x00\x9f\xff\x10", 4), 0);
    CU_ASSERT_FALSE(hex_decode("0", 1, bytes));
    CU_ASSERT_FALSE(hex_decode("0g", 2, bytes));
    CU_ASSERT_TRUE(str_is_hex("09af"));
    CU_ASSERT_FALSE(str_is_hex("09AF"));
    CU_ASSERT_FALSE(str_is_hex(""));
}

static void test_base64_vectors(void)
{
    /* RFC 4648, section 10 */
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    struct buf b;

    buf_init(&b, 100);
    for (size_t i = 0; i < 7; i++) {
        buf_clear(&b);
        CU_ASSERT_EQUAL(base64_encode(&b, plain[i], strlen(plain[i]), false, true), 0);
        UNIT_STR_EQ(buf_str(&b), coded[i]);
        buf_clear(&b);
        CU_ASSERT_EQUAL(base64_decode(&b, coded[i], strlen(coded[i])), 0);
        UNIT_STR_EQ(buf_str(&b), plain[i]);
        buf_clear(&b);
        CU_ASSERT_EQUAL(base64_decode(&b, coded[i], strcspn(coded[i], "=")), 0);
        UNIT_STR_EQ(buf_str(&b), plain[i]);
    }
    buf_fini(&b);
}

static void test_base64_alphabets(void)
{
    struct buf b;

    buf_init(&b, 100);
    base64_encode(&b, "\xfb\xff\xfe", 3, true, false);
    UNIT_STR_EQ(buf_str(&b), "-__-");
    buf_clear(&b);
    CU_ASSERT_EQUAL(base64_decode(&b, "-__-", 4), 0);
    CU_ASSERT_EQUAL(memcmp(b.data, "\xfb\xff\xfe", 3), 0);
    buf_clear(&b);
    CU_ASSERT_EQUAL(base64_decode(&b, "+//+", 4), 0);
    CU_ASSERT_EQUAL(memcmp(b.data, "\xfb\xff\xfe", 3), 0);
    buf_clear(&b);
    base64_encode(&b, "\xff", 1, true, false);
    UNIT_STR_EQ(buf_str(&b), "_w");
    buf_fini(&b);
}

static void test_base64_malformed(void)
{
    static const char *const bad[] = {"Z", "Zg=", "Zg===", "Zg= =", "Z g=", "=", "==", "====", "Zg==Zg==", "Zm9v\n", "Zm9vY"};
    struct buf b;

    buf_init(&b, 100);
    buf_puts(&b, "kept");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(base64_decode(&b, bad[i], strlen(bad[i])), -1);
        UNIT_STR_EQ(buf_str(&b), "kept");
    }
    buf_fini(&b);
    buf_init(&b, 2);
    CU_ASSERT_EQUAL(base64_encode(&b, "abc", 3, false, true), -1);
    buf_fini(&b);
}

static void decode(const char *in, bool form, const char *expected)
{
    struct buf b;
    int r;

    buf_init(&b, 100);
    r = url_decode(&b, in, strlen(in), form);
    UNIT_INT_EQ(r, expected != NULL ? 0 : -1);
    UNIT_STR_EQ(buf_str(&b), expected != NULL ? expected : "");
    buf_fini(&b);
}

static void test_url(void)
{
    struct buf b;

    decode("a%20b+c", false, "a b+c");
    decode("a%20b+c", true, "a b c");
    decode("%E2%82%ac", false, "\xE2\x82\xAC");
    decode("%", false, NULL);
    decode("%4", false, NULL);
    decode("abc%4", false, NULL);
    decode("%zz", false, NULL);
    decode("%00", false, NULL);
    decode("%41%", false, NULL);
    buf_init(&b, 100);
    CU_ASSERT_EQUAL(url_encode(&b, "a/b c~\xC3\xBC", 8), 0);
    UNIT_STR_EQ(buf_str(&b), "a%2Fb%20c~%C3%BC");
    buf_fini(&b);
}

UNIT_MAIN("codec", UNIT(test_hex), UNIT(test_base64_vectors), UNIT(test_base64_alphabets),
          UNIT(test_base64_malformed), UNIT(test_url))
