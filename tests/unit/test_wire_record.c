/*
 * Output records: encoding, refusal of what is none, the exit record.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/record.h"
#include <string.h>
#include "tests/unit/harness.h"

static void test_layout(void)
{
    static const uint8_t want[RECORD_HEADER_SIZE] = {2,    0,    0,    0,    0,    0,    1,    2,
                                                     0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08};
    struct record r = {.kind = RECORD_STDERR, .len = 258, .time = INT64_C(0x0102030405060708)}, back;
    uint8_t out[RECORD_HEADER_SIZE];

    record_encode(&r, out);
    CU_ASSERT_EQUAL(memcmp(out, want, sizeof(want)), 0);
    UNIT_INT_EQ(record_decode(out, &back), 0);
    UNIT_INT_EQ(back.kind, RECORD_STDERR);
    UNIT_INT_EQ(back.len, 258);
    UNIT_INT_EQ(back.time, r.time);
}

static void test_negative_time(void)
{
    struct record r = {.kind = RECORD_STDOUT, .len = RECORD_PAYLOAD_MAX, .time = -5}, back;
    uint8_t out[RECORD_HEADER_SIZE];

    record_encode(&r, out);
    UNIT_INT_EQ(record_decode(out, &back), 0);
    UNIT_INT_EQ(back.time, -5);
}

static void test_refuses(void)
{
    struct record r = {.kind = RECORD_STDOUT, .len = 1, .time = 1};
    uint8_t good[RECORD_HEADER_SIZE], bad[RECORD_HEADER_SIZE];

    record_encode(&r, good);
    for (size_t i = 0; i < 4; i++) { /* kind and the reserved bytes */
        memcpy(bad, good, sizeof(bad));
        bad[i] = 0xff;
        UNIT_INT_EQ(record_decode(bad, &r), -1);
    }
    memcpy(bad, good, sizeof(bad));
    bad[0] = 0;
    UNIT_INT_EQ(record_decode(bad, &r), -1);
    memcpy(bad, good, sizeof(bad));
    bad[5] = 1; /* 65537 bytes */
    UNIT_INT_EQ(record_decode(bad, &r), -1);
}

static void test_exit(void)
{
    struct record_exit e = {.code = 137, .signal = 9, .flags = RECORD_EXIT_OOM}, back;
    uint8_t out[12 + RECORD_EXIT_REASON_MAX];
    size_t n;

    memcpy(e.reason, "out of memory", 14);
    n = record_exit_encode(&e, out);
    UNIT_INT_EQ(n, 12 + 13);
    UNIT_INT_EQ(record_exit_decode(out, n, &back), 0);
    UNIT_INT_EQ(back.code, 137);
    UNIT_INT_EQ(back.signal, 9);
    UNIT_INT_EQ(back.flags, RECORD_EXIT_OOM);
    UNIT_STR_EQ(back.reason, "out of memory");
    UNIT_INT_EQ(record_exit_decode(out, 11, &back), -1);
    out[2] = 9; /* code 2304 + ... */
    UNIT_INT_EQ(record_exit_decode(out, n, &back), -1);
}

static void test_exit_longest_reason(void)
{
    struct record_exit e = {.code = 1}, back;
    uint8_t out[12 + RECORD_EXIT_REASON_MAX];

    memset(e.reason, 'x', RECORD_EXIT_REASON_MAX);
    UNIT_INT_EQ(record_exit_encode(&e, out), sizeof(out));
    UNIT_INT_EQ(record_exit_decode(out, sizeof(out), &back), 0);
    UNIT_INT_EQ(strlen(back.reason), RECORD_EXIT_REASON_MAX);
}

UNIT_MAIN("wire_record", UNIT(test_layout), UNIT(test_negative_time), UNIT(test_refuses), UNIT(test_exit),
          UNIT(test_exit_longest_reason))
