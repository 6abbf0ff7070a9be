/*
 * deploy_image.c - the steps that "deploy": "image" adds to a deploy (deploy_internal.h): before the create
 * an image with the agent and the placeholder's source, after it the image under the function's service.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/deploy_internal.h"
#include "cloud-run-functions/bake.h"
#include "cloud-run-functions/patch.h"
#include "cloud-run-functions/stub.h"
#include "gcp/json.h"

#include <stdlib.h>
#include <string.h>

/* ---- BAKE ---- */

static void on_baked(void *arg, const struct skl_error *err, const char *image)
{
    struct gcf_deploy *d = arg;

    d->bake = NULL;
    if (err) {
        deploy_fail(d, err, false);
        return;
    }
    free(d->image);
    d->image = strdup(image);
    if (d->image)
        deploy_first_request(d);
    else
        deploy_no_memory(d, false);
}

static void on_bake_refused(void *arg)
{
    struct gcf_deploy *d = arg;

    d->timer = NULL;
    deploy_end(d, STEP_FAILED);
}

void deploy_image_bake(struct gcf_deploy *d)
{
    d->step = STEP_BAKE;
    d->bake = gcf_bake_start(d->inst, d->image, d->as_root, on_baked, d, &d->error);
    if (!d->bake)
        d->timer = d->inst->host->timer_start(d->inst->host->ctx, 0, on_bake_refused, d);
}

/* ---- SOURCE ---- */

static void on_source(void *arg, const struct skl_error *err, struct json_object *source)
{
    struct gcf_deploy *d = arg;
    struct json_object *build = gcp_json_get(d->fn, "buildConfig");

    d->stub = NULL;
    if (err) {
        deploy_fail(d, err, false);
        return;
    }
    json_object_object_add(gcp_json_put_object(build, "source"), "storageSource", json_object_get(source));
    deploy_post(d);
}

void deploy_image_source(struct gcf_deploy *d)
{
    d->step = STEP_SOURCE;
    d->stub = gcf_stub_start(d->inst, on_source, d);
    if (!d->stub)
        deploy_no_memory(d, false);
}

/* ---- PATCH ---- */

static void on_image_deployed(void *arg, const struct skl_error *err)
{
    struct gcf_deploy *d = arg;

    d->patch = NULL;
    if (err)
        deploy_fail(d, err, err->kind != SKL_ERR_CANCELED);
    else
        deploy_ready(d);
}

/* The function's Cloud Run service has its name, where the function does not tell. New string. */
static char *service_name(const struct gcf_function *f, const struct gcf_handle *h)
{
    const char *id = strrchr(h->name, '/'), *end = strstr(h->name, "/functions/");

    return *f->service ? strdup(f->service)
                       : gcp_format("%.*s/services%s", (int)(end - h->name), h->name, id);
}

void deploy_image_patch(struct gcf_deploy *d, const struct gcf_function *f)
{
    char *service = service_name(f, &d->handle);

    d->step = STEP_PATCH;
    if (service)
        d->patch = gcf_patch_start(d->inst, service, d->image, d->deadline, on_image_deployed, d);
    free(service);
    if (!d->patch)
        deploy_no_memory(d, true);
}

void deploy_image_stop(struct gcf_deploy *d)
{
    gcf_bake_cancel(d->bake);
    gcf_stub_cancel(d->stub);
    gcf_patch_cancel(d->patch);
    d->bake = NULL;
    d->stub = NULL;
    d->patch = NULL;
}
