/*
 * wire/h2_impl.h - what h2.c (sessions) and h2_stream.c (messages and streams) share. Private to them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_WIRE_H2_IMPL_H
#define SKL_WIRE_H2_IMPL_H

#include <nghttp2/nghttp2.h>
#include "base/buf.h"
#include "base/list.h"
#include "wire/h2.h"

/* The header fields of the message that is being received. Header blocks of one connection never interleave,
 * so the session has one of these, allocated only while it is needed. */
struct h2_block {
    struct buf text;                            /* name NUL value NUL ... */
    size_t offsets[H2_HEADERS_MAX][2];          /* into text */
    size_t n;
    size_t method, path, authority, status;     /* offsets + 1; 0: absent */
};

struct h2 {
    nghttp2_session *ng;
    struct h2_ops ops;
    void *arg;
    bool server;
    bool closed;             /* h2_close was called */
    bool going_away;         /* GOAWAY sent or received */
    bool broken;             /* the peer broke the protocol */
    bool woken;              /* on_wake was called and no h2_output since */
    struct list streams;
    size_t n_streams;
    struct h2_block *block;
    char why[160];           /* nghttp2's last complaint */
    /* a control frame of nghttp2's that did not fit into the last output buffer; valid until its next mem_send */
    const uint8_t *pending;
    size_t pending_len;
    /* the output buffer of the h2_output call in progress */
    uint8_t *out;
    size_t out_len;
    size_t out_cap;
};

struct h2_stream {
    struct list link;
    struct h2 *s;
    int32_t id;
    const struct h2_stream_ops *ops;
    void *arg;
    struct h2_body body;
    uint8_t *owned;          /* bytes of h2_request_json, h2_respond_bytes */
    size_t owned_len;
    size_t owned_off;
    const uint8_t *lent;     /* between nghttp2's read and send callbacks */
    size_t lent_len;
    size_t unconsumed;
    uint64_t announced;      /* server: bytes of the request still to come; UINT64_MAX: unknown, or not sent unasked */
    bool responded;          /* server: a final head was submitted. Client: one was received. */
    bool in_ended;           /* the peer ended its side */
    bool out_ended;          /* END_STREAM was sent by us */
    bool cancelled;          /* by us */
    bool aborted;            /* body source gave up */
    bool keep_open;          /* server: the request may go on after the response's end */
};

/* h2.c */
void h2_wake(struct h2 *s);

/* h2_stream.c */
struct h2_stream *h2_stream_new(struct h2 *s, int32_t id);
void h2_stream_free(struct h2_stream *st);
/* Calls on_close and frees. */
void h2_stream_end(struct h2_stream *st, const struct skl_error *err);
nghttp2_data_provider h2_body_provider(struct h2_stream *st);
int h2_block_add(struct h2 *s, const uint8_t *name, size_t nlen, const uint8_t *value, size_t vlen);
void h2_block_reset(struct h2 *s);
/* Calls fn with the head that was collected. */
void h2_block_deliver(struct h2 *s, struct h2_stream *st, void (*fn)(struct h2_stream *st, const struct h2_head *head));

#endif
