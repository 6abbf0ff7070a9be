/*
 * instance.c - an instance's life, and the list of its operations in progress (driver.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/instance.h"
#include "cloud-run-functions/bake.h"
#include "cloud-run-functions/cleanup.h"
#include "cloud-run-functions/deploy.h"
#include "cloud-run-functions/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Strict semantics. An exited container's start is what any start is: a POST to its function, which is still there. */
#define STRICT_CAPS (SKL_CAP_LIST | SKL_CAP_INSPECT | SKL_CAP_AGENT | SKL_CAP_RESTART_RUN)
#define EXTENDED_CAPS                                                                                        \
    (STRICT_CAPS | SKL_CAP_STOP | SKL_CAP_SIGNAL | SKL_CAP_PAUSE | SKL_CAP_AGENT_EXIT | SKL_CAP_AGENT_LOGS | \
     SKL_CAP_START_STAGED)

int64_t gcf_now(const struct skl_instance *inst)
{
    return inst->host->now_mono(inst->host->ctx);
}

void gcf_log(const struct skl_instance *inst, int level, const char *fmt, ...)
{
    char line[1200];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    inst->host->log(inst->host->ctx, level, line);
}

void gcf_op_begin(struct gcf_op *op, struct skl_instance *inst, struct skl_call *call,
                  void (*destroy)(struct gcf_op *op))
{
    op->inst = inst;
    op->call = call;
    op->destroy = destroy;
    op->next = inst->ops;
    if (op->next)
        op->next->prev = op;
    inst->ops = op;
}

void gcf_op_leave(struct gcf_op *op)
{
    if (op->prev)
        op->prev->next = op->next;
    else
        op->inst->ops = op->next;
    if (op->next)
        op->next->prev = op->prev;
    op->prev = op->next = NULL;
}

void gcf_op_end(struct gcf_op *op, const struct skl_error *err, const void *result)
{
    gcf_op_leave(op);
    op->inst->host->complete(op->inst->host->ctx, op->call, err, result);
}

void gcf_refuse(struct skl_instance *inst, struct skl_call *call, int kind, const char *fmt, ...)
{
    struct skl_error err = {.kind = kind};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(err.message, sizeof(err.message), fmt, ap);
    va_end(ap);
    inst->host->complete(inst->host->ctx, call, &err, NULL);
}

void gcf_cancel(struct skl_instance *inst, struct skl_call *call)
{
    struct gcf_op *op = inst->ops;
    struct skl_error err;

    while (op && op->call != call)
        op = op->next;
    if (!op)
        return;
    (void)gcp_error(&err, SKL_ERR_CANCELED, "cancelled");
    gcf_op_end(op, &err, NULL);
    op->destroy(op);
}

static int instance_init(struct skl_instance *inst, const struct skl_value *const *values,
                         struct skl_error *err)
{
    struct gcp_auth_config auth;

    if (gcf_config_read(&inst->config, values, err) < 0)
        return -1;
    if (gcf_project_init(inst, err) < 0)
        return -1;
    inst->user_agent =
        gcp_format("sockerless/%s", inst->host->daemon_version ? inst->host->daemon_version : "0");
    gcp_client_init(&inst->client, inst->host);
    inst->client.endpoint = inst->config.endpoint;
    inst->client.user_agent = inst->user_agent;
    auth.credentials = inst->config.credentials;
    auth.impersonate = inst->config.impersonate;
    if (!inst->config.endpoint)
        inst->auth = gcp_auth_new(&inst->client, &auth);
    inst->client.auth = inst->auth;
    if (!inst->user_agent || (!inst->config.endpoint && !inst->auth))
        return gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    return 0;
}

int gcf_open(const struct skl_host *host, const struct skl_value *const *values,
             struct skl_instance **ret_inst, uint64_t *ret_caps, struct skl_error *err)
{
    struct skl_instance *inst = calloc(1, sizeof(*inst));

    if (!inst)
        return gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    memcpy(&inst->table, host, host->size < sizeof(inst->table) ? host->size : sizeof(inst->table));
    inst->host = &inst->table;
    if (instance_init(inst, values, err) < 0) {
        gcf_close(inst);
        return -1;
    }
    *ret_caps = inst->config.extended ? EXTENDED_CAPS : STRICT_CAPS;
    *ret_inst = inst;
    gcf_cleanup_resume(inst);
    return 0;
}

static void no_timer_stop(void *ctx, struct skl_timer *t)
{
    (void)ctx;
    (void)t;
}

static void no_on_credit(void *ctx, struct skl_stream *s, void (*fn)(void *arg), void *arg)
{
    (void)ctx;
    (void)s;
    (void)fn;
    (void)arg;
}

/* The host has stopped our timers and ended our requests and calls: there is nothing left to stop. */
void gcf_close(struct skl_instance *inst)
{
    inst->closing = true;
    inst->table.timer_stop = no_timer_stop;
    inst->table.stream_on_credit = no_on_credit;
    while (inst->ops) {
        struct gcf_op *op = inst->ops;

        gcf_op_leave(op);
        op->destroy(op);
    }
    gcf_run_close_all(inst);
    gcf_deploy_close_all(inst);
    gcf_cleanup_fini(inst);
    gcf_bake_forget_all(inst);
    gcf_layer_fini(&inst->layer);
    gcp_auth_free(inst->auth);
    gcp_client_fini(&inst->client);
    gcf_config_fini(&inst->config);
    free(inst->project);
    free(inst->user_agent);
    free(inst);
}

/* Each entry waits for credentials and project the first time. */
#define ENTRY(verb, request)                                                                                 \
    static void again_##verb(struct skl_instance *inst, struct skl_call *call, const void *req)              \
    {                                                                                                        \
        gcf_##verb(inst, call, req);                                                                         \
    }                                                                                                        \
    static void entry_##verb(struct skl_instance *inst, struct skl_call *call, const struct request *req)    \
    {                                                                                                        \
        if (gcf_ready(inst, call, again_##verb, req))                                                        \
            gcf_##verb(inst, call, req);                                                                     \
    }
ENTRY(create, skl_create_req)
ENTRY(start, skl_start_req)
ENTRY(remove, skl_remove_req)
ENTRY(logs, skl_logs_req)
ENTRY(list, skl_list_req)
ENTRY(inspect, skl_inspect_req)

static const struct skl_ops ops = {
    .size = sizeof(ops),
    .create = entry_create,
    .start = entry_start,
    .kill = gcf_kill,
    .remove = entry_remove,
    .logs = entry_logs,
    .cancel = gcf_cancel,
    .list = entry_list,
    .inspect = entry_inspect,
};

const struct skl_driver gcf_driver = {
    .size = sizeof(gcf_driver),
    .magic = SKL_DRIVER_MAGIC,
    .abi_major = SKL_ABI_MAJOR,
    .abi_minor = SKL_ABI_MINOR,
    .name = "cloud-run-functions",
    .version = GCF_VERSION,
    .description = "Google Cloud Functions (2nd gen)",
    .caps = EXTENDED_CAPS,
    .options = gcf_options,
    .ops = &ops,
    .open = gcf_open,
    .close = gcf_close,
    .platform_name = "Google Cloud Functions",
};
