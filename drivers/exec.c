/*
 * drivers/exec.c - execs: the record in core/state, the process in the function, the client's stream.
 *
 * The exec's record has its final code before the client sees the end of the stream (reference 2.3.13).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "drivers/exec_stream.h"
#include "json/json.h"
#include "state/container.h"
#include "state/engine.h"

#define EXEC_CODE_UNKNOWN 255  /* what runtimes report when they can't know */
#define EXEC_RESIZE_WAIT_NS (INT64_C(10) * 1000000000)
#define EXEC_RESIZE_POLL_NS (INT64_C(10) * 1000000)

static void stream_free(struct exec_stream *st)
{
    soon_cancel(&st->soon);
    st->exec->chain = NULL;
    exec_unref(st->exec);
    free(st);
}

void exec_stream_started(struct exec_stream *st, const struct skl_error *err)
{
    if (st->started)
        return;
    st->started = true;
    if (!st->detached || st->on_started)
        if (st->on_started)
            st->on_started(st->arg, err);
}

void exec_stream_exited(struct exec_stream *st, int code, const struct skl_error *err)
{
    const struct exec_stream_ops *ops = st->ops;
    void *arg = st->arg;
    bool tell = !st->detached && ops;

    exec_set_exited(st->exec, code);
    stream_free(st);
    if (tell)
        ops->on_end(arg, err);
}

/* ---- the process's side ---- */

static bool on_output(void *arg, uint8_t stream, uint32_t frame_len, bool first, const void *p, size_t n)
{
    struct exec_stream *st = arg;

    return st->detached || st->ops->on_output(st->arg, stream, frame_len, first, p, n);
}

static void on_drain(void *arg)
{
    struct exec_stream *st = arg;

    if (!st->detached)
        st->ops->on_drain(st->arg);
}

static void on_started(void *arg, int pid)
{
    struct exec_stream *st = arg;

    exec_set_running(st->exec, pid);
    exec_stream_started(st, NULL);
}

/* A command that is not there: the client's stdout gets the reason, as Docker's does. */
static void command_failed(struct exec_stream *st, int code, const struct skl_error *err)
{
    CLEANUP(free_p) char *text =
        xasprintf("OCI runtime exec failed: exec failed: unable to start container process: %s: unknown\r\n",
                  err->message);

    if (st->detached) {
        struct skl_error why = {0};
        error_set(&why, SKL_ERR_INVALID, "%.*s", (int)strlen(text) - 2, text);
        exec_stream_started(st, &why);
        exec_stream_exited(st, code, NULL);
        return;
    }
    exec_stream_started(st, NULL);
    (void)st->ops->on_output(st->arg, 1, (uint32_t)strlen(text), true, text, strlen(text));
    exec_stream_exited(st, code, NULL);
}

static void on_end(void *arg, int code, const struct skl_error *err)
{
    struct exec_stream *st = arg;

    st->proc = NULL;
    if (err && code > 0) {
        command_failed(st, code, err);
        return;
    }
    if (!st->started) {
        /* The client's callback ends its interest; the record settles. */
        exec_stream_started(st, err);
        st->detached = true;
        exec_stream_exited(st, EXEC_CODE_UNKNOWN, NULL);
        return;
    }
    if (!st->exec->running) /* it ended with its container, which says all there is to say */
        err = NULL;
    exec_stream_exited(st, err ? EXEC_CODE_UNKNOWN : code, err);
}

static const struct proc_ops proc_ops = {
    .on_output = on_output, .on_drain = on_drain, .on_started = on_started, .on_end = on_end};

/* ---- starting ---- */

static struct json_object *exec_spec(const struct exec *e, const struct exec_start_opts *opts)
{
    struct json_object *spec = json_new_object();

    json_add_strings(spec, "argv", (const char *const *)e->config.argv);
    json_add_strings(spec, "env", (const char *const *)e->config.env);
    if (e->config.user && *e->config.user)
        json_add_string(spec, "user", e->config.user);
    if (e->config.working_dir && *e->config.working_dir)
        json_add_string(spec, "cwd", e->config.working_dir);
    json_add_bool(spec, "tty", opts->tty);
    json_add_bool(spec, "open_stdin", opts->attach_stdin && !opts->detached);
    json_add_bool(spec, "privileged", e->config.privileged);
    json_add_bool(spec, "discard_output", opts->detached);
    if (opts->tty && opts->rows > 0 && opts->cols > 0) {
        struct json_object *size = json_add_array(spec, "size");
        json_push(size, json_object_new_int((int)opts->rows));
        json_push(size, json_object_new_int((int)opts->cols));
    }
    return spec;
}

/* The agent driver's part: takes the exec, or says why not. */
static bool agent_take(struct exec_stream *st, const struct exec_start_opts *opts)
{
    struct container *c = st->exec->container;
    struct peer *p = peer_find(st->ch, c->id);
    struct json_object *spec;

    if (!container_has_agent(c)) {
        error_set(&st->err, SKL_ERR_UNIMPLEMENTED, "agent: %s", chain_why_no_agent(c));
        return false;
    }
    if (!p || !p->expected) {
        error_set(&st->err, SKL_ERR_CONFLICT, "container %s is not running", c->id);
        return false;
    }
    spec = exec_spec(st->exec, opts);
    st->proc = proc_new(p, st->exec->id, spec, opts->attach_stdin && !opts->detached, &proc_ops, st);
    json_object_put(spec);
    return true;
}

static void on_declined(void *arg)
{
    struct exec_stream *st = arg;

    exec_stream_started(st, &st->err);
    st->detached = true;
    exec_stream_exited(st, EXEC_CODE_UNKNOWN, NULL);
}

struct exec_stream *chain_exec_start(struct chain *ch, struct exec *e, const struct exec_start_opts *opts,
                                     void (*started)(void *arg, const struct skl_error *err),
                                     const struct exec_stream_ops *ops, void *arg)
{
    struct exec_stream *st = xcalloc(1, sizeof(*st));

    st->ch = ch;
    st->exec = e;
    st->on_started = started;
    st->ops = ops;
    st->arg = arg;
    st->detached = opts->detached;
    exec_ref(e);
    e->chain = st;
    soon_init(&st->soon, on_declined, st);
    if (agent_take(st, opts))
        return st;
    if (!container_has_agent(e->container))
        synthetic_exec(st); /* by configuration there is no agent */
    else
        loop_soon(ch->loop, &st->soon);
    return st;
}

bool exec_stream_write(struct exec_stream *st, const void *p, size_t n)
{
    return st->proc ? proc_write(st->proc, p, n) : true;
}

void exec_stream_close_stdin(struct exec_stream *st)
{
    if (st->proc)
        proc_close_stdin(st->proc);
}

void exec_stream_resume(struct exec_stream *st)
{
    if (st->proc)
        proc_resume(st->proc);
}

void exec_stream_leave(struct exec_stream *st)
{
    st->detached = true;
    st->on_started = NULL;
    if (st->proc)
        proc_discard(st->proc);
}

void exec_stream_detach(struct exec_stream *st)
{
    if (st->proc)
        proc_close_stdin(st->proc);
    exec_stream_leave(st);
}

/* ---- resize ---- */

struct exec_resize {
    struct chain *ch;
    struct exec *exec;
    unsigned h, w;
    int64_t until;
    struct timer timer;
    struct skl_error err;
    runner_done_fn done;
    void *arg;
};

static void resize_end(struct exec_resize *r, const struct skl_error *err)
{
    r->done(r->arg, err);
    timer_fini(&r->timer);
    exec_unref(r->exec);
    free(r);
}

static void on_resized(void *arg, const struct skl_error *err, const struct call_answer *a)
{
    (void)a;
    resize_end(arg, err);
}

static void on_resize_timer(void *arg)
{
    struct exec_resize *r = arg;
    struct exec_stream *st = r->exec->chain;
    CLEANUP(free_p) char *path = xasprintf("/exec/%s/resize", r->exec->id);
    char json[64];
    struct skl_error err = {0};

    if (r->exec->exited) {
        error_set(&err, SKL_ERR_CONFLICT, "exec command %s has already run", r->exec->id);
        resize_end(r, &err);
    } else if (st && st->proc && proc_running(st->proc) && !r->exec->config.tty) {
        resize_end(r, NULL); /* as with containers: nothing to resize is fine */
    } else if (st && st->proc && proc_running(st->proc)) {
        snprintf(json, sizeof(json), "{\"h\":%u,\"w\":%u}", r->h, r->w);
        (void)peer_call(proc_peer(st->proc), "POST", path, json, on_resized, r);
    } else if (loop_now(r->ch->loop) >= r->until) {
        error_set(&err, SKL_ERR_CONFLICT, "exec command %s was not started in time", r->exec->id);
        resize_end(r, &err);
    } else {
        timer_start(&r->timer, EXEC_RESIZE_POLL_NS);
    }
}

void chain_exec_resize(struct chain *ch, struct exec *e, unsigned h, unsigned w, runner_done_fn done, void *arg)
{
    struct exec_resize *r = xcalloc(1, sizeof(*r));

    r->ch = ch;
    r->exec = e;
    r->h = h;
    r->w = w;
    r->done = done;
    r->arg = arg;
    r->until = loop_now(ch->loop) + EXEC_RESIZE_WAIT_NS;
    exec_ref(e);
    timer_init(ch->loop, &r->timer, on_resize_timer, r);
    timer_start(&r->timer, 0);
}
