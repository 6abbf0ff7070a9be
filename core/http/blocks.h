/*
 * http/blocks.h - bytes waiting to go out: appended at the end, taken from the front. A list of blocks, so that memory is
 * what waits and at most one block more; one piece that grows would need up to three times as much while it grows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_HTTP_BLOCKS_H
#define SKL_HTTP_BLOCKS_H

#include <stddef.h>

struct iovec;
struct http_block;

struct http_blocks {
    struct http_block *first, *last;
    size_t len; /* bytes that wait */
};

/* What comes into an empty list is in one piece, as far as a block goes: TLS repeats a write with no fewer bytes. */
void blocks_append(struct http_blocks *q, const void *p, size_t n);
int blocks_peek(const struct http_blocks *q, struct iovec *iov, int max); /* the front; how many were filled */
void blocks_consume(struct http_blocks *q, size_t n);
void blocks_fini(struct http_blocks *q);

#endif
