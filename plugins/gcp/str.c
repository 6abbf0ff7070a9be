/*
 * gcp/str.c - see str.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A plugin builds request bodies and messages, never bulk data: beyond this something is wrong. */
#define STR_MAX ((size_t)256 * 1024 * 1024)

void gcp_str_fini(struct gcp_str *s)
{
    free(s->data);
    memset(s, 0, sizeof(*s));
}

static bool str_grow(struct gcp_str *s, size_t n)
{
    size_t cap = s->cap ? s->cap : 64;
    char *p;

    if (s->failed || n >= STR_MAX - s->len) {
        s->failed = true;
        return false;
    }
    while (cap < s->len + n + 1)
        cap *= 2;
    if (cap == s->cap)
        return true;
    p = realloc(s->data, cap);
    if (!p) {
        s->failed = true;
        return false;
    }
    s->data = p;
    s->cap = cap;
    return true;
}

void gcp_str_append(struct gcp_str *s, const void *p, size_t n)
{
    if (!str_grow(s, n))
        return;
    if (n)
        memcpy(s->data + s->len, p, n);
    s->len += n;
    s->data[s->len] = '\0';
}

void gcp_str_puts(struct gcp_str *s, const char *text)
{
    gcp_str_append(s, text, strlen(text));
}

static void str_vprintf(struct gcp_str *s, const char *fmt, va_list ap)
{
    va_list copy;
    int n;

    va_copy(copy, ap);
    n = vsnprintf(NULL, 0, fmt, copy);
    va_end(copy);
    if (n < 0 || !str_grow(s, (size_t)n)) {
        s->failed = true;
        return;
    }
    (void)vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
    s->len += (size_t)n;
}

void gcp_str_printf(struct gcp_str *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(s, fmt, ap);
    va_end(ap);
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void gcp_str_put_encoded(struct gcp_str *s, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        char three[3] = {'%', hex[*p >> 4], hex[*p & 15]};

        if (is_unreserved(*p))
            gcp_str_append(s, p, 1);
        else
            gcp_str_append(s, three, 3);
    }
}

void gcp_str_put_pair(struct gcp_str *s, const char *key, const char *value)
{
    if (s->len && s->data[s->len - 1] != '?')
        gcp_str_append(s, "&", 1);
    gcp_str_put_encoded(s, key);
    gcp_str_append(s, "=", 1);
    gcp_str_put_encoded(s, value);
}

static void put_base64(struct gcp_str *s, const unsigned char *p, size_t n, const char *alphabet, bool pad)
{
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v =
            (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        char four[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63], alphabet[v & 63]};

        if (left >= 3) {
            gcp_str_append(s, four, 4);
            continue;
        }
        gcp_str_append(s, four, left + 1);
        if (pad)
            gcp_str_append(s, "==", 3 - left);
    }
}

void gcp_str_put_base64(struct gcp_str *s, const void *p, size_t n)
{
    put_base64(s, p, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true);
}

void gcp_str_put_base64url(struct gcp_str *s, const void *p, size_t n)
{
    put_base64(s, p, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false);
}

const char *gcp_str_get(const struct gcp_str *s)
{
    if (s->failed)
        return NULL;
    return s->data ? s->data : "";
}

char *gcp_str_take(struct gcp_str *s)
{
    char *p = NULL;

    if (!s->failed)
        p = s->data ? s->data : strdup("");
    else
        free(s->data);
    memset(s, 0, sizeof(*s));
    return p;
}

char *gcp_format(const char *fmt, ...)
{
    struct gcp_str s = {0};
    va_list ap;

    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    return gcp_str_take(&s);
}

char *gcp_dup(const char *text)
{
    return text ? strdup(text) : NULL;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-' || c == '+')
        return 62;
    return c == '_' || c == '/' ? 63 : -1;
}

char *gcp_base64_decode(const char *text, size_t n, size_t *ret_len)
{
    uint32_t acc = 0;
    size_t bits = 0, len = 0;
    char *out = malloc(n / 4 * 3 + 4);

    while (n && text[n - 1] == '=')
        n--;
    for (size_t i = 0; out && i < n; i++) {
        int v = base64_value(text[i]);

        if (v < 0 || n % 4 == 1) {
            free(out);
            return NULL;
        }
        acc = acc << 6 | (uint32_t)v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[len++] = (char)(acc >> bits & 255);
        }
    }
    if (!out)
        return NULL;
    out[len] = '\0';
    if (ret_len)
        *ret_len = len;
    return out;
}

bool gcp_has_prefix(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

/* Length of the well-formed UTF-8 sequence at p (n bytes left), 0 when there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3 : 4;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4 || n < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
        (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return len;
}

bool gcp_utf8_valid(const char *text)
{
    size_t n = strlen(text), step;

    for (; n; text += step, n -= step) {
        step = utf8_sequence((const unsigned char *)text, n);
        if (!step)
            return false;
    }
    return true;
}

/* Whether p (n bytes left) begins a sequence that goes on beyond the end: where a cut went through it. */
static bool utf8_cut(const unsigned char *p, size_t n)
{
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC2 ? 2 : 0;

    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return false;
    return n < len;
}

/* Drops a sequence that a cut left incomplete, and makes what is not UTF-8 or a control character visible. */
static void message_clean(char *m)
{
    size_t n = strlen(m), step;

    for (; n; m += step, n -= step) {
        step = utf8_sequence((unsigned char *)m, n);
        if (!step && utf8_cut((unsigned char *)m, n)) {
            *m = '\0';
            return;
        }
        if (!step || ((unsigned char)*m < 0x20 && *m != '\n' && *m != '\t')) {
            *m = '?';
            step = 1;
        }
    }
}

int gcp_error(struct skl_error *err, int kind, const char *fmt, ...)
{
    struct gcp_str s = {0};
    va_list ap;

    if (!err)
        return -1;
    va_start(ap, fmt);
    str_vprintf(&s, fmt, ap);
    va_end(ap);
    err->kind = kind;
    err->detail = 0;
    (void)snprintf(err->message, sizeof(err->message), "%s", s.failed ? "out of memory" : gcp_str_get(&s));
    message_clean(err->message);
    gcp_str_fini(&s);
    return -1;
}
