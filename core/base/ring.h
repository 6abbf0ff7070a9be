/*
 * base/ring.h - bytes on their way out: a ring that grows to a bound and gives its memory back when empty, unless it was well used:
 * a stream in full flow is empty all the time, and each new piece of memory has to be filled with pages first.
 *
 * Three positions: `base` (oldest byte kept, acknowledged up to here), `sent` (handed to the link), the end. After a
 * lost link ring_rewind() goes back to base.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_RING_H
#define SKL_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
    uint8_t *data;
    size_t cap;     /* power of two; 0: no memory */
    uint64_t base;  /* stream offsets */
    uint64_t sent;
    uint64_t end;
    size_t most;    /* bytes held at once since it was last empty */
    bool keep;      /* the memory stays while empty */
};

void ring_fini(struct ring *r);
size_t ring_len(const struct ring *r);                     /* bytes kept */
void ring_reserve(struct ring *r, size_t n);               /* at least n bytes, kept until ring_fini */
void ring_put(struct ring *r, const void *p, size_t n);    /* grows; the caller keeps the bound */
/* Longest contiguous piece from `sent` on, at most max; advances sent. NULL: nothing. */
const uint8_t *ring_take(struct ring *r, size_t max, size_t *ret_n);
void ring_ack(struct ring *r, size_t n);                   /* drops n sent bytes from the front */
void ring_rewind(struct ring *r);
void ring_shift(struct ring *r, uint64_t by);              /* all offsets go up by so much; nothing was sent yet */
void ring_drop(struct ring *r);                            /* nothing of it is wanted any more */

#endif
