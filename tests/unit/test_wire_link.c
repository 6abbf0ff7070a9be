/*
 * The link: both ends back to back, with and without WebSocket; pings, silence, the ways to end.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/link.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "tests/unit/harness.h"
#include "wire/ws.h"

#define MS INT64_C(1000000)

struct ends {
    struct link *daemon, *agent;
    unsigned requests, answers;
    struct skl_error closed;      /* of the request */
    struct skl_error daemon_err, agent_err;
    int64_t now;
    size_t piece;
    bool hold;                    /* don't answer */
};

static void on_request(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    static const struct h2_stream_ops none;
    struct ends *e = arg;

    (void)head;
    e->requests++;
    h2_stream_set_ops(st, &none, NULL);
    if (!e->hold)
        h2_respond_bytes(st, 200, NULL, "ok", 2);
}

static void on_end(void *arg, struct h2_stream *st)
{
    struct ends *e = arg;

    (void)st;
    e->answers++;
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct ends *e = arg;

    (void)st;
    if (err != NULL)
        e->closed = *err;
}

static const struct h2_ops ops = {.on_request = on_request};
static const struct h2_stream_ops stream_ops = {.on_end = on_end, .on_close = on_close};

static void ends_init(struct ends *e, bool raw)
{
    struct link_opts d = {.role = LINK_DAEMON, .raw = raw, .ping_ns = 100 * MS};
    struct link_opts a = {.role = LINK_AGENT, .raw = raw, .ping_ns = 100 * MS};

    memset(e, 0, sizeof(*e));
    e->now = 1000 * MS;
    e->daemon = link_new(&d, &ops, e);
    e->agent = link_new(&a, &ops, e);
}

static void ends_fini(struct ends *e)
{
    link_free(e->daemon);
    link_free(e->agent);
}

static size_t carry(struct ends *e, struct link *from, struct link *to, struct skl_error *err)
{
    uint8_t *scratch = xmalloc(LINK_SCRATCH_SIZE);
    const uint8_t *p = NULL;
    size_t n = link_output(from, scratch, LINK_SCRATCH_SIZE, &p);

    for (size_t at = 0; at < n && err->kind == 0;) {
        size_t piece = e->piece > 0 && e->piece < n - at ? e->piece : n - at;
        uint8_t *copy = xmemdup(p + at, piece);
        link_feed(to, copy, piece, e->now, err);
        free(copy);
        at += piece;
    }
    free(scratch);
    return n;
}

static void pump(struct ends *e)
{
    while (carry(e, e->daemon, e->agent, &e->agent_err) + carry(e, e->agent, e->daemon, &e->daemon_err) > 0)
        continue;
}

static void request(struct ends *e)
{
    CU_ASSERT_PTR_NOT_NULL(h2_request(link_h2(e->daemon), "GET", "/", NULL, NULL, &stream_ops, e, NULL));
}

static void test_exchange(void)
{
    for (size_t i = 0; i < 60; i++) {
        struct ends e;
        ends_init(&e, i % 2 == 0);
        e.piece = i / 2;
        request(&e);
        request(&e);
        CU_ASSERT_TRUE(link_wants_output(e.daemon));
        pump(&e);
        UNIT_INT_EQ(e.requests, 2);
        UNIT_INT_EQ(e.answers, 2);
        CU_ASSERT_FALSE(link_wants_output(e.daemon) || link_wants_output(e.agent));
        ends_fini(&e);
    }
}

static void test_pings_keep_alive(void)
{
    struct ends e;

    ends_init(&e, false);
    for (int i = 0; i < 20; i++) {
        int64_t next = link_tick(e.daemon, e.now, NULL);
        CU_ASSERT_TRUE(next > e.now);
        CU_ASSERT_TRUE(link_tick(e.agent, e.now, NULL) > e.now);
        pump(&e);
        e.now = next;
    }
    ends_fini(&e);
}

static void test_silence(void)
{
    struct ends e;
    int64_t next, start;
    unsigned ticks = 0;

    ends_init(&e, false);
    start = e.now;
    while ((next = link_tick(e.daemon, e.now, &e.daemon_err)) >= 0 && ticks++ < 100) {
        carry(&e, e.daemon, e.agent, &e.agent_err); /* nothing comes back */
        e.now = next;
    }
    UNIT_INT_EQ(e.now - start, 250 * MS);
    UNIT_INT_EQ(e.daemon_err.kind, SKL_ERR_UNAVAILABLE);
    ends_fini(&e);
}

/* The agent ends a finished run: what is open is answered, then the close frame. */
static void test_shutdown(void)
{
    struct ends e;

    ends_init(&e, false);
    request(&e);
    pump(&e);
    link_shutdown(e.agent, WS_CLOSE_NORMAL, "finished");
    pump(&e);
    UNIT_INT_EQ(e.answers, 1);
    UNIT_INT_EQ(e.daemon_err.kind, SKL_ERR_UNAVAILABLE);
    UNIT_INT_EQ(e.daemon_err.detail, WS_CLOSE_NORMAL);
    CU_ASSERT_TRUE(link_is_done(e.agent));
    CU_ASSERT_TRUE(link_is_done(e.daemon));
    ends_fini(&e);
}

/* The daemon releases a container: no waiting for streams. */
static void test_hangup(void)
{
    struct ends e;

    ends_init(&e, false);
    e.hold = true;
    request(&e);
    pump(&e);
    link_hangup(e.daemon, WS_CLOSE_NORMAL, "released");
    pump(&e);
    UNIT_INT_EQ(e.agent_err.detail, WS_CLOSE_NORMAL);
    UNIT_STR_EQ(e.agent_err.message, "the peer closed the connection (1000: released)");
    CU_ASSERT_TRUE(link_is_done(e.daemon));
    CU_ASSERT_TRUE(link_is_done(e.agent));
    link_close(e.daemon, &e.agent_err);
    UNIT_INT_EQ(e.closed.kind, SKL_ERR_UNAVAILABLE);
    ends_fini(&e);
}

static void test_ws_ping_is_answered(void)
{
    struct ends e;
    uint8_t frame[WS_CONTROL_FRAME_MAX], scratch[8192];
    const uint8_t *p;
    size_t n = ws_control_encode(frame, WS_OP_PING, "abc", 3, true);

    ends_init(&e, false);
    UNIT_INT_EQ(link_feed(e.daemon, frame, n, e.now, NULL), 0);
    n = link_output(e.daemon, scratch, sizeof(scratch), &p);
    UNIT_INT_EQ(n, 5);
    CU_ASSERT_EQUAL(memcmp(p, "\x8a\x03" "abc", 5), 0);
    ends_fini(&e);
}

static void feed_bad(const void *bytes, size_t n, uint16_t want_code)
{
    struct ends e;
    uint8_t copy[256], scratch[8192];
    const uint8_t *p;
    size_t got = 0, len;

    ends_init(&e, false);
    memcpy(copy, bytes, n);
    UNIT_INT_EQ(link_feed(e.agent, copy, n, e.now, NULL), -1);
    while ((len = link_output(e.agent, scratch, sizeof(scratch), &p)) > 0)
        got = len;
    CU_ASSERT_TRUE(link_is_done(e.agent));
    CU_ASSERT_TRUE_FATAL(got >= 8);
    CU_ASSERT_EQUAL(scratch[0], 0x88);
    ws_mask(scratch + 6, 2, scratch + 2, 0);
    UNIT_INT_EQ(scratch[6] << 8 | scratch[7], want_code);
    ends_fini(&e);
}

static void test_garbage(void)
{
    feed_bad("\x81\x02hi", 4, WS_CLOSE_UNSUPPORTED);
    feed_bad("\x82\x18" "GET / HTTP/1.1\r\nHost: x\r\n", 26, WS_CLOSE_PROTOCOL);
    feed_bad("\xff\xff", 2, WS_CLOSE_PROTOCOL);
}

UNIT_MAIN("wire_link", UNIT(test_exchange), UNIT(test_pings_keep_alive), UNIT(test_silence), UNIT(test_shutdown),
          UNIT(test_hangup), UNIT(test_ws_ping_is_answered), UNIT(test_garbage))
