/*
 * agent/invoke.c - HTTP on $PORT. POST runs the command once and answers when it has ended; nothing else runs anything.
 *
 * With a callback URL a run is: dial; the daemon starts the process; it ends; the daemon says `finish` (it has taken output
 * and files) or AGENT_FINISH_NS pass; the answer is written; the link is shut down. Without one the command runs at once,
 * with our own stdout and stderr.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "agent/agent.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/server.h"
#include "json/json.h"
#include "wire/ws.h"

#define CODE_KILLED 137

struct invocation {
    struct agent *agent;
    struct http_req *req;
    struct timer finish;
    bool exited;
    bool released; /* the daemon wants nothing more of the run */
};

static void on_finish_timer(void *arg);

static void answer(struct agent *a, int status, struct json_object *o)
{
    struct invocation *call = a->call;
    struct buf b;

    a->call = NULL;
    buf_init(&b, 64 * 1024);
    (void)json_emit(&b, o);
    json_object_put(o);
    http_res_send(call->req, status, "application/json", b.data, b.len);
    buf_fini(&b);
    timer_fini(&call->finish);
    free(call);
}

static void answer_message(struct agent *a, int status, const char *message)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "message", message);
    answer(a, status, o);
}

static void answer_exit(struct agent *a)
{
    const struct record_exit *e = &a->main->exit;
    struct json_object *o = json_new_object();

    json_add_i64(o, "exit_code", e->code);
    json_add_i64(o, "signal", e->signal);
    json_add_bool(o, "oom", (e->flags & RECORD_EXIT_OOM) != 0);
    json_add_string(o, "reason", e->reason);
    if (a->main->started != 0 && e->reason[0] != '\0')
        json_add_string(o, "error", e->reason);
    http_res_header(a->call->req, "X-Sockerless-Exit-Code", "%d", e->code);
    answer(a, 200, o);
}

/* ---- the run's end ---- */

static void finish_run(struct agent *a)
{
    if (a->call == NULL)
        return;
    answer_exit(a);
    if (a->cfg.callback_url != NULL)
        dialer_finish(a->dialer, WS_CLOSE_NORMAL, "the run is over");
}

static void on_finish_timer(void *arg)
{
    struct invocation *call = arg;

    /* Without a link the daemon may still come back for the output: the dialer's own limit ends that. While it reads output
     * or files, a slow client of its holds it up. */
    if (dialer_up(call->agent->dialer) && call->agent->main->out.reader == NULL && call->agent->reads == 0)
        finish_run(call->agent);
    else
        timer_start(&call->finish, AGENT_FINISH_NS);
}

void invoke_on_exit(struct agent *a)
{
    if (a->call == NULL)
        return;
    a->call->exited = true;
    if (a->cfg.callback_url == NULL || a->call->released)
        finish_run(a);
    else
        timer_start(&a->call->finish, AGENT_FINISH_NS);
}

void invoke_on_finish(struct agent *a)
{
    finish_run(a);
}

void invoke_on_link_up(struct agent *a)
{
    (void)a;
}

/* What is left of the run is killed; the exit code is the process's own, or 137 for one that never was. */
static void kill_run(struct agent *a)
{
    if (a->main->state == PROCESS_RUNNING)
        agent_kill_all(a, SIGKILL);
    else if (a->main->state == PROCESS_IDLE)
        a->main->exit.code = CODE_KILLED;
}

void invoke_on_link_failed(struct agent *a, int status, const char *message)
{
    bool ran = a->main->state != PROCESS_IDLE;

    kill_run(a);
    if (a->call == NULL)
        return;
    log_warn("invoke", "%s", message);
    answer_message(a, ran ? 504 : status, message);
}

void invoke_on_released(struct agent *a)
{
    bool running = a->main->state == PROCESS_RUNNING;

    if (a->call != NULL)
        a->call->released = true;
    kill_run(a); /* a running one answers when it is reaped */
    if (!running && a->call != NULL)
        answer_exit(a);
}

/* ---- requests ---- */

static void on_gone(void *arg)
{
    (void)arg; /* the run goes on: it is the daemon's link that counts */
}

static void start_alone(struct agent *a)
{
    struct process_spec spec;
    struct skl_error err = {0};
    int code;

    if (spec_parse(&spec, &a->cfg, NULL, a->cfg.process, NULL, &code, &err) < 0) {
        a->main->exit.code = code;
        snprintf(a->main->exit.reason, sizeof(a->main->exit.reason), "%.*s", (int)RECORD_EXIT_REASON_MAX, err.message);
        finish_run(a);
        return;
    }
    spec.inherit_stdio = !spec.tty;
    (void)process_start(a->main, &spec, &code, &err); /* a failure ends the process, and so the run */
}

static void begin_run(struct agent *a, struct http_req *req)
{
    struct invocation *call = xcalloc(1, sizeof(*call));

    call->agent = a;
    call->req = req;
    timer_init(a->loop, &call->finish, on_finish_timer, call);
    a->call = call;
    a->invocation++;
    agent_new_main(a);
    http_req_on_gone(req, on_gone, call);
    if (a->cfg.callback_url != NULL)
        dialer_start(a->dialer);
    else
        start_alone(a);
}

static void on_request(struct http_req *req, void *arg)
{
    struct agent *a = arg;
    const char *method = http_req_method(req);

    if (str_eq(method, "GET") || str_eq(method, "HEAD")) {
        http_res_send(req, 200, "text/plain; charset=utf-8", "ok\n", 3);
    } else if (!str_eq(method, "POST")) {
        http_res_send(req, 405, "text/plain; charset=utf-8", "POST runs the command\n", 22);
    } else if (a->terminating) {
        http_res_send(req, 503, "application/json", "{\"message\":\"the instance is being terminated\"}\n", 47);
    } else if (a->call != NULL) {
        http_res_send(req, 409, "application/json", "{\"message\":\"a run is in progress\"}\n", 35);
    } else {
        begin_run(a, req);
    }
}

int invoke_listen(struct agent *a, struct skl_error *err)
{
    struct http_server_opts opts = {.on_request = on_request, .arg = a};
    struct http_server *s = http_server_new(a->loop, &opts);

    return http_server_add_tcp(s, "0.0.0.0", a->cfg.port, NULL, NULL, err);
}

/* ---- SIGTERM of the platform ---- */

static void on_grace(void *arg)
{
    struct agent *a = arg;

    agent_kill_all(a, SIGKILL);
    if (a->call != NULL && a->main->state != PROCESS_RUNNING)
        answer_message(a, 503, "the instance is being terminated");
    dialer_finish(a->dialer, WS_CLOSE_GOING_AWAY, "the instance is being terminated");
    timer_start(&a->grace, INT64_C(1000000000));
}

void invoke_terminate(struct agent *a)
{
    struct json_object *o = json_new_object();

    if (a->terminating) {
        loop_stop(a->loop);
        json_object_put(o);
        return;
    }
    a->terminating = true;
    json_add_string(o, "event", "terminating");
    json_add_i64(o, "grace_ms", 10000);
    events_emit(a, o);
    if (a->main->state == PROCESS_RUNNING) {
        (void)process_signal(a->main, a->main->spec.stop_signal, false, NULL);
        timer_start(&a->grace, AGENT_GRACE_NS);
    } else {
        loop_stop(a->loop);
    }
}

void invoke_on_grace(struct agent *a)
{
    static bool again;

    if (again)
        loop_stop(a->loop);
    again = true;
    on_grace(a);
}
