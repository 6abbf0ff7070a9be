/*
 * Tests of core/loop/http_client against a scripted server on the same loop.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/http_client.h"
#include "tests/unit/harness.h"
#include "tests/unit/testserver.h"

static struct loop *loop;
static struct http_client *client;
static struct testserver *server;
static struct skl_error err;

/* What the last exchange did. */
static struct {
    bool done, sent, head;
    int count, status, head_status;
    char *body;
    size_t body_len, streamed;
    bool request_sent, truncated;
    struct skl_error error;
    char header[64];
    struct http_call *call;
} got;
static char seen_head[8192];
static size_t seen_body_len;
static const char *reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Test:  yes \r\n\r\nhello";
static void (*on_request)(struct ts_conn *conn);
static int requests;

static void on_server_request(void *arg, struct ts_conn *conn, const char *head, const char *body, size_t n)
{
    (void)arg;
    (void)body;
    requests++;
    snprintf(seen_head, sizeof(seen_head), "%s", head);
    seen_body_len = n;
    if (on_request != NULL)
        on_request(conn);
    else
        ts_puts(conn, reply);
}

static void on_done(void *arg, const struct http_result *res)
{
    const char *h = res->status != 0 ? http_call_header(got.call, "x-test") : NULL;

    (void)arg;
    got.done = true;
    got.count++;
    got.status = res->status;
    free(got.body);
    got.body = xmemdup(res->body, res->body_len + 1);
    got.body_len = res->body_len;
    got.request_sent = res->request_sent;
    got.truncated = res->truncated;
    error_copy(&got.error, res->error);
    snprintf(got.header, sizeof(got.header), "%s", h != NULL ? h : "");
}

static void set_up(void)
{
    loop = loop_new(&err);
    client = http_client_new(loop, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(client);
    server = testserver_new(loop, NULL, on_server_request, NULL);
    free(got.body);
    memset(&got, 0, sizeof(got));
    on_request = NULL;
    requests = 0;
}

static void tear_down(void)
{
    http_client_free(client);
    testserver_free(server);
    loop_free(loop);
    free(got.body);
    got.body = NULL;
}

static char *url(const char *path)
{
    static char text[256];

    snprintf(text, sizeof(text), "http://127.0.0.1:%d%s", testserver_port(server), path);
    return text;
}

static void submit(struct http_call_spec spec)
{
    if (spec.url == NULL)
        spec.url = url("/path?q=1");
    if (spec.method == NULL)
        spec.method = "GET";
    spec.on_done = on_done;
    got.done = false;
    got.call = http_client_submit(client, &spec, &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(got.call);
    CU_ASSERT_FALSE(got.done);
}

static void exchange(struct http_call_spec spec)
{
    submit(spec);
    UNIT_WAIT(loop, &got.done);
}

static void test_get(void)
{
    static const char *const headers[] = {"X-A: b", "Authorization: Bearer t", "X-Empty:", NULL};

    set_up();
    exchange((struct http_call_spec){.headers = headers});
    UNIT_INT_EQ(got.status, 200);
    UNIT_STR_EQ(got.body, "hello");
    UNIT_STR_EQ(got.header, "yes");
    UNIT_STR_EQ(got.error.message, "");
    CU_ASSERT_TRUE(got.request_sent && !got.truncated);
    CU_ASSERT_PTR_EQUAL(strstr(seen_head, "GET /path?q=1 HTTP/1.1\r\n"), seen_head);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen_head, "\r\nX-A: b\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(seen_head, "\r\nX-Empty:"));
    CU_ASSERT_PTR_NOT_NULL(strstr(seen_head, "\r\nUser-Agent: sockerless/"));
    CU_ASSERT_PTR_NULL(strstr(seen_head, "Expect"));
    tear_down();
}

static void test_methods_and_bodies(void)
{
    static const char *const json[] = {"Content-Type: application/json", NULL};
    CLEANUP(free_p) char *big = xcalloc(1, 3000000);

    set_up();
    exchange((struct http_call_spec){.method = "POST", .body = "{}", .body_len = 2, .headers = json});
    CU_ASSERT_PTR_NOT_NULL(strstr(seen_head, "\r\nContent-Length: 2\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(seen_head, "\r\nContent-Type: application/json\r\n"));
    UNIT_INT_EQ(seen_body_len, 2);
    exchange((struct http_call_spec){.method = "POST"});
    CU_ASSERT_PTR_EQUAL(strstr(seen_head, "POST "), seen_head);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen_head, "\r\nContent-Length: 0\r\n"));
    CU_ASSERT_PTR_NULL(strstr(seen_head, "Content-Type"));
    exchange((struct http_call_spec){.method = "DELETE"});
    CU_ASSERT_PTR_EQUAL(strstr(seen_head, "DELETE "), seen_head);
    CU_ASSERT_PTR_NULL(strstr(seen_head, "Content-Length"));
    exchange((struct http_call_spec){.method = "PATCH", .body = big, .body_len = 3000000});
    CU_ASSERT_PTR_EQUAL(strstr(seen_head, "PATCH "), seen_head);
    UNIT_INT_EQ(seen_body_len, 3000000);
    UNIT_INT_EQ(testserver_accepted(server), 1); /* one connection served them all */
    reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    exchange((struct http_call_spec){.method = "HEAD"});
    UNIT_INT_EQ(got.status, 200);
    UNIT_INT_EQ(got.body_len, 0);
    reply = "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope";
    exchange((struct http_call_spec){0});
    UNIT_INT_EQ(got.status, 404);
    UNIT_STR_EQ(got.body, "nope");
    UNIT_INT_EQ(got.error.kind, 0);
    reply = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
    exchange((struct http_call_spec){0});
    UNIT_INT_EQ(got.status, 302);
    reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Test:  yes \r\n\r\nhello";
    tear_down();
}

static void test_malformed_specs(void)
{
    static const char *const split[] = {"X: a\r\nY: b", NULL}, *const nameless[] = {": x", NULL};
    static const struct http_call_spec bad[] = {
        {.method = "GET", .url = "ftp://x/"},       {.method = "GET", .url = "file:///etc/passwd"},
        {.method = "GET", .url = "nothing"},        {.method = "G T", .url = "http://x/"},
        {.method = "", .url = "http://x/"},         {.method = "GET", .url = "http://x/", .headers = split},
        {.method = "GET", .url = "http://x/", .headers = nameless},
    };

    set_up();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        err.kind = 0;
        CU_ASSERT_PTR_NULL(http_client_submit(client, &bad[i], &err));
        UNIT_INT_EQ(err.kind, SKL_ERR_INVALID);
    }
    tear_down();
}

static void test_refused(void)
{
    set_up();
    CLEANUP(free_p) char *target = xasprintf("http://user:secret@127.0.0.1:%d/p?key=secret", testserver_port(server));
    testserver_free(server);
    exchange((struct http_call_spec){.url = target});
    UNIT_INT_EQ(got.status, 0);
    UNIT_INT_EQ(got.error.kind, SKL_ERR_UNAVAILABLE);
    CU_ASSERT_FALSE(got.request_sent);
    CU_ASSERT_PTR_NULL(strstr(got.error.message, "secret"));
    CU_ASSERT_PTR_NOT_NULL(strstr(got.error.message, "GET http://127.0.0.1:"));
    server = testserver_new(loop, NULL, on_server_request, NULL);
    tear_down();
}

static void test_cap(void)
{
    set_up();
    exchange((struct http_call_spec){.max_body = 3});
    UNIT_INT_EQ(got.status, 200);
    UNIT_STR_EQ(got.body, "hel");
    CU_ASSERT_TRUE(got.truncated);
    UNIT_INT_EQ(got.error.kind, 0);
    exchange((struct http_call_spec){.max_body = 5});
    UNIT_STR_EQ(got.body, "hello");
    CU_ASSERT_FALSE(got.truncated);
    tear_down();
}

static void reply_never(struct ts_conn *conn)
{
    (void)conn;
}

static void test_timeout_and_cancel(void)
{
    set_up();
    on_request = reply_never;
    exchange((struct http_call_spec){.timeout_ns = 100 * NS_PER_MS});
    UNIT_INT_EQ(got.error.kind, SKL_ERR_TIMEOUT);
    CU_ASSERT_TRUE(got.request_sent);
    UNIT_INT_EQ(got.status, 0);
    /* cancelled at once: nothing was sent; cancelled twice: one completion */
    got.count = 0;
    submit((struct http_call_spec){0});
    http_call_cancel(got.call);
    http_call_cancel(got.call);
    CU_ASSERT_FALSE(got.done);
    UNIT_WAIT(loop, &got.done);
    UNIT_INT_EQ(got.error.kind, SKL_ERR_CANCELED);
    CU_ASSERT_FALSE(got.request_sent);
    UNIT_INT_EQ(got.count, 1);
    tear_down();
}

static bool request_seen;

static void note_request(struct ts_conn *conn)
{
    (void)conn;
    request_seen = true;
}

static void test_cancel_in_flight(void)
{
    set_up();
    on_request = note_request;
    request_seen = false;
    submit((struct http_call_spec){.method = "POST"});
    UNIT_WAIT(loop, &request_seen);
    http_call_cancel(got.call);
    UNIT_WAIT(loop, &got.done);
    UNIT_INT_EQ(got.error.kind, SKL_ERR_CANCELED);
    CU_ASSERT_TRUE(got.request_sent);
    /* freed with a call pending: no callback */
    submit((struct http_call_spec){.method = "POST"});
    tear_down();
    CU_ASSERT_FALSE(got.done);
}

static void reply_then_drop(struct ts_conn *conn)
{
    if (requests == 1)
        ts_puts(conn, reply);
    else
        ts_reset(conn); /* the second request on this connection meets its end */
}

static void test_no_replay(void)
{
    set_up();
    on_request = reply_then_drop;
    exchange((struct http_call_spec){.method = "POST", .body = "x", .body_len = 1});
    UNIT_INT_EQ(got.status, 200);
    exchange((struct http_call_spec){.method = "POST", .body = "x", .body_len = 1});
    UNIT_INT_EQ(requests, 2);
    UNIT_INT_EQ(got.status, 0);
    UNIT_INT_EQ(got.error.kind, SKL_ERR_UNAVAILABLE);
    CU_ASSERT_TRUE(got.request_sent);
    tear_down();
}

static void reply_drop_second(struct ts_conn *conn)
{
    if (requests == 2)
        ts_reset(conn);
    else
        ts_puts(conn, reply);
}

static void test_idempotent_is_repeated(void)
{
    set_up();
    on_request = reply_drop_second;
    exchange((struct http_call_spec){.idempotent = true});
    exchange((struct http_call_spec){.idempotent = true});
    UNIT_INT_EQ(requests, 3);
    UNIT_INT_EQ(got.status, 200);
    tear_down();
}

static void test_fresh_connection(void)
{
    set_up();
    for (int i = 0; i < 3; i++)
        exchange((struct http_call_spec){.fresh_connection = true});
    UNIT_INT_EQ(testserver_accepted(server), 3);
    tear_down();
}

static void reply_partial(struct ts_conn *conn)
{
    ts_puts(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    ts_close(conn);
}

static void reply_nonsense(struct ts_conn *conn)
{
    ts_puts(conn, "SSH-2.0-OpenSSH\r\n\r\n");
    ts_close(conn);
}

static void reply_endless_head(struct ts_conn *conn)
{
    CLEANUP(free_p) char *line = xmalloc(8193);

    memset(line, 'x', 8192);
    memcpy(line, "X-Long: ", 8);
    memcpy(line + 8190, "\r\n", 3);
    ts_puts(conn, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 64; i++)
        ts_puts(conn, line);
}

static void test_broken_answers(void)
{
    set_up();
    on_request = reply_partial;
    exchange((struct http_call_spec){0});
    UNIT_INT_EQ(got.status, 200);
    UNIT_INT_EQ(got.error.kind, SKL_ERR_UNAVAILABLE);
    UNIT_STR_EQ(got.body, "part");
    on_request = reply_nonsense;
    exchange((struct http_call_spec){0});
    UNIT_INT_EQ(got.status, 0);
    UNIT_INT_EQ(got.error.kind, SKL_ERR_BAD_GATEWAY);
    on_request = reply_endless_head;
    exchange((struct http_call_spec){0});
    UNIT_INT_EQ(got.error.kind, SKL_ERR_BAD_GATEWAY);
    tear_down();
}

/* ---- streaming the response ---- */

#define STREAM_SIZE ((size_t)8 * 1024 * 1024)
static struct ts_conn *stream_conn;
static bool taking, paused;

static void reply_stream(struct ts_conn *conn)
{
    CLEANUP(free_p) char *data = xmalloc(STREAM_SIZE);
    char head[128];

    for (size_t i = 0; i < STREAM_SIZE; i++)
        data[i] = (char)(i % 251);
    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX-Test: s\r\n\r\n", STREAM_SIZE);
    ts_puts(conn, head);
    ts_send(conn, data, STREAM_SIZE);
    stream_conn = conn;
}

static bool on_stream_data(void *arg, const char *p, size_t n)
{
    (void)arg;
    if (!taking) {
        paused = true;
        return false;
    }
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL_FATAL(p[i], (char)((got.streamed + i) % 251));
    got.streamed += n;
    taking = got.streamed < STREAM_SIZE / 2;
    return true;
}

static void on_stream_head(void *arg, struct http_call *call, int status)
{
    const char *h = http_call_header(call, "X-TEST");

    (void)arg;
    got.head = true;
    got.head_status = status;
    snprintf(got.header, sizeof(got.header), "%s", h != NULL ? h : "");
}

static void stop_loop(void *arg)
{
    loop_stop(arg);
}

/* Runs the loop for a few milliseconds. */
static void turn(void)
{
    struct timer t;

    timer_init(loop, &t, stop_loop, loop);
    timer_start(&t, 5 * NS_PER_MS);
    loop_run(loop);
    timer_fini(&t);
}

static void test_response_pause(void)
{
    set_up();
    on_request = reply_stream;
    taking = paused = false;
    submit((struct http_call_spec){.on_data = on_stream_data, .on_head = on_stream_head});
    UNIT_WAIT(loop, &paused);
    CU_ASSERT_TRUE(got.head);
    UNIT_INT_EQ(got.head_status, 200);
    UNIT_STR_EQ(got.header, "s");
    UNIT_INT_EQ(got.streamed, 0);
    taking = true;
    paused = false;
    http_call_resume(got.call);
    UNIT_WAIT(loop, &paused); /* paused itself half-way */
    CU_ASSERT_TRUE(got.streamed >= STREAM_SIZE / 2 && got.streamed < STREAM_SIZE);
    /* while paused nothing is read: the server can't get rid of the rest */
    for (int i = 0; i < 10; i++)
        turn();
    CU_ASSERT_TRUE(ts_queued(stream_conn) > 0);
    while (!got.done) {
        taking = true;
        paused = false;
        http_call_resume(got.call);
        turn();
    }
    UNIT_INT_EQ(got.streamed, STREAM_SIZE);
    UNIT_INT_EQ(got.error.kind, 0);
    UNIT_STR_EQ(got.body, "");
    tear_down();
}

/* ---- streaming the request ---- */

static size_t to_give, given;
static bool source_paused, source_open;

static ssize_t on_give(void *arg, char *p, size_t n)
{
    (void)arg;
    if (given == to_give) {
        if (source_open) {
            source_paused = true;
            return HTTP_CALL_PAUSE;
        }
        return 0;
    }
    n = n < to_give - given ? n : to_give - given;
    memset(p, 'u', n);
    given += n;
    return (ssize_t)n;
}

static void on_sent(void *arg)
{
    (void)arg;
    CU_ASSERT_FALSE(got.sent);
    got.sent = true;
}

static struct ts_conn *upload_conn;

static void keep_conn(struct ts_conn *conn)
{
    upload_conn = conn;
    request_seen = true;
}

static void test_request_streaming_chunked(void)
{
    set_up();
    on_request = keep_conn;
    request_seen = source_paused = false;
    to_give = 100000;
    given = 0;
    source_open = true;
    submit((struct http_call_spec){.method = "PUT", .read_body = on_give, .body_total = -1, .on_sent = on_sent});
    UNIT_WAIT(loop, &source_paused);
    UNIT_WAIT(loop, &request_seen);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen_head, "Transfer-Encoding: chunked"));
    CU_ASSERT_FALSE(got.sent);
    to_give = 150000;
    source_open = false;
    http_call_resume(got.call);
    UNIT_WAIT(loop, &got.sent);
    /* "sent" is sent: with the client out of the way, all of it arrives */
    for (int i = 0; i < 200 && !str_ends(buf_str(ts_conn_raw(upload_conn)), "0\r\n\r\n"); i++)
        turn();
    CU_ASSERT_TRUE(str_ends(buf_str(ts_conn_raw(upload_conn)), "0\r\n\r\n"));
    CU_ASSERT_TRUE(ts_conn_raw(upload_conn)->len > 150000);
    ts_puts(upload_conn, reply);
    UNIT_WAIT(loop, &got.done);
    UNIT_INT_EQ(got.status, 200);
    UNIT_INT_EQ(given, 150000);
    tear_down();
}

static void test_request_streaming_sized(void)
{
    set_up();
    to_give = 3000000;
    given = 0;
    source_open = false;
    exchange((struct http_call_spec){.method = "PUT", .read_body = on_give, .body_total = 3000000, .on_sent = on_sent});
    CU_ASSERT_PTR_NOT_NULL(strstr(seen_head, "\r\nContent-Length: 3000000\r\n"));
    UNIT_INT_EQ(seen_body_len, 3000000);
    UNIT_INT_EQ(got.status, 200);
    CU_ASSERT_TRUE(got.sent);
    tear_down();
}

static void test_on_sent_before_answer(void)
{
    CLEANUP(free_p) char *body = xcalloc(1, 2000000);

    set_up();
    on_request = keep_conn;
    for (int i = 0; i < 2; i++) {
        request_seen = got.sent = false;
        submit((struct http_call_spec){.method = "POST", .body = body, .body_len = i == 0 ? 0 : 2000000,
                                       .on_sent = on_sent});
        UNIT_WAIT(loop, &got.sent);
        CU_ASSERT_FALSE(got.done);
        UNIT_WAIT(loop, &request_seen);
        ts_puts(upload_conn, reply);
        UNIT_WAIT(loop, &got.done);
    }
    tear_down();
}

/* ---- calling back into the client ---- */

static void on_head_submits(void *arg, struct http_call *call, int status)
{
    (void)arg;
    (void)status;
    http_call_cancel(call);
    got.done = false;
}

static bool data_came;

static bool on_data_noted(void *arg, const char *p, size_t n)
{
    (void)arg;
    (void)p;
    (void)n;
    data_came = true;
    return true;
}

static void test_cancel_inside_callback(void)
{
    set_up();
    data_came = false;
    exchange((struct http_call_spec){.on_head = on_head_submits, .on_data = on_data_noted});
    UNIT_INT_EQ(got.error.kind, SKL_ERR_CANCELED);
    UNIT_INT_EQ(got.count, 1);
    CU_ASSERT_FALSE(data_came);
    tear_down();
}

static int chain_left;

static void on_chain_done(void *arg, const struct http_result *res)
{
    struct http_call_spec spec = {.method = "GET", .url = url("/"), .on_done = on_chain_done};

    (void)arg;
    UNIT_INT_EQ(res->status, 200);
    if (--chain_left > 0)
        http_client_submit(client, &spec, &err);
    else
        got.done = true;
}

static void test_submit_inside_callback_and_many(void)
{
    struct http_call_spec spec = {.method = "GET", .on_done = on_chain_done};

    set_up();
    spec.url = url("/");
    chain_left = 200;
    for (int i = 0; i < 20; i++)
        http_client_submit(client, &spec, &err);
    UNIT_WAIT(loop, &got.done);
    CU_ASSERT_TRUE(testserver_accepted(server) <= 20);
    tear_down();
}

static void test_unix_socket(void)
{
    CLEANUP(free_p) char *path = fs_join(unit_tmpdir(), "s.sock");

    set_up();
    testserver_free(server);
    server = testserver_new(loop, path, on_server_request, NULL);
    exchange((struct http_call_spec){.url = "http://docker/_ping", .unix_socket = path});
    UNIT_INT_EQ(got.status, 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen_head, "\r\nHost: docker\r\n"));
    tear_down();
}

static void test_loopback_ignores_proxy(void)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("no_proxy", "example.com", 1);
    set_up();
    exchange((struct http_call_spec){0});
    UNIT_INT_EQ(got.status, 200);
    /* and other addresses do use it */
    exchange((struct http_call_spec){.url = "http://192.0.2.1/"});
    UNIT_INT_EQ(got.error.kind, SKL_ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(got.error.message, "127.0.0.1 port 1"));
    /* a cloud's metadata server is this machine's: its tokens are nothing to show a proxy */
    exchange((struct http_call_spec){.url = "http://169.254.169.254/", .connect_timeout_ns = 50 * NS_PER_MS});
    CU_ASSERT_PTR_NULL(strstr(got.error.message, "127.0.0.1 port 1"));
    tear_down();
    unsetenv("http_proxy");
    unsetenv("no_proxy");
}

UNIT_MAIN("http_client", UNIT(test_get), UNIT(test_methods_and_bodies), UNIT(test_malformed_specs), UNIT(test_refused),
          UNIT(test_cap), UNIT(test_timeout_and_cancel), UNIT(test_cancel_in_flight), UNIT(test_no_replay),
          UNIT(test_idempotent_is_repeated), UNIT(test_fresh_connection), UNIT(test_broken_answers),
          UNIT(test_response_pause), UNIT(test_request_streaming_chunked), UNIT(test_request_streaming_sized),
          UNIT(test_on_sent_before_answer), UNIT(test_cancel_inside_callback),
          UNIT(test_submit_inside_callback_and_many), UNIT(test_unix_socket), UNIT(test_loopback_ignores_proxy))
