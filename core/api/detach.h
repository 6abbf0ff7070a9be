/*
 * api/detach.h - the key sequence that leaves an attached TTY without ending its process (default ctrl-p,ctrl-q).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_DETACH_H
#define SKL_API_DETACH_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

#define DETACH_KEYS_MAX 16u

struct detach {
    unsigned char keys[DETACH_KEYS_MAX];
    size_t n;
    size_t matched; /* keys of the sequence seen and held back */
};

/* "ctrl-p,ctrl-q", "ctrl-@", "a,b". NULL or "": the default. */
int detach_parse(const char *text, struct detach *ret, struct skl_error *err);

/* Looks at client bytes. Everything that is to reach the process is given to out(arg, p, n), bytes held back of a
 * sequence that was not completed included. True when the sequence is complete: what follows it is dropped. */
bool detach_feed(struct detach *d, const char *p, size_t n, void (*out)(void *arg, const char *p, size_t n), void *arg);

#endif
