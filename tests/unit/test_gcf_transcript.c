/*
 * tests/unit/test_gcf_transcript.c - all that is sent for a container's life, compared with Google's
 * discovery documents.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/discovery.h"
#include "gcp/fake.h"
#include "gcp/keys.h"
#include "cloud-run-functions/function.h"
#include "cloud-run-functions/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARENT             "projects/key-project/locations/us-central1"
#define FN                 PARENT "/functions/skls-0123456789ab"
#define SVC                PARENT "/services/skls-0123456789ab"
#define FUNCTIONS          "https://cloudfunctions.googleapis.com/v2/"
#define ANSWER(code, text) ((struct fake_answer){.status = (code), .body = (text)})
#define DONE               "{\"name\":\"" PARENT "/operations/d\",\"done\":true,\"response\":{}}"

static struct fake f;
static struct skl_instance *inst;
static struct skl_container container;
static struct skl_stream stream;
static struct skl_error err;
static char *key, function_text[2048], last_service[1200];

static void begin(const char *deploy)
{
    fake_init(&f);
    container = fake_container();
    container.memory = INT64_C(3) << 30;
    container.nano_cpus = 1500000000;
    container.run = 1;
    key = keys_file(NULL);
    inst = fake_open(&f, &err, "credentials", keys_write("sa.json", key), "service-account",
                     "runner@p.iam.gserviceaccount.com", "deploy", deploy, "repository", "reg.example/p/r",
                     "agent-binary", keys_write("agent", "x"), NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
    memset(&stream, 0, sizeof(stream));
    stream.credit = 10;
    fake_on(&f, "POST https://oauth2.googleapis.com/token", FAKE_ALWAYS,
            ANSWER(200, "{\"access_token\":\"t\",\"expires_in\":3600}"));
}

static void end(void)
{
    fake_close(&f, inst);
    fake_stream_fini(&stream);
    fake_fini(&f);
    free(key);
}

/* Every request to Google's APIs; the others are tokens, uploads, registry and invocation. */
static void check_transcript(size_t at_least)
{
    size_t checked = 0;

    for (size_t i = 0; i < f.n_requests; i++) {
        const struct fake_request *r = &f.requests[i];
        const char *why;

        if (!strstr(r->url, ".googleapis.com/v2/"))
            continue;
        why = discovery_check(r);
        if (why)
            printf("# %s %s: %s\n# %s\n", r->method, r->url, why, r->body);
        CU_ASSERT_PTR_NULL(why);
        UNIT_STR_EQ(fake_header(r, "Authorization"), "Bearer t");
        checked++;
    }
    CU_ASSERT(checked >= at_least);
}

static void finish(struct skl_call *c)
{
    fake_run(&f, &c->done, 1000 * FAKE_SEC);
    CU_ASSERT_TRUE(c->done);
    CU_ASSERT_FALSE(c->failed);
    if (c->failed)
        printf("# %s\n", c->err.message);
}

static const char *function(void)
{
    char nonce[GCF_LABEL_MAX];

    gcf_nonce(&container, nonce);
    (void)snprintf(function_text, sizeof(function_text),
                   "{\"name\":\"%s\",\"state\":\"ACTIVE\",\"labels\":{\"sockerless-nonce\":\"%s\","
                   "\"sockerless-daemon\":\"daemon-1\"},"
                   "\"serviceConfig\":{\"uri\":\"https://f.run.app\",\"service\":\"%s\"}}",
                   FN, nonce, SVC);
    return function_text;
}

static void create(struct skl_call *c)
{
    struct skl_create_req req = {.size = sizeof(req), .container = &container};

    c->kind = FAKE_CREATE;
    gcf_driver.ops->create(inst, c, &req);
    finish(c);
}

static void read_and_list(void)
{
    struct skl_logs_req logs = {
        .size = sizeof(logs), .container = &container, .tail = -1, .out = &stream, .since = 1, .until = 2};
    struct skl_list_req list = {.size = sizeof(list), .daemon_id = "daemon-1"};
    struct skl_inspect_req inspect = {.size = sizeof(inspect), .container = &container};
    struct skl_call a = {.done = false}, b = {.kind = FAKE_LIST}, c = {.kind = FAKE_INSPECT};

    fake_on(&f, "POST https://logging.googleapis.com/v2/entries:list", 1,
            ANSWER(200, "{\"nextPageToken\":\"n\"}"));
    fake_on(&f, "POST https://logging.googleapis.com/v2/entries:list", 1, ANSWER(200, "{}"));
    gcf_driver.ops->logs(inst, &a, &logs);
    finish(&a);
    fake_on(&f, "GET " FUNCTIONS "projects/key-project/locations/-/functions?", 1, ANSWER(200, "{\"nextPageToken\":\"n\"}"));
    fake_on(&f, "GET " FUNCTIONS "projects/key-project/locations/-/functions?", 1, ANSWER(200, "{}"));
    gcf_driver.ops->list(inst, &b, &list);
    finish(&b);
    gcf_driver.ops->inspect(inst, &c, &inspect);
    finish(&c);
    fake_call_fini(&b);
    fake_call_fini(&c);
}

static void remove_it(void)
{
    struct skl_remove_req req = {.size = sizeof(req), .container = &container};
    struct skl_call c = {.done = false};

    fake_on(&f, "DELETE " FUNCTIONS FN, 1, ANSWER(200, "{\"name\":\"" PARENT "/operations/d\"}"));
    fake_on(&f, "GET " FUNCTIONS PARENT "/operations/d", 1, ANSWER(200, DONE));
    gcf_driver.ops->remove(inst, &c, &req);
    finish(&c);
}

static void test_docker_runtime(void)
{
    struct skl_call made = {.done = false};

    begin("docker-runtime");
    fake_on(&f, "POST " FUNCTIONS PARENT "/functions?functionId=", 1,
            ANSWER(200, "{\"name\":\"" PARENT "/operations/o\"}"));
    fake_on(&f, "GET " FUNCTIONS PARENT "/operations/o", 1, ANSWER(200, "{\"name\":\"x\",\"done\":true}"));
    fake_on(&f, "GET " FUNCTIONS FN, FAKE_ALWAYS, ANSWER(200, function()));
    create(&made);
    container.handle = made.handle;
    read_and_list();
    remove_it();
    check_transcript(9);
    fake_call_fini(&made);
    end();
}

/* A service as Google shows it, with what is only for reading. */
static bool serve_service(void *arg, const struct fake_request *r, struct fake_answer *a)
{
    const struct fake_request *put = fake_find(&f, "PUT https://reg.example/v2/p/r/sockerless/manifests/", 0);
    const struct fake_request *patch = fake_find(&f, "PATCH https://run.googleapis.com", 0);
    char digest[GCP_DIGEST_MAX] = "";

    (void)arg;
    if (strcmp(r->method, "GET") || !strstr(r->url, "run.googleapis.com") || !put)
        return false;
    gcp_digest(put->body, put->body_len, digest);
    (void)snprintf(last_service, sizeof(last_service),
                   "{\"name\":\"" SVC "\",\"uid\":\"u\",\"generation\":\"3\",\"etag\":\"\\\"e\\\"\",\"urls\":"
                   "[\"x\"],\"template\":{\"revision\":"
                   "\"r\",\"scaling\":{\"maxInstanceCount\":1},\"timeout\":\"3600s\",\"serviceAccount\":"
                   "\"s\",\"containers\":[{\"name\":"
                   "\"worker\",\"image\":\"%s%s\",\"resources\":{\"limits\":{\"cpu\":\"1\"},\"cpuIdle\":true}"
                   ",\"env\":[{\"name\":\"A\",\"value\":\"1\"}],"
                   "\"ports\":[{\"name\":\"http1\",\"containerPort\":8080}]}],"
                   "\"maxInstanceRequestConcurrency\":8,\"annotations\":{"
                   "\"cloudfunctions.googleapis.com/"
                   "trigger-type\":\"HTTP_TRIGGER\"}},\"terminalCondition\":{\"state\":4},"
                   "\"latestCreatedRevision\":\"a\",\"latestReadyRevision\":\"a\"}",
                   patch ? "reg.example/p/r/sockerless@" : "stub", patch ? digest : "");
    a->status = 200;
    a->body = last_service;
    return true;
}

#define CONFIG "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[]}}"

static void registry_rules(void)
{
    static char manifest[400];
    char digest[GCP_DIGEST_MAX];

    gcp_digest(CONFIG, strlen(CONFIG), digest);
    (void)snprintf(manifest, sizeof(manifest), "{\"config\":{\"digest\":\"%s\"},\"layers\":[]}", digest);
    fake_on(&f, "GET https://reg.example/v2/p/r/app/manifests/latest", 1, ANSWER(200, manifest));
    fake_on(&f, "GET https://reg.example/v2/p/r/app/blobs/", 1, ANSWER(200, CONFIG));
    fake_on(&f, "HEAD https://reg.example/v2/p/r/sockerless/blobs/", 2, ANSWER(200, ""));
    fake_on(&f, "PUT https://reg.example/v2/p/r/sockerless/manifests/", 1,
            ((struct fake_answer){.status = 201}));
}

static void test_image(void)
{
    struct skl_call made = {.done = false};
    static char operation[3000];

    begin("image");
    container.image = "reg.example/p/r/app";
    registry_rules();
    f.serve = serve_service;
    fake_on(&f, "POST " FUNCTIONS PARENT "/functions:generateUploadUrl", 1,
            ANSWER(200, "{\"uploadUrl\":\"https://storage.googleapis.com/"
                        "up?s\",\"storageSource\":{\"bucket\":\"b\",\"object\":\"o\","
                        "\"generation\":\"17\"}}"));
    fake_on(&f, "PUT https://storage.googleapis.com/up?s", 1, ANSWER(200, ""));
    (void)snprintf(operation, sizeof(operation),
                   "{\"name\":\"" PARENT "/operations/o\",\"done\":true,\"response\":%s}", function());
    fake_on(&f, "POST " FUNCTIONS PARENT "/functions?functionId=", 1, ANSWER(200, operation));
    fake_on(&f, "PATCH https://run.googleapis.com/v2/" SVC, 1,
            ANSWER(200, "{\"name\":\"" PARENT "/operations/r\"}"));
    fake_on(&f, "GET https://run.googleapis.com/v2/" PARENT "/operations/r", 1, ANSWER(200, DONE));
    create(&made);
    CU_ASSERT_PTR_NULL(fake_header(fake_find(&f, "PUT https://storage", 0), "Authorization"));
    UNIT_STR_EQ(fake_header(fake_find(&f, "GET https://reg.example/", 0), "Authorization"), "Bearer t");
    check_transcript(6);
    fake_call_fini(&made);
    end();
}

/* Where an upload goes decides whether the token goes along: the registry's own host, or somebody else's. */
static void check_upload(const char *location, const char *where, bool with_token)
{
    struct skl_create_req req = {.size = sizeof(req), .container = &container};
    struct skl_call c = {.kind = FAKE_CREATE};
    char header[200], config_digest[GCP_DIGEST_MAX], manifest[400];

    begin("image");
    container.image = "reg.example/p/r/app";
    gcp_digest(CONFIG, strlen(CONFIG), config_digest);
    (void)snprintf(manifest, sizeof(manifest), "{\"config\":{\"digest\":\"%s\"},\"layers\":[]}",
                   config_digest);
    (void)snprintf(header, sizeof(header), "Location: %s\n", location);
    fake_on(&f, "GET https://reg.example/v2/p/r/app/manifests/latest", 1, ANSWER(200, manifest));
    fake_on(&f, "GET https://reg.example/v2/p/r/app/blobs/", 1, ANSWER(200, CONFIG));
    fake_on(&f, "HEAD https://reg.example/v2/p/r/sockerless/blobs/", 1, ANSWER(404, ""));
    fake_on(&f, "POST https://reg.example/v2/p/r/sockerless/blobs/uploads/", 1,
            ((struct fake_answer){.status = 202, .headers = header}));
    fake_on(&f, where, 1, ANSWER(400, "stop"));
    gcf_driver.ops->create(inst, &c, &req);
    fake_run(&f, &c.done, 100 * FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(strstr(c.err.message, "stop"));
    UNIT_STR_EQ(fake_header(fake_find(&f, "HEAD ", 0), "Authorization"), "Bearer t");
    CU_ASSERT_EQUAL(fake_header(fake_find(&f, where, 0), "Authorization") != NULL, with_token);
    end();
}

static void test_token_and_redirects(void)
{
    check_upload("/artifacts-uploads/x", "PUT https://reg.example/artifacts-uploads/x?digest=sha256", true);
    check_upload("https://reg.example/u?a", "PUT https://reg.example/u?a&digest=", true);
    check_upload("https://other.example/u", "PUT https://other.example/u?digest=", false);
    check_upload("https://reg.example.evil/u", "PUT https://reg.example.evil/u?digest=", false);
    check_upload("http://reg.example/u", "PUT http://reg.example/u?digest=", false);
}

/* The checker itself finds what it should. */
static void test_checker(void)
{
    static const struct {
        const char *method, *url, *body, *why;
    } cases[] = {
        {"POST", FUNCTIONS PARENT "/functions?functionId=a", "{\"bogus\":1}",
         "Function.bogus: unknown field"},
        {"POST", FUNCTIONS PARENT "/functions?id=a", "{}", "query parameter id is unknown"},
        {"POST", FUNCTIONS PARENT "/functions?functionId=a", "{\"state\":\"ACTIVE\"}",
         "Function.state is output only"},
        {"POST", FUNCTIONS PARENT "/functions?functionId=a", "{\"environment\":\"GEN_9\"}",
         "GEN_9 is none of its values"},
        {"POST", FUNCTIONS PARENT "/functions", "{\"serviceConfig\":{\"timeoutSeconds\":\"60\"}}",
         "timeoutSeconds is no integer"},
        {"POST", FUNCTIONS PARENT "/functions", "{\"labels\":{\"a\":1}}", "Function.labels.a is no string"},
        {"PUT", FUNCTIONS PARENT "/functions", "{}", "no such method"},
        {"GET", FUNCTIONS PARENT "/functions/a/b", "", "no such method"},
        {"DELETE", FUNCTIONS PARENT "/functions/a", "{}", "a body where none belongs"},
        {"GET", "https://evil.com/v2/x", "", "not a host of Google"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_request r = {.method = (char *)(uintptr_t)cases[i].method,
                                 .url = (char *)(uintptr_t)cases[i].url};
        const char *why;

        r.body = (char *)(uintptr_t)cases[i].body;
        r.body_len = strlen(r.body);
        why = discovery_check(&r);
        CU_ASSERT_PTR_NOT_NULL(why);
        if (why && !strstr(why, cases[i].why))
            printf("# %s\n", why);
        CU_ASSERT(why && strstr(why, cases[i].why));
    }
}

UNIT_MAIN("gcf_transcript", UNIT(test_docker_runtime), UNIT(test_image), UNIT(test_token_and_redirects),
          UNIT(test_checker))
