/*
 * base/str.c - see str.h. Encodings (hex, base64, percent) are in codec.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/str.h"
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool str_eq(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool str_ieq(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != '\0' && ascii_lower(*a) == ascii_lower(*b)) {
        a++;
        b++;
    }
    return ascii_lower(*a) == ascii_lower(*b);
}

bool str_starts(const char *s, const char *prefix)
{
    return s != NULL && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n, m = strlen(suffix);

    if (s == NULL)
        return false;
    n = strlen(s);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_empty(const char *s)
{
    return s == NULL || *s == '\0';
}

char *str_trim(char *s)
{
    char *end = s + strlen(s);
    char *start = s;

    while (end > s && ascii_space(end[-1]))
        end--;
    *end = '\0';
    while (ascii_space(*start))
        start++;
    if (start != s)
        memmove(s, start, (size_t)(end - start) + 1);
    return s;
}

void str_lower(char *s)
{
    for (; *s != '\0'; s++)
        *s = ascii_lower(*s);
}

bool mem_eq_const_time(const void *a, const void *b, size_t n)
{
    const volatile unsigned char *x = a, *y = b;
    unsigned char diff = 0;

    for (size_t i = 0; i < n; i++)
        diff |= (unsigned char)(x[i] ^ y[i]);
    return diff == 0;
}

char **str_split(const char *s, char sep, size_t *ret_n)
{
    size_t len = strlen(s), n = len != 0;
    char **parts;
    char *text;

    for (const char *p = s; *p != '\0'; p++)
        n += *p == sep;
    parts = xmalloc((n + 1) * sizeof(*parts) + len + 1);
    text = (char *)(parts + n + 1);
    memcpy(text, s, len + 1);
    for (size_t i = 0; i < n; i++) {
        parts[i] = text;
        text += strcspn(text, (char[]){sep, '\0'});
        *text++ = '\0';
    }
    parts[n] = NULL;
    if (ret_n != NULL)
        *ret_n = n;
    return parts;
}

static bool parse_digits(const char *s, uint64_t *ret)
{
    uint64_t v = 0;

    if (*s == '\0')
        return false;
    for (; *s != '\0'; s++) {
        if (*s < '0' || *s > '9')
            return false;
        if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t v;

    if (s == NULL || !parse_digits(s, &v) || v < min || v > max)
        return false;
    *ret = v;
    return true;
}

bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = s != NULL && *s == '-';
    uint64_t v;
    int64_t r;

    if (s == NULL || !parse_digits(s + negative, &v))
        return false;
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    r = negative ? (int64_t)(0 - v) : (int64_t)v;
    if (r < min || r > max)
        return false;
    *ret = r;
    return true;
}

static locale_t c_locale;

static void c_locale_make(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool str_to_double(const char *s, double *ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char *end;
    double d;

    /* strtod takes more than numbers: white space, hexadecimal, "inf", "nan". */
    if (str_empty(s) || s[strspn(s, "0123456789+-.eE")] != '\0')
        return false;
    pthread_once(&once, c_locale_make);
    d = c_locale != (locale_t)0 ? strtod_l(s, &end, c_locale) : strtod(s, &end);
    if (end == s || *end != '\0' || !isfinite(d))
        return false;
    *ret = d;
    return true;
}

size_t utf8_sequence(const char *str, size_t n)
{
    const unsigned char *s = (const unsigned char *)str;
    unsigned char lo = 0x80, hi = 0xBF;
    size_t len;

    if (n == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    len = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (n < len)
        return 0;
    /* The second byte's range keeps out overlong forms, surrogates and what lies beyond U+10FFFF. */
    lo = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : lo;
    hi = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : hi;
    if (s[1] < lo || s[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

bool utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0, len; i < n; i += len) {
        len = utf8_sequence(s + i, n - i);
        if (len == 0)
            return false;
    }
    return true;
}

bool str_docker_bool(const char *s, bool if_absent)
{
    static const char *const falses[] = {"", "0", "no", "false", "none"};
    size_t n;

    if (s == NULL)
        return if_absent;
    while (ascii_space(*s))
        s++;
    n = strlen(s);
    while (n > 0 && ascii_space(s[n - 1]))
        n--;
    for (size_t i = 0; i < ARRAY_LEN(falses); i++) {
        if (strlen(falses[i]) == n && strncasecmp(s, falses[i], n) == 0)
            return false;
    }
    return true;
}

bool str_to_size(const char *s, int64_t *ret)
{
    size_t n = strspn(s, "0123456789");
    CLEANUP(free_p) char *digits = xstrndup(s, n);
    CLEANUP(free_p) char *unit = xstrdup(s + n);
    int shift;

    str_lower(unit);
    if (unit[0] != '\0' && strcmp(unit + 1, "b") == 0 && unit[0] != 'b')
        unit[1] = '\0';
    shift = unit[0] == '\0' || strcmp(unit, "b") == 0 ? 0 : strcmp(unit, "k") == 0 ? 10 : strcmp(unit, "m") == 0 ? 20
          : strcmp(unit, "g") == 0 ? 30 : -1;
    if (shift < 0 || !str_to_i64(digits, 1, INT64_MAX >> 31, ret))
        return false;
    *ret <<= shift;
    return true;
}
