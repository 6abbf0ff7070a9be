/*
 * gcp/client.c - see client.h.
 *
 * A call walks through gate, token, request, and on a fault that may pass, a delay and again. `advance()`
 * starts the step that is due; every event (timer, token, answer) sets the next step and calls it. A call in
 * the hands of the host's HTTP client can't be freed until done() ran, so a cancelled call lives on detached
 * ("orphan") until then, and touches nothing but the host: the client and its instance may be gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/client.h"
#include "gcp/auth.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST (1 * GCP_SECOND)
#define RETRY_MAX   (32 * GCP_SECOND)
#define TOKEN_TRIES 3
#define HEADERS_MAX 16
#define REAUTH_MAX  1
/* Answers with a 2xx status that are not the API's: a page of somebody in between, or cut off. */
#define GARBLED_MAX 3
/* A server that asks for more patience than this is not waited for beyond the deadline anyway. */
#define RETRY_AFTER_MAX (120 * GCP_SECOND)

/* The distance after a first refusal, the part of it that a success takes away, and what is too little to
 * keep: parts of the quota's pace. */
#define GATE_FIRST 16
#define GATE_EASE  32
#define GATE_LAST  64
#define WRITE_PACE (1 * GCP_SECOND)
#define READ_PACE  (50 * GCP_MSEC)
#define LOG_PACE   (1 * GCP_SECOND)
#define LOG_BURST  60

enum step { STEP_GATE, STEP_TOKEN, STEP_SEND, STEP_FAIL };

struct gcp_call {
    struct gcp_client *client; /* NULL: cancelled, lives for the host's done() */
    const struct skl_host *host;
    struct gcp_call *prev, *next;
    gcp_reply_fn fn;
    void *arg;
    char *method, *url, *body, *content_type, *what;
    size_t body_len, max_response;
    char *header_text[HEADERS_MAX * 2]; /* name, value, ... of the caller's headers */
    enum gcp_policy policy;
    struct gcp_gate *gate;
    int64_t deadline, attempt_timeout;
    bool no_auth, ambiguous, object;
    enum step step;
    unsigned tries, reauths, garbled;
    int64_t delay;
    struct skl_timer *timer;
    struct skl_http *http;
    struct gcp_token_wait *token_wait;
    char *token; /* what this attempt was sent with */
    int64_t server_time;
    char *location;
    struct gcp_fault fault;
    struct skl_error error; /* of a token, or of a malformed request */
};

static void call_advance(struct gcp_call *call);

double gcp_random(const struct skl_host *host)
{
    uint32_t r;

    host->random(host->ctx, &r, sizeof(r));
    return (double)r / 4294967296.0;
}

char *gcp_client_url(const struct gcp_client *c, enum gcp_service service, const char *path)
{
    static const char *const names[] = {"cloudfunctions", "run", "logging"};

    if (c->endpoint)
        return gcp_format("%s%s", c->endpoint, path);
    return gcp_format("https://%s.%s%s", names[service], c->universe, path);
}

static void call_unlink(struct gcp_call *call)
{
    if (!call->client)
        return;
    if (call->prev)
        call->prev->next = call->next;
    else
        call->client->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    call->client = NULL;
}

static void call_free(struct gcp_call *call)
{
    call_unlink(call);
    free(call->method);
    free(call->url);
    free(call->body);
    free(call->content_type);
    free(call->what);
    free(call->token);
    free(call->location);
    for (int i = 0; i < HEADERS_MAX * 2; i++)
        free(call->header_text[i]);
    free(call);
}

void gcp_call_cancel(struct gcp_call *call)
{
    if (!call)
        return;
    if (call->timer)
        call->host->timer_stop(call->host->ctx, call->timer);
    gcp_token_wait_cancel(call->token_wait);
    call->token_wait = NULL;
    call->timer = NULL;
    call_unlink(call);
    if (call->http)
        call->host->http_cancel(call->host->ctx, call->http); /* on_answer frees */
    else
        call_free(call);
}

void gcp_client_init(struct gcp_client *c, const struct skl_host *host)
{
    c->host = host;
    c->universe = "googleapis.com";
    c->writes.pace = WRITE_PACE;
    c->reads.pace = READ_PACE;
    c->log_reads.pace = LOG_PACE;
    c->log_reads.burst = LOG_BURST;
}

void gcp_client_fini(struct gcp_client *c)
{
    while (c->calls)
        gcp_call_cancel(c->calls);
}

static bool call_copy_headers(struct gcp_call *call, const struct skl_http_header *h)
{
    for (int i = 0; h && h[i].name; i++) {
        if (i == HEADERS_MAX)
            return false;
        call->header_text[2 * i] = strdup(h[i].name);
        call->header_text[2 * i + 1] = strdup(h[i].value);
        if (!call->header_text[2 * i] || !call->header_text[2 * i + 1])
            return false;
    }
    return true;
}

static struct gcp_call *call_new(struct gcp_client *c, const struct gcp_request *req)
{
    struct gcp_call *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    call->host = c->host;
    call->method = gcp_dup(req->method);
    call->url = gcp_dup(req->url);
    call->content_type = gcp_dup(req->content_type ? req->content_type : "application/json");
    call->what = gcp_dup(req->what);
    call->body = req->body ? malloc(req->body_len + 1) : NULL;
    if (call->body) {
        memcpy(call->body, req->body, req->body_len);
        call->body[req->body_len] = '\0';
    }
    if (!call->method || !call->url || !call->content_type || !call->what || (req->body && !call->body) ||
        !call_copy_headers(call, req->headers)) {
        call_free(call);
        return NULL;
    }
    call->body_len = req->body_len;
    call->max_response = req->max_response;
    call->attempt_timeout = req->attempt_timeout ? req->attempt_timeout : GCP_ATTEMPT_TIMEOUT;
    call->policy = req->policy;
    call->gate = req->gate;
    call->no_auth = req->no_auth || !c->auth;
    call->object = req->object;
    return call;
}

struct gcp_call *gcp_call_start(struct gcp_client *c, const struct gcp_request *req, gcp_reply_fn fn,
                                void *arg)
{
    struct gcp_call *call = call_new(c, req);

    if (!call)
        return NULL;
    call->fn = fn;
    call->arg = arg;
    call->deadline = req->deadline ? req->deadline : c->host->now_mono(c->host->ctx) + GCP_CALL_TIMEOUT;
    call->delay = RETRY_FIRST;
    call->client = c;
    call->next = c->calls;
    if (c->calls)
        c->calls->prev = call;
    c->calls = call;
    call->step = req->gate_taken ? STEP_TOKEN : STEP_GATE;
    call_advance(call);
    return call;
}

/* The one end of a call that was not cancelled. The callback may start or cancel anything; the call is gone
 * first. */
static void call_finish(struct gcp_call *call, const struct gcp_reply *reply)
{
    gcp_reply_fn fn = call->fn;
    void *arg = call->arg;

    call_unlink(call);
    fn(arg, reply);
    call_free(call);
}

static void call_fail(struct gcp_call *call)
{
    struct gcp_reply reply = {
        .error = &call->error, .fault = &call->fault, .body = "", .ambiguous = call->ambiguous};

    reply.server_time = call->server_time;
    reply.location = call->location;
    if (!call->fault.code)
        call->fault.code = GCP_UNAVAILABLE;
    call_finish(call, &reply);
}

static void on_timer(void *arg)
{
    struct gcp_call *call = arg;

    call->timer = NULL;
    call_advance(call);
}

static void call_later(struct gcp_call *call, enum step step, int64_t delay)
{
    call->step = step;
    call->timer = call->host->timer_start(call->host->ctx, delay, on_timer, call);
}

/* ---- gate ---- */

int64_t gcp_gate_take(struct gcp_gate *g, int64_t now)
{
    int64_t burst = g->distance ? 1 : g->burst, pace = g->distance ? g->distance : g->pace;
    int64_t start = now < g->closed_until ? g->closed_until : now, ahead;

    if (!burst)
        return start - now;
    if (g->theoretical < start)
        g->theoretical = start;
    ahead = g->theoretical - (burst - 1) * pace;
    g->theoretical += pace;
    return (ahead > start ? ahead : start) - now;
}

int64_t gcp_gate_peek(const struct gcp_gate *g, int64_t now)
{
    struct gcp_gate copy = *g;

    return gcp_gate_take(&copy, now);
}

static void gate_refused(struct gcp_gate *g, int64_t now, int64_t delay)
{
    int64_t wider = g->distance ? g->distance * 2 : g->pace / GATE_FIRST;

    g->distance = wider > g->pace ? g->pace : wider;
    if (g->closed_until < now + delay)
        g->closed_until = now + delay;
}

static void gate_passed(struct gcp_gate *g)
{
    g->distance -= g->distance / GATE_EASE;
    if (g->distance < g->pace / GATE_LAST)
        g->distance = 0;
}

/* The quota's queue is longer than the call may take. */
static void call_give_up(struct gcp_call *call)
{
    if (!call->error.kind)
        (void)gcp_error(&call->error, SKL_ERR_EXHAUSTED, "%s: the project's requests per minute are used up",
                        call->what);
    if (!call->fault.code)
        call->fault.code = GCP_RESOURCE_EXHAUSTED;
    call_later(call, STEP_FAIL, 0);
}

/* ---- token ---- */

static void on_token(void *arg, const char *token, const struct skl_error *error, bool transient);

static void call_retry_or_fail(struct gcp_call *call, int64_t at_least)
{
    int64_t now = call->host->now_mono(call->host->ctx);
    int64_t delay = (int64_t)((double)call->delay * (0.5 + gcp_random(call->host)));
    bool spent = call->policy == GCP_TOKEN && call->tries >= TOKEN_TRIES;

    if (delay < at_least)
        delay = at_least;
    if (spent || now + delay >= call->deadline) {
        call_fail(call);
        return;
    }
    call->delay = call->delay * 2 > RETRY_MAX ? RETRY_MAX : call->delay * 2;
    call_later(call, STEP_GATE, delay);
}

static void on_token(void *arg, const char *token, const struct skl_error *error, bool transient)
{
    struct gcp_call *call = arg;

    call->token_wait = NULL;
    if (!error) {
        free(call->token);
        call->token = strdup(token);
        call->step = STEP_SEND;
        call_advance(call);
        return;
    }
    /* The request was not sent: with a token endpoint that is down for a while, waiting is all it takes. */
    call->error = *error;
    call->fault.code = GCP_UNAUTHENTICATED;
    if (transient && call->policy != GCP_ONCE)
        call_retry_or_fail(call, 0);
    else
        call_fail(call);
}

static void call_get_token(struct gcp_call *call)
{
    if (call->no_auth) {
        call->step = STEP_SEND;
        call_advance(call);
        return;
    }
    call->token_wait = gcp_auth_access_token(call->client->auth, on_token, call);
    if (call->token_wait)
        return;
    (void)gcp_error(&call->error, SKL_ERR_INTERNAL, "%s: out of memory", call->what);
    call_later(call, STEP_FAIL, 0);
}

/* ---- request ---- */

static void call_refused(struct gcp_call *call)
{
    const struct gcp_fault *f = &call->fault;
    int64_t now = call->host->now_mono(call->host->ctx);
    int64_t wait = f->retry_after_ns > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : f->retry_after_ns;

    gcp_fault_to_error(f, call->what, &call->error);
    switch (gcp_fault_verdict(f, call->policy)) {
    case GCP_REAUTH:
        if (call->no_auth || call->reauths++ >= REAUTH_MAX)
            break;
        gcp_auth_drop(call->client->auth, call->token);
        call_later(call, STEP_GATE, 0);
        return;
    case GCP_RETRY:
        if (call->gate && f->code == GCP_RESOURCE_EXHAUSTED)
            gate_refused(call->gate, now, wait > 0 ? wait : call->delay);
        call_retry_or_fail(call, wait);
        return;
    case GCP_FAIL:
        break;
    }
    call_fail(call);
}

/* Who answered may have done what was asked, or never have heard of it. */
static void call_garbled(struct gcp_call *call, const struct skl_http_response *res)
{
    gcp_fault_garbled(&call->fault, res);
    call->ambiguous = true;
    if (call->garbled++ < GARBLED_MAX) {
        call_refused(call);
        return;
    }
    gcp_fault_to_error(&call->fault, call->what, &call->error);
    call_fail(call);
}

static void call_succeed(struct gcp_call *call, const struct skl_http_response *res)
{
    struct gcp_reply reply = {.body = res->body ? res->body : "", .body_len = res->body_len, .response = res};

    reply.ambiguous = call->ambiguous;
    reply.server_time = call->server_time;
    reply.json = gcp_json_parse(reply.body, reply.body_len);
    if (call->object && !res->truncated && !json_object_is_type(reply.json, json_type_object))
        call_garbled(call, res);
    else
        call_finish(call, &reply);
    json_object_put(reply.json);
}

static void call_note_headers(struct gcp_call *call, const struct skl_http_response *res)
{
    bool answered = res->status && res->header;
    const char *date = answered ? res->header(res, "Date") : NULL, *location;

    if (!date || !gcp_http_date_parse(date, &call->server_time))
        call->server_time = 0;
    location = answered && res->status >= 300 && res->status < 400 ? res->header(res, "Location") : NULL;
    free(call->location);
    call->location = gcp_dup(location);
}

static void on_answer(void *arg, const struct skl_http_response *res)
{
    struct gcp_call *call = arg;

    call->http = NULL;
    if (!call->client) {
        call_free(call);
        return;
    }
    call_note_headers(call, res);
    /* A date in Retry-After is the server's: so is the clock it is measured by. */
    gcp_fault_from_response(&call->fault, res,
                            call->server_time ? call->server_time : call->host->now_wall(call->host->ctx));
    if (call->gate && res->status && call->fault.code != GCP_RESOURCE_EXHAUSTED)
        gate_passed(call->gate);
    if (call->fault.code == GCP_OK) {
        call_succeed(call, res);
        return;
    }
    if (call->fault.no_answer ? call->fault.sent : call->fault.http >= 500)
        call->ambiguous = true;
    call_refused(call);
}

static size_t put_header(struct skl_http_header *h, size_t n, const char *name, const char *value)
{
    if (!value)
        return n;
    h[n].name = name;
    h[n].value = value;
    return n + 1;
}

static void call_send(struct gcp_call *call)
{
    struct skl_http_header h[HEADERS_MAX + 5] = {{0}};
    struct skl_http_request r = {.size = sizeof(r), .method = call->method, .url = call->url, .headers = h};
    char *bearer = call->no_auth ? NULL : gcp_format("Bearer %s", call->token);
    const char *quota = call->no_auth ? NULL : gcp_auth_quota_project(call->client->auth);
    int64_t left = call->deadline - call->host->now_mono(call->host->ctx);
    size_t n = 0;

    n = put_header(h, n, "Authorization", bearer);
    n = put_header(h, n, "x-goog-user-project", quota);
    n = put_header(h, n, "User-Agent", call->client->user_agent);
    n = put_header(h, n, "Content-Type", call->body ? call->content_type : NULL);
    for (int i = 0; i < HEADERS_MAX && call->header_text[2 * i]; i++)
        n = put_header(h, n, call->header_text[2 * i], call->header_text[2 * i + 1]);
    r.body = call->body;
    r.body_len = call->body_len;
    r.max_response = call->max_response;
    r.timeout_ns = left < GCP_MSEC ? GCP_MSEC : left < call->attempt_timeout ? left : call->attempt_timeout;
    if (call->policy == GCP_READ || call->policy == GCP_DELETE)
        r.flags = SKL_HTTP_IDEMPOTENT;
    call->tries++;
    call->http = call->host->http_submit(call->host->ctx, &r, on_answer, call, &call->error);
    free(bearer);
    if (!call->http)
        call_later(call, STEP_FAIL, 0);
}

static void call_advance(struct gcp_call *call)
{
    int64_t wait = 0, now = call->host->now_mono(call->host->ctx);

    if (call->step == STEP_GATE) {
        if (call->gate)
            wait = gcp_gate_take(call->gate, now);
        if (now + wait >= call->deadline) {
            call_give_up(call);
            return;
        }
        if (wait > 0) {
            call_later(call, STEP_TOKEN, wait);
            return;
        }
        call->step = STEP_TOKEN;
    }
    if (call->step == STEP_TOKEN)
        call_get_token(call);
    else if (call->step == STEP_SEND)
        call_send(call);
    else
        call_fail(call);
}
