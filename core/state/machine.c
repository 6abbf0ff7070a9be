/*
 * state/machine.c - the state machine of containers.
 *
 *                      start            driver's start()          process runs
 *   created, exited ----------> START_DRIVER ------> START_PROCESS ------> RUNNING (running, paused)
 *        ^   ^                       |                     |                |    |
 *        |   |     failed, aborted   v                     v                |    | policy: die, then
 *        |   +-----------------------+---------------------+                |    v
 *        |                              die                                 | BACK_OFF (restarting)
 *        +------------------------------------------------------------------+    |
 *        |              stop, kill                                               |
 *        +-----------------------------------------------------------------------+--> START_DRIVER
 *   any but START_*: remove --> REMOVING --> (gone)        (START_* and RUNNING are brought down first)
 *
 * One way in, enter_running(), and one way out, machine_run_end(), whatever ended the run: the agent's RECORD_EXIT, the
 * invocation's answer, a lost agent, a kill, a removal. It does, in this order: code and times into the container, the row
 * into the store, the events (signals still on their way, oom, die, disconnect, unmount), the waiters, the operations
 * that waited for it, the link, the end of the log's followers. So when an event, an answer or the end of a
 * stream reaches a client, inspect already shows the state that goes with it.
 *
 * Who has the word on how a run ended (DESIGN.md 4) is in run_check(), which everything that may matter calls:
 *   - SKL_CAP_AGENT_EXIT and an agent: the agent's RECORD_EXIT. The invocation's answer alone only counts when the agent
 *     doesn't come up with its own within DRAIN_NS.
 *   - else the invocation's answer: at once without an agent; for a helper command at most ENGINE_HELPER_GRACE_NS later; else
 *     when the agent has disconnected, at most ENGINE_AGENT_DISCONNECT_NS later.
 *
 * A start by policy that fails goes back to BACK_OFF while the policy wants it: the cloud may be away for a while. What is
 * stored is in machine_row.c, the agent's output in machine_output.c.
 *
 * A run that was ended here may still have an open invocation (open_run): a new run waits for its answer, since one
 * function instance takes one invocation at a time.
 *
 * Invariants (tests/unit/test_state_machine.c): one die per run; every waiter is told once; running <=> started later than
 * finished or never finished; machine == NULL only at rest; nothing of a caller runs inside an operation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "state/machine.h"

static void run_check(struct machine *m);
static void start_failed(struct machine *m, const struct skl_error *err, int exit_code);
static bool restart_wanted(const struct container *c, int code);
static void begin_back_off(struct machine *m, bool long_run);

/* ---- life ---- */

/* A start that was aborted while it waited for recovery: no call of ours would bring it down. */
static bool abort_waits(const struct machine *m)
{
    return m->phase == PHASE_START_DRIVER && m->abort != NULL && m->start_call == NULL;
}

static void on_check(void *arg)
{
    struct machine *m = arg;

    if (abort_waits(m))
        start_failed(m, m->abort, 128);
    else
        run_check(m);
}

static void on_settle(void *arg)
{
    struct machine *m = arg;

    if (m->phase == PHASE_REST && list_empty(&m->ops) && m->open_run == 0 && !list_linked(&m->dirty))
        machine_free(m->c);
}

static void on_wait_timer(void *arg);
static void on_lost_timer(void *arg);
static void on_back_off(void *arg);

struct machine *machine_get(struct container *c)
{
    struct machine *m = c->machine;

    if (m != NULL)
        return m;
    m = c->machine = xcalloc(1, sizeof(*m));
    m->c = c;
    list_init(&m->ops);
    list_init(&m->dirty);
    timer_init(c->engine->loop, &m->wait_timer, on_wait_timer, m);
    timer_init(c->engine->loop, &m->lost_timer, on_lost_timer, m);
    timer_init(c->engine->loop, &m->back_off_timer, on_back_off, m);
    soon_init(&m->check_soon, on_check, m);
    soon_init(&m->settle_soon, on_settle, m);
    return m;
}

void machine_settle(struct machine *m)
{
    loop_soon(m->c->engine->loop, &m->settle_soon);
}

static void answer_clear(struct machine *m)
{
    free(m->answer.reason);
    m->answer = (struct answer){0};
}

void machine_free(struct container *c)
{
    struct machine *m = c->machine;

    if (m == NULL)
        return;
    ops_free(m);
    timer_fini(&m->wait_timer);
    timer_fini(&m->lost_timer);
    timer_fini(&m->back_off_timer);
    soon_cancel(&m->check_soon);
    soon_cancel(&m->settle_soon);
    list_remove(&m->dirty);
    answer_clear(m);
    free(m->abort);
    free(m);
    c->machine = NULL;
}

bool machine_acts_on_agent(const struct container *c, uint64_t cap)
{
    return container_has_agent(c) && (engine_caps(c->engine, c) & cap) != 0;
}

bool container_volumes_follow(const struct container *c)
{
    if (!machine_acts_on_agent(c, SKL_CAP_AGENT_EXIT))
        return false;
    for (size_t i = 0; i < c->n_mounts; i++)
        if (c->mounts[i].type == MOUNT_VOLUME)
            return true;
    return false;
}

struct plugin *machine_driver(const struct container *c)
{
    return c->engine->plugins != NULL ? plugin_find(c->engine->plugins, c->driver) : NULL;
}

static void set_error(struct container *c, const char *text)
{
    free(c->error);
    c->error = xstrdup(text != NULL ? text : "");
}

/* ---- starting ---- */

static void on_driver_started(void *arg, const struct skl_error *err);
static void on_process_started(void *arg, const struct skl_error *err, int exit_code);

static int start_prepare(struct machine *m, struct skl_error *err)
{
    struct container *c = m->c;

    m->before = c->status == CONTAINER_RESTARTING ? CONTAINER_EXITED : c->status;
    answer_clear(m);
    m->resumed = false;
    m->agent_up = false;
    c->run++;
    m->phase = PHASE_START_DRIVER;
    if (machine_store(c, err) < 0)
        return -1;
    return log_run_begin(c->log, c->run, err);
}

static void on_made_anew(void *arg, const struct skl_error *err, const struct skl_create_result *res);

/* The cloud has lost it: once more what create.c did. */
static void make_anew(struct machine *m, struct plugin *p)
{
    struct skl_create_req req = {.size = sizeof(req)};
    struct view view;

    log_warn("state", "container %.12s: the cloud does not have its resource any more: it is made anew", m->c->id);
    container_ref(m->c); /* until on_made_anew() */
    view_init(&view, m->c);
    req.container = &view.c;
    m->start_call = plugin_create(p, &req, engine_driver_timeout(m->c->engine, ENGINE_CREATE_TIMEOUT_NS), on_made_anew, m);
    view_fini(&view);
}

static void begin_run(struct machine *m, struct plugin *p)
{
    struct container *c = m->c;
    struct engine *e = c->engine;
    struct skl_start_req req = {.size = sizeof(req)};
    struct skl_error err;
    struct view view;

    if (machine_agent_prepare(c, &err) < 0) {
        start_failed(m, &err, 128);
        return;
    }
    container_ref(c); /* until on_driver_started() */
    view_init(&view, c);
    req.container = &view.c;
    m->open_run = c->run;
    m->start_call = plugin_start(p, &req, engine_driver_timeout(e, ENGINE_START_TIMEOUT_NS), on_driver_started, m);
    view_fini(&view);
}

static void on_made_anew(void *arg, const struct skl_error *err, const struct skl_create_result *res)
{
    struct machine *m = arg;
    struct container *c = m->c;
    struct skl_error failure;

    m->start_call = NULL;
    if (err == NULL) {
        free(c->handle);
        c->handle = xstrdup(res->handle);
        c->resource = RESOURCE_THERE;
        if (store_run(c->engine->store, SQL_CONTAINER_CREATED, &failure, "ss", c->id, c->handle) < 0)
            err = &failure;
    }
    if (err != NULL || m->abort != NULL)
        start_failed(m, m->abort != NULL ? m->abort : err, 128);
    else
        begin_run(m, machine_driver(c));
    container_unref(c);
}

static void go_on_with_start(struct machine *m)
{
    struct container *c = m->c;
    struct plugin *p = machine_driver(c);
    struct skl_error err;

    if (p == NULL) {
        error_set(&err, SKL_ERR_UNAVAILABLE, "driver %s is not loaded", c->driver);
        start_failed(m, &err, 128);
    } else if (c->resource == RESOURCE_GONE) {
        make_anew(m, p);
    } else if (c->resource == RESOURCE_THERE) {
        begin_run(m, p);
    } /* else machine_resource_known() goes on */
}

void machine_start(struct machine *m)
{
    struct skl_error err;

    timer_stop(&m->wait_timer);
    if (start_prepare(m, &err) < 0)
        start_failed(m, &err, 128);
    else
        go_on_with_start(m);
}

static void enter_running(struct machine *m)
{
    struct container *c = m->c;

    m->phase = PHASE_RUNNING;
    m->agent_up = container_has_agent(c) && c->engine->runner->connected(c->engine->runner_ctx, c);
    timer_stop(&m->wait_timer);
    c->started = clock_wall();
    c->exit_code = 0;
    c->oom = false;
    set_error(c, NULL);
    container_set_status(c, CONTAINER_RUNNING);
    stdin_run_begins(c);
    machine_save(m);
    endpoints_event(c, "connect");
    volume_mount_events(c, "mount");
    container_event(c, "start", NULL);
    health_started(c);
    ops_run_began(m);
    loop_soon(c->engine->loop, &m->check_soon);
}

static void on_driver_started(void *arg, const struct skl_error *err)
{
    struct machine *m = arg;
    struct container *c = m->c;
    struct engine *e = c->engine;

    m->start_call = NULL;
    if (err != NULL) {
        m->open_run = 0;
        start_failed(m, err, 128);
    } else if (m->abort != NULL) {
        start_failed(m, m->abort, 128);
    } else if (container_has_agent(c)) {
        m->phase = PHASE_START_PROCESS;
        container_ref(c); /* until on_process_started() */
        e->runner->start(e->runner_ctx, c, on_process_started, m);
    } else {
        enter_running(m);
    }
    container_unref(c);
}

static void on_process_started(void *arg, const struct skl_error *err, int exit_code)
{
    struct machine *m = arg;
    struct container *c = m->c;

    if (err == NULL && m->abort != NULL)
        start_failed(m, m->abort, 128);
    else if (err != NULL)
        start_failed(m, err, exit_code > 0 ? exit_code : 128);
    else
        enter_running(m);
    container_unref(c);
}

/* The start comes down with this error, later, through on_driver_started() or on_process_started(). */
void machine_start_abort(struct machine *m, int kind, const char *why)
{
    struct container *c = m->c;

    if (m->abort != NULL)
        return;
    m->abort = xcalloc(1, sizeof(*m->abort));
    error_set(m->abort, kind, "%s", why);
    if (m->phase == PHASE_START_DRIVER && m->start_call != NULL)
        plugin_call_cancel(m->start_call);
    else if (m->phase == PHASE_START_DRIVER)
        loop_soon(c->engine->loop, &m->check_soon);
    else if (m->phase == PHASE_START_PROCESS)
        c->engine->runner->start_abort(c->engine->runner_ctx, c, m->abort);
}

static void start_failed(struct machine *m, const struct skl_error *err, int exit_code)
{
    struct container *c = m->c;
    bool was_restarting = c->status == CONTAINER_RESTARTING;
    struct skl_error why = m->abort != NULL ? *m->abort : *err; /* what asked for it, not how the parts put it */
    bool again = was_restarting && list_empty(&m->ops) && why.kind != SKL_ERR_INVALID && restart_wanted(c, exit_code);

    timer_stop(&m->wait_timer);
    m->phase = PHASE_REST;
    c->exit_code = exit_code;
    set_error(c, why.message);
    if (was_restarting)
        c->finished = clock_wall();
    container_set_status(c, again ? CONTAINER_RESTARTING : m->before);
    machine_save(m);
    if (m->open_run != 0)
        machine_kill_invocation(c, c->run, SIGKILL);
    machine_agent_release(c, false);
    log_run_end(c->log);
    if (was_restarting && !again)
        waiters_wake(c, WAIT_NOT_RUNNING, c->exit_code, NULL);
    free(m->abort);
    m->abort = NULL;
    ops_start_failed(m, &why);
    if (again) /* the cloud may be away for a while: the policy goes on */
        begin_back_off(m, false);
    if (c->auto_remove && m->phase == PHASE_REST && list_empty(&m->ops))
        machine_remove(m, true);
    machine_settle(m);
}

/* ---- the end of a run ---- */

static bool restart_wanted(const struct container *c, int code)
{
    if (c->manually_stopped || c->engine->closing)
        return false;
    switch (c->restart_policy) {
    case RESTART_ALWAYS:
    case RESTART_UNLESS_STOPPED:
        return true;
    case RESTART_ON_FAILURE:
        return code != 0 && (c->restart_max == 0 || c->restart_count < c->restart_max);
    default:
        return false;
    }
}

static void die_events(struct container *c)
{
    char code[16], duration[24];
    int64_t ns = c->finished > c->started ? c->finished - c->started : 0;

    if (c->oom)
        container_event(c, "oom", NULL);
    snprintf(code, sizeof(code), "%d", c->exit_code);
    snprintf(duration, sizeof(duration), "%lld", (long long)(ns / NS_PER_S));
    container_event(c, "die", "execDuration", duration, "exitCode", code, NULL);
    endpoints_event(c, "disconnect");
    volume_mount_events(c, "unmount");
}

static void begin_back_off(struct machine *m, bool long_run)
{
    m->back_off = long_run || m->back_off == 0 ? BACK_OFF_MIN_NS : m->back_off * 2;
    if (m->back_off > BACK_OFF_MAX_NS)
        m->back_off = BACK_OFF_MAX_NS;
    m->phase = PHASE_BACK_OFF;
    timer_start(&m->back_off_timer, m->back_off);
}

static bool has_op(const struct machine *m, enum op_kind kind)
{
    LIST_FOREACH_SAFE(node, tmp, &m->ops)
        if (LIST_ENTRY(node, struct op, link)->kind == kind)
            return true;
    return false;
}

void machine_run_end(struct machine *m, const struct run_result *r)
{
    struct container *c = m->c;
    bool removing = has_op(m, OP_REMOVE);
    bool by_hand = has_op(m, OP_RESTART);
    bool again = !removing && !by_hand && restart_wanted(c, r->code);
    /* The agent holds the invocation's answer back until release(). Without the answer it is still there. */
    bool stays = !again && !by_hand && !removing && !c->auto_remove;
    bool keep_files = stays && !m->answer.valid && machine_acts_on_agent(c, SKL_CAP_AGENT_EXIT) && log_run_exit(c->log, NULL, NULL);

    container_ref(c);
    m->phase = PHASE_REST;
    timer_stop(&m->wait_timer);
    timer_stop(&m->lost_timer);
    soon_cancel(&m->check_soon);
    health_stopped(c);
    c->exit_code = r->code;
    c->oom = r->oom;
    c->finished = r->time != 0 ? r->time : clock_wall();
    set_error(c, r->error);
    container_set_status(c, again ? CONTAINER_RESTARTING : removing ? CONTAINER_REMOVING : CONTAINER_EXITED);
    answer_clear(m);
    machine_save(m);
    execs_container_ended(c);
    ops_run_ending(m);
    die_events(c);
    waiters_wake(c, WAIT_NEXT_EXIT, c->exit_code, NULL);
    if (!again)
        waiters_wake(c, WAIT_NOT_RUNNING, c->exit_code, NULL);
    machine_agent_release(c, keep_files);
    log_run_end(c->log);
    ops_run_ended(m);
    if (again)
        begin_back_off(m, c->finished - c->started >= BACK_OFF_RESET_NS);
    else if (c->auto_remove && !removing && !by_hand && m->phase == PHASE_REST)
        machine_remove(m, true);
    machine_settle(m);
    container_unref(c);
}

void machine_force_end(struct machine *m, int signo, const char *error)
{
    struct run_result r = {.code = 128 + SIGKILL, .error = error};

    if (m->open_run != 0 || m->resumed)
        machine_kill_invocation(m->c, m->c->run, signo);
    machine_run_end(m, &r);
}

static void end_with_answer(struct machine *m)
{
    struct container *c = m->c;
    CLEANUP(free_p) char *reason = xstrdup(m->answer.reason);
    struct run_result r = {.code = m->answer.code, .error = reason};
    struct record_exit x;
    int64_t time;

    if (m->answer.kind == SKL_END_LOST && log_run_exit(c->log, &x, &time))
        r = (struct run_result){.code = x.code, .time = time, .oom = (x.flags & RECORD_EXIT_OOM) != 0, .error = x.reason};
    else if (m->answer.kind != SKL_END_EXIT && r.code == 0)
        r.code = 128 + SIGKILL;
    machine_run_end(m, &r);
}

static void signal_ignored(void *arg, const struct skl_error *err)
{
    (void)arg;
    (void)err;
}

static void arm(struct timer *t, int64_t ns)
{
    if (!timer_armed(t))
        timer_start(t, ns);
}

/* The answer, where the agent's word counts. */
static void check_answer_extended(struct machine *m)
{
    if (m->answer.kind == SKL_END_EXIT)
        arm(&m->wait_timer, m->agent_up ? DRAIN_NS : DRAIN_LOST_NS);
    else if (m->answer.kind == SKL_END_LOST || (m->answer.kind == SKL_END_FAILED && m->agent_up)) { /* the agent may be well */
        if (!m->agent_up)
            arm(&m->lost_timer, m->c->engine->agent_lost);
    } else {
        if (m->answer.kind == SKL_END_TIMEOUT && m->agent_up)
            m->c->engine->runner->signal(m->c->engine->runner_ctx, m->c, SIGKILL, true, signal_ignored, NULL);
        end_with_answer(m);
    }
}

static void check_answer_strict(struct machine *m, bool exited)
{
    bool ended = m->answer.kind != SKL_END_EXIT && m->answer.kind != SKL_END_LOST;

    if (ended || !m->agent_up || (m->c->helper && exited))
        end_with_answer(m);
    else if (m->c->helper && m->answer.kind == SKL_END_EXIT)
        arm(&m->wait_timer, HELPER_WAIT_NS);
    else
        arm(&m->wait_timer, ENGINE_AGENT_DISCONNECT_NS);
}

static void run_check(struct machine *m)
{
    struct container *c = m->c;
    bool word = machine_acts_on_agent(c, SKL_CAP_AGENT_EXIT) || (m->resumed && container_has_agent(c));
    struct record_exit x;
    int64_t time;
    bool exited = log_run_exit(c->log, &x, &time);

    if (m->phase != PHASE_RUNNING)
        return;
    if (word && exited) {
        struct run_result r = {.code = x.code, .time = time, .oom = (x.flags & RECORD_EXIT_OOM) != 0, .error = x.reason};

        machine_run_end(m, &r);
    } else if (m->answer.valid && word) {
        check_answer_extended(m);
    } else if (m->answer.valid) {
        check_answer_strict(m, exited);
    } else if (exited && container_has_agent(c)) {
        c->engine->runner->finish(c->engine->runner_ctx, c);
    }
}

/* ---- timers ---- */

static void on_wait_timer(void *arg)
{
    struct machine *m = arg;

    if (m->phase == PHASE_START_PROCESS) {
        machine_start_abort(m, SKL_ERR_INTERNAL,
                            m->answer.reason != NULL ? m->answer.reason
                                                     : "the invocation ended before the container's process was started");
    } else if (m->phase == PHASE_REST && m->open_run != 0) {
        log_warn("state", "container %.12s: the invocation of its last run does not end", m->c->id);
        machine_kill_invocation(m->c, m->open_run, SIGKILL);
        m->open_run = 0;
        machine_start(m);
    } else if (m->phase == PHASE_RUNNING && log_is_blocked(m->c->log)) {
        timer_start(&m->wait_timer, DRAIN_NS); /* a slow reader holds it up: nothing is lost */
    } else if (m->phase == PHASE_RUNNING && m->answer.valid) {
        end_with_answer(m);
    }
}

static void on_lost_timer(void *arg)
{
    struct machine *m = arg;

    if (m->phase != PHASE_RUNNING)
        return;
    if (m->answer.valid)
        end_with_answer(m);
    else
        machine_force_end(m, SIGKILL, "the connection to the container's agent was lost and did not come back");
}

static void on_back_off(void *arg)
{
    struct machine *m = arg;

    if (m->phase != PHASE_BACK_OFF || m->c->engine->closing)
        return;
    m->c->restart_count++;
    m->phase = PHASE_REST;
    if (m->open_run != 0)
        timer_start(&m->wait_timer, START_FREE_NS);
    else
        machine_start(m);
}

void machine_back_off_cancel(struct machine *m)
{
    struct container *c = m->c;

    timer_stop(&m->back_off_timer);
    m->phase = PHASE_REST;
    container_set_status(c, CONTAINER_EXITED);
    machine_save(m);
    waiters_wake(c, WAIT_NOT_RUNNING, c->exit_code, NULL);
    machine_settle(m);
}

/* ---- what the driver tells ---- */

static void start_answered(struct machine *m)
{
    if (m->answer.kind == SKL_END_EXIT)
        timer_start(&m->wait_timer, START_GRACE_NS);
    else if (m->answer.kind != SKL_END_LOST) /* then the agent may be there, or its connect-timeout passes */
        machine_start_abort(m, SKL_ERR_INTERNAL, m->answer.reason != NULL ? m->answer.reason : "the invocation failed");
}

void machine_run_ended(void *engine, struct plugin *p, const char *id, uint32_t run, const struct skl_run_end *end)
{
    struct container *c = container_by_id(engine, id);
    struct machine *m = c != NULL ? c->machine : NULL;

    if (m == NULL || strcmp(c->driver, plugin_name(p)) != 0)
        return;
    if (run == m->open_run)
        m->open_run = 0;
    if (run == c->run && (m->phase == PHASE_RUNNING || m->phase == PHASE_START_PROCESS) && !m->answer.valid) {
        m->answer = (struct answer){true, end->kind, end->exit_code, xstrdup(end->reason)};
        if (m->phase == PHASE_START_PROCESS)
            start_answered(m);
        else
            run_check(m);
    } else if (m->phase == PHASE_REST && m->open_run == 0 && timer_armed(&m->wait_timer)) {
        machine_start(m); /* it has waited for this */
    }
    machine_settle(m);
}

/* ---- what the chain tells: state/runner.h ---- */

struct machine *machine_of_run(const struct container *c, uint32_t run)
{
    struct machine *m = c->machine;

    return m != NULL && run == c->run && (m->phase == PHASE_RUNNING || m->phase == PHASE_START_PROCESS) ? m : NULL;
}

void engine_agent_lost(struct container *c, uint32_t run, bool final)
{
    struct machine *m = machine_of_run(c, run);

    if (m == NULL)
        return;
    m->agent_up = false;
    if (m->phase != PHASE_RUNNING)
        return;
    if (machine_acts_on_agent(c, SKL_CAP_AGENT_EXIT) || m->resumed)
        timer_start(&m->lost_timer, final ? AGENT_FINAL_NS : c->engine->agent_lost);
    timer_stop(&m->wait_timer); /* armed anew by what holds now */
    loop_soon(c->engine->loop, &m->check_soon);
}

void engine_agent_back(struct container *c, uint32_t run)
{
    struct machine *m = machine_of_run(c, run);

    if (m == NULL)
        return;
    m->agent_up = true;
    timer_stop(&m->lost_timer);
}

/* ---- recovery ---- */

void machine_resume(struct container *c)
{
    struct engine *e = c->engine;
    struct machine *m = machine_get(c);
    struct skl_error err;

    m->phase = PHASE_RUNNING;
    m->resumed = true;
    if (log_run_resume(c->log, c->run, &err) < 0)
        log_error("state", "%s", err.message);
    if (!container_has_agent(c)) {
        machine_force_end(m, SIGKILL, "the daemon was restarted during the invocation: how it ended is unknown");
        return;
    }
    if (machine_driver(c) != NULL)
        plugin_run_adopt(machine_driver(c), c->id, c->run);
    if (machine_agent_prepare(c, &err) < 0)
        log_error("state", "container %.12s: %s", c->id, err.message);
    timer_start(&m->lost_timer, e->agent_lost);
    health_started(c);
    loop_soon(e->loop, &m->check_soon); /* the exit may have been captured already */
}

void machine_resource_known(struct container *c)
{
    struct machine *m = c->machine;
    struct run_result r = {.code = 128 + SIGKILL,
                           .error = "the cloud does not have the container's resource any more: how it ended is unknown"};

    if (m == NULL)
        return;
    if (m->phase == PHASE_START_DRIVER && m->start_call == NULL && m->abort == NULL)
        go_on_with_start(m);
    else if (m->phase == PHASE_RUNNING && c->resource == RESOURCE_GONE && (m->resumed || m->answer.valid) && !m->agent_up)
        machine_run_end(m, &r);
}

void machine_cut_start(struct container *c)
{
    struct machine *m = machine_get(c);

    machine_kill_invocation(c, c->run, SIGKILL);
    machine_save(m);
    machine_settle(m);
}

void machine_start_by_policy(struct container *c, bool back_off)
{
    struct machine *m = machine_get(c);

    container_set_status(c, CONTAINER_RESTARTING);
    if (back_off)
        begin_back_off(m, false);
    else
        machine_start(m);
}

/* ---- REMOVING: a pending deletion, then the cloud is asked, then it goes ---- */

struct removing {
    struct container *c;
    bool volumes;
};

/* The cloud has deleted it, or will: here it goes. */
static void on_first_try(void *arg, const struct skl_error *err)
{
    struct removing *r = arg;
    struct container *c = r->c;
    struct engine *e = c->engine;

    (void)err;
    container_unindex(c);
    endpoints_free(c);
    if (r->volumes)
        volume_remove_anonymous(c);
    c->status = CONTAINER_REMOVED;
    log_delete(c->log);
    container_event(c, "destroy", NULL);
    waiters_wake(c, WAIT_NOT_RUNNING, c->exit_code, NULL);
    waiters_wake(c, WAIT_NEXT_EXIT, c->exit_code, NULL);
    waiters_wake(c, WAIT_REMOVED, c->exit_code, NULL);
    if (e->runner != NULL)
        e->runner->forget(e->runner_ctx, c);
    execs_free(c);
    c->machine->open_run = 0;
    ops_removed(c->machine, NULL);
    engine_job_free(r);
    container_unref(c); /* of the table */
    container_unref(c);
    engine_idle(e);
}

void machine_remove(struct machine *m, bool volumes)
{
    struct container *c = m->c;
    enum container_status before = c->status == CONTAINER_REMOVING ? CONTAINER_EXITED : c->status;
    struct removing *r;
    struct skl_error err;

    m->phase = PHASE_REMOVING;
    container_set_status(c, CONTAINER_REMOVING);
    if (machine_rows_delete(c, volumes, &err) < 0) {
        m->phase = PHASE_REST;
        container_set_status(c, before);
        error_prefix(&err, "container %s could not be removed", c->id);
        waiters_wake(c, WAIT_REMOVED, c->exit_code, &err);
        ops_removed(m, &err);
        machine_settle(m);
        return;
    }
    list_remove(&m->dirty);
    if (m->open_run != 0)
        plugin_run_forget(machine_driver(c), c->id, m->open_run);
    r = engine_job_new(c->engine, sizeof(*r), NULL);
    r->c = c;
    r->volumes = volumes;
    engine_busy(c->engine);
    container_ref(c);
    removal_begin(c->engine, c, on_first_try, r);
}

void machine_remove_rest(struct container *c)
{
    machine_remove(machine_get(c), c->auto_remove);
}
