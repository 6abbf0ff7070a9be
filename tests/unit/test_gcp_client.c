/*
 * tests/unit/test_gcp_client.c - REST calls: retries, deadlines, gates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/fake.h"
#include "plugins/gcp/client.h"
#include "plugins/gcp/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL                "http://e/x"
#define ANSWER(code, text) ((struct fake_answer){.status = (code), .body = (text)})
#define LIMIT              "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"Quota exceeded\"}}"

static struct fake f;
static struct gcp_client client;

struct got {
    bool done, failed, ambiguous;
    int kind, code;
    int64_t time;
    char body[256], message[SKL_ERROR_MESSAGE_MAX];
};

static void begin(void)
{
    fake_init(&f);
    memset(&client, 0, sizeof(client));
    gcp_client_init(&client, &f.host);
    client.endpoint = "http://e";
    client.user_agent = "test/1";
}

static void end(void)
{
    gcp_client_fini(&client);
    fake_pass(&f, 0);
    fake_fini(&f);
}

static void on_reply(void *arg, const struct gcp_reply *r)
{
    struct got *g = arg;

    CU_ASSERT_FALSE(g->done);
    g->done = true;
    g->failed = r->error != NULL;
    g->ambiguous = r->ambiguous;
    g->time = f.mono;
    (void)snprintf(g->body, sizeof(g->body), "%.250s", r->body);
    if (r->error) {
        g->kind = r->error->kind;
        g->code = r->fault->code;
        (void)snprintf(g->message, sizeof(g->message), "%s", r->error->message);
    }
}

static struct gcp_call *start(struct got *g, enum gcp_policy policy, struct gcp_gate *gate)
{
    struct gcp_request req = {
        .method = "POST", .url = URL, .body = "{}", .body_len = 2, .what = "do x", .policy = policy};

    memset(g, 0, sizeof(*g));
    req.gate = gate;
    return gcp_call_start(&client, &req, on_reply, g);
}

static void run(struct got *g, enum gcp_policy policy)
{
    CU_ASSERT_PTR_NOT_NULL(start(g, policy, NULL));
    fake_run(&f, &g->done, 1000 * FAKE_SEC);
}

static void test_success(void)
{
    struct got g;
    const struct fake_request *r;

    begin();
    fake_on(&f, URL, 1, ANSWER(200, "{\"a\":1}"));
    run(&g, GCP_READ);
    CU_ASSERT_FALSE(g.failed);
    UNIT_STR_EQ(g.body, "{\"a\":1}");
    r = &f.requests[0];
    UNIT_STR_EQ(fake_header(r, "User-Agent"), "test/1");
    UNIT_STR_EQ(fake_header(r, "Content-Type"), "application/json");
    UNIT_INT_EQ(r->flags, SKL_HTTP_IDEMPOTENT);
    fake_on(&f, URL, 1, ANSWER(204, ""));
    run(&g, GCP_CREATE);
    CU_ASSERT_FALSE(g.failed);
    UNIT_INT_EQ(f.requests[1].flags, 0); /* the host must not replay it */
    end();
}

/* Doubling delays with jitter, within the deadline; the last fault is told. */
static void test_backoff(void)
{
    struct got g;

    begin();
    fake_on(&f, URL, FAKE_ALWAYS, ANSWER(503, "down"));
    run(&g, GCP_READ);
    UNIT_INT_EQ(g.kind, SKL_ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(g.message, "do x: UNAVAILABLE (HTTP 503): down"));
    CU_ASSERT(g.time <= 121 * FAKE_SEC && g.time > 60 * FAKE_SEC);
    CU_ASSERT(f.n_requests >= 6 && f.n_requests <= 12);
    for (size_t i = 2; i < f.n_requests; i++) {
        int64_t gap = f.requests[i].time - f.requests[i - 1].time;

        CU_ASSERT(gap >= FAKE_SEC / 2 && gap <= 49 * FAKE_SEC);
    }
    end();
}

/* RetryInfo and Retry-After are honoured; beyond the deadline there is no point in waiting. */
static void test_retry_after(void)
{
    struct got g;

    begin();
    fake_on(&f, URL, 1, ((struct fake_answer){.status = 503, .headers = "Retry-After: 20\n"}));
    fake_on(&f, URL, 1, ANSWER(200, "{}"));
    run(&g, GCP_READ);
    CU_ASSERT_FALSE(g.failed);
    CU_ASSERT(g.time >= 21 * FAKE_SEC);
    fake_on(&f, URL, 1,
            ANSWER(429, "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"m\","
                        "\"details\":[{\"@type\":"
                        "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"3600s\"}]}}"));
    run(&g, GCP_READ);
    CU_ASSERT_TRUE(g.failed);
    UNIT_INT_EQ(f.n_requests, 3);
    end();

    begin(); /* a date, by the server's clock; ours is an hour late */
    f.wall_offset = -3600 * FAKE_SEC;
    fake_on(&f, URL, 1,
            ((struct fake_answer){.status = 503,
                                  .headers = "Date: Thu, 01 Jan 2026 00:00:00 GMT\n"
                                             "Retry-After: Thu, 01 Jan 2026 00:00:20 GMT\n"}));
    fake_on(&f, URL, 1, ANSWER(200, "{}"));
    run(&g, GCP_READ);
    CU_ASSERT_FALSE(g.failed);
    CU_ASSERT(g.time >= 20 * FAKE_SEC && g.time < 30 * FAKE_SEC);
    end();
}

static void test_policies(void)
{
    struct got g;

    begin();
    fake_on(&f, URL, FAKE_ALWAYS, ANSWER(503, "down"));
    run(&g, GCP_ONCE);
    UNIT_INT_EQ(f.n_requests, 1);
    run(&g, GCP_TOKEN);
    UNIT_INT_EQ(f.n_requests, 4); /* three tries */
    end();

    begin();
    fake_on(&f, URL, 1, ((struct fake_answer){.sent = true}));
    fake_on(&f, URL, 1,
            ANSWER(409, "{\"error\":{\"code\":409,\"status\":\"ALREADY_EXISTS\",\"message\":\"m\"}}"));
    run(&g, GCP_CREATE);
    UNIT_INT_EQ(g.code, GCP_ALREADY_EXISTS);
    CU_ASSERT_TRUE(g.ambiguous);
    end();

    begin();
    fake_on(&f, URL, 1, ((struct fake_answer){.sent = false}));
    fake_on(&f, URL, 1,
            ANSWER(400, "{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"message\":\"m\"}}"));
    run(&g, GCP_CREATE);
    CU_ASSERT_FALSE(g.ambiguous);
    end();
}

/* Pitfall 17: many callers at a quota's end: they slow down together, all get through, none hammers. */
static void test_pitfall_17_gate(void)
{
    static struct got g[40];
    int64_t gap, least = FAKE_SEC;

    begin();
    fake_on(&f, URL, 40, ANSWER(429, LIMIT));
    fake_on(&f, URL, FAKE_ALWAYS, ANSWER(200, "{}"));
    for (int i = 0; i < 40; i++)
        (void)start(&g[i], GCP_CREATE, &client.writes);
    fake_pass(&f, 60 * FAKE_SEC);
    for (int i = 0; i < 40; i++)
        CU_ASSERT_TRUE(g[i].done && !g[i].failed);
    UNIT_INT_EQ(f.n_requests, 80);
    for (size_t i = 41; i < f.n_requests; i++) {
        gap = f.requests[i].time - f.requests[i - 1].time;
        least = gap < least ? gap : least;
        CU_ASSERT(i > 45 || gap > 800 * FAKE_MS); /* the quota's own pace at first */
    }
    CU_ASSERT(least > 200 * FAKE_MS); /* then closer, as it goes well */
    end();

    begin(); /* one odd refusal costs little */
    fake_on(&f, URL, 1, ANSWER(429, LIMIT));
    fake_on(&f, URL, FAKE_ALWAYS, ANSWER(200, "{}"));
    for (int i = 0; i < 40; i++)
        (void)start(&g[i], GCP_CREATE, &client.writes);
    fake_pass(&f, 4 * FAKE_SEC);
    for (int i = 0; i < 40; i++)
        CU_ASSERT_TRUE(g[i].done && !g[i].failed);
    end();

    begin(); /* without a refusal nothing waits */
    fake_on(&f, URL, FAKE_ALWAYS, ANSWER(200, "{}"));
    for (int i = 0; i < 40; i++)
        (void)start(&g[i], GCP_CREATE, &client.writes);
    fake_pass(&f, 10 * FAKE_MS);
    for (int i = 0; i < 40; i++)
        CU_ASSERT_TRUE(g[i].done);
    end();
}

/* Pitfall 18: reads of logs keep to 60 a minute after a burst. */
static void test_pitfall_18_log_quota(void)
{
    static struct got g[100];

    begin();
    fake_on(&f, URL, FAKE_ALWAYS, ANSWER(200, "{}"));
    for (int i = 0; i < 100; i++)
        (void)start(&g[i], GCP_READ, &client.log_reads);
    fake_pass(&f, FAKE_SEC / 2);
    UNIT_INT_EQ(f.n_requests, 60);
    fake_pass(&f, 41 * FAKE_SEC);
    UNIT_INT_EQ(f.n_requests, 100);
    end();
}

/* A queue longer than the call may take: told at once, not at the end. */
static void test_queue_too_long(void)
{
    static struct got g[200];

    begin();
    fake_on(&f, URL, FAKE_ALWAYS, ANSWER(200, "{}"));
    client.writes.distance = client.writes.pace;
    for (int i = 0; i < 200; i++)
        (void)start(&g[i], GCP_CREATE, &client.writes);
    fake_pass(&f, 10 * FAKE_MS);
    CU_ASSERT_FALSE(g[110].done);
    CU_ASSERT_TRUE(g[150].done && g[150].failed);
    UNIT_INT_EQ(g[150].kind, SKL_ERR_EXHAUSTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(g[150].message, "requests per minute"));
    end();
}

static void test_token_reset(void)
{
    struct got g;

    begin();
    fake_on(&f, URL, 1, ((struct fake_answer){.sent = true}));
    fake_on(&f, URL, 1, ANSWER(200, "{}"));
    run(&g, GCP_TOKEN);
    CU_ASSERT_FALSE(g.failed);
    end();
}

static void test_cancel(void)
{
    struct got g[3];
    struct gcp_call *a, *b, *c;

    begin();
    client.writes.closed_until = 100 * FAKE_SEC;
    fake_on(&f, URL, 1, ((struct fake_answer){.delay = FAKE_NEVER}));
    fake_on(&f, URL, 1, ANSWER(503, ""));
    a = start(&g[0], GCP_READ, NULL);           /* sent */
    b = start(&g[1], GCP_READ, NULL);           /* between two tries, soon */
    c = start(&g[2], GCP_READ, &client.writes); /* at the gate */
    fake_pass(&f, 10 * FAKE_MS);
    gcp_call_cancel(a);
    gcp_call_cancel(b);
    gcp_call_cancel(c);
    fake_pass(&f, 200 * FAKE_SEC);
    CU_ASSERT_FALSE(g[0].done || g[1].done || g[2].done);
    CU_ASSERT_TRUE(f.requests[0].canceled);
    UNIT_INT_EQ(f.n_requests, 2);
    gcp_call_cancel(NULL);
    end();
}

static void test_malformed_url(void)
{
    struct gcp_request req = {.method = "GET", .url = "nonsense", .what = "do x"};
    struct got g = {.done = false};

    begin();
    CU_ASSERT_PTR_NOT_NULL(gcp_call_start(&client, &req, on_reply, &g));
    CU_ASSERT_FALSE(g.done);
    fake_pass(&f, 0);
    CU_ASSERT_TRUE(g.failed);
    end();
}

UNIT_MAIN("gcp_client", UNIT(test_success), UNIT(test_backoff), UNIT(test_retry_after), UNIT(test_policies),
          UNIT(test_pitfall_17_gate), UNIT(test_pitfall_18_log_quota), UNIT(test_queue_too_long),
          UNIT(test_token_reset), UNIT(test_cancel), UNIT(test_malformed_url))
