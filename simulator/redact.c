/*
 * simulator/redact.c - what of a request's target may be written down: not the values of parameters that are secrets.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/sim.h"

#define TARGET_MAX 65536u

static bool is_secret(const char *name, size_t n)
{
    static const char *const names[] = {"access_token", "oauth_token", "key", "X-Goog-Signature"};
    struct buf plain;
    bool secret = false;

    buf_init(&plain, 256);
    (void)url_decode(&plain, name, n, true);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        secret |= str_ieq(buf_str(&plain), names[i]);
    buf_fini(&plain);
    return secret;
}

char *target_redacted(const char *target)
{
    const char *p = target + strcspn(target, "?");
    struct buf b;

    buf_init(&b, TARGET_MAX);
    (void)buf_append(&b, target, (size_t)(p - target));
    while (*p != '\0') {
        size_t name = strcspn(p + 1, "=&"), all = strcspn(p + 1, "&");
        bool secret = name < all && is_secret(p + 1, name);
        (void)buf_append(&b, p, 1 + (secret ? name + 1 : all));
        if (secret)
            (void)buf_puts(&b, "REDACTED");
        p += 1 + all;
    }
    return buf_steal(&b, NULL);
}
