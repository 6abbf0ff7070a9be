/*
 * tests/unit/test_gcf_ops.c - remove, list, inspect, logs, and the way a call gets its token and project.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/fake.h"
#include "gcp/keys.h"
#include "cloud-run-functions/instance.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE               "http://sim:1"
#define FN                 "projects/acme/locations/us-central1/functions/skls-0123456789ab"
#define DEL                "DELETE " BASE "/v2/" FN
#define GETS               "GET " BASE "/v2/projects/acme/locations/-/functions?"
#define LOGS               "POST " BASE "/v2/entries:list"
#define ANSWER(code, text) ((struct fake_answer){.status = (code), .body = (text)})
#define GONE               "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\",\"message\":\"not found\"}}"
#define DONE               "{\"name\":\"projects/p/locations/l/operations/d\",\"done\":true,\"response\":{}}"
#define BUSY               "{\"error\":{\"code\":409,\"status\":\"ABORTED\",\"message\":\"unable to queue the operation\"}}"

#define ITEM(name, daemon, more)                                                                             \
    "{\"name\":\"projects/acme/locations/us-central1/functions/" name                                        \
    "\",\"state\":\"ACTIVE\",\"labels\":{\"sockerless-daemon\":\"" daemon "\"" more "}}"
#define IDS                                                                                                  \
    ",\"sockerless-container-head\":\"0123456789abcdef0123456789abcdef\",\"sockerless-container-tail\":"     \
    "\"0123456789abcdef0123456789abcdef\""

#define TOKEN(name) ANSWER(200, "{\"access_token\":\"" name "\",\"expires_in\":3600}")

static struct fake f;
static struct skl_instance *inst;
static struct skl_call call;
static struct skl_container container;
static struct skl_stream stream;
static struct skl_error err;

__attribute__((constructor)) static void clean_environment(void)
{
    static const char *const names[] = {"GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG",
                                        "GCE_METADATA_HOST", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    setenv("HOME", "/nonexistent", 1);
}

static void begin(const char *semantics, int kind)
{
    fake_init(&f);
    memset(&call, 0, sizeof(call));
    memset(&stream, 0, sizeof(stream));
    stream.credit = 1000000;
    call.kind = kind;
    container = fake_container();
    container.handle = "{\"v\":1,\"function\":\"" FN "\",\"uri\":\"http://sim:1/run\"}";
    inst = fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", "semantics", semantics, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
}

static void end(void)
{
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_stream_fini(&stream);
    fake_fini(&f);
}

static void remove_it(void)
{
    struct skl_remove_req req = {.size = sizeof(req), .container = &container};

    gcf_driver.ops->remove(inst, &call, &req);
    fake_run(&f, &call.done, 1000 * FAKE_SEC);
}

/* Pitfall 6: gone is success, a function that is being made is waited for, a failed operation is begun again.
 */
static void test_pitfall_06_remove(void)
{
    begin("extended", FAKE_PLAIN);
    fake_on(&f, DEL, 1, ANSWER(404, GONE));
    remove_it();
    CU_ASSERT_FALSE(call.failed);
    end();

    begin("extended", FAKE_PLAIN);
    fake_on(&f, DEL, 3, ANSWER(409, BUSY));
    fake_on(&f, DEL, 1, ANSWER(200, "{\"name\":\"projects/p/locations/l/operations/d\"}"));
    fake_on(&f, "GET " BASE "/v2/projects/p/locations/l/operations/d", 1, ANSWER(200, DONE));
    remove_it();
    CU_ASSERT_FALSE(call.failed);
    UNIT_INT_EQ(f.n_requests, 5);
    end();

    begin("extended", FAKE_PLAIN);
    fake_on(
        &f, DEL, 1,
        ANSWER(200,
               "{\"name\":\"projects/p/locations/l/operations/d\",\"done\":true,\"error\":{\"code\":13}}"));
    fake_on(
        &f, DEL, 1,
        ANSWER(200,
               "{\"name\":\"projects/p/locations/l/operations/d\",\"done\":true,\"error\":{\"code\":5}}"));
    remove_it();
    CU_ASSERT_FALSE(call.failed);
    end();

    begin("extended", FAKE_PLAIN);
    fake_on(&f, DEL, FAKE_ALWAYS,
            ANSWER(403, "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"no\"}}"));
    remove_it();
    UNIT_INT_EQ(call.err.kind, SKL_ERR_FORBIDDEN);
    UNIT_INT_EQ(f.n_requests, 1);
    end();

    begin("extended", FAKE_PLAIN); /* no handle: the create never ended; the name is known all the same */
    container.handle = NULL;
    fake_on(&f, "GET " BASE "/v2/" FN, 1, ANSWER(200, ITEM("skls-0123456789ab", "daemon-1", IDS)));
    fake_on(&f, DEL, 1, ANSWER(200, DONE));
    remove_it();
    CU_ASSERT_FALSE(call.failed);
    UNIT_INT_EQ(fake_count(&f, DEL), 1);
    end();

    begin("extended", FAKE_PLAIN); /* ... but what stands under it is another's */
    container.handle = NULL;
    fake_on(&f, "GET " BASE "/v2/" FN, 1, ANSWER(200, ITEM("skls-0123456789ab", "daemon-1", "")));
    remove_it();
    CU_ASSERT_FALSE(call.failed);
    UNIT_INT_EQ(fake_count(&f, DEL), 0);
    end();
}

static void test_remove_unavailable(void)
{
    begin("extended", FAKE_PLAIN);
    fake_on(&f, DEL, FAKE_ALWAYS, ANSWER(503, "no"));
    remove_it();
    UNIT_INT_EQ(call.err.kind, SKL_ERR_UNAVAILABLE);
    CU_ASSERT(call.time > 100 * FAKE_SEC && call.time < 910 * FAKE_SEC);
    CU_ASSERT(f.n_requests < 60);
    end();

    begin("extended", FAKE_PLAIN);
    fake_on(&f, DEL, FAKE_ALWAYS, (struct fake_answer){.delay = FAKE_NEVER});
    {
        struct skl_remove_req req = {.size = sizeof(req), .container = &container};

        gcf_driver.ops->remove(inst, &call, &req);
        fake_pass(&f, FAKE_SEC);
        gcf_driver.ops->cancel(inst, &call);
    }
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CANCELED);
    fake_pass(&f, 0);
    end();
}

/* ---- list ---- */

static void list_it(void)
{
    struct skl_list_req req = {.size = sizeof(req), .daemon_id = "daemon-1"};

    gcf_driver.ops->list(inst, &call, &req);
    fake_run(&f, &call.done, 400 * FAKE_SEC);
}

/* Pitfalls 11 and 12: short and empty pages with tokens, foreign entries, no uri, unreachable places. */
static void test_pitfall_11_list(void)
{
    begin("extended", FAKE_LIST);
    fake_on(&f, "pageToken=t%20%2B1", 1, ANSWER(200, "{\"nextPageToken\":\"t2\"}"));
    fake_on(&f, "pageToken=t2", 1, ANSWER(200, "{\"functions\":[" ITEM("b", "daemon-1", "") "]}"));
    fake_on(&f, GETS, 1,
            ANSWER(200, "{\"functions\":[" ITEM("a", "daemon-1", IDS) "," ITEM(
                            "x", "other", IDS) ",17],\"nextPageToken\":\"t +1\"}"));
    list_it();
    CU_ASSERT_FALSE_FATAL(call.failed);
    UNIT_INT_EQ(call.count, 2);
    UNIT_INT_EQ(call.complete, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.items, FAKE_ID " {\"v\":1,\"function\":"));
    CU_ASSERT_PTR_NOT_NULL(strstr(call.items, "- {\"v\":1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.requests[0].url, "filter=labels.sockerless-daemon%3D%22daemon-1%22"));
    end();

    begin("extended", FAKE_LIST);
    fake_on(&f, GETS, 1,
            ANSWER(200, "{\"functions\":[" ITEM("a", "daemon-1", IDS) "],\"unreachable\":[\"x\"]}"));
    list_it();
    UNIT_INT_EQ(call.complete, 0);
    UNIT_INT_EQ(call.count, 1);
    end();

    begin("extended", FAKE_LIST);
    fake_on(&f, GETS, 1, ANSWER(200, "{}"));
    list_it();
    UNIT_INT_EQ(call.count, 0);
    UNIT_INT_EQ(call.complete, 1);
    end();

    begin("extended", FAKE_LIST);
    fake_on(&f, GETS, FAKE_ALWAYS, ANSWER(200, "<html>"));
    list_it();
    UNIT_INT_EQ(call.err.kind, SKL_ERR_BAD_GATEWAY);
    end();
}

/* Another project is configured than before: what its list lacks may be in the old one. */
static void test_list_of_another_project(void)
{
    char *text = keys_file(NULL);

    for (int i = 0; i < 3; i++) {
        if (i == 0)
            begin("extended", FAKE_LIST);
        fake_on(&f, "POST https://oauth2.googleapis.com/token", 1, TOKEN("t"));
        fake_close(&f, inst);
        fake_call_fini(&call);
        memset(&call, 0, sizeof(call));
        call.kind = FAKE_LIST;
        inst = fake_open(&f, &err, "credentials", keys_write("sa.json", text), "project", i == 1 ? "other" : "acme", NULL);
        fake_on(&f, "/locations/-/functions?", 1, ANSWER(200, "{}"));
        list_it();
        UNIT_INT_EQ(call.complete, i != 1);
        UNIT_INT_EQ(fake_logged(&f, "project acme, used before"), i > 0);
    }
    free(text);
    end();
}

static void test_inspect(void)
{
    struct skl_inspect_req req = {.size = sizeof(req), .container = &container};

    begin("strict", FAKE_INSPECT);
    fake_on(&f, "GET " BASE "/v2/" FN, 1, ANSWER(200, "{\"name\":\"" FN "\",\"state\":3}"));
    gcf_driver.ops->inspect(inst, &call, &req);
    fake_run(&f, &call.done, FAKE_SEC);
    CU_ASSERT_TRUE(call.exists);
    UNIT_STR_EQ(call.state, "DEPLOYING");
    end();

    begin("strict", FAKE_INSPECT);
    fake_on(&f, "GET " BASE "/v2/" FN, 1, ANSWER(404, GONE));
    gcf_driver.ops->inspect(inst, &call, &req);
    fake_run(&f, &call.done, FAKE_SEC);
    CU_ASSERT_FALSE(call.failed);
    CU_ASSERT_FALSE(call.exists);
    end();
}

/* ---- credentials of a call ---- */

#define KEY_BASE                                                                                             \
    "https://cloudfunctions.googleapis.com/v2/projects/key-project/locations/-/functions?"

/* Google's own addresses, the key's project, a token in each request, and a new one after a 401. */
static void test_real_google(void)
{
    char *text = keys_file(NULL);
    struct skl_list_req req = {.size = sizeof(req), .daemon_id = "daemon-1"};

    fake_init(&f);
    memset(&call, 0, sizeof(call));
    call.kind = FAKE_LIST;
    inst = fake_open(&f, &err, "credentials", keys_write("sa.json", text), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
    fake_on(&f, "POST https://oauth2.googleapis.com/token", 1, TOKEN("t1"));
    fake_on(&f, "POST https://oauth2.googleapis.com/token", 1, TOKEN("t2"));
    fake_on(&f, "GET " KEY_BASE, 1,
            ANSWER(401, "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\",\"message\":\"expired\"}}"));
    fake_on(&f, "GET " KEY_BASE, 1, ANSWER(200, "{}"));
    gcf_driver.ops->list(inst, &call, &req);
    fake_run(&f, &call.done, 10 * FAKE_SEC);
    CU_ASSERT_FALSE(call.failed);
    UNIT_STR_EQ(fake_header(fake_find(&f, "GET " KEY_BASE, 0), "Authorization"), "Bearer t1");
    UNIT_STR_EQ(fake_header(fake_find(&f, "GET " KEY_BASE, 1), "Authorization"), "Bearer t2");
    CU_ASSERT_FALSE(fake_logged(&f, "t1"));
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_fini(&f);
    free(text);
}

/* A private function gets an ID token for scheme and host of its URL, never the access token. */
static void test_private_function(void)
{
    char *text = keys_file(NULL), answer[700];
    struct skl_start_req req = {.size = sizeof(req), .container = &container};

    fake_init(&f);
    memset(&call, 0, sizeof(call));
    container = fake_container();
    container.run = 1;
    container.handle = "{\"function\":\"" FN "\",\"uri\":\"https://skls-1-uc.a.run.app/path?q\"}";
    inst = fake_open(&f, &err, "credentials", keys_write("sa.json", text), NULL);
    (void)snprintf(answer, sizeof(answer), "{\"id_token\":\"%s\"}", keys_id_token(3600, 1));
    fake_on(&f, "POST https://oauth2.googleapis.com/token", 1, ANSWER(200, answer));
    fake_on(&f, "POST https://skls-1-uc.a.run.app/path?q", 1,
            ((struct fake_answer){.status = 200, .body = "{}", .headers = "X-Sockerless-Exit-Code: 0\n"}));
    gcf_driver.ops->start(inst, &call, &req);
    CU_ASSERT_FALSE(call.done);
    fake_pass(&f, FAKE_SEC);
    CU_ASSERT_TRUE(call.done);
    (void)snprintf(answer, sizeof(answer), "Bearer %s", keys_id_token(3600, 1));
    UNIT_STR_EQ(fake_header(fake_find(&f, "POST https://skls-1", 0), "Authorization"), answer);
    UNIT_INT_EQ(f.n_ended, 1);
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_fini(&f);
    free(text);
}

/* The token endpoint is down for a minute: a start waits for it. For good: the start fails with the reason. */
static void test_token_endpoint_down(void)
{
    char *text = keys_file(NULL), answer[700];
    struct skl_start_req req = {.size = sizeof(req), .container = &container};

    for (int back = 1; back >= 0; back--) {
        fake_init(&f);
        memset(&call, 0, sizeof(call));
        container = fake_container();
        container.run = 1;
        container.handle = "{\"function\":\"" FN "\",\"uri\":\"https://f.run.app\"}";
        inst = fake_open(&f, &err, "credentials", keys_write("sa.json", text), NULL);
        (void)snprintf(answer, sizeof(answer), "{\"id_token\":\"%s\"}", keys_id_token(3600, 1));
        fake_on(&f, "POST https://oauth2.googleapis.com/token", back ? 30 : FAKE_ALWAYS, ANSWER(503, "down"));
        fake_on(&f, "POST https://oauth2.googleapis.com/token", 1, ANSWER(200, answer));
        fake_on(&f, "POST https://f.run.app", 1,
                ((struct fake_answer){.status = 200, .body = "{}", .headers = "X-Sockerless-Exit-Code: 0\n"}));
        gcf_driver.ops->start(inst, &call, &req);
        fake_run(&f, &call.done, 300 * FAKE_SEC);
        CU_ASSERT_TRUE(call.done);
        UNIT_INT_EQ(call.failed, !back);
        CU_ASSERT(call.time > 30 * FAKE_SEC && call.time < 160 * FAKE_SEC);
        CU_ASSERT(back || strstr(call.err.message, "down"));
        fake_close(&f, inst);
        fake_call_fini(&call);
        fake_fini(&f);
    }
    free(text);
}

/* A token that the function refuses (revoked, keys rotated) is replaced once, however old the function is. */
static void test_private_function_token_refused(void)
{
    char *text = keys_file(NULL), answer[2][700];
    struct skl_start_req req = {.size = sizeof(req), .container = &container};

    fake_init(&f);
    memset(&call, 0, sizeof(call));
    container = fake_container();
    container.run = 1;
    container.handle = "{\"function\":\"" FN "\",\"uri\":\"https://f.run.app\"}";
    inst = fake_open(&f, &err, "credentials", keys_write("sa.json", text), NULL);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(answer[i], sizeof(answer[i]), "{\"id_token\":\"%s\"}", keys_id_token(3600, i));
        fake_on(&f, "POST https://oauth2.googleapis.com/token", 1, ANSWER(200, answer[i]));
    }
    fake_on(&f, "POST https://f.run.app", 2, ANSWER(401, "<html>401</html>"));
    gcf_driver.ops->start(inst, &call, &req);
    fake_pass(&f, 60 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, "POST https://f.run.app"), 2);
    UNIT_INT_EQ(f.n_ended, 1);
    UNIT_INT_EQ(f.ended[0].kind, SKL_END_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.ended[0].reason, "roles/run.invoker"));
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_fini(&f);
    free(text);
}

/* On Google's machines the project is asked of the metadata server, once, and operations wait for it. */
static void test_project_from_metadata(void)
{
    struct skl_inspect_req req = {.size = sizeof(req), .container = &container};
    struct skl_call second = {.kind = FAKE_INSPECT};
    struct fake_answer project = {
        .status = 200, .body = "meta-project", .headers = "Metadata-Flavor: Google\n"};

    fake_init(&f);
    memset(&call, 0, sizeof(call));
    call.kind = FAKE_INSPECT;
    container = fake_container();
    inst = fake_open(&f, &err, NULL);
    fake_on(&f, "GET http://169.254.169.254/computeMetadata/v1/project/project-id", 2, project);
    fake_on(&f, "GET http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token", 1,
            ((struct fake_answer){.status = 200,
                                  .body = "{\"access_token\":\"m\",\"expires_in\":3600}",
                                  .headers = "Metadata-Flavor: Google\n"}));
    fake_on(&f, "GET https://cloudfunctions.googleapis.com/v2/projects/meta-project/", 2, ANSWER(404, GONE));
    gcf_driver.ops->inspect(inst, &call, &req);
    gcf_driver.ops->inspect(inst, &second, &req);
    fake_pass(&f, FAKE_SEC);
    CU_ASSERT_TRUE(call.done && !call.failed);
    CU_ASSERT_TRUE(second.done && !second.failed);
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_call_fini(&second);
    fake_fini(&f);
}

/* A project's ID becomes part of URLs and filters, wherever it comes from. */
static void test_project_that_is_none(void)
{
    char *text = keys_file("{\"project_id\":\"a/../b\"}");
    struct skl_inspect_req req = {.size = sizeof(req), .container = &container};

    fake_init(&f);
    memset(&call, 0, sizeof(call));
    container = fake_container();
    setenv("GOOGLE_CLOUD_PROJECT", "a/b", 1);
    CU_ASSERT_PTR_NULL(fake_open(&f, &err, NULL));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "\"a/b\" is not a project's ID"));
    unsetenv("GOOGLE_CLOUD_PROJECT");
    inst = fake_open(&f, &err, "credentials", keys_write("sa.json", text), NULL);
    gcf_driver.ops->inspect(inst, &call, &req);
    fake_run(&f, &call.done, FAKE_SEC);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_INVALID);
    UNIT_INT_EQ(f.n_requests, 0);
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_fini(&f);
    free(text);
}

static void test_no_credentials(void)
{
    struct skl_inspect_req req = {.size = sizeof(req), .container = &container};

    fake_init(&f);
    memset(&call, 0, sizeof(call));
    call.kind = FAKE_INSPECT;
    container = fake_container();
    inst = fake_open(&f, &err, "project", "p", NULL);
    fake_on(&f, "GET http://169.254.169.254/", FAKE_ALWAYS, (struct fake_answer){.delay = FAKE_NEVER});
    gcf_driver.ops->inspect(inst, &call, &req);
    fake_run(&f, &call.done, 300 * FAKE_SEC);
    CU_ASSERT_TRUE(call.failed);
    CU_ASSERT(call.time < 12 * FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "no Google credentials"));
    fake_close(&f, inst);
    fake_call_fini(&call);
    inst = fake_open(&f, &err, "project", "p", "credentials", "/nonexistent", NULL);
    gcf_driver.ops->inspect(inst, &call, &req);
    fake_run(&f, &call.done, FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "/nonexistent"));
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_fini(&f);
}

UNIT_MAIN("gcf_ops", UNIT(test_pitfall_06_remove), UNIT(test_remove_unavailable), UNIT(test_pitfall_11_list),
          UNIT(test_list_of_another_project), UNIT(test_inspect), UNIT(test_real_google), UNIT(test_private_function), UNIT(test_token_endpoint_down),
          UNIT(test_private_function_token_refused), UNIT(test_project_from_metadata),
          UNIT(test_project_that_is_none), UNIT(test_no_credentials))
