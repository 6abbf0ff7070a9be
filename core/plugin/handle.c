/*
 * plugin/handle.c - the table behind the numbers that drivers hold (see handle.h).
 *
 * A handle is (generation << HANDLE_SLOT_BITS) | (slot + 1): never NULL, and each reuse of a slot makes a new
 * number. On a 64-bit machine generations don't come round; on a 32-bit one after 4096 reuses of a slot.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "plugin/handle.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define SLOT_MASK (((uintptr_t)1 << HANDLE_SLOT_BITS) - 1)
#define GENERATION_MAX (UINTPTR_MAX >> HANDLE_SLOT_BITS)

void handles_init(struct handles *h)
{
    memset(h, 0, sizeof *h);
}

void handles_fini(struct handles *h)
{
    free(h->slots);
    handles_init(h);
}

static struct handle_slot *slot_of(const struct handles *h, const void *handle)
{
    uintptr_t n = (uintptr_t)handle & SLOT_MASK;

    return n == 0 || n > h->count ? NULL : &h->slots[n - 1];
}

static uintptr_t generation_of(const void *handle)
{
    return (uintptr_t)handle >> HANDLE_SLOT_BITS;
}

static struct handle_slot *slot_take(struct handles *h)
{
    if (h->free_head != 0) {
        struct handle_slot *s = &h->slots[h->free_head - 1];
        h->free_head = s->next_free;
        return s;
    }
    if (h->count == HANDLES_MAX)
        return NULL;
    if (h->count == h->cap) {
        h->cap = h->cap == 0 ? 16 : h->cap * 2;
        h->slots = xrealloc(h->slots, h->cap * sizeof *h->slots);
    }
    struct handle_slot *s = &h->slots[h->count++];
    memset(s, 0, sizeof *s);
    return s;
}

void *handle_new(struct handles *h, enum handle_kind kind, void *obj, const char *label)
{
    struct handle_slot *s = slot_take(h);

    if (s == NULL)
        return NULL;
    s->generation = s->generation >= GENERATION_MAX ? 1 : s->generation + 1;
    s->kind = (uint8_t)kind;
    s->obj = obj;
    s->label = label;
    h->live++;
    return (void *)((s->generation << HANDLE_SLOT_BITS) | ((uintptr_t)(s - h->slots) + 1));
}

void *handle_get(const struct handles *h, enum handle_kind kind, const void *handle)
{
    const struct handle_slot *s = slot_of(h, handle);

    return s != NULL && s->kind == kind && s->generation == generation_of(handle) ? s->obj : NULL;
}

void handle_drop(struct handles *h, const void *handle)
{
    struct handle_slot *s = slot_of(h, handle);

    if (s == NULL || s->kind == HANDLE_FREE || s->generation != generation_of(handle))
        return;
    s->kind = HANDLE_FREE;
    s->obj = NULL;
    s->next_free = h->free_head;
    h->free_head = (uint32_t)(s - h->slots) + 1;
    h->live--;
}

const char *handle_label(const struct handles *h, const void *handle)
{
    const struct handle_slot *s = slot_of(h, handle);

    return s != NULL && s->generation == generation_of(handle) ? s->label : NULL;
}
