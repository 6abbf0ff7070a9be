/*
 * http/stream.c - hijacked connections.
 *
 * The head of a hijack is a segment of its own, and output waits until the client has taken it: docker-py reads the head
 * through a buffer and loses frames that came along with it (reference 2.3.15). On a unix socket SIOCOUTQ tells when the
 * head was read; on TCP a short pause has to do. Both are bounded, and mostly over before there is any output.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include "http/http-internal.h"

#define HEAD_POLL_NS (INT64_C(200) * 1000)

/* ---- keeping the head apart ---- */

static void on_apart(void *arg)
{
    struct http_conn *c = arg;
    int64_t left = c->apart_until - loop_now(c->server->loop), waited = HTTP_HEAD_UNREAD_NS - left;
    int queued = 0;

    if (c->closed || !c->apart_armed)
        return;
    if (c->is_unix && left > 0 && ioctl(c->fd, SIOCOUTQ, &queued) == 0 && queued > 0) {
        timer_start(&c->apart, waited / 4 > HEAD_POLL_NS ? waited / 4 : HEAD_POLL_NS);
        return;
    }
    c->apart_armed = false;
    conn_schedule(c);
}

bool stream_head_unread(struct http_conn *c)
{
    int queued = 0;

    if (!c->apart_armed)
        return false;
    if (c->is_unix && ioctl(c->fd, SIOCOUTQ, &queued) == 0 && queued == 0) {
        c->apart_armed = false;
        timer_stop(&c->apart);
    }
    return c->apart_armed;
}

/* WebSocket clients read their answer with care; only Docker's own streams need this. */
static void keep_apart(struct http_conn *c, const char *upgrade)
{
    if (c->closed || c->ssl != NULL || (upgrade != NULL && strcasecmp(upgrade, "tcp") != 0))
        return;
    timer_init(c->server->loop, &c->apart, on_apart, c);
    c->apart_armed = true;
    c->apart_until = loop_now(c->server->loop) + HTTP_HEAD_UNREAD_NS;
    timer_start(&c->apart, c->is_unix ? HEAD_POLL_NS : HTTP_HEAD_APART_NS);
}

/* ---- hijack ---- */

size_t stream_sniff(struct http_conn *c, const char *p, size_t n, bool *ret_wait)
{
    static const char last[] = "0\r\n\r\n";
    size_t k = n < 5 ? n : 5;

    (void)c;
    *ret_wait = false;
    if (memcmp(p, last, k) != 0)
        return 0;
    if (k < 5) {
        *ret_wait = true;
        return 0;
    }
    return 5;
}

static void send_head(struct http_req *req, const char *upgrade, const char *ctype)
{
    struct http_conn *c = req->conn;
    struct buf *b = &c->server->head;
    struct iovec iov;

    buf_clear(b);
    buf_puts(b, upgrade != NULL ? "HTTP/1.1 101 UPGRADED\r\n" : "HTTP/1.1 200 OK\r\n");
    buf_puts(b, c->server->default_block);
    if (req->headers.len > 0)
        buf_append(b, req->headers.data, req->headers.len);
    if (ctype != NULL)
        buf_printf(b, "Content-Type: %s\r\n", ctype);
    if (upgrade != NULL)
        buf_printf(b, "Connection: Upgrade\r\nUpgrade: %s\r\n", upgrade);
    else
        buf_puts(b, "Connection: close\r\n");
    buf_puts(b, "\r\n");
    iov = (struct iovec){.iov_base = b->data, .iov_len = b->len};
    out_send(c, &iov, 1);
}

struct http_stream *http_req_hijack(struct http_req *req, const char *upgrade, const char *ctype)
{
    struct http_conn *c = req->conn;

    req->expect = HTTP_EXPECT_NONE;
    send_head(req, upgrade, ctype);
    /* A client that upgrades may have announced a chunked body it never meant to send. */
    if (c->framing == HTTP_FRAME_CHUNKED && upgrade != NULL) {
        http_chunked_free(c->chunked);
        c->chunked = NULL;
        c->framing = HTTP_FRAME_SNIFF;
    } else if (c->framing == HTTP_FRAME_DONE && !req->head.chunked) {
        c->framing = HTTP_FRAME_RAW;
    }
    c->req = NULL;
    req_free(req);
    c->left = false;
    c->sink = HTTP_SINK_STREAM;
    c->starved = false;
    c->stream = (struct http_stream){.conn = c, .open = true};
    keep_apart(c, upgrade);
    if (c->closed)
        conn_schedule(c);
    return &c->stream;
}

void http_stream_set_ops(struct http_stream *st, const struct http_stream_ops *ops, void *arg)
{
    st->ops = *ops;
    st->arg = arg;
}

void stream_events(struct http_conn *c)
{
    struct http_stream *st = &c->stream;

    if (c->closed) {
        if (!st->gone_told) {
            st->gone_told = true;
            if (st->ops.on_gone != NULL)
                st->ops.on_gone(st->arg);
        }
        return;
    }
    if (c->above && c->out.len <= HTTP_WRITE_LOW) {
        c->above = false;
        if (st->ops.on_drain != NULL)
            st->ops.on_drain(st->arg);
        if (!st->open || c->closed)
            return;
    }
    if (c->framing == HTTP_FRAME_DONE && st->reading && !st->eof_told) {
        st->eof_told = true;
        if (st->ops.on_eof != NULL)
            st->ops.on_eof(st->arg);
    }
}

void http_stream_read_start(struct http_stream *st)
{
    st->reading = true;
    conn_schedule(st->conn);
}

void http_stream_read_pause(struct http_stream *st)
{
    st->reading = false;
}

void http_stream_write(struct http_stream *st, const void *p, size_t n)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = n};

    if (n > 0)
        out_write(st->conn, &iov, 1);
}

void http_stream_write2(struct http_stream *st, const void *h, size_t hn, const void *p, size_t n)
{
    struct iovec iov[2] = {{.iov_base = (void *)(uintptr_t)h, .iov_len = hn},
                           {.iov_base = (void *)(uintptr_t)p, .iov_len = n}};

    if (st->conn->ssl != NULL || hn == 0) {
        http_stream_write(st, h, hn);
        http_stream_write(st, p, n);
        return;
    }
    out_write(st->conn, iov, n > 0 ? 2 : 1);
}

size_t http_stream_pending(const struct http_stream *st)
{
    return st->conn->out.len;
}

bool http_stream_writable(const struct http_stream *st)
{
    return st->conn->closed || st->conn->out.len <= HTTP_WRITE_HIGH;
}

void http_stream_shutdown_write(struct http_stream *st)
{
    st->conn->fin_wanted = true;
    conn_schedule(st->conn);
}

void http_stream_close(struct http_stream *st)
{
    struct http_conn *c = st->conn;

    st->open = false;
    if (c->closed) {
        conn_release(c);
        return;
    }
    c->sink = HTTP_SINK_DISCARD;
    c->framing = HTTP_FRAME_RAW;
    c->discard_left = SIZE_MAX;
    conn_close_after_flush(c, true);
}

void http_stream_abort(struct http_stream *st)
{
    struct http_conn *c = st->conn;

    st->open = false;
    c->sink = HTTP_SINK_DISCARD;
    c->framing = HTTP_FRAME_RAW;
    conn_close(c);
    conn_release(c);
}

bool http_stream_gone(const struct http_stream *st)
{
    return st->conn->closed;
}

struct loop *http_stream_loop(const struct http_stream *st)
{
    return st->conn->server->loop;
}
