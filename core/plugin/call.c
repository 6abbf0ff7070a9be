/*
 * plugin/call.c - operations: from the core's request through the driver to exactly one done.
 *
 *     QUEUED    the starter has returned or is about to; the driver knows nothing yet
 *     RUNNING   the driver has it
 *     CANCELING the driver was asked to finish soon; the grace timer runs
 *     COMPLETED the driver's answer is here, checked and copied; done follows on the next turn
 *     ABANDONED done was called without the driver; the call lives on as long as the driver may use the request
 *
 * Driver and core never stand on each other's stack: the driver's operation is called on a turn of its own, and so is
 * the core's done. So a driver may complete a call from inside the operation or from inside cancel(), and the
 * core may start, cancel and remove from inside done.
 *
 * A call's handle dies when the driver completes it. A second completion meets a dead handle (handle.c) and is
 * reported; it can't reach memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "plugin/internal.h"

enum call_op { OP_CREATE, OP_START, OP_KILL, OP_REMOVE, OP_LOGS, OP_LIST, OP_INSPECT };
enum call_state { CALL_QUEUED, CALL_RUNNING, CALL_CANCELING, CALL_COMPLETED, CALL_ABANDONED };
enum call_cause { CAUSE_NONE, CAUSE_DEADLINE, CAUSE_CALLER };

static const char *const op_names[] = {
    [OP_CREATE] = "create", [OP_START] = "start", [OP_KILL] = "kill",       [OP_REMOVE] = "remove",
    [OP_LOGS] = "logs",     [OP_LIST] = "list",   [OP_INSPECT] = "inspect",
};

union call_done {
    plugin_done_fn plain;
    plugin_create_fn create;
    plugin_list_fn list;
    plugin_inspect_fn inspect;
};

struct plugin_call {
    struct list link;
    struct plugin *p;
    struct skl_call *handle;
    enum call_op op;
    enum call_state state;
    enum call_cause cause;
    int64_t timeout, deadline;
    struct packed request, result;
    bool failed;
    struct skl_error err;
    struct soon soon;   /* begin, deliver entries, or done */
    struct timer timer; /* deadline, then grace */
    union call_done done;
    void *arg;
    bool has_stream;
    struct log_stream stream;
    plugin_log_fn on_entry;
};

static void on_turn(void *arg);
static void on_timer(void *arg);

/* ---- making and ending ---- */

static struct plugin_call *call_new(struct plugin *p, enum call_op op, int64_t timeout_ns, union call_done done,
                                    void *arg)
{
    struct plugin_call *c = xcalloc(1, sizeof *c);

    c->p = p;
    c->op = op;
    c->done = done;
    c->arg = arg;
    c->timeout = timeout_ns;
    c->deadline = timeout_ns > 0 ? clock_mono() + timeout_ns : 0;
    c->handle = handle_new(&p->handles, HANDLE_CALL, c, op_names[op]);
    soon_init(&c->soon, on_turn, c);
    timer_init(p->loop, &c->timer, on_timer, c);
    list_push_back(&p->calls, &c->link);
    p->host->busy++;
    if (timeout_ns > 0)
        timer_start(&c->timer, timeout_ns);
    loop_soon(p->loop, &c->soon);
    return c;
}

static void call_free(struct plugin_call *c)
{
    list_remove(&c->link);
    handle_drop(&c->p->handles, c->handle);
    soon_cancel(&c->soon);
    timer_fini(&c->timer);
    if (c->has_stream)
        log_stream_fini(&c->stream);
    packed_free(&c->request);
    packed_free(&c->result);
    free(c);
}

static const struct skl_container *container_of_call(const struct plugin_call *c)
{
    switch (c->op) {
    case OP_CREATE:
        return ((const struct skl_create_req *)c->request.block)->container;
    case OP_START:
        return ((const struct skl_start_req *)c->request.block)->container;
    case OP_KILL:
        return ((const struct skl_kill_req *)c->request.block)->container;
    case OP_REMOVE:
        return ((const struct skl_remove_req *)c->request.block)->container;
    case OP_LOGS:
        return ((const struct skl_logs_req *)c->request.block)->container;
    case OP_INSPECT:
        return ((const struct skl_inspect_req *)c->request.block)->container;
    case OP_LIST:
        break;
    }
    return NULL;
}

/* " of container 0123456789ab", for reports. A static buffer. */
static const char *of_container(const struct plugin_call *c)
{
    static char text[40];
    const struct skl_container *k = container_of_call(c);

    text[0] = '\0';
    if (k != NULL && k->id != NULL)
        snprintf(text, sizeof text, " of container %.12s", k->id);
    return text;
}

static void call_done(struct plugin_call *c)
{
    const struct skl_error *err = c->failed ? &c->err : NULL;

    c->p->host->busy--;
    switch (c->op) {
    case OP_CREATE:
        c->done.create(c->arg, err, c->result.block);
        break;
    case OP_LIST:
        c->done.list(c->arg, err, c->result.block);
        break;
    case OP_INSPECT:
        c->done.inspect(c->arg, err, c->result.block);
        break;
    default:
        c->done.plain(c->arg, err);
        break;
    }
}

static void note_run(struct plugin_call *c, enum run_start_result result)
{
    const struct skl_container *k = container_of_call(c);

    if (c->op == OP_START)
        run_start_done(c->p, k->id, k->run, result);
    if (c->op == OP_REMOVE && !c->failed)
        plugin_run_forget(c->p, k->id, k->run);
}

static void call_fail(struct plugin_call *c, int kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void call_fail(struct plugin_call *c, int kind, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vset(&c->err, kind, fmt, ap);
    va_end(ap);
    c->failed = true;
    packed_free(&c->result);
}

/* Completed without the driver having heard of it, or by the driver: done, then gone. */
static void call_finish(struct plugin_call *c)
{
    note_run(c, c->failed ? RUN_START_FAILED : RUN_STARTED);
    call_done(c);
    call_free(c);
}

static const char *cause_text(const struct plugin_call *c, char out[96])
{
    if (c->cause == CAUSE_DEADLINE)
        snprintf(out, 96, "did not finish within %" PRId64 ".%03d s", c->timeout / NS_PER_S,
                 (int)(c->timeout % NS_PER_S / NS_PER_MS));
    else
        snprintf(out, 96, "was canceled");
    return out;
}

static void fail_by_cause(struct plugin_call *c, const char *driver_words)
{
    char text[96];

    call_fail(c, c->cause == CAUSE_DEADLINE ? SKL_ERR_TIMEOUT : SKL_ERR_CANCELED, "%s by driver %s %s%s%s",
              op_names[c->op], plugin_name(c->p), cause_text(c, text), driver_words[0] != '\0' ? ": " : "",
              driver_words);
}

/* done without the driver. What the driver may still use stays until it completes. */
static void call_abandon(struct plugin_call *c)
{
    if (c->p->file.ops.cancel != NULL)
        plugin_fault(c->p, "%s%s was not completed within %d s after it was canceled", op_names[c->op],
                     of_container(c), (int)(SKL_CANCEL_GRACE_NS / NS_PER_S));
    c->state = CALL_ABANDONED;
    c->p->abandoned++;
    timer_stop(&c->timer);
    soon_cancel(&c->soon);
    fail_by_cause(c, "");
    note_run(c, RUN_START_GIVEN_UP);
    call_done(c);
}

/* ---- cancelling ---- */

static void call_stop(struct plugin_call *c, enum call_cause cause)
{
    if (c->cause == CAUSE_NONE)
        c->cause = cause;
    if (c->has_stream)
        log_stream_discard(&c->stream);
    switch (c->state) {
    case CALL_QUEUED:
        fail_by_cause(c, "");
        c->state = CALL_COMPLETED;
        timer_stop(&c->timer);
        break;
    case CALL_RUNNING:
        c->state = CALL_CANCELING;
        if (c->p->file.ops.cancel == NULL) {
            timer_start(&c->timer, 0);
            break;
        }
        timer_start(&c->timer, SKL_CANCEL_GRACE_NS);
        c->p->file.ops.cancel(c->p->inst, c->handle);
        break;
    case CALL_COMPLETED: /* of a logs call whose entries were not all taken */
        loop_soon(c->p->loop, &c->soon);
        break;
    case CALL_CANCELING:
    case CALL_ABANDONED:
        break;
    }
}

void plugin_call_cancel(struct plugin_call *call)
{
    call_stop(call, CAUSE_CALLER);
}

static void on_timer(void *arg)
{
    struct plugin_call *c = arg;

    if (c->state == CALL_CANCELING)
        call_abandon(c);
    else
        call_stop(c, CAUSE_DEADLINE);
}

/* ---- the driver's side ---- */

static void driver_call(struct plugin_call *c)
{
    const struct skl_ops *ops = &c->p->file.ops;
    struct skl_instance *inst = c->p->inst;
    const void *req = c->request.block;

    c->state = CALL_RUNNING;
    switch (c->op) {
    case OP_CREATE:
        ops->create(inst, c->handle, req);
        break;
    case OP_START:
        run_starting(c->p, container_of_call(c)->id, container_of_call(c)->run);
        ops->start(inst, c->handle, req);
        break;
    case OP_KILL:
        ops->kill(inst, c->handle, req);
        break;
    case OP_REMOVE:
        ops->remove(inst, c->handle, req);
        break;
    case OP_LOGS:
        ops->logs(inst, c->handle, req);
        break;
    case OP_LIST:
        ops->list(inst, c->handle, req);
        break;
    case OP_INSPECT:
        ops->inspect(inst, c->handle, req);
        break;
    }
}

static bool can_begin(struct plugin_call *c)
{
    uint64_t needed = c->op == OP_LIST ? SKL_CAP_LIST : c->op == OP_INSPECT ? SKL_CAP_INSPECT : 0;

    if (c->handle == NULL || (c->op == OP_LOGS && c->stream.handle == NULL))
        call_fail(c, SKL_ERR_UNAVAILABLE, "driver %s has too many operations in progress", plugin_name(c->p));
    else if (c->p->abandoned >= PLUGIN_ABANDONED_MAX)
        call_fail(c, SKL_ERR_UNAVAILABLE, "driver %s does not answer: %u operations were given up",
                  plugin_name(c->p), c->p->abandoned);
    else if ((c->p->caps & needed) != needed)
        call_fail(c, SKL_ERR_UNIMPLEMENTED, "driver %s does not offer %s", plugin_name(c->p), op_names[c->op]);
    else
        return true;
    c->state = CALL_COMPLETED;
    return false;
}

static void on_turn(void *arg)
{
    struct plugin_call *c = arg;

    if (c->state == CALL_QUEUED && can_begin(c)) {
        driver_call(c);
        return;
    }
    if (c->has_stream) {
        log_stream_deliver(&c->stream, c->on_entry, c->arg);
        if (c->state == CALL_COMPLETED && !list_empty(&c->stream.entries))
            return; /* paused */
    }
    if (c->state == CALL_COMPLETED)
        call_finish(c);
}

static int take_result(struct plugin_call *c, const void *result, struct skl_error *err)
{
    switch (c->op) {
    case OP_CREATE:
        return pack_create_result(&c->result, result, err);
    case OP_LIST:
        return pack_list_result(&c->result, result, err);
    case OP_INSPECT:
        return pack_inspect_result(&c->result, result, err);
    default:
        return 0;
    }
}

static void take_completion(struct plugin_call *c, const struct skl_error *err, const void *result)
{
    struct skl_error mine;

    if (err != NULL) {
        take_error(&mine, err);
        if (mine.kind == SKL_ERR_CANCELED && c->cause != CAUSE_NONE)
            fail_by_cause(c, mine.message);
        else
            call_fail(c, mine.kind, "%s", mine.message);
        c->err.detail = mine.detail;
        return;
    }
    if (take_result(c, result, &mine) < 0) {
        plugin_fault(c->p, "%s%s: %s", op_names[c->op], of_container(c), mine.message);
        call_fail(c, SKL_ERR_INTERNAL, "driver %s answered %s with garbage: %s", plugin_name(c->p), op_names[c->op],
                  mine.message);
    }
}

/* ---- completions after the end ---- */

struct late_news {
    struct plugin *p;
    const char *op;
    char *container_id, *handle;
    uint32_t run;
};

static void on_late_news(void *arg)
{
    struct late_news *n = arg;
    struct plugin_late late = {.op = n->op, .container_id = n->container_id, .run = n->run, .handle = n->handle};

    if (!n->p->closed && n->p->host->on_late != NULL)
        n->p->host->on_late(n->p->host->late_arg, n->p, &late);
    free(n->container_id);
    free(n->handle);
    free(n);
}

static void tell_late(struct plugin_call *c)
{
    const struct skl_container *k = container_of_call(c);
    const struct skl_create_result *res = c->result.block;
    struct late_news *n = xcalloc(1, sizeof *n);

    n->p = c->p;
    n->op = op_names[c->op];
    n->container_id = xstrdup(k->id);
    n->run = k->run;
    n->handle = res != NULL ? xstrdup(res->handle) : NULL;
    loop_post(c->p->loop, on_late_news, n);
}

static void complete_abandoned(struct plugin_call *c, const struct skl_error *err, const void *result)
{
    c->p->abandoned--;
    if (c->p->file.ops.cancel != NULL)
        plugin_fault(c->p, "%s%s was completed after it had been given up", op_names[c->op], of_container(c));
    else
        log_debug("plugin", "driver %s completed %s%s after its deadline", plugin_name(c->p), op_names[c->op],
                  of_container(c));
    if (err == NULL && (c->op == OP_CREATE || c->op == OP_START)) {
        take_completion(c, NULL, result);
        tell_late(c);
    }
    call_free(c);
}

void service_complete(void *ctx, struct skl_call *handle, const struct skl_error *err, const void *result)
{
    struct plugin *p = ctx;
    struct plugin_call *c;

    if (!plugin_on_loop(p, "complete"))
        return;
    c = handle_get(&p->handles, HANDLE_CALL, handle);
    if (c == NULL || c->state == CALL_QUEUED) {
        const char *label = handle_label(&p->handles, handle);
        plugin_fault(p, "complete for a call that is not in progress%s%s%s", label != NULL ? " (" : "",
                     label != NULL ? label : "", label != NULL ? ", completed before)" : "");
        return;
    }
    if (c->state == CALL_ABANDONED) {
        complete_abandoned(c, err, result);
        return;
    }
    take_completion(c, err, result);
    c->state = CALL_COMPLETED;
    timer_stop(&c->timer);
    handle_drop(&p->handles, c->handle);
    if (c->has_stream)
        log_stream_close(&c->stream);
    loop_soon(p->loop, &c->soon);
}

int64_t service_call_deadline(void *ctx, const struct skl_call *handle)
{
    struct plugin *p = ctx;
    const struct plugin_call *c;

    if (!plugin_on_loop(p, "call_deadline"))
        return 0;
    c = handle_get(&p->handles, HANDLE_CALL, handle);
    if (c == NULL) {
        plugin_fault(p, "call_deadline for a call that is not in progress");
        return 0;
    }
    return c->deadline;
}

void calls_close(struct plugin *p)
{
    LIST_FOREACH_SAFE(node, next, &p->calls)
    {
        struct plugin_call *c = LIST_ENTRY(node, struct plugin_call, link);
        if (c->state == CALL_RUNNING && p->file.ops.cancel != NULL) {
            c->state = CALL_CANCELING;
            p->file.ops.cancel(p->inst, c->handle);
        }
    }
    /* The calls stay until the instance is closed: the driver may use the requests. */
}

void calls_free(struct plugin *p)
{
    LIST_FOREACH_SAFE(node, next, &p->calls)
    {
        struct plugin_call *c = LIST_ENTRY(node, struct plugin_call, link);
        if (c->state != CALL_ABANDONED)
            p->host->busy--;
        call_free(c);
    }
}

/* ---- starters ---- */

struct plugin_call *plugin_create(struct plugin *p, const struct skl_create_req *req, int64_t timeout_ns,
                                  plugin_create_fn done, void *arg)
{
    struct plugin_call *c = call_new(p, OP_CREATE, timeout_ns, (union call_done){.create = done}, arg);

    c->request = pack_create(req);
    return c;
}

struct plugin_call *plugin_start(struct plugin *p, const struct skl_start_req *req, int64_t timeout_ns,
                                 plugin_done_fn done, void *arg)
{
    struct plugin_call *c = call_new(p, OP_START, timeout_ns, (union call_done){.plain = done}, arg);

    c->request = pack_start(req);
    return c;
}

struct plugin_call *plugin_kill(struct plugin *p, const struct skl_kill_req *req, int64_t timeout_ns,
                                plugin_done_fn done, void *arg)
{
    struct plugin_call *c = call_new(p, OP_KILL, timeout_ns, (union call_done){.plain = done}, arg);

    c->request = pack_kill(req);
    return c;
}

struct plugin_call *plugin_remove(struct plugin *p, const struct skl_remove_req *req, int64_t timeout_ns,
                                  plugin_done_fn done, void *arg)
{
    struct plugin_call *c = call_new(p, OP_REMOVE, timeout_ns, (union call_done){.plain = done}, arg);

    c->request = pack_remove(req);
    return c;
}

struct plugin_call *plugin_list(struct plugin *p, const struct skl_list_req *req, int64_t timeout_ns,
                                plugin_list_fn done, void *arg)
{
    struct plugin_call *c = call_new(p, OP_LIST, timeout_ns, (union call_done){.list = done}, arg);

    c->request = pack_list(req);
    return c;
}

struct plugin_call *plugin_inspect(struct plugin *p, const struct skl_inspect_req *req, int64_t timeout_ns,
                                   plugin_inspect_fn done, void *arg)
{
    struct plugin_call *c = call_new(p, OP_INSPECT, timeout_ns, (union call_done){.inspect = done}, arg);

    c->request = pack_inspect(req);
    return c;
}

static void on_entries(void *arg)
{
    struct plugin_call *c = arg;

    loop_soon(c->p->loop, &c->soon);
}

struct plugin_call *plugin_logs(struct plugin *p, const struct skl_logs_req *req, int64_t timeout_ns,
                                plugin_log_fn on_entry, plugin_done_fn done, void *arg)
{
    struct plugin_call *c = call_new(p, OP_LOGS, timeout_ns, (union call_done){.plain = done}, arg);

    c->has_stream = true;
    c->on_entry = on_entry;
    log_stream_init(&c->stream, p, on_entries, c);
    c->request = pack_logs(req, c->stream.handle);
    return c;
}

void plugin_logs_resume(struct plugin_call *call)
{
    call->stream.paused = false;
    loop_soon(call->p->loop, &call->soon);
}
