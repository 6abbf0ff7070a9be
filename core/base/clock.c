/*
 * base/clock.c - time stamps: reading the clocks, RFC 3339 both ways, Docker's since/until.
 * Durations are in duration.c.
 *
 * Dates are computed here (proleptic Gregorian calendar, as Go's), not by libc: no time zone files, no locale, and the agent
 * is a static program in an image that may hold neither. Only a date without a zone, in a filter, means the machine's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/clock.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECONDS_PER_DAY 86400
#define DAYS_PER_ERA 146097 /* 400 years */
#define EPOCH_SHIFT 719468  /* days from 0000-03-01 to 1970-01-01 */

static int64_t clock_read(clockid_t id)
{
    struct timespec ts = {0};

    clock_gettime(id, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

int64_t clock_mono(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

struct civil {
    int year, month, day, hour, minute, second;
    int nanos;
};

/* Years that begin in March put the leap day last, which makes both directions plain arithmetic. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           EPOCH_SHIFT;
}

static void civil_from_days(int64_t days, struct civil *c)
{
    int64_t z = days + EPOCH_SHIFT;
    int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t doe = z - era * DAYS_PER_ERA;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    c->year = (int)(yoe + era * 400 + (c->month <= 2));
}

static void civil_from_wall(int64_t wall, struct civil *c)
{
    int64_t nanos = wall % NS_PER_S, seconds = wall / NS_PER_S, days, rest;

    if (nanos < 0) {
        nanos += NS_PER_S;
        seconds--;
    }
    days = seconds / SECONDS_PER_DAY;
    rest = seconds % SECONDS_PER_DAY;
    if (rest < 0) {
        rest += SECONDS_PER_DAY;
        days--;
    }
    civil_from_days(days, c);
    c->hour = (int)(rest / 3600);
    c->minute = (int)(rest / 60 % 60);
    c->second = (int)(rest % 60);
    c->nanos = (int)nanos;
}

static size_t civil_print(int64_t wall, char out[TIME_RFC3339_SIZE])
{
    struct civil c = {.year = 1, .month = 1, .day = 1};
    int n;

    if (wall != 0)
        civil_from_wall(wall, &c);
    n = snprintf(out, TIME_RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%09d", c.year, c.month, c.day, c.hour,
                 c.minute, c.second, c.nanos);
    return n < TIME_RFC3339_SIZE - 1 ? (size_t)n : TIME_RFC3339_SIZE - 2;
}

const char *time_format_rfc3339(int64_t wall, char out[TIME_RFC3339_SIZE])
{
    size_t n = civil_print(wall, out);

    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.')
        n--;
    out[n] = 'Z';
    out[n + 1] = '\0';
    return out;
}

const char *time_format_log(int64_t wall, char out[TIME_RFC3339_SIZE])
{
    size_t n = civil_print(wall, out);

    out[n] = 'Z';
    out[n + 1] = '\0';
    return out;
}

/* Reads exactly `digits` digits at *s. */
static bool take_number(const char **s, int digits, int min, int max, int *ret)
{
    int v = 0;

    for (int i = 0; i < digits; i++, (*s)++) {
        if (**s < '0' || **s > '9')
            return false;
        v = v * 10 + (**s - '0');
    }
    *ret = v;
    return v >= min && v <= max;
}

static bool take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

/* Digits after a point, as nanoseconds; what lies beyond the ninth is dropped. At least one. */
static bool take_fraction(const char **s, int *ret_nanos)
{
    int scale = 100000000, nanos = 0;

    if (**s < '0' || **s > '9')
        return false;
    for (; **s >= '0' && **s <= '9'; (*s)++) {
        nanos += (**s - '0') * scale;
        scale /= 10;
    }
    *ret_nanos = nanos;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static bool take_offset(const char **s, int *ret_seconds)
{
    int sign = **s == '-' ? -1 : 1, hours, minutes;

    if (**s == 'Z' || **s == 'z') {
        (*s)++;
        *ret_seconds = 0;
        return true;
    }
    if (**s != '+' && **s != '-')
        return false;
    (*s)++;
    if (!take_number(s, 2, 0, 23, &hours) || !take_char(s, ':') || !take_number(s, 2, 0, 59, &minutes))
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool take_civil(const char **s, struct civil *c)
{
    if (!take_number(s, 4, 0, 9999, &c->year) || !take_char(s, '-') || !take_number(s, 2, 1, 12, &c->month) ||
        !take_char(s, '-') || !take_number(s, 2, 1, days_in_month(c->year, c->month), &c->day))
        return false;
    if (!take_char(s, 'T') && !take_char(s, 't'))
        return false;
    if (!take_number(s, 2, 0, 23, &c->hour) || !take_char(s, ':') || !take_number(s, 2, 0, 59, &c->minute) ||
        !take_char(s, ':') || !take_number(s, 2, 0, 59, &c->second))
        return false;
    return !take_char(s, '.') || take_fraction(s, &c->nanos);
}

static int64_t civil_seconds(const struct civil *c)
{
    return days_from_civil(c->year, c->month, c->day) * SECONDS_PER_DAY + c->hour * 3600 + c->minute * 60 + c->second;
}

static bool civil_wall(int64_t seconds, int nanos, int64_t *ret_wall)
{
    int64_t wall;

    if (seconds == days_from_civil(1, 1, 1) * SECONDS_PER_DAY && nanos == 0) {
        *ret_wall = 0;
        return true;
    }
    if (__builtin_mul_overflow(seconds, NS_PER_S, &wall) || __builtin_add_overflow(wall, (int64_t)nanos, &wall))
        return false;
    *ret_wall = wall;
    return true;
}

bool time_parse_rfc3339(const char *s, int64_t *ret_wall)
{
    struct civil c = {0};
    int offset;

    if (!take_civil(&s, &c) || !take_offset(&s, &offset) || *s != '\0')
        return false;
    return civil_wall(civil_seconds(&c) - offset, c.nanos, ret_wall);
}

/* How far the machine's zone is ahead of UTC at a time that is told in that zone. */
static int64_t local_offset(int64_t local_seconds)
{
    time_t at = (time_t)local_seconds;
    struct tm tm;

    for (int i = 0; i < 2; i++) { /* again near a change of the clocks */
        if (localtime_r(&at, &tm) == NULL)
            return 0;
        at = (time_t)local_seconds - tm.tm_gmtoff;
    }
    return tm.tm_gmtoff;
}

/* Dates that end early, with an offset or without, as Docker takes them: 2006-01-02, ...T15, ...T15:04, ...T15:04:05. */
static bool parse_date(const char *s, int64_t *ret_wall)
{
    struct civil c = {0};
    int offset;

    if (!take_number(&s, 4, 0, 9999, &c.year) || !take_char(&s, '-') || !take_number(&s, 2, 1, 12, &c.month) ||
        !take_char(&s, '-') || !take_number(&s, 2, 1, days_in_month(c.year, c.month), &c.day))
        return false;
    if (take_char(&s, 'T') && !take_number(&s, 2, 0, 23, &c.hour))
        return false;
    if (take_char(&s, ':') && !take_number(&s, 2, 0, 59, &c.minute))
        return false;
    if (take_char(&s, ':') && !take_number(&s, 2, 0, 59, &c.second))
        return false;
    if (take_char(&s, '.') && !take_fraction(&s, &c.nanos))
        return false;
    if (*s == '\0')
        return civil_wall(civil_seconds(&c) - local_offset(civil_seconds(&c)), c.nanos, ret_wall);
    return take_offset(&s, &offset) && *s == '\0' && civil_wall(civil_seconds(&c) - offset, c.nanos, ret_wall);
}

/* "[-]seconds[.fraction]" */
static bool parse_unix(const char *s, int64_t *ret_wall)
{
    int64_t wall = 0;
    int nanos = 0;
    bool negative = take_char(&s, '-');

    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (__builtin_mul_overflow(wall, INT64_C(10), &wall) ||
            __builtin_add_overflow(wall, (int64_t)(*s - '0'), &wall))
            return false;
    }
    if (take_char(&s, '.') && !take_fraction(&s, &nanos))
        return false;
    if (*s != '\0' || __builtin_mul_overflow(wall, NS_PER_S, &wall) ||
        __builtin_add_overflow(wall, (int64_t)nanos, &wall))
        return false;
    *ret_wall = negative ? -wall : wall;
    return true;
}

bool time_parse_docker(const char *s, int64_t now_wall, int64_t *ret_wall)
{
    int64_t ago;

    if (*s == '\0') {
        *ret_wall = 0;
        return true;
    }
    if (parse_unix(s, ret_wall) || time_parse_rfc3339(s, ret_wall) || parse_date(s, ret_wall))
        return true;
    return duration_parse(s, &ago) && !__builtin_sub_overflow(now_wall, ago, ret_wall);
}
