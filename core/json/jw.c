/*
 * json/jw.c - see jw.h.
 *
 * A pending key (jw_key) is remembered as "no comma due" on the level: the value that follows sees an empty level
 * and writes none.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/jw.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include "base/clock.h"

static void begin(struct jw *w, const char *key)
{
    uint64_t bit = UINT64_C(1) << (w->depth & (JW_DEPTH - 1));

    if (w->filled & bit)
        buf_putc(w->out, ',');
    w->filled |= bit;
    if (key != NULL) {
        buf_putc(w->out, '"');
        buf_puts(w->out, key);
        buf_append(w->out, "\":", 2);
    }
}

static void open_level(struct jw *w, const char *key, char c)
{
    begin(w, key);
    buf_putc(w->out, c);
    w->depth++;
    w->filled &= ~(UINT64_C(1) << (w->depth & (JW_DEPTH - 1)));
}

static void close_level(struct jw *w, char c)
{
    w->depth--;
    buf_putc(w->out, c);
}

void jw_object(struct jw *w, const char *key)
{
    open_level(w, key, '{');
}

void jw_object_end(struct jw *w)
{
    close_level(w, '}');
}

void jw_array(struct jw *w, const char *key)
{
    open_level(w, key, '[');
}

void jw_array_end(struct jw *w)
{
    close_level(w, ']');
}

void jw_stringn(struct jw *w, const char *key, const char *s, size_t n)
{
    begin(w, key);
    buf_json_string(w->out, s, n);
}

void jw_string(struct jw *w, const char *key, const char *s)
{
    jw_stringn(w, key, s != NULL ? s : "", s != NULL ? strlen(s) : 0);
}

void jw_string_or_null(struct jw *w, const char *key, const char *s)
{
    if (s == NULL)
        jw_null(w, key);
    else
        jw_string(w, key, s);
}

void jw_printf(struct jw *w, const char *key, const char *fmt, ...)
{
    struct buf text;
    va_list ap;

    buf_init(&text, w->out->max);
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    jw_stringn(w, key, buf_str(&text), text.len);
    buf_fini(&text);
}

void jw_u64(struct jw *w, const char *key, uint64_t n)
{
    char digits[24];
    size_t at = sizeof(digits);

    begin(w, key);
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    buf_append(w->out, digits + at, sizeof(digits) - at);
}

void jw_i64(struct jw *w, const char *key, int64_t n)
{
    if (n >= 0) {
        jw_u64(w, key, (uint64_t)n);
        return;
    }
    begin(w, key);
    buf_printf(w->out, "%" PRId64, n);
}

void jw_bool(struct jw *w, const char *key, bool b)
{
    jw_raw(w, key, b ? "true" : "false");
}

void jw_null(struct jw *w, const char *key)
{
    jw_raw(w, key, "null");
}

void jw_time(struct jw *w, const char *key, int64_t wall_ns)
{
    char text[TIME_RFC3339_SIZE];

    begin(w, key);
    buf_putc(w->out, '"');
    buf_puts(w->out, time_format_rfc3339(wall_ns, text));
    buf_putc(w->out, '"');
}

void jw_rawn(struct jw *w, const char *key, const char *json, size_t n)
{
    begin(w, key);
    if (json == NULL || n == 0)
        buf_append(w->out, "null", 4);
    else
        buf_append(w->out, json, n);
}

void jw_raw(struct jw *w, const char *key, const char *json)
{
    jw_rawn(w, key, json, json != NULL ? strlen(json) : 0);
}

void jw_strings(struct jw *w, const char *key, const char *const *strs)
{
    jw_array(w, key);
    for (; strs != NULL && *strs != NULL; strs++)
        jw_string(w, NULL, *strs);
    jw_array_end(w);
}

void jw_strings_or_null(struct jw *w, const char *key, const char *const *strs)
{
    if (strs == NULL)
        jw_null(w, key);
    else
        jw_strings(w, key, strs);
}

void jw_key(struct jw *w, const char *key)
{
    begin(w, NULL);
    buf_json_string(w->out, key, strlen(key));
    buf_putc(w->out, ':');
    w->filled &= ~(UINT64_C(1) << (w->depth & (JW_DEPTH - 1)));
}

void jw_key_string(struct jw *w, const char *key, const char *value)
{
    jw_key(w, key);
    jw_string(w, NULL, value);
}
