/*
 * tests/unit/test_gcp_fault.c - reading error answers, and what is done about them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "plugins/gcp/fault.h"
#include "plugins/gcp/json.h"
#include "plugins/gcp/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gcp_fault f;
static struct skl_error err;

static void body(int status, const char *text)
{
    gcp_fault_from_body(&f, status, text, strlen(text));
}

static const char *explained(void)
{
    gcp_fault_to_error(&f, "create function x", &err);
    return err.message;
}

#define HAS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr((text), (part)))

static void test_google_error(void)
{
    body(404, "{\"error\":{\"code\":404,\"message\":\"Resource 'projects/a/x' was\\n not "
              "found\",\"status\":\"NOT_FOUND\"}}");
    UNIT_INT_EQ(f.code, GCP_NOT_FOUND);
    UNIT_STR_EQ(f.text, "Resource 'projects/a/x' was not found");
    UNIT_STR_EQ(explained(),
                "create function x: NOT_FOUND (HTTP 404): Resource 'projects/a/x' was not found");
    CU_ASSERT_NOT_EQUAL(err.kind, SKL_ERR_NOT_FOUND); /* the CLI would pull the image again */
    UNIT_INT_EQ(err.detail, 404);
    body(409, "{\"error\":{\"code\":409,\"message\":\"m\",\"status\":\"ALREADY_EXISTS\"}}");
    UNIT_INT_EQ(f.code, GCP_ALREADY_EXISTS);
    body(409, "{\"error\":{\"code\":409,\"message\":\"m\",\"status\":\"ABORTED\"}}");
    UNIT_INT_EQ(f.code, GCP_ABORTED);
    body(200, "{\"error\":{\"code\":409}}");
    UNIT_INT_EQ(f.code, GCP_OK);
}

static void test_details(void)
{
    body(429, "{\"error\":{\"code\":429,\"message\":\"Quota "
              "exceeded\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":["
              "{\"@type\":\"type.googleapis.com/x.Unknown\",\"a\":[1]},17,null,"
              "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1.5s\"},"
              "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"RATE_LIMIT_EXCEEDED\","
              "\"metadata\":{\"service\":\"logging.googleapis.com\"}}]}}");
    UNIT_INT_EQ(f.retry_after_ns, 1500000000);
    UNIT_STR_EQ(f.reason, "RATE_LIMIT_EXCEEDED");
    UNIT_STR_EQ(f.service, "logging.googleapis.com");
    HAS(explained(), "in a minute");
    UNIT_INT_EQ(err.kind, SKL_ERR_EXHAUSTED);
    body(
        400,
        "{\"error\":{\"code\":400,\"message\":\"Invalid value\",\"status\":\"INVALID_ARGUMENT\",\"details\":["
        "{\"@type\":\"type.googleapis.com/"
        "google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":\"function.labels\","
        "\"description\":\"bad label\"}]}]}}");
    UNIT_STR_EQ(f.text, "Invalid value (function.labels: bad label)");
}

/* Pitfall 16: error bodies of every shape; something useful is shown, nothing crashes. */
static void test_pitfall_16_bodies(void)
{
    char *huge = malloc(3000001);
    static const struct {
        int status;
        const char *body, *shown;
    } cases[] = {
        {502,
         "<!DOCTYPE html>\n<html><head><title>Error 502 (Server "
         "Error)!!1</title><style>p{color:red}</style></head>"
         "<body><p><b>502.</b> That's an error.<p>The server encountered a temporary error</body></html>",
         "502. That's an error. The server encountered a temporary error"},
        {403, "<html><head><title>403</title></head><body><h1>Error: Forbidden</h1></body></html>",
         "Error: Forbidden"},
        {404, " \n<HTML><BODY>Not Found</BODY></HTML>", "Not Found"},
        {400,
         "[{\"error\":{\"code\":400,\"message\":\"Invalid value (Object), "
         "\",\"status\":\"INVALID_ARGUMENT\"}}]",
         "Invalid value (Object),"},
        {500, "", "an empty answer"},
        {500, "{\"error\":{\"code\":500,\"mess", "{\"error\":{\"code\":500,\"mess"},
        {500, "{}", "{}"},
        {500, "[]", "[]"},
        {500, "null", "null"},
        {500, "{\"error\":{}}", "an answer without a message"},
        {500, "{\"error\":[]}", "{\"error\":[]}"},
        {500, "{\"error\":{\"message\":7,\"status\":8,\"details\":{}}}", "an answer without a message"},
        {503, "upstream connect error or disconnect/reset before headers", "upstream connect error"},
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"Bad\"}", "invalid_grant: Bad"},
        {400, "{\"error\":\"invalid_scope\"}", "invalid_scope"},
        {500, "\xff\xfe\x01garbage", "garbage"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        body(cases[i].status, cases[i].body);
        CU_ASSERT_NOT_EQUAL(f.code, GCP_OK);
        if (!strstr(explained(), cases[i].shown))
            printf("# case %zu: %s\n", i, err.message);
        HAS(explained(), cases[i].shown);
        CU_ASSERT_TRUE(gcp_utf8_valid(err.message));
    }
    memset(huge, 'x', 3000000);
    huge[3000000] = '\0';
    body(500, huge);
    CU_ASSERT(strlen(explained()) < SKL_ERROR_MESSAGE_MAX);
    memcpy(huge, "{\"error\":{\"message\":\"", 21);
    for (size_t i = 21; i + 2 < 3000000 - 3; i += 2)
        memcpy(huge + i, "\xc3\xa9", 2);
    memcpy(huge + 3000000 - 3, "\"}}", 3);
    body(500, huge);
    CU_ASSERT_TRUE(gcp_utf8_valid(explained()));
    free(huge);
}

static void test_next_steps(void)
{
    body(403,
         "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"Cloud Functions API has "
         "not been used in "
         "project 1 before or it is "
         "disabled.\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
         "\"reason\":\"SERVICE_DISABLED\",\"metadata\":{\"service\":\"cloudfunctions.googleapis.com\"}}]}}");
    HAS(explained(), "gcloud services enable cloudfunctions.googleapis.com");
    UNIT_INT_EQ(err.kind, SKL_ERR_FORBIDDEN);
    body(403, "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"Caller x is missing "
              "permission "
              "'iam.serviceaccounts.actAs' on service account y\"}}");
    HAS(explained(), "roles/iam.serviceAccountUser");
    body(400, "{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"message\":\"[error_code: "
              "INVALID_RUNTIME]\"}}");
    HAS(explained(), "\"deploy\": \"image\"");
    body(400, "{\"error\":{\"code\":400,\"status\":\"FAILED_PRECONDITION\",\"message\":\"Quota exceeded for "
              "total allowable CPU "
              "per project per region.\"}}");
    HAS(explained(), "CPU quota");
    body(401, "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\",\"message\":\"Request had invalid "
              "credentials\"}}");
    HAS(explained(), "docs/google.md");
}

static void test_operation_status(void)
{
    struct json_object *o = gcp_json_parse("{\"code\":9,\"message\":\"pre\"}", 26);

    gcp_fault_from_status(&f, o);
    UNIT_INT_EQ(f.code, GCP_FAILED_PRECONDITION);
    UNIT_INT_EQ(f.http, 0);
    json_object_put(o);
    o = gcp_json_parse("{\"code\":404}", 12); /* a server that puts HTTP there */
    gcp_fault_from_status(&f, o);
    UNIT_INT_EQ(f.code, GCP_NOT_FOUND);
    json_object_put(o);
    gcp_fault_from_status(&f, NULL);
    UNIT_INT_EQ(f.code, GCP_UNKNOWN);
}

static enum gcp_verdict verdict(int status, const char *word, enum gcp_policy policy)
{
    char text[200];

    (void)snprintf(text, sizeof(text), "{\"error\":{\"code\":%d,\"status\":\"%s\",\"message\":\"m\"}}",
                   status, word);
    body(status, text);
    return gcp_fault_verdict(&f, policy);
}

/* Section 5.1 of the reference, row by row. */
static void test_retry_table(void)
{
    static const struct {
        int status;
        const char *word;
        enum gcp_verdict read, del, create;
    } rows[] = {
        {499, "CANCELLED", GCP_FAIL, GCP_FAIL, GCP_FAIL},
        {500, "UNKNOWN", GCP_RETRY, GCP_RETRY, GCP_RETRY},
        {400, "INVALID_ARGUMENT", GCP_FAIL, GCP_FAIL, GCP_FAIL},
        {504, "DEADLINE_EXCEEDED", GCP_RETRY, GCP_RETRY, GCP_RETRY},
        {404, "NOT_FOUND", GCP_FAIL, GCP_FAIL, GCP_FAIL},
        {409, "ALREADY_EXISTS", GCP_FAIL, GCP_FAIL, GCP_FAIL},
        {403, "PERMISSION_DENIED", GCP_FAIL, GCP_FAIL, GCP_FAIL},
        {429, "RESOURCE_EXHAUSTED", GCP_RETRY, GCP_RETRY, GCP_RETRY},
        {400, "FAILED_PRECONDITION", GCP_FAIL, GCP_FAIL, GCP_FAIL},
        {409, "ABORTED", GCP_FAIL, GCP_RETRY, GCP_RETRY},
        {400, "OUT_OF_RANGE", GCP_FAIL, GCP_FAIL, GCP_FAIL},
        {501, "UNIMPLEMENTED", GCP_FAIL, GCP_FAIL, GCP_FAIL},
        {500, "INTERNAL", GCP_RETRY, GCP_RETRY, GCP_RETRY},
        {503, "UNAVAILABLE", GCP_RETRY, GCP_RETRY, GCP_RETRY},
        {500, "DATA_LOSS", GCP_FAIL, GCP_FAIL, GCP_FAIL},
        {401, "UNAUTHENTICATED", GCP_REAUTH, GCP_REAUTH, GCP_REAUTH},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        UNIT_INT_EQ(verdict(rows[i].status, rows[i].word, GCP_READ), rows[i].read);
        UNIT_INT_EQ(verdict(rows[i].status, rows[i].word, GCP_DELETE), rows[i].del);
        UNIT_INT_EQ(verdict(rows[i].status, rows[i].word, GCP_CREATE), rows[i].create);
        UNIT_INT_EQ(verdict(rows[i].status, rows[i].word, GCP_ONCE), GCP_FAIL);
    }
    body(403, "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"Quota exceeded per "
              "minute\"}}");
    UNIT_INT_EQ(gcp_fault_verdict(&f, GCP_READ), GCP_RETRY);
    body(502, "<html>x</html>");
    UNIT_INT_EQ(gcp_fault_verdict(&f, GCP_CREATE), GCP_RETRY);
}

static const char *date_header(const struct skl_http_response *res, const char *name)
{
    return !strcmp(name, "Retry-After") ? res->priv : NULL;
}

static void test_retry_after(void)
{
    struct skl_http_response res = {.size = sizeof(res), .status = 503, .body = "", .header = date_header};
    int64_t now = INT64_C(1767225600000000000);

    res.priv = "7";
    gcp_fault_from_response(&f, &res, now);
    UNIT_INT_EQ(f.retry_after_ns, 7 * GCP_SECOND);
    res.priv = "Thu, 01 Jan 2026 00:00:30 GMT";
    gcp_fault_from_response(&f, &res, now);
    UNIT_INT_EQ(f.retry_after_ns, 30 * GCP_SECOND);
    res.priv = "Thu, 01 Jan 2025 00:00:30 GMT";
    gcp_fault_from_response(&f, &res, now);
    UNIT_INT_EQ(f.retry_after_ns, 0);
    res.priv = "soon";
    gcp_fault_from_response(&f, &res, now);
    UNIT_INT_EQ(f.retry_after_ns, -1);
}

UNIT_MAIN("gcp_fault", UNIT(test_google_error), UNIT(test_details), UNIT(test_pitfall_16_bodies),
          UNIT(test_next_steps), UNIT(test_operation_status), UNIT(test_retry_table), UNIT(test_retry_after))
