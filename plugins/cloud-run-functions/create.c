/*
 * create.c - the operation "create": a function for the container, awaited or, with `create: "background"`,
 * begun.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/deploy.h"
#include "cloud-run-functions/request.h"
#include "gcp/json.h"

#include <stdlib.h>
#include <string.h>

struct create {
    struct gcf_op op;
    struct gcf_deploy *deploy;
    struct gcf_watch watch;
    char warning[200];
};

static void create_destroy(struct gcf_op *op)
{
    struct create *c = (struct create *)op;

    gcf_deploy_unwatch(c->deploy, &c->watch);
    if (!c->op.inst->closing)
        gcf_deploy_abandon(c->deploy);
    free(c);
}

static void create_succeed(struct create *c, const struct gcf_handle *h)
{
    const char *warnings[] = {c->warning, NULL};
    struct skl_create_result result = {.size = sizeof(result), .warnings = *c->warning ? warnings : NULL};
    char *handle = gcf_handle_write(h);
    struct skl_error err;

    result.handle = handle;
    if (handle)
        gcf_op_end(&c->op, NULL, &result);
    else {
        (void)gcp_error(&err, SKL_ERR_INTERNAL, "out of memory");
        gcf_op_end(&c->op, &err, NULL);
    }
    free(handle);
    free(c);
}

static void on_accepted(void *arg, const struct gcf_handle *h)
{
    struct create *c = arg;

    gcf_deploy_unwatch(c->deploy, &c->watch);
    create_succeed(c, h);
}

static void on_done(void *arg, const struct skl_error *err, const struct gcf_handle *h)
{
    struct create *c = arg;

    gcf_deploy_forget(c->deploy);
    if (!err) {
        create_succeed(c, h);
        return;
    }
    gcf_op_end(&c->op, err, NULL);
    free(c);
}

static int create_begin(struct create *c, const struct skl_create_req *req, struct skl_error *err)
{
    struct gcf_deploy *old = gcf_deploy_find(c->op.inst, req->container->id);
    struct json_object *fn;

    if (old && gcf_deploy_over(old)) /* made in the background, and lost by the cloud since */
        gcf_deploy_forget(old);
    else if (old)
        return gcp_error(err, SKL_ERR_CONFLICT, "container %.12s: its function is being made already",
                         req->container->id);
    fn = gcf_request_function(c->op.inst, req->container, c->warning, sizeof(c->warning), err);
    if (!fn)
        return -1;
    c->watch.arg = c;
    c->watch.done = on_done;
    c->watch.accepted = c->op.inst->config.background ? on_accepted : NULL;
    c->deploy = gcf_deploy_begin(c->op.inst, req->container, req->resumed, &c->watch, fn);
    json_object_put(fn);
    return c->deploy ? 0 : gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
}

void gcf_create(struct skl_instance *inst, struct skl_call *call, const struct skl_create_req *req)
{
    struct create *c = calloc(1, sizeof(*c));
    struct skl_error err;

    if (!c) {
        gcf_refuse(inst, call, SKL_ERR_INTERNAL, "out of memory");
        return;
    }
    gcf_op_begin(&c->op, inst, call, create_destroy);
    if (create_begin(c, req, &err) == 0)
        return;
    gcf_op_end(&c->op, &err, NULL);
    free(c);
}
