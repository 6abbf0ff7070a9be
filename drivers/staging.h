/*
 * drivers/staging.h - files that were copied into a container while no agent could take them.
 *
 * `docker cp` into a created or exited container is kept on disk, one tar per upload in the order they came, and
 * delivered through the agent before the next run's process starts. What the agent was asked for when the run ended
 * (capture.c) lies beside them. A view over these tars answers HEAD and GET when no agent is connected: the newest
 * entry of a path wins, and what a capture covers is as the capture found it: what was copied in before and
 * is not in it was deleted by the run.
 *
 * Layout: <dir>/<container id>/<seq>.tar with <seq>.json ({"path":..., flags}); exit-<run>-<n>.tar with exit.json, which
 * says what was asked for, what became of it, and which uploads are older ("after"). The .json is written last: what none
 * names was cut off.
 *
 * Blocking tar work (validation, building a view) runs on the loop's worker pool.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DRIVERS_STAGING_H
#define SKL_DRIVERS_STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct loop;
struct staging;
struct staging_put;

#define STAGING_ITEMS_MAX 4096u /* uploads kept for one container; beyond: CONFLICT with a clear text */

struct staging_item {
    uint32_t seq;
    char *path;                 /* destination as given; "/" for exit.tar */
    bool no_overwrite_dir_non_dir;
    bool copy_uid_gid;
    uint64_t size;
};

struct staging *staging_new(struct loop *loop, const char *dir, struct skl_error *err);
void staging_free(struct staging *st);
/* Removes what belongs to containers that keep(arg, id) does not know. */
void staging_sweep(struct staging *st, bool (*keep)(void *arg, const char *id), void *arg);

/* ---- taking an upload ---- */
/* NULL path destination is INVALID. `item` gives path and flags. */
struct staging_put *staging_put_begin(struct staging *st, const char *id, const struct staging_item *item,
                                      struct skl_error *err);
int staging_put_write(struct staging_put *p, const void *data, size_t n, struct skl_error *err);
/* Checks that the tar is whole (on a worker), then makes it part of the staging area. done once; p is gone then. */
void staging_put_commit(struct staging_put *p, void (*done)(void *arg, const struct skl_error *err), void *arg);
void staging_put_abort(struct staging_put *p);

/* ---- delivering ---- */
/* Items with seq > after, in order; caller frees with staging_items_free. */
size_t staging_items(struct staging *st, const char *id, uint32_t after, struct staging_item **ret_items);
void staging_items_free(struct staging_item *items, size_t n);
int staging_item_open(struct staging *st, const char *id, uint32_t seq, struct skl_error *err); /* fd or <0 */
/* Drops everything of a container (it was removed). */
void staging_remove(struct staging *st, const char *id);
/* Number of the newest upload; 0: none. */
uint32_t staging_last_seq(struct staging *st, const char *id);

/* ---- what was kept at the end of a run ---- */
struct staging_layer;
struct staging_exit_path {
    char *path; /* absolute; may be a pattern */
    char *why;  /* NULL: all of it was kept, or it was not there; else why it could not be kept */
};
struct staging_exit {
    uint32_t run;
    uint32_t after; /* uploads up to this number are older */
    bool pending;   /* the capture is not over: a daemon that finds this goes on with it */
    struct staging_exit_path *paths;
    size_t n_paths;
    struct staging_layer *tars; /* names without directory */
    size_t n_tars;
};
int staging_exit_load(struct staging *st, const char *id, struct staging_exit *ret); /* -1: there is none */
/* Replaces what was there, all of it. */
int staging_exit_store(struct staging *st, const char *id, const struct staging_exit *x, struct skl_error *err);
/* The files changed since: the next run has begun. */
void staging_exit_drop(struct staging *st, const char *id);
int staging_exit_create(struct staging *st, const char *id, const char *tar, struct skl_error *err); /* fd or <0 */
char *staging_exit_name(const struct staging_exit *x, size_t n); /* of the n-th tar; caller frees */
void staging_exit_add_path(struct staging_exit *x, const char *path);
void staging_exit_add_tar(struct staging_exit *x, const char *tar, const char *dest);
void staging_exit_fini(struct staging_exit *x);
/* What belongs to the view of a container and is kept elsewhere: tars by absolute name. */
void staging_set_more(struct staging *st, void (*more)(void *arg, const char *id, struct staging_exit *x), void *arg);
/* Number of the newest upload that was there at `wall` (ns); 0: none. */
uint32_t staging_seq_at(struct staging *st, const char *id, int64_t wall);
bool staging_is_pattern(const char *path);

/* ---- the view ---- */
/* Looks path up in the tars. On success stat_json is set and, unless stat_only, fd is a readable unlinked file with
 * the tar in Docker's shape (reference 2.14.3), which the callee owns. NOT_FOUND when no tar has it; the message is
 * what the capture at exit has to say of it, or "". */
typedef void (*staging_view_fn)(void *arg, const struct skl_error *err, const char *stat_json, int fd);
void staging_view(struct staging *st, const char *id, const char *path, bool stat_only, staging_view_fn done,
                  void *arg);

#endif
