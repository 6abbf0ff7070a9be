/*
 * drivers/tunnel.c - see tunnel.h.
 *
 *   WAIT --link--> OPEN (POST /connect) --200--> both ways, each with its own end --> gone
 *
 * To the agent bytes are read when the link has room for them, so nothing is kept here but the piece that was lent last. From the
 * agent what the socket does not take at once waits in `held`, bounded by the stream's window: credit is given for what the
 * socket took. A lost link breaks the connection: TCP can't be told to say it again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/tunnel.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "drivers/internal.h"

#define TUNNEL_WAIT_NS (INT64_C(10) * 1000000000)
#define PIECE (32u * 1024)

struct tunnel {
    struct list link;          /* its peer's */
    struct peer *peer;
    uint16_t port;
    int fd;
    struct io io;
    unsigned interest;
    struct peer_waiter *waiter;
    struct h2_stream *stream;
    int status;
    bool in_ended;             /* the agent has said its last */
    bool out_ended;            /* the host's side has */
    struct ring held;          /* for the socket */
    uint8_t *piece;            /* lent to the link */
};

static void want(struct tunnel *t, unsigned add, unsigned drop)
{
    unsigned interest = (t->interest | add) & ~drop;

    if (interest != t->interest)
        io_want(&t->io, interest);
    t->interest = interest;
}

static void tunnel_free(struct tunnel *t, bool reset)
{
    struct linger now = {.l_onoff = 1};
    struct peer *p = t->peer;
    bool was_full = tunnels_full(p);

    list_remove(&t->link);
    p->n_tunnels--;
    if (t->waiter)
        peer_wait_cancel(t->waiter);
    if (t->stream)
        h2_stream_abandon(t->stream);
    io_fini(&t->io);
    if (reset)
        (void)setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(t->fd);
    ring_fini(&t->held);
    free(t->piece);
    free(t);
    if (was_full)
        publish_room(p);
    peer_changed(p);
}

void tunnels_close(struct peer *p)
{
    LIST_FOREACH_SAFE(n, tmp, &p->tunnels)
        tunnel_free(LIST_ENTRY(n, struct tunnel, link), true);
}

bool tunnels_full(const struct peer *p)
{
    return p->n_tunnels >= TUNNELS_MAX;
}

/* ---- from the agent ---- */

/* What the socket takes of it; the rest stays. false: the socket is broken. */
static bool flush(struct tunnel *t)
{
    const uint8_t *p;
    size_t n;

    while ((p = ring_take(&t->held, SIZE_MAX, &n)) != NULL) {
        ssize_t sent = send(t->fd, p, n, MSG_NOSIGNAL);

        if (sent > 0) {
            ring_ack(&t->held, (size_t)sent);
            if (t->stream)
                h2_stream_consume(t->stream, (size_t)sent);
        }
        ring_rewind(&t->held);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (sent < (ssize_t)n) {
            want(t, IO_WRITE, 0);
            return true;
        }
    }
    want(t, 0, IO_WRITE);
    if (t->in_ended)
        (void)shutdown(t->fd, SHUT_WR);
    return true;
}

static bool over(const struct tunnel *t)
{
    return t->in_ended && ring_len(&t->held) == 0 && (t->out_ended || t->stream == NULL);
}

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    (void)st;
    ((struct tunnel *)arg)->status = head->status;
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct tunnel *t = arg;

    if (t->status != 200) { /* why not: nobody is there to read it */
        h2_stream_consume(st, n);
        return;
    }
    if (ring_len(&t->held) == 0) { /* mostly all of it */
        ssize_t sent = send(t->fd, p, n, MSG_NOSIGNAL);

        if (sent > 0) {
            h2_stream_consume(st, (size_t)sent);
            p += sent;
            n -= (size_t)sent;
        }
    }
    ring_put(&t->held, p, n);
    if (n > 0 && !flush(t))
        tunnel_free(t, true);
}

static void on_end(void *arg, struct h2_stream *st)
{
    struct tunnel *t = arg;

    (void)st;
    t->in_ended = true;
    if (t->status == 200 && !flush(t)) /* else on_close() resets it */
        tunnel_free(t, true);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct tunnel *t = arg;

    (void)st;
    t->stream = NULL;
    if (err || t->status != 200) {
        log_debug("agent", "container %.12s: a connection to port %u ends: status %d%s%s", t->peer->id, t->port, t->status, err ? ", " : "",
                  err ? err->message : "");
        tunnel_free(t, true);
    } else if (over(t)) {
        tunnel_free(t, false);
    }
}

/* ---- to the agent ---- */

static ssize_t pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct tunnel *t = arg;
    ssize_t n;

    if (!t->piece)
        t->piece = xmalloc(PIECE);
    do {
        n = recv(t->fd, t->piece, max < PIECE ? max : PIECE, 0);
    } while (n < 0 && errno == EINTR);
    *ret_p = t->piece;
    *ret_eof = t->out_ended = n == 0;
    if (n > 0 || n == 0)
        return n;
    if (errno != EAGAIN)
        return H2_BODY_ABORT;
    free(STEAL(t->piece)); /* an idle connection holds nothing */
    want(t, IO_READ, 0);
    return H2_BODY_WAIT;
}

static void on_io(void *arg, unsigned ready)
{
    struct tunnel *t = arg;

    if ((ready & IO_READ) != 0) {
        want(t, 0, IO_READ);
        if (t->stream)
            h2_stream_resume(t->stream);
    }
    if ((ready & IO_WRITE) == 0)
        return;
    if (!flush(t))
        tunnel_free(t, true);
    else if (!t->stream && over(t))
        tunnel_free(t, false);
}

/* ---- the start ---- */

static const struct h2_stream_ops ops = {.on_head = on_head, .on_data = on_data, .on_end = on_end, .on_close = on_close};

static void open_stream(struct tunnel *t)
{
    const struct h2_body body = {pull, t};
    char path[32];

    snprintf(path, sizeof(path), "/connect?port=%u", t->port);
    t->stream = peer_h2(t->peer) ? h2_request(peer_h2(t->peer), "POST", path, NULL, &body, &ops, t, NULL) : NULL;
    if (!t->stream)
        tunnel_free(t, true);
}

static void on_link(void *arg, const struct skl_error *err)
{
    struct tunnel *t = arg;

    t->waiter = NULL;
    if (err) {
        log_debug("agent", "container %.12s: a connection to port %u: %s", t->peer->id, t->port, err->message);
        tunnel_free(t, true);
    } else {
        open_stream(t);
    }
}

void tunnel_new(struct peer *p, int fd, uint16_t port)
{
    struct tunnel *t = xcalloc(1, sizeof(*t));
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    t->peer = p;
    t->fd = fd;
    t->port = port;
    io_init(p->ch->loop, &t->io, fd, on_io, t);
    list_push_back(&p->tunnels, &t->link);
    p->n_tunnels++;
    t->waiter = peer_wait(p, TUNNEL_WAIT_NS, on_link, t);
}
