/*
 * tests/abi/misbehaving.c - a driver that breaks the rules of sockerless/driver.h, one at a time: option `how`. What it does not
 * break it does well, so that a container's end in the tests is the daemon's doing.
 *
 * -DNO_CANCEL leaves cancel() out of its table: then the host gives calls up at their deadline, without a grace time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "sockerless/driver.h"

enum { OPT_HOW, OPT_OPERATION, OPT_STAY };

static const char *const how_choices[] = {
    "well",           /* breaks nothing */
    "twice",          /* completes `operation` a second time */
    "never",          /* never completes it */
    "after-cancel",   /* completes it when the host has given it up */
    "inside",         /* completes it before it returns: allowed */
    "thread",         /* completes it from a thread of its own, then well */
    "wild",           /* completes a call that never was, then well */
    "error",          /* fails it with an error that is no text and has an unknown kind */
    "garbage",        /* results of impossible sizes */
    "flood",          /* logs: pushes beyond the credit */
    "bad-entries",    /* logs: entries of wrong size, too long, without data */
    "ends-twice",     /* run_ended() twice */
    "ends-wrong",     /* run_ended() for unknown runs and containers */
    "ends-garbage",   /* run_ended() with an impossible struct */
    "ends-never",     /* no run_ended() */
    NULL,
};
static const char *const operations[] = {"create", "start", "kill", "remove", "logs", NULL};

static const struct skl_option options[] = {
    {sizeof(struct skl_option), SKL_OPT_ENUM, "how", NULL, "well", "what it does wrong", how_choices, 0, 0},
    {sizeof(struct skl_option), SKL_OPT_ENUM, "operation", NULL, "create", "where", operations, 0, 0},
    {sizeof(struct skl_option), SKL_OPT_BOOL, "stay", NULL, "false", "runs go on until kill()", NULL, 0, 0},
    {0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0},
};

struct pending;
struct skl_instance {
    struct pending *pending; /* their timers may never fire: the daemon ends */
    const struct skl_host *host;
    const char *how, *operation;
    int stay;
};

static struct skl_instance the;

static int how(const char *word)
{
    return strcmp(the.how, word) == 0;
}

static int here(const char *operation)
{
    return strcmp(the.operation, operation) == 0;
}

/* ---- completing ---- */

struct pending {
    struct pending *next;
    struct skl_call *call;
    const char *operation;
    char handle[65];
};

static void complete(struct skl_call *call, const char *operation, const char *handle)
{
    struct skl_create_result result = {sizeof(result), handle, NULL};
    struct skl_create_result garbage = {7, handle, NULL};
    struct skl_error bad;

    if (here(operation) && how("error")) {
        memset(&bad, 0xff, sizeof(bad)); /* the message has no end */
        bad.kind = 12345;
        the.host->complete(the.host->ctx, call, &bad, NULL);
        return;
    }
    if (here(operation) && how("garbage"))
        the.host->complete(the.host->ctx, call, NULL, strcmp(operation, "create") == 0 ? &garbage : NULL);
    else
        the.host->complete(the.host->ctx, call, NULL, strcmp(operation, "create") == 0 ? &result : NULL);
}

static void pending_free(struct pending *p)
{
    struct pending **at = &the.pending;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    free(p);
}

static void *other_thread(void *arg)
{
    struct pending *p = (struct pending *)arg;

    complete(p->call, p->operation, p->handle);
    return NULL;
}

static void on_turn(void *arg)
{
    struct pending *p = (struct pending *)arg;
    pthread_t t;

    if (here(p->operation) && how("thread") && pthread_create(&t, NULL, other_thread, p) == 0)
        pthread_join(t, NULL);
    if (here(p->operation) && how("wild")) {
        the.host->complete(the.host->ctx, (struct skl_call *)(void *)p, NULL, NULL);
        the.host->complete(the.host->ctx, NULL, NULL, NULL);
    }
    complete(p->call, p->operation, p->handle);
    if (here(p->operation) && how("twice"))
        complete(p->call, p->operation, p->handle);
    pending_free(p);
}

static void answer(struct skl_call *call, const char *operation, const char *handle)
{
    struct pending *p;
    int64_t delay = 0;

    if (here(operation) && how("inside")) {
        complete(call, operation, handle);
        return;
    }
    if (here(operation) && how("never"))
        return;
    if (here(operation) && how("after-cancel"))
        delay = INT64_C(1500000000); /* the test's driver-timeout is 1 s */
    p = (struct pending *)calloc(1, sizeof(*p));
    if (p == NULL)
        abort();
    p->next = the.pending;
    the.pending = p;
    p->call = call;
    p->operation = operation;
    memcpy(p->handle, handle, strlen(handle) + 1);
    the.host->timer_start(the.host->ctx, delay, on_turn, p);
}

/* ---- runs ---- */

static void end_run(const struct skl_container *c, int32_t kind, int32_t code)
{
    struct skl_run_end end = {sizeof(end), kind, code, NULL};
    struct skl_run_end short_end = {3, kind, code, NULL};
    struct skl_run_end wild_end = {sizeof(wild_end), 99, 70000, "\xff\xfe"};
    const struct skl_host *h = the.host;

    if (how("ends-never"))
        return;
    if (how("ends-wrong")) {
        h->run_ended(h->ctx, c->id, c->run + 7, &end);
        h->run_ended(h->ctx, "0123", 1, &end);
        h->run_ended(h->ctx, NULL, 1, &end);
    }
    if (how("ends-garbage"))
        h->run_ended(h->ctx, c->id, c->run, c->run % 2 == 1 ? &short_end : &wild_end);
    else
        h->run_ended(h->ctx, c->id, c->run, &end);
    if (how("ends-twice"))
        h->run_ended(h->ctx, c->id, c->run, &end);
}

/* ---- operations ---- */

static void on_create(struct skl_instance *i, struct skl_call *call, const struct skl_create_req *req)
{
    (void)i;
    answer(call, "create", req->container->id);
}

static void on_start(struct skl_instance *i, struct skl_call *call, const struct skl_start_req *req)
{
    int failed = here("start") && (how("error") || how("never") || how("after-cancel"));

    (void)i;
    answer(call, "start", req->container->id);
    if (!failed && !the.stay)
        end_run(req->container, SKL_END_EXIT, 5);
}

static void on_kill(struct skl_instance *i, struct skl_call *call, const struct skl_kill_req *req)
{
    (void)i;
    if (the.stay && !here("kill"))
        end_run(req->container, SKL_END_CANCELED, 137);
    answer(call, "kill", req->container->id);
}

static void on_remove(struct skl_instance *i, struct skl_call *call, const struct skl_remove_req *req)
{
    (void)i;
    answer(call, "remove", req->container->id);
}

static void push_bad(struct skl_stream *out)
{
    static char text[] = "x\n";
    struct skl_log_entry small = {5, 1, 0, text, 2};
    struct skl_log_entry endless = {sizeof(endless), 1, 0, text, SIZE_MAX};
    struct skl_log_entry nothing = {sizeof(nothing), 1, 0, NULL, 2};

    the.host->log_push(the.host->ctx, out, &small);
    the.host->log_push(the.host->ctx, out, &endless);
    the.host->log_push(the.host->ctx, out, &nothing);
    the.host->log_push(the.host->ctx, out, NULL);
}

static void on_logs(struct skl_instance *i, struct skl_call *call, const struct skl_logs_req *req)
{
    static char text[] = "line\n";
    struct skl_log_entry e = {sizeof(e), 1, 0, text, 5};
    int n = how("flood") ? 10000 : 3;

    (void)i;
    e.time = the.host->now_wall(the.host->ctx);
    if (how("bad-entries"))
        push_bad(req->out);
    while (n-- > 0)
        the.host->log_push(the.host->ctx, req->out, &e);
    answer(call, "logs", req->container->id);
}

#ifndef NO_CANCEL
static void on_cancel(struct skl_instance *i, struct skl_call *call)
{
    (void)i;
    (void)call; /* heard, and not obeyed */
}
#else
#define on_cancel NULL
#endif

static int on_open(const struct skl_host *host, const struct skl_value *const *values, struct skl_instance **ret_inst,
                   uint64_t *ret_caps, struct skl_error *err)
{
    (void)ret_caps;
    (void)err;
    the.host = host;
    the.how = values[OPT_HOW]->str;
    the.operation = values[OPT_OPERATION]->str;
    the.stay = values[OPT_STAY]->num != 0;
    *ret_inst = &the;
    return 0;
}

static void on_close(struct skl_instance *i)
{
    while (i->pending != NULL)
        pending_free(i->pending);
}

static const struct skl_ops ops = {
    sizeof(ops), on_create, on_start, on_kill, on_remove, on_logs, on_cancel, NULL, NULL,
};

static const struct skl_driver driver = {
    sizeof(driver), SKL_DRIVER_MAGIC, SKL_ABI_MAJOR, SKL_ABI_MINOR, "misbehaving", "1", "breaks the rules",
    0, options, &ops, on_open, on_close, NULL,
};

SKL_EXPORT const struct skl_driver *skl_driver_entry(const struct skl_abi *host_abi, struct skl_error *err)
{
    (void)host_abi;
    (void)err;
    return &driver;
}
