/*
 * http/queue.h - bytes waiting: appended at the end, taken from the front. Memory exists only while bytes do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_HTTP_QUEUE_H
#define SKL_HTTP_QUEUE_H

#include <stddef.h>

struct http_queue {
    char *data;
    size_t off, len, cap; /* data[off..off+len) are the bytes */
};

static inline char *queue_front(const struct http_queue *q) { return q->data + q->off; }
char *queue_reserve(struct http_queue *q, size_t n); /* room for n bytes at the end; then queue_commit */
void queue_commit(struct http_queue *q, size_t n);
void queue_append(struct http_queue *q, const void *p, size_t n);
void queue_consume(struct http_queue *q, size_t n);  /* frees the memory when nothing is left */
void queue_fini(struct http_queue *q);

#endif
