/*
 * api/streams.c - see streams.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/streams.h"
#include <string.h>
#include "wire/record.h"

#define WS_PIECE 4096

const char *stream_content_type(bool tty, int version, bool upgrade)
{
    return !tty && version >= 42 && upgrade ? "application/vnd.docker.multiplexed-stream" : "application/vnd.docker.raw-stream";
}

static void to_stdin(void *arg, const char *p, size_t n)
{
    struct client_stream *s = arg;

    if (n > 0 && !s->ops->on_stdin(s->arg, p, n))
        s->stdin_full = true;
}

/* false: detached, and the stream is gone. */
static bool take(struct client_stream *s, const char *p, size_t n)
{
    if (!s->has_stdin)
        return true;
    if (!s->tty) {
        to_stdin(s, p, n);
    } else if (detach_feed(&s->detach, p, n, to_stdin, s)) {
        s->ops->on_detach(s->arg);
        return false;
    }
    return true;
}

/* ---- WebSocket ---- */

static void ws_say_close(struct client_stream *s, uint16_t code)
{
    uint8_t frame[WS_CONTROL_FRAME_MAX];

    http_stream_write(s->http, frame, ws_close_encode(frame, code, NULL, false));
    s->ws = false; /* nothing may follow */
}

static bool ws_event(struct client_stream *s, const struct ws_event *ev)
{
    uint8_t pong[WS_CONTROL_FRAME_MAX];

    if (ev->kind == WS_DATA)
        return take(s, (const char *)ev->data, ev->len);
    if (ev->kind == WS_PING)
        http_stream_write(s->http, pong, ws_control_encode(pong, WS_OP_PONG, ev->data, ev->len, false));
    if (ev->kind != WS_CLOSE)
        return true;
    ws_say_close(s, WS_CLOSE_NORMAL);
    s->ops->on_gone(s->arg);
    return false;
}

static bool ws_on_data(struct client_stream *s, const char *data, size_t left)
{
    uint8_t piece[WS_PIECE]; /* the decoder unmasks in place */
    struct skl_error err = {0};
    struct ws_event ev;

    while (left > 0) {
        size_t n = left < sizeof(piece) ? left : sizeof(piece);
        memcpy(piece, data, n);
        for (uint8_t *p = piece; n > 0;) {
            ssize_t used = ws_decode(&s->decoder, p, n, &ev, &err);
            if (used < 0) {
                ws_say_close(s, ws_decoder_close_code(&s->decoder));
                s->ops->on_gone(s->arg);
                return false;
            }
            p += used;
            n -= (size_t)used;
            data += used;
            left -= (size_t)used;
            if (!ws_event(s, &ev))
                return false;
        }
    }
    return !s->stdin_full;
}

static bool on_data(void *arg, const char *p, size_t n)
{
    struct client_stream *s = arg;

    if (s->ws)
        return ws_on_data(s, p, n);
    return take(s, p, n) && !s->stdin_full;
}

static void on_eof(void *arg)
{
    struct client_stream *s = arg;

    s->ops->on_eof(s->arg);
}

static void on_drain(void *arg)
{
    struct client_stream *s = arg;

    s->ops->on_room(s->arg);
}

static void on_gone(void *arg)
{
    struct client_stream *s = arg;

    s->ops->on_gone(s->arg);
}

static const struct http_stream_ops http_ops = {.on_data = on_data, .on_eof = on_eof, .on_drain = on_drain, .on_gone = on_gone};

void client_stream_open(struct client_stream *s, struct http_req *req, int version, bool has_stdin)
{
    bool upgrade = http_req_wants_upgrade(req);

    s->has_stdin = has_stdin;
    s->http = http_req_hijack(req, upgrade ? "tcp" : NULL, stream_content_type(s->tty, version, upgrade));
    http_stream_set_ops(s->http, &http_ops, s);
    http_stream_read_start(s->http);
}

int client_stream_open_ws(struct client_stream *s, struct http_req *req, int version, bool has_stdin, struct skl_error *err)
{
    const char *key = http_req_header(req, "Sec-WebSocket-Key");
    char accept[WS_ACCEPT_SIZE];
    int status = ws_server_check(http_req_method(req), http_req_header(req, "Connection"), http_req_header(req, "Upgrade"),
                                 http_req_header(req, "Sec-WebSocket-Version"), key, err);

    if (status != 0)
        return status;
    ws_accept(key, accept);
    http_res_header(req, "Sec-WebSocket-Accept", "%s", accept);
    s->ws = true;
    s->ws_opcode = version >= 28 ? WS_OP_BINARY : WS_OP_TEXT;
    ws_decoder_init(&s->decoder, true, false, 0);
    s->has_stdin = has_stdin;
    s->http = http_req_hijack(req, "websocket", NULL);
    http_stream_set_ops(s->http, &http_ops, s);
    http_stream_read_start(s->http);
    return 0;
}

void client_stdin_resume(struct client_stream *s)
{
    s->stdin_full = false;
    if (s->http != NULL)
        http_stream_read_start(s->http);
}

void client_stream_frame(struct client_stream *s, uint8_t stream, const void *p, size_t n)
{
    client_stream_piece(s, stream, (uint32_t)n, true, p, n);
}

void client_stream_piece(struct client_stream *s, uint8_t stream, uint32_t frame_len, bool first, const void *p, size_t n)
{
    uint8_t head[STDCOPY_HEADER_SIZE], ws_head[WS_HEADER_MAX];

    if (s->ws) {
        http_stream_write2(s->http, ws_head, ws_header_encode(ws_head, s->ws_opcode, true, n, NULL), p, n);
        return;
    }
    if (s->tty || !first) {
        http_stream_write(s->http, p, n);
        return;
    }
    stdcopy_header(head, stream, frame_len);
    http_stream_write2(s->http, head, sizeof(head), p, n);
}

bool client_stream_writable(const struct client_stream *s)
{
    return http_stream_writable(s->http);
}

void client_stream_close(struct client_stream *s)
{
    if (s->ws)
        ws_say_close(s, WS_CLOSE_NORMAL);
    http_stream_close(s->http);
    s->http = NULL;
}

void client_stream_abort(struct client_stream *s)
{
    if (s->ws_opcode != 0 && !s->ws)
        http_stream_close(s->http); /* the close frame is still to go */
    else
        http_stream_abort(s->http);
    s->http = NULL;
}
