/*
 * api/logs.c - GET /containers/{id}/logs (reference 2.6).
 *
 * From the daemon's own capture while the driver allows that (extended semantics) and there is one; from the cloud's log
 * otherwise: a snapshot, entry by entry.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

#define PIECE_MAX (256u * 1024)
#define DETAILS_MAX (64u * 1024)

struct logs {
    struct api_call *call;
    struct container *c;        /* a reference is held */
    struct log_lines *lines;    /* from the capture */
    struct plugin_call *cloud;  /* from the cloud */
    struct soon soon;
    bool tty, timestamps, details;
    bool want_stdout, want_stderr;
    bool gone;
    char *attrs;                /* what `details` adds, with a blank behind; "" */
    struct buf piece;
};

static void logs_free(struct logs *l)
{
    if (l->lines != NULL)
        log_lines_close(l->lines);
    soon_cancel(&l->soon);
    container_unref(l->c);
    buf_fini(&l->piece);
    free(l->attrs);
    free(l);
}

/* Before the first byte; the cloud's refusal can still be an answer of its own until then. */
static void write_head(struct logs *l)
{
    bool frames = !l->tty && l->call->version >= 42;

    if (!http_res_started(l->call->req))
        http_res_begin(l->call->req, 200, frames ? "application/vnd.docker.multiplexed-stream" : "application/vnd.docker.raw-stream",
                       HTTP_RES_CHUNKED, 0);
}

static void logs_end(struct logs *l, bool whole)
{
    struct http_req *req = l->call->req;

    http_req_on_gone(req, NULL, NULL);
    http_res_on_drain(req, NULL, NULL);
    api_call_free(l->call);
    logs_free(l);
    if (whole)
        http_res_end(req);
    else
        http_res_abort(req);
}

/* One piece of a line: a frame, with its time stamp and attributes inside it when a line begins. */
static void write_piece(struct logs *l, uint8_t stream, bool begin, int64_t time, const char *data, size_t n)
{
    char when[TIME_RFC3339_SIZE];
    uint8_t head[STDCOPY_HEADER_SIZE];

    buf_clear(&l->piece);
    if (!l->tty)
        (void)buf_append(&l->piece, head, sizeof(head)); /* filled in below */
    if (begin && l->timestamps)
        buf_printf(&l->piece, "%s ", time_format_log(time, when));
    if (begin && l->details)
        buf_puts(&l->piece, l->attrs);
    (void)buf_append(&l->piece, data, n);
    if (!l->tty) {
        stdcopy_header(head, stream, (uint32_t)(l->piece.len - sizeof(head)));
        memcpy(l->piece.data, head, sizeof(head));
    }
    http_res_write(l->call->req, l->piece.data, l->piece.len);
}

/* ---- from the capture ---- */

static void pump(struct logs *l)
{
    struct log_piece p;
    struct skl_error err = {0};
    enum log_next next = LOG_WAIT;

    while (http_res_writable(l->call->req) && (next = log_lines_next(l->lines, &p, &err)) == LOG_RECORD)
        write_piece(l, p.stream, p.begin, p.time, p.data, p.len);
    if (next == LOG_FAILED)
        log_error("api", "logs of %.12s: %s", l->c->id, err.message);
    if (next == LOG_END || next == LOG_FAILED)
        logs_end(l, next == LOG_END);
}

static void on_soon(void *arg)
{
    pump(arg);
}

static void on_ready(void *arg)
{
    struct logs *l = arg;

    loop_soon(engine_loop(l->c->engine), &l->soon);
}

static void on_gone(void *arg)
{
    struct logs *l = arg;

    l->gone = true;
    if (l->cloud != NULL) {
        plugin_call_cancel(l->cloud); /* its done ends us */
        return;
    }
    logs_end(l, false);
}

/* ---- from the cloud ---- */

static bool on_entry(void *arg, const struct skl_log_entry *e)
{
    struct logs *l = arg;

    if (l->gone)
        return true;
    write_head(l);
    if (e->stream == 2 ? l->want_stderr : l->want_stdout)
        write_piece(l, (uint8_t)e->stream, true, e->time, e->data, e->len);
    return http_res_writable(l->call->req);
}

static void on_drain(void *arg)
{
    struct logs *l = arg;

    if (l->cloud != NULL)
        plugin_logs_resume(l->cloud);
    else if (l->lines != NULL)
        pump(l);
}

static void on_cloud_done(void *arg, const struct skl_error *err)
{
    struct logs *l = arg;

    struct http_req *req = l->call->req;

    l->cloud = NULL;
    if (err != NULL && !l->gone)
        log_warn("api", "logs of %.12s: %s", l->c->id, err->message);
    if (err != NULL && !l->gone && !http_res_started(req)) {
        http_req_on_gone(req, NULL, NULL);
        http_res_on_drain(req, NULL, NULL);
        api_reply_error(l->call, err);
        logs_free(l);
        return;
    }
    if (!l->gone)
        write_head(l);
    logs_end(l, err == NULL && !l->gone);
}

/* ---- the call ---- */

struct detail {
    const char *key, *value;
    size_t key_len;
};

static size_t strv_count(char **v)
{
    size_t n = 0;

    while (v[n] != NULL)
        n++;
    return n;
}

static int by_key(const void *a, const void *b)
{
    const struct detail *x = a, *y = b;
    int order = memcmp(x->key, y->key, x->key_len < y->key_len ? x->key_len : y->key_len);

    return order != 0 ? order : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

/* As Go's url.QueryEscape: a blank is '+'. */
static void write_escaped(struct buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == ' ')
            buf_putc(b, '+');
        else
            (void)url_encode(b, s + i, 1);
    }
}

static bool named(const char *list, const char *key, size_t key_len)
{
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        if (n == key_len && memcmp(list, key, n) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

/* The labels and variables that the log options name (json-file's `labels` and `env`), sorted by key. */
static char *detail_attrs(const struct container *c)
{
    JSON_CLEANUP struct json_object *host = container_host_config(c);
    const char *labels = "", *env = "";
    CLEANUP(free_p) struct detail *d = xcalloc(c->n_labels + strv_count(c->env) + 1, sizeof(*d));
    struct buf b;
    size_t n = 0;

    (void)json_get_string(host, "LogConfig.Config.labels", &labels, NULL);
    (void)json_get_string(host, "LogConfig.Config.env", &env, NULL);
    for (size_t i = 0; i < c->n_labels; i++)
        if (named(labels, c->labels[i].key, strlen(c->labels[i].key)))
            d[n++] = (struct detail){c->labels[i].key, c->labels[i].value, strlen(c->labels[i].key)};
    for (char **e = c->env; *e != NULL; e++) {
        size_t len = strcspn(*e, "=");
        if ((*e)[len] == '=' && named(env, *e, len))
            d[n++] = (struct detail){*e, *e + len + 1, len};
    }
    qsort(d, n, sizeof(*d), by_key);
    buf_init(&b, DETAILS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(&b, ',');
        write_escaped(&b, d[i].key, d[i].key_len);
        buf_putc(&b, '=');
        write_escaped(&b, d[i].value, strlen(d[i].value));
    }
    buf_putc(&b, ' ');
    return buf_steal(&b, NULL);
}

/* Integers; anything else is "all" (reference 2.6.3). */
static int64_t get_tail(struct api_call *c)
{
    const char *text = api_query(c, "tail");
    int64_t n;

    return text != NULL && str_to_i64(text, 0, INT64_MAX, &n) ? n : -1;
}

static bool from_capture(const struct container *c)
{
    uint64_t caps = engine_caps(c->engine, c);

    return (caps & SKL_CAP_AGENT_LOGS) != 0 && container_has_agent(c);
}

static int begin(struct logs *l, struct api_call *c, struct log_lines_opts *opts, struct skl_error *err)
{
    *opts = (struct log_lines_opts){.want_stdout = l->want_stdout, .want_stderr = l->want_stderr,
                                    .follow = api_query_bool(c, "follow", false), .tail = get_tail(c), .on_ready = on_ready,
                                    .arg = l};
    if (!l->want_stdout && !l->want_stderr)
        return error_set(err, SKL_ERR_INVALID, "Bad parameters: you must choose at least one stream");
    if (api_query_time(c, "since", &opts->since, err) < 0 || api_query_time(c, "until", &opts->until, err) < 0)
        return -1;
    if (l->c->log_none)
        return error_set(err, SKL_ERR_UNIMPLEMENTED, "configured logging driver does not support reading");
    return 0;
}

void api_containers_logs(struct api_call *c)
{
    struct skl_error err = {0};
    struct container *k = container_find(c->api->opts.engine, api_param(c, "id"), &err);
    struct log_lines_opts opts;
    struct logs *l;

    if (k == NULL) {
        api_reply_error(c, &err);
        return;
    }
    l = xcalloc(1, sizeof(*l));
    l->call = c;
    l->c = k;
    container_ref(k);
    l->tty = k->tty;
    l->want_stdout = api_query_bool(c, "stdout", false);
    l->want_stderr = api_query_bool(c, "stderr", false);
    l->timestamps = api_query_bool(c, "timestamps", false);
    l->details = api_query_bool(c, "details", false);
    soon_init(&l->soon, on_soon, l);
    buf_init(&l->piece, PIECE_MAX + SKL_LOG_ENTRY_MAX + DETAILS_MAX);
    if (begin(l, c, &opts, &err) < 0) {
        logs_free(l);
        api_reply_error(c, &err);
        return;
    }
    l->attrs = l->details ? detail_attrs(k) : xstrdup("");
    if (!from_capture(k)) {
        l->cloud = container_cloud_logs(k, opts.since, opts.until, opts.tail, on_entry, on_cloud_done, l, &err);
        if (l->cloud == NULL) {
            logs_free(l);
            api_reply_error(c, &err);
            return;
        }
    }
    http_req_on_gone(c->req, on_gone, l);
    http_res_on_drain(c->req, on_drain, l);
    if (l->cloud == NULL) {
        write_head(l);
        l->lines = log_lines_open(k, &opts);
        on_ready(l);
    }
}
