/*
 * base/id.c - see id.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/id.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/mem.h"
#include "base/str.h"

#define ID_BYTES ((ID_SIZE - 1) / 2)

void random_bytes(void *p, size_t n)
{
    char *out = p;

    while (n > 0) {
        ssize_t got = getrandom(out, n, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        out += got;
        n -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t v;

    random_bytes(&v, sizeof(v));
    return v;
}

void token_new(char out[ID_SIZE])
{
    unsigned char bytes[ID_BYTES];

    random_bytes(bytes, sizeof(bytes));
    hex_encode(bytes, sizeof(bytes), out);
    mem_wipe(bytes, sizeof(bytes));
}

void id_new(char out[ID_SIZE])
{
    do {
        token_new(out);
    } while (strspn(out, "0123456789") >= ID_SHORT_LEN);
}
