/*
 * gcp/operation.c - see operation.h.
 *
 * Polls soon at first (a fast server is done within milliseconds) and then ever more slowly, with jitter,
 * until the deadline: twice the interval each time up to a second, then half as much again up to POLL_MAX.
 * `done` may be absent (proto3 leaves false out). An operation that was just begun may not be found yet. The
 * error of an operation has a gRPC code, not an HTTP status, and its useful text is often in a stage's
 * message.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/operation.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_FIRST      (5 * GCP_MSEC)
#define POLL_MAX        (10 * GCP_SECOND)
#define NOT_FOUND_GRACE (10 * GCP_SECOND)

struct gcp_op {
    struct gcp_client *client;
    enum gcp_service service;
    char *name, *what;
    gcp_op_fn fn;
    void *arg;
    int64_t started, deadline, interval;
    struct skl_timer *timer;
    struct gcp_call *call;
    struct json_object *first;
};

static void op_poll(void *arg);

static void op_free(struct gcp_op *op)
{
    json_object_put(op->first);
    free(op->name);
    free(op->what);
    free(op);
}

void gcp_op_cancel(struct gcp_op *op)
{
    if (!op)
        return;
    if (op->timer)
        op->client->host->timer_stop(op->client->host->ctx, op->timer);
    gcp_call_cancel(op->call);
    op_free(op);
}

static void op_finish(struct gcp_op *op, const struct gcp_op_result *result)
{
    op->fn(op->arg, result);
    op_free(op);
}

/* The first message of a stage that is not in the text already. */
static void add_stage_message(struct gcp_fault *f, struct json_object *operation)
{
    struct json_object *stages = gcp_json_array(operation, "metadata.stages");
    size_t n = stages ? json_object_array_length(stages) : 0;

    for (size_t i = 0; i < n && i < 16; i++) {
        struct json_object *list = gcp_json_array(json_object_array_get_idx(stages, i), "stateMessages");
        struct json_object *m =
            list && json_object_array_length(list) ? json_object_array_get_idx(list, 0) : NULL;
        const char *text = gcp_json_str(m, "message");
        size_t len = strlen(f->text);

        if (!text || strstr(f->text, text))
            continue;
        (void)snprintf(f->text + len, sizeof(f->text) - len, " (%s)", text);
        return;
    }
}

static void op_done(struct gcp_op *op, struct json_object *operation)
{
    struct json_object *error = gcp_json_get(operation, "error");
    struct gcp_op_result result = {.response = gcp_json_get(operation, "response")};
    struct gcp_fault fault;
    struct skl_error err;

    if (error) {
        gcp_fault_from_status(&fault, error);
        add_stage_message(&fault, operation);
        gcp_fault_to_error(&fault, op->what, &err);
        result.error = &err;
        result.fault = &fault;
        result.failed = true;
    }
    op_finish(op, &result);
}

static void op_next(struct gcp_op *op)
{
    const struct skl_host *host = op->client->host;
    int64_t delay = (int64_t)((double)op->interval * (0.8 + 0.4 * gcp_random(host)));

    op->interval = op->interval < GCP_SECOND ? op->interval * 2 : op->interval * 3 / 2;
    if (op->interval > POLL_MAX)
        op->interval = POLL_MAX;
    op->timer = host->timer_start(host->ctx, delay, op_poll, op);
}

static void on_poll(void *arg, const struct gcp_reply *reply)
{
    struct gcp_op *op = arg;
    const struct skl_host *host = op->client->host;
    struct gcp_op_result result = {.error = reply->error, .fault = reply->fault};

    op->call = NULL;
    if (!reply->error && gcp_json_bool(reply->json, "done")) {
        op_done(op, reply->json);
        return;
    }
    if (!reply->error) {
        op_next(op);
        return;
    }
    if (reply->fault->code == GCP_NOT_FOUND && host->now_mono(host->ctx) - op->started < NOT_FOUND_GRACE) {
        op_next(op);
        return;
    }
    op_finish(op, &result);
}

static void op_expired(struct gcp_op *op)
{
    struct skl_error err;
    struct gcp_fault fault = {.code = GCP_DEADLINE_EXCEEDED, .retry_after_ns = -1};
    struct gcp_op_result result = {.error = &err, .fault = &fault};

    (void)gcp_error(&err, SKL_ERR_TIMEOUT, "%s: operation %s was not done in %lld s", op->what, op->name,
                    (long long)((op->deadline - op->started) / GCP_SECOND));
    op_finish(op, &result);
}

static void op_poll(void *arg)
{
    struct gcp_op *op = arg;
    const struct skl_host *host = op->client->host;
    char *path = gcp_format("/v2/%s", op->name),
         *url = path ? gcp_client_url(op->client, op->service, path) : NULL;
    struct gcp_request req = {.method = "GET", .url = url, .what = op->what, .policy = GCP_READ};

    op->timer = NULL;
    req.gate = &op->client->reads;
    req.deadline = op->deadline;
    if (host->now_mono(host->ctx) >= op->deadline)
        op_expired(op);
    else if (!url || !(op->call = gcp_call_start(op->client, &req, on_poll, op)))
        op_next(op); /* out of memory: perhaps later */
    free(path);
    free(url);
}

static void on_first(void *arg)
{
    struct gcp_op *op = arg;

    op->timer = NULL;
    op_done(op, op->first);
}

static struct gcp_op *op_new(struct gcp_client *c, enum gcp_service service, const char *name,
                             const char *what, int64_t deadline)
{
    struct gcp_op *op = calloc(1, sizeof(*op));

    if (!op)
        return NULL;
    op->client = c;
    op->service = service;
    op->name = strdup(name);
    op->what = strdup(what);
    op->started = c->host->now_mono(c->host->ctx);
    op->deadline = deadline;
    op->interval = POLL_FIRST;
    if (op->name && op->what)
        return op;
    op_free(op);
    return NULL;
}

struct gcp_op *gcp_op_wait(struct gcp_client *c, enum gcp_service service, struct json_object *first,
                           const char *what, int64_t deadline, gcp_op_fn fn, void *arg)
{
    const char *name = gcp_json_str(first, "name");
    struct gcp_op *op = op_new(c, service, name ? name : "", what, deadline);

    if (!op)
        return NULL;
    op->fn = fn;
    op->arg = arg;
    if (name && !gcp_json_bool(first, "done")) {
        op_next(op);
        return op;
    }
    op->first = json_object_get(first);
    op->timer = c->host->timer_start(c->host->ctx, 0, on_first, op);
    return op;
}

struct gcp_op *gcp_op_resume(struct gcp_client *c, enum gcp_service service, const char *name,
                             const char *what, int64_t deadline, gcp_op_fn fn, void *arg)
{
    struct gcp_op *op = op_new(c, service, name, what, deadline);

    if (!op)
        return NULL;
    op->fn = fn;
    op->arg = arg;
    op->timer = c->host->timer_start(c->host->ctx, 0, op_poll, op);
    return op;
}
