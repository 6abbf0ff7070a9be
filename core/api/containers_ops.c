/*
 * api/containers_ops.c - start, stop, restart, kill, pause, unpause, rename, resize, update, remove.
 *
 * What was begun goes on when the client leaves (reference 2.13.6): the answer then goes nowhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/create.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/signame.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

static struct container *find(struct api_call *c)
{
    struct skl_error err = {0};
    struct container *k = container_find(c->api->opts.engine, api_param(c, "id"), &err);

    if (k == NULL)
        api_reply_error(c, &err);
    return k;
}

static void on_done_204(void *arg, const struct skl_error *err)
{
    struct api_call *c = arg;

    if (err != NULL)
        api_reply_error(c, err);
    else
        api_reply_empty(c, 204);
}

static void on_done_200(void *arg, const struct skl_error *err)
{
    struct api_call *c = arg;

    if (err != NULL)
        api_reply_error(c, err);
    else
        api_reply_empty(c, 200);
}

void api_containers_start(struct api_call *c)
{
    struct container *k = find(c);

    if (k == NULL)
        return;
    if (!str_empty(api_query(c, "checkpoint")))
        api_reply_fail(c, SKL_ERR_INVALID, "checkpoint is only supported in experimental mode");
    else
        container_start(k, on_done_204, c);
}

/* A signal's name or number. *ret 0: none given. */
static int get_signal(struct api_call *c, int *ret, struct skl_error *err)
{
    const char *s = api_query(c, "signal");

    *ret = 0;
    if (str_empty(s))
        return 0;
    *ret = signame_parse(s);
    return *ret > 0 ? 0 : error_set(err, SKL_ERR_INVALID, "invalid signal: %s", s);
}

static int get_timeout(struct api_call *c, int64_t *ret_ns, struct skl_error *err)
{
    int64_t seconds;

    *ret_ns = CONTAINER_STOP_DEFAULT;
    if (str_empty(api_query(c, "t")))
        return 0;
    if (api_query_i64(c, "t", INT32_MIN, INT32_MAX, 0, &seconds, err) < 0)
        return -1;
    *ret_ns = seconds < 0 ? -1 : seconds * NS_PER_S;
    return 0;
}

static void stop_or_restart(struct api_call *c, void (*op)(struct container *, int, int64_t, container_done_fn, void *))
{
    struct skl_error err = {0};
    struct container *k;
    int64_t timeout;
    int signo;

    if (get_signal(c, &signo, &err) < 0 || get_timeout(c, &timeout, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    k = find(c);
    if (k != NULL)
        op(k, signo, timeout, on_done_204, c);
}

void api_containers_stop(struct api_call *c)
{
    stop_or_restart(c, container_stop);
}

void api_containers_restart(struct api_call *c)
{
    stop_or_restart(c, container_restart);
}

/* Docker says whom it could not kill by the name it was given. */
static void on_killed(void *arg, const struct skl_error *err)
{
    struct api_call *c = arg;
    struct skl_error named = {0};

    if (err != NULL)
        error_set(&named, err->kind, "Cannot kill container: %s: %s", api_param(c, "id"), err->message);
    on_done_204(c, err != NULL ? &named : NULL);
}

void api_containers_kill(struct api_call *c)
{
    struct skl_error err = {0};
    struct container *k;
    int signo;

    if (get_signal(c, &signo, &err) < 0) {
        on_killed(c, &err);
        return;
    }
    k = container_find(c->api->opts.engine, api_param(c, "id"), &err);
    if (k != NULL)
        container_kill(k, signo > 0 ? signo : 9, on_killed, c);
    else
        on_killed(c, &err);
}

void api_containers_pause(struct api_call *c)
{
    struct container *k = find(c);

    if (k != NULL)
        container_pause(k, on_done_204, c);
}

void api_containers_unpause(struct api_call *c)
{
    struct container *k = find(c);

    if (k != NULL)
        container_unpause(k, on_done_204, c);
}

void api_containers_rename(struct api_call *c)
{
    const char *name = api_query(c, "name");
    struct container *k = find(c);
    struct skl_error err = {0};

    if (k == NULL)
        return;
    if (str_empty(name))
        api_reply_fail(c, SKL_ERR_INVALID, "Neither old nor new names may be empty");
    else if (container_rename(k, name, &err) < 0)
        api_reply_error(c, &err);
    else
        api_reply_empty(c, 204);
}

int api_query_size(struct api_call *c, unsigned *ret_h, unsigned *ret_w, struct skl_error *err)
{
    int64_t h, w;

    if (str_empty(api_query(c, "h")) || str_empty(api_query(c, "w")))
        return error_set(err, SKL_ERR_INVALID, "invalid resize height or width: both h and w are needed");
    if (api_query_i64(c, "h", 0, 65535, 0, &h, err) < 0 || api_query_i64(c, "w", 0, 65535, 0, &w, err) < 0)
        return -1;
    *ret_h = (unsigned)h;
    *ret_w = (unsigned)w;
    return 0;
}

void api_containers_resize(struct api_call *c)
{
    struct skl_error err = {0};
    struct container *k;
    unsigned h, w;

    if (api_query_size(c, &h, &w, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    k = find(c);
    if (k != NULL)
        container_resize(k, h, w, on_done_200, c);
}

/* Recorded, for whoever makes the container anew from inspect. */
static void warn_late(struct json_object *body, struct create_warnings *w)
{
    static const char *const sizes[] = {"Memory", "NanoCpus", "CpuQuota"};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        if (json_object_get_int64(json_member(body, sizes[i])) > 0)
            create_warn(w, "%s: a cloud function's memory and CPU are set when it is created. This one keeps what it has.", sizes[i]);
}

void api_containers_update(struct api_call *c)
{
    struct create_warnings warnings = {0};
    struct skl_error err = {0};
    struct container *k = find(c);
    struct buf out;
    struct jw w;

    if (k == NULL)
        return;
    if (create_check_devices(c->body, &err) < 0 || create_check_resources(c->body, &warnings, &err) < 0 ||
        create_check_restart(c->body, &err) < 0 ||
        container_update(k, c->body, &err) < 0) {
        create_warnings_fini(&warnings);
        api_reply_error(c, &err);
        return;
    }
    warn_late(c->body, &warnings);
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_array(&w, "Warnings");
    for (size_t i = 0; i < warnings.n; i++)
        jw_string(&w, NULL, warnings.text[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    create_warnings_fini(&warnings);
    api_reply_json(c, 200, &out);
}

void api_containers_remove(struct api_call *c)
{
    bool force = api_query_bool(c, "force", false), volumes = api_query_bool(c, "v", false);
    struct container *k = find(c);

    if (k == NULL)
        return;
    if (api_query_bool(c, "link", false))
        api_reply_fail(c, SKL_ERR_INVALID, "links between containers are not supported");
    else
        container_remove(k, force, volumes, on_done_204, c);
}

/* ---- wait ---- */

struct wait {
    struct api_call *call;
    struct waiter *waiter;
    bool streaming; /* the head went out already */
};

static void on_waited(void *arg, int code, const struct skl_error *err)
{
    struct wait *wt = arg;
    struct api_call *c = wt->call;
    struct buf out;
    struct jw w;

    buf_init(&out, 64 * 1024);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    if (err != NULL) {
        jw_object(&w, "Error");
        jw_string(&w, "Message", err->message);
        jw_object_end(&w);
    }
    jw_i64(&w, "StatusCode", code);
    jw_object_end(&w);
    buf_putc(&out, '\n');
    http_req_on_gone(c->req, NULL, NULL);
    if (wt->streaming) {
        http_res_write(c->req, out.data, out.len);
        http_res_end(c->req);
    } else {
        http_res_send(c->req, 200, "application/json", out.data, out.len);
    }
    buf_fini(&out);
    api_call_free(c);
    free(wt);
}

static void on_waiter_gone(void *arg)
{
    struct wait *wt = arg;

    waiter_cancel(wt->waiter);
    http_res_abort(wt->call->req);
    api_call_free(wt->call);
    free(wt);
}

/* The waiter is armed, then the head goes out at once: clients start the container when they see it (reference 2.4). */
void api_containers_wait(struct api_call *c)
{
    const char *text = api_query(c, "condition");
    enum wait_condition cond = WAIT_NOT_RUNNING;
    struct container *k;
    struct wait *wt;

    if (c->version >= 30 && !wait_condition_parse(text, &cond)) {
        api_reply_fail(c, SKL_ERR_INVALID, "invalid condition: \"%s\"", text);
        return;
    }
    k = find(c);
    if (k == NULL)
        return;
    wt = xcalloc(1, sizeof(*wt));
    wt->call = c;
    wt->streaming = c->version >= 30;
    wt->waiter = container_wait(k, cond, on_waited, wt);
    if (wt->streaming)
        http_res_begin(c->req, 200, "application/json", HTTP_RES_CHUNKED, 0);
    http_req_on_gone(c->req, on_waiter_gone, wt);
}
