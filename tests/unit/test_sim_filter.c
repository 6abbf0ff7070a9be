/*
 * tests/unit/test_sim_filter.c - the query language of Cloud Logging: a table of expressions, each with the entries that it finds or with the error
 * that it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "harness.h"
#include "json/json.h"
#include "simulator/logging/filter.h"
#include "simulator/logging/logging.h"

/* Entries a to e. */
static const char *const texts[] = {
    "{\"logName\":\"projects/acme/logs/run.googleapis.com%2Fstdout\",\"resource\":{\"type\":\"cloud_run_revision\",\"labels\":{\"project_id\":\"acme\","
    "\"location\":\"us-central1\",\"service_name\":\"web-1\",\"revision_name\":\"web-1-00001-abc\"}},\"textPayload\":\"Hello World, the cat in the hat\","
    "\"timestamp\":\"2025-08-08T10:15:27.5Z\",\"insertId\":\"aaa1\",\"labels\":{\"goog-managed-by\":\"cloudfunctions\","
    "\"run.googleapis.com/execution_name\":\"e1\",\"tier\":\"Front\"}}",
    "{\"logName\":\"projects/acme/logs/run.googleapis.com%2Fstderr\",\"resource\":{\"type\":\"cloud_run_revision\",\"labels\":{\"project_id\":\"acme\","
    "\"location\":\"us-central1\",\"service_name\":\"web-1\"}},\"textPayload\":\"panic: nil map\\nat \\\"main.go\\\" C:\\\\tmp\","
    "\"timestamp\":\"2025-08-08T10:15:28Z\",\"insertId\":\"bbb2\",\"severity\":\"ERROR\"}",
    "{\"logName\":\"projects/acme/logs/app\",\"resource\":{\"type\":\"gce_instance\",\"labels\":{\"zone\":\"eu\"}},\"jsonPayload\":{\"message\":\"cart full\","
    "\"count\":5,\"big\":9007199254740993,\"ratio\":0.25,\"ok\":true,\"nothing\":null,\"user\":{\"name\":\"Ann\",\"first.last\":\"x\",\"tags\":[\"red\",\"blue\"]},"
    "\"ip\":\"10.1.2.3\",\"nums\":[1,20],\"digits\":\"100\",\"umlaut\":\"Gr\xc3\xbc\xc3\x9f\"},\"timestamp\":\"2025-08-08T10:20:00Z\",\"insertId\":\"ccc3\","
    "\"severity\":\"WARNING\",\"trace\":\"projects/acme/traces/abc\",\"sourceLocation\":{\"file\":\"main.go\",\"line\":\"42\",\"function\":\"f\"}}",
    "{\"logName\":\"projects/acme/logs/run.googleapis.com%2Frequests\",\"resource\":{\"type\":\"cloud_run_revision\",\"labels\":{\"service_name\":\"API\"}},"
    "\"httpRequest\":{\"requestMethod\":\"GET\",\"requestUrl\":\"https://x.example/y?z=1\",\"status\":503,\"responseSize\":\"1234\",\"latency\":\"1.5s\","
    "\"remoteIp\":\"2001:db8::1\",\"cacheHit\":true},\"timestamp\":\"2025-08-09T00:00:00Z\",\"insertId\":\"ddd4\",\"severity\":\"INFO\"}",
    "{\"logName\":\"projects/other/logs/cloudaudit.googleapis.com%2Factivity\",\"resource\":{\"type\":\"audited_resource\"},"
    "\"protoPayload\":{\"@type\":\"type.googleapis.com/google.cloud.audit.AuditLog\",\"methodName\":\"google.run.Create\","
    "\"status\":{\"details\":[{\"@type\":\"type.googleapis.com/x.Y\",\"value\":{\"reason\":\"quota\"}}]}},"
    "\"timestamp\":\"2025-08-10T00:00:00+02:00\",\"insertId\":\"eee5\",\"severity\":\"NOTICE\",\"operation\":{\"id\":\"op1\",\"first\":true}}",
};

/* What an expression finds, "-" for nothing; or "!" and its error. */
struct row {
    const char *filter, *want;
};

#define SYNTAX "!Unparseable filter: syntax error at line 1, column "

static const struct row everything[] = {
    {"", "abcde"},
    {"  \n\t ", "abcde"},
    {"-- only a comment", "abcde"},
};

static const struct row strings[] = {
    {"resource.type=\"cloud_run_revision\"", "abd"},
    {"resource.type = \"cloud_run_revision\"", "abd"},
    {"resource.type=cloud_run_revision", "abd"},
    {"resource.type=\"CLOUD_RUN_REVISION\"", "abd"},
    {"resource.type=\"cloud_run\"", "-"},
    {"resource.type:\"cloud_run\"", "abd"},
    {"resource.type:RUN", "abd"},
    {"resource.type!=\"cloud_run_revision\"", "ce"},
    {"resource.labels.service_name=\"ABC\"", "-"},
    {"resource.labels.service_name=\"api\"", "d"},
    {"resource.labels.service_name=WEB-1", "ab"},
    {"textPayload:\"hello world\"", "a"},
    {"textPayload:hello", "a"},
    {"textPayload=\"hello world\"", "-"},
    {"textPayload=\"hello world, the cat in the hat\"", "a"},
    {"textPayload:\"\"", "ab"},
    {"textPayload>\"hello\"", "ab"},
    {"textPayload<\"i\"", "a"},
    {"textPayload>=\"PANIC\"", "b"},
    {"textPayload:\"\\\"main.go\\\"\"", "b"},
    {"textPayload:\"C:\\\\tmp\"", "b"},
    {"textPayload:\"map\\nat\"", "b"},
    {"textPayload:\"\\x63at \\151n\"", "a"},
    {"jsonPayload.umlaut=\"Gr\\u00fc\\U000000df\"", "c"},
    {"jsonPayload.umlaut:\xc3\xbc", "c"},
    {"insertId=aaa1", "a"},
    {"insertId=(\"aaa1\" OR \"bbb2\")", "ab"},
    {"logName=\"projects/acme/logs/run.googleapis.com%2Fstdout\"", "a"},
    {"logName=projects/acme/logs/run.googleapis.com%2Fstdout", "a"},
    {"logName=\"projects/acme/logs/run.googleapis.com/stdout\"", "-"},
    {"logName:\"run.googleapis.com\"", "abd"},
    {"log_name:stderr", "b"},
    {"trace=\"projects/acme/traces/abc\"", "c"},
    {"trace:abc", "c"},
};

static const struct row paths[] = {
    {"labels.\"goog-managed-by\"=\"cloudfunctions\"", "a"},
    {"labels.\"run.googleapis.com/execution_name\"=\"e1\"", "a"},
    {"labels.\"run.googleapis.com/execution_name\"=e2", "-"},
    {"\"labels\".\"tier\"=\"front\"", "a"},
    {"labels.tier=front", "a"},
    {"labels.Tier=front", "-"},
    {"labels:tier", "a"},
    {"labels:\"goog-managed-by\"", "a"},
    {"labels:nope", "-"},
    {"labels.tier:*", "a"},
    {"labels.nope:*", "-"},
    {"-labels.tier:*", "bcde"},
    {"labels:*", "a"},
    {"jsonPayload.user.name=Ann", "c"},
    {"json_payload.user.name=Ann", "c"},
    {"jsonPayload.user.\"first.last\"=x", "c"},
    {"jsonPayload.\"user\".name=Ann", "c"},
    {"jsonPayload.\"user\".\"first.last\":*", "c"},
    {"jsonPayload.user.first.last=x", "-"},
    {"jsonPayload.user:name", "c"},
    {"jsonPayload.user:ann", "c"},
    {"jsonPayload.user:berta", "-"},
    {"jsonPayload:\"cart full\"", "c"},
    {"jsonPayload:*", "c"},
    {"jsonPayload.user.tags=blue", "c"},
    {"jsonPayload.user.tags=green", "-"},
    {"jsonPayload.user.tags:(red AND blue)", "c"},
    {"jsonPayload.user.name.deeper=1", "-"},
    {"protoPayload.\"@type\"=\"type.googleapis.com/google.cloud.audit.AuditLog\"", "e"},
    {"protoPayload.methodName:\"run.create\"", "e"},
    {"protoPayload.status.details.reason=quota", "e"},
    {"protoPayload.status.details.value.reason=quota", "e"},
    {"httpRequest:*", "d"},
    {"NOT httpRequest:*", "abce"},
    {"operation.first=true", "e"},
    {"operation.last=true", "-"},
    {"sourceLocation.file=main.go", "c"},
    {"source_location.line=42", "c"},
};

static const struct row numbers[] = {
    {"httpRequest.status=503", "d"},
    {"httpRequest.status=\"503\"", "d"},
    {"httpRequest.status>=500", "d"},
    {"httpRequest.status<500", "-"},
    {"httpRequest.status!=503", "-"},
    {"NOT httpRequest.status=503", "abce"},
    {"httpRequest.responseSize>1e3", "d"},
    {"httpRequest.responseSize:1234", "d"},
    {"http_request.response_size<=1234", "d"},
    {"httpRequest.latency>\"1s\"", "d"},
    {"httpRequest.latency>2s", "-"},
    {"httpRequest.latency>=1500ms", "d"},
    {"httpRequest.cacheHit=TRUE", "d"},
    {"httpRequest.cacheHit!=false", "d"},
    {"jsonPayload.count=5", "c"},
    {"jsonPayload.count=\"5\"", "c"},
    {"jsonPayload.count=5.0", "c"},
    {"jsonPayload.count>-5", "c"},
    {"jsonPayload.count>(-5 AND 4)", "c"},
    {"jsonPayload.count>9", "-"},
    {"jsonPayload.count=five", "-"},
    {"jsonPayload.big=9007199254740993", "c"},
    {"jsonPayload.big>9007199254740992", "c"},
    {"jsonPayload.ratio<0.3", "c"},
    {"jsonPayload.ok=true", "c"},
    {"jsonPayload.ok!=true", "-"},
    {"jsonPayload.ok=yes", "-"},
    {"jsonPayload.nums>10", "c"},
    {"jsonPayload.digits>20", "-"},
    {"jsonPayload.digits=100", "c"},
    {"jsonPayload.nothing=NULL_VALUE", "c"},
    {"jsonPayload.nothing:*", "c"},
};

static const struct row times_and_severities[] = {
    {"severity=ERROR", "b"},
    {"severity=error", "b"},
    {"severity=\"ERROR\"", "b"},
    {"severity=500", "b"},
    {"severity>=WARNING", "bc"},
    {"severity>INFO", "bce"},
    {"severity<notice", "ad"},
    {"severity=DEFAULT", "a"},
    {"severity!=ERROR", "acde"},
    {"severity>=DEFAULT", "abcde"},
    {"severity=(ERROR OR WARNING)", "bc"},
    {"severity:*", "bcde"},
    {"severity=~\"^W\"", "c"},
    {"severity>=350", "bc"},
    {"timestamp>=\"2025-08-08T10:15:28Z\"", "bcde"},
    {"timestamp>\"2025-08-08T10:15:28Z\"", "cde"},
    {"timestamp = \"2025-08-08T12:15:27.500000+02:00\"", "a"},
    {"timestamp = \"2025-08-08T12:15:27.500000+0200\"", "a"}, /* as Python's client writes them */
    {"timestamp>=\"2025-08-09T00:00:00+0000\"", "de"},
    {"timestamp<\"2025-08-09\"", "abc"},
    {"timestamp>=2025-08-09", "de"},
    {"timestamp>=\"2025-08-08T10:16\"", "cde"},
    {"timestamp>\"2025-09\"", "-"},
    {"timestamp>=\"2025-08-09T22:00:00Z\"", "e"},
    {"timestamp<\"2025-08-09\" timestamp>\"2025-08-08T10:15:27.6Z\"", "bc"},
    {"receiveTimestamp>\"2000-01-01T00:00:00Z\"", "abcde"},
};

static const struct row precedence[] = {
    {"insertId=aaa1 OR insertId=bbb2", "ab"},
    {"insertId=aaa1 AND insertId=bbb2", "-"},
    {"insertId=aaa1 insertId=bbb2", "-"},
    {"severity=ERROR\ninsertId=bbb2", "b"},
    /* OR binds tighter than AND: (a OR b) AND (c OR b) */
    {"insertId=aaa1 OR insertId=bbb2 AND insertId=ccc3 OR insertId=bbb2", "b"},
    {"insertId=aaa1 OR insertId=bbb2 insertId=ccc3 OR insertId=bbb2", "b"},
    {"insertId=aaa1 OR (insertId=bbb2 AND severity=ERROR)", "ab"},
    {"(insertId=aaa1 OR insertId=bbb2) AND severity=ERROR", "b"},
    {"severity=ERROR AND insertId=aaa1 OR insertId=bbb2", "b"},
    /* NOT binds tightest */
    {"NOT insertId=aaa1", "bcde"},
    {"NOT insertId=aaa1 OR insertId=aaa1", "abcde"},
    {"NOT (insertId=aaa1 OR insertId=bbb2)", "cde"},
    {"-insertId=aaa1", "bcde"},
    {"-(insertId=aaa1 OR insertId=bbb2)", "cde"},
    {"insertId=aaa1 OR NOT insertId=bbb2 AND NOT insertId=ccc3 OR insertId=ddd4", "ade"},
    {"NOT insertId=aaa1 AND NOT insertId=bbb2", "cde"},
    {"resource.type=cloud_run_revision -severity=ERROR", "ad"},
    {"((((insertId=aaa1))))", "a"},
    {"(insertId=aaa1)OR(insertId=bbb2)", "ab"},
    {"insertId=(aaa1 OR bbb2) severity=ERROR", "b"},
    {"insertId=(NOT aaa1)", "bcde"},
    {"insertId=(-\"aaa1\" AND -\"bbb2\")", "cde"},
    {"insertId!=(aaa1 AND bbb2)", "cde"},
    {"insertId=(aaa1 OR (bbb2 OR ccc3))", "abc"},
    {"textPayload:(cat hat)", "a"},
    {"textPayload:(cat OR panic)", "ab"},
    /* the second one is no value of insertId, but a text that is sought everywhere */
    {"insertId=\"aaa1\" OR \"bbb2\"", "ab"},
    {"insertId=\"aaa1\" OR \"main.go\"", "abc"},
    {"resource.type=gce_instance -- of machines\nAND severity=WARNING -- and warnings", "c"},
    {"and", "-"},
    {"insertId=aaa1 or", "a"}, /* "World" has it */
};

static const struct row global[] = {
    {"\"The cat in the hat\"", "a"},
    {"cat", "a"},
    {"CAT hat", "a"},
    {"cat OR cart", "ac"},
    {"NOT cat", "bcde"},
    {"main.go", "bc"},
    {"acme", "abcd"},
    {"503", "d"},
    {"-503", "abce"},
    {"\"web-1\"", "ab"},
    {"tier", "a"},
    {"tie", "-"},
    {"quota", "e"},
    {"warning", "c"},
    {"nothing-of-it", "-"},
};

static const struct row regexes[] = {
    {"textPayload=~\"cat\"", "a"},
    {"textPayload=~\"Cat\"", "-"},
    {"textPayload=~\"(?i)CAT\"", "a"},
    {"textPayload!~\"cat\"", "b"},
    {"NOT textPayload=~\"cat\"", "bcde"},
    {"textPayload=~\"^Hello.*hat$\"", "a"},
    {"textPayload=~\"^panic:\\s+\\w+ map$\"", "-"},
    {"textPayload=~\"(?m)^panic:\\s+\\w+ map$\"", "b"},
    {"resource.labels.service_name=~\"^web-\\d+$\"", "ab"},
    {"logName=~\"%2Fstd(out|err)$\"", "ab"},
    {"logName=~(\"stdout$\" OR \"stderr$\")", "ab"},
    {"jsonPayload.message=~\"c[a-c]rt f{1}ul{2}\"", "c"},
    {"jsonPayload.umlaut=~\"^Gr.\xc3\x9f$\"", "c"},
    {"sourceLocation.file=~\"\\.go$\"", "c"},
};

static const struct row functions[] = {
    {"LOG_ID(\"run.googleapis.com/stdout\")", "a"},
    {"log_id(\"run.googleapis.com%2Fstdout\")", "a"},
    {"log_id(\"app\")", "c"},
    {"-log_id(app)", "abde"},
    {"log_id(\"app\") OR log_id(\"run.googleapis.com/stderr\")", "bc"},
    {"SEARCH(\"hello hat\")", "a"},
    {"SEARCH(\"hat hello\")", "a"},
    {"SEARCH(\"hell\")", "-"},
    {"SEARCH(textPayload, \"world\")", "a"},
    {"SEARCH(textPayload, \"`cat in the hat`\")", "a"},
    {"SEARCH(textPayload, \"`hat in the cat`\")", "-"},
    {"SEARCH(jsonPayload.user, \"ann RED\")", "c"},
    {"SEARCH(jsonPayload, \"cart\") AND severity=WARNING", "c"},
    {"SEARCH(\"web\")", "ab"},
    {"sample(insertId, 1.0)", "abcde"},
    {"sample(insertId, 0)", "-"},
    {"sample(trace, 1)", "c"},
    {"ip_in_net(jsonPayload.ip, \"10.1.2.0/24\")", "c"},
    {"ip_in_net(jsonPayload.ip, \"10.1.0.0/22\")", "c"},
    {"ip_in_net(jsonPayload.ip, \"10.1.4.0/22\")", "-"},
    {"ip_in_net(jsonPayload.ip, \"10.1.2.3\")", "c"},
    {"ip_in_net(httpRequest.remoteIp, \"2001:db8::/32\")", "d"},
    {"ip_in_net(httpRequest.remoteIp, \"2001:db9::/32\")", "-"},
    {"ip_in_net(jsonPayload.message, \"0.0.0.0/0\")", "-"},
    {"source(projects/other)", "e"},
    {"source(\"projects/acme\")", "abcd"},
};

/* What clients were seen to send (reference 4.3, 4.4). */
static const struct row clients[] = {
    {"resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"web-1\"", "ab"},
    {"resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"web-1\" AND resource.labels.location=\"us-central1\" AND "
     "(logName=\"projects/acme/logs/run.googleapis.com%2Fstdout\" OR logName=\"projects/acme/logs/run.googleapis.com%2Fstderr\") AND "
     "timestamp>=\"2025-08-08T10:15:27.6Z\"", "b"},
    {"resource.type=\"cloud_run_revision\" resource.labels.location=\"us-central1\" logName:\"run.googleapis.com\" "
     "labels.\"goog-managed-by\"=\"cloudfunctions\" resource.labels.service_name=\"web-1\" timestamp>=\"2025-01-01T00:00:00.000000Z\"", "a"},
    {"severity>=DEFAULT AND timestamp >= \"2025-08-09T00:00:00.000Z\"", "de"},
    {"resource.type=gce_instance AND logName=projects/acme/logs/app AND jsonPayload:cart", "c"},
};

static const struct row errors[] = {
    {"insertId=", SYNTAX "10, token ''"},
    {"=a", SYNTAX "1, token '='"},
    {"insertId==a", SYNTAX "10, token '='"},
    {"insertId = abc:def", SYNTAX "15, token ':'"},
    {"timestamp>=2025-06-12T03:23:45Z", SYNTAX "25, token ':'"},
    {"(insertId=a", SYNTAX "12, token ''"},
    {"insertId=a)", SYNTAX "11, token ')'"},
    {"()", SYNTAX "2, token ')'"},
    {"insertId=()", SYNTAX "11, token ')'"},
    {"insertId=(a OR)", SYNTAX "15, token ')'"},
    {"insertId=(a=b)", SYNTAX "12, token '='"},
    {"AND a", SYNTAX "1, token 'AND'"},
    {"a AND", SYNTAX "6, token ''"},
    {"a AND AND b", SYNTAX "7, token 'AND'"},
    {"a AND OR b", SYNTAX "7, token 'OR'"},
    {"OR", SYNTAX "1, token 'OR'"},
    {"a OR", SYNTAX "5, token ''"},
    {"NOT", SYNTAX "4, token ''"},
    {"NOT NOT a", SYNTAX "5, token 'NOT'"},
    {"insertId=NOT", SYNTAX "10, token 'NOT'"},
    {"insertId=\"a", SYNTAX "10, token '\"'"},
    {"\"\\ud800\"", SYNTAX "1, token '\"'"},
    {"labels.goog-managed-by=x", SYNTAX "12, token '-'"},
    {"labels.run.googleapis.com/x:*", SYNTAX "26, token '/'"},
    {"jsonPayload..a=1", SYNTAX "15, token '='"},
    {".a=1", SYNTAX "3, token '='"},
    {"a, b", SYNTAX "2, token ','"},
    {"a ? b", SYNTAX "3, token '?'"},
    {"insertId=a\nAND =", "!Unparseable filter: syntax error at line 2, column 5, token '='"},
    {"insertId ! a", SYNTAX "10, token '!'"},
    {"labels.\"a\"\"b\"=1", SYNTAX "11, token '\"b\"'"},
    {"thud=1", "!Field not found: 'thud'."},
    {"Severity=ERROR", "!Field not found: 'Severity'."},
    {"operation.thud=1", "!Field not found: 'operation.thud'."},
    {"textPayload.thud=1", "!Field not found: 'textPayload.thud'."},
    {"insertId=a AND resource.label.x=1", "!Field not found: 'resource.label'."},
    {"severity=BAD", "!Unparseable filter: invalid severity value 'BAD' for field 'severity'"},
    {"timestamp>=yesterday", "!Unparseable filter: invalid timestamp value 'yesterday' for field 'timestamp'"},
    {"timestamp>\"2025-13-01T00:00:00Z\"", "!Unparseable filter: invalid timestamp value '2025-13-01T00:00:00Z' for field 'timestamp'"},
    {"httpRequest.status=ok", "!Unparseable filter: invalid number value 'ok' for field 'status'"},
    {"httpRequest.cacheHit=1", "!Unparseable filter: invalid boolean value '1' for field 'cacheHit'"},
    {"httpRequest.latency>soon", "!Unparseable filter: invalid duration value 'soon' for field 'latency'"},
    {"resource=x", "!Unparseable filter: field 'resource' is a message and can only be compared with ':'"},
    {"labels=x", "!Unparseable filter: field 'labels' is a message and can only be compared with ':'"},
    {"timestamp=~x", "!Unparseable filter: operator '=~' needs a string, and field 'timestamp' is none"},
    {"textPayload=~\"(a\"", "!Unparseable filter: invalid regular expression: missing ): (a"},
    {"textPayload=~\"a**\"", "!Unparseable filter: invalid regular expression: bad repetition operator: **"},
    {"cast(a, STRING)", "!Unparseable filter: unknown function 'cast'"},
    {"log_id()", SYNTAX "8, token ')'"},
    {"log_id(a, b)", "!Unparseable filter: wrong arguments for function 'log_id'"},
    {"sample(insertId)", "!Unparseable filter: wrong arguments for function 'sample'"},
    {"sample(insertId, 2)", "!Unparseable filter: the fraction in function 'sample' must be between 0.0 and 1.0"},
    {"sample(nope, 1)", "!Field not found: 'nope'."},
    {"ip_in_net(jsonPayload.ip, \"10.1.2.0/33\")", "!Unparseable filter: invalid subnet '10.1.2.0/33' in function 'ip_in_net'"},
    {"ip_in_net(jsonPayload.ip, localhost)", "!Unparseable filter: invalid subnet 'localhost' in function 'ip_in_net'"},
    {"SEARCH(a, b, c)", "!Unparseable filter: wrong arguments for function 'search'"},
};

static struct log_entry *entries[5];

static void make_entries(void)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct skl_error err = {0};
        JSON_CLEANUP struct json_object *raw = json_parse_object(texts[i], strlen(texts[i]), 1 << 20, &err), *m = NULL;
        m = raw != NULL ? log_message_read(log_entry_fields, raw, "entry", &err) : NULL;
        entries[i] = m != NULL ? log_entry_read(m, &err) : NULL;
        UNIT_STR_EQ(err.message, "");
        if (entries[i] == NULL)
            exit(1);
        entries[i]->received = entries[i]->time + 1;
    }
}

static void free_entries(void)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        log_entry_free(entries[i]);
}

static void check(const struct row *row)
{
    struct skl_error err = {0};
    struct filter *f = filter_new(row->filter, &err);
    char got[1200] = "", *end = got;

    if (f == NULL)
        snprintf(got, sizeof(got), "!%s", err.message);
    for (size_t i = 0; i < ARRAY_LEN(texts) && f != NULL; i++)
        if (filter_matches(f, entries[i]))
            *end++ = (char)('a' + i);
    if (got[0] == '\0')
        got[0] = '-';
    if (strcmp(got, row->want) != 0)
        printf("# %s\n", row->filter);
    UNIT_STR_EQ(got, row->want);
    filter_free(f);
}

static void check_all(const struct row *rows, size_t n)
{
    make_entries();
    for (size_t i = 0; i < n; i++)
        check(&rows[i]);
    free_entries();
}

#define TABLE(name)                               \
    static void table_##name(void)                \
    {                                             \
        check_all(name, sizeof(name) / sizeof(name[0])); \
    }
TABLE(everything)
TABLE(strings)
TABLE(paths)
TABLE(numbers)
TABLE(times_and_severities)
TABLE(precedence)
TABLE(global)
TABLE(regexes)
TABLE(functions)
TABLE(clients)
TABLE(errors)

/* A part of the entries, always the same, about as large as was asked for. */
static void test_sample_is_a_fraction(void)
{
    struct skl_error err = {0};
    struct filter *f = filter_new("sample(insertId, 0.25)", &err), *again = filter_new("sample(insertId, 0.25)", &err);
    char id[32];
    int n = 0;

    make_entries();
    for (int i = 0; i < 4000; i++) {
        snprintf(id, sizeof(id), "id-%d", i);
        free(entries[0]->insert_id);
        entries[0]->insert_id = xstrdup(id);
        n += filter_matches(f, entries[0]);
        CU_ASSERT_EQUAL(filter_matches(f, entries[0]), filter_matches(again, entries[0]));
    }
    CU_ASSERT(n > 850 && n < 1150);
    filter_free(f);
    filter_free(again);
    free_entries();
}

static void expect_error(const char *filter, const char *part)
{
    struct skl_error err = {0};

    CU_ASSERT_PTR_NULL(filter_new(filter, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, part));
}

static char *repeated(const char *s, size_t n)
{
    char *text = xcalloc(n + 1, strlen(s));

    for (size_t i = 0; i < n; i++)
        memcpy(text + i * strlen(s), s, strlen(s));
    return text;
}

static void test_limits(void)
{
    CLEANUP(free_p) char *long_text = repeated("a", FILTER_MAX + 1), *deep = repeated("(", FILTER_DEPTH_MAX + 1), *path = repeated("a.", 50);
    CLEANUP(free_p) char *chars = repeated("\xc3\xbc", FILTER_MAX), *name = xasprintf("jsonPayload.%sb=1", path), *many = repeated("a OR ", 3000);
    CLEANUP(free_p) char *wide = xasprintf("%sb", many);
    struct skl_error err = {0};
    struct filter *f;

    expect_error(long_text, "too long");
    expect_error(deep, "nested deeper");
    expect_error(name, "syntax error");
    f = filter_new(chars, &err); /* characters, not bytes */
    CU_ASSERT_PTR_NOT_NULL(f);
    filter_free(f);
    f = filter_new(wide, &err);
    CU_ASSERT_PTR_NOT_NULL(f);
    filter_free(f);
}

static void test_time_range(void)
{
    struct skl_error err = {0};
    struct filter *f = filter_new("timestamp>\"1970-01-01T00:00:01Z\" AND (timestamp<=\"1970-01-01T00:00:09Z\" timestamp<=\"1970-01-01T00:00:05Z\") AND "
                                  "(timestamp>\"1970-01-01T00:00:03Z\" OR severity=ERROR)", &err);
    int64_t min = INT64_MIN, max = INT64_MAX;

    filter_time_range(f, &min, &max);
    UNIT_INT_EQ(min, 1000000000);
    UNIT_INT_EQ(max, 5000000000);
    filter_free(f);
}

UNIT_MAIN("sim_filter", UNIT(table_everything), UNIT(table_strings), UNIT(table_paths), UNIT(table_numbers), UNIT(table_times_and_severities),
          UNIT(table_precedence), UNIT(table_global), UNIT(table_regexes), UNIT(table_functions), UNIT(table_clients), UNIT(table_errors),
          UNIT(test_sample_is_a_fraction), UNIT(test_limits), UNIT(test_time_range))
