/*
 * agent/tunnel.c - POST /connect: a TCP connection as the two bodies of an exchange.
 *
 *   CONNECTING --connected: 200--> UP --both sides ended--> (closed)
 *       |  refused by all addresses: 502; TUNNEL_CONNECT_NS: 504
 *
 * Back-pressure comes from the windows: the socket is read only when the stream has room (pull), and credit is given
 * back as the socket takes the bytes. An end passes on as a half-close, a reset as a reset, both ways.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/tunnel.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/hosts.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

#define TUNNEL_CONNECT_NS (INT64_C(10) * 1000000000)
#define TUNNEL_PIECE (64u * 1024)
#define TUNNEL_PENDING_MAX (4u * 1024 * 1024) /* more than any window we announce */

struct address {
    struct sockaddr_storage ss;
    socklen_t len;
    char text[64];
};

struct tunnel {
    struct agent *agent;
    struct h2_stream *st;     /* NULL once it is over */
    struct address at[2];     /* tried one after the other */
    size_t n_at, next;
    uint16_t port;
    int fd;
    struct io io;
    bool io_on, up;
    struct timer timer;
    struct buf pending;       /* to the socket */
    bool in_ended, shut;      /* the stream's body is over; the socket was told */
    bool reading;             /* the stream has room, the socket had nothing */
    uint8_t piece[TUNNEL_PIECE];
    struct skl_error err;     /* of the last try */
};

static void on_io(void *arg, unsigned ready);

static void close_socket(struct tunnel *t, bool reset)
{
    struct linger hard = {.l_onoff = 1};

    if (t->io_on)
        io_fini(&t->io);
    t->io_on = false;
    if (t->fd >= 0 && reset)
        setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close_p(&t->fd);
}

static void tunnel_free(struct tunnel *t, bool reset)
{
    close_socket(t, reset);
    timer_fini(&t->timer);
    buf_fini(&t->pending);
    free(t);
}

static void want(struct tunnel *t)
{
    io_want(&t->io, (t->reading ? IO_READ : 0) | (t->pending.len > 0 ? IO_WRITE : 0));
}

/* ---- socket to stream ---- */

static ssize_t pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct tunnel *t = arg;
    ssize_t n;

    do
        n = read(t->fd, t->piece, max < TUNNEL_PIECE ? max : TUNNEL_PIECE);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN)
        return H2_BODY_ABORT;
    *ret_p = t->piece;
    *ret_eof = n == 0;
    t->reading = n < 0;
    want(t);
    return n < 0 ? H2_BODY_WAIT : n;
}

/* ---- stream to socket ---- */

static void push(struct tunnel *t)
{
    while (t->pending.len > 0) {
        ssize_t n = send(t->fd, t->pending.data, t->pending.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) { /* the other side is gone: on_close follows */
            h2_stream_cancel(t->st);
            return;
        }
        buf_consume(&t->pending, (size_t)n);
        h2_stream_consume(t->st, (size_t)n);
    }
    if (t->pending.len == 0 && t->in_ended && !t->shut) {
        t->shut = true;
        shutdown(t->fd, SHUT_WR);
    }
    want(t);
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct tunnel *t = arg;

    (void)st;
    (void)buf_append(&t->pending, p, n);
    if (t->up)
        push(t);
}

static void on_end(void *arg, struct h2_stream *st)
{
    struct tunnel *t = arg;

    (void)st;
    t->in_ended = true;
    if (t->up)
        push(t);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    (void)st;
    tunnel_free(arg, err != NULL);
}

static const struct h2_stream_ops ops = {.on_data = on_data, .on_end = on_end, .on_close = on_close};

/* ---- connecting ---- */

/* Answers, and the tunnel is gone. */
static void refuse(struct tunnel *t, int status)
{
    struct h2_stream *st = t->st;

    h2_stream_set_ops(st, NULL, NULL);
    h2_respond_error(st, status, &t->err);
    tunnel_free(t, false);
}

static void connected(struct tunnel *t)
{
    struct h2_body body = {.pull = pull, .arg = t};

    timer_stop(&t->timer);
    t->up = true;
    h2_stream_keep_open(t->st);
    h2_respond(t->st, 200, (const char *const[]){"content-type", "application/octet-stream", NULL}, &body);
    push(t);
}

static void failed(struct tunnel *t, int e)
{
    error_set(&t->err, SKL_ERR_BAD_GATEWAY, "connecting to %s port %u: %s", t->at[t->next].text, t->port, strerror(e));
    close_socket(t, false);
    t->next++;
}

static void try_next(struct tunnel *t)
{
    int one = 1;

    while (t->next < t->n_at) {
        const struct address *a = &t->at[t->next];
        t->fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (t->fd >= 0)
            setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (t->fd >= 0 && (connect(t->fd, (const struct sockaddr *)&a->ss, a->len) == 0 || errno == EINPROGRESS)) {
            io_init(t->agent->loop, &t->io, t->fd, on_io, t);
            t->io_on = true;
            io_want(&t->io, IO_WRITE);
            return;
        }
        failed(t, errno);
    }
    refuse(t, 502);
}

static void on_timeout(void *arg)
{
    struct tunnel *t = arg;

    error_set(&t->err, SKL_ERR_TIMEOUT, "connecting to %s port %u: no answer within 10 s", t->at[t->next].text, t->port);
    refuse(t, 504);
}

static void on_io(void *arg, unsigned ready)
{
    struct tunnel *t = arg;
    int e = 0;
    socklen_t len = sizeof(e);

    if (!t->up) {
        getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &e, &len);
        if (e == 0) {
            connected(t);
            return;
        }
        failed(t, e);
        try_next(t);
        return;
    }
    if ((ready & IO_WRITE) != 0)
        push(t);
    if ((ready & IO_READ) != 0 && t->reading) {
        t->reading = false;
        want(t);
        h2_stream_resume(t->st);
    }
}

/* ---- the request ---- */

static void add_address(struct tunnel *t, const char *text)
{
    struct address *a = &t->at[t->n_at];

    if (t->n_at < ARRAY_LEN(t->at) && hosts_address(text, t->port, &a->ss, &a->len)) {
        snprintf(a->text, sizeof(a->text), "%s", text);
        t->n_at++;
    }
}

static int find_addresses(struct tunnel *t, const char *host, struct skl_error *err)
{
    CLEANUP(free_p) char *found = NULL;

    if (str_empty(host) || str_ieq(host, "localhost")) {
        add_address(t, "127.0.0.1");
        add_address(t, "::1");
        return 0;
    }
    add_address(t, host);
    if (t->n_at == 0 && (found = hosts_lookup(host)) != NULL)
        add_address(t, found);
    if (t->n_at == 0)
        return error_set(err, SKL_ERR_NOT_FOUND, "%s is no address, and /etc/hosts of the container does not know it", host);
    return 0;
}

static void begin(struct request *r)
{
    CLEANUP(free_p) char *host = request_query(r, "host");
    struct skl_error err = {0};
    struct tunnel *t;
    uint64_t port;

    if (!request_number(r, "port", &port) || port < 1 || port > 65535) {
        request_fail(r, SKL_ERR_INVALID, "port has to be a number from 1 to 65535");
        return;
    }
    if (port == r->agent->cfg.port && r->agent->cfg.listen_unix == NULL) { /* whoever connects means the container */
        request_fail(r, SKL_ERR_BAD_GATEWAY, "that port is the one that the platform gave to the agent: the container can't listen on it");
        return;
    }
    t = xcalloc(1, sizeof(*t));
    t->agent = r->agent;
    t->st = r->stream;
    t->fd = -1;
    t->port = (uint16_t)port;
    buf_init(&t->pending, TUNNEL_PENDING_MAX);
    timer_init(r->agent->loop, &t->timer, on_timeout, t);
    if (find_addresses(t, host, &err) < 0) {
        tunnel_free(t, false);
        request_error(r, 0, &err);
        return;
    }
    h2_stream_set_ops(r->stream, &ops, t);
    timer_start(&t->timer, TUNNEL_CONNECT_NS);
    try_next(t);
}

bool tunnel_handle(struct request *r)
{
    if (!str_eq(r->path, "/connect"))
        return false;
    if (str_eq(r->method, "POST"))
        begin(r);
    else
        request_fail(r, SKL_ERR_INVALID, "no such method here");
    return true;
}
