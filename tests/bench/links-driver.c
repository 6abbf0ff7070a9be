/*
 * A driver for tests/bench/many-links: it starts nothing, but writes "ID TOKEN\n" into the file that its option names, where
 * tests/bench/stub-agents reads it and dials for the container.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "sockerless/driver.h"

#define CAPS (SKL_CAP_AGENT | SKL_CAP_STOP | SKL_CAP_SIGNAL | SKL_CAP_AGENT_EXIT | SKL_CAP_AGENT_LOGS)

struct skl_instance {
    const struct skl_host *host;
    int fd;
};

static const struct skl_option options[] = {
    {sizeof(struct skl_option), SKL_OPT_STRING, "starts", NULL, "", "where starts are written", NULL, 0, 0},
    {0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0},
};

static void done(struct skl_instance *inst, struct skl_call *call, const void *result)
{
    inst->host->complete(inst->host->ctx, call, NULL, result);
}

/* A call completes after its operation returned: a timer of no time. */
struct job {
    struct skl_instance *inst;
    struct skl_call *call;
    char id[65];
};

static void finish(void *arg)
{
    struct job *job = arg;
    struct skl_create_result result = {.size = sizeof(result), .handle = job->id};

    done(job->inst, job->call, &result);
    free(job);
}

static void later(struct skl_instance *inst, struct skl_call *call, const char *id)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        abort();
    job->inst = inst;
    job->call = call;
    snprintf(job->id, sizeof(job->id), "%s", id);
    inst->host->timer_start(inst->host->ctx, 0, finish, job);
}

static void links_create(struct skl_instance *inst, struct skl_call *call, const struct skl_create_req *req)
{
    later(inst, call, req->container->id);
}

static void links_start(struct skl_instance *inst, struct skl_call *call, const struct skl_start_req *req)
{
    char line[256];
    int n = snprintf(line, sizeof(line), "%s %s\n", req->container->id, req->container->agent_token);

    if (write(inst->fd, line, (size_t)n) != n)
        abort();
    later(inst, call, req->container->id);
}

static void links_kill(struct skl_instance *inst, struct skl_call *call, const struct skl_kill_req *req)
{
    struct skl_run_end end = {.size = sizeof(end), .kind = SKL_END_CANCELED, .exit_code = 137};

    inst->host->run_ended(inst->host->ctx, req->container->id, req->container->run, &end);
    later(inst, call, req->container->id);
}

static void links_remove(struct skl_instance *inst, struct skl_call *call, const struct skl_remove_req *req)
{
    later(inst, call, req->container->id);
}

static void links_logs(struct skl_instance *inst, struct skl_call *call, const struct skl_logs_req *req)
{
    later(inst, call, req->container->id);
}

static int links_open(const struct skl_host *host, const struct skl_value *const *values, struct skl_instance **ret_inst,
                      uint64_t *ret_caps, struct skl_error *err)
{
    struct skl_instance *inst = calloc(1, sizeof(*inst));

    (void)ret_caps;
    err->kind = SKL_ERR_INTERNAL;
    if (inst == NULL || (inst->fd = open(values[0]->str, O_WRONLY | O_CLOEXEC)) < 0)
        return -1;
    inst->host = host;
    *ret_inst = inst;
    return 0;
}

static void links_close(struct skl_instance *inst)
{
    close(inst->fd);
    free(inst);
}

static const struct skl_ops ops = {sizeof(ops), links_create, links_start, links_kill, links_remove, links_logs, NULL, NULL, NULL};

static const struct skl_driver driver = {
    sizeof(driver), SKL_DRIVER_MAGIC, SKL_ABI_MAJOR, SKL_ABI_MINOR, "links", "1.0", "starts stub agents", CAPS, options, &ops, links_open,
    links_close, "nothing",
};

SKL_EXPORT const struct skl_driver *skl_driver_entry(const struct skl_abi *host, struct skl_error *err)
{
    (void)err;
    return host->major == SKL_ABI_MAJOR ? &driver : NULL;
}
