/*
 * simulator/upgrade.c - requests that want another protocol on their connection (WebSockets), passed to the container as bytes.
 *
 *   HEAD (the request is sent, an answer's head awaited) --101--> PIPE
 *                                                        --else--> BODY: an ordinary answer, and the end
 *
 * The instance's bytes are outside bytes: the head is capped, chunks are checked. Each side is read only as fast as the other takes it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/invoke.h"

#define HEAD_MAX (64u * 1024)
#define PIPE_HIGH (256u * 1024) /* above it the other side is not read */
#define CHUNK_LINE_MAX 1024u

enum step { STEP_HEAD, STEP_PIPE, STEP_BODY };
enum framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_CLOSE };

struct upgrade {
    struct invocation *v;
    struct bufferevent *bev;     /* the instance's side */
    struct http_stream *stream;  /* PIPE: the client's */
    enum step step;
    enum framing framing;
    uint64_t left;               /* of the body, or of a chunk */
    bool in_chunk;
    bool their_end, client_end;
};

void upgrade_free(struct upgrade *u)
{
    if (u == NULL)
        return;
    if (u->stream != NULL)
        http_stream_abort(u->stream);
    bufferevent_free(u->bev);
    free(u);
}

/* ---- PIPE ---- */

static void pipe_over(struct upgrade *u)
{
    if (u->stream != NULL)
        http_stream_close(STEAL(u->stream));
    inv_taken(u->v); /* frees us */
}

static void pipe_pump(struct upgrade *u)
{
    struct evbuffer *in = bufferevent_get_input(u->bev);

    while (evbuffer_get_length(in) > 0 && http_stream_writable(u->stream)) {
        size_t n = evbuffer_get_contiguous_space(in);
        unsigned char *p = evbuffer_pullup(in, (ev_ssize_t)n);
        http_stream_write(u->stream, p, n);
        evbuffer_drain(in, n);
    }
    if (evbuffer_get_length(in) > 0)
        bufferevent_disable(u->bev, EV_READ);
    else if (!u->their_end)
        bufferevent_enable(u->bev, EV_READ);
    else
        pipe_over(u);
}

static bool on_client_data(void *arg, const char *p, size_t n)
{
    struct upgrade *u = arg;

    bufferevent_write(u->bev, p, n);
    return evbuffer_get_length(bufferevent_get_output(u->bev)) < PIPE_HIGH;
}

static void on_client_eof(void *arg)
{
    struct upgrade *u = arg;

    u->client_end = true;
    if (evbuffer_get_length(bufferevent_get_output(u->bev)) == 0)
        shutdown(bufferevent_getfd(u->bev), SHUT_WR);
}

static void on_client_drain(void *arg)
{
    pipe_pump(arg);
}

static void on_client_gone(void *arg)
{
    struct upgrade *u = arg;

    http_stream_abort(STEAL(u->stream));
    inv_taken(u->v);
}

static void pipe_begin(struct upgrade *u, const char *protocol)
{
    static const struct http_stream_ops ops = {
        .on_data = on_client_data, .on_eof = on_client_eof, .on_drain = on_client_drain, .on_gone = on_client_gone};
    struct invocation *v = u->v;

    u->step = STEP_PIPE;
    inv_log(v, 101);
    http_req_on_gone(v->req, NULL, NULL);
    u->stream = http_req_hijack(STEAL(v->req), protocol, NULL);
    http_stream_set_ops(u->stream, &ops, u);
    http_stream_read_start(u->stream);
    pipe_pump(u);
}

/* ---- BODY ---- */

static void body_out(struct upgrade *u, struct evbuffer *in, size_t n)
{
    unsigned char *p = evbuffer_pullup(in, (ev_ssize_t)n);

    http_res_write(u->v->req, p, n);
    evbuffer_drain(in, n);
}

/* Takes a chunk's size line. 1: taken, 0: more is needed, -1: broken. */
static int chunk_line(struct upgrade *u, struct evbuffer *in)
{
    size_t n;
    char *line = evbuffer_readln(in, &n, EVBUFFER_EOL_CRLF_STRICT), *end;
    int rc = 1;

    if (line == NULL)
        return evbuffer_get_length(in) > CHUNK_LINE_MAX ? -1 : 0;
    if (n > 0) { /* the empty line ends a chunk's data */
        u->left = strtoull(line, &end, 16);
        rc = end == line || end - line > 15 ? -1 : 1;
        u->in_chunk = true;
    }
    free(line);
    return rc;
}

/* 1: the body is complete, 0: more is needed, -1: broken. */
static int chunked_out(struct upgrade *u, struct evbuffer *in)
{
    for (;;) {
        size_t have = evbuffer_get_length(in), n = have < u->left ? have : (size_t)u->left;
        int rc;
        if (u->in_chunk && u->left == 0)
            return 1; /* trailers are nobody's */
        if (u->left > 0) {
            if (n == 0 || !http_res_writable(u->v->req))
                return 0;
            body_out(u, in, n);
            u->left -= n;
            u->in_chunk = u->left > 0;
            continue;
        }
        rc = chunk_line(u, in);
        if (rc <= 0)
            return rc;
    }
}

static int plain_out(struct upgrade *u, struct evbuffer *in)
{
    while (u->left > 0 && evbuffer_get_length(in) > 0 && http_res_writable(u->v->req)) {
        size_t n = evbuffer_get_contiguous_space(in);
        if (n > u->left)
            n = (size_t)u->left;
        body_out(u, in, n);
        u->left -= n;
    }
    return u->left == 0 || (u->framing == BODY_CLOSE && u->their_end && evbuffer_get_length(in) == 0);
}

static void body_pump(struct upgrade *u)
{
    struct evbuffer *in = bufferevent_get_input(u->bev);
    int rc = u->framing == BODY_CHUNKED ? chunked_out(u, in) : plain_out(u, in);

    if (rc != 0)
        inv_end(u->v, rc > 0);
    else if (u->their_end && http_res_writable(u->v->req))
        inv_end(u->v, false);
    else if (!http_res_writable(u->v->req))
        bufferevent_disable(u->bev, EV_READ);
    else
        bufferevent_enable(u->bev, EV_READ);
}

static void on_res_drain(void *arg)
{
    struct invocation *v = arg;

    body_pump(v->upgrade);
}

/* ---- HEAD ---- */

struct head {
    int status;
    char *protocol, *type;
    enum framing framing;
    uint64_t length;
};

/* One header line: what steers us is kept, what belongs to the connection goes, all else is the client's. */
static void take_header(struct upgrade *u, struct head *h, char *line)
{
    char *colon = strchr(line, ':'), *value;

    if (colon == NULL || colon == line)
        return;
    *colon = '\0';
    value = str_trim(colon + 1);
    if (strcasecmp(line, "Upgrade") == 0) {
        free(h->protocol);
        h->protocol = xstrdup(value);
    } else if (strcasecmp(line, "Content-Type") == 0) {
        free(h->type);
        h->type = xstrdup(value);
    } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
        h->framing = BODY_CHUNKED;
    } else if (strcasecmp(line, "Content-Length") == 0 && h->framing != BODY_CHUNKED && str_to_u64(value, 0, INT64_MAX, &h->length)) {
        h->framing = BODY_LENGTH;
    } else if (!inv_hop_by_hop(line)) {
        http_res_header(u->v->req, line, "%s", value);
    }
}

static void answer_begin(struct upgrade *u, const struct head *h)
{
    struct invocation *v = u->v;
    bool empty = h->status == 204 || h->status == 304 || str_eq(http_req_method(v->req), "HEAD");

    u->step = STEP_BODY;
    u->framing = empty ? BODY_LENGTH : h->framing;
    u->left = u->framing == BODY_LENGTH ? (empty ? 0 : h->length) : u->framing == BODY_CLOSE ? UINT64_MAX : 0;
    v->answered = true;
    inv_log(v, h->status);
    http_res_on_drain(v->req, on_res_drain, v);
    http_res_begin(v->req, h->status, h->type, u->framing == BODY_LENGTH ? HTTP_RES_LENGTH : HTTP_RES_CHUNKED, (int64_t)u->left);
    body_pump(u);
}

/* The head is all there, in `text`. */
static void take_head(struct upgrade *u, char *text)
{
    struct head h = {.framing = BODY_CLOSE};
    char *save = text, *line = strsep(&save, "\n");
    int minor;

    if (sscanf(line, "HTTP/1.%1d %3d", &minor, &h.status) != 2 || h.status < 100) {
        inv_fail(u->v, 502, "The container's answer is malformed.");
        return;
    }
    while ((line = strsep(&save, "\n")) != NULL)
        take_header(u, &h, str_trim(line));
    if (h.status == 101)
        pipe_begin(u, h.protocol != NULL ? h.protocol : "websocket");
    else
        answer_begin(u, &h);
    free(h.protocol);
    free(h.type);
}

static void head_pump(struct upgrade *u)
{
    struct evbuffer *in = bufferevent_get_input(u->bev);
    struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
    CLEANUP(free_p) char *text = NULL;

    if (end.pos < 0) {
        if (evbuffer_get_length(in) > HEAD_MAX)
            inv_fail(u->v, 502, "The container's answer is malformed.");
        else if (u->their_end)
            inv_fail(u->v, 503, "The container closed the connection.");
        return;
    }
    text = xcalloc(1, (size_t)end.pos + 5);
    evbuffer_remove(in, text, (size_t)end.pos + 4);
    take_head(u, text);
}

/* ---- the instance's side ---- */

static void pump(struct upgrade *u)
{
    if (u->step == STEP_HEAD)
        head_pump(u);
    else if (u->step == STEP_PIPE)
        pipe_pump(u);
    else
        body_pump(u);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    pump(arg);
}

static void on_write(struct bufferevent *bev, void *arg)
{
    struct upgrade *u = arg;

    if (u->step != STEP_PIPE)
        return;
    if (u->client_end)
        shutdown(bufferevent_getfd(bev), SHUT_WR);
    else
        http_stream_read_start(u->stream);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct upgrade *u = arg;

    (void)bev;
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
        return;
    u->their_end = true;
    pump(u);
}

static void write_head(struct invocation *v, struct evbuffer *out)
{
    static const char *const dropped[] = {"Authorization", "Content-Length", "Transfer-Encoding", "Expect", "TE", "Trailer", "Keep-Alive"};
    const char *name, *value;

    evbuffer_add_printf(out, "%s %s HTTP/1.1\r\n", http_req_method(v->req), v->path);
    for (size_t i = 0; http_req_header_at(v->req, i, &name, &value); i++) {
        bool drop = false;
        for (size_t k = 0; k < ARRAY_LEN(dropped); k++)
            drop |= strcasecmp(dropped[k], name) == 0;
        if (!drop)
            evbuffer_add_printf(out, "%s: %s\r\n", name, value);
    }
    evbuffer_add_printf(out, "X-Forwarded-Proto: https\r\n\r\n");
}

struct upgrade *upgrade_new(struct invocation *v, const struct instance *in)
{
    struct upgrade *u = xcalloc(1, sizeof(*u));
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(in->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (in->net != NULL)
        sa.sin_addr = in->net->addr;
    u->v = v;
    u->bev = bufferevent_socket_new(loop_base(v->sim->loop), -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    bufferevent_setcb(u->bev, on_read, on_write, on_event, u);
    write_head(v, bufferevent_get_output(u->bev));
    bufferevent_enable(u->bev, EV_READ | EV_WRITE);
    (void)bufferevent_socket_connect(u->bev, (struct sockaddr *)&sa, sizeof(sa)); /* a failure is an event */
    return u;
}
