/*
 * plugins/null - a driver that runs nothing: the template for new drivers, and the test double of the daemon's core.
 *
 * A container is an entry in a list; a run is a timer. Options make it slow, make it fail, and choose the exit code, so that
 * everything the core does with a driver can be tried without a cloud. What a real driver does in each operation stands
 * in the comments. docs/writing-a-driver.md walks through this file.
 *
 * It offers SKL_CAP_LIST and SKL_CAP_INSPECT; no agent ever runs, so none of the capabilities that need one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sockerless/driver.h"

/* ---- options: validated by the host, shown by --help-driver ---- */

enum { OPT_CREATE_DELAY, OPT_START_DELAY, OPT_RUN_TIME, OPT_EXIT_CODE, OPT_FAIL, OPT_LOG_LINES };

static const char *const fail_choices[] = {"none", "create", "start", "kill", "remove", "logs", NULL};

#define MINUTE_NS (INT64_C(60) * 1000000000)
#define OPTION(type, name, def, help, choices, max) \
    {sizeof(struct skl_option), SKL_OPT_##type, name, NULL, def, help, choices, 0, max}

static const struct skl_option options[] = {
    OPTION(DURATION, "create-delay", "0s", "how long create takes", NULL, 60 * MINUTE_NS),
    OPTION(DURATION, "start-delay", "0s", "how long start takes", NULL, 60 * MINUTE_NS),
    OPTION(DURATION, "run-time", "0s", "how long a run lasts", NULL, 24 * 60 * MINUTE_NS),
    OPTION(INT, "exit-code", "0", "what every run ends with", NULL, 255),
    OPTION(ENUM, "fail", "none", "the operation that fails", fail_choices, 0),
    OPTION(INT, "log-lines", "0", "lines that logs gives", NULL, 1000000),
    {0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0},
};

/* ---- what the driver keeps ---- */

struct entry {                 /* a container */
    struct entry *next;
    char id[65];
    uint32_t run;              /* the run that is on; 0: none */
    struct skl_timer *timer;   /* ends it */
    struct skl_instance *inst;
};

struct skl_instance {
    const struct skl_host *host;
    const struct skl_value *const *values;
    struct entry *entries;
    size_t n_entries;
};

/* One operation that takes time. */
struct job {
    struct skl_instance *inst;
    struct skl_call *call;
    char id[65];
    uint32_t run;
    struct skl_stream *out; /* logs */
    int64_t line, lines;
};

static int fails(const struct skl_instance *inst, const char *operation)
{
    return strcmp(inst->values[OPT_FAIL]->str, operation) == 0;
}

static struct entry **find(struct skl_instance *inst, const char *id)
{
    struct entry **e = &inst->entries;

    while (*e != NULL && strcmp((*e)->id, id) != 0)
        e = &(*e)->next;
    return e;
}

/* Success unless the operation fails by configuration or `why` says why not. */
static void complete(struct skl_instance *inst, struct skl_call *call, const char *operation, const char *why, const void *result)
{
    struct skl_error err = {.kind = SKL_ERR_INTERNAL};

    if (why == NULL && fails(inst, operation))
        why = "it fails by configuration";
    if (why != NULL)
        snprintf(err.message, sizeof(err.message), "null driver: %s: %s", operation, why);
    inst->host->complete(inst->host->ctx, call, why != NULL ? &err : NULL, why != NULL ? NULL : result);
}

/* ---- operations that wait: a real driver would poll its cloud instead ---- */

/* NULL: there is no memory, and the call is completed. */
static struct job *job_new(struct skl_instance *inst, struct skl_call *call)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        complete(inst, call, "begin", "out of memory", NULL);
    else
        *job = (struct job){.inst = inst, .call = call};
    return job;
}

static void job_start(struct skl_instance *inst, struct skl_call *call, const struct skl_container *c, int delay_option,
                      void (*finish)(void *job))
{
    struct job *job = job_new(inst, call);

    if (job == NULL)
        return;
    job->run = c->run;
    snprintf(job->id, sizeof(job->id), "%s", c->id);
    inst->host->timer_start(inst->host->ctx, inst->values[delay_option]->num, finish, job);
}

static void create_finish(void *arg)
{
    struct job *job = arg;
    struct skl_instance *inst = job->inst;
    struct entry *e = *find(inst, job->id);
    /* A handle is whatever the driver wants back later. */
    struct skl_create_result result = {.size = sizeof(result), .handle = job->id};

    if (e == NULL && !fails(inst, "create") && (e = calloc(1, sizeof(*e))) != NULL) {
        e->inst = inst;
        snprintf(e->id, sizeof(e->id), "%s", job->id);
        e->next = inst->entries;
        inst->entries = e;
        inst->n_entries++;
    }
    complete(inst, job->call, "create", e == NULL && !fails(inst, "create") ? "out of memory" : NULL, &result);
    free(job);
}

static void null_create(struct skl_instance *inst, struct skl_call *call, const struct skl_create_req *req)
{
    job_start(inst, call, req->container, OPT_CREATE_DELAY, create_finish);
}

static void end_run(struct entry *e, int32_t kind, int32_t code)
{
    const struct skl_host *host = e->inst->host;
    struct skl_run_end end = {.size = sizeof(end), .kind = kind, .exit_code = code};
    uint32_t run = e->run;

    if (run == 0)
        return;
    if (e->timer != NULL)
        host->timer_stop(host->ctx, e->timer);
    e->run = 0;
    e->timer = NULL;
    host->run_ended(host->ctx, e->id, run, &end);
}

static void on_run_over(void *arg)
{
    struct entry *e = arg;

    e->timer = NULL;
    end_run(e, SKL_END_EXIT, (int32_t)e->inst->values[OPT_EXIT_CODE]->num);
}

static void start_finish(void *arg)
{
    struct job *job = arg;
    struct skl_instance *inst = job->inst;
    struct entry *e = *find(inst, job->id);

    if (e != NULL && !fails(inst, "start")) {
        e->run = job->run;
        e->timer = inst->host->timer_start(inst->host->ctx, inst->values[OPT_RUN_TIME]->num, on_run_over, e);
    }
    complete(inst, job->call, "start", e == NULL ? "no such container" : NULL, NULL);
    free(job);
}

static void null_start(struct skl_instance *inst, struct skl_call *call, const struct skl_start_req *req)
{
    job_start(inst, call, req->container, OPT_START_DELAY, start_finish);
}

static void null_kill(struct skl_instance *inst, struct skl_call *call, const struct skl_kill_req *req)
{
    struct entry *e = *find(inst, req->container->id);

    if (e != NULL && !fails(inst, "kill"))
        end_run(e, SKL_END_CANCELED, 137);
    complete(inst, call, "kill", NULL, NULL);
}

static void null_remove(struct skl_instance *inst, struct skl_call *call, const struct skl_remove_req *req)
{
    struct entry **at = find(inst, req->container->id), *e = *at;

    if (e != NULL && !fails(inst, "remove")) { /* what is gone already is success */
        end_run(e, SKL_END_CANCELED, 137);
        *at = e->next;
        inst->n_entries--;
        free(e);
    }
    complete(inst, call, "remove", NULL, NULL);
}

/* ---- logs: pushes while there is credit, goes on when the host says so ---- */

static void logs_push(void *arg)
{
    struct job *job = arg;
    const struct skl_host *host = job->inst->host;
    int64_t credit = 1;

    while (job->line < job->lines && credit > 0) {
        char text[64];
        int n = snprintf(text, sizeof(text), "line %lld\n", (long long)++job->line);
        struct skl_log_entry e = {.size = sizeof(e), .stream = 1, .time = host->now_wall(host->ctx), .data = text, .len = (size_t)n};

        credit = host->log_push(host->ctx, job->out, &e);
    }
    if (job->line < job->lines && credit >= 0)
        return; /* on_credit calls again; below 0 the reader is gone */
    complete(job->inst, job->call, "logs", NULL, NULL);
    free(job);
}

static void null_logs(struct skl_instance *inst, struct skl_call *call, const struct skl_logs_req *req)
{
    struct job *job = job_new(inst, call);

    if (job == NULL)
        return;
    job->out = req->out;
    job->lines = fails(inst, "logs") ? 0 : inst->values[OPT_LOG_LINES]->num;
    if (req->tail >= 0 && req->tail < job->lines)
        job->line = job->lines - req->tail;
    inst->host->stream_on_credit(inst->host->ctx, req->out, logs_push, job);
    logs_push(job);
}

static void null_list(struct skl_instance *inst, struct skl_call *call, const struct skl_list_req *req)
{
    struct skl_list_item *items = calloc(inst->n_entries + 1, sizeof(*items));
    struct skl_list_result result = {.size = sizeof(result), .items = items, .complete = 1};

    (void)req;
    for (struct entry *e = inst->entries; items != NULL && e != NULL; e = e->next)
        items[result.count++] = (struct skl_list_item){sizeof(*items), e->id, e->id, e->run ? "RUNNING" : "IDLE", e->id};
    complete(inst, call, "list", items == NULL ? "out of memory" : NULL, &result);
    free(items);
}

static void null_inspect(struct skl_instance *inst, struct skl_call *call, const struct skl_inspect_req *req)
{
    const struct entry *e = *find(inst, req->container->id);
    struct skl_inspect_result result = {sizeof(result), e != NULL, e != NULL && e->run ? "RUNNING" : "IDLE", "null"};

    complete(inst, call, "inspect", NULL, &result);
}

static int null_open(const struct skl_host *host, const struct skl_value *const *values, struct skl_instance **ret_inst,
                     uint64_t *ret_caps, struct skl_error *err)
{
    struct skl_instance *inst = calloc(1, sizeof(*inst));

    (void)ret_caps;
    err->kind = SKL_ERR_INTERNAL; /* looked at after a failure only */
    if (inst == NULL)
        return -1;
    *inst = (struct skl_instance){.host = host, .values = values};
    *ret_inst = inst;
    return 0;
}

static void null_close(struct skl_instance *inst)
{
    for (struct entry *e = inst->entries, *next; e != NULL; e = next) {
        next = e->next;
        free(e);
    }
    free(inst);
}

static const struct skl_ops ops = {
    sizeof(ops), null_create, null_start, null_kill, null_remove, null_logs, NULL, null_list, null_inspect,
};

static const struct skl_driver driver = {
    sizeof(driver), SKL_DRIVER_MAGIC, SKL_ABI_MAJOR, SKL_ABI_MINOR, "null", "1.0", "runs nothing: template and test double",
    SKL_CAP_LIST | SKL_CAP_INSPECT, options, &ops, null_open, null_close, "nothing",
};

SKL_EXPORT const struct skl_driver *skl_driver_entry(const struct skl_abi *host, struct skl_error *err)
{
    if (host->major == SKL_ABI_MAJOR)
        return &driver;
    err->kind = SKL_ERR_UNIMPLEMENTED;
    snprintf(err->message, sizeof(err->message), "built for driver ABI %u, the daemon has %u", SKL_ABI_MAJOR, host->major);
    return NULL;
}
