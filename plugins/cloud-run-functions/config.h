/*
 * config.h - the options of drivers.cloud-run-functions, and what they amount to.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_CONFIG_H
#define SKL_GCF_CONFIG_H

#include <stdbool.h>
#include "gcp/registry.h"
#include "sockerless/driver.h"

extern const struct skl_option gcf_options[];

/* Strings are borrowed from the host's values, or owned where noted. */
struct gcf_config {
    const char *project; /* NULL: found with the credentials */
    const char *region;
    const char *service_account; /* NULL: Google's default */
    const char *memory_text;     /* as configured: sent as it is */
    int64_t memory;              /* bytes */
    int64_t cpu_milli;
    int64_t timeout_s;         /* of the function */
    char *endpoint;            /* owned, no slash at the end; NULL: Google */
    bool image_deploy;         /* deploy "image"; else the runtime "docker" */
    struct gcp_ref repository; /* with image_deploy: where images with the agent go; repo is the path */
    char hub[256];             /* repository that stands for Docker Hub, same host; "" none */
    const char *agent_binary;
    const char *stub_runtime;
    bool extended;   /* semantics */
    bool background; /* create */
    int64_t log_timeout;
    int64_t create_timeout;
    const char *credentials; /* NULL: search order of ADC */
    const char *impersonate; /* NULL: none */
};

int gcf_config_read(struct gcf_config *c, const struct skl_value *const *values, struct skl_error *err);
void gcf_config_fini(struct gcf_config *c);

#endif
