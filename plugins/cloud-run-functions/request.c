/*
 * request.c - see request.h: rows "create" of the mapping, field by field.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/request.h"
#include "cloud-run-functions/env.h"
#include "cloud-run-functions/function.h"
#include "cloud-run-functions/resources.h"
#include "cloud-run-functions/stub.h"
#include "gcp/json.h"

#include <stdio.h>
#include <string.h>

static void put_labels(struct json_object *fn, const struct skl_container *c)
{
    struct json_object *labels = gcp_json_put_object(fn, "labels");
    char text[GCF_LABEL_MAX];

    gcp_json_put_str(labels, GCF_LABEL_MANAGED, GCF_MANAGED_BY);
    gcf_daemon_label(c->daemon_id, text);
    gcp_json_put_str(labels, GCF_LABEL_DAEMON, text);
    (void)snprintf(text, sizeof(text), "%.32s", c->id);
    gcp_json_put_str(labels, GCF_LABEL_ID_HEAD, text);
    (void)snprintf(text, sizeof(text), "%.32s", strlen(c->id) > 32 ? c->id + 32 : "");
    gcp_json_put_str(labels, GCF_LABEL_ID_TAIL, text);
    gcf_nonce(c, text);
    gcp_json_put_str(labels, GCF_LABEL_NONCE, text);
}

/* The mapping's runtime; or a placeholder whose image is replaced, and which must not be rebuilt behind our
 * back. */
static void put_build(struct json_object *fn, const struct gcf_config *config)
{
    struct json_object *build = gcp_json_put_object(fn, "buildConfig");

    gcp_json_put_str(build, "runtime", config->image_deploy ? config->stub_runtime : "docker");
    if (!config->image_deploy)
        return;
    gcp_json_put_str(build, "entryPoint", GCF_STUB_ENTRY_POINT);
    (void)gcp_json_put_object(build, "onDeployUpdatePolicy");
}

static void put_warning(const struct gcf_resources *r, char *warning, size_t size)
{
    if (r->cpu_raised)
        (void)snprintf(warning, size, "A function with %s of memory needs at least %s CPUs: it has them.",
                       r->memory, r->cpu);
    else if (r->cpu_rounded)
        (void)snprintf(warning, size, "A function has less than 1, or 1, 2, 4, 6 or 8 CPUs: this one has %s.", r->cpu);
    else if (r->memory_raised)
        (void)snprintf(warning, size, "A function with %s CPUs has at least %s of memory: it has that.",
                       r->cpu, r->memory);
}

static int put_service(struct json_object *fn, const struct skl_instance *inst, const struct skl_container *c,
                       char *warning, size_t size, struct skl_error *err)
{
    struct json_object *s = gcp_json_put_object(fn, "serviceConfig");
    const struct gcf_config *config = &inst->config;
    struct gcf_resources r;

    if (gcf_resources_choose(&r, c->memory, c->nano_cpus, config->memory, config->memory_text,
                             config->cpu_milli, err))
        return -1;
    put_warning(&r, warning, size);
    gcp_json_put_str(s, "availableMemory", r.memory);
    gcp_json_put_str(s, "availableCpu", r.cpu);
    gcp_json_put_int(s, "timeoutSeconds", config->timeout_s);
    gcp_json_put_int(s, "maxInstanceCount", 1);
    gcp_json_put_int(s, "maxInstanceRequestConcurrency", r.concurrency);
    gcp_json_put_str(s, "ingressSettings", "ALLOW_ALL");
    gcp_json_put_str(s, "serviceAccountEmail", config->service_account);
    return gcf_env_fill(gcp_json_put_object(s, "environmentVariables"), c, err);
}

struct json_object *gcf_request_function(const struct skl_instance *inst, const struct skl_container *c,
                                         char *warning, size_t size, struct skl_error *err)
{
    struct json_object *fn = json_object_new_object();
    char name[GCF_NAME_MAX];

    *warning = '\0';
    gcf_function_name(inst->project, inst->config.region, c->id, name);
    gcp_json_put_str(fn, "name", name);
    gcp_json_put_str(fn, "environment", "GEN_2");
    put_labels(fn, c);
    put_build(fn, &inst->config);
    if (put_service(fn, inst, c, warning, size, err) == 0)
        return fn;
    json_object_put(fn);
    return NULL;
}
