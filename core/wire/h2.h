/*
 * wire/h2.h - HTTP/2 sessions over nghttp2, without I/O: bytes go in, bytes come out.
 *
 * Both ends of the agent link share this: the daemon is the client, the agent the server. (wire/link.h adds the
 * WebSocket framing and the pings; use that for the link itself.)
 *
 * In:   h2_feed(s, p, n). All bytes are taken; memory stays bounded since a peer can't send more than the windows
 *       allow, and windows open only by h2_stream_consume().
 * Out:  h2_output(s, p, n) fills a buffer of the caller's with what there is to send. A caller whose transport
 *       is full simply does not call it: bodies are pulled only then. on_wake says when to call it again.
 *
 * Bodies out are PULLED: the source lends a pointer to bytes of its own and these are copied once, into the output
 * buffer. A source with nothing at hand returns H2_BODY_WAIT and calls h2_stream_resume() later.
 * Bodies in are PUSHED with credit: on_data gives each byte once, inside h2_feed; the peer may send `stream_window`
 * bytes beyond what was consumed. The connection's window opens by itself, so a stream nobody consumes
 * blocks no other one. An application that consumes only after the bytes are safe makes the window updates an
 * acknowledgement, and the sender sees them as on_credit.
 *
 * Callbacks run inside h2_feed, h2_output and h2_close only - never inside h2_request, h2_respond, ... They may call
 * everything here but h2_feed, h2_output, h2_close and h2_free. Each stream ends with exactly one
 * on_close; its handle is invalid after that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_WIRE_H2_H
#define SKL_WIRE_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/error.h"

struct h2;
struct h2_stream;

#define H2_STREAM_WINDOW_DEFAULT (1024u * 1024)
#define H2_FRAME_MAX_DEFAULT (256u * 1024)        /* SETTINGS_MAX_FRAME_SIZE we announce */
#define H2_STREAMS_MAX_DEFAULT 4096u              /* concurrent requests a server takes */
#define H2_OUTPUT_MIN (4u * 1024)                 /* least buffer for h2_output */
#define H2_HEADERS_MAX 64u                        /* header fields of one message */
#define H2_HEADERS_BYTES_MAX (16u * 1024)         /* names and values of one message */

/* ---- messages ---- */

struct h2_header {
    const char *name;  /* lower case */
    const char *value;
};

/* Borrowed until the callback returns. */
struct h2_head {
    int status;            /* responses */
    const char *method;    /* requests */
    const char *path;      /* requests: path and query, raw */
    const char *authority; /* requests; "" when absent */
    const struct h2_header *headers;
    size_t n_headers;
};
/* First value of that (lower-case) name, or NULL. */
const char *h2_head_get(const struct h2_head *head, const char *name);

/* A body to send. pull: lends up to max bytes (max > 0) that stay readable until pull is called again, h2_output
 * returns, or the stream closes; returned bytes count as sent. Returns
 *   > 0              that many bytes at *ret_p; *ret_eof = true if they are the last
 *   0                with *ret_eof = true: the body ends here (0 without eof is H2_BODY_WAIT)
 *   H2_BODY_WAIT     nothing now: h2_stream_resume() when there is
 *   H2_BODY_ABORT    resets the stream (INTERNAL_ERROR): the peer sees an error, never a short body */
#define H2_BODY_WAIT ((ssize_t)-1)
#define H2_BODY_ABORT ((ssize_t)-2)
struct h2_body {
    ssize_t (*pull)(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof);
    void *arg;
};

/* Any callback may be NULL. Both roles. */
struct h2_stream_ops {
    /* Client: the response's head. */
    void (*on_head)(void *arg, struct h2_stream *st, const struct h2_head *head);
    /* Client: an informational response (100: the server is ready for the body). */
    void (*on_continue)(void *arg, struct h2_stream *st);
    /* Body bytes, borrowed; give the credit back with h2_stream_consume, now or later. NULL: dropped and consumed. */
    void (*on_data)(void *arg, struct h2_stream *st, const uint8_t *p, size_t n);
    /* The peer ended its body in order. */
    void (*on_end)(void *arg, struct h2_stream *st);
    /* The peer took n more bytes of our body (its window update). */
    void (*on_credit)(void *arg, struct h2_stream *st, size_t n);
    /* Always the last. err NULL: both sides ended in order (or the server ended the exchange early but in order: a
     * complete response and RST_STREAM(NO_ERROR)). Else SKL_ERR_CANCELED (reset by the peer or by us) or
     * SKL_ERR_UNAVAILABLE (connection lost, refused by GOAWAY). */
    void (*on_close)(void *arg, struct h2_stream *st, const struct skl_error *err);
};

/* ---- session ---- */

struct h2_opts {
    bool server;
    uint32_t stream_window;  /* bytes a peer may send on one stream ahead of consumption; 0: default */
    uint32_t frame_max;      /* 0: default; 16384 .. 16777215 */
    uint32_t max_streams;    /* server: 0: default */
};

struct h2_ops {
    /* There is something to send: call h2_output soon, not from inside. Once until the next h2_output; any function
     * here may call it. */
    void (*on_wake)(void *arg);
    /* Server: a request's head. Set ops with h2_stream_set_ops, answer now or later. A request without a
     * handler set when this returns gets 404. */
    void (*on_request)(void *arg, struct h2_stream *st, const struct h2_head *head);
    void (*on_pong)(void *arg);
    /* The peer takes no new requests (client) or goes away. debug: text of the frame, may be "". */
    void (*on_goaway)(void *arg, uint32_t code, const char *debug);
};

struct h2 *h2_new(const struct h2_opts *opts, const struct h2_ops *ops, void *arg);
/* Closes all streams (on_close with err, or SKL_ERR_UNAVAILABLE when err is NULL). Nothing goes in or out after. */
void h2_close(struct h2 *s, const struct skl_error *err);
void h2_free(struct h2 *s);                       /* closes first */

/* 0, or -1: the peer broke the protocol; send what h2_output still gives (GOAWAY), then drop the connection. */
int h2_feed(struct h2 *s, const uint8_t *p, size_t n, struct skl_error *err);
/* Fills at most n (>= H2_OUTPUT_MIN) bytes; 0: nothing to send now; -1: broken. */
ssize_t h2_output(struct h2 *s, uint8_t *p, size_t n, struct skl_error *err);
bool h2_wants_output(const struct h2 *s);
/* false when both sides are done (after GOAWAY and the last stream) */
bool h2_is_open(const struct h2 *s);
bool h2_is_broken(const struct h2 *s);            /* by an error of the protocol: flush output and drop it */
size_t h2_streams(const struct h2 *s);            /* open ones */

void h2_ping(struct h2 *s);                       /* on_pong follows */
/* No new requests from now on; streams that are open go on. debug: at most 64 bytes are sent. */
void h2_goaway(struct h2 *s, const char *debug);

/* ---- client ---- */

/* Starts a request. headers: pairs name, value, ..., NULL; or NULL. body NULL: none. Everything is copied but the body's
 * source. NULL when the session is closed or going away. */
struct h2_stream *h2_request(struct h2 *s, const char *method, const char *path, const char *const *headers,
                             const struct h2_body *body, const struct h2_stream_ops *ops, void *arg,
                             struct skl_error *err);
/* The same with a body of n bytes, copied, with content-type application/json. */
struct h2_stream *h2_request_json(struct h2 *s, const char *method, const char *path, const void *json, size_t n,
                                  const struct h2_stream_ops *ops, void *arg, struct skl_error *err);

/* ---- server ---- */

/* One response per stream; false when one was sent already or the stream is gone. A response that ends before
 * the request's body did makes the rest of that body be refused (RST_STREAM NO_ERROR). headers as in h2_request. */
bool h2_respond(struct h2_stream *st, int status, const char *const *headers, const struct h2_body *body);
bool h2_respond_bytes(struct h2_stream *st, int status, const char *content_type, const void *p, size_t n);
/* {"message": ..., "kind": ...}; status from the error's kind when 0. */
bool h2_respond_error(struct h2_stream *st, int status, const struct skl_error *why);
/* A response that ends does not end the request: the two directions are independent (tunnels). */
void h2_stream_keep_open(struct h2_stream *st);
/* Sends an informational 100 before the response. */
void h2_continue(struct h2_stream *st);
bool h2_stream_responded(const struct h2_stream *st);

/* ---- streams ---- */

void h2_stream_set_ops(struct h2_stream *st, const struct h2_stream_ops *ops, void *arg); /* ops: static storage */
void *h2_stream_arg(const struct h2_stream *st);
int32_t h2_stream_id(const struct h2_stream *st);
/* Gives credit for n bytes that on_data delivered. */
void h2_stream_consume(struct h2_stream *st, size_t n);
size_t h2_stream_unconsumed(const struct h2_stream *st);
/* The body's source has bytes again (after H2_BODY_WAIT). Harmless otherwise. */
void h2_stream_resume(struct h2_stream *st);
/* Body bytes the peer may still be sent before it must open its window. */
size_t h2_stream_peer_window(const struct h2_stream *st);
/* RST_STREAM(CANCEL). on_close follows, from inside the next h2_output. */
void h2_stream_cancel(struct h2_stream *st);
/* Callbacks stop at once, on_close too; the stream is cancelled. For owners that go away first. */
void h2_stream_abandon(struct h2_stream *st);

#endif
