/*
 * tests/unit/test_gcf_image.c - "deploy": "image": references, the layer, the registry's API, the service's
 * revision.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/fake.h"
#include "gcp/keys.h"
#include "cloud-run-functions/bake.h"
#include "cloud-run-functions/function.h"
#include "cloud-run-functions/instance.h"
#include "cloud-run-functions/patch.h"
#include "gcp/archive.h"
#include "gcp/json.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE               "http://sim:1"
#define HOST               "reg.example"
#define REG                BASE "/v2/acme/apps/web"
#define TO                 BASE "/v2/acme/made/sockerless"
#define FN                 "projects/acme/locations/us-central1/functions/skls-0123456789ab"
#define SVC                BASE "/v2/projects/acme/locations/us-central1/services/skls-0123456789ab"
#define POST               "POST " BASE "/v2/projects/acme/locations/us-central1/functions?"
#define URI                "http://sim:1/run/x"
#define ANSWER(code, text) ((struct fake_answer){.status = (code), .body = (text)})
#define GONE               ((struct fake_answer){.status = 404, .body = "{\"errors\":[{\"code\":\"NOT_FOUND\"}]}"})

static struct fake f;
static struct skl_instance *inst;
static struct skl_call call;
static struct skl_container container;
static struct skl_error err;
static char agent_digest[GCP_DIGEST_MAX], config_digest[GCP_DIGEST_MAX], manifest_digest[GCP_DIGEST_MAX];
static char manifest[2048], index_text[1024], layer_a[GCP_DIGEST_MAX];

static const char config[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"/"
                             "x\"],\"Cmd\":[\"y\"],\"Env\":"
                             "[\"A=1\"],\"User\":\"app\",\"WorkingDir\":\"/"
                             "w\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:aa\"]},"
                             "\"history\":[{}]}";

/* ---- references ---- */

static void check_ref(const char *text, const char *host, const char *repo, const char *version)
{
    struct gcp_ref ref;

    UNIT_INT_EQ(gcp_ref_parse(&ref, text, &err), 0);
    UNIT_STR_EQ(ref.host, host);
    UNIT_STR_EQ(ref.repo, repo);
    UNIT_STR_EQ(gcp_ref_version(&ref), version);
}

static void test_references(void)
{
#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const char *const bad[] = {"",     ":",          "a:",    "A",    "a//b", "a/",  "/a",
                                      "a..b", "a@sha256:1", "a:b c", "x.y/", "-a",   "a:-b"};
    struct gcp_ref ref;

    check_ref("busybox", "docker.io", "library/busybox", "latest");
    check_ref("me/app:1", "docker.io", "me/app", "1");
    check_ref("docker.io/busybox", "docker.io", "library/busybox", "latest");
    check_ref("index.docker.io/library/busybox", "docker.io", "library/busybox", "latest");
    check_ref("localhost/a", "localhost", "a", "latest");
    check_ref("host:5000/a/b:t", "host:5000", "a/b", "t");
    check_ref("r.example/p/a@" D, "r.example", "p/a", D);
    check_ref("r.example/p/a:tag@" D, "r.example", "p/a", D);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (gcp_ref_parse(&ref, bad[i], &err) == 0)
            printf("# taken: \"%s\"\n", bad[i]);
        CU_ASSERT(gcp_ref_parse(&ref, bad[i], &err) < 0);
    }
}

static void test_source(void)
{
    struct gcf_config c = {.hub = "acme/hub"};
    struct gcp_ref ref;

    UNIT_INT_EQ(gcp_ref_parse(&c.repository, HOST "/acme/made", &err), 0);
    UNIT_INT_EQ(gcf_bake_source(&c, "busybox:1", &ref, &err), 0);
    UNIT_STR_EQ(ref.host, HOST);
    UNIT_STR_EQ(ref.repo, "acme/hub/library/busybox");
    UNIT_INT_EQ(gcf_bake_source(&c, HOST "/acme/x/y", &ref, &err), 0);
    UNIT_STR_EQ(ref.repo, "acme/x/y");
    CU_ASSERT(gcf_bake_source(&c, "other.example/x", &ref, &err) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "push it there"));
    c.hub[0] = '\0';
    CU_ASSERT(gcf_bake_source(&c, "busybox", &ref, &err) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "hub-repository"));
}

/* ---- the layer ---- */

static void test_layer_and_config(void)
{
    struct gcf_layer l = {.blob = NULL}, again = {.blob = NULL};
    struct json_object *o;
    char *text;

    UNIT_INT_EQ(gcf_layer_make(&l, keys_write("agent", "agent bytes"), &err), 0);
    UNIT_INT_EQ(gcf_layer_make(&again, keys_write("agent", "agent bytes"), &err), 0);
    UNIT_STR_EQ(l.digest, again.digest); /* the same each time: pushed once */
    CU_ASSERT(strcmp(l.digest, l.diff_id) != 0);
    text = gcf_bake_config(config, strlen(config), &l, false, &err);
    o = gcp_json_parse(text, strlen(text));
    UNIT_STR_EQ(
        json_object_to_json_string_ext(gcp_json_get(o, "config.Entrypoint"), JSON_C_TO_STRING_NOSLASHESCAPE),
        "[\"/.sockerless/sockerless-agent\"]");
    UNIT_INT_EQ(json_object_array_length(gcp_json_get(o, "config.Cmd")), 0);
    UNIT_STR_EQ(gcp_json_str(o, "config.User"), "app");
    UNIT_STR_EQ(gcp_json_str(o, "config.WorkingDir"), "/w");
    UNIT_STR_EQ(json_object_get_string(json_object_array_get_idx(gcp_json_get(o, "rootfs.diffIds"), 1)),
                l.diff_id);
    UNIT_INT_EQ(json_object_array_length(gcp_json_get(o, "history")), 2);
    json_object_put(o);
    free(text);
    text = gcf_bake_config(config, strlen(config), &l, true, &err);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"User\":\"0:0\""));
    free(text);
    CU_ASSERT_PTR_NULL(gcf_bake_config("{}", 2, &l, false, &err));
    CU_ASSERT_PTR_NULL(gcf_bake_config(
        "{\"architecture\":\"arm64\",\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[]}}", 67, &l, false, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "linux/arm64"));
    CU_ASSERT_PTR_NULL(gcf_bake_manifest("[]", 2, &l, "d", 1, &err));
    CU_ASSERT(gcf_layer_make(&again, "/nonexistent", &err) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "agent-binary: /nonexistent"));
    gcf_layer_fini(&l);
    gcf_layer_fini(&again);
}

/* What libarchive finds in an archive: "name mode size checksum;"... */
static const char *listing(const struct gcp_str *s)
{
    static char out[500];
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    char *data = malloc(300000);

    out[0] = '\0';
    archive_read_support_filter_gzip(a);
    archive_read_support_format_tar(a);
    archive_read_support_format_zip(a);
    if (archive_read_open_memory(a, s->data, s->len) != ARCHIVE_OK)
        (void)snprintf(out, sizeof(out), "%s", archive_error_string(a));
    while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
        la_ssize_t n = archive_read_data(a, data, 300000);
        size_t len = strlen(out);

        (void)snprintf(out + len, sizeof(out) - len, "%s %o %lld %08x;", archive_entry_pathname(e),
                       (unsigned)archive_entry_perm(e), (long long)n, n < 0 ? 0 : gcp_crc32(data, (size_t)n));
    }
    if (archive_errno(a))
        (void)snprintf(out, sizeof(out), "%s", archive_error_string(a));
    archive_read_free(a);
    free(data);
    return out;
}

/* The archives that are written here, as somebody else reads them. */
static void test_archives(void)
{
    struct gcp_str zip = {0}, tar = {0}, gz = {0};
    char *big = malloc(200000), expected[300];
    const struct gcp_archive_file files[] = {
        {"index.js", "123456789", 9, 0644}, {"big", big, 200000, 0644}, {NULL, NULL, 0, 0}};
    const struct gcp_archive_file tree[] = {
        {"d/", NULL, 0, 0755}, {"d/a", big, 200000, 0755}, {"d/e", "", 0, 0600}, {NULL, NULL, 0, 0}};

    for (int i = 0; i < 200000; i++)
        big[i] = (char)(i * 7 + i / 251);
    UNIT_INT_EQ(gcp_crc32("123456789", 9), 0xCBF43926);
    gcp_zip_write(&zip, files);
    (void)snprintf(expected, sizeof(expected), "index.js 644 9 cbf43926;big 644 200000 %08x;",
                   gcp_crc32(big, 200000));
    UNIT_STR_EQ(listing(&zip), expected);
    gcp_tar_write(&tar, tree);
    gcp_gzip_write(&gz, tar.data, tar.len);
    (void)snprintf(expected, sizeof(expected), "d/ 755 0 00000000;d/a 755 200000 %08x;d/e 600 0 00000000;",
                   gcp_crc32(big, 200000));
    UNIT_STR_EQ(listing(&tar), expected);
    UNIT_STR_EQ(listing(&gz), expected);
    gcp_str_fini(&zip);
    gcp_str_fini(&tar);
    gcp_str_fini(&gz);
    free(big);
}

/* ---- the service ---- */

static enum gcf_served served(const char *text, const char *image)
{
    struct json_object *o = gcp_json_parse(text, strlen(text));
    enum gcf_served s = gcf_patch_served(o, image);

    json_object_put(o);
    return s;
}

#define SERVICE(image, state, created, ready)                                                                \
    "{\"etag\":\"e1\",\"template\":{\"revision\":\"r-1\",\"containers\":[{\"name\":\"worker\",\"image\":"    \
    "\"" image "\",\"baseImageUri\":\"b\",\"resources\":{\"cpuIdle\":true},\"env\":[{\"name\":\"A\","        \
    "\"value\":\"1\"}]}]},"                                                                                  \
    "\"terminalCondition\":{\"state\":\"" state                                                              \
    "\",\"message\":\"why\"},\"latestCreatedRevision\":\"" created "\",\"latestReadyRevision\":\"" ready     \
    "\",\"uri\":\"u\"}"

/* Pitfall 30: what is left out, what is kept, and who judges. */
static void test_pitfall_30_service(void)
{
    struct json_object *o = gcp_json_parse(SERVICE("stub", "CONDITION_SUCCEEDED", "a", "a"),
                                           strlen(SERVICE("stub", "CONDITION_SUCCEEDED", "a", "a")));
    char *body = gcf_patch_body(o, "new@sha256:1");

    UNIT_STR_EQ(body, "{\"template\":{\"containers\":[{\"name\":\"worker\",\"image\":\"new@sha256:1\","
                      "\"resources\":{\"cpuIdle\":"
                      "true},\"env\":[{\"name\":\"A\",\"value\":\"1\"}],"
                      "\"ports\":[{\"name\":\"http1\",\"containerPort\":61080}]}]},\"etag\":\"e1\"}");
    free(body);
    json_object_put(o);
    UNIT_INT_EQ(served(SERVICE("stub", "CONDITION_SUCCEEDED", "a", "a"), "i"), GCF_SERVED_OTHER);
    UNIT_INT_EQ(served(SERVICE("i", "CONDITION_SUCCEEDED", "b", "b"), "i"), GCF_SERVED_READY);
    UNIT_INT_EQ(served(SERVICE("i", "CONDITION_SUCCEEDED", "b", "a"), "i"), GCF_SERVED_FAILED);
    UNIT_INT_EQ(served(SERVICE("i", "CONDITION_FAILED", "b", "a"), "i"), GCF_SERVED_FAILED);
    UNIT_INT_EQ(served(SERVICE("i", "CONDITION_RECONCILING", "b", "a"), "i"), GCF_SERVED_PENDING);
    UNIT_INT_EQ(served("{}", "i"), GCF_SERVED_OTHER);
    CU_ASSERT_PTR_NULL(gcf_patch_body(NULL, "i"));
}

/* ---- the whole ---- */

static void begin(const char *extra, const char *value)
{
    char agent[600];

    fake_init(&f);
    memset(&call, 0, sizeof(call));
    call.kind = FAKE_CREATE;
    container = fake_container();
    container.image = HOST "/acme/apps/web:1";
    (void)snprintf(agent, sizeof(agent), "%s", keys_write("agent", "agent bytes"));
    inst = fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", "deploy", "image", "repository",
                     HOST "/acme/made", "agent-binary", agent, extra, value, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
    UNIT_INT_EQ(gcf_layer_make(&inst->layer, agent, &err), 0);
    memcpy(agent_digest, inst->layer.digest, sizeof(agent_digest));
    gcp_digest("layer", 5, layer_a);
    gcp_digest(config, strlen(config), config_digest);
    (void)snprintf(manifest, sizeof(manifest),
                   "{\"schemaVersion\":2,\"mediaType\":\"application/"
                   "vnd.docker.distribution.manifest.v2+json\",\"config\":{"
                   "\"mediaType\":\"application/"
                   "vnd.docker.container.image.v1+json\",\"size\":%zu,\"digest\":\"%s\"},\"layers\":[{"
                   "\"mediaType\":\"x\",\"size\":5,\"digest\":\"%s\"}]}",
                   strlen(config), config_digest, layer_a);
    gcp_digest(manifest, strlen(manifest), manifest_digest);
    (void)snprintf(index_text, sizeof(index_text),
                   "{\"manifests\":[{\"digest\":\"sha256:%064d\",\"platform\":{\"os\":\"linux\","
                   "\"architecture\":\"arm64\"}},"
                   "{\"digest\":\"%s\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}}]}",
                   0, manifest_digest);
}

static void end(void)
{
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_fini(&f);
}

static void create(void)
{
    static struct skl_create_req req;

    req = (struct skl_create_req){.size = sizeof(req), .container = &container};
    gcf_driver.ops->create(inst, &call, &req);
    fake_run(&f, &call.done, 1000 * FAKE_SEC);
    CU_ASSERT_TRUE(call.done);
    if (call.failed)
        printf("# %s\n", call.err.message);
}

static void registry_rules(void)
{
    static const char uploads[] = "Location: /upload/1?x=y\n";
    char what[400];

    fake_on(&f, "GET " REG "/manifests/1", 1, ANSWER(200, index_text));
    (void)snprintf(what, sizeof(what), "GET " REG "/manifests/%s", manifest_digest);
    fake_on(&f, what, 1, ANSWER(200, manifest));
    (void)snprintf(what, sizeof(what), "GET " REG "/blobs/%s", config_digest);
    fake_on(&f, what, 1,
            ((struct fake_answer){.status = 307, .headers = "Location: http://storage:9/blob?sig=1\n"}));
    fake_on(&f, "GET http://storage:9/blob?sig=1", 1, ANSWER(200, config));
    fake_on(&f, "HEAD " TO "/blobs/", 3, GONE);
    (void)snprintf(what, sizeof(what), "POST " TO "/blobs/uploads/?mount=%s&from=acme/apps/web", layer_a);
    fake_on(&f, what, 1, ((struct fake_answer){.status = 201}));
    fake_on(&f, "POST " TO "/blobs/uploads/", 2, ((struct fake_answer){.status = 202, .headers = uploads}));
    fake_on(&f, "PUT " BASE "/upload/1?x=y&digest=sha256%3A", 2, ((struct fake_answer){.status = 201}));
    fake_on(&f, "PUT " TO "/manifests/sockerless-", 1, ((struct fake_answer){.status = 201}));
}

static char function_text[2048], service_text[2][2048];

static void cloud_rules(void)
{
    char nonce[GCF_LABEL_MAX];

    gcf_nonce(&container, nonce);
    (void)snprintf(
        function_text, sizeof(function_text),
        "{\"name\":\"projects/acme/locations/us-central1/operations/"
        "o\",\"done\":true,\"response\":{\"name\":\"%s\",\"state\":"
        "\"ACTIVE\",\"labels\":{\"sockerless-nonce\":\"%s\"},\"serviceConfig\":{\"uri\":\"%s\",\"service\":"
        "\"projects/acme/locations/us-central1/services/skls-0123456789ab\"}}}",
        FN, nonce, URI);
    fake_on(&f, "POST " BASE "/v2/projects/acme/locations/us-central1/functions:generateUploadUrl", 1,
            ANSWER(200, "{\"uploadUrl\":\"http://storage:9/"
                        "up?sig\",\"storageSource\":{\"bucket\":\"b\",\"object\":\"o.zip\"}}"));
    fake_on(&f, "PUT http://storage:9/up?sig", 1, ((struct fake_answer){.status = 200}));
    fake_on(&f, POST, 1, ANSWER(200, function_text));
}

/* What the service must end with, taken from the manifest that was pushed. */
static const char *made_image(void)
{
    static char image[300];
    const struct fake_request *r = fake_find(&f, "PUT " TO "/manifests/", 0);
    char digest[GCP_DIGEST_MAX];

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    gcp_digest(r->body, r->body_len, digest);
    (void)snprintf(image, sizeof(image), HOST "/acme/made/sockerless@%s", digest);
    return image;
}

/* The service answers with the image of the last PATCH once there was one. */
static bool serve_service(void *arg, const struct fake_request *r, struct fake_answer *a)
{
    const struct fake_request *patch = fake_find(&f, "PATCH " SVC, 0);
    const char *state = arg;

    if (strcmp(r->method, "GET") || strncmp(r->url, SVC, strlen(SVC)))
        return false;
    (void)snprintf(
        service_text[0], sizeof(service_text[0]),
        "{\"etag\":\"e1\",\"template\":{\"revision\":\"r-1\",\"containers\":[{\"image\":\"%s\"}]},"
        "\"terminalCondition\":{"
        "\"state\":\"%s\",\"message\":\"container did not start\"},\"latestCreatedRevision\":\"%s\","
        "\"latestReadyRevision\":\"%s\"}",
        patch ? made_image() : "stub", patch ? state : "CONDITION_SUCCEEDED", patch ? "r-2" : "r-1",
        patch && !strcmp(state, "CONDITION_SUCCEEDED") ? "r-2" : "r-1");
    a->status = 200;
    a->body = service_text[0];
    return true;
}

static void patch_rule(const char *state)
{
    f.serve = serve_service;
    f.serve_arg = (void *)(uintptr_t)state;
    fake_on(
        &f, "PATCH " SVC "?updateMask=template", 1,
        ANSWER(
            200,
            "{\"name\":\"projects/acme/locations/us-central1/operations/p\",\"done\":true,\"response\":{}}"));
}

/* Pitfall 15: the mask names all that the body has, and nothing else is touched. */
static void test_pitfall_15_deploy(void)
{
    const struct fake_request *r;
    struct json_object *o;

    begin(NULL, NULL);
    registry_rules();
    cloud_rules();
    patch_rule("CONDITION_SUCCEEDED");
    create();
    CU_ASSERT_FALSE_FATAL(call.failed);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.handle, URI));
    r = fake_find(&f, POST, 0);
    o = gcp_json_parse(r->body, r->body_len);
    UNIT_STR_EQ(gcp_json_str(o, "buildConfig.runtime"), "nodejs22");
    UNIT_STR_EQ(gcp_json_str(o, "buildConfig.entryPoint"), "stub");
    UNIT_STR_EQ(gcp_json_str(o, "buildConfig.source.storageSource.object"), "o.zip");
    json_object_put(o);
    r = fake_find(&f, "PUT http://storage:9/up", 0);
    UNIT_STR_EQ(fake_header(r, "Content-Type"), "application/zip");
    CU_ASSERT(!memcmp(r->body, "PK\3\4", 4));
    r = fake_find(&f, "PUT " TO "/manifests/", 0);
    UNIT_STR_EQ(fake_header(r, "Content-Type"), "application/vnd.docker.distribution.manifest.v2+json");
    CU_ASSERT_PTR_NOT_NULL(strstr(r->body, agent_digest));
    CU_ASSERT_PTR_NOT_NULL(strstr(r->body, layer_a));
    r = fake_find(&f, "PATCH " SVC, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(r->body, made_image()));
    CU_ASSERT_PTR_NULL(strstr(r->body, "r-1"));
    o = gcp_json_parse(r->body, r->body_len);
    UNIT_INT_EQ(json_object_object_length(o), 2);
    CU_ASSERT_PTR_NOT_NULL(gcp_json_get(o, "template"));
    UNIT_STR_EQ(gcp_json_str(o, "etag"), "e1");
    json_object_put(o);
    end();
}

/* A second container of the image: one request to the registry. */
static void test_deploy_again(void)
{
    size_t before;
    static const char *const id = "ffff456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    begin(NULL, NULL);
    registry_rules();
    fake_on(&f, "POST " BASE "/v2/projects/acme/locations/us-central1/functions:generateUploadUrl", 1,
            ANSWER(400, "{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"message\":\"stop\"}}"));
    create();
    CU_ASSERT_TRUE(call.failed);
    fake_call_fini(&call);
    call.kind = FAKE_CREATE;
    before = f.n_requests;
    container.id = id;
    container.image = HOST "/acme/apps/web:2"; /* another tag of the same */
    fake_on(&f, "GET " REG "/manifests/2", 1, ANSWER(200, manifest));
    fake_on(&f, "POST " BASE "/v2/projects/acme/locations/us-central1/functions:generateUploadUrl", 1,
            ANSWER(400, "{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\",\"message\":\"stop\"}}"));
    create();
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "stop"));
    UNIT_INT_EQ(f.n_requests - before, 2);
    end();
}

/* Made in the background by a daemon that ended before the image was under it: the start goes on with that, and
 * does not run the placeholder. */
static void test_resumed_in_background(void)
{
    struct skl_call begun = {.done = false};
    struct skl_start_req req = {.size = sizeof(req), .container = &container};

    begin(NULL, NULL);
    registry_rules();
    cloud_rules();
    patch_rule("CONDITION_SUCCEEDED");
    container.handle = "{\"v\":1,\"function\":\"" FN "\",\"operation\":\"projects/p/locations/l/operations/o\"}";
    container.run = 1;
    (void)snprintf(service_text[1], sizeof(service_text[1]), "%s", strstr(function_text, "{\"name\":\"" FN));
    service_text[1][strlen(service_text[1]) - 1] = '\0'; /* the operation's brace */
    fake_on(&f, "GET " BASE "/v2/" FN, 1, ANSWER(200, service_text[1]));
    fake_on(&f, "POST " URI, 1,
            ((struct fake_answer){.status = 200, .body = "{}", .headers = "X-Sockerless-Exit-Code: 0\n"}));
    gcf_driver.ops->start(inst, &begun, &req);
    fake_run(&f, &begun.done, 1000 * FAKE_SEC);
    CU_ASSERT_FALSE(begun.failed);
    UNIT_INT_EQ(fake_count(&f, "PATCH " SVC), 1);
    UNIT_INT_EQ(fake_count(&f, POST), 0);
    fake_pass(&f, FAKE_SEC);
    UNIT_INT_EQ(f.n_ended, 1);
    end();
}

/* The new revision fails: the create fails with the reason, and the function goes. */
static void test_revision_fails(void)
{
    begin(NULL, NULL);
    registry_rules();
    cloud_rules();
    patch_rule("CONDITION_FAILED");
    fake_on(
        &f, "DELETE " BASE "/v2/" FN, 1,
        ANSWER(
            200,
            "{\"name\":\"projects/acme/locations/us-central1/operations/d\",\"done\":true,\"response\":{}}"));
    create();
    CU_ASSERT_TRUE(call.failed);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "container did not start"));
    UNIT_INT_EQ(fake_count(&f, "DELETE"), 1);
    end();
}

static void test_stale_etag(void)
{
    begin(NULL, NULL);
    registry_rules();
    cloud_rules();
    fake_on(&f, "GET " SVC, 1, ANSWER(200, SERVICE("stub", "CONDITION_SUCCEEDED", "r-1", "r-1")));
    fake_on(&f, "GET " SVC, 1, ANSWER(200, SERVICE("stub", "CONDITION_SUCCEEDED", "r-1", "r-1")));
    fake_on(&f, "PATCH " SVC, 1,
            ANSWER(409, "{\"error\":{\"code\":409,\"status\":\"ABORTED\",\"message\":\"etag\"}}"));
    patch_rule("CONDITION_SUCCEEDED");
    create();
    CU_ASSERT_FALSE(call.failed);
    UNIT_INT_EQ(fake_count(&f, "PATCH"), 2);
    end();
}

static void test_refusals(void)
{
    begin(NULL, NULL);
    fake_on(&f, "GET " REG "/manifests/1", 1, GONE);
    create();
    UNIT_INT_EQ(call.err.kind, SKL_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "there is no such image"));
    UNIT_INT_EQ(f.n_requests, 1); /* nothing was made, so nothing is deleted */
    end();

    begin(NULL, NULL);
    container.image = "busybox";
    create();
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "hub-repository"));
    end();

    begin("hub-repository", "acme/hub"); /* Docker Hub by way of a remote repository; a wrong digest */
    container.image = "busybox@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    fake_on(&f, "GET " BASE "/v2/acme/hub/library/busybox/manifests/sha256:0123", 1, ANSWER(200, manifest));
    create();
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "another digest"));
    end();
}

/* Not mounted: copied; a cancel in the middle stops it. */
static void test_layer_copy(void)
{
    char what[400];

    begin(NULL, NULL);
    fake_on(&f, "GET " REG "/manifests/1", 1, ANSWER(200, manifest));
    (void)snprintf(what, sizeof(what), "GET " REG "/blobs/%s", config_digest);
    fake_on(&f, what, 1, ANSWER(200, config));
    (void)snprintf(what, sizeof(what), "GET " REG "/blobs/%s", layer_a);
    fake_on(&f, what, 1, ANSWER(200, "layer"));
    (void)snprintf(what, sizeof(what), "HEAD " TO "/blobs/%s", agent_digest);
    fake_on(&f, what, 1, ((struct fake_answer){.status = 200}));
    fake_on(&f, "HEAD " TO "/blobs/", 2, GONE);
    fake_on(&f, "POST " TO "/blobs/uploads/", 2,
            ((struct fake_answer){.status = 202, .headers = "Location: http://else:3/u\n"}));
    fake_on(&f, "PUT http://else:3/u?digest=", 2, ((struct fake_answer){.status = 201}));
    fake_on(&f, "PUT " TO "/manifests/sockerless-", 1, ((struct fake_answer){.delay = FAKE_NEVER}));
    {
        struct skl_create_req req = {.size = sizeof(req), .container = &container};

        gcf_driver.ops->create(inst, &call, &req);
        fake_pass(&f, FAKE_SEC);
        UNIT_STR_EQ(fake_find(&f, "PUT http://else:3/u?digest=", 0)->body, "layer");
        gcf_driver.ops->cancel(inst, &call);
    }
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CANCELED);
    fake_pass(&f, 60 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, "DELETE"), 0);
    end();
}

UNIT_MAIN("gcf_image", UNIT(test_references), UNIT(test_source), UNIT(test_layer_and_config),
          UNIT(test_archives), UNIT(test_pitfall_30_service), UNIT(test_pitfall_15_deploy),
          UNIT(test_deploy_again), UNIT(test_resumed_in_background), UNIT(test_revision_fails), UNIT(test_stale_etag), UNIT(test_refusals),
          UNIT(test_layer_copy))
