/*
 * run.h - runs of containers: one POST to the function's URL each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_RUN_H
#define SKL_GCF_RUN_H

#include "cloud-run-functions/driver.h"

/* Cancels the invocation of the container's run, if there is one; its run_ended(CANCELED) follows. */
void gcf_run_end(struct skl_instance *inst, const char *container_id);
void gcf_run_close_all(struct skl_instance *inst);

/* How an invocation's answer is read: fills end (and reason, size bytes); pure. */
void gcf_run_judge(struct skl_run_end *end, char *reason, size_t size, const struct skl_http_response *res);
/* The front end turned the request away before it reached the function. */
bool gcf_run_turned_away(const struct skl_http_response *res);

#endif
