/*
 * wire/link.c - the agent link: HTTP/2 bytes as the payload of WebSocket binary messages.
 *
 * Each link_output() call makes one message of whatever HTTP/2 has to say, up to the size of the buffer: the frame
 * header is written in front of the payload afterwards, when its length is known, and the payload is masked in
 * place. Control frames (pong, close) have a small queue of their own and go between messages.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/link.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "wire/ws.h"

#define LINK_FRAME_MAX (UINT64_C(64) * 1024 * 1024)  /* of one WebSocket frame from the peer; it streams through */

enum ending {
    LINK_RUNNING,
    LINK_DRAINING,      /* GOAWAY is out; the streams finish */
    LINK_CLOSING,       /* the close frame is queued */
    LINK_DONE
};

struct link {
    struct h2 *h2;
    struct ws_decoder decoder;
    bool raw;
    bool masked;        /* what we send */
    enum ending ending;
    uint16_t close_code;
    char close_reason[WS_CONTROL_MAX];
    uint8_t control[WS_CONTROL_FRAME_MAX]; /* one control frame to send; a newer pong replaces an older one */
    size_t control_len;
    int64_t ping_ns;
    int64_t last_heard; /* 0: nothing yet */
    int64_t last_ping;
};

struct link *link_new(const struct link_opts *opts, const struct h2_ops *ops, void *arg)
{
    struct link *l = xcalloc(1, sizeof(*l));
    struct h2_opts h2 = {
        .server = opts->role == LINK_AGENT,
        .stream_window = opts->stream_window,
        .max_streams = opts->max_streams,
    };

    l->raw = opts->raw;
    l->masked = opts->role == LINK_AGENT;
    l->ping_ns = opts->ping_ns > 0 ? opts->ping_ns : LINK_PING_NS;
    ws_decoder_init(&l->decoder, opts->role == LINK_DAEMON, false, LINK_FRAME_MAX);
    l->h2 = h2_new(&h2, ops, arg);
    return l;
}

void link_free(struct link *l)
{
    if (l == NULL)
        return;
    h2_free(l->h2);
    free(l);
}

struct h2 *link_h2(struct link *l)
{
    return l->h2;
}

static void queue_close(struct link *l, uint16_t code, const char *reason)
{
    if (l->ending >= LINK_CLOSING)
        return;
    l->ending = LINK_CLOSING;
    l->control_len = l->raw ? 0 : ws_close_encode(l->control, code, reason, l->masked);
}

/* ---- in ---- */

static int peer_closed(struct link *l, const struct ws_event *ev, struct skl_error *err)
{
    queue_close(l, ev->close_code, NULL);
    error_set(err, SKL_ERR_UNAVAILABLE, "the peer closed the connection (%u%s%.*s)", (unsigned)ev->close_code,
              ev->len > 0 ? ": " : "", (int)ev->len, (const char *)ev->data);
    if (err != NULL)
        err->detail = ev->close_code;
    return -1;
}

static int handle_event(struct link *l, const struct ws_event *ev, struct skl_error *err)
{
    switch (ev->kind) {
    case WS_DATA:
        if (ev->text) {
            queue_close(l, WS_CLOSE_UNSUPPORTED, "binary messages only");
            return error_set(err, SKL_ERR_INVALID, "the peer sent a text message");
        }
        return h2_feed(l->h2, ev->data, ev->len, err);
    case WS_PING:
        if (l->ending < LINK_CLOSING)
            l->control_len = ws_control_encode(l->control, WS_OP_PONG, ev->data, ev->len, l->masked);
        return 0;
    case WS_CLOSE:
        return peer_closed(l, ev, err);
    case WS_NONE:
    case WS_PONG:
        break;
    }
    return 0;
}

int link_feed(struct link *l, void *p, size_t n, int64_t now, struct skl_error *err)
{
    uint8_t *at = p;
    struct ws_event ev;
    ssize_t used;

    l->last_heard = now;
    if (l->raw)
        return h2_feed(l->h2, at, n, err);
    while (n > 0) {
        used = ws_decode(&l->decoder, at, n, &ev, err);
        if (used < 0) {
            queue_close(l, ws_decoder_close_code(&l->decoder), NULL);
            return -1;
        }
        at += used;
        n -= (size_t)used;
        if (handle_event(l, &ev, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- out ---- */

static size_t take_control(struct link *l, uint8_t *scratch, const uint8_t **ret_p)
{
    size_t n = l->control_len;

    memcpy(scratch, l->control, n);
    *ret_p = scratch;
    l->control_len = 0;
    return n;
}

/* Puts the frame header in front of n payload bytes at scratch + WS_HEADER_MAX. */
static size_t frame_message(struct link *l, uint8_t *scratch, size_t n, const uint8_t **ret_p)
{
    uint8_t head[WS_HEADER_MAX], mask[4];
    size_t hn;

    if (l->masked) {
        ws_mask_new(mask);
        ws_mask(scratch + WS_HEADER_MAX, n, mask, 0);
    }
    hn = ws_header_encode(head, WS_OP_BINARY, true, n, l->masked ? mask : NULL);
    memcpy(scratch + WS_HEADER_MAX - hn, head, hn);
    *ret_p = scratch + WS_HEADER_MAX - hn;
    return hn + n;
}

/* Draining is over. Whoever only received a GOAWAY waits for the peer to close (without WebSocket there is nothing to
 * wait for). */
static bool h2_is_finished(const struct link *l)
{
    return (l->ending == LINK_DRAINING || l->raw) && !h2_is_open(l->h2);
}

size_t link_output(struct link *l, uint8_t *scratch, size_t n, const uint8_t **ret_p)
{
    ssize_t got = 0;

    if (l->control_len > 0)
        return take_control(l, scratch, ret_p);
    if (l->ending < LINK_CLOSING) {
        got = h2_output(l->h2, scratch + WS_HEADER_MAX, n - WS_HEADER_MAX, NULL);
        if (got > 0 && l->raw) {
            *ret_p = scratch + WS_HEADER_MAX;
            return (size_t)got;
        }
        if (got > 0)
            return frame_message(l, scratch, (size_t)got, ret_p);
        if (h2_is_broken(l->h2))
            queue_close(l, WS_CLOSE_PROTOCOL, NULL);
        else if (h2_is_finished(l))
            queue_close(l, l->close_code, l->close_reason);
    }
    if (l->control_len > 0)
        return take_control(l, scratch, ret_p);
    if (l->ending == LINK_CLOSING)
        l->ending = LINK_DONE;
    return 0;
}

bool link_wants_output(const struct link *l)
{
    if (l->ending >= LINK_CLOSING)
        return l->ending == LINK_CLOSING;
    return l->control_len > 0 || h2_wants_output(l->h2) || h2_is_broken(l->h2) || h2_is_finished(l);
}

/* ---- pings and the end ---- */

int64_t link_tick(struct link *l, int64_t now, struct skl_error *err)
{
    int64_t silence = l->ping_ns * 5 / 2;
    int64_t ping_at, dead_at;

    if (l->last_heard == 0)
        l->last_heard = now;
    if (l->last_ping == 0)
        l->last_ping = now;
    dead_at = l->last_heard + silence;
    if (now >= dead_at)
        return error_set(err, SKL_ERR_UNAVAILABLE, "the peer has been silent for %" PRId64 " s",
                         (now - l->last_heard) / 1000000000);
    if (now >= l->last_ping + l->ping_ns) {
        h2_ping(l->h2);
        l->last_ping = now;
    }
    ping_at = l->last_ping + l->ping_ns;
    return ping_at < dead_at ? ping_at : dead_at;
}

static void set_close(struct link *l, uint16_t code, const char *why)
{
    l->close_code = code;
    if (why != NULL)
        strncpy(l->close_reason, why, sizeof(l->close_reason) - 1);
}

void link_shutdown(struct link *l, uint16_t close_code, const char *why)
{
    if (l->ending != LINK_RUNNING)
        return;
    set_close(l, close_code, why);
    l->ending = LINK_DRAINING;
    h2_goaway(l->h2, why);
}

void link_hangup(struct link *l, uint16_t close_code, const char *why)
{
    set_close(l, close_code, why);
    queue_close(l, close_code, l->close_reason);
}

bool link_is_done(const struct link *l)
{
    return l->ending == LINK_DONE;
}

void link_close(struct link *l, const struct skl_error *err)
{
    l->ending = LINK_DONE;
    l->control_len = 0;
    h2_close(l->h2, err);
}
