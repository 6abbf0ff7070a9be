/*
 * drivers/peer.c - one container's agent across connections.
 *
 *   (none) --prepare--> expected --accept, hello--> ready --connection gone--> lost --accept--> ready ...
 *                           \________________________release________________________/ --> (none)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/internal.h"
#include "drivers/tunnel.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "state/container.h"
#include "state/engine.h"

static void on_unref(void *arg);

struct peer *peer_find(struct chain *ch, const char *id)
{
    struct peer *p;

    HASH_FIND_STR(ch->peers, id, p);
    return p;
}

struct peer *peer_get(struct chain *ch, const char *id)
{
    struct peer *p = peer_find(ch, id);

    if (p)
        return p;
    p = xcalloc(1, sizeof(*p));
    memcpy(p->id, id, strnlen(id, ID_SIZE - 1));
    p->ch = ch;
    list_init(&p->waiters);
    list_init(&p->execs);
    list_init(&p->uploads);
    list_init(&p->listeners);
    list_init(&p->tunnels);
    soon_init(&p->unref, on_unref, p);
    p->scan = xcalloc(1, sizeof(*p->scan));
    HASH_ADD_STR(ch->peers, id, p);
    return p;
}

static void peer_free(struct peer *p)
{
    HASH_DEL(p->ch->peers, p);
    publish_close(p);
    tunnels_close(p);
    soon_cancel(&p->unref);
    volumes_abandon(p);
    input_free(p->input);
    free(p->cwd);
    free(p->scan);
    free(p);
}

static void on_unref(void *arg)
{
    struct peer *p = arg;

    if (!p->expected && !p->conn && !p->start && !p->input && !p->capture && list_empty(&p->waiters) && list_empty(&p->execs) &&
        list_empty(&p->uploads) && list_empty(&p->tunnels))
        peer_free(p);
}

void peer_changed(struct peer *p)
{
    loop_soon(p->ch->loop, &p->unref);
}

void peers_free(struct chain *ch)
{
    struct peer *p, *tmp;
    struct skl_error why = {0};

    error_set(&why, SKL_ERR_CANCELED, "the daemon is shutting down");
    HASH_ITER(hh, ch->peers, p, tmp) {
        p->expected = false;
        p->c = NULL;
    }
    conns_free(ch);
    HASH_ITER(hh, ch->peers, p, tmp) {
        capture_abandon(p, false); /* the next daemon goes on with it */
        execs_end(p, &why);
        peer_free(p);
    }
}

bool peer_ready(const struct peer *p)
{
    return p->conn && p->conn->ready && !p->conn->failed && !p->conn->leaving;
}

struct h2 *peer_h2(const struct peer *p)
{
    return p->conn && !p->conn->failed && !p->conn->leaving ? link_h2(p->conn->link) : NULL;
}

/* ---- waiting ---- */

static void waiter_end(struct peer_waiter *w, const struct skl_error *err)
{
    void (*fn)(void *, const struct skl_error *) = w->fn;
    void *arg = w->arg;
    struct skl_error copy = {0};

    error_copy(&copy, err);
    peer_wait_cancel(w);
    fn(arg, err ? &copy : NULL);
}

static void on_wait_timer(void *arg)
{
    struct peer_waiter *w = arg;

    waiter_end(w, w->err.kind ? &w->err : NULL);
}

struct peer_waiter *peer_wait(struct peer *p, int64_t timeout_ns, void (*fn)(void *arg, const struct skl_error *err),
                         void *arg)
{
    struct peer_waiter *w = xcalloc(1, sizeof(*w));

    w->fn = fn;
    w->arg = arg;
    list_init(&w->link);
    timer_init(p->ch->loop, &w->timer, on_wait_timer, w);
    if (peer_ready(p)) {
        timer_start(&w->timer, 0);
        return w;
    }
    error_set(&w->err, SKL_ERR_TIMEOUT, "the agent of container %.12s did not connect to %s within %lld ms", p->id,
              engine_callback_url(p->ch->engine) ? engine_callback_url(p->ch->engine) : "the daemon", (long long)(timeout_ns / 1000000));
    list_push_back(&p->waiters, &w->link);
    timer_start(&w->timer, timeout_ns);
    return w;
}

void peer_wait_cancel(struct peer_waiter *w)
{
    list_remove(&w->link);
    timer_fini(&w->timer);
    free(w);
}

static void wake_waiters(struct peer *p, const struct skl_error *err)
{
    LIST_FOREACH_SAFE(n, tmp, &p->waiters) {
        struct peer_waiter *w = LIST_ENTRY(n, struct peer_waiter, link);
        list_remove(&w->link);
        error_copy(&w->err, err);
        timer_start(&w->timer, 0);
    }
}

/* ---- what connections tell ---- */

/* The first link of a run that an earlier daemon started: stdin goes on where that one left it. */
static void adopt_input(struct peer *p, struct json_object *hello)
{
    struct json_object *proc, *v;

    if (!json_object_object_get_ex(hello, "process", &proc))
        return;
    if (json_object_object_get_ex(proc, "cwd", &v))
        peer_set_cwd(p, json_object_get_string(v));
    if (json_object_object_get_ex(proc, "input_taken", &v))
        p->input_base = (uint64_t)json_object_get_int64(v);
    p->input_shut = json_object_object_get_ex(proc, "input_open", &v) && !json_object_get_boolean(v);
    if (p->input)
        input_begin_at(p->input, p->input_base, p->input_shut);
}

static const char *hello_state(struct json_object *hello, uint32_t *ret_run)
{
    struct json_object *proc, *v;

    *ret_run = 0;
    if (!json_object_object_get_ex(hello, "process", &proc))
        return "";
    if (json_object_object_get_ex(proc, "run", &v))
        *ret_run = (uint32_t)json_object_get_int64(v);
    return json_object_object_get_ex(proc, "state", &v) ? json_object_get_string(v) : "";
}

void peer_on_ready(struct peer *p, struct json_object *hello)
{
    uint32_t run;
    const char *state = hello_state(hello, &run);
    bool idle = strcmp(state, "idle") == 0;
    bool ours = !idle && run == p->run;

    if (p->expected && !idle && run < p->run) {
        /* Given up while its agent was away, or by a daemon that was killed: the agent ends it. */
        log_info("agent", "container %.12s: run %u is over; ending what is left of it", p->id, run);
        conn_shutdown(p->conn, "that run is over");
        return;
    }
    if (p->capture && !p->expected && (!ours || strcmp(state, "exited") != 0)) {
        capture_stop(p, "its function's instance is gone");
        return;
    }
    if (p->expected && !p->start && !ours) {
        /* The run was under way, and this instance knows nothing of it: the platform replaced it. */
        log_warn("agent", "container %.12s: another instance dialled; the run's process is lost", p->id);
        engine_agent_lost(p->c, p->run, true);
        return;
    }
    if (p->start && ours) {
        p->lost = false;
        start_found_running(p);
        execs_on_ready(p, hello);
        return;
    }
    if (p->expected && !p->start) {
        if (!p->process_started)
            adopt_input(p, hello);
        p->process_started = true;
        if (p->lost_reported)
            engine_agent_back(p->c, p->run);
        p->lost_reported = false;
        if (p->expected && p->c) {
            output_open(p);
            if (p->input)
                input_attach(p->input, peer_h2(p));
        }
    }
    p->lost = false;
    execs_on_ready(p, hello);
    wake_waiters(p, NULL);
}

void peer_on_lost(struct peer *p, const struct skl_error *why, bool final)
{
    (void)why;
    output_close(p);
    input_detach(p->input);
    execs_on_lost(p);
    p->lost = true;
    if (p->expected && p->process_started && p->c) {
        p->lost_reported = true;
        engine_agent_lost(p->c, p->run, final);
    }
}

/* ---- the runner's table: life of a run ---- */

static void on_input_drain(void *arg)
{
    struct peer *p = arg;

    if (p->c)
        engine_stdin_drained(p->c);
}

void peer_set_cwd(struct peer *p, const char *cwd)
{
    free(p->cwd);
    p->cwd = cwd ? xstrdup(cwd) : NULL;
}

void peer_prepare(struct chain *ch, struct container *c)
{
    struct peer *p = peer_get(ch, c->id);

    capture_stop(p, "the container was started again");
    peer_set_cwd(p, NULL);
    p->c = c;
    p->run = c->run;
    p->expected = true;
    p->lost = p->lost_reported = false;
    p->process_started = p->process_exited = false;
    p->output_paused = false;
    p->output_owed = 0;
    volumes_abandon(p);
    p->volumes_kept = false;
    p->input_base = 0;
    p->input_shut = false;
    memset(p->scan, 0, sizeof(*p->scan));
    memcpy(p->token, c->agent_token, ID_SIZE);
}

struct input *peer_input(struct chain *ch, struct container *c)
{
    struct peer *p;

    if (!c->open_stdin)
        return NULL;
    p = peer_get(ch, c->id);
    p->c = c;
    if (!p->input) {
        p->input = input_new("/process", on_input_drain, p);
        input_begin_at(p->input, p->input_base, p->input_shut);
    }
    if (p->process_started && !p->process_exited && peer_ready(p))
        input_attach(p->input, peer_h2(p));
    return p->input;
}

void peer_forget(struct chain *ch, struct container *c)
{
    struct peer *p = peer_find(ch, c->id);

    if (!p)
        return;
    p->c = NULL;
    capture_abandon(p, true);
    input_free(STEAL(p->input));
    peer_changed(p);
}

static void on_finished(void *arg, const struct skl_error *err, const struct call_answer *a)
{
    (void)arg;
    (void)a;
    if (err)
        log_debug("agent", "finish: %s", err->message);
}

/* The agent answers the invocation and goes away; a next run waits for the next one. */
static void finish(struct peer *p)
{
    peer_call(p, "POST", "/process/finish", NULL, on_finished, p);
    p->conn->leaving = true;
}

void peer_finish(struct chain *ch, struct container *c)
{
    struct peer *p = peer_find(ch, c->id);

    if (p && p->expected && p->process_exited && peer_ready(p))
        finish(p);
}

void peer_let_go(struct peer *p)
{
    if (peer_ready(p) && p->process_exited)
        finish(p);
    else if (p->conn)
        conn_shutdown(p->conn, "the container is released");
    peer_changed(p);
}

void peer_release(struct chain *ch, struct container *c, bool keep_files)
{
    struct peer *p = peer_find(ch, c->id);
    struct skl_error why = {0};

    if (!p || !p->expected)
        return;
    error_set(&why, SKL_ERR_CONFLICT, "container %s is not running", p->id);
    p->expected = false;
    volumes_abandon(p);
    publish_close(p);
    p->c = NULL;
    if (p->start)
        start_abort(p, &why);
    wake_waiters(p, &why);
    execs_end(p, &why);
    input_free(STEAL(p->input));
    if (!p->process_exited)
        output_close(p);
    if (!keep_files || !capture_begin(p, c))
        peer_let_go(p);
}

/* A capture that an earlier daemon began: its agent dials this one. */
static struct peer *adopt_capture(struct chain *ch, const char *container_id, const char *given)
{
    struct container *c = container_by_id(ch->engine, container_id);

    if (!c || !mem_eq_const_time(given, c->agent_token, ID_SIZE - 1) || !capture_resume(ch, c))
        return NULL;
    return peer_find(ch, container_id);
}

int chain_agent_check(struct chain *ch, const char *container_id, const char *bearer, struct skl_error *err)
{
    struct peer *p = peer_find(ch, container_id);
    char given[ID_SIZE] = {0};

    if (strlen(bearer) == ID_SIZE - 1)
        memcpy(given, bearer, ID_SIZE);
    if (!p || (!p->expected && !p->capture))
        p = adopt_capture(ch, container_id, given);
    if (!p)
        return error_set(err, SKL_ERR_NOT_FOUND, "no run of this container expects an agent");
    if (!mem_eq_const_time(given, p->token, ID_SIZE - 1))
        return error_set(err, SKL_ERR_UNAUTHORIZED, "wrong agent token");
    return 0;
}
