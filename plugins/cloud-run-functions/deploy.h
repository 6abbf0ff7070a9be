/*
 * deploy.h - making a container's function: from the request until it can be invoked, or until nothing is
 * left.
 *
 * A deploy belongs to the instance, not to the call that began it: with `create: "background"` docker create
 * returns once the operation was accepted, and start waits for the rest. It stays known by its container
 * until gcf_deploy_forget(), so that a start learns the URL or the reason of the failure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_DEPLOY_H
#define SKL_GCF_DEPLOY_H

#include "cloud-run-functions/driver.h"
#include "cloud-run-functions/function.h"

struct gcf_deploy;

/* Someone who waits. Either function may be NULL. Both run later, never inside the call that began it. */
struct gcf_watch {
    struct gcf_watch *next;
    void (*accepted)(void *arg, const struct gcf_handle *h); /* the cloud has taken the request */
    void (*done)(void *arg, const struct skl_error *err, const struct gcf_handle *h);
    void *arg;
};

/*
 * fn: the Function resource to ask for (request.h). resumed: it may be there already. The watch is the
 * caller's memory until done was called or it was taken off. NULL: out of memory.
 */
struct gcf_deploy *gcf_deploy_begin(struct skl_instance *inst, const struct skl_container *c, bool resumed,
                                    struct gcf_watch *w, struct json_object *fn);
struct gcf_deploy *gcf_deploy_find(struct skl_instance *inst, const char *container_id);
/* done is called also when it ended long ago. */
void gcf_deploy_watch(struct gcf_deploy *d, struct gcf_watch *w);
void gcf_deploy_unwatch(struct gcf_deploy *d, struct gcf_watch *w);
/* Stops and forgets; what was made stays. True: the function may yet appear, the answer was not awaited.
 * ret_ours: the cloud has said that it is this container's. */
bool gcf_deploy_drop(struct gcf_deploy *d, bool *ret_ours);
/* Nobody wants it any more: drops it, and deletes what was made, in the background. */
void gcf_deploy_abandon(struct gcf_deploy *d);
/* Ended, and everybody knows. */
bool gcf_deploy_over(const struct gcf_deploy *d);
/* Forgets one that has ended; one in progress goes on until it ended. */
void gcf_deploy_forget(struct gcf_deploy *d);
/* The daemon ends: stops without a trace. */
void gcf_deploy_close_all(struct skl_instance *inst);

#endif
