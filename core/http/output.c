/*
 * http/output.c - the output queue of a connection.
 *
 * Big pieces and whole responses go to the socket at once when nothing waits before them; small pieces are collected
 * for the end of the turn. What the socket does not take is queued; the queue is bounded by what handlers write while
 * they ignore http_res_writable(), and they don't.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include "http/http-internal.h"

#define FLUSH_PIECES 8 /* blocks in one system call */

static size_t iov_total(const struct iovec *iov, int n)
{
    size_t total = 0;

    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    return total;
}

static void queue_rest(struct http_conn *c, const struct iovec *iov, int n, size_t skip)
{
    for (int i = 0; i < n; i++) {
        size_t len = iov[i].iov_len;
        if (skip >= len) {
            skip -= len;
            continue;
        }
        blocks_append(&c->out, (const char *)iov[i].iov_base + skip, len - skip);
        skip = 0;
    }
    if (c->out.len > HTTP_WRITE_LOW)
        c->above = true;
}

static void block(struct http_conn *c)
{
    if (c->blocked)
        return;
    c->blocked = true;
    event_add(&c->ev_out, NULL);
}

void out_send(struct http_conn *c, struct iovec *iov, int n)
{
    ssize_t sent = 0;

    if (c->closed || c->fin_sent)
        return;
    if (c->out.len == 0 && !c->blocked && !stream_head_unread(c)) {
        sent = sock_writev(c, iov, n);
        if (sent == -EAGAIN) {
            block(c);
            sent = 0;
        } else if (sent < 0) {
            conn_close(c);
            return;
        }
    }
    if ((size_t)sent < iov_total(iov, n)) {
        queue_rest(c, iov, n, (size_t)sent);
        conn_schedule(c);
    }
}

void out_write(struct http_conn *c, struct iovec *iov, int n)
{
    size_t total = iov_total(iov, n);

    if (total >= HTTP_DIRECT_MIN || c->out.len + total >= HTTP_FLUSH_SIZE) {
        if (c->out.len > 0 && c->out.len < HTTP_FLUSH_SIZE)
            out_flush(c);
        out_send(c, iov, n);
        return;
    }
    if (c->closed || c->fin_sent)
        return;
    queue_rest(c, iov, n, 0);
    conn_schedule(c);
}

void out_flush(struct http_conn *c)
{
    while (!c->closed && c->out.len > 0 && !c->blocked && !stream_head_unread(c)) {
        struct iovec iov[FLUSH_PIECES];
        ssize_t sent = sock_writev(c, iov, blocks_peek(&c->out, iov, FLUSH_PIECES));
        if (sent == -EAGAIN) {
            block(c);
            return;
        }
        if (sent < 0) {
            conn_close(c);
            return;
        }
        blocks_consume(&c->out, (size_t)sent);
    }
}
