/*
 * http/conn.c - a connection's life, and one turn of its work.
 *
 * A turn: use what input there is, send what output there is, tell owners what happened (drained, gone), close if
 * that is what remains. Whatever changes state asks for another round (`again`) or another turn (conn_schedule).
 *
 * When is a client gone, while its exchange is in progress?
 *   - the kernel says hang-up (both sides closed, or reset): always
 *   - on TCP a full close looks like a half-close until we write. So when a handler that waits has set on_gone, the end
 *     of a TCP client's input counts as gone, as in Go's net/http; writing to it still works. A unix socket's
 *     peer that is closed hangs up, so there a half-close is only that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include "http/http-internal.h"


static void on_work(void *arg)
{
    conn_turn(arg);
}

/* Nothing reads input just now: the edge may be a hang-up. */
static void look_for_hang_up(struct http_conn *c)
{
    bool rdhup;

    if (sock_hung_up(c, &rdhup))
        conn_close(c);
    else if (rdhup && !c->is_unix && c->req != NULL && c->req->on_gone != NULL)
        c->left = true;
}

static bool reads_now(const struct http_conn *c)
{
    switch (c->sink) {
    case HTTP_SINK_NONE:
        return false;
    case HTTP_SINK_READER:
        return !c->req->paused && c->framing != HTTP_FRAME_DONE;
    case HTTP_SINK_STREAM:
        return c->stream.reading && c->framing != HTTP_FRAME_DONE;
    default:
        return true;
    }
}

static void on_input_event(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;

    (void)fd;
    c->readable = true;
    if ((what & EV_CLOSED) != 0)
        c->fin_seen = true;
    if (!reads_now(c))
        look_for_hang_up(c);
    conn_turn(c);
}

static void on_output_event(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;

    (void)fd;
    (void)what;
    c->blocked = false;
    if (c->ssl != NULL)
        c->readable = true;
    conn_turn(c);
}

void conn_start(struct http_server *s, int fd, bool is_unix, const struct sockaddr *sa, struct ssl_st *ssl)
{
    struct http_conn *c = xcalloc(1, sizeof(*c));

    c->server = s;
    c->fd = fd;
    c->is_unix = is_unix;
    c->ssl = ssl;
    if (sa->sa_family == AF_INET || sa->sa_family == AF_INET6)
        memcpy(&c->addr, sa, sizeof(c->addr));
    c->stream.conn = c;
    soon_init(&c->work, on_work, c);
    list_init(&c->wait_link);
    list_push_back(&s->conns, &c->link);
    s->n_conns++;
    s->refs++;
    event_assign(&c->ev_in, loop_base(s->loop), fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, on_input_event, c);
    event_assign(&c->ev_out, loop_base(s->loop), fd, EV_WRITE | EV_ET, on_output_event, c);
    event_add(&c->ev_in, NULL);
    c->readable = true;
    conn_wait(c, HTTP_WAIT_IDLE);
    conn_schedule(c);
}

void conn_schedule(struct http_conn *c)
{
    if (c->in_turn)
        c->again = true;
    else
        loop_soon(c->server->loop, &c->work);
}

void conn_close(struct http_conn *c)
{
    struct http_server *s = c->server;

    if (c->closed)
        return;
    c->closed = true;
    event_del(&c->ev_in);
    event_del(&c->ev_out);
    tls_conn_free(c->ssl);
    c->ssl = NULL;
    close(c->fd);
    c->fd = -1;
    conn_wait(c, HTTP_WAIT_NONE);
    list_remove(&c->link);
    s->n_conns--;
    if (s->paused && !s->stopping) {
        s->paused = false;
        listeners_pause(s, false);
    }
    blocks_fini(&c->out);
    queue_fini(&c->held);
    conn_schedule(c);
}

void conn_release(struct http_conn *c)
{
    struct http_server *s = c->server;

    if (!c->closed || c->in_turn || c->req != NULL || c->stream.open)
        return;
    soon_cancel(&c->work);
    timer_fini(&c->apart);
    http_chunked_free(c->chunked);
    blocks_fini(&c->out);
    queue_fini(&c->held);
    free(c->peer);
    free(c);
    server_unref(s);
}

void conn_close_after_flush(struct http_conn *c, bool linger)
{
    c->closing = true;
    c->lingers |= linger;
    conn_schedule(c);
}

void conn_timed_out(struct http_conn *c)
{
    /* A head that does not come to its end gets an answer; an idle connection just goes. */
    if (c->sink == HTTP_SINK_HEAD && c->held.len > 0 && !c->closing)
        req_refuse(c, 408, "the request's head did not arrive in time");
    else
        conn_close(c);
    conn_schedule(c);
}

/* Output is gone: FIN, then perhaps the client's rest, then the end. */
static void finish_closing(struct http_conn *c)
{
    if (!c->closing || c->closed || c->out.len > 0 || c->apart_armed)
        return;
    if (!c->lingers || c->eof) {
        conn_close(c);
        return;
    }
    if (!c->fin_sent) {
        sock_fin(c);
        c->fin_sent = true;
        c->sink = HTTP_SINK_DISCARD;
        c->framing = HTTP_FRAME_RAW;
        conn_wait(c, HTTP_WAIT_LINGER);
        c->again = true;
    }
}

static void tell_drained(struct http_conn *c)
{
    struct http_req *req = c->req;

    if (!c->above || c->out.len > HTTP_WRITE_LOW || c->closed)
        return;
    c->above = false;
    if (req != NULL && req->on_drain != NULL)
        req->on_drain(req->on_drain_arg);
}

static void tell_gone(struct http_conn *c)
{
    struct http_req *req = c->req;

    if (req == NULL || req->gone_told || (!c->closed && !c->left))
        return;
    req->gone_told = true;
    if (c->closed && req->reader != NULL && c->framing != HTTP_FRAME_DONE) {
        body_set_error(req, SKL_ERR_CANCELED, "the client went away");
        body_end(c);
        req = c->req;
    }
    if (req != NULL && req->on_gone != NULL) {
        void (*fn)(void *) = req->on_gone;
        req->on_gone = NULL;
        fn(req->on_gone_arg);
    }
}

void conn_turn(struct http_conn *c)
{
    if (c->in_turn)
        return;
    c->in_turn = true;
    soon_cancel(&c->work);
    do {
        c->again = false;
        input_pump(c);
        out_flush(c);
        if (c->fin_wanted && !c->fin_sent && !c->closed && c->out.len == 0 && !c->apart_armed) {
            sock_fin(c);
            c->fin_sent = true;
        }
        finish_closing(c);
        if (c->stream.open)
            stream_events(c);
        else
            tell_drained(c);
        tell_gone(c);
    } while (c->again);
    c->in_turn = false;
    conn_release(c);
}

static void peer_text(struct http_conn *c, char *out, size_t size)
{
    char ip[INET6_ADDRSTRLEN] = "?";

    if (c->is_unix) {
        snprintf(out, size, "unix");
    } else if (c->addr.sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &c->addr.in6.sin6_addr, ip, sizeof(ip));
        snprintf(out, size, "[%s]:%u", ip, ntohs(c->addr.in6.sin6_port));
    } else {
        inet_ntop(AF_INET, &c->addr.in.sin_addr, ip, sizeof(ip));
        snprintf(out, size, "%s:%u", ip, ntohs(c->addr.in.sin_port));
    }
}

const char *http_req_peer(const struct http_req *req)
{
    char text[INET6_ADDRSTRLEN + 16];

    if (req->conn->peer == NULL) {
        peer_text(req->conn, text, sizeof(text));
        req->conn->peer = xstrdup(text);
    }
    return req->conn->peer;
}
