/*
 * tests/unit/test_gcf_logs.c - reading Cloud Logging: filters, pages, order, payloads, time limit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/fake.h"
#include "cloud-run-functions/function.h"
#include "cloud-run-functions/instance.h"
#include "gcp/json.h"
#include "plugins/gcp/logging.h"
#include "gcp/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE               "http://sim:1"
#define LOGS               "POST " BASE "/v2/entries:list"
#define FN                 "projects/acme/locations/us-central1/functions/skls-0123456789ab"
#define ANSWER(code, text) ((struct fake_answer){.status = (code), .body = (text)})
#define ENTRY(when, id, log, payload)                                                                        \
    "{\"timestamp\":\"2026-01-01T00:00:" when "Z\",\"insertId\":\"" id                                       \
    "\",\"logName\":\"projects/acme/logs/run.googleapis.com%2F" log "\"," payload "}"
#define TEXT(t) "\"textPayload\":\"" t "\""

static struct fake f;
static struct skl_instance *inst;
static struct skl_call call;
static struct skl_container container;
static struct skl_stream stream;
static struct skl_error err;
static struct skl_logs_req req;

static void begin(const char *semantics)
{
    fake_init(&f);
    memset(&call, 0, sizeof(call));
    memset(&stream, 0, sizeof(stream));
    stream.credit = 1000000;
    container = fake_container();
    container.handle =
        "{\"v\":1,\"function\":\"" FN "\",\"uri\":\"http://sim:1/run\",\"made\":1767225600000000000}";
    inst = fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", "semantics", semantics, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
    memset(&req, 0, sizeof(req));
    req.size = sizeof(req);
    req.container = &container;
    req.tail = -1;
    req.out = &stream;
}

static void end(void)
{
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_stream_fini(&stream);
    fake_fini(&f);
}

static void read_logs(void)
{
    gcf_driver.ops->logs(inst, &call, &req);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    CU_ASSERT_TRUE(call.done);
}

static const char *sent(size_t i, const char *key)
{
    static char value[4096];
    const struct fake_request *r = fake_find(&f, LOGS, i);
    struct json_object *o = r ? gcp_json_parse(r->body, r->body_len) : NULL, *v = gcp_json_get(o, key);

    (void)snprintf(value, sizeof(value), "%s", v ? json_object_get_string(v) : "(none)");
    json_object_put(o);
    return value;
}

static const char *text(void)
{
    return stream.text ? stream.text : "";
}

/* The mapping's filter to the letter; everything is stdout. */
static void test_strict(void)
{
    begin("strict");
    fake_on(&f, LOGS, 1, ANSWER(200, "{\"entries\":[" ENTRY("01", "a", "stderr", TEXT("x")) "]}"));
    read_logs();
    UNIT_STR_EQ(
        sent(0, "filter"),
        "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"skls-0123456789ab\"");
    UNIT_STR_EQ(sent(0, "resourceNames"), "[ \"projects\\/acme\" ]");
    UNIT_STR_EQ(sent(0, "orderBy"), "timestamp asc");
    UNIT_STR_EQ(sent(0, "pageSize"), "1000");
    UNIT_STR_EQ(text(), "1:x\n");
    UNIT_INT_EQ(stream.last_time, INT64_C(1767225601000000000));
    end();
}

/* clang-format off */
static const char mixed_page[] =
    "{\"entries\":["
    ENTRY("01", "a", "stderr", TEXT("e")) ","
    ENTRY("02", "b", "stdout", TEXT("o")) ","
    ENTRY("03", "c", "requests", "\"httpRequest\":{\"status\":200}") ","
    ENTRY("04", "d", "x", "\"protoPayload\":{\"@type\":\"audit\"}")
    "]}";
/* clang-format on */

/* Pitfall 20: stdout and stderr apart; audit, system and request entries stay out. */
static void test_pitfall_20_extended(void)
{
    begin("extended");
    fake_on(&f, LOGS, 1, ANSWER(200, mixed_page));
    read_logs();
    UNIT_STR_EQ(sent(0, "filter"), "resource.type=\"cloud_run_revision\" AND "
                                   "resource.labels.location=\"us-central1\" AND "
                                   "(logName=\"projects/acme/logs/run.googleapis.com%2Fstdout\" OR "
                                   "logName=\"projects/acme/logs/run.googleapis.com%2Fstderr\") AND "
                                   "resource.labels.service_name=\"skls-0123456789ab\" AND "
                                   "timestamp>=\"2025-12-31T23:59:00.000000000Z\"");
    UNIT_STR_EQ(text(), "2:e\n1:o\n");
    end();
}

/* The function's region, whatever is configured today. */
static void test_other_region(void)
{
    begin("extended");
    container.handle = "{\"v\":1,\"function\":\"projects/acme/locations/europe-west1/functions/skls-0123456789ab\"}";
    fake_on(&f, LOGS, 1, ANSWER(200, "{}"));
    read_logs();
    CU_ASSERT_PTR_NOT_NULL(strstr(sent(0, "filter"), "resource.labels.location=\"europe-west1\" AND"));
    end();
}

/* Pages: short, empty, with tokens; late entries in order; the same entry twice; equal times. */
static void test_pitfall_19_pages(void)
{
    begin("strict");
    fake_on(&f, LOGS, 1,
            ANSWER(200, "{\"entries\":[" ENTRY("03.5", "c", "stdout", TEXT("3")) "," ENTRY(
                            "01", "a", "stdout", TEXT("1")) "],\"nextPageToken\":\"p2\"}"));
    fake_on(&f, LOGS, 1, ANSWER(200, "{\"nextPageToken\":\"p3\"}"));
    fake_on(&f, LOGS, 1,
            ANSWER(200, "{\"entries\":[" ENTRY("03.5", "c", "stdout", TEXT("3")) "," ENTRY(
                            "03.500000000", "b", "stdout", TEXT("2")) "," ENTRY("04", "c", "stdout",
                                                                                TEXT("4")) "]}"));
    read_logs();
    UNIT_STR_EQ(text(), "1:1\n1:2\n1:3\n1:4\n");
    UNIT_STR_EQ(sent(1, "pageToken"), "p2");
    UNIT_STR_EQ(sent(2, "pageToken"), "p3");
    UNIT_STR_EQ(sent(2, "filter"), sent(0, "filter"));
    end();
}

/* Pitfall 21: what programs print, as far as an entry still tells. */
static void test_pitfall_21_payloads(void)
{
    static const struct {
        const char *payload, *shown;
    } cases[] = {
        {TEXT("plain"), "1:plain\n"},
        {TEXT("nl\\n"), "1:nl\n"},
        {TEXT("cr\\r\\n"), "1:cr\r\n"},
        {TEXT(""), "1:\n"},
        {TEXT("{ not json"), "1:{ not json\n"},
        {"\"jsonPayload\":{\"message\":\"m\"}", "1:m\n"},
        {"\"jsonPayload\":{\"message\":\"m\",\"a\":1}", "1:{\"message\":\"m\",\"a\":1}\n"},
        {"\"jsonPayload\":{\"u\":\"http://x/\"},\"severity\":\"ERROR\"", "1:{\"u\":\"http://x/\"}\n"},
        {"\"text_payload\":\"snake\"", "1:snake\n"},
        {"\"textPayload\":7", ""},
        {TEXT("Error: x\\n  at y\\n\\n  at z\\n"), "1:Error: x\n1:  at y\n1:\n1:  at z\n"}, /* merged on the way */
        {TEXT("\\n"), "1:\n"},
    };
    char page[1024];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin("strict");
        (void)snprintf(page, sizeof(page), "{\"entries\":[{\"timestamp\":\"2026-01-01T00:00:00Z\",%s}]}",
                       cases[i].payload);
        fake_on(&f, LOGS, 1, ANSWER(200, page));
        read_logs();
        UNIT_STR_EQ(text(), cases[i].shown);
        end();
    }
}

/* An entry of nothing but line ends does not become a hundred thousand lines. */
static void test_many_line_ends(void)
{
    static char page[4000];
    char *p;

    (void)stpcpy(page, "{\"entries\":[" ENTRY("01", "a", "stdout", "\"textPayload\":\""));
    p = strchr(page, '}');
    begin("strict");
    for (int i = 0; i < 1000; i++)
        p = stpcpy(p, "\\n");
    (void)stpcpy(p, "\"}]}");
    fake_on(&f, LOGS, 1, ANSWER(200, page));
    read_logs();
    UNIT_INT_EQ(stream.count, 100);
    UNIT_INT_EQ(strlen(text()), 1000 + 2 * 100);
    end();
}

/* Pitfall 22: bounds, and the last N lines whatever N. */
static void test_pitfall_22_bounds(void)
{
    begin("strict");
    req.since = INT64_C(1767225601123456789);
    req.until = INT64_C(1767225602000000000);
    fake_on(&f, LOGS, 1, ANSWER(200, "{}"));
    read_logs();
    UNIT_STR_EQ(
        sent(0, "filter"),
        "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"skls-0123456789ab\" AND "
        "timestamp>=\"2026-01-01T00:00:01.123456789Z\" AND timestamp<=\"2026-01-01T00:00:02.000000000Z\"");
    UNIT_STR_EQ(text(), "");
    end();

    begin("strict");
    req.tail = 2;
    fake_on(&f, LOGS, 1,
            ANSWER(200, "{\"entries\":[" ENTRY("04", "d", "stdout", TEXT("4")) "],\"nextPageToken\":\"x\"}"));
    fake_on(&f, LOGS, 1,
            ANSWER(200, "{\"entries\":[" ENTRY("03", "c", "stdout", TEXT("3")) "," ENTRY(
                            "02", "b", "stdout", TEXT("2")) "],\"nextPageToken\":\"y\"}"));
    read_logs();
    UNIT_STR_EQ(sent(0, "orderBy"), "timestamp desc");
    UNIT_STR_EQ(sent(0, "pageSize"), "100"); /* among the lines are entries of other kinds */
    UNIT_STR_EQ(text(), "1:3\n1:4\n");
    UNIT_INT_EQ(f.n_requests, 2);
    end();

    begin("strict"); /* an entry that comes twice is one line of the N */
    req.tail = 3;
    fake_on(&f, LOGS, 1,
            ANSWER(200, "{\"entries\":[" ENTRY("04", "d", "stdout", TEXT("4")) "," ENTRY(
                            "03", "c", "stdout", TEXT("3")) "," ENTRY("03", "c", "stdout", TEXT("3")) "],"
                        "\"nextPageToken\":\"x\"}"));
    fake_on(&f, LOGS, 1, ANSWER(200, "{\"entries\":[" ENTRY("02", "b", "stdout", TEXT("2")) "]}"));
    read_logs();
    UNIT_STR_EQ(text(), "1:2\n1:3\n1:4\n");
    end();

    begin("strict");
    req.tail = 5000;
    fake_on(&f, LOGS, 1, ANSWER(200, "{\"entries\":[" ENTRY("04", "d", "stdout", TEXT("4")) "]}"));
    read_logs();
    UNIT_STR_EQ(sent(0, "pageSize"), "1000");
    UNIT_STR_EQ(text(), "1:4\n");
    end();

    begin("strict");
    req.tail = 0;
    gcf_driver.ops->logs(inst, &call, &req);
    CU_ASSERT_TRUE(call.done && !call.failed);
    UNIT_INT_EQ(f.n_requests, 0);
    end();
}

/* Pitfall 23: a value is a value, whatever is in it. */
static void test_pitfall_23_filter(void)
{
    struct gcp_str s = {0};

    gcp_log_filter_add(&s, "a.b", "=", "x\" OR severity>=\"DEFAULT");
    gcp_log_filter_add(&s, "c", ">=", "back\\slash\\\"");
    UNIT_STR_EQ(gcp_str_get(&s), "a.b=\"x\\\" OR severity>=\\\"DEFAULT\" AND c>=\"back\\\\slash\\\\\\\"\"");
    gcp_str_fini(&s);
}

/* Pitfall 24: with nothing there (yet) the answer comes at once and is empty: no waiting for what may never
 * come. */
static void test_pitfall_24_nothing_yet(void)
{
    begin("extended");
    fake_on(&f, LOGS, 1, ANSWER(200, "{}"));
    read_logs();
    CU_ASSERT_FALSE(call.failed);
    UNIT_STR_EQ(text(), "");
    CU_ASSERT(call.time < FAKE_SEC + 10 * FAKE_MS);
    end();
}

static void test_credit(void)
{
    begin("strict");
    stream.credit = 1;
    fake_on(&f, LOGS, 1,
            ANSWER(200, "{\"entries\":[" ENTRY("01", "a", "stdout", TEXT("1")) "," ENTRY(
                            "02", "b", "stdout", TEXT("2")) "," ENTRY("03", "c", "stdout", TEXT("3")) "]}"));
    gcf_driver.ops->logs(inst, &call, &req);
    fake_pass(&f, 60 * FAKE_SEC); /* beyond the time limit: it is the reader who is slow */
    UNIT_STR_EQ(text(), "1:1\n");
    CU_ASSERT_FALSE(call.done);
    fake_stream_credit(&stream, 1);
    UNIT_STR_EQ(text(), "1:1\n1:2\n");
    fake_stream_credit(&stream, 5);
    CU_ASSERT_TRUE(call.done && !call.failed);
    UNIT_STR_EQ(text(), "1:1\n1:2\n1:3\n");
    end();

    begin("strict"); /* the reader goes away */
    stream.gone = true;
    fake_on(&f, LOGS, 1, ANSWER(200, "{\"entries\":[" ENTRY("01", "a", "stdout", TEXT("1")) "]}"));
    read_logs();
    end();
}

/* The mission's 2 s with another endpoint: what there is by then, or a timeout. */
static void test_time_limit(void)
{
    begin("strict");
    fake_on(&f, LOGS, 1, (struct fake_answer){.delay = FAKE_NEVER});
    read_logs();
    UNIT_INT_EQ(call.err.kind, SKL_ERR_TIMEOUT);
    UNIT_INT_EQ(call.time, 3 * FAKE_SEC);
    end();

    begin("strict");
    fake_on(&f, LOGS, 1,
            ANSWER(200, "{\"entries\":[" ENTRY("01", "a", "stdout", TEXT("1")) "],\"nextPageToken\":\"x\"}"));
    fake_on(&f, LOGS, 1, (struct fake_answer){.delay = FAKE_NEVER});
    read_logs();
    CU_ASSERT_FALSE(call.failed);
    UNIT_STR_EQ(text(), "1:1\n");
    CU_ASSERT_TRUE(fake_logged(&f, "was not read to its end within 2 s"));
    end();
}

/* A program that prints deep JSON: its line is shown, and takes no other with it. */
static void test_deep_json(void)
{
    static char page[1200];
    char deep[201] = "", *p;

    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    p = stpcpy(page, "{\"entries\":[");
    p = stpcpy(p, ENTRY("01", "a", "stdout", "\"jsonPayload\":{\"x\":@}"));
    p = stpcpy(p, "," ENTRY("02", "b", "stdout", TEXT("next")) "]}");
    p = strchr(page, '@');
    memmove(p + 200, p + 1, strlen(p));
    memcpy(p, deep, 200);
    begin("strict");
    fake_on(&f, LOGS, 1, ANSWER(200, page));
    read_logs();
    CU_ASSERT_FALSE(call.failed);
    CU_ASSERT_PTR_NOT_NULL(strstr(text(), deep));
    CU_ASSERT_PTR_NOT_NULL(strstr(text(), "1:next\n"));
    end();
}

#define MADE "\"createTime\":\"2026-01-01T00:00:05Z\""

/* The lower bound is Google's time of the function: a clock that is wrong here cuts off no line. */
static void test_clock_skew(void)
{
    static const char create[] = "POST " BASE "/v2/projects";
    for (int background = 0; background < 2; background++) {
        struct skl_create_req create_req = {.size = sizeof(create_req), .container = &container};
        struct skl_call made = {.kind = FAKE_CREATE};
        char nonce[GCF_LABEL_MAX], answer[1000];

        begin("extended");
        f.wall_offset = 600 * FAKE_SEC;
        fake_close(&f, inst);
        inst = fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", "create", background ? "background" : "wait", NULL);
        container.handle = NULL;
        gcf_nonce(&container, nonce);
        (void)snprintf(answer, sizeof(answer),
                       "{\"name\":\"o\",\"done\":%s,\"metadata\":{%s},\"response\":{\"name\":\"" FN "\",%s"
                       "\"state\":\"ACTIVE\",\"labels\":{\"sockerless-nonce\":\"%s\"},\"serviceConfig\":{\"uri\":"
                       "\"http://sim:1/run\"}}}",
                       background ? "false" : "true", background ? MADE : "", background ? "" : MADE ",", nonce);
        fake_on(&f, create, 1, ANSWER(200, answer));
        fake_on(&f, "GET ", FAKE_ALWAYS, ANSWER(200, "{}"));
        gcf_driver.ops->create(inst, &made, &create_req);
        fake_run(&f, &made.done, 10 * FAKE_SEC);
        CU_ASSERT_FALSE_FATAL(made.failed);
        container.handle = made.handle;
        fake_on(&f, LOGS, 1, ANSWER(200, "{}"));
        read_logs();
        CU_ASSERT_PTR_NOT_NULL(strstr(sent(0, "filter"), "timestamp>=\"2025-12-31T23:59:05.000000000Z\""));
        fake_call_fini(&made);
        end();
    }
}

/* A page beyond the size limit is asked for in smaller pieces. */
static void test_huge_page(void)
{
    begin("strict");
    fake_on(&f, LOGS, 1, ((struct fake_answer){.status = 200, .body = "{\"entries\":[", .truncated = true}));
    fake_on(&f, LOGS, 1, ANSWER(200, "{\"entries\":[" ENTRY("01", "a", "stdout", TEXT("1")) "]}"));
    read_logs();
    UNIT_STR_EQ(sent(1, "pageSize"), "250");
    UNIT_STR_EQ(text(), "1:1\n");
    end();
}

/* More than a batch: pushed while reading; what is there twice at the edge of two pages comes once. */
static void test_large(void)
{
    size_t size = 5u << 20;
    char *big = malloc(size + 600), *line = malloc(size);

    memset(line, 'x', size - 1);
    line[size - 1] = '\0';
    (void)snprintf(
        big, size + 600,
        "{\"entries\":[{\"timestamp\":\"2026-01-01T00:00:01Z\",\"insertId\":\"a\",\"textPayload\":\"%s\"},"
        "{\"timestamp\":\"2026-01-01T00:00:02Z\",\"insertId\":\"b\",\"textPayload\":\"b\"}],"
        "\"nextPageToken\":\"x\"}",
        line);
    begin("strict");
    stream.credit = 1;
    fake_on(&f, LOGS, 1, ANSWER(200, big));
    fake_on(&f, LOGS, 1,
            ANSWER(200, "{\"entries\":[" ENTRY("02", "b", "stdout", TEXT("b")) "," ENTRY("02", "c", "stdout",
                                                                                         TEXT("c")) "]}"));
    gcf_driver.ops->logs(inst, &call, &req);
    fake_pass(&f, FAKE_SEC);
    UNIT_INT_EQ(stream.count, 1);
    UNIT_INT_EQ(f.n_requests,
                2); /* the first line was taken: the second page is read, and no more is pushed */
    CU_ASSERT_FALSE(call.done);
    fake_stream_credit(&stream, 10);
    fake_run(&f, &call.done, FAKE_SEC);
    CU_ASSERT_TRUE(call.done && !call.failed);
    UNIT_INT_EQ(stream.count, 3);
    UNIT_STR_EQ(text() + strlen(text()) - 8, "1:b\n1:c\n");
    UNIT_INT_EQ(stream.len, SKL_LOG_ENTRY_MAX + 2 + 8); /* a line beyond what one entry may be is cut */
    end();
    free(big);
    free(line);
}

#define READERS 20

static struct reader {
    struct skl_container c;
    char id[65];
    struct skl_call call;
    struct skl_stream stream;
    struct skl_logs_req req;
} readers[READERS];

/* The quota is used up, and many want to read. */
static void begin_readers(void)
{
    begin("extended");
    inst->config.log_timeout = 30 * FAKE_SEC;
    inst->client.log_reads.distance = inst->client.log_reads.pace;
    container.handle = "{\"function\":\"" FN "\"}";
    for (int i = 0; i < READERS; i++) {
        struct reader *r = &readers[i];

        memset(r, 0, sizeof(*r));
        r->c = container;
        (void)snprintf(r->id, sizeof(r->id), "%012d%052d", i, 0);
        r->c.id = r->id;
        r->stream.credit = 100;
        r->req = req;
        r->req.container = &r->c;
        r->req.out = &r->stream;
        r->req.since = FAKE_WALL + (i == 7 ? 5 * FAKE_SEC : 0);
        r->req.until = i == 3 ? FAKE_WALL + 2 * FAKE_SEC : 0;
    }
}

static void read_all(void)
{
    for (int i = 0; i < READERS; i++)
        gcf_driver.ops->logs(inst, &readers[i].call, &readers[i].req);
}

static void end_readers(void)
{
    for (int i = 0; i < READERS; i++) {
        CU_ASSERT_TRUE(readers[i].call.done);
        fake_stream_fini(&readers[i].stream);
    }
    end();
}

#define LINE(when, n, id, what)                                                                              \
    "{\"timestamp\":\"2026-01-01T00:00:" when "Z\",\"insertId\":\"" id                                       \
    "\",\"resource\":{\"labels\":{\"service_name\":\"skls-0000000000" n "\"}},\"textPayload\":\"" what "\"}"

/* clang-format off */
static const char shared_page_1[] =
    "{\"entries\":["
    LINE("02", "03", "b", "3b") ","
    LINE("01", "03", "a", "3a") ","
    LINE("01", "07", "c", "too early")
    "],\"nextPageToken\":\"n\"}";
static const char shared_page_2[] =
    "{\"entries\":["
    LINE("06", "07", "d", "7d") ","
    LINE("02", "03", "b", "3b") ","
    LINE("03", "03", "x", "too late") ","
    LINE("01", "99", "e", "nobody's")
    "]}";
/* clang-format on */
#define EXHAUSTED "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"m\"}}"
#define DENIED    "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"no\"}}"

/* Pitfall 18: twenty readers, two queries; each gets its own lines. */
static void test_pitfall_18_shared(void)
{
    begin_readers();
    fake_on(&f, LOGS, 1, ANSWER(200, "{}")); /* the first goes alone */
    fake_on(&f, LOGS, 1, ANSWER(429, EXHAUSTED));
    fake_on(&f, LOGS, 1, ANSWER(200, shared_page_1));
    fake_on(&f, LOGS, 1, ANSWER(200, shared_page_2));
    read_all();
    gcf_driver.ops->cancel(inst, &readers[5].call); /* one leaves before */
    fake_pass(&f, 20 * FAKE_SEC);
    UNIT_INT_EQ(f.n_requests, 4);
    UNIT_STR_EQ(readers[3].stream.text, "1:3a\n1:3b\n");
    UNIT_STR_EQ(readers[7].stream.text, "1:7d\n");
    CU_ASSERT_PTR_NULL(readers[9].stream.text);
    CU_ASSERT_FALSE(readers[9].call.failed);
    CU_ASSERT_PTR_NOT_NULL(strstr(sent(1, "filter"), "timestamp>=\"2026-01-01T00:00:00.000000000Z\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(sent(1, "filter"), "service_name=\"skls-000000000019\" OR "));
    CU_ASSERT_PTR_NULL(strstr(sent(1, "filter"), "skls-000000000005"));
    end_readers();
}

/* Too much for all together: each reads alone, at the quota's pace. */
static void test_shared_too_large(void)
{
    begin_readers();
    fake_on(&f, LOGS, 1, ANSWER(200, "{}"));
    fake_on(&f, LOGS, 1, ((struct fake_answer){.status = 200, .body = "{", .truncated = true}));
    fake_on(&f, LOGS, 19, ANSWER(200, "{\"entries\":[" LINE("06", "07", "d", "x") "]}"));
    read_all();
    fake_pass(&f, 25 * FAKE_SEC);
    UNIT_INT_EQ(f.n_requests, 21);
    UNIT_STR_EQ(readers[9].stream.text, "1:x\n");
    end_readers();
}

/* A failure is everybody's. When all leave, nothing is asked. */
static void test_shared_ends(void)
{
    begin_readers();
    fake_on(&f, LOGS, 1, ANSWER(200, "{}"));
    fake_on(&f, LOGS, 1, ANSWER(403, DENIED));
    read_all();
    fake_pass(&f, 25 * FAKE_SEC);
    UNIT_INT_EQ(readers[9].call.err.kind, SKL_ERR_FORBIDDEN);
    end_readers();

    begin_readers();
    fake_on(&f, LOGS, 1, ANSWER(200, "{}"));
    read_all();
    for (int i = 1; i < READERS; i++)
        gcf_driver.ops->cancel(inst, &readers[i].call);
    fake_pass(&f, 25 * FAKE_SEC);
    UNIT_INT_EQ(f.n_requests, 1);
    end_readers();
}

static void test_errors(void)
{
    begin("strict");
    fake_on(&f, LOGS, 1,
            ANSWER(403, "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"no\"}}"));
    read_logs();
    UNIT_INT_EQ(call.err.kind, SKL_ERR_FORBIDDEN);
    end();

    begin("strict");
    fake_on(&f, LOGS, 1, ANSWER(200, "oops"));
    read_logs();
    UNIT_INT_EQ(call.err.kind, SKL_ERR_BAD_GATEWAY);
    end();

    begin("strict");
    fake_on(&f, LOGS, 1, (struct fake_answer){.delay = FAKE_NEVER});
    gcf_driver.ops->logs(inst, &call, &req);
    fake_pass(&f, FAKE_SEC);
    gcf_driver.ops->cancel(inst, &call);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CANCELED);
    fake_pass(&f, 0);
    end();
}

UNIT_MAIN("gcf_logs", UNIT(test_strict), UNIT(test_pitfall_20_extended), UNIT(test_other_region), UNIT(test_pitfall_19_pages),
          UNIT(test_pitfall_21_payloads), UNIT(test_pitfall_22_bounds), UNIT(test_pitfall_23_filter),
          UNIT(test_pitfall_24_nothing_yet), UNIT(test_credit), UNIT(test_time_limit), UNIT(test_many_line_ends), UNIT(test_deep_json), UNIT(test_clock_skew), UNIT(test_huge_page),
          UNIT(test_large), UNIT(test_pitfall_18_shared), UNIT(test_shared_too_large), UNIT(test_shared_ends),
          UNIT(test_errors))
