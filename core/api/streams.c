/*
 * api/streams.c - see streams.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/streams.h"
#include "wire/record.h"

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

static bool on_data(void *arg, const char *p, size_t n)
{
    struct client_stream *s = arg;

    if (!s->has_stdin)
        return true;
    if (!s->tty) {
        to_stdin(s, p, n);
    } else if (detach_feed(&s->detach, p, n, to_stdin, s)) {
        s->ops->on_detach(s->arg);
        return false;
    }
    return !s->stdin_full;
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
    uint8_t head[STDCOPY_HEADER_SIZE];

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
    http_stream_close(s->http);
    s->http = NULL;
}

void client_stream_abort(struct client_stream *s)
{
    http_stream_abort(s->http);
    s->http = NULL;
}
