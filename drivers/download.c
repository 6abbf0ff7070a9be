/*
 * drivers/download.c - GET archive and export.
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

#define DOWNLOAD_PIECE (64u * 1024)
#define DOWNLOAD_PIECES 8 /* of a staged file in one turn of the loop */

struct chain_download {
    struct chain *ch;
    char id[ID_SIZE];
    char *path;               /* NULL: export */
    bool ran;
    const struct chain_download_ops *ops;
    void *arg;
    bool canceled;
    bool paused;
    bool head_given;
    struct peer_waiter *waiter;
    struct h2_stream *stream; /* from the agent */
    int status;
    size_t owed;
    struct buf body;
    struct capture_waiter captured;
    bool viewing;             /* the staging area works on it */
    int fd;                   /* from the staging area */
    struct soon pump;
    struct skl_error err;
};

static void download_free(struct chain_download *d)
{
    if (d->waiter)
        peer_wait_cancel(d->waiter);
    if (d->stream)
        h2_stream_abandon(d->stream);
    soon_cancel(&d->pump);
    list_remove(&d->captured.link);
    close_p(&d->fd);
    buf_fini(&d->body);
    free(d->path);
    free(d);
}

static void download_end(struct chain_download *d, const struct skl_error *err)
{
    const struct chain_download_ops *ops = d->ops;
    void *arg = d->arg;
    bool silent = d->canceled;
    struct skl_error copy = {0};

    error_copy(&copy, err);
    download_free(d);
    if (!silent)
        ops->on_end(arg, err ? &copy : NULL);
}

/* ---- through the agent ---- */

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    struct chain_download *d = arg;
    CLEANUP(free_p) char *json = NULL;
    struct skl_error why = {0};

    (void)st;
    d->status = head->status;
    if (head->status >= 400)
        return;
    json = archive_stat_json(h2_head_get(head, "x-docker-container-path-stat"));
    if (d->path && !json) {
        error_set(&why, SKL_ERR_BAD_GATEWAY, "the agent answered without a path stat");
        download_end(d, &why);
        return;
    }
    d->head_given = true;
    d->ops->on_head(d->arg, d->path ? json : NULL);
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct chain_download *d = arg;

    if (d->status >= 400) {
        (void)buf_append(&d->body, p, n);
        h2_stream_consume(st, n);
        return;
    }
    if (d->ops->on_data(d->arg, p, n) && !d->paused) {
        h2_stream_consume(st, n);
        return;
    }
    d->paused = true;
    d->owed += n;
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct chain_download *d = arg;
    struct skl_error why = {0};

    (void)st;
    d->stream = NULL;
    if (err)
        error_copy(&why, err);
    else if (d->status == 404 && d->path)
        error_set(&why, SKL_ERR_NOT_FOUND, "Could not find the file %s in container %s", d->path, d->id);
    else if (d->status >= 400)
        call_error(&why, d->status, buf_str(&d->body), d->body.len);
    download_end(d, why.kind ? &why : NULL);
}

static const struct h2_stream_ops stream_ops = {.on_head = on_head, .on_data = on_data, .on_close = on_close};

static void on_link(void *arg, const struct skl_error *err)
{
    struct chain_download *d = arg;
    struct peer *p = peer_find(d->ch, d->id);
    CLEANUP(free_p) char *path = d->path ? archive_path(d->path, NULL, false) : xstrdup("/export");
    struct skl_error why = {0};

    d->waiter = NULL;
    if (!err && p && peer_h2(p))
        d->stream = h2_request(peer_h2(p), "GET", path, NULL, NULL, &stream_ops, d, &why);
    else if (!err)
        error_set(&why, SKL_ERR_UNAVAILABLE, "the agent went away");
    if (!d->stream)
        download_end(d, err ? err : &why);
}

/* ---- from the staging area ---- */

static void on_pump(void *arg)
{
    struct chain_download *d = arg;
    uint8_t piece[DOWNLOAD_PIECE];

    if (d->err.kind) {
        download_end(d, &d->err);
        return;
    }
    for (int i = 0; i < DOWNLOAD_PIECES && !d->paused; i++) {
        ssize_t n = read(d->fd, piece, sizeof(piece));
        if (n <= 0) {
            struct skl_error why = {0};
            if (n < 0)
                error_set_errno(&why, SKL_ERR_INTERNAL, errno, "reading a staged file");
            download_end(d, n < 0 ? &why : NULL);
            return;
        }
        d->paused = !d->ops->on_data(d->arg, piece, (size_t)n);
    }
    if (!d->paused)
        loop_soon(d->ch->loop, &d->pump);
}

static void on_view(void *arg, const struct skl_error *err, const char *stat_json, int fd)
{
    struct chain_download *d = arg;
    struct skl_error why = {0};

    d->viewing = false;
    d->fd = fd;
    if (d->canceled) {
        download_end(d, NULL);
        return;
    }
    if (err) {
        archive_not_found(&why, err, d->path, d->id, d->ran);
        download_end(d, &why);
        return;
    }
    d->ops->on_head(d->arg, stat_json);
    loop_soon(d->ch->loop, &d->pump);
}

static void on_captured(void *arg)
{
    struct chain_download *d = arg;

    d->viewing = true;
    staging_view(d->ch->staging, d->id, d->path, false, on_view, d);
}

/* ---- the door ---- */

struct chain_download *chain_archive_get(struct chain *ch, struct container *c, const char *path,
                                         const struct chain_download_ops *ops, void *arg)
{
    struct chain_download *d = xcalloc(1, sizeof(*d));
    struct peer *p;
    enum archive_way way = archive_way(ch, c, &p, &d->err);

    d->ch = ch;
    memcpy(d->id, c->id, ID_SIZE);
    d->path = xstrdup(path);
    d->ran = c->run > 0;
    d->ops = ops;
    d->arg = arg;
    d->fd = -1;
    buf_init(&d->body, CALL_BODY_MAX);
    soon_init(&d->pump, on_pump, d);
    list_init(&d->captured.link);
    if (way == ARCHIVE_STAGING && !path) {
        error_set(&d->err, SKL_ERR_CONFLICT,
                  "container %s is not running: its file system exists only while its function runs", c->id);
        way = ARCHIVE_DECLINED;
    }
    if (way == ARCHIVE_DECLINED) {
        loop_soon(ch->loop, &d->pump);
    } else if (way == ARCHIVE_STAGING) {
        if (!capture_wait(ch, c, &d->captured, on_captured, d))
            on_captured(d);
    } else {
        d->waiter = peer_wait(peer_get(ch, c->id), ARCHIVE_WAIT_NS, on_link, d);
    }
    return d;
}

void chain_download_resume(struct chain_download *d)
{
    size_t owed = d->owed;

    if (!d->paused)
        return;
    d->paused = false;
    d->owed = 0;
    if (d->stream)
        h2_stream_consume(d->stream, owed);
    else if (d->fd >= 0)
        loop_soon(d->ch->loop, &d->pump);
}

void chain_download_cancel(struct chain_download *d)
{
    d->canceled = true;
    if (!d->viewing)
        download_free(d);
}
