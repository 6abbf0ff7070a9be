/*
 * drivers/start.c - the start of a run.
 *
 *   WAIT     until the agent's link is ready (agent.connect-timeout)
 *   DELIVER  what the container's volumes hold, then staged uploads that this instance does not have yet, one after the other
 *   PROCESS  POST /process?output=1; the answer's body is the output stream
 *
 * The agent tells what went wrong in Docker's words with an exit code: 127 not found, 126 not executable, 128 the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/start.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/container.h"

#define START_FAILED 128 /* exit code of a start that failed for no reason of the command */

struct start {
    struct peer *peer;
    struct peer_waiter *waiter;
    size_t volume;            /* of the container's mounts: the next one to be delivered */
    struct staging_item *items;
    size_t n_items, at;
    bool delivering;
    struct h2_stream *stream;
    int status;
    struct buf body;          /* of an error answer */
    struct soon abort;
    struct skl_error err;
    void (*done)(void *arg, const struct skl_error *err, int exit_code);
    void *arg;
};

static void start_finish(struct start *s, const struct skl_error *err, int exit_code)
{
    struct peer *p = s->peer;
    void (*done)(void *, const struct skl_error *, int) = s->done;
    void *arg = s->arg;
    struct skl_error copy = {0};

    error_copy(&copy, err);
    p->start = NULL;
    if (s->waiter)
        peer_wait_cancel(s->waiter);
    if (s->stream && err)
        h2_stream_abandon(s->stream);
    soon_cancel(&s->abort);
    staging_items_free(s->items, s->n_items);
    buf_fini(&s->body);
    free(s);
    done(arg, err ? &copy : NULL, exit_code);
    peer_changed(p);
}

/* ---- PROCESS ---- */

static void take_cwd(struct peer *p, const char *encoded)
{
    struct buf b;

    buf_init(&b, 64 * 1024);
    if (encoded && url_decode(&b, encoded, strlen(encoded), false) == 0)
        peer_set_cwd(p, buf_str(&b));
    buf_fini(&b);
}

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    struct peer *p = arg;
    struct start *s = p->start;

    if (!s || s->stream != st)
        return;
    s->status = head->status;
    if (head->status >= 400)
        return;
    p->process_started = true;
    take_cwd(p, h2_head_get(head, "sockerless-cwd"));
    staging_exit_drop(p->ch->staging, p->id);
    p->output = st;
    s->stream = NULL;
    if (p->input)
        input_attach(p->input, peer_h2(p));
    start_finish(s, NULL, 0);
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *data, size_t n)
{
    struct peer *p = arg;

    if (p->start && p->start->stream == st) {
        (void)buf_append(&p->start->body, data, n);
        h2_stream_consume(st, n);
        return;
    }
    output_on_data(p, st, data, n);
}

static void on_connected(void *arg, const struct skl_error *err);

static void wait_again(struct start *s)
{
    s->at = s->volume = 0;
    staging_items_free(s->items, s->n_items);
    s->items = NULL;
    s->n_items = 0;
    s->waiter = peer_wait(s->peer, s->peer->ch->connect_timeout, on_connected, s->peer);
}

static int answer_exit_code(const char *body)
{
    struct json_object *o = json_tokener_parse(body), *v;
    int code = START_FAILED;

    if (json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, "exit_code", &v))
        code = json_object_get_int(v);
    json_object_put(o);
    return code;
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct peer *p = arg;
    struct start *s = p->start;
    struct skl_error why = {0};

    if (!s || s->stream != st) {
        output_on_close(p, st, err);
        return;
    }
    s->stream = NULL;
    if (s->status >= 400) {
        call_error(&why, s->status, buf_str(&s->body), s->body.len);
        start_finish(s, &why, answer_exit_code(buf_str(&s->body)));
        return;
    }
    /* The link broke. Its agent dials again and tells whether the process is there (start_found_running()) or not, then it
     * is asked once more; the daemon's patience is the same as for the first dial. */
    log_info("agent", "container %.12s: lost while the process was being started (%s); waiting for the agent", p->id,
             err ? err->message : "no answer");
    wait_again(s);
}

void start_found_running(struct peer *p)
{
    struct start *s = p->start;

    p->process_started = true;
    staging_exit_drop(p->ch->staging, p->id);
    output_open(p);
    if (p->input)
        input_attach(p->input, peer_h2(p));
    start_finish(s, NULL, 0);
}

static const struct h2_stream_ops process_ops = {.on_head = on_head, .on_data = on_data, .on_close = on_close};

static void add_size(struct json_object *spec, const struct container *c)
{
    struct json_object *size;

    if (!c->tty || c->tty_rows == 0 || c->tty_cols == 0)
        return;
    size = json_add_array(spec, "size");
    json_push(size, json_object_new_int((int)c->tty_rows));
    json_push(size, json_object_new_int((int)c->tty_cols));
}

/* A volume's place exists in Docker, whatever the image has (act copies into its volumes right after the start). */
static void add_dirs(struct json_object *spec, const struct container *c)
{
    struct json_object *dirs = c->n_mounts > 0 ? json_add_array(spec, "dirs") : NULL;

    for (size_t i = 0; i < c->n_mounts; i++)
        json_push(dirs, json_object_new_string(c->mounts[i].destination));
}

/* A tmpfs is a directory that anybody may write to: a function's file system is in memory anyway. */
static void add_scratch(struct json_object *spec, const struct container *c)
{
    struct json_object *list = json_add_array(spec, "scratch");

    for (char **path = c->tmpfs; path != NULL && *path != NULL; path++)
        json_push(list, json_object_new_string(*path));
    for (size_t i = 0; i < c->n_mounts; i++)
        if (c->mounts[i].type == MOUNT_TMPFS)
            json_push(list, json_object_new_string(c->mounts[i].destination));
}

static void add_ulimits(struct json_object *spec, struct json_object *host)
{
    struct json_object *list = json_member(host, "Ulimits"), *out = json_add_array(spec, "rlimits");

    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        struct json_object *u = json_object_array_get_idx(list, i), *o = json_new_object();
        json_add_string(o, "name", json_string_or(json_member(u, "Name"), ""));
        json_add_i64(o, "soft", json_object_get_int64(json_member(u, "Soft")));
        json_add_i64(o, "hard", json_object_get_int64(json_member(u, "Hard")));
        json_push(out, o);
    }
}

/* What of HostConfig bounds the process itself. */
static void add_bounds(struct json_object *spec, const struct container *c)
{
    JSON_CLEANUP struct json_object *host = container_host_config(c);
    struct json_object *security = json_member(host, "SecurityOpt");
    int64_t score = json_object_get_int64(json_member(host, "OomScoreAdj"));

    add_ulimits(spec, host);
    if (score != 0)
        json_add_i64(spec, "oom_score_adj", score);
    for (size_t i = 0; json_object_is_type(security, json_type_array) && i < json_object_array_length(security); i++)
        if (security_opt_no_new_privileges(json_string_or(json_object_array_get_idx(security, i), "")))
            json_add_bool(spec, "no_new_privileges", true);
}

static struct json_object *process_spec(const struct container *c)
{
    struct json_object *spec = json_new_object();

    json_add_strings(spec, "argv", (const char *const *)c->argv);
    json_add_strings(spec, "env", (const char *const *)c->env);
    if (c->user && *c->user)
        json_add_string(spec, "user", c->user);
    if (c->groups)
        json_add_strings(spec, "groups", (const char *const *)c->groups);
    if (c->working_dir && *c->working_dir)
        json_add_string(spec, "cwd", c->working_dir);
    if (c->hostname && *c->hostname)
        json_add_string(spec, "hostname", c->hostname);
    json_add_bool(spec, "tty", c->tty);
    json_add_bool(spec, "open_stdin", c->open_stdin);
    json_add_i64(spec, "stop_signal", c->stop_signal);
    json_add_i64(spec, "run", c->run);
    add_size(spec, c);
    add_dirs(spec, c);
    add_scratch(spec, c);
    add_bounds(spec, c);
    return spec;
}

static void post_process(struct start *s)
{
    struct peer *p = s->peer;
    struct json_object *spec;
    const char *text;
    struct skl_error err = {0};
    struct h2 *h2 = peer_h2(p);

    if (!h2) { /* lost, or leaving, since it was there */
        wait_again(s);
        return;
    }
    spec = process_spec(p->c);
    text = json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    s->stream = h2_request_json(h2, "POST", "/process?output=1", text, strlen(text), &process_ops, p, &err);
    json_object_put(spec);
    if (!s->stream)
        start_finish(s, &err, START_FAILED);
}

/* ---- DELIVER ---- */

static void deliver_next(struct start *s);

static void on_delivered(void *arg, const struct skl_error *err)
{
    struct peer *p = arg;
    struct start *s = p->start;

    if (!s || !s->delivering)
        return; /* aborted meanwhile */
    s->delivering = false;
    if (err) {
        struct skl_error why = {0};
        error_copy(&why, err);
        if (s->volume < p->c->n_mounts)
            error_prefix(&why, "delivering what volume %s holds", p->c->mounts[s->volume].name);
        else
            error_prefix(&why, "delivering the files copied to %s", s->items[s->at].path);
        start_finish(s, &why, START_FAILED);
        return;
    }
    if (s->volume < p->c->n_mounts)
        s->volume++;
    else
        p->delivered = s->items[s->at++].seq;
    deliver_next(s);
}

/* false: there is none left. */
static bool deliver_volume(struct start *s, struct skl_error *err)
{
    struct peer *p = s->peer;
    struct staging_item place = {0};
    int fd = -1;

    while (s->volume < p->c->n_mounts && (fd = volume_tar_open(p->ch, p->c, s->volume, err)) < 0 && !err->kind)
        s->volume++;
    if (fd < 0)
        return false;
    place.path = p->c->mounts[s->volume].destination;
    s->delivering = true;
    deliver_item(p, &place, fd, on_delivered, p);
    return true;
}

static void deliver_next(struct start *s)
{
    struct peer *p = s->peer;
    struct skl_error err = {0};
    int fd;

    if (deliver_volume(s, &err))
        return;
    if (err.kind) {
        start_finish(s, &err, START_FAILED);
        return;
    }
    if (s->at == s->n_items) {
        post_process(s);
        return;
    }
    fd = staging_item_open(p->ch->staging, p->id, s->items[s->at].seq, &err);
    if (fd < 0) {
        start_finish(s, &err, START_FAILED);
        return;
    }
    s->delivering = true;
    deliver_item(p, &s->items[s->at], fd, on_delivered, p);
}

/* ---- WAIT ---- */

static void on_connected(void *arg, const struct skl_error *err)
{
    struct peer *p = arg;
    struct start *s = p->start;

    s->waiter = NULL;
    if (err) {
        start_finish(s, err, START_FAILED);
        return;
    }
    s->n_items = staging_items(p->ch->staging, p->id, p->delivered, &s->items);
    deliver_next(s);
}

static void on_abort(void *arg)
{
    struct start *s = arg;

    start_finish(s, &s->err, START_FAILED);
}

void start_begin(struct peer *p, void (*done)(void *arg, const struct skl_error *err, int exit_code), void *arg)
{
    struct start *s = xcalloc(1, sizeof(*s));

    s->peer = p;
    s->done = done;
    s->arg = arg;
    buf_init(&s->body, CALL_BODY_MAX);
    soon_init(&s->abort, on_abort, s);
    p->start = s;
    s->waiter = peer_wait(p, p->ch->connect_timeout, on_connected, p);
}

void start_abort(struct peer *p, const struct skl_error *err)
{
    struct start *s = p->start;

    if (!s)
        return;
    error_copy(&s->err, err);
    s->delivering = false;
    if (s->waiter)
        peer_wait_cancel(s->waiter);
    s->waiter = NULL;
    if (s->stream)
        h2_stream_abandon(s->stream);
    s->stream = NULL;
    loop_soon(p->ch->loop, &s->abort);
}
