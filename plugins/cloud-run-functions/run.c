/*
 * run.c - the operations "start" and "kill": a run is one POST to the function's URL, held until the end.
 *
 *   the URL (waits for a function that is made in the background) -> a token (private functions)
 *   -> POST: the start is complete, the run goes on -> the answer -> run_ended()
 *
 * The POST runs the user's command, so it is never repeated once it may have reached the function: fresh
 * connection, no replay, no retry. Two refusals prove that it did not: no byte was sent, or Google's front
 * end (not the agent) turned it away. Both are usual for a while after a deployment (IAM and DNS take their
 * time) or while an earlier instance ends; so for a bounded time it is tried again.
 *
 * The host cancelling the request means that the daemon ends; the container goes on in the cloud and the run
 * is not over.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/run.h"
#include "cloud-run-functions/deploy.h"
#include "cloud-run-functions/request.h"
#include "gcp/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define AGAIN_FIRST (500 * GCP_MSEC)
#define AGAIN_MAX   (8 * GCP_SECOND)
/* How long it is tried again: permissions and names take effect minutes after the function was made ... */
#define PATIENCE_NEW (120 * GCP_SECOND)
/* ... but the daemon waits no longer than agent.connect-timeout (60 s) for an agent, and then can't say why none came. */
#define PATIENCE_AGENT (45 * GCP_SECOND)
/* ... no free instance: the run before this one is just ending; no connection: a network that hiccups. */
#define PATIENCE_BUSY          (15 * GCP_SECOND)
#define PATIENCE_NO_CONNECTION (3 * GCP_SECOND)
/* ... no token: its server is down for a moment. */
#define PATIENCE_TOKEN (120 * GCP_SECOND)
/* Beyond the function's own limit: for the front end to say so. */
#define TIMEOUT_SLACK (60 * GCP_SECOND)
#define ANSWER_MAX    65536

struct start {
    struct gcf_op op;
    struct gcf_run *run;
};

struct gcf_run {
    UT_hash_handle hh;
    struct skl_instance *inst;
    char container_id[65];
    uint32_t number;
    struct gcf_handle handle;
    struct start *start;       /* until it is complete */
    struct gcf_deploy *deploy; /* whose end is awaited */
    struct gcf_watch watch;
    struct gcp_token_wait *token_wait;
    struct skl_timer *timer;
    struct skl_http *http;
    bool canceled, reauthed, warned;
    bool agent; /* the daemon waits for it */
    int64_t began, delay;
    char *token;
};

static void run_get_token(void *arg);

/* ---- ends ---- */

static void run_free(struct gcf_run *r)
{
    const struct skl_host *host = r->inst->host;

    if (r->deploy)
        gcf_deploy_unwatch(r->deploy, &r->watch);
    gcp_token_wait_cancel(r->token_wait);
    if (r->timer)
        host->timer_stop(host->ctx, r->timer);
    HASH_DEL(r->inst->runs, r);
    free(r->token);
    free(r);
}

/* Completes the start call, if it is still open. */
static void run_started(struct gcf_run *r, const struct skl_error *err)
{
    struct start *s = r->start;

    if (!s)
        return;
    r->start = NULL;
    gcf_op_end(&s->op, err, NULL);
    free(s);
}

/* There is no run: the start call fails. Or, when it was complete, the run ends. */
static void run_fail(struct gcf_run *r, const struct skl_error *err)
{
    struct skl_run_end end = {
        .size = sizeof(end), .kind = SKL_END_FAILED, .exit_code = 1, .reason = err->message};

    if (r->start)
        run_started(r, err);
    else
        r->inst->host->run_ended(r->inst->host->ctx, r->container_id, r->number, &end);
    run_free(r);
}

static void run_ended(struct gcf_run *r, const struct skl_run_end *end)
{
    r->inst->host->run_ended(r->inst->host->ctx, r->container_id, r->number, end);
    run_free(r);
}

static void run_canceled(struct gcf_run *r)
{
    struct skl_run_end end = {.size = sizeof(end), .kind = SKL_END_CANCELED, .exit_code = 137};

    run_ended(r, &end);
}

static void start_destroy(struct gcf_op *op)
{
    struct start *s = (struct start *)op;

    run_free(s->run);
    free(s);
}

void gcf_run_close_all(struct skl_instance *inst)
{
    while (inst->runs)
        run_free(inst->runs);
}

void gcf_run_end(struct skl_instance *inst, const char *container_id)
{
    struct skl_error err;
    struct gcf_run *r;

    HASH_FIND_STR(inst->runs, container_id, r);
    if (!r || r->canceled)
        return;
    if (r->start) {
        (void)gcp_error(&err, SKL_ERR_CANCELED, "the start was cancelled");
        run_fail(r, &err);
    } else if (r->http) {
        r->canceled = true;
        inst->host->http_cancel(inst->host->ctx, r->http);
    } else {
        run_canceled(r);
    }
}

/* ---- the invocation ---- */

/* How long from now it is worth trying again. */
static int64_t run_patience(const struct gcf_run *r, const struct skl_http_response *res)
{
    const struct skl_host *host = r->inst->host;
    int64_t spent = gcf_now(r->inst) - r->began, left;

    if (!res->status)
        return PATIENCE_NO_CONNECTION - spent;
    if (res->status == 429 || res->status == 409)
        return PATIENCE_BUSY - spent;
    left = r->handle.created + PATIENCE_NEW - host->now_wall(host->ctx);
    return r->agent && left > PATIENCE_AGENT - spent ? PATIENCE_AGENT - spent : left;
}

static void run_warn(struct gcf_run *r, const struct skl_http_response *res)
{
    struct skl_run_end end = {.size = sizeof(end)};
    char reason[900];

    if (r->warned)
        return;
    r->warned = true;
    gcf_run_judge(&end, reason, sizeof(reason), res);
    gcf_log(r->inst, SKL_LOG_WARN, "container %.12s: %s; trying again for a while", r->container_id, reason);
}

static int64_t run_delay(const struct gcf_run *r)
{
    return (int64_t)((double)r->delay * (0.5 + gcp_random(r->inst->host)));
}

static void run_retry(struct gcf_run *r, int64_t delay)
{
    r->delay = r->delay * 2 > AGAIN_MAX ? AGAIN_MAX : r->delay * 2;
    r->timer = r->inst->host->timer_start(r->inst->host->ctx, delay, run_get_token, r);
}

/* True: another try is under way. */
static bool run_again(struct gcf_run *r, const struct skl_http_response *res)
{
    int64_t delay = run_delay(r);

    if (!gcf_run_turned_away(res))
        return false;
    if (res->status == 401 && r->token && !r->reauthed) { /* not this token: one more try with a fresh one */
        r->reauthed = true;
        gcp_auth_drop(r->inst->auth, r->token);
    } else if (delay >= run_patience(r, res)) {
        return false;
    }
    run_warn(r, res);
    run_retry(r, delay);
    return true;
}

static void on_answer(void *arg, const struct skl_http_response *res)
{
    struct gcf_run *r = arg;
    struct skl_run_end end = {.size = sizeof(end)};
    char reason[900];

    r->http = NULL;
    if (r->canceled) {
        run_canceled(r);
        return;
    }
    if (!res->status && res->error && res->error->kind == SKL_ERR_CANCELED) {
        run_free(r); /* the daemon ends; the run does not */
        return;
    }
    if (run_again(r, res))
        return;
    gcf_run_judge(&end, reason, sizeof(reason), res);
    end.reason = *reason ? reason : NULL;
    run_ended(r, &end);
}

static void run_send(struct gcf_run *r)
{
    char *bearer = r->token ? gcp_format("Bearer %s", r->token) : NULL;
    struct skl_http_header headers[] = {{"Content-Type", "application/json"},
                                        {"User-Agent", r->inst->user_agent},
                                        {bearer ? "Authorization" : NULL, bearer},
                                        {NULL, NULL}};
    struct skl_http_request req = {
        .size = sizeof(req), .method = "POST", .url = r->handle.uri, .headers = headers};
    struct skl_error err;

    req.flags = SKL_HTTP_FRESH;
    req.body = "{}";
    req.body_len = 2;
    req.max_response = ANSWER_MAX;
    req.timeout_ns = r->inst->config.timeout_s * GCP_SECOND + TIMEOUT_SLACK;
    r->http = r->inst->host->http_submit(r->inst->host->ctx, &req, on_answer, r, &err);
    free(bearer);
    if (r->http)
        run_started(r, NULL);
    else
        run_fail(r, &err);
}

static void on_token(void *arg, const char *token, const struct skl_error *err, bool transient)
{
    struct gcf_run *r = arg;
    int64_t delay = run_delay(r);

    r->token_wait = NULL;
    if (err && transient && gcf_now(r->inst) + delay < r->began + PATIENCE_TOKEN) {
        run_retry(r, delay);
        return;
    }
    if (err) {
        run_fail(r, err);
        return;
    }
    free(r->token);
    r->token = strdup(token);
    run_send(r);
}

/* "https://host" of a URL, new string. */
static char *audience(const char *uri)
{
    const char *host = strstr(uri, "://");
    size_t n = host ? (size_t)(host + 3 - uri) + strcspn(host + 3, "/?#") : 0;

    return gcp_format("%.*s", (int)n, uri);
}

static void run_get_token(void *arg)
{
    struct gcf_run *r = arg;
    struct skl_error err;
    char *aud;

    r->timer = NULL;
    if (!r->inst->auth) {
        run_send(r);
        return;
    }
    aud = audience(r->handle.uri);
    r->token_wait = aud ? gcp_auth_id_token(r->inst->auth, aud, on_token, r) : NULL;
    free(aud);
    if (r->token_wait)
        return;
    (void)gcp_error(&err, SKL_ERR_INTERNAL, "out of memory");
    run_fail(r, &err);
}

/* ---- the function's URL ---- */

static void run_ready(struct gcf_run *r, const char *uri, int64_t created)
{
    (void)snprintf(r->handle.uri, sizeof(r->handle.uri), "%s", uri);
    r->handle.created = created;
    r->began = gcf_now(r->inst);
    r->delay = AGAIN_FIRST;
    run_get_token(r);
}

static void on_deployed(void *arg, const struct skl_error *err, const struct gcf_handle *h)
{
    struct gcf_run *r = arg;

    if (err) /* told once: the next start tries again */
        gcf_deploy_forget(r->deploy);
    r->deploy = NULL;
    if (err)
        run_fail(r, err);
    else
        run_ready(r, h->uri, h->created);
}

/* The daemon was restarted while the function was being made, or that failed: its state is settled first. */
static int run_deploy(struct gcf_run *r, const struct skl_container *c, struct skl_error *err)
{
    char warning[200];
    struct json_object *fn = gcf_request_function(r->inst, c, warning, sizeof(warning), err);

    if (!fn)
        return -1;
    r->deploy = gcf_deploy_begin(r->inst, c, true, &r->watch, fn);
    json_object_put(fn);
    return r->deploy ? 0 : gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
}

/* ---- from the host ---- */

static struct gcf_run *run_new(struct skl_instance *inst, const struct skl_container *c)
{
    struct gcf_run *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->inst = inst;
    r->number = c->run;
    r->agent = c->agent_callback_url != NULL;
    r->began = gcf_now(inst);
    r->delay = AGAIN_FIRST;
    r->watch.arg = r;
    r->watch.done = on_deployed;
    (void)snprintf(r->container_id, sizeof(r->container_id), "%s", c->id);
    HASH_ADD_STR(inst->runs, container_id, r);
    return r;
}

static void run_begin(struct gcf_run *r, const struct skl_container *c)
{
    struct skl_error err;

    if (*r->handle.uri)
        run_get_token(r);
    else if ((r->deploy = gcf_deploy_find(r->inst, r->container_id)))
        gcf_deploy_watch(r->deploy, &r->watch);
    else if (run_deploy(r, c, &err) < 0)
        run_fail(r, &err);
}

void gcf_start(struct skl_instance *inst, struct skl_call *call, const struct skl_start_req *req)
{
    struct start *s;
    struct gcf_run *r;
    struct gcf_handle h;

    HASH_FIND_STR(inst->runs, req->container->id, r);
    if (r) {
        gcf_refuse(inst, call, SKL_ERR_CONFLICT, "a run of container %.12s is in progress",
                   req->container->id);
        return;
    }
    if (!gcf_handle_read(&h, req->container->handle)) {
        gcf_refuse(inst, call, SKL_ERR_INTERNAL, "container %.12s has no function", req->container->id);
        return;
    }
    s = calloc(1, sizeof(*s));
    r = s ? run_new(inst, req->container) : NULL;
    if (!r) {
        free(s);
        gcf_refuse(inst, call, SKL_ERR_INTERNAL, "out of memory");
        return;
    }
    r->handle = h;
    r->start = s;
    s->run = r;
    gcf_op_begin(&s->op, inst, call, start_destroy);
    run_begin(r, req->container);
}

void gcf_kill(struct skl_instance *inst, struct skl_call *call, const struct skl_kill_req *req)
{
    gcf_run_end(inst, req->container->id);
    inst->host->complete(inst->host->ctx, call, NULL, NULL);
}
