/*
 * gcp/time.c - the time formats of Google's APIs and of HTTP (declared in str.h).
 *
 * Own day arithmetic instead of timegm(): no time zone, no locale, the whole range of RFC 3339.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Days since 1970-01-01 of a date in the Gregorian calendar. */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
    int64_t era, yoe, doy;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t days, int *ret_y, int *ret_m, int *ret_d)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
            doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *ret_d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *ret_m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_y = (int)(yoe + era * 400 + (*ret_m <= 2));
}

void gcp_time_format(int64_t ns, char out[GCP_TIME_MAX])
{
    int64_t sec = ns / GCP_SECOND, frac = ns % GCP_SECOND, days;
    int y, m, d, rest;

    if (frac < 0) {
        frac += GCP_SECOND;
        sec--;
    }
    days = sec / 86400;
    if (sec % 86400 < 0)
        days--;
    rest = (int)(sec - days * 86400);
    civil_from_days(days, &y, &m, &d);
    (void)snprintf(out, GCP_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", y, m, d, rest / 3600,
                   rest / 60 % 60, rest % 60, (int)frac);
}

/* Reads exactly `digits` digits; moves *p on. */
static bool take_digits(const char **p, int digits, int64_t *ret)
{
    *ret = 0;
    for (int i = 0; i < digits; i++, (*p)++) {
        if (!isdigit((unsigned char)**p))
            return false;
        *ret = *ret * 10 + (**p - '0');
    }
    return true;
}

static bool take_char(const char **p, const char *set)
{
    if (!**p || !strchr(set, **p))
        return false;
    (*p)++;
    return true;
}

/* The digits after a decimal point, as nanoseconds; more than nine are dropped. */
static int64_t take_fraction(const char **p)
{
    int64_t ns = 0, scale = GCP_SECOND / 10;

    for (; isdigit((unsigned char)**p); (*p)++, scale /= 10)
        ns += (**p - '0') * scale;
    return ns;
}

static bool take_offset(const char **p, int64_t *ret_seconds)
{
    int64_t h, m, sign;

    *ret_seconds = 0;
    if (take_char(p, "Zz"))
        return true;
    sign = **p == '-' ? -1 : 1;
    if (!take_char(p, "+-") || !take_digits(p, 2, &h) || !take_char(p, ":") || !take_digits(p, 2, &m))
        return false;
    *ret_seconds = sign * (h * 3600 + m * 60);
    return true;
}

bool gcp_time_parse(const char *t, int64_t *ret_ns)
{
    int64_t y, mo, d, h, mi, s, frac = 0, offset;

    if (!take_digits(&t, 4, &y) || !take_char(&t, "-") || !take_digits(&t, 2, &mo) || !take_char(&t, "-") ||
        !take_digits(&t, 2, &d) || !take_char(&t, "Tt ") || !take_digits(&t, 2, &h) || !take_char(&t, ":") ||
        !take_digits(&t, 2, &mi) || !take_char(&t, ":") || !take_digits(&t, 2, &s))
        return false;
    if (take_char(&t, "."))
        frac = take_fraction(&t);
    if (!take_offset(&t, &offset) || *t || y < 1678 || y > 2261 || mo < 1 || mo > 12 || d < 1 || d > 31 ||
        h > 23 || mi > 59 || s > 60)
        return false;
    *ret_ns = ((days_from_civil(y, mo, d) * 24 + h) * 3600 + mi * 60 + s - offset) * GCP_SECOND + frac;
    return true;
}

bool gcp_http_date_parse(const char *t, int64_t *ret_ns)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char month[4];
    const char *found;
    int d, y, h, m, s;

    t = strchr(t, ',');
    if (!t || sscanf(t, ", %2d %3s %4d %2d:%2d:%2d GMT", &d, month, &y, &h, &m, &s) != 6 ||
        strlen(month) != 3)
        return false;
    found = strstr(months, month);
    if (!found || (found - months) % 3 || y < 1970 || y > 2261)
        return false;
    *ret_ns = (days_from_civil(y, (found - months) / 3 + 1, d) * 86400 + h * 3600 + m * 60 + s) * GCP_SECOND;
    return true;
}

bool gcp_duration_parse(const char *t, int64_t *ret_ns)
{
    int64_t sec = 0, frac = 0;

    if (!isdigit((unsigned char)*t))
        return false;
    for (; isdigit((unsigned char)*t); t++) {
        if (sec > INT64_C(9000000000))
            return false;
        sec = sec * 10 + (*t - '0');
    }
    if (take_char(&t, "."))
        frac = take_fraction(&t);
    if (strcmp(t, "s") || sec > INT64_C(9000000000))
        return false;
    *ret_ns = sec * GCP_SECOND + frac;
    return true;
}
