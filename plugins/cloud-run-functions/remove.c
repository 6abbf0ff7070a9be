/*
 * remove.c - the operation "remove": ends the run, gives up a create in progress, deletes the function.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/deploy.h"
#include "cloud-run-functions/removal.h"
#include "cloud-run-functions/run.h"

#include <stdio.h>
#include <stdlib.h>

struct removing {
    struct gcf_op op;
    struct gcf_removal *removal;
};

static void remove_destroy(struct gcf_op *op)
{
    struct removing *r = (struct removing *)op;

    gcf_removal_stop(r->removal);
    free(r);
}

static void on_removed(void *arg, const struct skl_error *err)
{
    struct removing *r = arg;

    gcf_op_end(&r->op, err, NULL);
    free(r);
}

void gcf_remove(struct skl_instance *inst, struct skl_call *call, const struct skl_remove_req *req)
{
    const struct skl_container *c = req->container;
    struct gcf_deploy *deploy = gcf_deploy_find(inst, c->id);
    struct removing *r = calloc(1, sizeof(*r));
    struct gcf_handle h;
    bool late = false, ours = false;

    gcf_run_end(inst, c->id);
    if (deploy)
        late = gcf_deploy_drop(deploy, &ours);
    if (gcf_handle_read(&h, c->handle))
        ours = true;
    else /* its create never ended: the name is clear, what stands there is not */
        gcf_function_name(inst->project, inst->config.region, c->id, h.name);
    if (!r) {
        gcf_refuse(inst, call, SKL_ERR_INTERNAL, "out of memory");
        return;
    }
    gcf_op_begin(&r->op, inst, call, remove_destroy);
    r->removal = gcf_removal_start(inst, h.name, ours ? NULL : c->id, late, on_removed, r);
    if (r->removal)
        return;
    gcf_op_end(&r->op, &(struct skl_error){.kind = SKL_ERR_INTERNAL, .message = "out of memory"}, NULL);
    free(r);
}
