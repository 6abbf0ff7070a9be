/*
 * deploy_internal.h - a deploy's state, and its steps: shared by deploy.c (the function) and deploy_image.c
 * (what "deploy": "image" adds before and after).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_DEPLOY_INTERNAL_H
#define SKL_GCF_DEPLOY_INTERNAL_H

#include "cloud-run-functions/deploy.h"

#include <uthash.h>

enum step {
    STEP_BAKE,
    STEP_SOURCE,
    STEP_POST,
    STEP_WAIT,
    STEP_LOOK,
    STEP_PATCH,
    STEP_CLEAN,
    STEP_READY,
    STEP_FAILED
};

struct gcf_deploy {
    UT_hash_handle hh;
    struct skl_instance *inst;
    char container_id[65];
    char nonce[GCF_LABEL_MAX];
    char *what;
    struct json_object *fn; /* to ask for; until the end */
    char *image;            /* "deploy": "image": the container's, then the one with the agent */
    bool as_root, resumed;
    struct gcf_handle handle;
    enum step step;
    bool forget, telling, late, clean;
    bool ours;     /* the cloud said so: what stands under the name is this container's */
    bool conflict; /* error holds why the name was refused */
    int posts, no_uri_looks;
    int64_t deadline, look_delay;
    struct gcf_watch *watches;
    struct gcp_call *call;
    struct gcp_op *op;
    struct skl_timer *timer;
    struct gcf_removal *removal;
    struct gcf_bake *bake;
    struct gcf_stub *stub;
    struct gcf_patch *patch;
    struct skl_error error;
};

/* deploy.c. Each of these may be the deploy's end: nothing of it is touched afterwards. */
void deploy_first_request(struct gcf_deploy *d);
void deploy_post(struct gcf_deploy *d);
void deploy_ready(struct gcf_deploy *d);
void deploy_fail(struct gcf_deploy *d, const struct skl_error *err, bool clean);
void deploy_no_memory(struct gcf_deploy *d, bool clean);
void deploy_end(struct gcf_deploy *d, enum step step);

/* deploy_image.c */
void deploy_image_bake(struct gcf_deploy *d);                                /* -> deploy_first_request */
void deploy_image_source(struct gcf_deploy *d);                              /* -> deploy_post */
void deploy_image_patch(struct gcf_deploy *d, const struct gcf_function *f); /* -> deploy_ready */
void deploy_image_stop(struct gcf_deploy *d);

#endif
