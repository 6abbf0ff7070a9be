/*
 * tests/fuzz/fuzz_wire_pax.c - tars in pieces of every size: the events are the same however the bytes arrive, content stays inside the
 * size, and what was read can be written and read again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "wire/pax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rewrite(const struct pax_entry *e)
{
    struct buf out;
    struct pax_reader *r = pax_reader_new();
    struct pax_event ev;

    buf_init(&out, 4 * PAX_EXTENDED_MAX);
    if (pax_write_header(&out, e, NULL) == 0) {
        const uint8_t *p = (const uint8_t *)out.data;
        size_t n = out.len;
        do {
            ssize_t used = pax_read(r, p, n, &ev, NULL);
            if (used < 0)
                abort();
            p += used;
            n -= (size_t)used;
        } while (n > 0 && ev.kind != PAX_ENTRY);
        if (ev.kind != PAX_ENTRY || strcmp(ev.entry->path, e->path) != 0 || ev.entry->uid != e->uid || ev.entry->mtime != e->mtime)
            abort();
    }
    buf_fini(&out);
    pax_reader_free(r);
}

/* A number that says what happened. */
static uint64_t run(const uint8_t *data, size_t size, size_t piece, bool write)
{
    struct pax_reader *r = pax_reader_new();
    struct pax_event ev;
    uint64_t hash = 14695981039346656037u;
    bool bad = false;

    for (size_t at = 0; !bad && at < size; at += piece) {
        const uint8_t *p = data + at;
        size_t n = size - at < piece ? size - at : piece;
        do {
            ssize_t used = pax_read(r, p, n, &ev, NULL);
            bad = used < 0;
            if (bad)
                break;
            p += used;
            n -= (size_t)used;
            if (ev.kind == PAX_ENTRY && write)
                rewrite(ev.entry);
            if (ev.kind == PAX_DATA && (ev.offset < 0 || ev.offset + (int64_t)ev.len > ev.entry->size))
                abort();
            for (size_t i = 0; ev.kind == PAX_DATA && i < ev.len; i++)
                hash = (hash ^ ev.data[i]) * 1099511628211u + (uint64_t)ev.offset + i;
            if (ev.kind != PAX_DATA && ev.kind != PAX_NONE)
                hash = (hash ^ (uint64_t)ev.kind) * 1099511628211u;
        } while (n > 0 || ev.kind == PAX_ENTRY || ev.kind == PAX_ENTRY_END);
    }
    hash ^= (uint64_t)(pax_read_finish(r, NULL) == 0) << 1 ^ (uint64_t)bad;
    pax_reader_free(r);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole = run(data, size, size + 1, true);

    if (run(data, size, 1, false) != whole || run(data, size, 511, false) != whole)
        abort();
    return 0;
}
