/*
 * plugin/handle.h - what a driver holds instead of pointers.
 *
 * A driver keeps its calls, timers, requests and streams for as long as it likes, and a faulty one uses them after they are
 * gone. So what it gets as `struct skl_call *` and the like is no address but a number: slot and generation.
 * A number that is stale, forged or of the wrong kind fails a look-up instead of reaching freed memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_PLUGIN_HANDLE_H
#define SKL_PLUGIN_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDLE_SLOT_BITS 20
#define HANDLES_MAX ((UINT32_C(1) << HANDLE_SLOT_BITS) - 1) /* live at once, per driver */

enum handle_kind { HANDLE_FREE, HANDLE_CALL, HANDLE_TIMER, HANDLE_HTTP, HANDLE_STREAM };

struct handle_slot {
    void *obj;
    const char *label; /* of the present or the last holder; a literal */
    uintptr_t generation;
    uint32_t next_free;
    uint8_t kind;
};

struct handles {
    struct handle_slot *slots;
    uint32_t count;     /* slots in use or used before */
    uint32_t cap;
    uint32_t free_head; /* index + 1; 0: none */
    uint32_t live;
};

void handles_init(struct handles *h);
void handles_fini(struct handles *h);

/* label: what it is, for handle_label(). NULL when HANDLES_MAX are live. */
void *handle_new(struct handles *h, enum handle_kind kind, void *obj, const char *label);
/* The object, or NULL when the handle is not (or no longer) one of this kind. */
void *handle_get(const struct handles *h, enum handle_kind kind, const void *handle);
void handle_drop(struct handles *h, const void *handle);
/* The label of a handle that is live or was the last in its slot; NULL: never issued, or too long ago. */
const char *handle_label(const struct handles *h, const void *handle);

#endif
