/*
 * state/machine_ops.c - operations on containers: who asked for what, and what each waits for. See container.h.
 *
 * An operation is one struct op in its container's machine from the call until it is finished; then a call-soon tells its
 * caller. The transitions are machine.c's; it tells the operations through the ops_*() functions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "state/machine.h"

/* A signal on its way through the agent. Outlives its operation when that is over first. */
struct signal_call {
    struct container *c;
    struct op *op;      /* NULL: over */
    int signo;
    bool told;          /* its event was published */
};

/* ---- life ---- */

static void op_free(struct op *op)
{
    engine_idle(op->c->engine);
    list_remove(&op->link);
    soon_cancel(&op->soon);
    timer_fini(&op->timer);
    if (op->call != NULL)
        op->call->op = NULL;
    free(op->err);
    free(op);
}

static void on_finished(void *arg)
{
    struct op *op = arg;
    struct container *c = op->c;
    container_done_fn done = op->done;
    void *done_arg = op->arg;
    struct skl_error err;
    bool failed = op->err != NULL;

    if (failed)
        err = *op->err;
    op_free(op);
    if (done != NULL)
        done(done_arg, failed ? &err : NULL);
    if (c->machine != NULL)
        machine_settle(c->machine);
    container_unref(c);
}

static void on_op_timer(void *arg);

static struct op *op_new(struct container *c, enum op_kind kind, container_done_fn done, void *arg)
{
    struct machine *m = machine_get(c);
    struct op *op = xcalloc(1, sizeof(*op));

    container_ref(c);
    engine_busy(c->engine); /* an orderly end waits for what was begun */
    op->kind = kind;
    op->c = c;
    op->done = done;
    op->arg = arg;
    soon_init(&op->soon, on_finished, op);
    timer_init(c->engine->loop, &op->timer, on_op_timer, op);
    list_push_back(&m->ops, &op->link);
    return op;
}

static void op_finish(struct op *op, const struct skl_error *err)
{
    timer_stop(&op->timer);
    if (err != NULL)
        op->err = xmemdup(err, sizeof(*err));
    if (op->call != NULL) {
        op->call->op = NULL;
        op->call = NULL;
    }
    list_remove(&op->link);
    list_push_back(&op->c->engine->finished, &op->link);
    loop_soon(op->c->engine->loop, &op->soon);
}

static void op_fail(struct op *op, int kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void op_fail(struct op *op, int kind, const char *fmt, ...)
{
    struct skl_error err;
    va_list ap;

    va_start(ap, fmt);
    error_vset(&err, kind, fmt, ap);
    va_end(ap);
    op_finish(op, &err);
}

/* false: finished, since the daemon ends. */
static bool op_open(struct op *op)
{
    struct skl_error err;

    if (engine_check_open(op->c->engine, &err) == 0)
        return true;
    op_finish(op, &err);
    return false;
}

void ops_free(struct machine *m)
{
    while (!list_empty(&m->ops))
        op_free(LIST_ENTRY(m->ops.next, struct op, link)); /* only at the end of the daemon: references don't count */
}

void ops_finished_free(struct engine *e)
{
    while (!list_empty(&e->finished))
        op_free(LIST_ENTRY(e->finished.next, struct op, link));
}

#define OPS_FOREACH(op, m)                                                                                            \
    LIST_FOREACH_SAFE(op##_node, op##_tmp, &(m)->ops)                                                                 \
        for (struct op *op = LIST_ENTRY(op##_node, struct op, link); op != NULL; op = NULL)

/* ---- signals ---- */

static void kill_event(struct container *c, int signo)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", signo);
    container_event(c, "kill", "signal", text, NULL);
}

static void signal_told(struct signal_call *s)
{
    if (s->told)
        return;
    s->told = true;
    kill_event(s->c, s->signo);
}

static void on_signal(void *arg, const struct skl_error *err);

static bool connected(const struct container *c)
{
    const struct engine *e = c->engine;

    return container_has_agent(c) && e->runner->connected(e->runner_ctx, c);
}

static void send_signal(struct op *op, int signo)
{
    struct container *c = op->c;
    struct signal_call *s = engine_job_new(c->engine, sizeof(*s), NULL);

    if (op->call != NULL)
        op->call->op = NULL;
    s->c = c;
    s->op = op;
    s->signo = signo;
    op->call = s;
    container_ref(c);
    c->engine->runner->signal(c->engine->runner_ctx, c, signo, false, on_signal, s);
}

/* The step after the stop signal: SIGKILL. */
static void escalate(struct op *op)
{
    op->step = STEP_KILL;
    if (connected(op->c))
        send_signal(op, SIGKILL);
    timer_start(&op->timer, connected(op->c) ? KILL_WAIT_NS : 0);
}

static void wait_grace(struct op *op)
{
    if (op->timeout >= 0)
        timer_start(&op->timer, op->timeout);
}

static void on_signal(void *arg, const struct skl_error *err)
{
    struct signal_call *s = arg;
    struct op *op = s->op;
    struct container *c = s->c;

    if (op != NULL)
        op->call = NULL;
    if (op != NULL && err == NULL)
        signal_told(s);
    if (op != NULL && op->kind == OP_KILL && s->signo != SIGKILL)
        op_finish(op, err);
    else if (op != NULL && op->step == STEP_TERM)
        wait_grace(op); /* undelivered: the agent is lost; SIGKILL or its return decides */
    else if (op != NULL && op->step == STEP_KILL)
        timer_start(&op->timer, err == NULL ? KILL_WAIT_NS : 0);
    engine_job_free(s);
    container_unref(c);
}

static void mark_stopped(struct container *c)
{
    c->manually_stopped = true;
    machine_save(c->machine);
}

static bool starting(const struct machine *m)
{
    return m->phase == PHASE_START_DRIVER || m->phase == PHASE_START_PROCESS;
}

/* A start was on its way when it came. Docker lets starts end before stops and kills begin; so does this, within
 * bounds: a start may take minutes here. */
static void queue_behind_start(struct op *op)
{
    int64_t patience = op->c->engine->start_patience;

    op->step = STEP_QUEUED;
    if (op->kind == OP_STOP && (op->timeout < 0 || op->timeout > patience))
        patience = op->timeout;
    if (patience >= 0)
        timer_start(&op->timer, patience);
}

static void stop_begin(struct op *op);
static void kill_live(struct op *op);

static void queued_goes_on(struct op *op)
{
    struct machine *m = op->c->machine;

    if (starting(m)) {
        op->step = STEP_ABORT;
        machine_start_abort(m, SKL_ERR_CONFLICT, op->kind == OP_STOP ? "the container was stopped while it was starting"
                                                                    : "the container was killed while it was starting");
        return;
    }
    mark_stopped(op->c); /* another start may have come after it */
    if (op->kind == OP_STOP)
        stop_begin(op);
    else
        kill_live(op);
}

/* It has ended, and what its volumes hold is on its way: nothing that SIGKILL could add. */
static bool keeping(const struct container *c)
{
    const struct engine *e = c->engine;

    return e->runner != NULL && e->runner->keeping != NULL && e->runner->keeping(e->runner_ctx, c);
}

static void on_op_timer(void *arg)
{
    struct op *op = arg;
    struct machine *m = op->c->machine;

    if (op->step == STEP_QUEUED) {
        queued_goes_on(op);
        return;
    }
    if (m->phase != PHASE_RUNNING)
        return;
    if (keeping(op->c)) {
        timer_start(&op->timer, KILL_WAIT_NS);
    } else if (op->step == STEP_TERM) {
        escalate(op);
    } else if (op->step == STEP_KILL) {
        if (!connected(op->c))
            kill_event(op->c, SIGKILL);
        machine_force_end(m, SIGKILL, NULL);
    }
}

/* ---- what machine.c tells ---- */

static void not_running(struct op *op)
{
    op_fail(op, SKL_ERR_CONFLICT, "container %s is not running", op->c->id);
}

/* Somebody waits for the start; else it is a restart by policy. */
static bool asked_for(const struct machine *m)
{
    LIST_FOREACH_SAFE(node, tmp, &m->ops)
        if (LIST_ENTRY(node, struct op, link)->step == STEP_START)
            return true;
    return false;
}

/* Such an operation ends with the runner's answer, whatever happens to the container meanwhile. */
static bool at_runner(const struct op *op)
{
    return op->kind == OP_SIGNAL_ALL || op->kind == OP_RESIZE;
}

void ops_run_began(struct machine *m)
{
    OPS_FOREACH(op, m) {
        if (op->kind == OP_RESTART && op->step == STEP_START)
            container_event(m->c, "restart", NULL);
        if ((op->kind == OP_START || op->kind == OP_RESTART) && op->step == STEP_START)
            op_finish(op, NULL);
        else if (op->step == STEP_QUEUED)
            timer_start(&op->timer, 0);
    }
}

/* Starts that wait fail with it. Stops and kills that brought it down have what they wanted. */
void ops_start_failed(struct machine *m, const struct skl_error *err)
{
    bool volumes = false, remove = false;

    OPS_FOREACH(op, m) {
        if (op->step == STEP_START)
            op_finish(op, err);
        else if (op->kind == OP_REMOVE) {
            remove = true;
            volumes = volumes || op->volumes;
        } else if (op->step == STEP_ABORT && !at_runner(op)) {
            op_finish(op, NULL);
        } else if (op->step == STEP_QUEUED && op->kind == OP_STOP) {
            op_fail(op, SKL_ERR_NOT_MODIFIED, "container %s is already stopped", op->c->id);
        } else if (op->step == STEP_QUEUED) {
            not_running(op);
        }
    }
    if (remove)
        machine_remove(m, volumes);
}

void ops_run_ending(struct machine *m)
{
    OPS_FOREACH(op, m)
        if (op->call != NULL)
            signal_told(op->call);
}

static void restart_second_half(struct op *op)
{
    op->step = STEP_START;
    timer_stop(&op->timer);
    if (op->call != NULL) {
        op->call->op = NULL;
        op->call = NULL;
    }
}

static void start_soon(struct machine *m)
{
    const struct engine *e = m->c->engine;

    if (m->open_run == 0) {
        machine_start(m);
        return;
    }
    if (container_has_agent(m->c))
        e->runner->hurry(e->runner_ctx, m->c);
    timer_start(&m->wait_timer, START_FREE_NS); /* machine.c goes on when the answer is there */
}

void ops_run_ended(struct machine *m)
{
    bool stopped = false, restart = false, remove = false, volumes = false;

    OPS_FOREACH(op, m)
        if (op->kind == OP_STOP || op->kind == OP_RESTART)
            stopped = true;
    if (stopped)
        container_event(m->c, "stop", NULL);
    OPS_FOREACH(op, m) {
        if (op->kind == OP_REMOVE) {
            remove = true;
            volumes = volumes || op->volumes;
        } else if (op->kind == OP_RESTART) {
            restart_second_half(op);
            restart = true;
        } else if (at_runner(op)) {
            op->step = STEP_ABORT;
        } else if (op->kind != OP_START) {
            op_finish(op, NULL);
        }
    }
    if (remove)
        machine_remove(m, volumes);
    else if (restart)
        start_soon(m);
}

void ops_removed(struct machine *m, const struct skl_error *err)
{
    struct skl_error gone;

    error_set(&gone, SKL_ERR_NOT_FOUND, "No such container: %s", m->c->id);
    OPS_FOREACH(op, m)
        if (!at_runner(op))
            op_finish(op, op->kind == OP_REMOVE ? err : err != NULL ? err : &gone);
}

/* ---- start ---- */

/* What stands against it, or true. */
static bool may_start(struct op *op)
{
    struct container *c = op->c;

    if (!op_open(op))
        return false;
    if (c->status == CONTAINER_REMOVING || c->status == CONTAINER_DEAD)
        op_fail(op, SKL_ERR_CONFLICT, "container is marked for removal and cannot be started");
    else if (c->status == CONTAINER_REMOVED)
        op_fail(op, SKL_ERR_NOT_FOUND, "No such container: %s", c->id);
    else if (c->status == CONTAINER_PAUSED)
        op_fail(op, SKL_ERR_CONFLICT, "cannot start a paused container, try unpause instead");
    else if (container_is_running(c))
        op_fail(op, SKL_ERR_NOT_MODIFIED, "container %s is already started", c->id);
    else if (c->status == CONTAINER_EXITED && (engine_caps(c->engine, c) & SKL_CAP_RESTART_RUN) == 0)
        op_fail(op, SKL_ERR_UNIMPLEMENTED, "driver %s runs a container once: an exited one cannot be started again",
                c->driver);
    else
        return true;
    return false;
}

void container_start(struct container *c, container_done_fn done, void *arg)
{
    struct op *op = op_new(c, OP_START, done, arg);
    struct machine *m = c->machine;

    if (!may_start(op))
        return;
    op->step = STEP_START;
    c->manually_stopped = false;
    if (m->phase == PHASE_REST && !timer_armed(&m->wait_timer)) {
        c->restart_count = 0;
        m->back_off = 0;
        start_soon(m);
    }
}

/* ---- stop, restart, kill ---- */

/* The stop signal through the agent, then the rest. */
static void stop_begin(struct op *op)
{
    op->step = STEP_TERM;
    if (connected(op->c)) {
        send_signal(op, op->signo);
        if (op->c->status == CONTAINER_PAUSED)
            container_unpause(op->c, NULL, NULL);
    } else {
        timer_start(&op->timer, op->timeout >= 0 && op->timeout < STOP_AWAY_NS ? op->timeout : STOP_AWAY_NS);
    }
}

static void stop_params(struct op *op, int signo, int64_t timeout_ns)
{
    op->signo = signo != 0 ? signo : op->c->stop_signal;
    op->timeout = timeout_ns == CONTAINER_STOP_DEFAULT ? op->c->stop_timeout_ns : timeout_ns;
}

void container_stop(struct container *c, int signo, int64_t timeout_ns, container_done_fn done, void *arg)
{
    struct op *op = op_new(c, OP_STOP, done, arg);
    struct machine *m = c->machine;

    stop_params(op, signo, timeout_ns);
    if (!container_is_running(c) && !starting(m)) {
        op_fail(op, SKL_ERR_NOT_MODIFIED, "container %s is already stopped", c->id);
        return;
    }
    if (!op_open(op))
        return;
    if (!machine_acts_on_agent(c, SKL_CAP_STOP)) { /* the mapping: functions run to completion */
        op_finish(op, NULL);
        return;
    }
    mark_stopped(c);
    if (m->phase == PHASE_RUNNING) {
        stop_begin(op);
    } else if (starting(m) && asked_for(m)) {
        queue_behind_start(op);
    } else if (starting(m)) {
        op->step = STEP_ABORT;
        machine_start_abort(m, SKL_ERR_CONFLICT, "the container was stopped while it was starting");
    } else {
        machine_back_off_cancel(m);
        container_event(c, "stop", NULL);
        op_finish(op, NULL);
    }
}

void container_restart(struct container *c, int signo, int64_t timeout_ns, container_done_fn done, void *arg)
{
    struct op *op = op_new(c, OP_RESTART, done, arg);
    struct machine *m = c->machine;

    stop_params(op, signo, timeout_ns);
    if (!op_open(op))
        return;
    if (c->status == CONTAINER_REMOVING || c->status == CONTAINER_REMOVED) {
        op_fail(op, SKL_ERR_CONFLICT, "container is marked for removal and cannot be started");
    } else if (!machine_acts_on_agent(c, SKL_CAP_STOP)) {
        op_finish(op, NULL);
    } else if (m->phase == PHASE_RUNNING) {
        c->restart_count = 0;
        stop_begin(op);
    } else if (starting(m)) {
        op->step = STEP_START;
    } else {
        op->step = STEP_START;
        if (m->phase == PHASE_BACK_OFF) {
            timer_stop(&m->back_off_timer);
            m->phase = PHASE_REST;
        }
        c->restart_count = 0;
        if (!timer_armed(&m->wait_timer))
            start_soon(m);
    }
}

static void kill_live(struct op *op)
{
    struct container *c = op->c;

    if (!machine_acts_on_agent(c, SKL_CAP_SIGNAL)) { /* the mapping: the agent is disconnected, whatever the signal */
        kill_event(c, op->signo);
        machine_force_end(c->machine, op->signo, NULL);
    } else if (connected(c)) {
        op->step = op->signo == SIGKILL ? STEP_KILL : STEP_NEW;
        send_signal(op, op->signo);
        if (op->signo == SIGKILL)
            timer_start(&op->timer, KILL_WAIT_NS);
    } else if (op->signo == SIGKILL) {
        kill_event(c, op->signo);
        machine_force_end(c->machine, op->signo, NULL);
    } else {
        op_fail(op, SKL_ERR_UNAVAILABLE, "the agent of container %s is not connected", c->id);
    }
}

void container_kill(struct container *c, int signo, container_done_fn done, void *arg)
{
    struct op *op = op_new(c, OP_KILL, done, arg);
    struct machine *m = c->machine;

    op->signo = signo != 0 ? signo : SIGKILL;
    if (!container_is_running(c) && !starting(m)) {
        not_running(op);
        return;
    }
    if (!op_open(op))
        return;
    mark_stopped(c);
    if (m->phase == PHASE_RUNNING) {
        kill_live(op);
    } else if (starting(m) && asked_for(m)) {
        queue_behind_start(op);
    } else if (starting(m)) {
        op->step = STEP_ABORT;
        machine_start_abort(m, SKL_ERR_CONFLICT, "the container was killed while it was starting");
    } else {
        machine_back_off_cancel(m);
        op_finish(op, NULL);
    }
}

/* ---- pause, resize ---- */

static void on_paused(void *arg, const struct skl_error *err)
{
    struct op *op = arg;
    struct container *c = op->c;

    if (op->step == STEP_ABORT) { /* the run is over meanwhile */
        op_fail(op, SKL_ERR_CONFLICT, "container %s is not running", c->id);
    } else if (err != NULL) {
        op_finish(op, err);
    } else {
        container_set_status(c, op->pause ? CONTAINER_PAUSED : CONTAINER_RUNNING);
        machine_save(c->machine);
        container_event(c, op->pause ? "pause" : "unpause", NULL);
        op_finish(op, NULL);
    }
}

static void set_paused(struct container *c, bool pause, container_done_fn done, void *arg)
{
    struct op *op = op_new(c, OP_SIGNAL_ALL, done, arg);
    const char *word = pause ? "pause" : "unpause";

    op->pause = pause;
    if (!op_open(op))
        return;
    if (!machine_acts_on_agent(c, SKL_CAP_PAUSE))
        op_fail(op, SKL_ERR_UNIMPLEMENTED, "Cannot %s container %s: driver %s cannot %s", word, c->id, c->driver, word);
    else if (c->status == CONTAINER_RESTARTING)
        op_fail(op, SKL_ERR_CONFLICT, "Container %s is restarting, wait until the container is running", c->id);
    else if (!container_is_live(c))
        op_fail(op, SKL_ERR_CONFLICT, pause ? "Container %s is not running" : "Container %s is not paused", c->id);
    else if (pause && c->status == CONTAINER_PAUSED)
        op_fail(op, SKL_ERR_CONFLICT, "Container %s is already paused", c->id);
    else if (!pause && c->status == CONTAINER_RUNNING)
        op_fail(op, SKL_ERR_CONFLICT, "Container %s is not paused", c->id);
    else if (!connected(c))
        op_fail(op, SKL_ERR_UNAVAILABLE, "Cannot %s container %s: its agent is not connected", word, c->id);
    else {
        c->engine->runner->signal(c->engine->runner_ctx, c, pause ? SIGSTOP : SIGCONT, true, on_paused, op);
    }
}

void container_pause(struct container *c, container_done_fn done, void *arg)
{
    set_paused(c, true, done, arg);
}

void container_unpause(struct container *c, container_done_fn done, void *arg)
{
    set_paused(c, false, done, arg);
}

static void on_resized(void *arg, const struct skl_error *err)
{
    struct op *op = arg;
    char h[16], w[16];

    if (err == NULL) {
        snprintf(h, sizeof(h), "%u", op->c->tty_rows);
        snprintf(w, sizeof(w), "%u", op->c->tty_cols);
        container_event(op->c, "resize", "height", h, "width", w, NULL);
    }
    op_finish(op, err);
}

void container_resize(struct container *c, unsigned h, unsigned w, container_done_fn done, void *arg)
{
    struct op *op = op_new(c, OP_RESIZE, done, arg);

    if (!op_open(op))
        return;
    if (!container_is_live(c)) {
        op_fail(op, SKL_ERR_CONFLICT, "container %s is not running", c->id);
    } else if (!c->tty) {
        op_finish(op, NULL); /* there is nothing to resize, which Docker finds fine (docker-py resizes whatever it has) */
    } else if (!connected(c)) {
        op_fail(op, SKL_ERR_UNAVAILABLE, "container %s: its agent is not connected", c->id);
    } else {
        c->tty_rows = h;
        c->tty_cols = w;
        c->engine->runner->resize(c->engine->runner_ctx, c, h, w, on_resized, op);
    }
}

/* ---- remove ---- */

static bool may_remove(struct op *op, bool force)
{
    struct container *c = op->c;
    const char *why = c->status == CONTAINER_PAUSED       ? "container is paused and must be unpaused first"
                      : c->status == CONTAINER_RESTARTING ? "container is restarting: stop the container before removing or "
                                                            "force remove"
                                                          : "container is running: stop the container before removing or "
                                                            "force remove";

    if (!op_open(op))
        return false;
    if (c->status == CONTAINER_REMOVED)
        op_fail(op, SKL_ERR_NOT_FOUND, "No such container: %s", c->id);
    else if (c->status == CONTAINER_REMOVING)
        op_fail(op, SKL_ERR_CONFLICT, "removal of container %s is already in progress", c->id);
    else if (!force && (container_is_running(c) || starting(c->machine)))
        op_fail(op, SKL_ERR_CONFLICT, "cannot remove container \"/%s\": %s", c->name, why);
    else
        return true;
    return false;
}

/* A volume that outlives the container: what it holds has to be fetched first. */
static bool leaves_volumes(const struct container *c, bool anonymous_go)
{
    if (!container_volumes_follow(c))
        return false;
    for (size_t i = 0; i < c->n_mounts; i++) {
        const struct container_mount *m = &c->mounts[i];
        struct volume *v = m->type == MOUNT_VOLUME && m->rw ? volume_find(c->engine, m->name, NULL) : NULL;

        if (v != NULL && !(v->anonymous && anonymous_go))
            return true;
    }
    return false;
}

void container_remove(struct container *c, bool force, bool volumes, container_done_fn done, void *arg)
{
    struct op *op = op_new(c, OP_REMOVE, done, arg);
    struct machine *m = c->machine;

    if (!may_remove(op, force))
        return;
    op->volumes = volumes;
    if (m->phase == PHASE_RUNNING && leaves_volumes(c, volumes) && connected(c)) {
        op->step = STEP_KILL; /* an end as any other, so that its volumes are kept */
        send_signal(op, SIGKILL);
        timer_start(&op->timer, KILL_WAIT_NS);
    } else if (m->phase == PHASE_RUNNING) {
        kill_event(c, SIGKILL);
        machine_force_end(m, SIGKILL, NULL); /* goes on in ops_run_ended() */
    } else if (starting(m)) {
        container_set_status(c, CONTAINER_REMOVING);
        m->before = CONTAINER_REMOVING;
        machine_start_abort(m, SKL_ERR_CONFLICT, "container is marked for removal and cannot be started");
    } else {
        if (m->phase == PHASE_BACK_OFF)
            machine_back_off_cancel(m);
        timer_stop(&m->wait_timer);
        machine_remove(m, volumes);
    }
}
