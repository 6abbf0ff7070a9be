/*
 * http/response.c - responses, and the end of exchanges.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "http/http-internal.h"

#define ERROR_BODY_MAX 4096

static const char *reason(int status)
{
    switch (status) {
    case 101: return "UPGRADED";
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Request Entity Too Large";
    case 417: return "Expectation Failed";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
    }
}

static bool bodyless(int status)
{
    return status < 200 || status == 204 || status == 304;
}

static bool client_says_close(const struct http_req *req)
{
    return !req->head.keep_alive;
}

/* Whether the connection can take another request after this response. */
static bool can_keep(struct http_req *req)
{
    struct http_conn *c = req->conn;

    if (client_says_close(req) || req->res_close || c->broken || c->eof || c->server->stopping)
        return false;
    /* A client that waits for 100 may send its body or not: nobody can tell. */
    if (req->expect == HTTP_EXPECT_CONTINUE && http_req_has_body(req))
        return false;
    if (c->framing == HTTP_FRAME_LENGTH && c->body_left > (int64_t)HTTP_DRAIN_MAX)
        return false;
    return true;
}

void http_res_header(struct http_req *req, const char *name, const char *fmt, ...)
{
    va_list ap;

    buf_puts(&req->headers, name);
    buf_puts(&req->headers, ": ");
    va_start(ap, fmt);
    buf_vprintf(&req->headers, fmt, ap);
    va_end(ap);
    buf_puts(&req->headers, "\r\n");
}

void http_res_close(struct http_req *req)
{
    req->res_close = true;
}

static void put_number(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n > 0)
        buf_putc(b, digits[--n]);
}

/* The head up to, not including, the empty line. The buffer is the server's: used before anybody else runs. */
static struct buf *head_begin(struct http_req *req, int status, const char *ctype)
{
    struct http_server *s = req->conn->server;
    struct buf *b = &s->head;

    buf_clear(b);
    buf_puts(b, "HTTP/1.1 ");
    put_number(b, (uint64_t)status);
    buf_putc(b, ' ');
    buf_puts(b, reason(status));
    buf_puts(b, "\r\n");
    buf_puts(b, s->default_block);
    if (req->headers.len > 0)
        buf_append(b, req->headers.data, req->headers.len);
    if (ctype != NULL) {
        buf_puts(b, "Content-Type: ");
        buf_puts(b, ctype);
        buf_puts(b, "\r\n");
    }
    if (status >= 200)
        buf_puts(b, server_date(s));
    return b;
}

static void head_connection(struct http_req *req, struct buf *b)
{
    if (!req->res_keep)
        buf_puts(b, "Connection: close\r\n");
    else if (req->http10)
        buf_puts(b, "Connection: keep-alive\r\n");
}

static void head_length(struct buf *b, uint64_t n)
{
    buf_puts(b, "Content-Length: ");
    put_number(b, n);
    buf_puts(b, "\r\n");
}

void http_res_send(struct http_req *req, int status, const char *ctype, const void *body, size_t len)
{
    struct http_conn *c = req->conn;
    struct buf *b;
    struct iovec iov[2];

    req->res_keep = can_keep(req);
    req->res_started = true;
    b = head_begin(req, status, ctype);
    if (!bodyless(status))
        head_length(b, len);
    head_connection(req, b);
    buf_puts(b, "\r\n");
    if (bodyless(status) || strcmp(req->head.method, "HEAD") == 0)
        len = 0;
    iov[0] = (struct iovec){.iov_base = b->data, .iov_len = b->len};
    iov[1] = (struct iovec){.iov_base = (void *)(uintptr_t)body, .iov_len = len};
    if (c->ssl != NULL && len > 0 && len <= HTTP_COPY_MAX) {
        buf_append(b, body, len); /* one TLS record */
        iov[0] = (struct iovec){.iov_base = b->data, .iov_len = b->len};
        out_send(c, iov, 1);
    } else {
        out_send(c, iov, len > 0 ? 2 : 1);
    }
    exchange_end(c, req->res_keep);
}

void http_res_begin(struct http_req *req, int status, const char *ctype, enum http_res_mode mode, int64_t length)
{
    struct http_conn *c = req->conn;
    struct buf *b;
    struct iovec iov;

    if (mode == HTTP_RES_CHUNKED && req->http10)
        mode = HTTP_RES_CLOSE;
    req->res_keep = can_keep(req) && mode != HTTP_RES_CLOSE;
    req->res_mode = mode;
    req->res_left = length;
    req->res_no_body = bodyless(status) || strcmp(req->head.method, "HEAD") == 0;
    req->res_started = true;
    b = head_begin(req, status, ctype);
    if (mode == HTTP_RES_CHUNKED && !bodyless(status))
        buf_puts(b, "Transfer-Encoding: chunked\r\n");
    else if (mode == HTTP_RES_LENGTH)
        head_length(b, (uint64_t)length);
    head_connection(req, b);
    buf_puts(b, "\r\n");
    iov = (struct iovec){.iov_base = b->data, .iov_len = b->len};
    out_send(c, &iov, 1);
}

bool http_res_started(const struct http_req *req)
{
    return req->res_started;
}

void http_res_write(struct http_req *req, const void *p, size_t n)
{
    char size[24];
    struct iovec iov[3] = {{.iov_base = size}, {.iov_base = (void *)(uintptr_t)p, .iov_len = n},
                           {.iov_base = (void *)(uintptr_t)"\r\n", .iov_len = 2}};

    if (n == 0 || req->res_no_body)
        return;
    if (req->res_mode == HTTP_RES_CHUNKED) {
        iov[0].iov_len = (size_t)snprintf(size, sizeof(size), "%zx\r\n", n);
        out_write(req->conn, iov, 3);
        return;
    }
    if (req->res_mode == HTTP_RES_LENGTH) {
        if ((int64_t)n > req->res_left)
            iov[1].iov_len = (size_t)req->res_left;
        req->res_left -= (int64_t)iov[1].iov_len;
    }
    out_write(req->conn, iov + 1, 1);
}

void http_res_printf(struct http_req *req, const char *fmt, ...)
{
    va_list ap;
    char *text;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    http_res_write(req, text, strlen(text));
    free(text);
}

size_t http_res_pending(const struct http_req *req)
{
    return req->conn->out.len;
}

bool http_res_writable(const struct http_req *req)
{
    return req->conn->closed || req->conn->out.len <= HTTP_WRITE_HIGH;
}

void http_res_on_drain(struct http_req *req, void (*fn)(void *arg), void *arg)
{
    req->on_drain = fn;
    req->on_drain_arg = arg;
}

void http_res_end(struct http_req *req)
{
    struct http_conn *c = req->conn;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)"0\r\n\r\n", .iov_len = 5};

    if (req->res_mode == HTTP_RES_LENGTH && req->res_left > 0 && !req->res_no_body) {
        http_res_abort(req); /* promised more than was written: the client must notice */
        return;
    }
    if (req->res_mode == HTTP_RES_CHUNKED && !req->res_no_body)
        out_write(c, &iov, 1);
    exchange_end(c, req->res_keep);
}

void http_res_abort(struct http_req *req)
{
    struct http_conn *c = req->conn;

    c->req = NULL;
    req_free(req);
    c->sink = HTTP_SINK_DISCARD;
    c->framing = HTTP_FRAME_RAW;
    conn_close(c);
    conn_release(c);
}

void exchange_end(struct http_conn *c, bool keep)
{
    bool complete;

    if (c->req != NULL)
        req_free(c->req);
    c->req = NULL;
    c->left = false;
    complete = c->framing == HTTP_FRAME_DONE;
    if (c->closed) {
        conn_release(c);
        return;
    }
    if (!keep || c->broken) {
        c->sink = HTTP_SINK_DISCARD;
        c->discard_left = HTTP_DRAIN_MAX;
        conn_close_after_flush(c, !complete || c->held.len > 0 || c->readable);
        return;
    }
    if (!complete) {
        c->sink = HTTP_SINK_DISCARD;
        c->discard_left = HTTP_DRAIN_MAX;
    } else {
        c->sink = HTTP_SINK_HEAD;
        c->starved = false;
        conn_wait(c, HTTP_WAIT_IDLE);
    }
    conn_schedule(c);
}

/* ---- errors the server itself makes ---- */

static void docker_error(struct buf *out, int status, const char *message, void *arg)
{
    (void)status;
    (void)arg;
    buf_puts(out, "{\"message\":");
    buf_json_string(out, message, strlen(message));
    buf_puts(out, "}\n");
}

void req_refuse(struct http_conn *c, int status, const char *why)
{
    struct http_server *s = c->server;
    struct http_req *req = c->req;
    struct buf body;

    if (req == NULL) {
        /* no request came to be: a stand-in carries the answer */
        req = xcalloc(1, sizeof(*req));
        req->conn = c;
        buf_init(&req->headers, HTTP_HEAD_MAX);
        req->head.method = (char *)(uintptr_t)"GET";
        req->head.target = req->path = (char *)(uintptr_t)"/";
        c->req = req;
    }
    c->broken = true;
    buf_init(&body, ERROR_BODY_MAX);
    (s->opts.format_error != NULL ? s->opts.format_error : docker_error)(&body, status, why, s->opts.arg);
    http_res_send(req, status, "application/json", body.data, body.len);
    buf_fini(&body);
}
