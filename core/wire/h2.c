/*
 * wire/h2.c - HTTP/2 sessions: bytes in, bytes out. Messages and streams are in h2_stream.c.
 *
 * Output. nghttp2 has two ways to give bytes: nghttp2_session_mem_send() lends a pointer to one serialised frame, and
 * for DATA marked NO_COPY it calls send_data_callback() in the middle of that call. Both end up in the
 * caller's buffer (s->out): control frames are copied from the lent pointer, DATA is copied straight from the
 * memory of the body's source, once. The length of each DATA frame is cut to the room left, so that DATA always fits;
 * a control frame that does not fit is kept by pointer (`pending`) and goes first next time, before nghttp2 is
 * called again (which would invalidate it).
 *
 * Windows. Automatic window updates are off. The connection's window is as good as endless and given back on
 * receipt; each stream's is given back by h2_stream_consume(). So what one session can make us hold is the sum of the
 * stream windows that the application did not consume, and a stalled stream stalls nobody else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/h2_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

#define CONNECTION_WINDOW (INT32_C(1) << 30)
/* A DATA frame is not begun with less room than this, unless the buffer is empty. */
#define ROOM_MIN 1024u
#define FRAME_HEAD 9u
#define RESET_BURST 10000u
#define RESET_RATE 1000u
#define DRAIN_MAX 16384u        /* within anyone's initial window */
#define DEFLATE_TABLE 1024u     /* requests on a link hardly repeat: a big table is memory for nothing */

void h2_wake(struct h2 *s)
{
    if (s->woken || s->closed)
        return;
    s->woken = true;
    if (s->ops.on_wake != NULL)
        s->ops.on_wake(s->arg);
}

static struct h2_stream *find(nghttp2_session *ng, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ng, id);
}

/* ---- receiving ---- */

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2 *s = user;

    h2_block_reset(s);
    if (!s->server || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    nghttp2_session_set_stream_user_data(ng, frame->hd.stream_id, h2_stream_new(s, frame->hd.stream_id));
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t nlen,
                     const uint8_t *value, size_t vlen, uint8_t flags, void *user)
{
    (void)ng;
    (void)frame;
    (void)flags;
    return h2_block_add(user, name, nlen, value, vlen) < 0 ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static void deliver_request(struct h2_stream *st, const struct h2_head *head)
{
    struct h2 *s = st->s;
    const char *length = h2_head_get(head, "content-length");

    if (length == NULL || h2_head_get(head, "expect") != NULL || !str_to_u64(length, 0, UINT64_MAX, &st->announced))
        st->announced = UINT64_MAX;
    if (s->ops.on_request != NULL)
        s->ops.on_request(s->arg, st, head);
    if (st->ops == NULL && !st->responded)
        h2_respond_error(st, 404, NULL);
}

static void deliver_response(struct h2_stream *st, const struct h2_head *head)
{
    if (head->status < 200) {
        if (st->ops != NULL && st->ops->on_continue != NULL)
            st->ops->on_continue(st->arg, st);
        return;
    }
    st->responded = true;
    if (st->ops != NULL && st->ops->on_head != NULL)
        st->ops->on_head(st->arg, st, head);
}

static void stream_in_ended(struct h2_stream *st)
{
    st->in_ended = true;
    if (st->ops != NULL && st->ops->on_end != NULL)
        st->ops->on_end(st->arg, st);
}

static void on_headers(struct h2 *s, struct h2_stream *st, const nghttp2_frame *frame)
{
    if (s->block != NULL) {
        /* Trailers are taken and dropped. */
        if (s->server && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            h2_block_deliver(s, st, deliver_request);
        else if (!s->server && !st->responded)
            h2_block_deliver(s, st, deliver_response);
    }
    h2_block_reset(s);
}

static void on_goaway(struct h2 *s, const nghttp2_goaway *g)
{
    char debug[65];
    size_t n = g->opaque_data_len < sizeof(debug) - 1 ? g->opaque_data_len : sizeof(debug) - 1;

    if (n > 0)
        memcpy(debug, g->opaque_data, n);
    debug[n] = '\0';
    s->going_away = true;
    if (s->ops.on_goaway != NULL)
        s->ops.on_goaway(s->arg, g->error_code, debug);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2 *s = user;
    struct h2_stream *st = frame->hd.stream_id != 0 ? find(ng, frame->hd.stream_id) : NULL;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (st != NULL)
            on_headers(s, st, frame);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        if (st != NULL && st->ops != NULL && st->ops->on_credit != NULL)
            st->ops->on_credit(st->arg, st, (size_t)frame->window_update.window_size_increment);
        return 0;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && s->ops.on_pong != NULL)
            s->ops.on_pong(s->arg);
        return 0;
    case NGHTTP2_GOAWAY:
        on_goaway(s, &frame->goaway);
        return 0;
    case NGHTTP2_DATA:
        break;
    default:
        return 0;
    }
    if (st != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        stream_in_ended(st);
    return 0;
}

/* The answer is complete before the request: what is left of the request is not wanted (RFC 9113 8.1). A little that
 * is on its way is waited for: curl 7.88 forgets an answer when the reset behind it meets a body not yet sent. */
static bool is_draining(const struct h2_stream *st)
{
    return st->s->server && st->out_ended && !st->keep_open && st->announced <= DRAIN_MAX;
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
    struct h2_stream *st = find(ng, id);

    (void)flags;
    (void)user;
    nghttp2_session_consume_connection(ng, n);
    if (st != NULL && st->announced != UINT64_MAX)
        st->announced -= n; /* nghttp2 lets no body be longer than its content-length */
    if (st == NULL || st->ops == NULL || st->ops->on_data == NULL || is_draining(st)) {
        nghttp2_session_consume_stream(ng, id, n);
        return 0;
    }
    st->unconsumed += n;
    st->ops->on_data(st->arg, st, p, n);
    return 0;
}

/* ---- sending ---- */

static ssize_t on_read_length(nghttp2_session *ng, uint8_t type, int32_t id, int32_t session_window,
                              int32_t stream_window, uint32_t max_frame, void *user)
{
    struct h2 *s = user;
    size_t room = s->out_cap - s->out_len;

    (void)ng;
    (void)type;
    (void)id;
    (void)session_window;
    (void)stream_window;
    room = room > FRAME_HEAD + 1 ? room - FRAME_HEAD : 1;
    return (ssize_t)(room < max_frame ? room : max_frame);
}

/* DATA from the source's memory. The length was fitted to the room by on_read_length. */
static int on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
                        nghttp2_data_source *source, void *user)
{
    struct h2 *s = user;
    struct h2_stream *st = source->ptr;

    (void)ng;
    (void)frame;
    if (s->out_cap - s->out_len < FRAME_HEAD + n || st->lent_len != n)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(s->out + s->out_len, head, FRAME_HEAD);
    memcpy(s->out + s->out_len + FRAME_HEAD, st->lent, n);
    s->out_len += FRAME_HEAD + n;
    st->lent = NULL;
    st->lent_len = 0;
    return s->out_cap - s->out_len < FRAME_HEAD + ROOM_MIN ? NGHTTP2_ERR_PAUSE : 0;
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct h2 *s = user;
    struct h2_stream *st;

    if (frame->hd.type == NGHTTP2_GOAWAY) {
        s->going_away = true;
        s->broken = s->broken || frame->goaway.error_code != NGHTTP2_NO_ERROR;
    }
    if ((frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    st = find(ng, frame->hd.stream_id);
    if (st == NULL)
        return 0;
    st->out_ended = true;
    if (s->server && !st->in_ended && !st->keep_open && !is_draining(st))
        nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
    return 0;
}

static void close_reason(const struct h2_stream *st, uint32_t code, struct skl_error *err)
{
    if (code == NGHTTP2_REFUSED_STREAM)
        error_set(err, SKL_ERR_UNAVAILABLE, "the peer takes no new requests");
    else if (st->aborted)
        error_set(err, SKL_ERR_CANCELED, "the body could not be sent to its end");
    else if (st->cancelled)
        error_set(err, SKL_ERR_CANCELED, "cancelled");
    else
        error_set(err, SKL_ERR_CANCELED, "the peer reset the stream (%s)", nghttp2_http2_strerror(code));
    err->detail = (int32_t)code;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
    struct h2_stream *st = find(ng, id);
    struct skl_error err = {0};
    bool in_order;

    (void)user;
    if (st == NULL)
        return 0;
    if (st->s->server)
        in_order = st->out_ended && code == NGHTTP2_NO_ERROR;
    else
        in_order = st->in_ended && code == NGHTTP2_NO_ERROR;
    if (!in_order)
        close_reason(st, code, &err);
    nghttp2_session_set_stream_user_data(ng, id, NULL);
    h2_stream_end(st, in_order ? NULL : &err);
    return 0;
}

static int on_error(nghttp2_session *ng, int code, const char *msg, size_t len, void *user)
{
    struct h2 *s = user;

    (void)ng;
    (void)code;
    snprintf(s->why, sizeof(s->why), "%.*s", (int)len, msg);
    return 0;
}

static ssize_t broken(struct h2 *s, ssize_t code, struct skl_error *err)
{
    s->broken = true;
    return error_set(err, SKL_ERR_INVALID, "http/2: %s%s%s", nghttp2_strerror((int)code), s->why[0] ? ": " : "",
                     s->why);
}

/* Copies what fits of a control frame; the rest waits in `pending`. */
static void put(struct h2 *s, const uint8_t *p, size_t n)
{
    size_t room = s->out_cap - s->out_len;
    size_t now = n < room ? n : room;

    memcpy(s->out + s->out_len, p, now);
    s->out_len += now;
    s->pending = p + now;
    s->pending_len = n - now;
}

/* One frame or more into the buffer. 1: go on; 0: full or nothing left; < 0: nghttp2's error. */
static int fill(struct h2 *s)
{
    const uint8_t *p;
    size_t before = s->out_len;
    ssize_t n;

    if (s->out_cap - s->out_len < FRAME_HEAD + ROOM_MIN)
        return 0;
    n = nghttp2_session_mem_send(s->ng, &p);
    if (n < 0)
        return (int)n;
    if (n > 0)
        put(s, p, (size_t)n);
    return s->out_len > before && s->pending_len == 0;
}

ssize_t h2_output(struct h2 *s, uint8_t *p, size_t n, struct skl_error *err)
{
    int rc = 1;

    if (s->closed || n < H2_OUTPUT_MIN)
        return 0;
    s->woken = true; /* no wake-ups from inside: the caller goes on until we return 0 */
    s->out = p;
    s->out_cap = n;
    s->out_len = 0;
    if (s->pending_len > 0)
        put(s, s->pending, s->pending_len);
    while (rc > 0 && s->pending_len == 0)
        rc = fill(s);
    s->out = NULL;
    s->woken = false;
    if (rc < 0)
        return broken(s, rc, err);
    return (ssize_t)s->out_len;
}

int h2_feed(struct h2 *s, const uint8_t *p, size_t n, struct skl_error *err)
{
    ssize_t rc;

    if (s->closed)
        return error_set(err, SKL_ERR_UNAVAILABLE, "http/2: the session is closed");
    if (n == 0)
        return 0;
    rc = nghttp2_session_mem_recv(s->ng, p, n);
    if (rc < 0 || (size_t)rc != n)
        return (int)broken(s, rc < 0 ? rc : NGHTTP2_ERR_PROTO, err);
    if (nghttp2_session_want_write(s->ng) != 0)
        h2_wake(s);
    return 0;
}

bool h2_wants_output(const struct h2 *s)
{
    return !s->closed && (s->pending_len > 0 || nghttp2_session_want_write(s->ng) != 0);
}

bool h2_is_open(const struct h2 *s)
{
    return !s->closed && (nghttp2_session_want_read(s->ng) != 0 || h2_wants_output(s));
}

bool h2_is_broken(const struct h2 *s)
{
    return s->broken;
}

size_t h2_streams(const struct h2 *s)
{
    return s->n_streams;
}

void h2_ping(struct h2 *s)
{
    if (!s->closed && nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL) == 0)
        h2_wake(s);
}

void h2_goaway(struct h2 *s, const char *debug)
{
    size_t n = debug != NULL ? strnlen(debug, 64) : 0;
    int32_t last;

    if (s->closed)
        return;
    last = nghttp2_session_get_last_proc_stream_id(s->ng);
    s->going_away = true;
    if (nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, (const uint8_t *)debug, n) == 0)
        h2_wake(s);
}

/* ---- making and ending ---- */

static nghttp2_session_callbacks *callbacks_new(void)
{
    nghttp2_session_callbacks *cb;

    if (nghttp2_session_callbacks_new(&cb) != 0)
        abort();
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
    nghttp2_session_callbacks_set_data_source_read_length_callback(cb, on_read_length);
    nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_error_callback2(cb, on_error);
    return cb;
}

static nghttp2_option *options_new(void)
{
    nghttp2_option *opt;

    if (nghttp2_option_new(&opt) != 0)
        abort();
    nghttp2_option_set_no_auto_window_update(opt, 1);
    nghttp2_option_set_no_closed_streams(opt, 1);
    nghttp2_option_set_max_deflate_dynamic_table_size(opt, DEFLATE_TABLE);
    nghttp2_option_set_stream_reset_rate_limit(opt, RESET_BURST, RESET_RATE);
    nghttp2_option_set_peer_max_concurrent_streams(opt, H2_STREAMS_MAX_DEFAULT);
    return opt;
}

static void submit_settings(struct h2 *s, const struct h2_opts *o)
{
    nghttp2_settings_entry iv[5] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o->stream_window ? o->stream_window : H2_STREAM_WINDOW_DEFAULT},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, o->frame_max ? o->frame_max : H2_FRAME_MAX_DEFAULT},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 2 * H2_HEADERS_BYTES_MAX},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o->max_streams ? o->max_streams : H2_STREAMS_MAX_DEFAULT},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    size_t n = 4;

    if (!o->server) { /* a server may open no streams, and only a client may say so */
        iv[3].value = 0;
        n = 5;
    }
    if (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, iv, n) != 0)
        abort();
    if (nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) != 0)
        abort();
}

struct h2 *h2_new(const struct h2_opts *opts, const struct h2_ops *ops, void *arg)
{
    struct h2 *s = xcalloc(1, sizeof(*s));
    nghttp2_session_callbacks *cb = callbacks_new();
    nghttp2_option *opt = options_new();
    int rc;

    s->ops = *ops;
    s->arg = arg;
    s->server = opts->server;
    list_init(&s->streams);
    if (opts->server)
        rc = nghttp2_session_server_new2(&s->ng, cb, s, opt);
    else
        rc = nghttp2_session_client_new2(&s->ng, cb, s, opt);
    if (rc != 0)
        abort(); /* out of memory, as in base/mem.h */
    nghttp2_option_del(opt);
    nghttp2_session_callbacks_del(cb);
    submit_settings(s, opts);
    return s;
}

void h2_close(struct h2 *s, const struct skl_error *err)
{
    struct skl_error lost = {0};

    if (s->closed)
        return;
    s->closed = true;
    s->pending_len = 0;
    h2_block_reset(s);
    if (err == NULL) {
        error_set(&lost, SKL_ERR_UNAVAILABLE, "the connection is gone");
        err = &lost;
    }
    while (!list_empty(&s->streams))
        h2_stream_end(LIST_ENTRY(s->streams.next, struct h2_stream, link), err);
    nghttp2_session_del(s->ng);
    s->ng = NULL;
}

void h2_free(struct h2 *s)
{
    if (s == NULL)
        return;
    h2_close(s, NULL);
    free(s);
}
