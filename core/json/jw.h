/*
 * json/jw.h - JSON text written straight into a buffer, without a tree.
 *
 * For answers on hot paths (a list of a thousand containers, inspect): the cost is that of the bytes. The writer
 * keeps one bit per open level (whether a comma is due), so objects and arrays nest to JW_DEPTH. What is wrong
 * with a buffer's limit shows in buf->overflow at the end. There is no checking of the caller's nesting: the unit
 * tests of each writer parse what it wrote.
 *
 * Keys are literals of the program and are not escaped; values are.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_JSON_JW_H
#define SKL_JSON_JW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define JW_DEPTH 64

struct jw {
    struct buf *out;
    uint64_t filled; /* bit d: level d has a member already */
    unsigned depth;
};

static inline void jw_init(struct jw *w, struct buf *out)
{
    w->out = out;
    w->filled = 0;
    w->depth = 0;
}

/* key NULL: an element of an array, or the top value. */
void jw_object(struct jw *w, const char *key);
void jw_object_end(struct jw *w);
void jw_array(struct jw *w, const char *key);
void jw_array_end(struct jw *w);
void jw_string(struct jw *w, const char *key, const char *s); /* NULL: "" */
void jw_stringn(struct jw *w, const char *key, const char *s, size_t n);
void jw_string_or_null(struct jw *w, const char *key, const char *s);
void jw_printf(struct jw *w, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void jw_i64(struct jw *w, const char *key, int64_t n);
void jw_u64(struct jw *w, const char *key, uint64_t n);
void jw_bool(struct jw *w, const char *key, bool b);
void jw_null(struct jw *w, const char *key);
void jw_time(struct jw *w, const char *key, int64_t wall_ns); /* RFC 3339, 0: Docker's zero time */
void jw_raw(struct jw *w, const char *key, const char *json); /* JSON text as it is; NULL or "": null */
void jw_rawn(struct jw *w, const char *key, const char *json, size_t n);
/* A NULL-terminated array; strs NULL: an empty array, or null. */
void jw_strings(struct jw *w, const char *key, const char *const *strs);
void jw_strings_or_null(struct jw *w, const char *key, const char *const *strs);
/* A member whose key comes from outside (a label, a network's name): escaped. */
void jw_key(struct jw *w, const char *key);           /* then one value with key NULL */
void jw_key_string(struct jw *w, const char *key, const char *value);

#endif
