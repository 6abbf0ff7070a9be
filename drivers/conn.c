/*
 * drivers/conn.c - one connection of an agent.
 *
 * All entry points below run at the top of the loop's stack (data arrived, drained, timer, soon), so the link may
 * be fed, flushed and closed there. Everything else only asks (conn_shutdown, conn_drop), since it may run
 * inside the link's callbacks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/ws.h"

#define CONN_PENDING_HIGH (128u * 1024) /* bytes with the transport above which the link is not pulled */
/* What an agent may send ahead on one stream waits here when the client is slow: memory for each slow client. */
#define CONN_STREAM_WINDOW (512u * 1024)
_Static_assert(CONN_STREAM_WINDOW <= LINK_STREAM_WINDOW, "agents keep one LINK_STREAM_WINDOW until it is acknowledged");

static void conn_free(struct agent_conn *ac)
{
    timer_fini(&ac->tick);
    soon_cancel(&ac->flush);
    soon_cancel(&ac->ending);
    list_remove(&ac->in_chain);
    link_free(ac->link);
    free(ac);
}

/* The end of a connection, at the top of the stack. The transport is closed unless it is gone already. */
static void conn_end(struct agent_conn *ac, const struct skl_error *why, bool orderly)
{
    struct peer *p = ac->peer;
    bool current = p->conn == ac;

    if (current)
        p->conn = NULL;
    link_close(ac->link, why);
    if (ac->transport) {
        if (orderly)
            ac->ops->close(ac->transport);
        else
            ac->ops->abort(ac->transport);
    }
    conn_free(ac);
    if (current)
        peer_on_lost(p, why, false);
    peer_changed(p);
}

static void conn_flush(struct agent_conn *ac)
{
    struct chain *ch = ac->peer->ch;

    while (ac->transport && ac->ops->pending(ac->transport) < CONN_PENDING_HIGH) {
        const uint8_t *p;
        size_t n = link_output(ac->link, ch->scratch, SCRATCH_OUT_SIZE, &p);
        if (n == 0)
            break;
        ac->ops->write(ac->transport, NULL, 0, p, n);
    }
    if (link_is_done(ac->link)) {
        struct skl_error err = {0};
        error_set(&err, SKL_ERR_UNAVAILABLE, "the link was shut down");
        conn_end(ac, &err, true);
    }
}

static void on_flush(void *arg)
{
    conn_flush(arg);
}

static void on_ending(void *arg)
{
    struct agent_conn *ac = arg;

    conn_end(ac, &ac->why, false);
}

static void on_tick(void *arg)
{
    struct agent_conn *ac = arg;
    struct loop *loop = ac->peer->ch->loop;
    struct skl_error err = {0};
    int64_t now = loop_now(loop), next = link_tick(ac->link, now, &err);

    if (next < 0) {
        log_info("agent", "container %.12s: %s", ac->peer->id, err.message);
        conn_end(ac, &err, false);
        return;
    }
    timer_start(&ac->tick, next - now);
    conn_flush(ac);
}

/* ---- the link's session ---- */

static void on_wake(void *arg)
{
    struct agent_conn *ac = arg;

    loop_soon(ac->peer->ch->loop, &ac->flush);
}

static void on_goaway(void *arg, uint32_t code, const char *debug)
{
    struct agent_conn *ac = arg;

    log_debug("agent", "container %.12s: the agent goes away (%u %s)", ac->peer->id, code, debug);
    ac->leaving = true; /* takes no new requests */
}

static const struct h2_ops session_ops = {.on_wake = on_wake, .on_goaway = on_goaway};

static void on_hello(void *arg, const struct skl_error *err, const struct call_answer *a)
{
    struct agent_conn *ac = arg;

    if (err) {
        conn_drop(ac, err);
        return;
    }
    struct json_object *hello = json_tokener_parse(a->body);
    if (!json_object_is_type(hello, json_type_object)) {
        struct skl_error bad = {0};
        error_set(&bad, SKL_ERR_BAD_GATEWAY, "the agent's hello is not JSON");
        conn_drop(ac, &bad);
    } else {
        ac->ready = true;
        peer_on_ready(ac->peer, hello);
    }
    json_object_put(hello);
}

/* ---- the door ---- */

/* Whether the newcomer is older than the one we have: a dial that was overtaken. */
static bool is_stale(const struct peer *p, const struct agent_dial *dial)
{
    return p->conn && dial->boot_id && strcmp(p->boot_id, dial->boot_id) == 0 && dial->link < p->link_no;
}

static void take_over(struct peer *p, struct agent_conn *ac, const struct agent_dial *dial)
{
    struct agent_conn *old = p->conn;
    const char *boot = dial->boot_id ? dial->boot_id : "";

    if (strcmp(p->boot_id, boot) != 0) {
        p->delivered = 0;
        memcpy(p->boot_id, boot, strlen(boot) < BOOT_ID_SIZE ? strlen(boot) + 1 : 1);
    }
    p->link_no = dial->link;
    p->conn = ac;
    if (old) {
        struct skl_error why = {0};
        error_set(&why, SKL_ERR_UNAVAILABLE, "replaced by a newer connection of the agent");
        execs_on_lost(p);
        output_close(p);
        input_detach(p->input);
        conn_drop(old, &why);
    }
}

struct agent_conn *chain_agent_accept(struct chain *ch, const char *container_id, const struct agent_dial *dial,
                                      const struct agent_transport_ops *ops, void *transport)
{
    struct peer *p = peer_get(ch, container_id);
    struct agent_conn *ac = xcalloc(1, sizeof(*ac));
    struct link_opts lo = {.role = LINK_DAEMON, .stream_window = CONN_STREAM_WINDOW};

    ac->peer = p;
    list_push_back(&ch->conns, &ac->in_chain);
    ac->ops = ops;
    ac->transport = transport;
    ac->link = link_new(&lo, &session_ops, ac);
    soon_init(&ac->flush, on_flush, ac);
    soon_init(&ac->ending, on_ending, ac);
    timer_init(ch->loop, &ac->tick, on_tick, ac);
    timer_start(&ac->tick, 0);
    if (is_stale(p, dial)) {
        struct skl_error why = {0};
        error_set(&why, SKL_ERR_CONFLICT, "an older dial of the same agent");
        conn_drop(ac, &why);
        return ac;
    }
    take_over(p, ac, dial);
    peer_call(p, "GET", "/hello", NULL, on_hello, ac);
    loop_soon(ch->loop, &ac->flush);
    return ac;
}

bool agent_conn_on_data(struct agent_conn *ac, const void *data, size_t n)
{
    struct chain *ch = ac->peer->ch;
    const uint8_t *p = data;
    struct skl_error err = {0};

    while (n > 0) {
        size_t piece = n < SCRATCH_IN_SIZE ? n : SCRATCH_IN_SIZE;
        memcpy(ch->scratch_in, p, piece); /* unmasked in place */
        if (link_feed(ac->link, ch->scratch_in, piece, loop_now(ch->loop), &err) < 0) {
            log_debug("agent", "container %.12s: %s", ac->peer->id, err.message);
            conn_drop(ac, &err);
            return false;
        }
        p += piece;
        n -= piece;
    }
    loop_soon(ch->loop, &ac->flush);
    return true;
}

void agent_conn_on_drain(struct agent_conn *ac)
{
    conn_flush(ac);
}

void agent_conn_on_gone(struct agent_conn *ac)
{
    struct skl_error why = {0};

    ac->transport = NULL;
    error_set(&why, SKL_ERR_UNAVAILABLE, "the agent's connection was lost");
    conn_end(ac, &why, false);
}

void conns_free(struct chain *ch)
{
    struct skl_error why = {0};

    error_set(&why, SKL_ERR_CANCELED, "the daemon is shutting down");
    while (!list_empty(&ch->conns))
        conn_end(LIST_ENTRY(ch->conns.next, struct agent_conn, in_chain), &why, false);
}

void conn_shutdown(struct agent_conn *ac, const char *why)
{
    ac->leaving = true;
    link_shutdown(ac->link, WS_CLOSE_NORMAL, why);
    loop_soon(ac->peer->ch->loop, &ac->flush);
}

void conn_drop(struct agent_conn *ac, const struct skl_error *why)
{
    if (ac->failed)
        return;
    ac->failed = true;
    error_copy(&ac->why, why);
    loop_soon(ac->peer->ch->loop, &ac->ending);
}
