/*
 * removal.c - see removal.h.
 *
 * (GET, when it may be another's,) DELETE, then the operation, then done. While a create is in progress Google answers 409 ("unable to queue
 * the operation"), which the call itself repeats (GCP_DELETE); an operation that fails is begun again after a
 * pause.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/removal.h"
#include "cloud-run-functions/function.h"

#include <stdlib.h>
#include <string.h>

/* Long enough for a few hundred others before it at 60 a minute. The host's own deadline may be shorter. */
#define REMOVAL_TIMEOUT (900 * GCP_SECOND)
#define REMOVAL_AGAIN   (5 * GCP_SECOND)
#define LATE_LOOKS      3

struct gcf_removal {
    struct skl_instance *inst;
    char *name, *what;
    char *owner; /* whose it must be; NULL: no doubt about that */
    int late_looks;
    gcf_removal_fn fn;
    void *arg;
    int64_t deadline;
    struct gcp_call *call;
    struct gcp_op *op;
    struct skl_timer *timer;
};

static void removal_send(void *arg);

static void removal_free(struct gcf_removal *r)
{
    free(r->name);
    free(r->what);
    free(r->owner);
    free(r);
}

void gcf_removal_stop(struct gcf_removal *r)
{
    if (!r)
        return;
    gcp_call_cancel(r->call);
    gcp_op_cancel(r->op);
    if (r->timer)
        r->inst->host->timer_stop(r->inst->host->ctx, r->timer);
    removal_free(r);
}

static void removal_finish(struct gcf_removal *r, const struct skl_error *err)
{
    r->fn(r->arg, err);
    removal_free(r);
}

/* Again, unless that would be too late. */
static void removal_again(struct gcf_removal *r, const struct skl_error *err)
{
    if (gcf_now(r->inst) + REMOVAL_AGAIN >= r->deadline)
        removal_finish(r, err);
    else
        r->timer = r->inst->host->timer_start(r->inst->host->ctx, REMOVAL_AGAIN, removal_send, r);
}

static void removal_no_memory(struct gcf_removal *r)
{
    struct skl_error err;

    (void)gcp_error(&err, SKL_ERR_INTERNAL, "%s: out of memory", r->what);
    removal_again(r, &err);
}

/* Not there: that is the aim, but after a lost answer the function may still come. */
static void removal_gone(struct gcf_removal *r)
{
    if (r->late_looks-- > 0)
        removal_again(r, NULL);
    else
        removal_finish(r, NULL);
}

static void on_operation(void *arg, const struct gcp_op_result *result)
{
    struct gcf_removal *r = arg;

    r->op = NULL;
    if (!result->error || result->fault->code == GCP_NOT_FOUND)
        removal_finish(r, NULL);
    else if (result->fault->canceled)
        removal_finish(r, result->error);
    else
        removal_again(r, result->error);
}

/* Whether this answer ends the removal: the function is gone already, or can't be removed. */
static bool ended_by(struct gcf_removal *r, const struct gcp_reply *reply)
{
    r->call = NULL;
    if (!reply->error)
        return false;
    if (reply->fault->code == GCP_NOT_FOUND && !reply->fault->html)
        removal_gone(r);
    else
        removal_finish(r, reply->error);
    return true;
}

static void on_delete(void *arg, const struct gcp_reply *reply)
{
    struct gcf_removal *r = arg;

    if (ended_by(r, reply))
        return;
    r->op = gcp_op_wait(&r->inst->client, GCP_FUNCTIONS, reply->json, r->what, r->deadline, on_operation, r);
    if (!r->op)
        removal_no_memory(r);
}

static void on_look(void *arg, const struct gcp_reply *reply)
{
    struct gcf_removal *r = arg;
    struct gcf_function f;

    if (ended_by(r, reply))
        return;
    gcf_function_read(&f, reply->json);
    if (strcmp(f.container_id, r->owner)) {
        gcf_log(r->inst, SKL_LOG_WARN, "%s: it is another's and stays", r->what);
        removal_finish(r, NULL);
        return;
    }
    free(r->owner);
    r->owner = NULL;
    removal_send(r);
}

static void removal_send(void *arg)
{
    struct gcf_removal *r = arg;
    struct gcp_request req = {.method = r->owner ? "GET" : "DELETE", .what = r->what, .object = true};
    char *path = gcp_format("/v2/%s", r->name);
    char *url = path ? gcp_client_url(&r->inst->client, GCP_FUNCTIONS, path) : NULL;

    r->timer = NULL;
    req.url = url;
    req.policy = r->owner ? GCP_READ : GCP_DELETE;
    req.gate = r->owner ? &r->inst->client.reads : &r->inst->client.writes;
    req.deadline = r->deadline;
    r->call = url ? gcp_call_start(&r->inst->client, &req, r->owner ? on_look : on_delete, r) : NULL;
    free(path);
    free(url);
    if (!r->call)
        removal_no_memory(r);
}

struct gcf_removal *gcf_removal_start(struct skl_instance *inst, const char *name, const char *owner,
                                      bool late, gcf_removal_fn fn, void *arg)
{
    struct gcf_removal *r = calloc(1, sizeof(*r));
    const char *slash = strrchr(name, '/');

    if (!r)
        return NULL;
    r->inst = inst;
    r->name = strdup(name);
    r->what = gcp_format("delete function %s", slash ? slash + 1 : name);
    r->owner = gcp_dup(owner);
    if (!r->name || !r->what || (owner && !r->owner)) {
        removal_free(r);
        return NULL;
    }
    r->late_looks = late ? LATE_LOOKS : 0;
    r->fn = fn;
    r->arg = arg;
    r->deadline = gcf_now(inst) + REMOVAL_TIMEOUT;
    removal_send(r);
    return r;
}
