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
};

/* One tar as the view reads it. */
struct staging_layer {
    char *tar;  /* file name */
    char *dest; /* destination directory inside the container */
};

/* The layers of a container, oldest first (exit.tar before the uploads). */
size_t staging_layers(struct staging *st, const char *id, struct staging_layer **ret);
void staging_layers_free(struct staging_layer *layers, size_t n);

/* Absolute path without "." and ".." and doubled slashes; "/" for the root. Caller frees. */
char *staging_normal_path(const char *dir, const char *name);

#endif
