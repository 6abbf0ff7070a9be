/*
 * base/buf.c - see buf.h.
 *
 * One byte more than the contents is always allocated, for the NUL; `max` does not count it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

#define BUF_FIRST_CAP 64u

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
    if (b->data != NULL)
        b->data[0] = '\0';
}

/* The capacity to go to for `need` bytes and the NUL: doubling, but no more than the limit can use. */
static size_t grown_cap(const struct buf *b, size_t need)
{
    size_t cap = b->cap < BUF_FIRST_CAP ? BUF_FIRST_CAP : b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;

    if (b->max != SIZE_MAX && cap > b->max + 1)
        cap = b->max + 1;
    return cap > need ? cap : need + 1;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->overflow || n > b->max || b->len > b->max - n || b->len + n == SIZE_MAX) {
        b->overflow = true;
        return NULL;
    }
    if (b->data == NULL || b->len + n >= b->cap) {
        b->cap = grown_cap(b, b->len + n);
        b->data = xrealloc(b->data, b->cap);
        b->data[b->len] = '\0';
    }
    return b->data + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
    b->len += n;
    if (b->data != NULL)
        b->data[b->len] = '\0';
}

int buf_append(struct buf *b, const void *p, size_t n)
{
    char *room = buf_reserve(b, n);

    if (room == NULL)
        return -1;
    if (n != 0)
        memcpy(room, p, n);
    buf_commit(b, n);
    return 0;
}

int buf_puts(struct buf *b, const char *s)
{
    return buf_append(b, s, strlen(s));
}

int buf_putc(struct buf *b, char c)
{
    return buf_append(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    size_t avail = b->data != NULL ? b->cap - b->len : 0;
    int n;

    va_copy(again, ap);
    n = vsnprintf(avail != 0 ? b->data + b->len : NULL, avail, fmt, ap);
    if (n >= 0 && buf_reserve(b, (size_t)n) != NULL) {
        if ((size_t)n >= avail)
            vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        buf_commit(b, (size_t)n);
    } else {
        b->overflow = true;
        if (b->data != NULL)
            b->data[b->len] = '\0';
        n = -1;
    }
    va_end(again);
    return n < 0 ? -1 : 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = buf_vprintf(b, fmt, ap);
    va_end(ap);
    return r;
}

void buf_consume(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
    } else {
        memmove(b->data, b->data + n, b->len - n);
        b->len -= n;
    }
    if (b->data != NULL)
        b->data[b->len] = '\0';
}

char *buf_steal(struct buf *b, size_t *ret_len)
{
    char *s = b->data != NULL ? xrealloc(b->data, b->len + 1) : xstrdup("");

    if (ret_len != NULL)
        *ret_len = b->len;
    buf_init(b, b->max);
    return s;
}

const char *buf_str(const struct buf *b)
{
    return b->data != NULL ? b->data : "";
}

static int json_escape(struct buf *b, unsigned char c)
{
    static const char short_form[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    if (c == '"' || c == '\\')
        return buf_printf(b, "\\%c", c);
    if (c < sizeof(short_form) && short_form[c] != '\0')
        return buf_printf(b, "\\%c", short_form[c]);
    return buf_printf(b, "\\u%04x", c);
}

/* How many bytes at s go out as they are: ASCII without escapes, whole valid UTF-8 sequences. */
static size_t json_plain_span(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n) {
        unsigned char c = (unsigned char)s[i];
        size_t len = c < 0x80 ? (size_t)(c >= 0x20 && c != '"' && c != '\\') : utf8_sequence(s + i, n - i);

        if (len == 0)
            break;
        i += len;
    }
    return i;
}

int buf_json_string(struct buf *b, const char *s, size_t n)
{
    buf_putc(b, '"');
    while (n > 0) {
        size_t plain = json_plain_span(s, n);

        buf_append(b, s, plain);
        s += plain;
        n -= plain;
        if (n == 0)
            break;
        if ((unsigned char)*s >= 0x80)
            buf_puts(b, "\xEF\xBF\xBD");
        else
            json_escape(b, (unsigned char)*s);
        s++;
        n--;
    }
    buf_putc(b, '"');
    return b->overflow ? -1 : 0;
}
