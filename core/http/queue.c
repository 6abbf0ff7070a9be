/*
 * http/queue.c - see queue.h. One block that slides: bytes move to its front only when at least as many were
 * consumed, so each byte is moved a bounded number of times.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "http/queue.h"

#define QUEUE_MIN 512

char *queue_reserve(struct http_queue *q, size_t n)
{
    size_t cap = q->cap;

    if (cap - q->off - q->len >= n)
        return q->data + q->off + q->len;
    if (q->off >= q->len && cap - q->len >= n) {
        memcpy(q->data, q->data + q->off, q->len);
    } else {
        char *data;

        cap = cap < QUEUE_MIN ? QUEUE_MIN : 2 * cap;
        if (cap - q->len < n)
            cap = q->len + n;
        data = xmalloc(cap);
        if (q->len != 0)
            memcpy(data, q->data + q->off, q->len);
        free(q->data);
        q->data = data;
        q->cap = cap;
    }
    q->off = 0;
    return q->data + q->len;
}

void queue_commit(struct http_queue *q, size_t n) { q->len += n; }

void queue_append(struct http_queue *q, const void *p, size_t n)
{
    if (n == 0)
        return;
    memcpy(queue_reserve(q, n), p, n);
    q->len += n;
}

void queue_consume(struct http_queue *q, size_t n)
{
    q->off += n;
    q->len -= n;
    if (q->len == 0)
        queue_fini(q);
}

void queue_fini(struct http_queue *q)
{
    free(q->data);
    memset(q, 0, sizeof(*q));
}
