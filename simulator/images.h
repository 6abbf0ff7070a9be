/*
 * simulator/images.h - what the files of the image store share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_IMAGES_H
#define SKL_SIM_IMAGES_H

#include "simulator/sim.h"

/* An image that lies unpacked in dir: rootfs/ and config.json. */
struct image *image_open_dir(const char *dir, const char *name, struct skl_error *err);
char *image_dir(const char *images_dir, const char *name); /* normal name; caller frees */

/* unpack.c: extracts a tar (any of gzip, bzip2, xz, zstd) into the directory `root`, as an image layer: whiteouts remove what
 * earlier layers left. Nothing is ever written outside of root. */
int unpack_layer(const char *tar, const char *root, struct skl_error *err);
/* Extracts a plain archive of files (an OCI or docker-save archive) into dir. */
int unpack_archive(const char *tar, const char *dir, struct skl_error *err);
/* Whether the tar has one of these names at its top ("oci-layout", "manifest.json"). */
int unpack_find(const char *tar, const char *const *names, bool *ret_found, struct skl_error *err);

/* layout.c: an unpacked OCI layout or docker-save directory: the layers' files in order and the image's config. */
struct layout {
    char **layers;             /* NULL-terminated paths */
    struct json_object *config; /* "config" of the image config; may be an empty object */
};
int layout_read(struct layout *l, const char *dir, struct skl_error *err);
/* The one image of that manifest (or of that index, for this machine). */
int layout_read_digest(struct layout *l, const char *dir, const char *digest, struct skl_error *err);
void layout_fini(struct layout *l);

int image_pull(const char *images_dir, const char *ref); /* import.c: an exit status */

#endif
