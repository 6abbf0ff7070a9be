/*
 * http/parser.h - llhttp behind two small functions: one complete head, and one chunked body. parser.c is the
 * only place that knows llhttp.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_HTTP_PARSER_H
#define SKL_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_field {
    char *name, *value; /* NUL-terminated, into the head's block */
};

/* What a head says. All strings point into the block given to http_parse_head. */
struct http_head {
    char *method, *target;
    struct http_field *fields; /* room for as many as the guard counted; the caller's */
    size_t n_fields, max_fields;
    int64_t content_length; /* -1: none given */
    bool chunked, keep_alive, upgrade;
    int status;      /* of a refusal */
    const char *why; /* of a refusal; static text */
};
/* block[0..n): a head that passed the guard; strings are cut in place. 0, or -1 with status and why set. */
int http_parse_head(struct http_head *h, char *block, size_t n);

struct http_chunked;
struct http_chunked *http_chunked_new(void);
void http_chunked_free(struct http_chunked *c);
/* Decodes p[0..n) in place: p[0..*ret_len) is body afterwards. *ret_used bytes were taken, all of them unless
 * *ret_end, which says that the last chunk and the trailers are behind. -1: broken framing. */
int http_chunked_feed(struct http_chunked *c, char *p, size_t n, size_t *ret_used, size_t *ret_len, bool *ret_end);

#endif
