/*
 * drivers/call.c - a small exchange with the agent: a JSON body out, at most CALL_BODY_MAX back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

struct call {
    struct soon soon;          /* when there was no link to begin with */
    struct h2_stream *stream;
    int status;
    char *stat;
    struct buf body;
    struct skl_error err;
    call_fn fn;                /* NULL after call_cancel */
    void *arg;
};

static void call_free(struct call *k)
{
    soon_cancel(&k->soon);
    buf_fini(&k->body);
    free(k->stat);
    free(k);
}

void call_error(struct skl_error *err, int status, const char *body, size_t len)
{
    struct json_object *o = len > 0 ? json_tokener_parse(body) : NULL, *v;
    int kind = status == 404   ? SKL_ERR_NOT_FOUND
               : status == 400 ? SKL_ERR_INVALID
               : status == 403 ? SKL_ERR_FORBIDDEN
               : status == 409 ? SKL_ERR_CONFLICT
               : status == 501 ? SKL_ERR_UNIMPLEMENTED
               : status == 503 ? SKL_ERR_UNAVAILABLE
                               : SKL_ERR_INTERNAL;
    const char *message = NULL;

    if (json_object_is_type(o, json_type_object)) {
        if (json_object_object_get_ex(o, "kind", &v) && json_object_get_int(v) > 0)
            kind = json_object_get_int(v);
        if (json_object_object_get_ex(o, "message", &v))
            message = json_object_get_string(v);
    }
    if (message)
        error_set(err, kind, "%s", message);
    else
        error_set(err, kind, "the agent answered %d", status);
    json_object_put(o);
}

static void finish(struct call *k, const struct skl_error *err)
{
    struct call_answer a = {.status = k->status, .body = buf_str(&k->body), .len = k->body.len, .stat = k->stat};

    if (!err && k->status >= 400) {
        call_error(&k->err, k->status, a.body, a.len);
        err = &k->err;
    } else if (!err && k->body.overflow) {
        error_set(&k->err, SKL_ERR_TOO_LARGE, "the agent's answer is longer than %u bytes", CALL_BODY_MAX);
        err = &k->err;
    }
    if (k->fn)
        k->fn(k->arg, err, &a);
    call_free(k);
}

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    struct call *k = arg;
    const char *stat = h2_head_get(head, "x-docker-container-path-stat");

    (void)st;
    k->status = head->status;
    if (stat && !k->stat)
        k->stat = xstrdup(stat);
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct call *k = arg;

    (void)buf_append(&k->body, p, n);
    h2_stream_consume(st, n);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct call *k = arg;

    (void)st;
    k->stream = NULL;
    finish(k, err);
}

static const struct h2_stream_ops ops = {.on_head = on_head, .on_data = on_data, .on_close = on_close};

static void on_soon(void *arg)
{
    struct call *k = arg;

    finish(k, &k->err);
}

struct call *peer_call(struct peer *p, const char *method, const char *path, const char *json, call_fn fn, void *arg)
{
    struct call *k = xcalloc(1, sizeof(*k));
    struct h2 *h2 = peer_h2(p);

    soon_init(&k->soon, on_soon, k);
    buf_init(&k->body, CALL_BODY_MAX);
    k->fn = fn;
    k->arg = arg;
    if (!h2)
        error_set(&k->err, SKL_ERR_UNAVAILABLE, "the agent of container %.12s is not connected", p->id);
    else if (json)
        k->stream = h2_request_json(h2, method, path, json, strlen(json), &ops, k, &k->err);
    else
        k->stream = h2_request(h2, method, path, NULL, NULL, &ops, k, &k->err);
    if (!k->stream)
        loop_soon(p->ch->loop, &k->soon);
    return k;
}

void call_cancel(struct call *k)
{
    if (!k->stream) {
        call_free(k);
        return;
    }
    h2_stream_abandon(k->stream);
    call_free(k);
}
