/*
 * drivers/upload.c - PUT archive: to the agent, or into the staging area; and the delivery of what was staged.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "drivers/archive.h"
#include "state/container.h"
#include "state/engine.h"

#define UPLOAD_BUFFER_MAX (192u * 1024) /* bytes kept for the link ... */
#define UPLOAD_RING (256u * 1024)       /* ... and one read more */
#define UPLOAD_BUFFER_LOW (64u * 1024)
#define DELIVER_PIECE (128u * 1024)

struct chain_upload {
    struct chain *ch;
    char id[ID_SIZE];
    struct staging_item item; /* path and flags */
    const struct chain_upload_ops *ops;
    void *arg;
    bool canceled;
    struct peer_waiter *waiter;
    struct soon soon;         /* on_ready or a failure, later */
    /* to the agent */
    struct h2_stream *stream;
    struct ring ring;
    bool ready;
    bool full;
    bool eof;
    bool aborted;
    int status;
    struct buf body;
    /* into the staging area */
    struct staging_put *put;
    bool committing;
    struct skl_error err;
};

static void upload_free(struct chain_upload *u)
{
    if (u->waiter)
        peer_wait_cancel(u->waiter);
    if (u->stream)
        h2_stream_abandon(u->stream);
    if (u->put)
        staging_put_abort(u->put);
    soon_cancel(&u->soon);
    ring_fini(&u->ring);
    buf_fini(&u->body);
    free(u->item.path);
    free(u);
}

static void upload_end(struct chain_upload *u, const struct skl_error *err)
{
    const struct chain_upload_ops *ops = u->ops;
    void *arg = u->arg;
    bool silent = u->canceled;
    struct skl_error copy = {0};

    error_copy(&copy, err);
    upload_free(u);
    if (!silent)
        ops->on_end(arg, err ? &copy : NULL);
}

/* ---- to the agent ---- */

static ssize_t pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct chain_upload *u = arg;
    size_t n;

    if (u->aborted)
        return H2_BODY_ABORT;
    /* What the last pull lent has been copied out by now. */
    ring_ack(&u->ring, (size_t)(u->ring.sent - u->ring.base));
    *ret_p = ring_take(&u->ring, max, &n);
    *ret_eof = u->eof && u->ring.sent == u->ring.end;
    if (u->full && u->ring.end - u->ring.sent <= UPLOAD_BUFFER_LOW) {
        u->full = false;
        loop_soon(u->ch->loop, &u->soon);
    }
    return n == 0 && !*ret_eof ? H2_BODY_WAIT : (ssize_t)n;
}

static void on_continue(void *arg, struct h2_stream *st)
{
    struct chain_upload *u = arg;

    (void)st;
    if (u->ready)
        return;
    u->ready = true;
    u->ops->on_ready(u->arg);
}

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    (void)st;
    ((struct chain_upload *)arg)->status = head->status;
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    (void)buf_append(&((struct chain_upload *)arg)->body, p, n);
    h2_stream_consume(st, n);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct chain_upload *u = arg;
    struct skl_error why = {0};

    (void)st;
    u->stream = NULL;
    if (u->status >= 400)
        call_error(&why, u->status, buf_str(&u->body), u->body.len);
    else if (u->status == 0)
        error_set(&why, SKL_ERR_UNAVAILABLE, "the agent broke off the upload%s%s", err ? ": " : "",
                  err ? err->message : "");
    upload_end(u, why.kind ? &why : NULL);
}

static const struct h2_stream_ops stream_ops = {
    .on_head = on_head, .on_continue = on_continue, .on_data = on_data, .on_close = on_close};

static void on_link(void *arg, const struct skl_error *err)
{
    struct chain_upload *u = arg;
    struct peer *p = peer_find(u->ch, u->id);
    struct chain_put_opts put = {.no_overwrite_dir_non_dir = u->item.no_overwrite_dir_non_dir,
                                 .copy_uid_gid = u->item.copy_uid_gid};
    CLEANUP(free_p) char *path = archive_path(u->item.path, &put, false);
    struct h2_body body = {.pull = pull, .arg = u};
    struct skl_error why = {0};

    u->waiter = NULL;
    if (!err && p && peer_h2(p))
        u->stream = h2_request(peer_h2(p), "PUT", path, NULL, &body, &stream_ops, u, &why);
    else if (!err)
        error_set(&why, SKL_ERR_UNAVAILABLE, "the agent went away");
    if (!u->stream)
        upload_end(u, err ? err : &why);
}

/* ---- the door ---- */

static void on_soon(void *arg)
{
    struct chain_upload *u = arg;

    if (u->err.kind) {
        upload_end(u, &u->err);
    } else if (!u->ready) {
        u->ready = true;
        u->ops->on_ready(u->arg);
    } else {
        u->ops->on_drain(u->arg);
    }
}

static void begin_staging(struct chain_upload *u, const struct container *c)
{
    if (!container_has_agent(c))
        error_set(&u->err, SKL_ERR_UNIMPLEMENTED, "files are copied in by the agent, and %s", chain_why_no_agent(c));
    else
        u->put = staging_put_begin(u->ch->staging, u->id, &u->item, &u->err);
    loop_soon(u->ch->loop, &u->soon);
}

struct chain_upload *chain_archive_put(struct chain *ch, struct container *c, const struct chain_put_opts *opts,
                                       const struct chain_upload_ops *ops, void *arg)
{
    struct chain_upload *u = xcalloc(1, sizeof(*u));
    struct peer *p;
    enum archive_way way = archive_way(ch, c, &p, &u->err);

    u->ch = ch;
    memcpy(u->id, c->id, ID_SIZE);
    u->item.path = xstrdup(opts->path);
    u->item.no_overwrite_dir_non_dir = opts->no_overwrite_dir_non_dir;
    u->item.copy_uid_gid = opts->copy_uid_gid;
    u->ops = ops;
    u->arg = arg;
    buf_init(&u->body, CALL_BODY_MAX);
    soon_init(&u->soon, on_soon, u);
    if (way == ARCHIVE_DECLINED)
        loop_soon(ch->loop, &u->soon);
    else if (way == ARCHIVE_STAGING)
        begin_staging(u, c);
    else
        u->waiter = peer_wait(peer_get(ch, c->id), ARCHIVE_WAIT_NS, on_link, u);
    return u;
}

bool chain_upload_write(struct chain_upload *u, const void *p, size_t n)
{
    if (u->put) {
        if (!u->err.kind && staging_put_write(u->put, p, n, &u->err) < 0)
            loop_soon(u->ch->loop, &u->soon);
        return !u->err.kind;
    }
    if (!u->stream)
        return true; /* the answer is on its way */
    if (ring_len(&u->ring) + n > UPLOAD_BUFFER_LOW)
        ring_reserve(&u->ring, UPLOAD_RING); /* a long one: growing and shrinking for each read would cost more */
    ring_put(&u->ring, p, n);
    h2_stream_resume(u->stream);
    if (u->ring.end - u->ring.sent >= UPLOAD_BUFFER_MAX)
        u->full = true;
    return !u->full;
}

static void on_committed(void *arg, const struct skl_error *err)
{
    struct chain_upload *u = arg;

    u->committing = false;
    upload_end(u, err);
}

void chain_upload_end(struct chain_upload *u)
{
    if (u->err.kind)
        return;
    if (u->put) {
        u->committing = true;
        staging_put_commit(STEAL(u->put), on_committed, u);
        return;
    }
    u->eof = true;
    if (u->stream)
        h2_stream_resume(u->stream);
}

void chain_upload_cancel(struct chain_upload *u)
{
    u->canceled = true;
    if (!u->committing)
        upload_free(u);
}

/* ---- delivery of staged uploads ---- */

struct delivery {
    struct peer *peer;
    int fd;
    uint8_t *piece;
    struct h2_stream *stream;
    int status;
    bool read_failed;
    struct buf body;
    struct soon soon;
    struct skl_error err;
    void (*done)(void *arg, const struct skl_error *err);
    void *arg;
};

static void delivery_end(struct delivery *d, const struct skl_error *err)
{
    struct skl_error copy = {0};

    error_copy(&copy, err);
    d->done(d->arg, err ? &copy : NULL);
    close_p(&d->fd);
    soon_cancel(&d->soon);
    buf_fini(&d->body);
    free(d->piece);
    free(d);
}

static ssize_t delivery_pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct delivery *d = arg;
    ssize_t n = read(d->fd, d->piece, max < DELIVER_PIECE ? max : DELIVER_PIECE);

    if (n < 0) {
        error_set_errno(&d->err, SKL_ERR_INTERNAL, errno, "reading a staged upload");
        return H2_BODY_ABORT;
    }
    *ret_p = d->piece;
    *ret_eof = n == 0;
    return n;
}

static void delivery_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    (void)st;
    ((struct delivery *)arg)->status = head->status;
}

static void delivery_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    (void)buf_append(&((struct delivery *)arg)->body, p, n);
    h2_stream_consume(st, n);
}

static void delivery_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct delivery *d = arg;

    (void)st;
    if (d->status >= 400)
        call_error(&d->err, d->status, buf_str(&d->body), d->body.len);
    else if (d->status == 0 && !d->err.kind)
        error_set(&d->err, SKL_ERR_UNAVAILABLE, "the agent broke off%s%s", err ? ": " : "", err ? err->message : "");
    delivery_end(d, d->err.kind ? &d->err : NULL);
}

static const struct h2_stream_ops delivery_ops = {
    .on_head = delivery_head, .on_data = delivery_data, .on_close = delivery_close};

static void delivery_soon(void *arg)
{
    struct delivery *d = arg;

    delivery_end(d, &d->err);
}

void deliver_item(struct peer *p, const struct staging_item *item, int fd,
                  void (*done)(void *arg, const struct skl_error *err), void *arg)
{
    struct delivery *d = xcalloc(1, sizeof(*d));
    struct chain_put_opts put = {.no_overwrite_dir_non_dir = item->no_overwrite_dir_non_dir,
                                 .copy_uid_gid = item->copy_uid_gid};
    CLEANUP(free_p) char *path = archive_path(item->path, &put, true);
    struct h2_body body = {.pull = delivery_pull, .arg = d};

    d->peer = p;
    d->fd = fd;
    d->piece = xmalloc(DELIVER_PIECE);
    d->done = done;
    d->arg = arg;
    buf_init(&d->body, CALL_BODY_MAX);
    soon_init(&d->soon, delivery_soon, d);
    if (peer_h2(p))
        d->stream = h2_request(peer_h2(p), "PUT", path, NULL, &body, &delivery_ops, d, &d->err);
    else
        error_set(&d->err, SKL_ERR_UNAVAILABLE, "the agent went away");
    if (!d->stream)
        loop_soon(p->ch->loop, &d->soon);
}
