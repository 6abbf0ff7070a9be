/*
 * http/guard.h - the strict check of a raw request head, before the parser sees it. Why: guard.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_HTTP_GUARD_H
#define SKL_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HTTP_FIELDS_MAX 256 /* header fields of one request; beyond: 431 */

/* Length of the head in p[0..n), with its final empty line; 0: not complete yet; -1: a line ends in a bare LF.
 * *line (0 at first) remembers how far earlier calls came, so that feeding byte by byte stays linear. */
ssize_t http_guard_find_end(const char *p, size_t n, size_t *line);

enum http_expect { HTTP_EXPECT_NONE, HTTP_EXPECT_CONTINUE, HTTP_EXPECT_OTHER };

/* What the guard learnt of a complete head. */
struct http_guard {
    unsigned n_fields;
    unsigned n_hosts, n_lengths, n_codings;
    bool http10;
    enum http_expect expect;
    int status;      /* of a refusal */
    const char *why; /* of a refusal; static text */
};
/* 0, or -1 with status and why set. p[0..n) is what http_guard_find_end found. */
int http_guard_check(struct http_guard *g, const char *p, size_t n);

#endif
