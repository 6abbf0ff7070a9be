/*
 * drivers/volumes.c - what a volume holds follows it from function to function.
 *
 *   end of a run     the process's exit arrives -> it is held back -> GET /archive of each volume's place, into that volume's
 *                    tar -> the exit goes on to the engine
 *   start of a run   each volume's tar -> PUT /archive, before what was copied in (start.c)
 *
 * So whoever sees that a container has ended sees its volumes kept: `docker run --rm`, a stage of a CI job and the next.
 * The exit is held before it is acknowledged: after a lost link, or by the next daemon after a kill -9, it is read again,
 * and all of this happens once more. A volume that two containers have at once is as the one that ends last leaves it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/archive.h"
#include "state/container.h"
#include "state/engine.h"
#include "state/volume.h"

#define VOLUMES_TIME_NS (INT64_C(300) * 1000000000) /* to fetch all of a container's */
#define PART_NAME ".part-XXXXXX"                    /* no volume's name begins with a dot */

struct volumes {
    struct peer *peer;
    struct timer deadline;
    struct h2_stream *stream;
    int status;
    struct buf body;   /* of an error answer */
    size_t at;         /* of the container's mounts */
    int fd;
    char *part;
    uint64_t size;
    struct commit *commit; /* on a worker thread, or NULL */
    uint8_t held[12 + RECORD_EXIT_REASON_MAX]; /* the exit's payload, as far as it has come */
    size_t n_held;
};

/* A tar that is complete, on its way to the disk and to its name. */
struct commit {
    struct volumes *v; /* NULL: nobody waits */
    int fd;
    char *part, *tar;
    int failed;        /* errno */
};

static void next_volume(struct volumes *v);

/* Names of volumes are names of files: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most NAME_MAX. */
static char *tar_of(const struct chain *ch, const char *name)
{
    return fs_join(ch->volumes_dir, name);
}

/* ---- life ---- */

static void close_file(struct volumes *v)
{
    close_p(&v->fd);
    if (v->part)
        (void)unlink(v->part);
    free(STEAL(v->part));
}

static void volumes_free(struct volumes *v)
{
    v->peer->volumes = NULL;
    if (v->stream)
        h2_stream_abandon(v->stream);
    if (v->commit)
        v->commit->v = NULL;
    timer_fini(&v->deadline);
    close_file(v);
    buf_fini(&v->body);
    free(v);
}

void volumes_abandon(struct peer *p)
{
    if (p->volumes)
        volumes_free(p->volumes);
}

static void all_done(struct volumes *v)
{
    struct peer *p = v->peer;
    uint8_t held[sizeof(v->held)];
    size_t n = v->n_held;

    memcpy(held, v->held, n);
    volumes_free(v);
    p->volumes_kept = true;
    output_give(p, held, n);
}

static const struct container_mount *mount_at(const struct volumes *v)
{
    return &v->peer->c->mounts[v->at];
}

static void not_kept(struct volumes *v, const char *why)
{
    log_error("volumes", "container %.12s: volume %s is not kept: %s", v->peer->id, mount_at(v)->name, why);
}

static void go_on(struct volumes *v)
{
    close_file(v);
    v->at++;
    next_volume(v);
}

static void give_up(struct volumes *v, const char *why)
{
    if (v->stream)
        h2_stream_abandon(STEAL(v->stream));
    not_kept(v, why);
    go_on(v);
}

/* ---- fetching ---- */

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    (void)st;
    ((struct volumes *)arg)->status = head->status;
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct volumes *v = arg;
    char why[128];
    int rc;

    h2_stream_consume(st, n);
    if (v->status >= 400) {
        (void)buf_append(&v->body, p, n);
        return;
    }
    v->size += n;
    if (v->size > v->peer->ch->volume_limit) {
        snprintf(why, sizeof(why), "it is more than the %llu bytes of agent.volume-limit",
                 (unsigned long long)v->peer->ch->volume_limit);
        give_up(v, why);
        return;
    }
    rc = fs_write_all(v->fd, p, n);
    if (rc < 0)
        give_up(v, strerror(-rc));
}

static void commit_work(void *arg)
{
    struct commit *k = arg;

    if (fsync(k->fd) < 0 || rename(k->part, k->tar) < 0) {
        k->failed = errno;
        (void)unlink(k->part);
    }
}

static void commit_done(void *arg)
{
    struct commit *k = arg;
    struct volumes *v = k->v;

    if (v) {
        v->commit = NULL;
        if (k->failed != 0)
            not_kept(v, strerror(k->failed));
        go_on(v);
    }
    close_p(&k->fd);
    free(k->part);
    free(k->tar);
    free(k);
}

static void commit(struct volumes *v)
{
    struct commit *k = xcalloc(1, sizeof(*k));

    k->v = v;
    k->fd = v->fd;
    k->part = STEAL(v->part);
    k->tar = tar_of(v->peer->ch, mount_at(v)->name);
    v->fd = -1;
    v->commit = k;
    loop_work(v->peer->ch->loop, commit_work, commit_done, k);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct volumes *v = arg;
    struct skl_error why = {0};

    (void)st;
    v->stream = NULL;
    if (err && !peer_ready(v->peer)) {
        volumes_free(v); /* the exit was not acknowledged: it comes again with the next link */
        return;
    }
    if (err)
        error_copy(&why, err);
    else if (v->status >= 400)
        call_error(&why, v->status, buf_str(&v->body), v->body.len);
    if (!why.kind) {
        commit(v);
        return;
    }
    not_kept(v, why.message); /* its place was removed, perhaps */
    go_on(v);
}

static const struct h2_stream_ops stream_ops = {.on_head = on_head, .on_data = on_data, .on_close = on_close};

static int begin_volume(struct volumes *v, struct skl_error *err)
{
    CLEANUP(free_p) char *place = xasprintf("%s/.", mount_at(v)->destination);
    CLEANUP(free_p) char *path = archive_path(place, NULL, false);

    v->status = 0;
    v->size = 0;
    buf_clear(&v->body);
    v->part = fs_join(v->peer->ch->volumes_dir, PART_NAME);
    v->fd = mkostemp(v->part, O_CLOEXEC);
    if (v->fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "creating %s", v->part);
    v->stream = h2_request(peer_h2(v->peer), "GET", path, NULL, NULL, &stream_ops, v, err);
    return v->stream ? 0 : -1;
}

/* Writable, and not gone with the container. */
static bool is_kept(const struct container *c, const struct container_mount *m)
{
    struct volume *v = m->type == MOUNT_VOLUME && m->rw ? volume_find(c->engine, m->name, NULL) : NULL;

    return v && !(v->anonymous && c->auto_remove);
}

static void next_volume(struct volumes *v)
{
    struct peer *p = v->peer;
    struct skl_error err = {0};

    while (p->c && v->at < p->c->n_mounts && !is_kept(p->c, mount_at(v)))
        v->at++;
    if (!p->c || !peer_h2(p))
        volumes_free(v);
    else if (v->at == p->c->n_mounts)
        all_done(v);
    else if (begin_volume(v, &err) < 0)
        give_up(v, err.message);
}

static void on_deadline(void *arg)
{
    struct volumes *v = arg;

    if (v->stream)
        h2_stream_abandon(STEAL(v->stream));
    not_kept(v, "the agent took too long");
    all_done(v);
}

/* ---- the door ---- */

bool volumes_wanted(const struct peer *p)
{
    const struct container *c = p->c;

    if (!c || p->volumes_kept || !p->ch->volumes_dir || !container_volumes_follow(c))
        return false;
    for (size_t i = 0; i < c->n_mounts; i++)
        if (is_kept(c, &c->mounts[i]))
            return true;
    return false;
}

void volumes_keep(struct peer *p, const uint8_t *exit, size_t n)
{
    struct volumes *v = p->volumes;
    bool first = v == NULL;

    if (first) {
        v = p->volumes = xcalloc(1, sizeof(*v));
        v->peer = p;
        v->fd = -1;
        buf_init(&v->body, CALL_BODY_MAX);
        timer_init(p->ch->loop, &v->deadline, on_deadline, v);
        timer_start(&v->deadline, VOLUMES_TIME_NS);
    }
    if (n > sizeof(v->held) - v->n_held)
        n = sizeof(v->held) - v->n_held; /* no exit is that long: the engine will say so */
    memcpy(v->held + v->n_held, exit, n);
    v->n_held += n;
    if (first)
        next_volume(v);
}

int volume_tar_open(struct chain *ch, const struct container *c, size_t mount, struct skl_error *err)
{
    const struct container_mount *m = &c->mounts[mount];
    CLEANUP(free_p) char *tar = m->type == MOUNT_VOLUME && ch->volumes_dir && container_volumes_follow(c) ? tar_of(ch, m->name) : NULL;
    int fd = tar ? open(tar, O_RDONLY | O_CLOEXEC) : -1;

    if (tar && fd < 0 && errno != ENOENT)
        error_set_errno(err, SKL_ERR_INTERNAL, errno, "opening what volume %s holds", m->name);
    return fd;
}

/* For who reads the files of a container that does not run: what its volumes hold is newer than what was copied in before
 * its last run ended. */
static void add_to_view(void *arg, const char *id, struct staging_exit *x)
{
    struct chain *ch = arg;
    struct container *c = container_by_id(ch->engine, id);
    size_t n = x->n_tars;

    if (!c || !container_volumes_follow(c))
        return;
    for (size_t i = 0; i < c->n_mounts; i++) {
        CLEANUP(free_p) char *tar = c->mounts[i].type == MOUNT_VOLUME ? tar_of(ch, c->mounts[i].name) : NULL;

        if (!tar || access(tar, R_OK) < 0)
            continue;
        staging_exit_add_path(x, c->mounts[i].destination);
        staging_exit_add_tar(x, tar, c->mounts[i].destination);
    }
    if (x->n_tars > n && x->run != c->run)
        x->after = staging_seq_at(ch->staging, id, c->finished);
}

static bool is_known(void *arg, const char *name)
{
    return volume_find(arg, name, NULL) != NULL;
}

int volumes_init(struct chain *ch, const char *dir, struct skl_error *err)
{
    ch->volumes_dir = xstrdup(dir);
    if (fs_mkdir_p(dir, 0700, err) < 0)
        return -1;
    (void)fs_sweep(dir, is_known, ch->engine);
    staging_set_more(ch->staging, add_to_view, ch);
    return 0;
}

int64_t volume_tar_size(const struct chain *ch, const char *name)
{
    CLEANUP(free_p) char *tar = ch->volumes_dir ? tar_of(ch, name) : NULL;
    struct stat sb;

    return tar && stat(tar, &sb) == 0 ? (int64_t)sb.st_size : 0;
}

void volume_tar_forget(struct chain *ch, const char *name)
{
    CLEANUP(free_p) char *tar = ch->volumes_dir ? tar_of(ch, name) : NULL;

    if (tar && unlink(tar) < 0 && errno != ENOENT)
        log_warn("volumes", "removing %s: %s", tar, strerror(errno));
}
