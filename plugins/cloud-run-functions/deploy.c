/*
 * deploy.c - see deploy.h.
 *
 *   POST --accepted--> WAIT --done--> ready
 *     |                  |  \--says nothing of the function, or lost--> LOOK
 *     |                  \--failed--> CLEAN --> failed
 *     \--ALREADY_EXISTS--> LOOK --ours, ACTIVE--> ready;  ours, DEPLOYING--> LOOK again;  FAILED--> CLEAN;
 *                               --not ours--> failed;     DELETING--> LOOK again;         404--> POST
 *
 * LOOK reads the function itself. It settles whatever an operation leaves open: an answer that was lost, an
 * operation that is not known any more, one that ends without error or response, a daemon that was restarted
 * meanwhile (`resumed` begins there). A function is ours by its nonce, never by its name alone.
 *
 * With "deploy": "image" there is more before and after (deploy_image.c): BAKE (an image with the agent, in
 * the registry), SOURCE (the placeholder's upload), POST; and once the function is active, PATCH (that image
 * under it).
 *
 * Nothing is left behind: CLEAN deletes before the failure is told, for at most CLEAN_PATIENCE; what takes
 * longer goes on in the background.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/deploy_internal.h"
#include "cloud-run-functions/cleanup.h"
#include "cloud-run-functions/removal.h"
#include "cloud-run-functions/request.h"
#include "gcp/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_FIRST     (100 * GCP_MSEC)
#define LOOK_MAX       (10 * GCP_SECOND)
#define CLEAN_PATIENCE (5 * GCP_SECOND)
/* A function that is ACTIVE has its URL at once, or soon. */
#define NO_URI_LOOKS 10

static void deploy_look(void *arg);
static void deploy_submit(struct gcf_deploy *d);

struct gcf_deploy *gcf_deploy_find(struct skl_instance *inst, const char *container_id)
{
    struct gcf_deploy *d;

    HASH_FIND_STR(inst->deploys, container_id, d);
    return d;
}

/* ---- ends ---- */

static void deploy_stop(struct gcf_deploy *d)
{
    gcp_call_cancel(d->call);
    gcp_op_cancel(d->op);
    gcf_removal_stop(d->removal);
    deploy_image_stop(d);
    if (d->timer)
        d->inst->host->timer_stop(d->inst->host->ctx, d->timer);
    d->call = NULL;
    d->op = NULL;
    d->removal = NULL;
    d->timer = NULL;
}

static void deploy_free(struct gcf_deploy *d)
{
    deploy_stop(d);
    HASH_DEL(d->inst->deploys, d);
    free(d->what);
    free(d->image);
    json_object_put(d->fn);
    free(d);
}

void gcf_deploy_close_all(struct skl_instance *inst)
{
    while (inst->deploys)
        deploy_free(inst->deploys);
}

/* Tells everybody; they may forget the deploy or begin others. */
static void deploy_tell(struct gcf_deploy *d)
{
    const struct skl_error *err = d->step == STEP_FAILED ? &d->error : NULL;
    struct gcf_watch *w;

    if (err && !d->watches && !d->forget)
        gcf_log(d->inst, SKL_LOG_WARN, "%s", err->message);
    d->telling = true;
    while ((w = d->watches)) {
        d->watches = w->next;
        if (w->done)
            w->done(w->arg, err, &d->handle);
    }
    d->telling = false;
    if (d->forget)
        deploy_free(d);
}

void deploy_end(struct gcf_deploy *d, enum step step)
{
    d->step = step;
    json_object_put(d->fn);
    d->fn = NULL;
    deploy_tell(d);
}

static void on_tell_timer(void *arg)
{
    struct gcf_deploy *d = arg;

    d->timer = NULL;
    deploy_tell(d);
}

/* ---- clean up after a failure ---- */

/* For removal.h: nobody's function is deleted on a guess. */
static const char *deploy_doubt(const struct gcf_deploy *d)
{
    return d->ours ? NULL : d->container_id;
}

static void on_cleaned(void *arg, const struct skl_error *err)
{
    struct gcf_deploy *d = arg;

    d->removal = NULL;
    if (d->timer)
        d->inst->host->timer_stop(d->inst->host->ctx, d->timer);
    d->timer = NULL;
    if (err && err->kind != SKL_ERR_CANCELED)
        gcf_cleanup(d->inst, d->handle.name, deploy_doubt(d), d->late);
    deploy_end(d, STEP_FAILED);
}

static void on_patience(void *arg)
{
    struct gcf_deploy *d = arg;

    d->timer = NULL;
    gcf_removal_stop(d->removal);
    d->removal = NULL;
    gcf_cleanup(d->inst, d->handle.name, deploy_doubt(d), d->late);
    deploy_end(d, STEP_FAILED);
}

/* d->error says why. */
static void deploy_clean(struct gcf_deploy *d)
{
    d->step = STEP_CLEAN;
    if (!(d->removal = gcf_removal_start(d->inst, d->handle.name, deploy_doubt(d), d->late, on_cleaned, d))) {
        deploy_end(d, STEP_FAILED);
        return;
    }
    d->timer = d->inst->host->timer_start(d->inst->host->ctx, CLEAN_PATIENCE, on_patience, d);
}

void deploy_fail(struct gcf_deploy *d, const struct skl_error *err, bool clean)
{
    d->error = *err;
    if (clean)
        deploy_clean(d);
    else
        deploy_end(d, STEP_FAILED);
}

static void on_no_memory(void *arg)
{
    struct gcf_deploy *d = arg;
    struct skl_error err;

    d->timer = NULL;
    (void)gcp_error(&err, SKL_ERR_INTERNAL, "%s: out of memory", d->what);
    deploy_fail(d, &err, d->clean);
}

/* Later: a starter must not call back. */
void deploy_no_memory(struct gcf_deploy *d, bool clean)
{
    d->clean = clean;
    d->timer = d->inst->host->timer_start(d->inst->host->ctx, 0, on_no_memory, d);
}

/* ---- the function itself ---- */

void deploy_ready(struct gcf_deploy *d)
{
    d->handle.operation[0] = '\0';
    d->handle.created = d->inst->host->now_wall(d->inst->host->ctx);
    deploy_end(d, STEP_READY);
}

static void deploy_active(struct gcf_deploy *d, const struct gcf_function *f)
{
    memcpy(d->handle.uri, f->uri, sizeof(d->handle.uri));
    if (f->created)
        d->handle.made = f->created;
    if (d->image)
        deploy_image_patch(d, f);
    else
        deploy_ready(d);
}

static void deploy_look_later(struct gcf_deploy *d, const char *state)
{
    struct skl_error err;

    if (gcf_now(d->inst) + d->look_delay >= d->deadline) {
        (void)gcp_error(&err, SKL_ERR_TIMEOUT, "%s: still %s after %lld s", d->what, state,
                        (long long)(d->inst->config.create_timeout / GCP_SECOND));
        deploy_fail(d, &err, true);
        return;
    }
    d->step = STEP_LOOK;
    d->timer = d->inst->host->timer_start(d->inst->host->ctx, d->look_delay, deploy_look, d);
    d->look_delay = d->look_delay * 3 / 2 > LOOK_MAX ? LOOK_MAX : d->look_delay * 3 / 2;
}

static void deploy_foreign(struct gcf_deploy *d, const struct gcf_function *f)
{
    struct skl_error err;

    (void)gcp_error(&err, SKL_ERR_CONFLICT,
                    "%s: a function of that name exists and is not this container's (%s%s)", d->what,
                    *f->container_id ? "container " : "it carries no container's labels",
                    *f->container_id ? f->container_id : "");
    deploy_fail(d, &err, false);
}

static void on_old_gone(void *arg, const struct skl_error *err)
{
    struct gcf_deploy *d = arg;

    d->removal = NULL;
    if (err)
        deploy_fail(d, err, false);
    else
        deploy_submit(d);
}

/* What an earlier process of this daemon left unfinished has failed: away with it, and once more. */
static void deploy_redo(struct gcf_deploy *d)
{
    d->removal = gcf_removal_start(d->inst, d->handle.name, NULL, false, on_old_gone, d);
    if (!d->removal)
        deploy_no_memory(d, false);
}

static void deploy_judge(struct gcf_deploy *d, const struct gcf_function *f)
{
    struct skl_error err;

    if (!*f->name) { /* no function at all */
        deploy_look_later(d, "not shown");
        return;
    }
    if (strcmp(f->nonce, d->nonce)) {
        deploy_foreign(d, f);
        return;
    }
    d->ours = true;
    switch (f->state) {
    case GCF_STATE_ACTIVE:
        if (*f->uri)
            deploy_active(d, f);
        else if (d->no_uri_looks++ < NO_URI_LOOKS)
            deploy_look_later(d, "without a URL");
        else {
            (void)gcp_error(&err, SKL_ERR_BAD_GATEWAY, "%s: the function is active but has no URL", d->what);
            deploy_fail(d, &err, true);
        }
        return;
    case GCF_STATE_FAILED:
        if (d->resumed && !d->posts) {
            deploy_redo(d);
            return;
        }
        (void)gcp_error(&err, SKL_ERR_INTERNAL, "%s: the function is %s: %s", d->what, f->state_text,
                        *f->message ? f->message : "no reason was given");
        deploy_fail(d, &err, true);
        return;
    default:
        deploy_look_later(d, *f->state_text ? f->state_text : "in no known state");
    }
}

static void on_look(void *arg, const struct gcp_reply *reply)
{
    struct gcf_deploy *d = arg;
    struct gcf_function f;

    d->call = NULL;
    if (!reply->error) {
        gcf_function_read(&f, reply->json);
        deploy_judge(d, &f);
    } else if (reply->fault->code == GCP_NOT_FOUND && d->posts < 2) {
        deploy_submit(d); /* it was being deleted, or never came to be */
    } else if (reply->fault->code == GCP_NOT_FOUND && d->conflict) {
        deploy_fail(d, &d->error, false); /* no function, but something else (a Cloud Run service) has the name */
    } else {
        deploy_fail(d, reply->error, !reply->fault->canceled && reply->fault->code != GCP_NOT_FOUND);
    }
}

static void deploy_look(void *arg)
{
    struct gcf_deploy *d = arg;
    struct gcp_request req = {.method = "GET", .what = d->what, .policy = GCP_READ, .deadline = d->deadline, .object = true};
    char *path = gcp_format("/v2/%s", d->handle.name);
    char *url = path ? gcp_client_url(&d->inst->client, GCP_FUNCTIONS, path) : NULL;

    d->timer = NULL;
    d->step = STEP_LOOK;
    req.url = url;
    req.gate = &d->inst->client.reads;
    d->call = url ? gcp_call_start(&d->inst->client, &req, on_look, d) : NULL;
    free(path);
    free(url);
    if (!d->call)
        deploy_no_memory(d, true);
}

/* ---- the operation ---- */

/* The name is taken: by our own earlier try, or by somebody else. */
static void deploy_taken(struct gcf_deploy *d, const struct skl_error *why)
{
    d->error = *why;
    d->conflict = true;
    d->ours = false;
    deploy_look(d);
}

static void on_operation(void *arg, const struct gcp_op_result *result)
{
    struct gcf_deploy *d = arg;
    struct gcf_function f;

    d->op = NULL;
    if (result->error && (result->failed || result->fault->code != GCP_NOT_FOUND)) {
        if (result->failed && result->fault->code == GCP_ALREADY_EXISTS)
            deploy_taken(d, result->error);
        else
            deploy_fail(d, result->error, !result->fault->canceled);
        return;
    }
    gcf_function_read(&f, result->response);
    if (!result->error && f.state == GCF_STATE_ACTIVE && *f.uri && !strcmp(f.nonce, d->nonce))
        deploy_active(d, &f);
    else
        deploy_look(d);
}

static void deploy_accepted(struct gcf_deploy *d, struct json_object *operation)
{
    const char *name = gcp_json_str(operation, "name");

    d->step = STEP_WAIT;
    d->ours = true;
    if (name && strlen(name) < sizeof(d->handle.operation))
        memcpy(d->handle.operation, name, strlen(name) + 1);
    d->handle.made = gcf_time_read(operation, "metadata.createTime");
    d->op = gcp_op_wait(&d->inst->client, GCP_FUNCTIONS, operation, d->what, d->deadline, on_operation, d);
    for (struct gcf_watch *w = d->watches, *next; w; w = next) {
        next = w->next;
        if (w->accepted)
            w->accepted(w->arg, &d->handle);
    }
    if (!d->op)
        deploy_no_memory(d, true);
}

/* ---- the request ---- */

static void on_post(void *arg, const struct gcp_reply *reply)
{
    struct gcf_deploy *d = arg;

    d->call = NULL;
    if (!reply->error) {
        deploy_accepted(d, reply->json);
        return;
    }
    if (reply->fault->code == GCP_ALREADY_EXISTS) {
        deploy_taken(d, reply->error);
        return;
    }
    d->late = reply->ambiguous;
    deploy_fail(d, reply->error, reply->ambiguous && !reply->fault->canceled);
}

void deploy_post(struct gcf_deploy *d)
{
    struct gcp_request req = {
        .method = "POST", .what = d->what, .policy = GCP_CREATE, .deadline = d->deadline, .object = true};
    const char *body = gcp_json_text(d->fn);
    char id[GCF_ID_MAX], *path, *url;

    gcf_function_id(d->container_id, id);
    path = gcp_format("/v2/projects/%s/locations/%s/functions?functionId=%s", d->inst->project,
                      d->inst->config.region, id);
    url = path ? gcp_client_url(&d->inst->client, GCP_FUNCTIONS, path) : NULL;
    d->step = STEP_POST;
    d->posts++;
    req.url = url;
    req.body = body;
    req.body_len = body ? strlen(body) : 0;
    req.gate = &d->inst->client.writes;
    d->call = url && body ? gcp_call_start(&d->inst->client, &req, on_post, d) : NULL;
    free(path);
    free(url);
    if (!d->call)
        deploy_no_memory(d, false);
}

static void deploy_submit(struct gcf_deploy *d)
{
    if (d->image)
        deploy_image_source(d);
    else
        deploy_post(d);
}

void deploy_first_request(struct gcf_deploy *d)
{
    if (d->resumed)
        deploy_look(d);
    else
        deploy_submit(d);
}

/* ---- from outside ---- */

static struct gcf_deploy *deploy_new(struct skl_instance *inst, const struct skl_container *c,
                                     struct json_object *fn)
{
    struct gcf_deploy *d = calloc(1, sizeof(*d));
    char id[GCF_ID_MAX];

    if (!d)
        return NULL;
    gcf_function_id(c->id, id);
    d->inst = inst;
    d->what = gcp_format("create function %s", id);
    d->fn = json_object_get(fn);
    if (inst->config.image_deploy)
        d->image = strdup(c->image);
    d->as_root = c->user && *c->user;
    (void)snprintf(d->container_id, sizeof(d->container_id), "%s", c->id);
    (void)snprintf(d->handle.name, sizeof(d->handle.name), "%s", gcp_json_str(fn, "name"));
    gcf_nonce(c, d->nonce);
    d->deadline = gcf_now(inst) + inst->config.create_timeout;
    d->look_delay = LOOK_FIRST;
    if (d->what && (d->image || !inst->config.image_deploy))
        return d;
    free(d->what);
    free(d->image);
    json_object_put(d->fn);
    free(d);
    return NULL;
}

struct gcf_deploy *gcf_deploy_begin(struct skl_instance *inst, const struct skl_container *c, bool resumed,
                                    struct gcf_watch *w, struct json_object *fn)
{
    struct gcf_deploy *d = deploy_new(inst, c, fn);

    if (!d)
        return NULL;
    HASH_ADD_STR(inst->deploys, container_id, d);
    gcf_cleanup_forget(inst, d->handle.name); /* of an earlier try: LOOK or ALREADY_EXISTS settle it */
    gcf_deploy_watch(d, w);
    d->resumed = resumed;
    if (d->image)
        deploy_image_bake(d);
    else
        deploy_first_request(d);
    return d;
}

void gcf_deploy_watch(struct gcf_deploy *d, struct gcf_watch *w)
{
    w->next = d->watches;
    d->watches = w;
    if ((d->step == STEP_READY || d->step == STEP_FAILED) && !d->timer)
        d->timer = d->inst->host->timer_start(d->inst->host->ctx, 0, on_tell_timer, d);
}

void gcf_deploy_unwatch(struct gcf_deploy *d, struct gcf_watch *w)
{
    for (struct gcf_watch **p = &d->watches; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            return;
        }
}

bool gcf_deploy_drop(struct gcf_deploy *d, bool *ret_ours)
{
    bool late = d->step == STEP_POST || d->late;

    *ret_ours = d->ours;
    deploy_stop(d);
    d->forget = true;
    (void)gcp_error(&d->error, SKL_ERR_CANCELED, "%s: given up", d->what);
    deploy_end(d, STEP_FAILED);
    return late;
}

void gcf_deploy_abandon(struct gcf_deploy *d)
{
    struct skl_instance *inst = d->inst;
    bool made = d->step >= STEP_POST && d->step != STEP_FAILED, ours, late;
    char name[GCF_NAME_MAX], owner[sizeof(d->container_id)];

    memcpy(name, d->handle.name, sizeof(name));
    memcpy(owner, d->container_id, sizeof(owner));
    late = gcf_deploy_drop(d, &ours);
    if (made)
        gcf_cleanup(inst, name, ours ? NULL : owner, late);
}

bool gcf_deploy_over(const struct gcf_deploy *d)
{
    return (d->step == STEP_READY || d->step == STEP_FAILED) && !d->watches && !d->telling;
}

void gcf_deploy_forget(struct gcf_deploy *d)
{
    if (!d->telling && (d->step == STEP_READY || d->step == STEP_FAILED))
        deploy_free(d);
    else
        d->forget = true;
}
