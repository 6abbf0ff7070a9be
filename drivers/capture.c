/*
 * drivers/capture.c - what is kept of a container's files when its run ends (agent.capture-paths).
 *
 *   WAIT --link--> for each path: [LIST: GET /glob] -> FILE: GET /archive, into a tar of the staging area --> POST /process/finish
 *     ^______________link lost_____________________________|
 *
 * It runs between the end of the process and the answer of the invocation, which the agent holds until finish. The
 * container has exited long before for everybody; only who reads its files then waits for it. Bounded: agent.capture-limit
 * bytes a container, CAPTURE_TIME_NS. A path that can't be kept is noted with the reason, and readers are told. A new run
 * cuts a capture short, since it would be worth nothing. A daemon that is killed leaves exit.json with "pending": the next one
 * goes on when the agent dials it, or when somebody asks for the files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/archive.h"
#include "drivers/staging-internal.h"
#include "json/json.h"
#include "state/container.h"
#include "state/engine.h"

#define CAPTURE_TIME_NS (INT64_C(300) * 1000000000)      /* all of it */
#define CAPTURE_AGENT_NS (INT64_C(10) * 1000000000)      /* for an agent that is away for the moment */
#define CAPTURE_TARS_MAX 1024u

struct capture {
    struct peer *peer;
    struct staging_exit x;
    struct peer_waiter *waiter;
    struct timer deadline;
    struct call *call;        /* GET /glob */
    struct h2_stream *stream; /* GET /archive */
    int status;
    struct buf body;          /* of an error answer */
    size_t at;                /* of x.paths */
    char **todo;              /* what x.paths[at] stands for; NULL: not asked yet */
    size_t n_todo, next;
    int fd;
    char *tar;                /* being written */
    uint64_t left;            /* bytes that may still be kept */
    uint64_t left_before;     /* ... when the file under way was begun */
    struct list waiters;
};

static void next_step(struct capture *k);

/* ---- life ---- */

static void todo_free(struct capture *k)
{
    for (size_t i = 0; i < k->n_todo; i++)
        free(k->todo[i]);
    free(k->todo);
    k->todo = NULL;
    k->n_todo = k->next = 0;
}

static void stop_exchange(struct capture *k)
{
    if (k->waiter)
        peer_wait_cancel(k->waiter);
    if (k->call)
        call_cancel(k->call);
    if (k->stream)
        h2_stream_abandon(k->stream);
    k->waiter = NULL;
    k->call = NULL;
    k->stream = NULL;
    close_p(&k->fd);
    if (k->tar)
        k->left = k->left_before; /* what it took of the limit is for the others */
    free(STEAL(k->tar)); /* without a name in exit.json it is litter */
}

/* Whoever waits goes on with what there is. */
static void wake(struct list *waiters)
{
    LIST_FOREACH_SAFE(n, tmp, waiters) {
        struct capture_waiter *w = LIST_ENTRY(n, struct capture_waiter, link);

        list_remove(&w->link);
        w->fn(w->arg);
    }
}

static void capture_free(struct capture *k)
{
    struct peer *p = k->peer;

    p->capture = NULL;
    stop_exchange(k);
    todo_free(k);
    timer_fini(&k->deadline);
    buf_fini(&k->body);
    staging_exit_fini(&k->x);
    wake(&k->waiters);
    free(k);
    peer_changed(p);
}

static void finish(struct capture *k)
{
    struct peer *p = k->peer;
    struct skl_error err = {0};

    stop_exchange(k);
    k->x.pending = false;
    if (staging_exit_store(p->ch->staging, p->id, &k->x, &err) < 0)
        log_error("staging", "container %.12s: what was kept of its files can't be noted: %s", p->id, err.message);
    peer_let_go(p);
    capture_free(k);
}

static void path_failed(struct capture *k, const char *why)
{
    log_warn("staging", "container %.12s: %s is not kept: %s", k->peer->id, k->x.paths[k->at].path, why);
    k->x.paths[k->at++].why = xstrdup(why);
    todo_free(k);
}

/* All that is not there yet stays away. */
static void fail_rest(struct capture *k, const char *why)
{
    stop_exchange(k);
    while (k->at < k->x.n_paths)
        path_failed(k, why);
    finish(k);
}

/* ---- FILE ---- */

/* Where the entries of GET /archive?path=PATH belong. Caller frees. */
static char *destination(const char *path)
{
    char *dir, *slash;

    if (str_ends(path, "/."))
        return staging_normal_path("", path);
    dir = staging_normal_path("", path);
    slash = strrchr(dir, '/');
    slash[slash == dir ? 1 : 0] = '\0';
    return dir;
}

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    (void)st;
    ((struct capture *)arg)->status = head->status;
}

/* NULL, or why the bytes could not be kept. */
static char *keep(struct capture *k, const uint8_t *p, size_t n)
{
    int rc;

    if (n > k->left)
        return xasprintf("it is more than the %llu bytes of agent.capture-limit", (unsigned long long)k->peer->ch->capture_limit);
    rc = fs_write_all(k->fd, p, n);
    if (rc < 0)
        return xasprintf("writing it failed: %s", strerror(-rc));
    k->left -= n;
    return NULL;
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct capture *k = arg;
    CLEANUP(free_p) char *why = NULL;

    h2_stream_consume(st, n);
    if (k->status >= 400) {
        (void)buf_append(&k->body, p, n);
        return;
    }
    why = keep(k, p, n);
    if (!why)
        return;
    stop_exchange(k);
    path_failed(k, why);
    next_step(k);
}

static void wait_for_agent(struct capture *k);

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct capture *k = arg;
    struct skl_error why = {0};

    (void)st;
    k->stream = NULL;
    if (err && !peer_ready(k->peer)) {
        stop_exchange(k);
        wait_for_agent(k); /* and this one once more */
        return;
    }
    if (err)
        error_copy(&why, err);
    else if (k->status >= 400)
        call_error(&why, k->status, buf_str(&k->body), k->body.len);
    if (why.kind == SKL_ERR_NOT_FOUND || !why.kind) {
        CLEANUP(free_p) char *dest = destination(k->todo[k->next]);
        if (!why.kind)
            staging_exit_add_tar(&k->x, k->tar, dest);
        k->left_before = k->left;
        k->next++;
    } else {
        path_failed(k, why.message);
    }
    stop_exchange(k);
    next_step(k);
}

static const struct h2_stream_ops stream_ops = {.on_head = on_head, .on_data = on_data, .on_close = on_close};

static void begin_file(struct capture *k)
{
    struct peer *p = k->peer;
    CLEANUP(free_p) char *path = archive_path(k->todo[k->next], NULL, false);
    struct skl_error err = {0};

    k->status = 0;
    buf_clear(&k->body);
    k->left_before = k->left;
    k->tar = staging_exit_name(&k->x, k->x.n_tars);
    k->fd = staging_exit_create(p->ch->staging, p->id, k->tar, &err);
    if (k->fd >= 0)
        k->stream = h2_request(peer_h2(p), "GET", path, NULL, NULL, &stream_ops, k, &err);
    if (!k->stream)
        fail_rest(k, err.message);
}

/* ---- LIST ---- */

static void take_list(struct capture *k, const struct call_answer *a)
{
    struct json_object *o = json_tokener_parse(a->body), *list = json_member(o, "paths");
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

    k->todo = xcalloc(n + 1, sizeof(*k->todo));
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_or(json_object_array_get_idx(list, i), "");
        struct buf b;

        buf_init(&b, 64 * 1024);
        if (url_decode(&b, text, strlen(text), false) == 0 && buf_str(&b)[0] == '/')
            k->todo[k->n_todo++] = buf_steal(&b, NULL);
        buf_fini(&b);
    }
    json_object_put(o);
}

static void on_list(void *arg, const struct skl_error *err, const struct call_answer *a)
{
    struct capture *k = arg;

    k->call = NULL;
    if (err && !peer_ready(k->peer)) {
        wait_for_agent(k);
        return;
    }
    if (err)
        path_failed(k, err->message);
    else
        take_list(k, a);
    next_step(k);
}

static void begin_path(struct capture *k)
{
    const char *path = k->x.paths[k->at].path;
    struct buf b;

    if (!staging_is_pattern(path)) {
        k->todo = xcalloc(1, sizeof(*k->todo));
        k->todo[k->n_todo++] = xstrdup(path);
        begin_file(k);
        return;
    }
    buf_init(&b, 64 * 1024);
    buf_puts(&b, "/glob?pattern=");
    (void)url_encode(&b, path, strlen(path));
    k->call = peer_call(k->peer, "GET", buf_str(&b), NULL, on_list, k);
    buf_fini(&b);
}

static void next_step(struct capture *k)
{
    if (k->todo && k->next == k->n_todo) { /* this path is done */
        todo_free(k);
        k->at++;
    }
    if (k->at == k->x.n_paths)
        finish(k);
    else if (!peer_h2(k->peer))
        wait_for_agent(k);
    else if (k->x.n_tars >= CAPTURE_TARS_MAX)
        fail_rest(k, "there are too many files to keep");
    else if (k->todo)
        begin_file(k);
    else
        begin_path(k);
}

/* ---- WAIT ---- */

static void on_link(void *arg, const struct skl_error *err)
{
    struct capture *k = arg;

    k->waiter = NULL;
    if (err)
        fail_rest(k, err->message);
    else
        next_step(k);
}

static void wait_for_agent(struct capture *k)
{
    k->waiter = peer_wait(k->peer, CAPTURE_AGENT_NS, on_link, k);
}

static void on_deadline(void *arg)
{
    fail_rest(arg, "the agent took too long");
}

/* ---- the door ---- */

/* agent.capture-paths for this container: what is relative stands below its working directory, if it has one of its own. */
static void resolve_paths(struct capture *k, const struct container *c)
{
    struct chain *ch = k->peer->ch;
    const char *cwd = !str_empty(c->working_dir) ? c->working_dir : k->peer->cwd;
    CLEANUP(free_p) char *dir = staging_normal_path("", cwd ? cwd : "");

    for (size_t i = 0; ch->capture_paths && ch->capture_paths[i]; i++) {
        const char *path = ch->capture_paths[i];
        CLEANUP(free_p) char *joined = xasprintf("%s/%s", dir, path);

        if (path[0] == '/')
            staging_exit_add_path(&k->x, path);
        else if (path[0] != '\0' && dir[1] != '\0')
            staging_exit_add_path(&k->x, joined);
    }
}

static struct capture *capture_new(struct peer *p)
{
    struct capture *k = xcalloc(1, sizeof(*k));

    k->peer = p;
    k->fd = -1;
    k->left = p->ch->capture_limit;
    list_init(&k->waiters);
    buf_init(&k->body, CALL_BODY_MAX);
    timer_init(p->ch->loop, &k->deadline, on_deadline, k);
    p->capture = k;
    p->process_exited = true;
    return k;
}

static void go(struct capture *k)
{
    timer_start(&k->deadline, CAPTURE_TIME_NS);
    wait_for_agent(k);
}

bool capture_begin(struct peer *p, struct container *c)
{
    struct capture *k = capture_new(p);
    struct skl_error err = {0};

    resolve_paths(k, c);
    k->x.run = c->run;
    k->x.after = staging_last_seq(p->ch->staging, p->id);
    k->x.pending = true;
    if (k->x.n_paths == 0) {
        capture_free(k);
        return false;
    }
    if (staging_exit_store(p->ch->staging, p->id, &k->x, &err) < 0) {
        log_error("staging", "container %.12s: its files are not kept: %s", p->id, err.message);
        capture_free(k);
        return false;
    }
    go(k);
    return true;
}

bool capture_resume(struct chain *ch, struct container *c)
{
    struct staging_exit x;
    struct capture *k;
    struct peer *p;

    if (c->status != CONTAINER_EXITED || !container_has_agent(c) || staging_exit_load(ch->staging, c->id, &x) < 0)
        return false;
    if (!x.pending || x.run != c->run) {
        staging_exit_fini(&x);
        return false;
    }
    p = peer_get(ch, c->id);
    p->run = c->run;
    memcpy(p->token, c->agent_token, ID_SIZE);
    k = capture_new(p);
    k->x = x;
    go(k);
    return true;
}

void capture_stop(struct peer *p, const char *why)
{
    if (p->capture)
        fail_rest(p->capture, why);
}

void capture_abandon(struct peer *p, bool tell)
{
    struct capture *k = p->capture;

    if (!k)
        return;
    if (!tell)
        LIST_FOREACH_SAFE(n, tmp, &k->waiters)
            list_remove(n);
    capture_free(k);
}

bool capture_wait(struct chain *ch, struct container *c, struct capture_waiter *w, void (*fn)(void *arg), void *arg)
{
    struct peer *p = peer_find(ch, c->id);

    list_init(&w->link);
    if ((!p || !p->capture) && !(capture_resume(ch, c) && (p = peer_find(ch, c->id))))
        return false;
    w->fn = fn;
    w->arg = arg;
    list_push_back(&p->capture->waiters, &w->link);
    return true;
}
