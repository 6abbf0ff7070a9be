/*
 * daemon/agents.c - see agents.h.
 *
 * GET /v1/agent?container=ID with a bearer token, WebSocket version 13. The token is checked before anything is upgraded.
 * Whoever has no token learns nothing: an unknown container and a wrong token get the same 401.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "daemon/agents.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/chain.h"
#include "http/server.h"
#include "wire/link.h"
#include "wire/ws.h"

#define DIAL_BOOT_ID_MAX 64
#define REFUSALS_MAX 10u /* told one by one, in REFUSALS_NS */
#define REFUSALS_NS (60 * NS_PER_S)

struct agent_link {
    struct http_stream *stream;
    struct agent_conn *conn;
};

/* ---- the transport the chain writes to ---- */
static void transport_write(void *t, const void *h, size_t hn, const void *p, size_t n)
{
    http_stream_write2(((struct agent_link *)t)->stream, h, hn, p, n);
}

static size_t transport_pending(void *t)
{
    return http_stream_pending(((struct agent_link *)t)->stream);
}

static void transport_read_pause(void *t)
{
    http_stream_read_pause(((struct agent_link *)t)->stream);
}

static void transport_read_resume(void *t)
{
    http_stream_read_start(((struct agent_link *)t)->stream);
}

static void transport_close(void *t)
{
    struct agent_link *l = t;

    http_stream_close(l->stream);
    free(l);
}

static void transport_abort(void *t)
{
    struct agent_link *l = t;

    http_stream_abort(l->stream);
    free(l);
}

static const struct agent_transport_ops transport_ops = {
    .write = transport_write,
    .pending = transport_pending,
    .read_pause = transport_read_pause,
    .read_resume = transport_read_resume,
    .close = transport_close,
    .abort = transport_abort,
};

/* ---- the connection the chain hears from ---- */
static bool on_data(void *arg, const char *p, size_t n)
{
    return agent_conn_on_data(((struct agent_link *)arg)->conn, p, n);
}

static void on_drain(void *arg)
{
    agent_conn_on_drain(((struct agent_link *)arg)->conn);
}

static void on_gone(void *arg)
{
    struct agent_link *l = arg;

    agent_conn_on_gone(l->conn);
    http_stream_abort(l->stream);
    free(l);
}

/* A WebSocket peer that half-closes has nothing more to say; the link needs both ways. */
static const struct http_stream_ops stream_ops = {
    .on_data = on_data,
    .on_eof = on_gone,
    .on_drain = on_drain,
    .on_gone = on_gone,
};

/* ---- the handshake ---- */
static void refuse(struct http_req *req, int status, const char *message)
{
    http_res_close(req);
    if (status == 401)
        http_res_header(req, "WWW-Authenticate", "Bearer");
    if (status == 426)
        http_res_header(req, "Sec-WebSocket-Version", "13");
    http_res_send(req, status, "text/plain; charset=utf-8", message, strlen(message));
}

static const char *bearer(const struct http_req *req)
{
    const char *v = http_req_header(req, "Authorization");

    if (v == NULL || strncasecmp(v, "Bearer ", 7) != 0)
        return "";
    return v + 7 + strspn(v + 7, " ");
}

/* The door faces the internet: whoever knocks all day must not fill the log. */
static void log_refusal(const struct http_req *req, const char *id, const struct skl_error *err)
{
    static int64_t since;
    static unsigned n, hidden;
    int64_t now = clock_mono();

    if (since == 0 || now - since >= REFUSALS_NS) {
        if (hidden > 0)
            log_warn("agents", "%u more dials were refused", hidden);
        since = now;
        n = hidden = 0;
    }
    if (n++ < REFUSALS_MAX)
        log_warn("agents", "refused %s for container %.64s: %s", http_req_peer(req), id, err->message);
    else
        hidden++;
}

static bool may_link(struct http_req *req, struct chain *chain, const char *id)
{
    struct skl_error err = {0};
    int status;

    if (chain_agent_check(chain, id, bearer(req), &err) < 0) {
        log_refusal(req, id, &err);
        refuse(req, 401, "unauthorized\n");
        return false;
    }
    status = ws_server_check(http_req_method(req), http_req_header(req, "Connection"), http_req_header(req, "Upgrade"),
                             http_req_header(req, "Sec-WebSocket-Version"), http_req_header(req, "Sec-WebSocket-Key"),
                             &err);
    if (status != 0)
        refuse(req, status, err.message);
    return status == 0;
}

/* The request's memory is gone after the hijack, so boot_id is a copy. */
static void read_dial(struct http_req *req, struct agent_dial *ret, char boot_id[DIAL_BOOT_ID_MAX + 1])
{
    const char *boot = http_req_header(req, "Sockerless-Boot-Id"), *link = http_req_header(req, "Sockerless-Link");

    if (boot != NULL && strlen(boot) <= DIAL_BOOT_ID_MAX) {
        memcpy(boot_id, boot, strlen(boot) + 1);
        ret->boot_id = boot_id;
    }
    if (link != NULL)
        (void)str_to_u64(link, 0, UINT64_MAX, &ret->link);
}

void agents_on_request(struct http_req *req, void *arg)
{
    struct chain *chain = arg;
    const char *id = http_req_query(req, "container");
    CLEANUP(free_p) char *container = xstrdup(id != NULL ? id : "");
    struct agent_dial dial = {0};
    char boot_id[DIAL_BOOT_ID_MAX + 1] = "";
    char accept[WS_ACCEPT_SIZE];
    struct agent_link *l;

    if (strcmp(http_req_path(req), LINK_PATH) != 0) {
        refuse(req, 404, "not found\n");
        return;
    }
    if (!may_link(req, chain, container))
        return;
    ws_accept(http_req_header(req, "Sec-WebSocket-Key"), accept);
    http_res_header(req, "Sec-WebSocket-Accept", "%s", accept);
    read_dial(req, &dial, boot_id);
    l = xcalloc(1, sizeof(*l));
    l->stream = http_req_hijack(req, "websocket", NULL);
    l->conn = chain_agent_accept(chain, container, &dial, &transport_ops, l);
    http_stream_set_ops(l->stream, &stream_ops, l);
    http_stream_read_start(l->stream);
}
