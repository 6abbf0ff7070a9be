/*
 * http/input.c - from bytes to heads, bodies and stream input.
 *
 * Input is used where it lies: in the server's read buffer, or in `held` when an earlier read left something. A step
 * uses some bytes for the current sink; the loop ends when the sink wants nothing, is starved (a head or a chunk
 * that is not complete), or the socket is empty.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <string.h>
#include "http/http-internal.h"

static bool wanted(const struct http_conn *c)
{
    if (c->closed)
        return false;
    switch (c->sink) {
    case HTTP_SINK_HEAD:
        return !c->closing;
    case HTTP_SINK_READER:
        return c->req != NULL && !c->req->paused && c->framing != HTTP_FRAME_DONE;
    case HTTP_SINK_DISCARD:
        return c->framing != HTTP_FRAME_DONE;
    case HTTP_SINK_STREAM:
        return c->stream.reading && c->framing != HTTP_FRAME_DONE;
    default:
        return false;
    }
}

/* ---- heads ---- */

static void begin_framing(struct http_conn *c, const struct http_head *h)
{
    c->framing = HTTP_FRAME_DONE;
    if (h->chunked) {
        c->framing = HTTP_FRAME_CHUNKED;
        c->chunked = http_chunked_new();
    } else if (h->content_length > 0) {
        c->framing = HTTP_FRAME_LENGTH;
        c->body_left = h->content_length;
    }
}

static size_t take_head(struct http_conn *c, char *p, size_t n)
{
    struct http_guard g;
    ssize_t end;

    /* Empty lines before a request are tolerated (RFC 9112, 2.2). */
    if (c->head_scan == 0 && n >= 2 && p[0] == '\r' && p[1] == '\n')
        return 2;
    end = http_guard_find_end(p, n, &c->head_scan);
    if (end == 0 && n < HTTP_HEAD_MAX) {
        c->starved = true;
        if (c->wait == HTTP_WAIT_IDLE && n > 0)
            conn_wait(c, HTTP_WAIT_HEAD);
        return 0;
    }
    c->head_scan = 0;
    conn_wait(c, HTTP_WAIT_NONE);
    if (end == 0 || end > (ssize_t)HTTP_HEAD_MAX) {
        req_refuse(c, 431, "the request's head is longer than 65536 bytes");
        return n;
    }
    if (end < 0) {
        req_refuse(c, 400, "a line of the request's head does not end in CRLF");
        return n;
    }
    if (http_guard_check(&g, p, (size_t)end) < 0) {
        req_refuse(c, g.status, g.why);
        return n;
    }
    c->req = req_new(c, p, (size_t)end, &g);
    if (c->req == NULL)
        return n; /* refused already */
    begin_framing(c, &c->req->head);
    c->sink = HTTP_SINK_NONE;
    return (size_t)end;
}

/* Called after the head's bytes were consumed: the handler may end the exchange at once. */
static void call_handler(struct http_conn *c)
{
    struct http_req *req = c->req;

    if (req->expect == HTTP_EXPECT_OTHER)
        req_refuse(c, 417, "unknown expectation");
    else
        c->server->opts.on_request(req, c->server->opts.arg);
}

/* ---- bodies ---- */

static void body_done(struct http_conn *c)
{
    http_chunked_free(c->chunked);
    c->chunked = NULL;
    c->framing = HTTP_FRAME_DONE;
}

static void give(struct http_conn *c, const char *p, size_t n)
{
    if (n == 0)
        return;
    switch (c->sink) {
    case HTTP_SINK_READER:
        body_deliver(c, p, n);
        break;
    case HTTP_SINK_DISCARD:
        if (c->fin_sent)
            break; /* lingering: bounded by time */
        if (n > c->discard_left) {
            conn_close_after_flush(c, true);
            c->framing = HTTP_FRAME_RAW;
        } else {
            c->discard_left -= n;
        }
        break;
    case HTTP_SINK_STREAM:
        if (!c->stream.ops.on_data(c->stream.arg, p, n))
            c->stream.reading = false;
        break;
    default:
        break;
    }
}

static size_t take_chunked(struct http_conn *c, char *p, size_t n)
{
    size_t used = 0, len = 0;
    bool end = false;

    if (http_chunked_feed(c->chunked, p, n, &used, &len, &end) < 0) {
        c->broken = true;
        if (c->req != NULL)
            body_set_error(c->req, SKL_ERR_INVALID, "malformed chunked body");
        body_done(c);
        return n;
    }
    /* Framing first: what is told below may end the exchange. */
    if (end)
        body_done(c);
    give(c, p, len);
    return used;
}

static size_t take_length(struct http_conn *c, const char *p, size_t n)
{
    size_t k = (int64_t)n < c->body_left ? n : (size_t)c->body_left;

    c->body_left -= (int64_t)k;
    if (c->body_left == 0)
        body_done(c);
    give(c, p, k);
    return k;
}

static size_t take_sniff(struct http_conn *c, const char *p, size_t n)
{
    bool wait = false;
    size_t skip = stream_sniff(c, p, n, &wait);

    c->starved = wait;
    if (!wait)
        c->framing = HTTP_FRAME_RAW;
    return skip;
}

static size_t step(struct http_conn *c, char *p, size_t n)
{
    if (c->sink == HTTP_SINK_HEAD)
        return take_head(c, p, n);
    switch (c->framing) {
    case HTTP_FRAME_CHUNKED:
        return take_chunked(c, p, n);
    case HTTP_FRAME_LENGTH:
        return take_length(c, p, n);
    case HTTP_FRAME_SNIFF:
        return take_sniff(c, p, n);
    case HTTP_FRAME_RAW:
        give(c, p, n);
        return n;
    default:
        return 0;
    }
}

/* What follows once a step's bytes are consumed. */
static void after_step(struct http_conn *c, bool was_head)
{
    if (was_head && c->req != NULL && c->sink == HTTP_SINK_NONE)
        call_handler(c);
    if (c->framing != HTTP_FRAME_DONE)
        return;
    if (c->sink == HTTP_SINK_READER)
        body_end(c);
    else if (c->sink == HTTP_SINK_DISCARD && !c->closing && c->req == NULL)
        exchange_end(c, !c->broken);
}

/* ---- the pump ---- */

static void use_held(struct http_conn *c)
{
    while (c->held.len > 0 && wanted(c) && !c->starved) {
        bool was_head = c->sink == HTTP_SINK_HEAD;
        size_t used = step(c, queue_front(&c->held), c->held.len);
        if (c->closed)
            return;
        queue_consume(&c->held, used);
        after_step(c, was_head && used > 2);
    }
}

/* Bytes of the shared read buffer: nobody else may read into it while they are used, so what a callback leaves is
 * moved to `held` before anything else runs. */
static void use_fresh(struct http_conn *c, char *p, size_t n)
{
    while (n > 0 && !c->closed) {
        bool was_head = c->sink == HTTP_SINK_HEAD;
        size_t used;
        if (!wanted(c) || c->starved) {
            queue_append(&c->held, p, n);
            return;
        }
        used = step(c, p, n);
        p += used;
        n -= used;
        if (was_head && c->req != NULL && n > 0) {
            queue_append(&c->held, p, n);
            n = 0;
        }
        after_step(c, was_head && used > 2);
        if (c->held.len > 0)
            return;
    }
}

static void end_of_input(struct http_conn *c)
{
    c->eof = true;
    c->readable = false;
    if (c->sink == HTTP_SINK_HEAD || c->sink == HTTP_SINK_DISCARD) {
        if (c->req == NULL)
            conn_close_after_flush(c, false);
    } else if (c->sink == HTTP_SINK_READER && c->framing != HTTP_FRAME_DONE) {
        c->broken = true;
        body_set_error(c->req, SKL_ERR_CANCELED, "the request's body ended early");
        body_done(c);
        body_end(c);
    } else if (c->sink == HTTP_SINK_STREAM) {
        c->framing = HTTP_FRAME_DONE;
    }
}

static bool read_once(struct http_conn *c)
{
    char *p = c->server->input;
    ssize_t n;

    if (c->held.len > 0) {
        /* an incomplete head or the like: read behind it */
        p = queue_reserve(&c->held, 4096);
        n = sock_read(c, p, 4096);
        if (n > 0) {
            queue_commit(&c->held, (size_t)n);
            c->starved = false;
            use_held(c);
            return true;
        }
    } else {
        n = sock_read(c, p, HTTP_INPUT_SIZE);
        c->starved = false;
        if (n > 0) {
            use_fresh(c, p, (size_t)n);
            /* A short read on a stream socket: it is empty. Saves the EAGAIN. (An end that came along with these bytes has
             * had its edge already.) */
            if ((size_t)n < HTTP_INPUT_SIZE && c->ssl == NULL && !c->fin_seen)
                c->readable = false;
            return true;
        }
    }
    if (n == 0) {
        end_of_input(c);
        return false;
    }
    c->readable = false;
    if (n != -EAGAIN)
        conn_close(c);
    return false;
}

void input_pump(struct http_conn *c)
{
    for (int reads = 0; !c->closed; reads++) {
        use_held(c);
        /* a body that had been read completely before anybody asked for it */
        if (!c->closed && c->sink == HTTP_SINK_READER && c->req != NULL &&
            (c->framing == HTTP_FRAME_DONE || body_gave_up(c->req)))
            body_end(c);
        if (c->closed || !wanted(c) || c->eof)
            return;
        if (c->held.len > 0 && !c->starved)
            continue;
        if (!c->readable)
            return;
        if (reads >= HTTP_TURN_READS) {
            loop_soon(c->server->loop, &c->work); /* others get their turn */
            return;
        }
        if (!read_once(c))
            return;
    }
}
