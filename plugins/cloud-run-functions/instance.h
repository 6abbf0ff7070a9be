/*
 * instance.h - the driver as a whole: what plugin.c gives the host, and tests use directly.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_INSTANCE_H
#define SKL_GCF_INSTANCE_H

#include "cloud-run-functions/driver.h"

extern const struct skl_driver gcf_driver;

int gcf_open(const struct skl_host *host, const struct skl_value *const *values,
             struct skl_instance **ret_inst, uint64_t *ret_caps, struct skl_error *err);
void gcf_close(struct skl_instance *inst);

/* Takes the project from option or environment, if it is there (project.c). */
int gcf_project_init(struct skl_instance *inst, struct skl_error *err);

#endif
