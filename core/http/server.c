/*
 * http/server.c - the server object and its timeouts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "http/http-internal.h"

static void on_sweep(void *arg);
static void on_accept_retry(void *arg);

static char *make_default_block(const char *const *headers)
{
    struct buf b;

    buf_init(&b, HTTP_HEAD_MAX);
    for (size_t i = 0; headers != NULL && headers[i] != NULL; i++) {
        buf_puts(&b, headers[i]);
        buf_puts(&b, "\r\n");
    }
    return buf_steal(&b, NULL);
}

struct http_server *http_server_new(struct loop *loop, const struct http_server_opts *opts)
{
    struct http_server *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->opts = *opts;
    if (s->opts.max_connections == 0)
        s->opts.max_connections = HTTP_MAX_CONNECTIONS;
    s->default_block = make_default_block(opts->default_headers);
    s->opts.default_headers = NULL;
    list_init(&s->listeners);
    list_init(&s->conns);
    for (int i = 0; i < HTTP_WAITS; i++)
        list_init(&s->waits[i]);
    timer_init(loop, &s->sweep, on_sweep, s);
    timer_init(loop, &s->accept_retry, on_accept_retry, s);
    s->input = xmalloc(HTTP_INPUT_SIZE);
    buf_init(&s->head, 4 * HTTP_HEAD_MAX);
    s->refs = 1;
    return s;
}

static void close_listeners(struct http_server *s)
{
    LIST_FOREACH_SAFE(n, tmp, &s->listeners)
        listener_free(LIST_ENTRY(n, struct http_listener, link));
}

void http_server_stop_accepting(struct http_server *s)
{
    s->stopping = true;
    close_listeners(s);
    LIST_FOREACH_SAFE(n, tmp, &s->conns) {
        struct http_conn *c = LIST_ENTRY(n, struct http_conn, link);
        if (c->sink == HTTP_SINK_HEAD && c->held.len == 0 && c->out.len == 0)
            conn_close(c);
    }
}

size_t http_server_connections(const struct http_server *s)
{
    return s->n_conns;
}

void http_server_free(struct http_server *s)
{
    if (s == NULL)
        return;
    s->stopping = true;
    close_listeners(s);
    LIST_FOREACH_SAFE(n, tmp, &s->conns) {
        struct http_conn *c = LIST_ENTRY(n, struct http_conn, link);
        conn_close(c);
        conn_turn(c); /* tells its owner now: nothing of ours may come to him later */
    }
    timer_fini(&s->sweep);
    timer_fini(&s->accept_retry);
    server_unref(s);
}

void server_unref(struct http_server *s)
{
    if (--s->refs > 0)
        return;
    free(s->default_block);
    free(s->input);
    buf_fini(&s->head);
    free(s);
}

const char *server_date(struct http_server *s)
{
    int64_t now = clock_wall() / NS_PER_S;
    time_t t = (time_t)now;
    struct tm tm;

    if (now != s->date_s) {
        s->date_s = now;
        gmtime_r(&t, &tm);
        strftime(s->date, sizeof(s->date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    }
    return s->date;
}

static void on_accept_retry(void *arg)
{
    struct http_server *s = arg;

    s->paused = false;
    listeners_pause(s, false);
}

/* ---- timeouts ---- */

static int64_t wait_ns(enum http_wait kind)
{
    static const int64_t ns[HTTP_WAITS] = {
        [HTTP_WAIT_IDLE] = HTTP_IDLE_TIMEOUT_NS,
        [HTTP_WAIT_HEAD] = HTTP_HEAD_TIMEOUT_NS,
        [HTTP_WAIT_LINGER] = HTTP_LINGER_NS,
    };
    return ns[kind];
}

void conn_wait(struct http_conn *c, enum http_wait kind)
{
    struct http_server *s = c->server;

    list_remove(&c->wait_link);
    c->wait = kind;
    if (kind == HTTP_WAIT_NONE)
        return;
    c->wait_until = loop_now(s->loop) + wait_ns(kind);
    list_push_back(&s->waits[kind], &c->wait_link);
    if (!timer_armed(&s->sweep))
        timer_start(&s->sweep, HTTP_SWEEP_NS);
}

static bool sweep_list(struct http_server *s, enum http_wait kind, int64_t now)
{
    while (!list_empty(&s->waits[kind])) {
        struct http_conn *c = LIST_ENTRY(s->waits[kind].next, struct http_conn, wait_link);
        if (c->wait_until > now)
            return true;
        list_remove(&c->wait_link);
        c->wait = HTTP_WAIT_NONE;
        conn_timed_out(c);
    }
    return false;
}

/* Timeouts are coarse: looked at every HTTP_SWEEP_NS while anybody waits. */
static void on_sweep(void *arg)
{
    struct http_server *s = arg;
    int64_t now = loop_now(s->loop);
    bool more = false;

    for (int i = HTTP_WAIT_IDLE; i < HTTP_WAITS; i++)
        more |= sweep_list(s, (enum http_wait)i, now);
    if (more)
        timer_start(&s->sweep, HTTP_SWEEP_NS);
}
