/*
 * base/buf.h - a growable byte buffer with a limit. Also the string builder.
 *
 * Invariant: data[len] is always NUL when data != NULL, so a buffer of text is a C string.
 * Reaching the limit is a sticky failure (`overflow`): a chain of appends needs one check at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_BUF_H
#define SKL_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;      /* NULL while nothing was appended */
    size_t len;
    size_t cap;
    size_t max;      /* bytes; appends beyond it fail */
    bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);                    /* frees; the buffer may be used again */
void buf_clear(struct buf *b);                   /* len = 0, overflow = false, keeps memory */
int buf_append(struct buf *b, const void *p, size_t n); /* 0, or -1 when over the limit */
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
char *buf_reserve(struct buf *b, size_t n);      /* room for n more bytes, or NULL; then buf_commit */
void buf_commit(struct buf *b, size_t n);
void buf_consume(struct buf *b, size_t n);       /* drops the first n bytes */
char *buf_steal(struct buf *b, size_t *ret_len); /* caller frees; "" when empty; buffer is empty after */
const char *buf_str(const struct buf *b);        /* "" when empty */

/* Appends s as a JSON string literal with quotes; no HTML escaping (reference 2.13.9). Invalid
 * UTF-8 becomes U+FFFD. */
int buf_json_string(struct buf *b, const char *s, size_t n);

#endif
