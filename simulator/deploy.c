/*
 * simulator/deploy.c - deployments, the way from what a client asked for to what serves.
 *
 *   a function:  ARTIFACTS -> BUILD (--build-delay) -> SERVICE (--operation-delay) -> IMAGE -> END: ACTIVE | FAILED
 *   a service:                                         SERVICE                     -> IMAGE -> END
 *   a deletion:                                        SERVICE                              -> END: gone
 *
 * With no delays, and an image at hand, all of it happens inside the request: the answer is an operation that is done.
 *
 * Sources are not built. A function of one of Google's runtimes becomes active and its service has a revision, so that Cloud Run's API can
 * put an image under it; what was to be built can't be invoked, and a warning in the function's stateMessages says so.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/service.h"

#define NOT_BUILT "The simulator does not build sources: this function answers 503 until an image is put under its Cloud Run service."

enum step { STEP_BUILD, STEP_SERVICE, STEP_IMAGE, STEP_END };

struct deploy {
    struct sim *sim;
    struct service *svc;
    struct function *f;          /* NULL: the service alone */
    bool create, remove;
    enum step step;
    struct timer timer;
    struct operation *op;
    struct json_object *settings; /* the service's, to be */
    struct image *image;
    struct image_wait *wait;
    bool ready;
    struct skl_error why;
    int fail_code;               /* a fault that was asked for; 0: none */
};

static void advance(struct deploy *d);

void deploy_cancel(struct deploy *d)
{
    if (d == NULL)
        return;
    image_wait_cancel(d->wait);
    image_unref(d->image);
    timer_fini(&d->timer);
    json_object_put(d->settings);
    if (d->svc->deploy == d)
        d->svc->deploy = NULL;
    if (d->f != NULL)
        d->f->deploy = NULL;
    free(d);
}

/* ---- ends ---- */

static void add_message(struct json_object *fn, const char *severity, const char *type, const char *text)
{
    struct json_object *m = json_new_object();

    json_add_string(m, "severity", severity);
    json_add_string(m, "type", type);
    json_add_string(m, "message", text);
    json_push(json_add_array(fn, "stateMessages"), m);
}

static void touch(struct json_object *o)
{
    char when[TIME_RFC3339_SIZE];

    json_add_string(o, "updateTime", time_format_rfc3339(clock_wall(), when));
}

/* The function takes over what it was to become. */
static void function_ends_well(struct deploy *d)
{
    struct function *f = d->f;
    struct json_object *fn = STEAL(f->next);

    json_object_put(f->json);
    f->json = fn;
    f->state = FUNCTION_ACTIVE;
    json_object_object_del(fn, "stateMessages");
    if (d->image == NULL)
        add_message(fn, "WARNING", "SourceNotBuilt", NOT_BUILT);
    service_roll(f->svc, STEAL(d->settings), STEAL(d->image), true, NOT_BUILT);
    function_fill(f, fn);
    touch(fn);
}

/* A function that never was active keeps what was asked for, so that it can be looked at; one that was goes on serving what it had. */
static void function_ends_badly(struct deploy *d, const char *why)
{
    struct function *f = d->f;

    if (d->create && f->next != NULL) {
        json_object_put(f->json);
        f->json = STEAL(f->next);
    }
    json_object_put(STEAL(f->next));
    f->state = FUNCTION_FAILED;
    json_object_object_del(f->json, "stateMessages");
    add_message(f->json, "ERROR", "CloudRunServiceNotReady", why);
    touch(f->json);
}

static void finish_function(struct deploy *d)
{
    struct function *f = d->f;
    struct operation *op = d->op;
    char why[sizeof(d->why.message)];

    if (d->fail_code != 0 || !d->ready) {
        snprintf(why, sizeof(why), "%s", d->fail_code != 0 ? "Build failed: a fault that was asked for." : d->why.message);
        function_ends_badly(d, why);
        operation_failed(op, d->fail_code != 0 ? d->fail_code : GRPC_INVALID_ARGUMENT, why);
    } else {
        function_ends_well(d);
        operation_done(op, TYPE_FUNCTION, function_answer(f));
        persist_service(f->svc);
    }
    deploy_cancel(d);
    persist_function(f, op->json);
}

static void finish_service(struct deploy *d)
{
    struct service *svc = d->svc;
    struct operation *op = d->op;
    bool ready = d->ready && d->fail_code == 0;
    const char *why = d->fail_code != 0 ? "A fault that was asked for." : d->why.message;
    struct revision *r = service_roll(svc, STEAL(d->settings), STEAL(d->image), ready, why);
    CLEANUP(free_p) char *text = xasprintf("Revision '%s' is not ready and cannot serve traffic. %s", r->id, why);
    int code = d->fail_code != 0 ? d->fail_code : 9; /* FAILED_PRECONDITION */

    deploy_cancel(d);
    operation_metadata(op, TYPE_SERVICE, service_answer(svc));
    if (ready)
        operation_done(op, TYPE_SERVICE, service_answer(svc));
    else
        operation_failed(op, code, text);
    persist_service(svc);
}

static void finish_removal(struct deploy *d)
{
    struct function *f = d->f;
    struct service *svc = d->svc;
    struct operation *op = d->op;
    struct json_object *last = f == NULL ? service_answer(svc) : NULL;
    bool of_function = f != NULL;
    int code = d->fail_code;

    deploy_cancel(d);
    if (code != 0) { /* it stays, and can be deleted again */
        if (f != NULL)
            f->state = FUNCTION_ACTIVE;
        operation_failed(op, code, "The deletion failed: a fault that was asked for.");
        json_object_put(last);
        return;
    }
    persist_forget(svc->sim, svc->name);
    if (f != NULL) {
        persist_forget(f->sim, f->name);
        function_free(f);
    } else {
        service_free(svc);
    }
    operation_done(op, of_function ? TYPE_EMPTY : TYPE_SERVICE, last);
}

/* ---- the image ---- */

static bool is_docker(struct json_object *fn)
{
    const char *runtime = NULL;

    (void)json_get_string(fn, "buildConfig.runtime", &runtime, NULL);
    return str_eq(runtime, "docker");
}

static void on_image(void *arg, struct image *im, const struct skl_error *err)
{
    struct deploy *d = arg;

    d->wait = NULL;
    d->image = im;
    d->ready = im != NULL;
    if (err != NULL)
        d->why = *err;
    d->step = STEP_END;
    advance(d);
}

/* True: it is known what the revision will run, or why it can't. */
static bool find_image(struct deploy *d)
{
    const char *ref;

    if (d->f != NULL)
        d->settings = function_service(d->f, d->f->next);
    ref = service_image(d->settings);
    if (d->f != NULL && !is_docker(d->f->next)) {
        d->ready = true;
        return true;
    }
    if (ref[0] == '\0') {
        error_set(&d->why, SKL_ERR_INVALID, "%s", d->f != NULL ? "runtime docker: the environment variable SOCKERLESS_IMAGE names no image"
                                                                : "the container names no image");
        return true;
    }
    d->image = image_get(d->sim, ref, &d->wait, on_image, d, &d->why);
    d->ready = d->image != NULL;
    return d->wait == NULL;
}

/* ---- steps ---- */

static void on_timer(void *arg)
{
    struct deploy *d = arg;

    d->step++;
    advance(d);
}

/* Goes on after the delay; true: there is none. */
static bool delay(struct deploy *d, int64_t ns)
{
    if (ns > 0) {
        timer_start(&d->timer, ns);
        return false;
    }
    d->step++;
    return true;
}

static void finish(struct deploy *d)
{
    if (d->remove)
        finish_removal(d);
    else if (d->f != NULL)
        finish_function(d);
    else
        finish_service(d);
}

static void advance(struct deploy *d)
{
    for (;;) {
        switch (d->step) {
        case STEP_BUILD:
            operation_stage(d->op, "BUILD", "IN_PROGRESS");
            if (!delay(d, d->sim->opts.build_delay))
                return;
            break;
        case STEP_SERVICE:
            operation_stage(d->op, "BUILD", "COMPLETE");
            operation_stage(d->op, "SERVICE", "IN_PROGRESS");
            if (!delay(d, d->sim->opts.operation_delay))
                return;
            break;
        case STEP_IMAGE:
            if (!d->remove && !find_image(d))
                return;
            d->step++;
            break;
        case STEP_END: finish(d); return;
        }
    }
}

static struct deploy *deploy_new(struct service *svc, struct function *f, struct operation *op, enum step step, int fail_code)
{
    struct deploy *d = xcalloc(1, sizeof(*d));

    d->sim = svc->sim;
    d->svc = svc;
    d->f = f;
    d->op = op;
    d->step = step;
    d->fail_code = fail_code;
    timer_init(svc->sim->loop, &d->timer, on_timer, d);
    svc->deploy = d;
    if (f != NULL)
        f->deploy = d;
    return d;
}

/* ---- beginnings ---- */

struct operation *deploy_function(struct function *f, bool create, int fail_code)
{
    const char *build = NULL;
    struct operation *op = operation_new(f->sim, f->project, f->location, f->name, create ? "create" : "update",
                                         create ? "CREATE_FUNCTION" : "UPDATE_FUNCTION", json_dup(f->next));
    struct deploy *d = deploy_new(f->svc, f, op, STEP_BUILD, fail_code);

    d->create = create;
    f->state = FUNCTION_DEPLOYING;
    function_fill_build(f, f->next);
    (void)json_get_string(f->next, "buildConfig.build", &build, NULL);
    if (build != NULL)
        operation_build(op, build);
    if (d->sim->opts.build_delay + d->sim->opts.operation_delay > 0)
        persist_function(f, op->json);
    advance(d);
    return op;
}

struct operation *deploy_service(struct service *svc, struct json_object *settings, int fail_code)
{
    struct operation *op = operation_new_run(svc->sim, svc->project, svc->location);
    struct deploy *d = deploy_new(svc, NULL, op, STEP_SERVICE, fail_code);

    d->settings = settings;
    if (svc->json != NULL)
        operation_metadata(op, TYPE_SERVICE, service_answer(svc));
    advance(d);
    return op;
}

struct operation *deploy_delete_function(struct function *f, int fail_code)
{
    struct operation *op = operation_new(f->sim, f->project, f->location, f->name, "delete", "DELETE_FUNCTION", NULL);
    struct deploy *d = deploy_new(f->svc, f, op, STEP_SERVICE, fail_code);

    d->remove = true;
    f->state = FUNCTION_DELETING;
    if (d->sim->opts.operation_delay > 0)
        persist_function(f, op->json);
    advance(d);
    return op;
}

struct operation *deploy_delete_service(struct service *svc, int fail_code)
{
    struct operation *op = operation_new_run(svc->sim, svc->project, svc->location);
    struct deploy *d = deploy_new(svc, NULL, op, STEP_SERVICE, fail_code);

    d->remove = true;
    operation_metadata(op, TYPE_SERVICE, service_answer(svc));
    advance(d);
    return op;
}
