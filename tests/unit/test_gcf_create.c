/*
 * tests/unit/test_gcf_create.c - making functions: the request, operations, lost answers, clean-up.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/fake.h"
#include "cloud-run-functions/function.h"
#include "cloud-run-functions/instance.h"
#include "gcp/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE "http://sim:1"
#define FN   "projects/acme/locations/us-central1/functions/skls-0123456789ab"
#define OP   "projects/acme/locations/us-central1/operations/op-1"
#define POST "POST " BASE "/v2/projects/acme/locations/us-central1/functions?functionId="
#define GET  "GET " BASE "/v2/" FN
#define POLL "GET " BASE "/v2/" OP
#define DEL  "DELETE " BASE "/v2/" FN
#define URI  "http://sim:1/run/skls-0123456789ab"
#define GONE "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\",\"message\":\"not found\"}}"
#define FORBIDDEN "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"no\"}}"
#define EMPTY_DONE                                                                                           \
    "{\"name\":\"" OP                                                                                        \
    "\",\"done\":true,\"response\":{\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}}"

#define OTHER_ID "ffffffffffffffffffffffffffffffff"

static struct fake f;
static struct skl_instance *inst;
static struct skl_call call;
static struct skl_container container;
static struct skl_error err;
static char room[4][4096];

static void begin(const char *mode)
{
    fake_init(&f);
    memset(&call, 0, sizeof(call));
    call.kind = FAKE_CREATE;
    container = fake_container();
    inst = fake_open(&f, &err, "endpoint-url", BASE "/", "project", "acme", "create", mode, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
}

static void end(void)
{
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_fini(&f);
}

static void create(bool resumed)
{
    struct skl_create_req req = {.size = sizeof(req), .container = &container, .resumed = resumed};

    gcf_driver.ops->create(inst, &call, &req);
    CU_ASSERT_FALSE(call.done);
}

/* The function as the cloud shows it. */
static const char *function(int slot, const char *state, const char *uri, const char *nonce)
{
    char own[GCF_LABEL_MAX];

    gcf_nonce(&container, own);
    (void)snprintf(room[slot], sizeof(room[slot]),
                   "{\"name\":\"%s\",\"state\":\"%s\",\"labels\":{\"sockerless-nonce\":\"%s\","
                   "\"sockerless-container-head\":\"%.32s\",\"sockerless-container-tail\":\"%s\"},"
                   "\"serviceConfig\":{%s%s%s}}",
                   FN, state, nonce ? nonce : own, nonce ? OTHER_ID : FAKE_ID, nonce ? OTHER_ID : FAKE_ID + 32, uri ? "\"uri\":\"" : "", uri ? uri : "", uri ? "\"" : "");
    return room[slot];
}

static const char *done(int slot, const char *response)
{
    static char text[4][6000];

    (void)snprintf(text[slot], sizeof(text[slot]), "{\"name\":\"%s\",\"done\":true,\"response\":%s}", OP,
                   response);
    return text[slot];
}

static void check_ready(void)
{
    struct gcf_handle h;

    CU_ASSERT_TRUE(call.done);
    CU_ASSERT_FALSE_FATAL(call.failed);
    CU_ASSERT_TRUE_FATAL(gcf_handle_read(&h, call.handle));
    UNIT_STR_EQ(h.name, FN);
    UNIT_STR_EQ(h.uri, URI);
}

#define PENDING            "{\"name\":\"" OP "\",\"metadata\":{}}"
#define ANSWER(code, text) ((struct fake_answer){.status = (code), .body = (text)})

static void test_request_fields(void)
{
    const struct fake_request *r;
    struct json_object *o;

    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, done(0, function(0, "ACTIVE", URI, NULL))));
    create(false);
    fake_run(&f, &call.done, FAKE_SEC);
    check_ready();
    UNIT_INT_EQ(f.n_requests, 1); /* done in the first answer: no poll */
    r = fake_find(&f, POST "skls-0123456789ab", 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_PTR_NULL(fake_header(r, "Authorization"));
    o = gcp_json_parse(r->body, r->body_len);
    UNIT_STR_EQ(gcp_json_str(o, "name"), FN);
    UNIT_STR_EQ(gcp_json_str(o, "buildConfig.runtime"), "docker");
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.availableMemory"), "1Gi");
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.availableCpu"), "1");
    UNIT_INT_EQ(gcp_json_int(o, "serviceConfig.timeoutSeconds", 0), 3600);
    UNIT_INT_EQ(gcp_json_int(o, "serviceConfig.maxInstanceCount", 0), 1);
    CU_ASSERT(gcp_json_int(o, "serviceConfig.maxInstanceRequestConcurrency", 0) > 1);
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.environmentVariables.SOCKERLESS_CONTAINER_ID"), FAKE_ID);
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.environmentVariables.SOCKERLESS_AGENT_TOKEN"),
                "secret-agent-token");
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.environmentVariables.SOCKERLESS_AGENT_CALLBACK_URL"),
                "http://127.0.0.1:3376");
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.environmentVariables.SOCKERLESS_IMAGE"), "busybox");
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.environmentVariables.SOCKERLESS_PROCESS"), container.process);
    UNIT_STR_EQ(gcp_json_str(o, "serviceConfig.environmentVariables.A"), "1");
    UNIT_STR_EQ(gcp_json_str(o, "labels.managed-by"), "sockerless");
    UNIT_STR_EQ(gcp_json_str(o, "labels.sockerless-daemon"), "daemon-1");
    UNIT_STR_EQ(gcp_json_str(o, "labels.sockerless-container-head"), "0123456789abcdef0123456789abcdef");
    CU_ASSERT_PTR_NULL(gcp_json_get(o, "serviceConfig.serviceAccountEmail"));
    json_object_put(o);
    end();
}

/* Pitfall 1: no `done`, then done; done with neither error nor response. */
static void test_pitfall_01_done(void)
{
    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, PENDING));
    fake_on(&f, POLL, 2, ANSWER(200, PENDING));
    fake_on(&f, POLL, 1, ANSWER(200, "{\"name\":\"" OP "\",\"done\":true}"));
    fake_on(&f, GET, 1, ANSWER(200, function(0, "ACTIVE", URI, NULL)));
    create(false);
    fake_run(&f, &call.done, 10 * FAKE_SEC);
    check_ready();
    UNIT_INT_EQ(fake_count(&f, POLL), 3);
    CU_ASSERT(fake_find(&f, POLL, 0)->time - fake_find(&f, POST, 0)->time < 10 * FAKE_MS);
    end();
}

/* Pitfall 2: the operation's code is gRPC's. 5 is not a missing function, 6 is not a reason to adopt a
 * foreign one. */
static void test_pitfall_02_operation_codes(void)
{
    begin("wait");
    fake_on(&f, POST, 1,
            ANSWER(200, "{\"name\":\"" OP
                        "\",\"done\":true,\"error\":{\"code\":5,\"message\":\"no such repo\"}}"));
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    create(false);
    fake_run(&f, &call.done, 10 * FAKE_SEC);
    CU_ASSERT_TRUE(call.failed);
    CU_ASSERT_NOT_EQUAL(call.err.kind, SKL_ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "no such repo"));
    UNIT_INT_EQ(fake_count(&f, DEL), 1);
    end();

    begin("wait");
    fake_on(&f, POST, 1,
            ANSWER(200, "{\"name\":\"" OP "\",\"done\":true,\"error\":{\"code\":6,\"message\":\"exists\"}}"));
    fake_on(&f, GET, 1, ANSWER(200, function(0, "ACTIVE", URI, "somebody-else")));
    create(false);
    fake_run(&f, &call.done, 10 * FAKE_SEC);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CONFLICT);
    UNIT_INT_EQ(fake_count(&f, DEL), 0);
    end();
}

/* Pitfall 3: the operation is not found at first; 503, 429, 500 and a reset while polling. */
static void test_pitfall_03_polling_trouble(void)
{
    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, PENDING));
    fake_on(&f, POLL, 2, ANSWER(404, GONE));
    fake_on(&f, POLL, 1, ANSWER(503, "upstream connect error"));
    fake_on(&f, POLL, 1,
            ANSWER(429, "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"slow\"}}"));
    fake_on(&f, POLL, 1, ANSWER(500, ""));
    fake_on(&f, POLL, 1, (struct fake_answer){.sent = true});
    fake_on(&f, POLL, 1, ANSWER(200, done(0, function(0, "ACTIVE", URI, NULL))));
    create(false);
    fake_run(&f, &call.done, 200 * FAKE_SEC);
    check_ready();
    UNIT_INT_EQ(fake_count(&f, POLL), 7);
    UNIT_INT_EQ(fake_count(&f, DEL), 0);
    UNIT_INT_EQ(fake_count(&f, POST), 1);
    end();

    /* An operation that is forgotten: the function itself settles it. */
    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, PENDING));
    fake_on(&f, POLL, FAKE_ALWAYS, ANSWER(404, GONE));
    fake_on(&f, GET, 1, ANSWER(200, function(0, "DEPLOYING", NULL, NULL)));
    fake_on(&f, GET, 1, ANSWER(200, function(1, "ACTIVE", URI, NULL)));
    create(false);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    check_ready();
    end();
}

/* Pitfall 4: the answer to the POST was lost. */
static void test_pitfall_04_lost_answer(void)
{
    static const char exists[] =
        "{\"error\":{\"code\":409,\"status\":\"ALREADY_EXISTS\",\"message\":\"exists\"}}";

    begin("wait");
    fake_on(&f, POST, 1, (struct fake_answer){.sent = true});
    fake_on(&f, POST, 1, ANSWER(409, exists));
    fake_on(&f, GET, 2, ANSWER(200, function(0, "DEPLOYING", NULL, NULL)));
    fake_on(&f, GET, 1, ANSWER(200, function(1, "ACTIVE", NULL, NULL)));
    fake_on(&f, GET, 1, ANSWER(200, function(2, "ACTIVE", URI, NULL)));
    create(false);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    check_ready();
    UNIT_INT_EQ(fake_count(&f, POST), 2);
    end();

    /* Foreign: neither adopted nor deleted. */
    begin("wait");
    fake_on(&f, POST, 1, (struct fake_answer){.sent = true});
    fake_on(&f, POST, 1, ANSWER(409, exists));
    fake_on(&f, GET, 1, ANSWER(200, function(0, "ACTIVE", URI, "")));
    create(false);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CONFLICT);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "not this container's"));
    UNIT_INT_EQ(fake_count(&f, DEL), 0);
    end();
}

/* Pitfall 12: ACTIVE without a URL for good is a failure, and the function goes. */
static void test_pitfall_12_no_uri(void)
{
    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, done(0, function(0, "ACTIVE", NULL, NULL))));
    fake_on(&f, GET, FAKE_ALWAYS, ANSWER(200, function(1, "ACTIVE", NULL, NULL)));
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    create(false);
    fake_run(&f, &call.done, 400 * FAKE_SEC);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_BAD_GATEWAY);
    UNIT_INT_EQ(fake_count(&f, DEL), 1);
    CU_ASSERT(fake_count(&f, GET) <= 11);
    end();
}

/* Pitfall 5: a failed create leaves a FAILED function, which is deleted; Google's words are told. */
static void test_pitfall_05_failed_create(void)
{
    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, PENDING));
    fake_on(&f, POLL, 1,
            ANSWER(200, "{\"name\":\"" OP
                        "\",\"done\":true,\"metadata\":{\"stages\":[{\"name\":\"SERVICE\",\"stateMessages\":"
                        "[{\"severity\":\"ERROR\",\"message\":\"image nosuch not found\"}]}]},"
                        "\"error\":{\"code\":3,\"message\":\"Could not create Cloud Run service\"}}"));
    fake_on(&f, DEL, 1,
            ANSWER(409, "{\"error\":{\"code\":409,\"status\":\"ABORTED\",\"message\":\"unable to queue the "
                        "operation\"}}"));
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    create(false);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    CU_ASSERT_TRUE(call.failed);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(call.err.message, "Could not create Cloud Run service (image nosuch not found)"));
    UNIT_INT_EQ(fake_count(&f, DEL), 2);
    end();

    /* A deletion that takes its time goes on after the failure was told. */
    begin("wait");
    fake_on(&f, POST, 1,
            ANSWER(200, "{\"name\":\"" OP "\",\"done\":true,\"error\":{\"code\":13,\"message\":\"boom\"}}"));
    fake_on(&f, DEL, 1, (struct fake_answer){.status = 200, .body = EMPTY_DONE, .delay = 20 * FAKE_SEC});
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    create(false);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    CU_ASSERT(call.time < 7 * FAKE_SEC);
    fake_pass(&f, 60 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 2);
    end();
}

/* The clean-up is refused, too: it is tried again, also by the next process. */
static void test_cleanup_refused(void)
{
    begin("wait");
    fake_on(&f, POST, 1,
            ANSWER(200, "{\"name\":\"" OP "\",\"done\":true,\"error\":{\"code\":13,\"message\":\"boom\"}}"));
    fake_on(&f, DEL, 3, ANSWER(403, FORBIDDEN));
    create(false);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "boom"));
    CU_ASSERT(call.time < 3 * FAKE_SEC);
    fake_pass(&f, 400 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 3);
    fake_close(&f, inst);
    inst = fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", NULL);
    fake_on(&f, DEL, 1, ANSWER(403, FORBIDDEN));
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    fake_pass(&f, 400 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 5);
    fake_pass(&f, 4000 * FAKE_SEC);
    end();
}

/* A refusal that is definite needs no clean-up; the hint names the way out. */
static void test_refused_runtime(void)
{
    begin("wait");
    fake_on(&f, POST, 1,
            ANSWER(400,
                   "{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"message\":\"Runtime "
                   "validation errors: "
                   "[error_code: INVALID_RUNTIME message: \\\"Runtime docker is not supported\\\"]\"}}"));
    create(false);
    fake_run(&f, &call.done, 10 * FAKE_SEC);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "\"deploy\": \"image\""));
    UNIT_INT_EQ(f.n_requests, 1);
    end();
}

static void test_resumed(void)
{
    begin("wait");
    fake_on(&f, GET, 1, ANSWER(200, function(0, "ACTIVE", URI, NULL)));
    create(true);
    fake_run(&f, &call.done, 10 * FAKE_SEC);
    check_ready();
    UNIT_INT_EQ(fake_count(&f, POST), 0);
    end();

    begin("wait");
    fake_on(&f, GET, 1, ANSWER(404, GONE));
    fake_on(&f, POST, 1, ANSWER(200, done(0, function(0, "ACTIVE", URI, NULL))));
    create(true);
    fake_run(&f, &call.done, 10 * FAKE_SEC);
    check_ready();
    end();
}

/* A daemon that was killed had begun it, and it failed since: it is made anew. */
static void test_resumed_failed(void)
{
    begin("wait");
    fake_on(&f, GET, 1, ANSWER(200, function(0, "FAILED", NULL, NULL)));
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    fake_on(&f, POST, 1, ANSWER(200, done(0, function(1, "ACTIVE", URI, NULL))));
    create(true);
    fake_run(&f, &call.done, 10 * FAKE_SEC);
    check_ready();
    end();
}

/* A deletion left over from an earlier try must not hit the function that is made now. */
static void test_cleanup_gives_way(void)
{
    static const char left[] = "[{\"function\":\"" FN "\"}]";

    begin("wait");
    fake_close(&f, inst);
    CU_ASSERT_EQUAL(f.host.kv_put(&f, "cleanup", left, strlen(left), &err), 0);
    inst = fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", NULL);
    fake_on(&f, DEL, 1, ANSWER(503, "later"));
    fake_pass(&f, 10 * FAKE_MS);
    UNIT_INT_EQ(fake_count(&f, DEL), 1);
    fake_on(&f, GET, 1, ANSWER(200, function(0, "ACTIVE", URI, NULL)));
    create(true);
    fake_run(&f, &call.done, 10 * FAKE_SEC);
    check_ready();
    fake_pass(&f, 60 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 1);
    end();
}

/* Removed while it is being made: the create ends, too. */
static void test_remove_in_mid_create(void)
{
    struct skl_remove_req req = {.size = sizeof(req), .container = &container};
    struct skl_call gone = {.done = false};

    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, PENDING));
    fake_on(&f, POLL, FAKE_ALWAYS, ANSWER(200, PENDING));
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    create(false);
    fake_pass(&f, FAKE_SEC);
    gcf_driver.ops->remove(inst, &gone, &req);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CANCELED);
    fake_run(&f, &gone.done, 10 * FAKE_SEC);
    CU_ASSERT_FALSE(gone.failed);
    CU_ASSERT_PTR_NULL(f.events);
    end();
}

/* Cancelled in mid-create: the call ends at once, and what was made goes. */
static void test_cancel(void)
{
    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, PENDING));
    fake_on(&f, POLL, FAKE_ALWAYS, ANSWER(200, PENDING));
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    create(false);
    fake_pass(&f, FAKE_SEC);
    CU_ASSERT_FALSE(call.done);
    gcf_driver.ops->cancel(inst, &call);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CANCELED);
    fake_pass(&f, FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 1);
    end();

    /* Before the answer came: the function may appear late, so "not found" is not believed at once. */
    begin("wait");
    fake_on(&f, POST, 1, (struct fake_answer){.delay = FAKE_NEVER});
    fake_on(&f, GET, 1, ANSWER(404, GONE));
    fake_on(&f, GET, 1, ANSWER(200, function(0, "ACTIVE", URI, NULL)));
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    create(false);
    fake_pass(&f, FAKE_SEC);
    gcf_driver.ops->cancel(inst, &call);
    fake_pass(&f, 60 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 1);
    end();
}

#define EXISTS    "{\"error\":{\"code\":409,\"status\":\"ALREADY_EXISTS\",\"message\":\"%s\"}}"

/* While nobody has said that the function is ours, it is not deleted: whatever goes wrong, and over restarts. */
static void test_foreign_is_never_deleted(void)
{
    begin("wait"); /* what is there can't be read at first */
    fake_on(&f, POST, 1, ANSWER(503, "later"));
    fake_on(&f, POST, 1, ANSWER(409, EXISTS));
    fake_on(&f, GET, 3, ANSWER(403, FORBIDDEN));
    fake_on(&f, GET, 1, ANSWER(200, function(0, "ACTIVE", URI, "other")));
    create(false);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    CU_ASSERT_TRUE(call.failed);
    fake_pass(&f, 1000 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, GET), 4);
    UNIT_INT_EQ(fake_count(&f, DEL), 0);
    end();

    begin("wait"); /* refused after a try whose answer was lost */
    fake_on(&f, POST, 1, (struct fake_answer){.sent = true});
    fake_on(&f, POST, 1, ANSWER(403, FORBIDDEN));
    fake_on(&f, GET, 1, ANSWER(200, function(0, "ACTIVE", URI, "other")));
    create(false);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_FORBIDDEN);
    UNIT_INT_EQ(fake_count(&f, DEL), 0);
    end();

    begin("wait"); /* given up, and the daemon was restarted */
    fake_on(&f, POST, 1, (struct fake_answer){.delay = FAKE_NEVER});
    fake_on(&f, GET, 1, (struct fake_answer){.delay = FAKE_NEVER});
    create(false);
    fake_pass(&f, FAKE_SEC);
    gcf_driver.ops->cancel(inst, &call);
    fake_pass(&f, FAKE_SEC);
    fake_close(&f, inst);
    inst = fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", NULL);
    fake_on(&f, GET, 1, ANSWER(200, function(0, "ACTIVE", URI, "other")));
    fake_pass(&f, 60 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, GET), 2);
    UNIT_INT_EQ(fake_count(&f, DEL), 0);
    end();
}

/* There is no such function, but something else of Cloud Run has the name: Google's words are told. */
static void test_name_of_a_service(void)
{
    begin("wait");
    fake_on(&f, POST, 2,
            ANSWER(409, "{\"error\":{\"code\":409,\"status\":\"ALREADY_EXISTS\",\"message\":\"Could not create "
                        "Cloud Run service skls-0123456789ab. A Cloud Run service with this name already exists."
                        "\"}}"));
    fake_on(&f, GET, 2, ANSWER(404, GONE));
    create(false);
    fake_run(&f, &call.done, 100 * FAKE_SEC);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CONFLICT);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "A Cloud Run service with this name already exists"));
    end();
}

static void test_deadline(void)
{
    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, PENDING));
    fake_on(&f, POLL, FAKE_ALWAYS, ANSWER(200, PENDING));
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    create(false);
    fake_run(&f, &call.done, 400 * FAKE_SEC);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_TIMEOUT);
    CU_ASSERT(call.time > 299 * FAKE_SEC && call.time < 320 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 1);
    CU_ASSERT(fake_count(&f, POLL) < 70);
    end();
}

/* The daemon ends in mid-create: nothing is deleted, the next start resumes it. */
static void test_shutdown(void)
{
    begin("wait");
    fake_on(&f, POST, 1, (struct fake_answer){.delay = FAKE_NEVER});
    create(false);
    fake_pass(&f, FAKE_SEC);
    end();
    CU_PASS("no request beyond the POST: a rule would be missing");
}

/* The daemon ends while a given-up create is being deleted: the next process goes on with it. */
static void test_cleanup_survives(void)
{
    begin("wait");
    fake_on(&f, POST, 1, ANSWER(200, PENDING));
    fake_on(&f, POLL, FAKE_ALWAYS, ANSWER(200, PENDING));
    fake_on(&f, DEL, 1, (struct fake_answer){.delay = FAKE_NEVER});
    create(false);
    fake_pass(&f, FAKE_SEC);
    gcf_driver.ops->cancel(inst, &call);
    fake_pass(&f, FAKE_SEC);
    fake_close(&f, inst);
    inst = fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", NULL);
    UNIT_INT_EQ(fake_count(&f, DEL), 1); /* not inside open() */
    fake_on(&f, DEL, 1, ANSWER(200, EMPTY_DONE));
    fake_pass(&f, FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 2);
    fake_close(&f, inst);
    inst = fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", NULL);
    fake_pass(&f, FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 2); /* done, and forgotten */
    end();
}

static void test_background(void)
{
    struct gcf_handle h;

    begin("background");
    fake_on(&f, POST, 1, ANSWER(200, PENDING));
    fake_on(&f, POLL, FAKE_ALWAYS, ANSWER(200, PENDING));
    create(false);
    fake_run(&f, &call.done, FAKE_SEC);
    CU_ASSERT_FALSE_FATAL(call.failed);
    CU_ASSERT_TRUE(gcf_handle_read(&h, call.handle));
    UNIT_STR_EQ(h.uri, "");
    UNIT_STR_EQ(h.operation, OP);
    end();
}

/* The cloud has lost a function that was made in the background: it is made once more. */
static void test_made_anew(void)
{
    struct skl_create_req req = {.size = sizeof(req), .container = &container};
    struct skl_call again = {.kind = FAKE_CREATE};

    begin("background");
    fake_on(&f, POST, 2, ANSWER(200, PENDING));
    fake_on(&f, POLL, 2, ANSWER(200, PENDING));
    fake_on(&f, POLL, 2, ANSWER(200, done(0, function(0, "ACTIVE", URI, NULL))));
    create(false);
    fake_pass(&f, 10 * FAKE_MS);
    CU_ASSERT_TRUE(call.done);
    gcf_driver.ops->create(inst, &again, &req); /* in the middle of it: no */
    fake_pass(&f, 0);
    UNIT_INT_EQ(again.err.kind, SKL_ERR_CONFLICT);
    fake_pass(&f, 10 * FAKE_SEC);
    fake_call_fini(&again);
    again = (struct skl_call){.kind = FAKE_CREATE};
    gcf_driver.ops->create(inst, &again, &req);
    fake_run(&f, &again.done, 10 * FAKE_SEC);
    CU_ASSERT_FALSE(again.failed);
    UNIT_INT_EQ(fake_count(&f, POST), 2);
    fake_call_fini(&again);
    end();
}

UNIT_MAIN("gcf_create", UNIT(test_request_fields), UNIT(test_pitfall_01_done),
          UNIT(test_pitfall_02_operation_codes), UNIT(test_pitfall_03_polling_trouble),
          UNIT(test_pitfall_04_lost_answer), UNIT(test_pitfall_05_failed_create),
          UNIT(test_pitfall_12_no_uri), UNIT(test_refused_runtime), UNIT(test_resumed),
          UNIT(test_resumed_failed), UNIT(test_cleanup_gives_way), UNIT(test_remove_in_mid_create),
          UNIT(test_cancel), UNIT(test_deadline), UNIT(test_shutdown), UNIT(test_cleanup_survives), UNIT(test_cleanup_refused),
          UNIT(test_background), UNIT(test_made_anew), UNIT(test_foreign_is_never_deleted),
          UNIT(test_name_of_a_service))
