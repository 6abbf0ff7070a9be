/*
 * base/duration.c - Go's duration strings, and durations for humans (clock.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"

#define FRACTION_DIGITS 18 /* more can't change a nanosecond */

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {
    /* "ms" stands before "m": the first match wins. Micro is spelt with U+00B5, U+03BC or u. */
    {"ns", 1},          {"us", NS_PER_US},     {"\xC2\xB5s", NS_PER_US}, {"\xCE\xBCs", NS_PER_US},
    {"ms", NS_PER_MS},  {"s", NS_PER_S},       {"m", 60 * NS_PER_S},     {"h", 3600 * NS_PER_S},
};

static const struct unit *take_unit(const char **s)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t n = strlen(units[i].name);

        if (strncmp(*s, units[i].name, n) == 0) {
            *s += n;
            return &units[i];
        }
    }
    return NULL;
}

/* One "12.5h". The fraction is kept as fraction/scale. */
static bool take_term(const char **s, int64_t *ret_ns)
{
    int64_t whole = 0, fraction = 0, scale = 1;
    const struct unit *unit;
    const char *start = *s;
    int digits = 0;

    for (; **s >= '0' && **s <= '9'; (*s)++, digits++) {
        if (__builtin_mul_overflow(whole, INT64_C(10), &whole) ||
            __builtin_add_overflow(whole, (int64_t)(**s - '0'), &whole))
            return false;
    }
    if (**s == '.') {
        (*s)++;
        for (int i = 0; **s >= '0' && **s <= '9'; (*s)++, digits++, i++) {
            if (i < FRACTION_DIGITS) {
                fraction = fraction * 10 + (**s - '0');
                scale *= 10;
            }
        }
    }
    unit = digits != 0 ? take_unit(s) : NULL;
    if (unit == NULL || *s == start || __builtin_mul_overflow(whole, unit->ns, &whole))
        return false;
    fraction = (int64_t)((__int128)fraction * unit->ns / scale);
    return !__builtin_add_overflow(whole, fraction, ret_ns);
}

bool duration_parse(const char *s, int64_t *ret_ns)
{
    bool negative = *s == '-';
    int64_t total = 0, term;

    if (*s == '-' || *s == '+')
        s++;
    if (strcmp(s, "0") == 0) {
        *ret_ns = 0;
        return true;
    }
    if (*s == '\0')
        return false;
    while (*s != '\0') {
        if (!take_term(&s, &term) || __builtin_add_overflow(total, term, &total))
            return false;
    }
    *ret_ns = negative ? -total : total;
    return true;
}

const char *duration_human(int64_t ns, char *out, size_t out_size)
{
    int64_t seconds = ns / NS_PER_S, minutes = seconds / 60, hours = (minutes + 30) / 60;

    if (seconds < 1)
        snprintf(out, out_size, "Less than a second");
    else if (seconds == 1)
        snprintf(out, out_size, "1 second");
    else if (seconds < 60)
        snprintf(out, out_size, "%" PRId64 " seconds", seconds);
    else if (minutes == 1)
        snprintf(out, out_size, "About a minute");
    else if (minutes < 60)
        snprintf(out, out_size, "%" PRId64 " minutes", minutes);
    else if (hours == 1)
        snprintf(out, out_size, "About an hour");
    else if (hours < 48)
        snprintf(out, out_size, "%" PRId64 " hours", hours);
    else if (hours < 24 * 14)
        snprintf(out, out_size, "%" PRId64 " days", hours / 24);
    else if (hours < 24 * 60)
        snprintf(out, out_size, "%" PRId64 " weeks", hours / 24 / 7);
    else if (hours < 24 * 365 * 2)
        snprintf(out, out_size, "%" PRId64 " months", hours / 24 / 30);
    else
        snprintf(out, out_size, "%" PRId64 " years", minutes / 60 / 24 / 365);
    return out;
}
