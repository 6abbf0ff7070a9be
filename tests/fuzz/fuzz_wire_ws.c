/*
 * tests/fuzz/fuzz_wire_ws.c - WebSocket frames as either role, whole and byte by byte; the payload that comes out is the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "wire/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t run(const uint8_t *data, size_t size, bool server, size_t piece)
{
    CLEANUP(free_p) uint8_t *copy = xmemdup(size > 0 ? data : (const uint8_t *)"", size > 0 ? size : 1);
    struct ws_decoder d;
    uint64_t hash = 14695981039346656037u;
    bool bad = false;

    ws_decoder_init(&d, server, true, 1 << 20);
    for (size_t at = 0; !bad && at < size; at += piece) {
        uint8_t *p = copy + at;
        size_t n = size - at < piece ? size - at : piece;
        while (n > 0) {
            struct ws_event ev;
            struct skl_error err = {0};
            ssize_t used = ws_decode(&d, p, n, &ev, &err);
            if (used < 0) {
                bad = true; /* how much came out before it is a matter of pieces */
                break;
            }
            if (used == 0 || (size_t)used > n)
                abort();
            for (size_t i = 0; i < ev.len; i++)
                hash = (hash ^ ev.data[i]) * 1099511628211u;
            if (ev.kind == WS_CLOSE)
                hash ^= (uint64_t)ev.close_code << 32;
            p += used;
            n -= (size_t)used;
        }
    }
    return bad ? ws_decoder_close_code(&d) : hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int server = 0; server < 2; server++)
        if (run(data, size, server != 0, size + 1) != run(data, size, server != 0, 1))
            abort();
    return 0;
}
