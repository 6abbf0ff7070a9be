/*
 * state/volume.h - volumes: bookkeeping (their contents live where the driver keeps them, if it does).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_VOLUME_H
#define SKL_STATE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/list.h"

struct engine;
struct container;
struct label;
struct json_object;

#define VOLUME_MAX 65536u
#define VOLUME_NAME_MAX 255u
#define VOLUME_ANONYMOUS_LABEL "com.docker.volume.anonymous"

struct volume {
    char *name;
    char *driver;          /* "local" */
    char *mountpoint;      /* as Docker reports it */
    int64_t created;
    bool anonymous;
    struct label *labels;  /* sorted */
    size_t n_labels;
    char *options;         /* JSON text: object or "null" */
    size_t n_refs;         /* containers that mount it */
    bool doomed;           /* goes with the container that is being removed */
    uint64_t generation;

    struct engine *engine;
    struct list in_all;
    struct volume_hash *hash;
};

/* Exact name. NOT_FOUND `get x: no such volume`. */
struct volume *volume_find(struct engine *e, const char *name, struct skl_error *err);
struct volume *volume_first(struct engine *e); /* in order of creation */
struct volume *volume_next(const struct volume *v);
const char *volume_label(const struct volume *v, const char *key);
bool volume_used_by(const struct volume *v, const struct container *c);

struct volume_spec {
    const char *name;            /* NULL or "": anonymous, 64 hex digits */
    const char *driver;          /* NULL or "": local. Others: NOT_FOUND in Docker's words */
    struct json_object *options, *labels; /* borrowed, or NULL */
};
/* Idempotent: the same name and driver gives the existing one (no event). CONFLICT with another driver; INVALID for bad
 * names. Publishes create. */
int volume_create(struct engine *e, const struct volume_spec *spec, struct volume **ret, struct skl_error *err);
/* CONFLICT `remove x: volume is in use - [cid, ...]`, force or not. Publishes destroy. */
int volume_remove(struct volume *v, struct skl_error *err);
/* Bytes that are kept of what it holds; 0: nothing. */
int64_t volume_size(const struct volume *v);

#endif
