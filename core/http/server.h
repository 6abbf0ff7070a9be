/*
 * http/server.h - HTTP/1.1 server: listeners, connections, exchanges.
 *
 * Used by the daemon (Docker API; agents' endpoint), by the simulator and by the agent on $PORT.
 * The parser is llhttp with a strict guard in front (DESIGN.md 5). Connections are bufferevents.
 *
 * Life of an exchange (struct http_req):
 *   1. The head arrived complete and valid: `on_request(req)` is called on the loop.
 *   2. The handler owns req until it ends it, with exactly one of http_res_send(), http_res_end(),
 *      http_res_abort() or http_req_hijack(). It may do so at once or any time later. A client that goes
 *      away does not free req: writes become no-ops, http_req_gone() turns true and the on_gone callback
 *      (if set) runs once; the handler still has to end it.
 *   3. The body is read only when the handler asks for it (http_req_read_*). An Expect: 100-continue
 *      is answered at that moment, so a handler that refuses first costs the client no upload.
 *   4. A body nobody read is drained up to HTTP_DRAIN_MAX after the response, else the connection closes.
 *
 * Back-pressure: reading from the socket stops while a body consumer is not ready, and a writer looks at
 * http_res_pending() / on_drain. No queue is unbounded.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_HTTP_SERVER_H
#define SKL_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/error.h"
#include "loop/loop.h"

#define HTTP_HEAD_MAX (64u * 1024)        /* request line + headers; beyond: 431 */
#define HTTP_DRAIN_MAX (256u * 1024)      /* unread body bytes swallowed to keep a connection */
#define HTTP_WRITE_HIGH (256u * 1024)     /* http_res_writable() is false above this */
#define HTTP_WRITE_LOW (64u * 1024)       /* on_drain fires when pending falls below this */
#define HTTP_IDLE_TIMEOUT_NS (INT64_C(180) * 1000000000) /* between requests on a keep-alive connection */
#define HTTP_HEAD_TIMEOUT_NS (INT64_C(60) * 1000000000)  /* from the first byte of a head to its end */

struct http_server;
struct http_req;
struct http_stream;

struct http_server_opts {
    void (*on_request)(struct http_req *req, void *arg);
    void *arg;
    /* Writes the body of an error the server itself makes (400, 408, 413, 431, ...). NULL: Docker's
     * {"message":...} as application/json. */
    void (*format_error)(struct buf *out, int status, const char *message, void *arg);
    const char *const *default_headers; /* NULL-terminated "Name: value" added to every response */
    unsigned max_connections;           /* 0: 65536; beyond it accepting pauses */
};

struct http_server *http_server_new(struct loop *loop, const struct http_server_opts *opts);
/* Stops accepting and closes idle connections; exchanges in flight go on. */
void http_server_stop_accepting(struct http_server *s);
size_t http_server_connections(const struct http_server *s);
void http_server_free(struct http_server *s);       /* closes everything */

/* ---- listeners ---- */
struct ssl_ctx_st;
/* Takes fd (already listening). tls may be NULL; a reference of its own is kept. */
int http_server_add_fd(struct http_server *s, int fd, struct ssl_ctx_st *tls, struct skl_error *err);
/* "127.0.0.1", port 0 picks a free one; ret_port may be NULL. */
int http_server_add_tcp(struct http_server *s, const char *addr, uint16_t port, struct ssl_ctx_st *tls,
                        uint16_t *ret_port, struct skl_error *err);
/* Unlinks a stale socket (one nobody answers on), binds, sets mode and group (gid -1: leave). The file
 * is unlinked again in http_server_free. A path somebody answers on is an error. */
int http_server_add_unix(struct http_server *s, const char *path, unsigned mode, int64_t gid,
                         struct skl_error *err);

/* ---- the request ---- */
const char *http_req_method(const struct http_req *req);
const char *http_req_target(const struct http_req *req);   /* raw request target: "/a%2Fb?x=1" */
const char *http_req_path(const struct http_req *req);     /* raw path without the query */
const char *http_req_query_raw(const struct http_req *req);/* "" when absent */
/* Decoded value of a query parameter or NULL; the first of several. A parameter without '=' is "". */
const char *http_req_query(struct http_req *req, const char *name);
/* The n-th (from 0) of several values of one name, or NULL. */
const char *http_req_query_nth(struct http_req *req, const char *name, size_t n);
const char *http_req_header(const struct http_req *req, const char *name); /* any case; first; or NULL */
/* The i-th header field (from 0); false beyond the last. */
bool http_req_header_at(const struct http_req *req, size_t i, const char **ret_name, const char **ret_value);
bool http_req_wants_upgrade(const struct http_req *req);   /* has an Upgrade header of any value */
bool http_req_has_body(const struct http_req *req);        /* chunked or Content-Length > 0 */
int64_t http_req_content_length(const struct http_req *req); /* -1: chunked or none given */
struct loop *http_req_loop(const struct http_req *req);
struct http_server *http_req_server(const struct http_req *req);
/* The response says `Connection: close`, and it is so: the connection ends with it. Before the head. */
void http_res_close(struct http_req *req);
bool http_req_is_http10(const struct http_req *req);
/* A pointer for the handler's own use, and one for a router layer below it. */
void http_req_set_user(struct http_req *req, void *user);
void *http_req_user(const struct http_req *req);
/* The peer, for logs: "unix" or "127.0.0.1:4711". */
const char *http_req_peer(const struct http_req *req);

/* on_gone runs at most once, on the loop, when the client's connection is dead (reset, or closed
 * both ways) before the exchange ended. A half-close by the client is not "gone". NULL unsets. */
void http_req_on_gone(struct http_req *req, void (*fn)(void *arg), void *arg);
bool http_req_gone(const struct http_req *req);

/* ---- the request body ---- */
/* Whole body into memory, at most max bytes. done(arg, data, len, err): err NULL on success; data is
 * NUL-terminated and borrowed until it returns. Too long: SKL_ERR_TOO_LARGE. Client gone or broken framing:
 * SKL_ERR_CANCELED / SKL_ERR_INVALID. Called later, never from inside this call. */
void http_req_read_all(struct http_req *req, size_t max,
                       void (*done)(void *arg, const char *data, size_t len, const struct skl_error *err),
                       void *arg);
/* Streaming. on_data returns true to go on, false to pause: the bytes given ARE taken in either case;
 * http_req_read_resume() continues. on_end(arg, NULL) after the last byte, or with an error; once. */
struct http_body_reader {
    bool (*on_data)(void *arg, const char *p, size_t n);
    void (*on_end)(void *arg, const struct skl_error *err);
};
void http_req_read_stream(struct http_req *req, const struct http_body_reader *reader, void *arg);
void http_req_read_resume(struct http_req *req);
/* Stops delivering; what is left is treated as a body nobody read. */
void http_req_read_stop(struct http_req *req);

/* ---- the response ---- */
void http_res_header(struct http_req *req, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));          /* before the head is written */
/* Whole response; ends the exchange. ctype NULL: no Content-Type. For HEAD the body's length is
 * announced and the body left out; 204 and 304 never carry one. */
void http_res_send(struct http_req *req, int status, const char *ctype, const void *body, size_t len);

enum http_res_mode {
    HTTP_RES_CHUNKED,   /* HTTP/1.0 clients get close-delimited instead */
    HTTP_RES_LENGTH,    /* with http_res_begin's length */
    HTTP_RES_CLOSE      /* ends at the connection's close */
};
/* Writes the head at once (it is on the wire before any body byte). */
void http_res_begin(struct http_req *req, int status, const char *ctype, enum http_res_mode mode, int64_t length);
bool http_res_started(const struct http_req *req);
void http_res_write(struct http_req *req, const void *p, size_t n);   /* copies */
void http_res_printf(struct http_req *req, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t http_res_pending(const struct http_req *req);                  /* bytes not yet with the kernel */
bool http_res_writable(const struct http_req *req);                   /* pending <= HTTP_WRITE_HIGH; true when gone */
void http_res_on_drain(struct http_req *req, void (*fn)(void *arg), void *arg); /* fires each time pending falls to LOW */
void http_res_end(struct http_req *req);            /* ends the exchange; for LENGTH all bytes must be written */
void http_res_abort(struct http_req *req);          /* cuts the connection: an error after the head of a CHUNKED/LENGTH response */

/* ---- hijack ---- */
/* Ends the HTTP exchange and gives the raw connection. The head is written as its own segment first:
 *   upgrade != NULL: 101 UPGRADED, "Connection: Upgrade", "Upgrade: <upgrade>", Content-Type if ctype
 *   upgrade == NULL: 200 OK, Content-Type, no length, no chunking
 * plus headers set with http_res_header(). Bytes that came behind the request's own body are the first the
 * stream delivers. The request's body must have been read when it has a Content-Length; a chunked request body
 * (node clients) becomes the stream's input, decoded, and needs no end before the answer. */
struct http_stream *http_req_hijack(struct http_req *req, const char *upgrade, const char *ctype);

struct http_stream_ops {
    /* Bytes from the client. Return false to pause; the bytes are taken either way. */
    bool (*on_data)(void *arg, const char *p, size_t n);
    void (*on_eof)(void *arg);                      /* client half-closed; output may go on */
    void (*on_drain)(void *arg);                    /* pending fell below HTTP_WRITE_LOW */
    void (*on_gone)(void *arg);                     /* connection dead; the stream must still be freed */
};
void http_stream_set_ops(struct http_stream *st, const struct http_stream_ops *ops, void *arg);
void http_stream_read_start(struct http_stream *st);/* nothing is delivered before the first call; also resumes */
void http_stream_read_pause(struct http_stream *st);
void http_stream_write(struct http_stream *st, const void *p, size_t n); /* copies; dropped when gone */
/* Header and payload leave together, in one system call where possible: one Docker frame. */
void http_stream_write2(struct http_stream *st, const void *h, size_t hn, const void *p, size_t n);
size_t http_stream_pending(const struct http_stream *st);
bool http_stream_writable(const struct http_stream *st);
void http_stream_shutdown_write(struct http_stream *st); /* FIN after what is pending */
/* Writes what is pending, sends FIN, drains the client's rest for a bounded time, closes, frees. */
void http_stream_close(struct http_stream *st);
void http_stream_abort(struct http_stream *st);     /* drops everything, closes, frees */
bool http_stream_gone(const struct http_stream *st);
struct loop *http_stream_loop(const struct http_stream *st);

#endif
