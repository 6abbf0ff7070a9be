/*
 * Tests of base/clock and base/duration. Expected dates: date -u -d @N.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "tests/unit/harness.h"

#define S NS_PER_S

static void test_format(void)
{
    char out[TIME_RFC3339_SIZE];

    UNIT_STR_EQ(time_format_rfc3339(0, out), "0001-01-01T00:00:00Z");
    UNIT_STR_EQ(time_format_rfc3339(1, out), "1970-01-01T00:00:00.000000001Z");
    UNIT_STR_EQ(time_format_rfc3339(1700000000 * S, out), "2023-11-14T22:13:20Z");
    UNIT_STR_EQ(time_format_rfc3339(1700000000 * S + 120000000, out), "2023-11-14T22:13:20.12Z");
    UNIT_STR_EQ(time_format_rfc3339(951782400 * S, out), "2000-02-29T00:00:00Z");
    UNIT_STR_EQ(time_format_rfc3339(-1, out), "1969-12-31T23:59:59.999999999Z");
    UNIT_STR_EQ(time_format_rfc3339(INT64_MAX, out), "2262-04-11T23:47:16.854775807Z");
    UNIT_STR_EQ(time_format_rfc3339(INT64_MIN, out), "1677-09-21T00:12:43.145224192Z");
    UNIT_STR_EQ(time_format_log(1700000000 * S, out), "2023-11-14T22:13:20.000000000Z");
    UNIT_INT_EQ(strlen(out), 30);
}

static void parse(const char *s, bool ok, int64_t expected)
{
    int64_t t = 77;

    UNIT_INT_EQ(time_parse_rfc3339(s, &t), ok);
    UNIT_INT_EQ(t, ok ? expected : 77);
}

static void test_parse_rfc3339(void)
{
    parse("2023-11-14T22:13:20Z", true, 1700000000 * S);
    parse("2023-11-14t23:13:20.5+01:00", true, 1700000000 * S + S / 2);
    parse("2023-11-14T22:13:20.1234567891234z", true, 1700000000 * S + 123456789);
    parse("0001-01-01T00:00:00Z", true, 0);
    parse("2000-02-29T00:00:00Z", true, 951782400 * S);
    parse("2262-04-11T23:47:16.854775807Z", true, INT64_MAX);
    parse("2262-04-11T23:47:16.854775808Z", false, 0);
    parse("9999-12-31T23:59:59Z", false, 0);
    parse("2023-02-29T00:00:00Z", false, 0);
    parse("2100-02-29T00:00:00Z", false, 0);
    parse("2023-13-01T00:00:00Z", false, 0);
    parse("2023-11-14T24:00:00Z", false, 0);
    parse("2023-11-14T22:13:20", false, 0);
    parse("2023-11-14T22:13:20.Z", false, 0);
    parse("2023-11-14 22:13:20Z", false, 0);
    parse("2023-11-14T22:13:20Zx", false, 0);
    parse("2023-11-14T22:13:20+1:00", false, 0);
    parse("2023-11-14T22:13:2", false, 0);
    parse("", false, 0);
}

static void test_round_trip_over_days(void)
{
    char out[TIME_RFC3339_SIZE];
    int64_t step = 86400 * S - 12345678901, back;

    for (int64_t t = -9000000000 * S + 5; t < 9000000000 * S; t += step * 97) {
        CU_ASSERT_TRUE_FATAL(time_parse_rfc3339(time_format_rfc3339(t, out), &back));
        CU_ASSERT_EQUAL_FATAL(back, t);
    }
}

static void docker(const char *s, bool ok, int64_t expected)
{
    int64_t t = 77;

    UNIT_INT_EQ(time_parse_docker(s, 1700000000 * S, &t), ok);
    UNIT_INT_EQ(t, ok ? expected : 77);
}

static void test_parse_docker(void)
{
    docker("", true, 0);
    docker("0", true, 0);
    docker("1700000000", true, 1700000000 * S);
    docker("1700000000.000000001", true, 1700000000 * S + 1);
    docker("1700000000.5", true, 1700000000 * S + S / 2);
    docker("1700000000.1234567899", true, 1700000000 * S + 123456789);
    docker("-1.5", true, -S - S / 2);
    docker("2023-11-14T22:13:20Z", true, 1700000000 * S);
    docker("10m", true, 1700000000 * S - 600 * S);
    docker("1.5h", true, 1700000000 * S - 5400 * S);
    docker("99999999999999999999", false, 0);
    docker("9300000000", false, 0);
    docker("1.", false, 0);
    docker("1.x", false, 0);
    docker("yesterday", false, 0);
    docker("2023-11-14T22:13+00:00", true, 1700000000 * S - 20 * S);
    docker("2023-11-14T22Z", true, 1700000000 * S - 800 * S);
    docker("2023-11-15Z", true, 1700006400 * S);
    docker("2023-11-15+02:00", true, (1700006400 - 7200) * S);
    docker("2023-11-14T22:13:20.5Z", true, 1700000000 * S + S / 2);
    docker("2023-11-31", false, 0);
    docker("2023-11-14T", false, 0);
    docker("2023-11-14T22:", false, 0);
    docker("2023-11-14T22:13:2", false, 0);
    docker("2023-11", false, 0);
    docker("2023-11-14 22:13", false, 0);
}

/* Without an offset: the machine's zone, on both sides of a change of the clocks. */
static void test_parse_docker_local(void)
{
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    docker("2023-11-15", true, (1700006400 - 3600) * S);
    docker("2023-07-01T12:00", true, INT64_C(1688205600) * S);
    docker("2023-07-01T12:00:00.25", true, INT64_C(1688205600) * S + S / 4);
    docker("2023-10-29T04:00:00", true, INT64_C(1698548400) * S);
    docker("2023-10-29T01:00:00", true, INT64_C(1698534000) * S);
    unsetenv("TZ");
    tzset();
}

static void duration(const char *s, bool ok, int64_t expected)
{
    int64_t d = 77;

    UNIT_INT_EQ(duration_parse(s, &d), ok);
    UNIT_INT_EQ(d, ok ? expected : 77);
}

static void test_duration_parse(void)
{
    duration("0", true, 0);
    duration("-0", true, 0);
    duration("5s", true, 5 * S);
    duration("1h15m30.5s", true, 4530 * S + S / 2);
    duration("-2m", true, -120 * S);
    duration("+2m", true, 120 * S);
    duration("100ms", true, 100 * NS_PER_MS);
    duration("1us", true, 1000);
    duration("1\xC2\xB5s", true, 1000);
    duration("1\xCE\xBCs", true, 1000);
    duration(".5s", true, S / 2);
    duration("1.s", true, S);
    duration("0.3333333333333333333h", true, 1200 * S - 1);
    duration("2562047h47m16.854775807s", true, INT64_MAX);
    duration("2562047h47m16.854775808s", false, 0);
    duration("9999999999h", false, 0);
    duration("", false, 0);
    duration("-", false, 0);
    duration("s", false, 0);
    duration(".s", false, 0);
    duration("3", false, 0);
    duration("3x", false, 0);
    duration("3 s", false, 0);
    duration("1s2", false, 0);
}

static void test_duration_human(void)
{
    char out[40];
    static const struct {
        int64_t seconds;
        const char *text;
    } t[] = {
        {0, "Less than a second"}, {1, "1 second"}, {59, "59 seconds"}, {60, "About a minute"},
        {119, "About a minute"}, {120, "2 minutes"}, {3599, "59 minutes"}, {3600, "About an hour"},
        {5399, "About an hour"}, {5400, "2 hours"}, {47 * 3600, "47 hours"}, {48 * 3600, "2 days"},
        {13 * 86400, "13 days"}, {14 * 86400, "2 weeks"}, {59 * 86400, "8 weeks"}, {60 * 86400, "2 months"},
        {729 * 86400, "24 months"}, {730 * 86400, "2 years"},
    };

    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        UNIT_STR_EQ(duration_human(t[i].seconds * S, out, sizeof(out)), t[i].text);
}

static void test_clocks_move(void)
{
    int64_t a = clock_mono();

    CU_ASSERT_TRUE(a > 0 && clock_mono() >= a);
    CU_ASSERT_TRUE(clock_wall() > 1700000000 * S);
}

UNIT_MAIN("clock", UNIT(test_format), UNIT(test_parse_rfc3339), UNIT(test_round_trip_over_days),
          UNIT(test_parse_docker), UNIT(test_parse_docker_local), UNIT(test_duration_parse), UNIT(test_duration_human), UNIT(test_clocks_move))
