/*
 * base/ring.c - see ring.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define RING_MIN 4096u

void ring_fini(struct ring *r)
{
    free(r->data);
    r->data = NULL;
    r->cap = 0;
}

size_t ring_len(const struct ring *r)
{
    return (size_t)(r->end - r->base);
}

/* Copies n bytes from stream offset `from` into out (from <= end - n). */
static void copy_out(const struct ring *r, uint64_t from, uint8_t *out, size_t n)
{
    size_t at = from & (r->cap - 1), first = r->cap - at < n ? r->cap - at : n;

    memcpy(out, r->data + at, first);
    memcpy(out + first, r->data, n - first);
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t n = a < b ? a : b;

    return n < c ? n : c;
}

static void grow(struct ring *r, size_t need)
{
    size_t cap = r->cap ? r->cap : RING_MIN;
    uint8_t *data;

    while (cap < need)
        cap *= 2;
    data = xmalloc(cap);
    /* into the place its offsets have in the new ring, in pieces that wrap in neither */
    for (uint64_t at = r->base; at != r->end;) {
        size_t n = least((size_t)(r->end - at), r->cap - (at & (r->cap - 1)), cap - (at & (cap - 1)));
        memcpy(data + (at & (cap - 1)), r->data + (at & (r->cap - 1)), n);
        at += n;
    }
    free(r->data);
    r->data = data;
    r->cap = cap;
}

void ring_reserve(struct ring *r, size_t n)
{
    r->keep = true;
    if (n > r->cap)
        grow(r, n);
}

void ring_put(struct ring *r, const void *p, size_t n)
{
    size_t at, first;

    if (n == 0)
        return;
    if (ring_len(r) + n > r->cap)
        grow(r, ring_len(r) + n);
    at = r->end & (r->cap - 1);
    first = r->cap - at < n ? r->cap - at : n;
    memcpy(r->data + at, p, first);
    memcpy(r->data, (const uint8_t *)p + first, n - first);
    r->end += n;
    if (ring_len(r) > r->most)
        r->most = ring_len(r);
}

const uint8_t *ring_take(struct ring *r, size_t max, size_t *ret_n)
{
    size_t left = (size_t)(r->end - r->sent), at, n;

    if (left == 0 || max == 0) {
        *ret_n = 0;
        return NULL;
    }
    at = r->sent & (r->cap - 1);
    n = r->cap - at < left ? r->cap - at : left;
    *ret_n = n < max ? n : max;
    r->sent += *ret_n;
    return r->data + at;
}

void ring_ack(struct ring *r, size_t n)
{
    size_t sent = (size_t)(r->sent - r->base);

    r->base += n < sent ? n : sent;
    if (r->base != r->end || r->keep)
        return;
    if (r->cap == RING_MIN || r->most <= r->cap / 4)
        ring_fini(r);
    r->most = 0;
}

void ring_rewind(struct ring *r)
{
    r->sent = r->base;
}

void ring_shift(struct ring *r, uint64_t by)
{
    size_t n = ring_len(r);
    uint8_t *flat = n > 0 ? xmalloc(n) : NULL;

    if (n > 0)
        copy_out(r, r->base, flat, n);
    r->base += by;
    r->sent = r->end = r->base;
    ring_put(r, flat, n);
    free(flat);
}

void ring_drop(struct ring *r)
{
    r->base = r->sent = r->end;
    ring_fini(r);
}
