/*
 * api/archive.c - HEAD, GET and PUT /containers/{id}/archive, GET .../export, .../changes, .../top, .../stats.
 *
 * Streams with back-pressure both ways: memory does not grow with the size of what is copied.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/decompress.h"
#include "api/internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/chain.h"
#include "state/engine.h"

#define STAT_HEADER "X-Docker-Container-Path-Stat"

static struct container *find(struct api_call *c)
{
    struct skl_error err = {0};
    struct container *k = container_find(c->api->opts.engine, api_param(c, "id"), &err);

    if (k == NULL)
        api_reply_error(c, &err);
    return k;
}

/* NULL: answered. */
static const char *get_path(struct api_call *c)
{
    const char *path = api_query(c, "path");

    if (!str_empty(path))
        return path;
    api_reply_fail(c, SKL_ERR_INVALID, "missing parameter in request: path");
    return NULL;
}

static void set_stat_header(struct http_req *req, const char *stat_json)
{
    struct buf b;

    buf_init(&b, 256 * 1024);
    base64_encode(&b, stat_json, strlen(stat_json), false, true);
    http_res_header(req, STAT_HEADER, "%s", buf_str(&b));
    buf_fini(&b);
}

/* Docker tells of a missing file with the container's name as the client gave it; the chain knows its ID. */
static void reply_error(struct api_call *c, const struct skl_error *err)
{
    const struct container *k = container_find(c->api->opts.engine, api_param(c, "id"), NULL);
    const char *at = k != NULL && err->kind == SKL_ERR_NOT_FOUND ? strstr(err->message, k->id) : NULL;
    struct skl_error named = {0};

    if (at == NULL) {
        api_reply_error(c, err);
        return;
    }
    error_set(&named, err->kind, "%.*s%s%s", (int)(at - err->message), err->message, api_param(c, "id"), at + strlen(k->id));
    api_reply_error(c, &named);
}

/* ---- HEAD ---- */

static void on_stat(void *arg, const struct skl_error *err, const char *stat_json)
{
    struct api_call *c = arg;

    if (err != NULL) {
        reply_error(c, err);
        return;
    }
    set_stat_header(c->req, stat_json);
    api_reply_empty(c, 200);
}

void api_archive_stat(struct api_call *c)
{
    const char *path = get_path(c);
    struct container *k = path != NULL ? find(c) : NULL;

    if (k != NULL)
        chain_archive_stat(c->api->opts.chain, k, path, on_stat, c);
}

/* ---- GET ---- */

struct download {
    struct api_call *call;
    struct chain_download *chain;
    struct container *c; /* a reference is held */
    bool is_export;
};

static void download_free(struct download *d)
{
    container_unref(d->c);
    api_call_free(d->call);
    free(d);
}

static void on_head(void *arg, const char *stat_json)
{
    struct download *d = arg;

    if (stat_json != NULL)
        set_stat_header(d->call->req, stat_json);
    http_res_begin(d->call->req, 200, d->is_export ? "application/octet-stream" : "application/x-tar", HTTP_RES_CHUNKED, 0);
}

static bool on_data(void *arg, const void *p, size_t n)
{
    struct download *d = arg;

    http_res_write(d->call->req, p, n);
    return http_res_pending(d->call->req) <= HTTP_WRITE_LOW; /* above it, on_drain comes */
}

static void on_end(void *arg, const struct skl_error *err)
{
    struct download *d = arg;
    struct http_req *req = d->call->req;

    http_req_on_gone(req, NULL, NULL);
    http_res_on_drain(req, NULL, NULL);
    if (err != NULL && !http_res_started(req)) {
        struct api_call *c = d->call;
        container_unref(d->c);
        free(d);
        reply_error(c, err);
        return;
    }
    if (err != NULL)
        log_warn("api", "archive of %.12s: %s", d->c->id, err->message);
    else
        container_event(d->c, d->is_export ? "export" : "archive-path", NULL);
    download_free(d);
    if (err != NULL)
        http_res_abort(req);
    else
        http_res_end(req);
}

static const struct chain_download_ops download_ops = {.on_head = on_head, .on_data = on_data, .on_end = on_end};

static void on_download_room(void *arg)
{
    struct download *d = arg;

    chain_download_resume(d->chain);
}

static void on_download_gone(void *arg)
{
    struct download *d = arg;
    struct http_req *req = d->call->req;

    chain_download_cancel(d->chain);
    download_free(d);
    http_res_abort(req);
}

static void download(struct api_call *c, struct container *k, const char *path)
{
    struct download *d = xcalloc(1, sizeof(*d));

    d->call = c;
    d->c = k;
    d->is_export = path == NULL;
    container_ref(k);
    http_req_on_gone(c->req, on_download_gone, d);
    http_res_on_drain(c->req, on_download_room, d);
    d->chain = chain_archive_get(c->api->opts.chain, k, path, &download_ops, d);
}

void api_archive_get(struct api_call *c)
{
    const char *path = get_path(c);
    struct container *k = path != NULL ? find(c) : NULL;

    if (k != NULL)
        download(c, k, path);
}

void api_containers_export(struct api_call *c)
{
    struct container *k = find(c);

    if (k != NULL)
        download(c, k, NULL);
}

/* ---- PUT ---- */

struct upload {
    struct api_call *call;
    struct chain_upload *chain;
    struct decompress *unpack;
    struct container *c; /* a reference is held */
    bool reading;
    bool failed;         /* the body or its compression: err */
    struct skl_error err;
};

/* Ends it; err NULL: all is in place. */
static void upload_end(struct upload *u, const struct skl_error *err)
{
    struct api_call *c = u->call;
    struct skl_error copy = {0};

    http_req_on_gone(c->req, NULL, NULL);
    if (u->reading)
        http_req_read_stop(c->req);
    if (u->chain != NULL)
        chain_upload_cancel(u->chain);
    decompress_free(u->unpack);
    if (err == NULL)
        container_event(u->c, "extract-to-dir", NULL);
    else
        copy = *err;
    container_unref(u->c);
    free(u);
    if (err != NULL)
        reply_error(c, &copy);
    else
        api_reply_empty(c, 200);
}

static bool on_plain(void *arg, const char *p, size_t n)
{
    struct upload *u = arg;

    return u->chain == NULL || chain_upload_write(u->chain, p, n);
}

static void on_unpack_drain(void *arg)
{
    struct upload *u = arg;

    if (u->reading)
        http_req_read_resume(u->call->req);
}

static void on_unpack_end(void *arg, const struct skl_error *err)
{
    struct upload *u = arg;

    if (err == NULL) {
        if (u->chain != NULL)
            chain_upload_end(u->chain); /* on_done follows */
        return;
    }
    upload_end(u, err);
}

static const struct decompress_ops unpack_ops = {.on_data = on_plain, .on_drain = on_unpack_drain, .on_end = on_unpack_end};

static bool on_body(void *arg, const char *p, size_t n)
{
    struct upload *u = arg;

    return decompress_write(u->unpack, p, n);
}

static void on_body_end(void *arg, const struct skl_error *err)
{
    struct upload *u = arg;

    u->reading = false;
    if (err == NULL)
        decompress_end(u->unpack);
    else
        upload_end(u, err);
}

static const struct http_body_reader body_reader = {.on_data = on_body, .on_end = on_body_end};

static void on_ready(void *arg)
{
    struct upload *u = arg;

    u->reading = true;
    u->unpack = decompress_new(u->call->api->opts.loop, &unpack_ops, u);
    http_req_read_stream(u->call->req, &body_reader, u);
}

static void on_room(void *arg)
{
    struct upload *u = arg;

    if (u->unpack != NULL)
        decompress_resume(u->unpack);
}

static void on_done(void *arg, const struct skl_error *err)
{
    struct upload *u = arg;

    u->chain = NULL;
    upload_end(u, err);
}

static const struct chain_upload_ops upload_ops = {.on_ready = on_ready, .on_drain = on_room, .on_end = on_done};

static void on_upload_gone(void *arg)
{
    struct upload *u = arg;
    struct skl_error err = {0};

    error_set(&err, SKL_ERR_CANCELED, "the client went away");
    upload_end(u, &err);
}

void api_archive_put(struct api_call *c)
{
    const char *path = get_path(c);
    struct container *k = path != NULL ? find(c) : NULL;
    struct chain_put_opts opts;
    struct upload *u;

    if (k == NULL)
        return;
    u = xcalloc(1, sizeof(*u));
    u->call = c;
    u->c = k;
    container_ref(k);
    opts = (struct chain_put_opts){.path = path, .no_overwrite_dir_non_dir = api_query_bool(c, "noOverwriteDirNonDir", false),
                                   .copy_uid_gid = api_query_bool(c, "copyUIDGID", false)};
    http_req_on_gone(c->req, on_upload_gone, u);
    u->chain = chain_archive_put(c->api->opts.chain, k, &opts, &upload_ops, u);
}

/* ---- top, changes ---- */

static void on_json(void *arg, const struct skl_error *err, const char *json, size_t len)
{
    struct api_call *c = arg;
    struct buf out;

    if (err != NULL) {
        api_reply_error(c, err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    (void)buf_append(&out, json, len);
    api_reply_json(c, 200, &out);
}

static bool check_running(struct api_call *c, const struct container *k)
{
    if (container_is_live(k))
        return true;
    api_reply_fail(c, SKL_ERR_CONFLICT, "container %s is not running", k->id);
    return false;
}

void api_containers_top(struct api_call *c)
{
    struct container *k = find(c);

    if (k == NULL || !check_running(c, k))
        return;
    container_event(k, "top", NULL);
    chain_top(c->api->opts.chain, k, api_query(c, "ps_args"), on_json, c);
}

void api_containers_changes(struct api_call *c)
{
    struct container *k = find(c);

    if (k != NULL && check_running(c, k))
        chain_changes(c->api->opts.chain, k, on_json, c);
}
