/*
 * HTTP/2 sessions: two of them back to back, bytes carried over in pieces of any size.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/h2.h"
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

#define WINDOW 65536u

/* One side of an exchange: a body source of a counter pattern, and what arrived. */
struct side {
    struct h2_stream *st;
    uint64_t to_send, sent;
    bool hold;            /* the source has nothing for now */
    bool abort_at_end;
    bool consume;         /* as the bytes arrive */
    struct buf got;
    uint64_t got_len;
    bool pattern_broken;
    bool ended;
    int status;
    size_t credit;
    unsigned heads, continues, closes;
    struct skl_error close_err;
    char path[256], method[16], x[32];
};

struct pair {
    struct h2 *client, *server;
    struct side c, s;
    unsigned wakes, pongs, goaways;
    char goaway_debug[64];
    size_t piece;         /* bytes fed at a time; 0: all */
    size_t out_size;
    void (*on_request)(struct pair *p);
};

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 131 + (i >> 8));
}

static ssize_t pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    static uint8_t chunk[100000];
    struct side *sd = arg;
    size_t n = max < sizeof(chunk) ? max : sizeof(chunk);

    if (sd->hold)
        return H2_BODY_WAIT;
    if (n > sd->to_send - sd->sent)
        n = (size_t)(sd->to_send - sd->sent);
    for (size_t i = 0; i < n; i++)
        chunk[i] = pattern(sd->sent + i);
    sd->sent += n;
    *ret_p = chunk;
    if (sd->abort_at_end && n == 0)
        return H2_BODY_ABORT;
    *ret_eof = sd->sent == sd->to_send && !sd->abort_at_end;
    return (ssize_t)n;
}

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    struct side *sd = arg;
    const char *x = h2_head_get(head, "x-test");

    (void)st;
    sd->heads++;
    sd->status = head->status;
    if (x != NULL)
        memcpy(sd->x, x, strlen(x) + 1);
}

static void on_continue(void *arg, struct h2_stream *st)
{
    struct side *sd = arg;

    (void)st;
    sd->continues++;
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct side *sd = arg;

    for (size_t i = 0; i < n; i++) {
        if (p[i] != pattern(sd->got_len + i))
            sd->pattern_broken = true;
    }
    sd->got_len += n;
    buf_append(&sd->got, p, n);
    if (sd->consume)
        h2_stream_consume(st, n);
}

static void on_end(void *arg, struct h2_stream *st)
{
    struct side *sd = arg;

    (void)st;
    sd->ended = true;
}

static void on_credit(void *arg, struct h2_stream *st, size_t n)
{
    struct side *sd = arg;

    (void)st;
    sd->credit += n;
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct side *sd = arg;

    CU_ASSERT_PTR_EQUAL(st, sd->st);
    sd->closes++;
    sd->st = NULL;
    if (err != NULL)
        sd->close_err = *err;
}

static const struct h2_stream_ops side_ops = {.on_head = on_head,
                                              .on_continue = on_continue,
                                              .on_data = on_data,
                                              .on_end = on_end,
                                              .on_credit = on_credit,
                                              .on_close = on_close};

static void on_wake(void *arg)
{
    struct pair *p = arg;

    p->wakes++;
}

static void on_request(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    struct pair *p = arg;

    strncpy(p->s.path, head->path, sizeof(p->s.path) - 1);
    strncpy(p->s.method, head->method, sizeof(p->s.method) - 1);
    on_head(&p->s, st, head);
    if (p->on_request == NULL)
        return;
    p->s.st = st;
    h2_stream_set_ops(st, &side_ops, &p->s);
    p->on_request(p);
}

static void on_pong(void *arg)
{
    struct pair *p = arg;

    p->pongs++;
}

static void on_goaway(void *arg, uint32_t code, const char *debug)
{
    struct pair *p = arg;

    (void)code;
    p->goaways++;
    strncpy(p->goaway_debug, debug, sizeof(p->goaway_debug) - 1);
}

static const struct h2_ops pair_ops = {
    .on_wake = on_wake, .on_request = on_request, .on_pong = on_pong, .on_goaway = on_goaway};

static void pair_init(struct pair *p)
{
    struct h2_opts co = {.server = false, .stream_window = WINDOW}, so = {.server = true, .stream_window = WINDOW};

    memset(p, 0, sizeof(*p));
    buf_init(&p->c.got, 1 << 20);
    buf_init(&p->s.got, 1 << 20);
    p->c.consume = p->s.consume = true;
    p->out_size = 300000;
    p->client = h2_new(&co, &pair_ops, p);
    p->server = h2_new(&so, &pair_ops, p);
}

static void pair_fini(struct pair *p)
{
    h2_free(p->client);
    h2_free(p->server);
    buf_fini(&p->c.got);
    buf_fini(&p->s.got);
}

/* Carries what `from` has to say over to `to`. Returns the number of bytes. */
static size_t carry(struct pair *p, struct h2 *from, struct h2 *to)
{
    uint8_t *buf = xmalloc(p->out_size);
    ssize_t n = h2_output(from, buf, p->out_size, NULL);

    CU_ASSERT_TRUE(n >= 0);
    for (ssize_t at = 0; at < n;) {
        size_t piece = p->piece > 0 ? p->piece : (size_t)n;
        if (piece > (size_t)(n - at))
            piece = (size_t)(n - at);
        UNIT_INT_EQ(h2_feed(to, buf + at, piece, NULL), 0);
        at += (ssize_t)piece;
    }
    free(buf);
    return n > 0 ? (size_t)n : 0;
}

static void pump(struct pair *p)
{
    while (carry(p, p->client, p->server) + carry(p, p->server, p->client) > 0)
        continue;
}

static void start_with(struct pair *p, const char *method, const char *path, const char *const *headers, bool body)
{
    struct h2_body b = {.pull = pull, .arg = &p->c};

    p->c.st = h2_request(p->client, method, path, headers, body ? &b : NULL, &side_ops, &p->c, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p->c.st);
}

static void start(struct pair *p, const char *method, const char *path, bool body)
{
    static const char *const headers[] = {"x-test", "1", NULL};

    start_with(p, method, path, headers, body);
}

static void answer_hello(struct pair *p)
{
    CU_ASSERT_TRUE(h2_respond_bytes(p->s.st, 200, "text/plain", "hello", 5));
    CU_ASSERT_FALSE(h2_respond_bytes(p->s.st, 200, "text/plain", "again", 5));
}

static void test_simple(void)
{
    for (size_t piece = 0; piece < 30; piece++) {
        struct pair p;
        pair_init(&p);
        p.piece = piece;
        p.on_request = answer_hello;
        start(&p, "GET", "/hello?x=%2F", false);
        CU_ASSERT_TRUE(p.wakes >= 1);
        pump(&p);
        UNIT_STR_EQ(p.s.method, "GET");
        UNIT_STR_EQ(p.s.path, "/hello?x=%2F");
        UNIT_STR_EQ(p.s.x, "1");
        CU_ASSERT_TRUE(p.s.ended);
        UNIT_INT_EQ(p.c.status, 200);
        UNIT_STR_EQ(buf_str(&p.c.got), "hello");
        UNIT_INT_EQ(p.c.closes, 1);
        UNIT_INT_EQ(p.s.closes, 1);
        UNIT_STR_EQ(p.c.close_err.message, "");
        UNIT_INT_EQ(h2_streams(p.client) + h2_streams(p.server), 0);
        pair_fini(&p);
    }
}

static void test_nobody_handles(void)
{
    struct pair p;

    pair_init(&p);
    start(&p, "GET", "/nothing", false);
    pump(&p);
    UNIT_INT_EQ(p.c.status, 404);
    UNIT_STR_EQ(buf_str(&p.c.got), "{\"message\":\"no such resource\",\"kind\":4}");
    pair_fini(&p);
}

static void answer_stream(struct pair *p)
{
    struct h2_body b = {.pull = pull, .arg = &p->s};
    static const char *const headers[] = {"x-test", "response", NULL};

    h2_stream_keep_open(p->s.st);
    h2_respond(p->s.st, 200, headers, &b);
}

/* Bodies both ways at once, through windows and buffers of odd sizes. */
static void test_bodies(void)
{
    static const size_t outs[] = {4096, 5000, 70000, 300000}, pieces[] = {0, 1000, 16384};

    for (size_t i = 0; i < ARRAY_LEN(outs) * ARRAY_LEN(pieces); i++) {
        struct pair p;
        pair_init(&p);
        p.out_size = outs[i % ARRAY_LEN(outs)];
        p.piece = pieces[i / ARRAY_LEN(outs)];
        p.on_request = answer_stream;
        p.c.to_send = 1000001;
        p.s.to_send = 777777;
        start(&p, "POST", "/both", true);
        pump(&p);
        UNIT_STR_EQ(p.c.x, "response");
        UNIT_INT_EQ(p.s.got_len, 1000001);
        UNIT_INT_EQ(p.c.got_len, 777777);
        CU_ASSERT_FALSE(p.s.pattern_broken || p.c.pattern_broken);
        CU_ASSERT_TRUE(p.c.ended && p.s.ended);
        UNIT_INT_EQ(p.c.closes + p.s.closes, 2);
        pair_fini(&p);
    }
}

/* What is not consumed is not sent beyond the window, and other streams go on meanwhile. */
static void test_back_pressure(void)
{
    struct pair p;
    struct h2_stream *slow;

    pair_init(&p);
    p.on_request = answer_stream;
    p.s.to_send = 1000000;
    p.c.consume = false;
    start(&p, "GET", "/slow", false);
    pump(&p);
    UNIT_INT_EQ(p.c.got_len, WINDOW);
    UNIT_INT_EQ(h2_stream_unconsumed(p.c.st), WINDOW);
    UNIT_INT_EQ(h2_stream_peer_window(p.s.st), 0);
    UNIT_INT_EQ(p.s.credit, 0);
    slow = p.c.st;
    h2_stream_consume(slow, 40000);
    pump(&p);
    UNIT_INT_EQ(p.s.credit, 40000);
    UNIT_INT_EQ(p.c.got_len, WINDOW + 40000);
    p.c.consume = true;
    h2_stream_consume(slow, WINDOW);
    pump(&p);
    UNIT_INT_EQ(p.c.got_len, 1000000);
    UNIT_INT_EQ(p.c.closes, 1);
    pair_fini(&p);
}

static void test_wait_and_resume(void)
{
    struct pair p;

    pair_init(&p);
    p.on_request = answer_stream;
    p.s.to_send = 10;
    p.s.hold = true;
    start(&p, "GET", "/later", false);
    pump(&p);
    UNIT_INT_EQ(p.c.heads, 1);
    UNIT_INT_EQ(p.c.got_len, 0);
    p.s.hold = false;
    p.wakes = 0;
    h2_stream_resume(p.s.st);
    UNIT_INT_EQ(p.wakes, 1);
    pump(&p);
    UNIT_INT_EQ(p.c.got_len, 10);
    UNIT_INT_EQ(p.c.closes, 1);
    pair_fini(&p);
}

static void test_abort(void)
{
    struct pair p;

    pair_init(&p);
    p.on_request = answer_stream;
    p.s.to_send = 10;
    p.s.abort_at_end = true;
    start(&p, "GET", "/short", false);
    pump(&p);
    CU_ASSERT_FALSE(p.c.ended);
    UNIT_INT_EQ(p.c.close_err.kind, SKL_ERR_CANCELED);
    UNIT_INT_EQ(p.s.close_err.kind, SKL_ERR_CANCELED);
    pair_fini(&p);
}

static void answer_nothing(struct pair *p)
{
    (void)p;
}

static void test_cancel(void)
{
    struct pair p;

    pair_init(&p);
    p.on_request = answer_nothing;
    start(&p, "GET", "/x", false);
    pump(&p);
    h2_stream_cancel(p.c.st);
    pump(&p);
    UNIT_INT_EQ(p.c.closes, 1);
    UNIT_INT_EQ(p.s.closes, 1);
    UNIT_INT_EQ(p.c.close_err.kind, SKL_ERR_CANCELED);
    UNIT_INT_EQ(p.s.close_err.kind, SKL_ERR_CANCELED);
    /* before anything was sent */
    start(&p, "GET", "/y", false);
    h2_stream_cancel(p.c.st);
    pump(&p);
    UNIT_INT_EQ(p.c.closes, 2);
    UNIT_INT_EQ(h2_streams(p.client), 0);
    pair_fini(&p);
}

static void test_abandon(void)
{
    struct pair p;

    pair_init(&p);
    p.on_request = answer_stream;
    p.s.to_send = 1000000;
    p.c.consume = false;
    start(&p, "GET", "/x", false);
    pump(&p);
    h2_stream_abandon(p.c.st);
    pump(&p);
    UNIT_INT_EQ(p.c.closes, 0);
    UNIT_INT_EQ(p.s.closes, 1);
    UNIT_INT_EQ(h2_streams(p.client), 0);
    pair_fini(&p);
}

static void answer_refusal(struct pair *p)
{
    struct skl_error why = {.kind = SKL_ERR_CONFLICT, .message = "no \"body\""};

    h2_respond_error(p->s.st, 0, &why);
}

/* A complete answer before the body: the rest isn't wanted, and it isn't an error. */
static void test_early_answer(void)
{
    struct pair p;

    pair_init(&p);
    p.on_request = answer_refusal;
    p.s.consume = false;
    p.c.to_send = 10000000;
    start(&p, "PUT", "/x", true);
    pump(&p);
    UNIT_INT_EQ(p.c.status, 409);
    UNIT_STR_EQ(buf_str(&p.c.got), "{\"message\":\"no \\\"body\\\"\",\"kind\":5}");
    UNIT_INT_EQ(p.c.closes, 1);
    UNIT_INT_EQ(p.c.close_err.kind, 0);
    CU_ASSERT_TRUE(p.c.sent < 1000000);
    pair_fini(&p);
}

/* A short body that is on its way is let come; one that is not sent unasked is not waited for. */
static void test_early_answer_short_body(void)
{
    static const char *const heads[][5] = {{"content-length", "5", NULL},
                                           {"content-length", "5", "expect", "100-continue", NULL},
                                           {"content-length", "16385", NULL}};

    for (size_t i = 0; i < 3; i++) {
        struct pair p;
        pair_init(&p);
        p.on_request = answer_refusal;
        p.s.consume = false;
        p.c.hold = true;
        p.c.to_send = 5;
        start_with(&p, "PUT", "/x", heads[i], true);
        pump(&p);
        UNIT_INT_EQ(p.c.status, 409);
        UNIT_INT_EQ(p.c.closes, i == 0 ? 0 : 1);
        if (p.c.closes == 0) {
            p.c.hold = false;
            h2_stream_resume(p.c.st);
            pump(&p);
        }
        UNIT_INT_EQ(p.c.sent, i == 0 ? 5 : 0);
        UNIT_INT_EQ(p.c.closes, 1);
        UNIT_INT_EQ(p.s.closes, 1);
        UNIT_INT_EQ(p.c.close_err.kind, 0);
        UNIT_INT_EQ(p.s.close_err.kind, 0);
        pair_fini(&p);
    }
}

static void answer_continue(struct pair *p)
{
    h2_continue(p->s.st);
}

static void test_continue(void)
{
    struct pair p;

    pair_init(&p);
    p.on_request = answer_continue;
    p.c.hold = true;
    p.c.to_send = 3;
    start(&p, "PUT", "/x", true);
    pump(&p);
    UNIT_INT_EQ(p.c.continues, 1);
    UNIT_INT_EQ(p.c.heads, 0);
    p.c.hold = false;
    h2_stream_resume(p.c.st);
    pump(&p);
    UNIT_INT_EQ(p.s.got_len, 3);
    answer_hello(&p);
    pump(&p);
    UNIT_INT_EQ(p.c.status, 200);
    pair_fini(&p);
}

static void test_json_request(void)
{
    struct pair p;

    pair_init(&p);
    p.on_request = answer_hello;
    p.c.st = h2_request_json(p.client, "POST", "/process", "{\"a\":1}", 7, &side_ops, &p.c, NULL);
    pump(&p);
    UNIT_STR_EQ(buf_str(&p.s.got), "{\"a\":1}");
    UNIT_INT_EQ(p.c.status, 200);
    pair_fini(&p);
}

static void test_ping_goaway(void)
{
    struct pair p;

    pair_init(&p);
    p.on_request = answer_nothing;
    h2_ping(p.client);
    pump(&p);
    UNIT_INT_EQ(p.pongs, 1);
    start(&p, "GET", "/open", false);
    pump(&p);
    h2_goaway(p.server, "terminating");
    pump(&p);
    UNIT_INT_EQ(p.goaways, 1);
    UNIT_STR_EQ(p.goaway_debug, "terminating");
    CU_ASSERT_PTR_NULL(h2_request(p.client, "GET", "/new", NULL, NULL, &side_ops, &p.c, NULL));
    CU_ASSERT_TRUE(h2_is_open(p.server));
    answer_hello(&p);
    pump(&p);
    UNIT_STR_EQ(buf_str(&p.c.got), "hello"); /* streams that were open go on */
    CU_ASSERT_FALSE(h2_is_open(p.server));
    pair_fini(&p);
}

static void test_close_ends_streams(void)
{
    struct pair p;

    pair_init(&p);
    p.on_request = answer_nothing;
    start(&p, "GET", "/open", false);
    pump(&p);
    h2_close(p.client, NULL);
    UNIT_INT_EQ(p.c.closes, 1);
    UNIT_INT_EQ(p.c.close_err.kind, SKL_ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NULL(h2_request(p.client, "GET", "/new", NULL, NULL, &side_ops, &p.c, NULL));
    pair_fini(&p);
    UNIT_INT_EQ(p.s.closes, 1);
}

static void test_garbage(void)
{
    struct pair p;
    struct skl_error err = {0};
    static const char junk[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    pair_init(&p);
    UNIT_INT_EQ(h2_feed(p.server, (const uint8_t *)junk, sizeof(junk) - 1, &err), -1);
    UNIT_INT_EQ(err.kind, SKL_ERR_INVALID);
    pair_fini(&p);
}

static void test_oversized_headers(void)
{
    struct pair p;
    char big[20000];
    const char *headers[] = {"x-big", big, NULL};

    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    pair_init(&p);
    p.on_request = answer_hello;
    p.c.st = h2_request(p.client, "GET", "/", headers, NULL, &side_ops, &p.c, NULL);
    pump(&p);
    UNIT_INT_EQ(p.s.heads, 0);
    UNIT_INT_EQ(p.c.closes, 1);
    CU_ASSERT_TRUE(p.c.close_err.kind != 0);
    pair_fini(&p);
}

UNIT_MAIN("wire_h2", UNIT(test_simple), UNIT(test_nobody_handles), UNIT(test_bodies), UNIT(test_back_pressure),
          UNIT(test_wait_and_resume), UNIT(test_abort), UNIT(test_cancel), UNIT(test_abandon),
          UNIT(test_early_answer), UNIT(test_early_answer_short_body),
          UNIT(test_continue), UNIT(test_json_request), UNIT(test_ping_goaway),
          UNIT(test_close_ends_streams), UNIT(test_garbage), UNIT(test_oversized_headers))
