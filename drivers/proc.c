/*
 * drivers/proc.c - a further process in a running container: what execs and health probes are made of.
 *
 *   WAITING --link ready--> POSTED --200--> RUNNING --RECORD_EXIT--> ENDED
 *               ^__________________link lost_______|  (the agent's hello tells what it still has)
 *
 * Output is resumed at the byte where it stopped; credit is given back only when the consumer took the bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"


struct proc {
    struct list link;         /* in peer->execs */
    struct peer *peer;
    char *id;
    char *spec;
    bool known;               /* the agent has it: a 200 came */
    bool exited;              /* RECORD_EXIT was seen */
    bool discard;
    bool ended;
    int code;
    struct h2_stream *stream;
    int status;               /* of the current exchange */
    struct buf body;          /* of an error answer */
    /* the record stream */
    uint64_t taken;           /* encoded bytes delivered */
    uint8_t head[RECORD_HEADER_SIZE];
    size_t head_len;
    struct record cur;
    uint32_t left;
    uint8_t exit_payload[12 + RECORD_EXIT_REASON_MAX];
    bool paused;
    size_t owed;
    struct input *input;
    struct peer_waiter *waiter;
    const struct proc_ops *ops;
    void *arg;
};

static void proc_post(struct proc *x);

static void proc_free(struct proc *x)
{
    list_remove(&x->link);
    if (x->waiter)
        peer_wait_cancel(x->waiter);
    if (x->stream)
        h2_stream_abandon(x->stream);
    input_free(x->input);
    buf_fini(&x->body);
    free(x->id);
    free(x->spec);
    free(x);
}

static void ignore_answer(void *arg, const struct skl_error *err, const struct call_answer *a)
{
    (void)arg;
    (void)err;
    (void)a;
}

/* The end, once: tells the owner and makes the agent forget it. */
static void proc_end(struct proc *x, int code, const struct skl_error *err)
{
    struct peer *p = x->peer;
    const struct proc_ops *ops = x->ops;
    void *arg = x->arg;
    struct skl_error copy = {0};

    if (x->ended)
        return;
    x->ended = true;
    error_copy(&copy, err);
    if (x->known && peer_ready(p)) {
        CLEANUP(free_p) char *path = xasprintf("/exec/%s", x->id);
        (void)peer_call(p, "DELETE", path, NULL, ignore_answer, NULL);
    }
    proc_free(x);
    ops->on_end(arg, code, err ? &copy : NULL);
    peer_changed(p);
}

/* ---- the record stream ---- */

static void take_payload(struct proc *x, const uint8_t *p, size_t n, bool first)
{
    if (x->cur.kind == RECORD_EXIT) {
        size_t at = x->cur.len - x->left;
        if (at + n <= sizeof(x->exit_payload))
            memcpy(x->exit_payload + at, p, n);
        return;
    }
    if (!x->discard && !x->ops->on_output(x->arg, x->cur.kind, x->cur.len, first, p, n))
        x->paused = true;
}

static void record_end(struct proc *x)
{
    struct record_exit e;

    if (x->cur.kind != RECORD_EXIT)
        return;
    x->exited = true;
    x->code = record_exit_decode(x->exit_payload, x->cur.len, &e) == 0 ? e.code : 255;
}

/* One step of the splitter: a piece of a header or of a payload. Returns bytes used, 0 when malformed. */
static size_t split(struct proc *x, const uint8_t *p, size_t n)
{
    size_t piece;

    if (x->left > 0) {
        piece = n < x->left ? n : x->left;
        take_payload(x, p, piece, x->left == x->cur.len);
        x->left -= (uint32_t)piece;
        if (x->left == 0)
            record_end(x);
        return piece;
    }
    piece = RECORD_HEADER_SIZE - x->head_len < n ? RECORD_HEADER_SIZE - x->head_len : n;
    memcpy(x->head + x->head_len, p, piece);
    x->head_len += piece;
    if (x->head_len == RECORD_HEADER_SIZE) {
        x->head_len = 0;
        if (record_decode(x->head, &x->cur) < 0)
            return 0;
        x->left = x->cur.len;
        if (x->left == 0)
            record_end(x);
    }
    return piece;
}

static void on_output(struct proc *x, struct h2_stream *st, const uint8_t *p, size_t n)
{
    size_t all = n;

    while (n > 0) {
        size_t used = split(x, p, n);
        if (used == 0) {
            struct skl_error err = {0};
            error_set(&err, SKL_ERR_BAD_GATEWAY, "the agent's output is not a sequence of records");
            proc_end(x, -1, &err);
            return;
        }
        p += used;
        n -= used;
    }
    x->taken += all;
    if (x->paused)
        x->owed += all;
    else
        h2_stream_consume(st, all);
}

/* ---- the exchange ---- */

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    struct proc *x = arg;
    const char *pid = h2_head_get(head, "sockerless-pid");
    int64_t n = 0;

    (void)st;
    x->status = head->status;
    if (head->status >= 400 || x->known)
        return;
    x->known = true;
    if (pid)
        (void)str_to_i64(pid, 0, INT32_MAX, &n);
    if (x->input)
        input_attach(x->input, peer_h2(x->peer));
    if (x->ops->on_started)
        x->ops->on_started(x->arg, (int)n);
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct proc *x = arg;

    if (x->status >= 400) {
        (void)buf_append(&x->body, p, n);
        h2_stream_consume(st, n);
        return;
    }
    on_output(x, st, p, n);
}

/* The agent refused. A command that is not there has an exit code; everything else is an error. */
static void refused(struct proc *x)
{
    struct skl_error err = {0};
    struct json_object *o = x->body.len ? json_tokener_parse(buf_str(&x->body)) : NULL, *v;
    int code = -1;

    if (json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, "exit_code", &v))
        code = json_object_get_int(v);
    json_object_put(o);
    call_error(&err, x->status, buf_str(&x->body), x->body.len);
    proc_end(x, code, &err);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct proc *x = arg;
    struct skl_error why = {0};

    (void)st;
    x->stream = NULL;
    x->owed = 0;
    if (x->exited) {
        proc_end(x, x->code, NULL);
    } else if (x->status >= 400) {
        refused(x);
    } else if (peer_ready(x->peer)) {
        error_set(&why, SKL_ERR_UNAVAILABLE, "the agent broke off the output%s%s", err ? ": " : "",
                  err ? err->message : "");
        proc_end(x, -1, &why);
    }
    /* else: the link is lost; execs_on_ready goes on */
}

static const struct h2_stream_ops stream_ops = {.on_head = on_head, .on_data = on_data, .on_close = on_close};

static void proc_post(struct proc *x)
{
    CLEANUP(free_p) char *path = xasprintf("/exec/%s?output=1", x->id);
    struct skl_error err = {0};
    struct h2 *h2 = peer_h2(x->peer);

    x->status = 0;
    buf_clear(&x->body);
    if (h2)
        x->stream = h2_request_json(h2, "POST", path, x->spec, strlen(x->spec), &stream_ops, x, &err);
    if (!x->stream && h2)
        proc_end(x, -1, &err);
}

static void proc_reopen(struct proc *x)
{
    CLEANUP(free_p) char *path = xasprintf("/exec/%s/output?from=%llu", x->id, (unsigned long long)x->taken);

    x->status = 0;
    buf_clear(&x->body);
    x->stream = h2_request(peer_h2(x->peer), "GET", path, NULL, NULL, &stream_ops, x, NULL);
    if (x->input)
        input_attach(x->input, peer_h2(x->peer));
}

static void on_link(void *arg, const struct skl_error *err)
{
    struct proc *x = arg;

    x->waiter = NULL;
    if (err)
        proc_end(x, -1, err);
    else if (!x->stream && !x->known)
        proc_post(x);
}

/* ---- what the owner calls ---- */

static void on_input_drain(void *arg)
{
    struct proc *x = arg;

    if (!x->discard && x->ops->on_drain)
        x->ops->on_drain(x->arg);
}

struct proc *proc_new(struct peer *p, const char *id, struct json_object *spec, bool has_stdin, const struct proc_ops *ops,
                      void *arg)
{
    struct proc *x = xcalloc(1, sizeof(*x));

    x->peer = p;
    x->id = xstrdup(id);
    x->spec = xstrdup(json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    x->ops = ops;
    x->arg = arg;
    buf_init(&x->body, CALL_BODY_MAX);
    if (has_stdin) {
        CLEANUP(free_p) char *path = xasprintf("/exec/%s", id);
        x->input = input_new(path, on_input_drain, x);
    }
    list_push_back(&p->execs, &x->link);
    if (peer_ready(p))
        proc_post(x); /* its callbacks come later, from the link */
    else
        x->waiter = peer_wait(p, p->ch->connect_timeout, on_link, x);
    return x;
}

bool proc_write(struct proc *x, const void *p, size_t n)
{
    return x->input ? input_write(x->input, p, n) : true;
}

void proc_close_stdin(struct proc *x)
{
    if (x->input)
        input_close(x->input);
}

void proc_resume(struct proc *x)
{
    size_t owed = x->owed;

    x->paused = false;
    x->owed = 0;
    if (x->stream && owed > 0)
        h2_stream_consume(x->stream, owed);
}

void proc_discard(struct proc *x)
{
    x->discard = true;
    proc_resume(x);
}

struct proc *proc_find(struct peer *p, const char *id)
{
    LIST_FOREACH_SAFE(n, tmp, &p->execs) {
        struct proc *x = LIST_ENTRY(n, struct proc, link);
        if (str_eq(x->id, id))
            return x;
    }
    return NULL;
}

struct peer *proc_peer(struct proc *x)
{
    return x->peer;
}

bool proc_running(const struct proc *x)
{
    return x->known && !x->exited;
}

void proc_kill(struct proc *x, int signo)
{
    CLEANUP(free_p) char *path = xasprintf("/exec/%s/signal", x->id);
    char json[48];

    snprintf(json, sizeof(json), "{\"signal\":%d}", signo);
    (void)peer_call(x->peer, "POST", path, json, ignore_answer, NULL);
}

/* ---- what the peer tells ---- */

static bool hello_has(struct json_object *hello, const char *id)
{
    struct json_object *execs, *v;

    if (!json_object_object_get_ex(hello, "execs", &execs) || !json_object_is_type(execs, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(execs); i++)
        if (json_object_object_get_ex(json_object_array_get_idx(execs, i), "id", &v) &&
            str_eq(json_object_get_string(v), id))
            return true;
    return false;
}

void execs_on_ready(struct peer *p, struct json_object *hello)
{
    LIST_FOREACH_SAFE(n, tmp, &p->execs) {
        struct proc *x = LIST_ENTRY(n, struct proc, link);
        if (x->stream || x->waiter)
            continue;
        if (hello_has(hello, x->id)) {
            proc_reopen(x);
        } else if (!x->known) {
            proc_post(x); /* the request never arrived */
        } else {
            struct skl_error err = {0};
            error_set(&err, SKL_ERR_UNAVAILABLE, "the exec was lost with the function's instance");
            proc_end(x, -1, &err);
        }
    }
}

void execs_on_lost(struct peer *p)
{
    LIST_FOREACH_SAFE(n, tmp, &p->execs) {
        struct proc *x = LIST_ENTRY(n, struct proc, link);
        if (x->stream)
            h2_stream_abandon(x->stream);
        x->stream = NULL;
        x->owed = 0;
        input_detach(x->input);
    }
}

void execs_end(struct peer *p, const struct skl_error *why)
{
    LIST_FOREACH_SAFE(n, tmp, &p->execs)
        proc_end(LIST_ENTRY(n, struct proc, link), -1, why);
}
