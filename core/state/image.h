/*
 * state/image.h - images: metadata only, never layers.
 *
 * A synthetic image stands for a reference: its ID is the SHA-256 of the normalised reference, its config is empty
 * but for what is known. A real one (images.resolve = "registry") has the ID and config of the registry; core/api
 * fetches and adds it. An image is found by ID, ID prefix, or reference; tags and digests point to images.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_IMAGE_H
#define SKL_STATE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/list.h"
#include "state/reference.h"

struct engine;
struct container;
struct json_object;

#define IMAGE_ID_SIZE 72 /* "sha256:" + 64 + NUL */

struct image {
    char id[IMAGE_ID_SIZE];
    bool synthetic;
    int64_t created;      /* wall, the image's own; 0: unknown */
    int64_t tagged;       /* wall: Metadata.LastTagTime */
    int64_t size;
    char *architecture, *os, *variant;
    char *author, *comment;
    char *origin;         /* familiar: the reference it was pulled by, whatever its tags are by now. What a cloud can fetch */
    char *config;         /* JSON text of the image's Config, Docker's field names; "{}" when empty */
    char *rootfs;         /* JSON text of RootFS: {"Type":"layers","Layers":[...]} */
    char *history;        /* JSON text: array of {"created","created_by","size",...}; "[]" */
    char **tags;          /* familiar, NULL-terminated: "alpine:latest"; sorted */
    char **digests;       /* familiar: "alpine@sha256:..." */
    size_t n_tags, n_digests;
    struct list containers; /* of struct container.in_image */
    size_t n_containers;
    uint64_t generation;

    struct engine *engine;
    struct list in_all;
    struct image_hash *hash;
};

struct image *image_by_id(const struct engine *e, const char *id); /* "sha256:...", whole; or NULL */
/* By reference (tag or digest), full ID with or without "sha256:", unique ID prefix. NOT_FOUND `No such image:
 * alpine:latest` (the reference in familiar form); INVALID when ambiguous or malformed. */
struct image *image_find(struct engine *e, const char *name, struct skl_error *err);
struct image *image_first(struct engine *e); /* newest `created` first is the caller's business; newest added first */
struct image *image_next(const struct image *i);
size_t image_count(const struct engine *e);
struct json_object *image_config(const struct image *i); /* made anew: the caller puts it */

/* What a registry, or nobody, told about an image. Strings are copied; NULL: empty. */
struct image_spec {
    const char *id;            /* NULL: synthetic, SHA-256 of the normalised reference */
    const char *ref;           /* normalised or not; gets the tag (or the digest) */
    const char *digest;        /* of the manifest, "sha256:..."; NULL: none */
    int64_t created, size;
    const char *architecture, *os, *variant, *author, *comment;
    struct json_object *config, *rootfs, *history; /* borrowed; NULL: empty */
};
/* Adds it, or updates tag and digest of one that is there. ret_new: false when the reference pointed to exactly this
 * image already ("Image is up to date"). Publishes `pull`. A tag that moves leaves the old image untagged. */
int image_add(struct engine *e, const struct image_spec *spec, struct image **ret, bool *ret_new,
              struct skl_error *err);

/* repo:tag, normalised here. INVALID for digests. Publishes `tag`. */
int image_tag(struct image *i, const char *ref, struct skl_error *err);

/* DELETE /images/NAME with Docker's rules: untags; deletes the image when no tag is left, or `name` is an ID.
 * CONFLICT in Docker's words when containers use it, or an ID has several tags and no force. Each step goes
 * to on_step("Untagged"|"Deleted", what). Publishes untag, delete. prune_children has no meaning here. */
int image_remove(struct engine *e, const char *name, bool force,
                 void (*on_step)(void *arg, const char *what, const char *which), void *arg, struct skl_error *err);

/* Publishes an event of an image: save, push, load, import. */
void image_event(struct image *i, const char *action, const char *ref);

#endif
