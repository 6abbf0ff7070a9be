/*
 * tests/fuzz/fuzz_sim_parse.c - forms, multipart bodies and ranges of any shape. The first line is a name, a boundary or a range; all else the body.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "simulator/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void multipart(const char *boundary, const char *body, size_t n)
{
    CLEANUP(free_p) char *copy = xmalloc(n + 1);
    char *at = copy, *part;
    size_t len;

    memcpy(copy, body, n);
    copy[n] = '\0';
    for (;;) {
        CLEANUP(free_p) char *type = NULL;
        part = multipart_next(&at, copy + n, boundary, &len, &type);
        if (part == NULL)
            return;
        if (part < copy || len > n || part + len > copy + n)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *nl = size > 0 ? memchr(text, '\n', size) : NULL;
    CLEANUP(free_p) char *first = nl != NULL ? xstrndup(text, (size_t)(nl - text)) : NULL;
    CLEANUP(free_p) char *rest = nl != NULL ? xstrndup(nl + 1, size - (size_t)(nl + 1 - text)) : NULL;
    uint64_t from = 0, n = 100;

    if (nl == NULL)
        return 0;
    if (range_read(first, 100, &from, &n) && (from >= 100 || n == 0 || from + n > 100))
        abort();
    (void)content_range_read(first, 7, &n);
    if (first[0] != '\0') {
        CLEANUP(free_p) char *value = form_value(rest, first);
        multipart(first, nl + 1, size - (size_t)(nl + 1 - text));
    }
    return 0;
}
