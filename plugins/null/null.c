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

static const struct skl_option options[] = {
    {sizeof(struct skl_option), SKL_OPT_DURATION, "create-delay", NULL, "0s", "how long create takes", NULL, 0,
     60 * MINUTE_NS},
    {sizeof(struct skl_option), SKL_OPT_DURATION, "start-delay", NULL, "0s", "how long start takes", NULL, 0,
     60 * MINUTE_NS},
    {sizeof(struct skl_option), SKL_OPT_DURATION, "run-time", NULL, "0s", "how long a run lasts", NULL, 0,
     24 * 60 * MINUTE_NS},
    {sizeof(struct skl_option), SKL_OPT_INT, "exit-code", NULL, "0", "what every run ends with", NULL, 0, 255},
    {sizeof(struct skl_option), SKL_OPT_ENUM, "fail", NULL, "none", "the operation that fails", fail_choices, 0, 0},
    {sizeof(struct skl_option), SKL_OPT_INT, "log-lines", NULL, "0", "lines that logs gives", NULL, 0, 1000000},
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
};

/* One operation that takes time. */
struct job {
    struct skl_instance *inst;
    struct skl_call *call;
    void (*finish)(struct job *job);
    char id[65];
    uint32_t run;
    /* logs */
    struct skl_stream *out;
    int64_t line, lines;
};

static int64_t option_num(const struct skl_instance *inst, int option)
{
    return inst->values[option]->num;
}

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

static void complete(struct skl_instance *inst, struct skl_call *call, const char *failure, const void *result)
{
    struct skl_error err;

    if (failure == NULL) {
        inst->host->complete(inst->host->ctx, call, NULL, result);
        return;
    }
    memset(&err, 0, sizeof(err));
    err.kind = SKL_ERR_INTERNAL;
    snprintf(err.message, sizeof(err.message), "null driver: %s", failure);
    inst->host->complete(inst->host->ctx, call, &err, NULL);
}

/* ---- operations that wait: a real driver would poll its cloud instead ---- */

static void on_job(void *arg)
{
    struct job *job = arg;

    job->finish(job);
    free(job);
}

static void job_start(struct skl_instance *inst, struct skl_call *call, const struct skl_container *c, int delay_option,
                      void (*finish)(struct job *job))
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL) {
        complete(inst, call, "out of memory", NULL);
        return;
    }
    job->inst = inst;
    job->call = call;
    job->finish = finish;
    job->run = c->run;
    snprintf(job->id, sizeof(job->id), "%s", c->id);
    inst->host->timer_start(inst->host->ctx, option_num(inst, delay_option), on_job, job);
}

static void create_finish(struct job *job)
{
    struct skl_create_result result;
    struct entry *e;

    if (fails(job->inst, "create")) {
        complete(job->inst, job->call, "create fails by configuration", NULL);
        return;
    }
    e = *find(job->inst, job->id);
    if (e == NULL && (e = calloc(1, sizeof(*e))) != NULL) {
        e->inst = job->inst;
        snprintf(e->id, sizeof(e->id), "%s", job->id);
        e->next = job->inst->entries;
        job->inst->entries = e;
    }
    memset(&result, 0, sizeof(result));
    result.size = sizeof(result);
    result.handle = job->id; /* whatever the driver wants back later */
    complete(job->inst, job->call, e == NULL ? "out of memory" : NULL, &result);
}

static void null_create(struct skl_instance *inst, struct skl_call *call, const struct skl_create_req *req)
{
    job_start(inst, call, req->container, OPT_CREATE_DELAY, create_finish);
}

static void end_run(struct entry *e, int32_t kind, int32_t code)
{
    const struct skl_host *host = e->inst->host;
    struct skl_run_end end;
    uint32_t run = e->run;

    memset(&end, 0, sizeof(end));
    end.size = sizeof(end);
    end.kind = kind;
    end.exit_code = code;
    e->run = 0;
    e->timer = NULL;
    host->run_ended(host->ctx, e->id, run, &end);
}

static void on_run_over(void *arg)
{
    struct entry *e = arg;

    e->timer = NULL;
    end_run(e, SKL_END_EXIT, (int32_t)option_num(e->inst, OPT_EXIT_CODE));
}

static void start_finish(struct job *job)
{
    struct entry *e = *find(job->inst, job->id);

    if (fails(job->inst, "start") || e == NULL) {
        complete(job->inst, job->call, e == NULL ? "no such container" : "start fails by configuration", NULL);
        return;
    }
    e->run = job->run;
    e->timer = job->inst->host->timer_start(job->inst->host->ctx, option_num(job->inst, OPT_RUN_TIME), on_run_over, e);
    complete(job->inst, job->call, NULL, NULL);
}

static void null_start(struct skl_instance *inst, struct skl_call *call, const struct skl_start_req *req)
{
    job_start(inst, call, req->container, OPT_START_DELAY, start_finish);
}

static void stop_run(struct entry *e)
{
    if (e->run == 0)
        return;
    if (e->timer != NULL)
        e->inst->host->timer_stop(e->inst->host->ctx, e->timer);
    end_run(e, SKL_END_CANCELED, 137);
}

static void null_kill(struct skl_instance *inst, struct skl_call *call, const struct skl_kill_req *req)
{
    struct entry *e = *find(inst, req->container->id);

    if (e != NULL && !fails(inst, "kill"))
        stop_run(e);
    complete(inst, call, fails(inst, "kill") ? "kill fails by configuration" : NULL, NULL);
}

static void null_remove(struct skl_instance *inst, struct skl_call *call, const struct skl_remove_req *req)
{
    struct entry **at = find(inst, req->container->id), *e = *at;

    if (fails(inst, "remove")) {
        complete(inst, call, "remove fails by configuration", NULL);
        return;
    }
    if (e != NULL) { /* what is gone already is success */
        stop_run(e);
        *at = e->next;
        free(e);
    }
    complete(inst, call, NULL, NULL);
}

/* ---- logs: pushes while there is credit, goes on when the host says so ---- */

static void logs_push(void *arg)
{
    struct job *job = arg;
    const struct skl_host *host = job->inst->host;
    int64_t credit = 1;

    while (job->line < job->lines && credit > 0) {
        struct skl_log_entry e;
        char text[64];
        memset(&e, 0, sizeof(e));
        e.size = sizeof(e);
        e.stream = 1;
        e.time = host->now_wall(host->ctx);
        e.len = (size_t)snprintf(text, sizeof(text), "line %lld\n", (long long)++job->line);
        e.data = text;
        credit = host->log_push(host->ctx, job->out, &e);
        if (credit < 0) /* the reader is gone */
            job->line = job->lines;
    }
    if (job->line < job->lines)
        return; /* on_credit calls again */
    complete(job->inst, job->call, NULL, NULL);
    free(job);
}

static void null_logs(struct skl_instance *inst, struct skl_call *call, const struct skl_logs_req *req)
{
    struct job *job = fails(inst, "logs") ? NULL : calloc(1, sizeof(*job));

    if (job == NULL) {
        complete(inst, call, "logs fails by configuration", NULL);
        return;
    }
    job->inst = inst;
    job->call = call;
    job->out = req->out;
    job->lines = option_num(inst, OPT_LOG_LINES);
    if (req->tail >= 0 && req->tail < job->lines)
        job->line = job->lines - req->tail;
    inst->host->stream_on_credit(inst->host->ctx, req->out, logs_push, job);
    logs_push(job);
}

/* ---- looking ---- */

static void null_list(struct skl_instance *inst, struct skl_call *call, const struct skl_list_req *req)
{
    struct skl_list_item items[64];
    struct skl_list_result result;

    (void)req;
    memset(&result, 0, sizeof(result));
    memset(items, 0, sizeof(items));
    result.size = sizeof(result);
    result.items = items;
    result.complete = 1;
    for (struct entry *e = inst->entries; e != NULL && result.count < 64; e = e->next) {
        items[result.count] = (struct skl_list_item){sizeof(items[0]), e->id, e->id, e->run ? "RUNNING" : "IDLE", e->id};
        result.count++;
    }
    complete(inst, call, NULL, &result);
}

static void null_inspect(struct skl_instance *inst, struct skl_call *call, const struct skl_inspect_req *req)
{
    struct entry *e = *find(inst, req->container->id);
    struct skl_inspect_result result = {sizeof(result), e != NULL, e != NULL && e->run ? "RUNNING" : "IDLE", "null"};

    complete(inst, call, NULL, &result);
}

/* ---- the driver ---- */

static int null_open(const struct skl_host *host, const struct skl_value *const *values, struct skl_instance **ret_inst,
                     uint64_t *ret_caps, struct skl_error *err)
{
    struct skl_instance *inst = calloc(1, sizeof(*inst));

    (void)ret_caps;
    if (inst == NULL) {
        err->kind = SKL_ERR_INTERNAL;
        return -1;
    }
    inst->host = host;
    inst->values = values;
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
