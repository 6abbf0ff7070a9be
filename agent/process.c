/*
 * agent/process.c - a process from start to exit record.
 *
 * The exit record comes last: after the process was reaped and its output read to the end. What other processes still
 * write into an exec's pipes is waited for AGENT_DRAIN_NS, as Docker does; when the main process ends, everything else in the
 * function is killed, so its pipes end at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "agent/agent.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#define READ_SIZE RECORD_PAYLOAD_MAX
#define READS_A_TURN 16
#define CODE_SIGNALED 128

static char scratch[READ_SIZE];

static void on_pipe(void *arg, unsigned ready);
static void on_drain(void *arg);
static void on_room(void *arg);

struct process *process_new(struct agent *a, const char *id)
{
    struct process *p = xcalloc(1, sizeof(*p));

    p->agent = a;
    p->id = xstrdup(id);
    p->pipe[0].fd = p->pipe[1].fd = -1;
    p->in.fd = -1;
    p->out.on_room = on_room;
    p->out.arg = p;
    timer_init(a->loop, &p->drain, on_drain, p);
    return p;
}

static void pipe_close(struct process *p, int i)
{
    if (p->pipe[i].on)
        io_fini(&p->pipe[i].io);
    p->pipe[i].on = false;
    close_p(&p->pipe[i].fd);
    p->pipe[i].fd = -1;
}

void process_free(struct process *p)
{
    if (p == NULL)
        return;
    if (p->id[0] != '\0' && agent_exec(p->agent, p->id) == p)
        HASH_DEL(p->agent->execs, p);
    timer_fini(&p->drain);
    outlog_fini(&p->out);
    feed_fini(&p->in);
    pipe_close(p, 0);
    pipe_close(p, 1);
    spec_fini(&p->spec);
    free(p->id);
    free(p);
}

/* ---- the end ---- */

/* To our own stdout or stderr, for the cloud's log: what does not fit at once is dropped, the link has everything. */
static void mirror(struct process *p, int i, const char *data, size_t n)
{
    if (p != p->agent->main || p->agent->cfg.callback_url == NULL || write(i + 1, data, n) < 0)
        return;
    p->mirrored_part[i] = data[n - 1] != '\n';
}

/* The cloud takes lines: a last one that has no end would never be seen there. */
static void mirror_end(struct process *p)
{
    for (int i = 0; i < 2; i++)
        if (p->mirrored_part[i])
            mirror(p, i, "\n", 1);
}

static void process_exit(struct process *p)
{
    struct json_object *o;

    timer_stop(&p->drain);
    pipe_close(p, 0);
    pipe_close(p, 1);
    feed_close(&p->in);
    p->state = PROCESS_EXITED;
    if (p->exited == 0)
        p->exited = clock_wall();
    mirror_end(p);
    outlog_exit(&p->out, &p->exit);
    o = json_new_object();
    json_add_string(o, "event", "exit");
    json_add_string(o, "id", p->id);
    json_add_i64(o, "code", p->exit.code);
    events_emit(p->agent, o);
    if (p == p->agent->main)
        invoke_on_exit(p->agent);
    else if (p->forget)
        process_free(p);
}

static void maybe_exit(struct process *p)
{
    if (p->status_known && p->state == PROCESS_RUNNING && p->pipe[0].fd < 0 && p->pipe[1].fd < 0)
        process_exit(p);
}

static void on_drain(void *arg)
{
    struct process *p = arg;

    pipe_close(p, 0);
    pipe_close(p, 1);
    maybe_exit(p);
}

void process_on_reaped(struct process *p, int status)
{
    p->status_known = true;
    p->exited = clock_wall();
    p->pid = 0;
    if (WIFSIGNALED(status)) {
        p->exit.signal = WTERMSIG(status);
        p->exit.code = CODE_SIGNALED + p->exit.signal;
        if (p->exit.signal == SIGKILL && oom_kills() > p->oom_before)
            p->exit.flags |= RECORD_EXIT_OOM;
    } else {
        p->exit.code = WEXITSTATUS(status);
    }
    if (p == p->agent->main)
        agent_kill_all(p->agent, SIGKILL);
    timer_start(&p->drain, AGENT_DRAIN_NS);
    for (int i = 0; i < 2; i++)
        if (p->pipe[i].on)
            on_pipe(p, 0);
    maybe_exit(p);
}

/* ---- output ---- */

/* false: nothing more now. */
static bool read_pipe(struct process *p, int i)
{
    ssize_t n = read(p->pipe[i].fd, scratch, sizeof(scratch));

    if (n > 0) {
        outlog_add(&p->out, i == 0 ? RECORD_STDOUT : RECORD_STDERR, scratch, (size_t)n);
        mirror(p, i, scratch, (size_t)n);
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    pipe_close(p, i); /* end of file; EIO on a TTY whose last user is gone */
    return false;
}

static void want_pipes(struct process *p)
{
    bool room = outlog_has_room(&p->out);

    for (int i = 0; i < 2; i++)
        if (p->pipe[i].on)
            io_want(&p->pipe[i].io, room ? IO_READ : 0);
}

static void on_pipe(void *arg, unsigned ready)
{
    struct process *p = arg;

    (void)ready;
    for (int i = 0; i < 2; i++)
        for (int reads = 0; reads < READS_A_TURN && p->pipe[i].fd >= 0 && outlog_has_room(&p->out); reads++)
            if (!read_pipe(p, i))
                break;
    want_pipes(p);
    maybe_exit(p);
}

static void on_room(void *arg)
{
    want_pipes(arg);
}

/* ---- start ---- */

static void attach_pipe(struct process *p, int i, int fd)
{
    p->pipe[i].fd = fd;
    if (fd < 0)
        return;
    io_init(p->agent->loop, &p->pipe[i].io, fd, on_pipe, p);
    p->pipe[i].on = true;
    io_want(&p->pipe[i].io, IO_READ);
}

int process_start(struct process *p, struct process_spec *spec, int *ret_code, struct skl_error *err)
{
    struct spawned sp;

    p->spec = *spec;
    memset(spec, 0, sizeof(*spec));
    p->started = clock_wall();
    p->oom_before = oom_kills();
    p->out.discard = p->spec.discard_output;
    if (spawn_process(&p->spec, &sp, ret_code, err) < 0) {
        p->exit.code = *ret_code;
        if (err != NULL)
            snprintf(p->exit.reason, sizeof(p->exit.reason), "%.*s", (int)RECORD_EXIT_REASON_MAX, err->message);
        process_exit(p);
        return -1;
    }
    p->spec.rlimits = NULL;
    p->state = PROCESS_RUNNING;
    p->pid = sp.pid;
    feed_init(&p->in, p->agent->loop, sp.stdin_fd, p->spec.tty);
    attach_pipe(p, 0, sp.stdout_fd);
    attach_pipe(p, 1, sp.stderr_fd);
    return 0;
}

/* ---- control ---- */

int process_signal(struct process *p, int signo, bool all, struct skl_error *err)
{
    if (p->state != PROCESS_RUNNING || p->pid == 0)
        return error_set(err, SKL_ERR_CONFLICT, "the process is not running");
    if (all) {
        agent_kill_all(p->agent, signo);
        return 0;
    }
    if (kill(-p->pid, signo) < 0 && kill(p->pid, signo) < 0 && errno != ESRCH)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "signalling the process");
    return 0;
}

int process_resize(struct process *p, unsigned rows, unsigned cols, struct skl_error *err)
{
    struct winsize ws = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

    if (p->state != PROCESS_RUNNING || !p->spec.tty || p->pipe[0].fd < 0)
        return error_set(err, SKL_ERR_CONFLICT, "the process is not running with a terminal");
    if (ioctl(p->pipe[0].fd, TIOCSWINSZ, &ws) < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "resizing the terminal");
    return 0;
}

struct json_object *process_json(const struct process *p)
{
    static const char *const states[] = {"idle", "running", "exited"};
    struct json_object *o = json_new_object(), *e;

    if (p->id[0] != '\0')
        json_add_string(o, "id", p->id);
    json_add_string(o, "state", states[p->state]);
    json_add_i64(o, "run", p->spec.run);
    json_add_i64(o, "pid", p->pid);
    json_add_bool(o, "tty", p->spec.tty);
    if (p->spec.cwd != NULL)
        json_add_string(o, "cwd", p->spec.cwd);
    json_add_i64(o, "started", p->started);
    json_add_i64(o, "exited", p->state == PROCESS_EXITED ? p->exited : 0);
    json_add_u64(o, "output_from", p->out.ring.base);
    json_add_u64(o, "output_length", p->out.ring.end);
    json_add_u64(o, "input_taken", p->in.taken);
    json_add_bool(o, "input_open", p->in.fd >= 0);
    if (p->state == PROCESS_EXITED) {
        e = json_add_object(o, "exit");
        json_add_i64(e, "code", p->exit.code);
        json_add_i64(e, "signal", p->exit.signal);
        json_add_bool(e, "oom", (p->exit.flags & RECORD_EXIT_OOM) != 0);
        json_add_string(e, "reason", p->exit.reason);
    }
    return o;
}
