/*
 * tests/fuzz/fuzz_http_chunked.c - chunked bodies: the same body, and the same end, however the bytes arrive.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "http/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t run(const uint8_t *data, size_t size, size_t piece)
{
    CLEANUP(free_p) char *copy = xmemdup(size > 0 ? data : (const uint8_t *)"", size > 0 ? size : 1);
    struct http_chunked *c = http_chunked_new();
    uint64_t hash = 14695981039346656037u;
    bool end = false;

    for (size_t at = 0; !end && at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece, used = 0, len = 0;
        if (http_chunked_feed(c, copy + at, n, &used, &len, &end) < 0) {
            hash = 1; /* how much came out before it is a matter of pieces */
            break;
        }
        if (used > n || len > n || (!end && used != n))
            abort();
        for (size_t i = 0; i < len; i++)
            hash = (hash ^ (uint8_t)copy[at + i]) * 1099511628211u;
        if (end)
            hash ^= (uint64_t)(at + used) << 8;
    }
    http_chunked_free(c);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (run(data, size, size + 1) != run(data, size, 1) || run(data, size, 7) != run(data, size, 1))
        abort();
    return 0;
}
