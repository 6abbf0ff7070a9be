/*
 * base/str.h - strings: tests, splitting, range-checked numbers, hex, base64, UTF-8, URL escapes.
 * Nothing here depends on the locale.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_STR_H
#define SKL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

bool str_eq(const char *a, const char *b);             /* NULL equals only NULL */
bool str_ieq(const char *a, const char *b);            /* ASCII case-insensitive */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_empty(const char *s);                         /* NULL or "" */
char *str_trim(char *s);                               /* in place, ASCII white space */
void str_lower(char *s);                               /* in place, ASCII */
bool mem_eq_const_time(const void *a, const void *b, size_t n);

/* Splits a copy of s at each `sep`; NULL-terminated array, one block for array and text: free().
 * An empty s gives an array of no elements. */
char **str_split(const char *s, char sep, size_t *ret_n);

/* Whole-string decimal integers (optional '-' for i64), no white space. false when malformed or
 * out of [min,max]. */
bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
/* "10m", "100k", "1g", bytes: of 1 at least. */
bool str_to_size(const char *s, int64_t *ret);
bool str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
bool str_to_double(const char *s, double *ret);        /* finite, whole string, '.' as point */

void hex_encode(const void *p, size_t n, char *out);   /* writes 2n lower-case digits and a NUL */
bool hex_decode(const char *s, size_t slen, void *out);
bool str_is_hex(const char *s);                        /* lower-case hex, not empty */

/* base64. Decoding accepts standard and URL alphabets, padded or not (Docker's registry
 * credentials come in all four spellings), no white space. */
int base64_encode(struct buf *out, const void *p, size_t n, bool url_alphabet, bool pad);
int base64_decode(struct buf *out, const char *s, size_t n);

bool utf8_valid(const char *s, size_t n);
size_t utf8_sequence(const char *s, size_t n);  /* length of the valid sequence at s; 0: none */

/* Percent-decoding. '+' stays '+'; with form=true it becomes a space (query strings). A malformed
 * escape or %00 is an error (-1). */
int url_decode(struct buf *out, const char *s, size_t n, bool form);
int url_encode(struct buf *out, const char *s, size_t n); /* all but RFC 3986 unreserved */

/* Docker's booleans (reference 2.1.13): "", 0, no, false, none in any case, trimmed: false. */
bool str_docker_bool(const char *s, bool if_absent);   /* NULL: if_absent */

#endif
