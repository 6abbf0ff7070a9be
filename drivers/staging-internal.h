/*
 * drivers/staging-internal.h - what staging.c and staging_view.c share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DRIVERS_STAGING_INTERNAL_H
#define SKL_DRIVERS_STAGING_INTERNAL_H

#include "drivers/staging.h"

struct staging {
    struct loop *loop;
    char *dir;
    void (*more)(void *arg, const char *id, struct staging_exit *x);
    void *more_arg;
};

/* One tar as the view reads it. */
struct staging_layer {
    char *tar;  /* file name; NULL: what x covers begins anew here */
    char *dest; /* destination directory inside the container */
};

/* The layers of a container, oldest first. x: what was kept at its end, or empty. */
size_t staging_layers(struct staging *st, const char *id, const struct staging_exit *x, struct staging_layer **ret);
void staging_layers_free(struct staging_layer *layers, size_t n);

/* Absolute path without "." and ".." and doubled slashes; "/" for the root. Caller frees. */
char *staging_normal_path(const char *dir, const char *name);

/* Which of the paths that were to be kept this one (normalised) is, or lies below; NULL: none. */
const struct staging_exit_path *staging_exit_covers(const struct staging_exit *x, const char *path);

#endif
