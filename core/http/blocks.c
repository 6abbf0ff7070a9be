/*
 * http/blocks.c - see blocks.h. The first block is small, since most of what waits is; the next ones double.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include "base/mem.h"
#include "http/blocks.h"

#define BLOCK_SIZE_MIN 512u
#define BLOCK_SIZE_MAX (64u * 1024) /* head included; below what malloc maps apart */

struct http_block {
    struct http_block *next;
    size_t off, end, cap; /* data[off..end) waits */
    char data[];
};

static struct http_block *block_new(struct http_blocks *q, size_t n)
{
    size_t size = q->last != NULL ? 2 * (q->last->cap + sizeof(struct http_block)) : BLOCK_SIZE_MIN;
    struct http_block *b;

    if (size < n + sizeof(*b))
        size = n + sizeof(*b);
    if (size > BLOCK_SIZE_MAX)
        size = BLOCK_SIZE_MAX;
    b = xmalloc(size);
    b->next = NULL;
    b->off = b->end = 0;
    b->cap = size - sizeof(*b);
    if (q->last != NULL)
        q->last->next = b;
    else
        q->first = b;
    q->last = b;
    return b;
}

void blocks_append(struct http_blocks *q, const void *p, size_t n)
{
    const char *from = p;

    q->len += n;
    while (n > 0) {
        struct http_block *b = q->last != NULL && q->last->end < q->last->cap ? q->last : block_new(q, n);
        size_t piece = b->cap - b->end < n ? b->cap - b->end : n;

        memcpy(b->data + b->end, from, piece);
        b->end += piece;
        from += piece;
        n -= piece;
    }
}

int blocks_peek(const struct http_blocks *q, struct iovec *iov, int max)
{
    int n = 0;

    for (struct http_block *b = q->first; b != NULL && n < max; b = b->next)
        iov[n++] = (struct iovec){.iov_base = b->data + b->off, .iov_len = b->end - b->off};
    return n;
}

void blocks_consume(struct http_blocks *q, size_t n)
{
    q->len -= n;
    while (q->first != NULL && n >= q->first->end - q->first->off) {
        struct http_block *b = q->first;

        n -= b->end - b->off;
        q->first = b->next;
        free(b);
    }
    if (q->first == NULL)
        q->last = NULL;
    else
        q->first->off += n;
}

void blocks_fini(struct http_blocks *q)
{
    blocks_consume(q, q->len);
}
