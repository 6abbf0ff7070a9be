/*
 * tests/fuzz/fuzz_http_head.c - request heads: finding the end byte by byte gives what it gives at once; what passes the guard is parsed
 * or refused with a status, and never has two meanings (a length and chunks, two lengths, two hosts).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "http/guard.h"
#include "http/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ssize_t find_slowly(const char *p, size_t size)
{
    size_t line = 0;
    ssize_t end = 0;

    for (size_t n = 1; n <= size && end == 0; n++)
        end = http_guard_find_end(p, n, &line);
    return end;
}

static void check(const struct http_head *h)
{
    unsigned lengths = 0, hosts = 0;

    for (size_t i = 0; i < h->n_fields; i++) {
        lengths += strcasecmp(h->fields[i].name, "content-length") == 0;
        hosts += strcasecmp(h->fields[i].name, "host") == 0;
    }
    if (lengths > 1 || hosts > 1 || (h->chunked && lengths > 0) || (h->chunked && h->content_length >= 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t line = 0;
    CLEANUP(free_p) char *block = xmalloc(size + 1);
    struct http_guard g;
    struct http_head h = {0};
    ssize_t end;

    memcpy(block, data, size);
    end = http_guard_find_end(block, size, &line);
    if (find_slowly(block, size) != end)
        abort();
    if (end <= 0)
        return 0;
    if (http_guard_check(&g, block, (size_t)end) < 0) {
        if (g.status < 400 || g.why == NULL)
            abort();
        return 0;
    }
    h.max_fields = g.n_fields;
    h.fields = xcalloc(g.n_fields + 1, sizeof(*h.fields));
    if (http_parse_head(&h, block, (size_t)end) == 0)
        check(&h);
    else if (h.status < 400 || h.why == NULL)
        abort();
    free(h.fields);
    return 0;
}
