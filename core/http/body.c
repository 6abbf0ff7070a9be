/*
 * http/body.c - reading request bodies.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include "base/error.h"
#include "http/http-internal.h"

struct read_all {
    struct buf buf;
    bool too_long;
    void (*done)(void *arg, const char *data, size_t len, const struct skl_error *err);
    void *arg;
};

void read_all_free(struct read_all *all)
{
    if (all == NULL)
        return;
    buf_fini(&all->buf);
    free(all);
}

void body_set_error(struct http_req *req, int kind, const char *message)
{
    if (req->body_error != NULL)
        return;
    req->body_error = xcalloc(1, sizeof(*req->body_error));
    error_set(req->body_error, kind, "%s", message);
}

void body_continue(struct http_req *req)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = sizeof(text) - 1};

    if (req->expect != HTTP_EXPECT_CONTINUE)
        return;
    req->expect = HTTP_EXPECT_NONE;
    if (!req->http10 && http_req_has_body(req) && !req->res_started)
        out_send(req->conn, &iov, 1);
}

void http_req_read_stream(struct http_req *req, const struct http_body_reader *reader, void *arg)
{
    struct http_conn *c = req->conn;

    req->reader = reader;
    req->reader_arg = arg;
    req->paused = false;
    c->sink = HTTP_SINK_READER;
    body_continue(req);
    if (c->closed && c->framing != HTTP_FRAME_DONE) {
        body_set_error(req, SKL_ERR_CANCELED, "the client went away");
        req->gone_told = false; /* the turn ends the body, then tells */
    }
    conn_schedule(c);
}

void http_req_read_resume(struct http_req *req)
{
    req->paused = false;
    conn_schedule(req->conn);
}

void http_req_read_stop(struct http_req *req)
{
    req->reader = NULL;
    if (req->conn->sink == HTTP_SINK_READER)
        req->conn->sink = HTTP_SINK_NONE;
}

void body_deliver(struct http_conn *c, const char *p, size_t n)
{
    struct http_req *req = c->req;

    if (req->reader != NULL && !req->reader->on_data(req->reader_arg, p, n) && c->req == req)
        req->paused = true;
}

void body_end(struct http_conn *c)
{
    struct http_req *req = c->req;
    const struct http_body_reader *reader = req->reader;

    req->reader = NULL;
    c->sink = HTTP_SINK_NONE;
    if (reader != NULL)
        reader->on_end(req->reader_arg, req->body_error);
}

/* ---- the whole of it ---- */

static bool all_on_data(void *arg, const char *p, size_t n)
{
    struct http_req *req = arg;
    struct read_all *all = req->all;

    if (!all->too_long && buf_append(&all->buf, p, n) < 0) {
        all->too_long = true;
        body_set_error(req, SKL_ERR_TOO_LARGE, "the request's body is too large");
        /* No use in reading on: the answer is known. */
        req->conn->again = true;
        return false;
    }
    return true;
}

static void all_on_end(void *arg, const struct skl_error *err)
{
    struct http_req *req = arg;
    struct read_all *all = STEAL(req->all);
    struct skl_error copy = {0};

    error_copy(&copy, err);
    all->done(all->arg, buf_str(&all->buf), all->buf.len, err != NULL ? &copy : NULL);
    read_all_free(all);
}

static const struct http_body_reader all_reader = {.on_data = all_on_data, .on_end = all_on_end};

void http_req_read_all(struct http_req *req, size_t max,
                       void (*done)(void *arg, const char *data, size_t len, const struct skl_error *err), void *arg)
{
    struct read_all *all = xcalloc(1, sizeof(*all));

    buf_init(&all->buf, max);
    all->done = done;
    all->arg = arg;
    req->all = all;
    if (req->head.content_length > 0 && (uint64_t)req->head.content_length > max) {
        /* known before a byte of it came: no 100-continue either */
        all->too_long = true;
        body_set_error(req, SKL_ERR_TOO_LARGE, "the request's body is too large");
        req->reader = &all_reader;
        req->reader_arg = req;
        req->paused = true;
        req->conn->sink = HTTP_SINK_READER;
        conn_schedule(req->conn);
        return;
    }
    http_req_read_stream(req, &all_reader, req);
}

/* A read_all that gave up ends without the rest of the body. */
bool body_gave_up(const struct http_req *req)
{
    return req->all != NULL && req->all->too_long;
}
