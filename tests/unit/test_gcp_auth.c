/*
 * tests/unit/test_gcp_auth.c - where credentials come from, and tokens from each kind of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/fake.h"
#include "gcp/keys.h"
#include "plugins/gcp/auth.h"
#include "plugins/gcp/client.h"
#include "plugins/gcp/json.h"
#include "plugins/gcp/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_URL          "POST https://oauth2.googleapis.com/token"
#define META               "GET http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default"
#define STS                "POST https://sts.googleapis.com/v1/token"
#define IAM                "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/sa@p.iam.gserviceaccount.com"
#define ANSWER(code, text) ((struct fake_answer){.status = (code), .body = (text)})
#define TOKEN(name)                                                                                          \
    ANSWER(200, "{\"access_token\":\"" name "\",\"expires_in\":3600,\"token_type\":\"Bearer\"}")
#define GOOGLE(text)                                                                                         \
    ((struct fake_answer){.status = 200, .body = (text), .headers = "Metadata-Flavor: Google\n"})

static struct fake f;
static struct gcp_client client;
static struct gcp_auth *auth;

struct asked {
    bool done;
    char token[600];
    struct skl_error err;
    bool transient;
};

static void on_token(void *arg, const char *token, const struct skl_error *err, bool transient)
{
    struct asked *a = arg;

    CU_ASSERT_FALSE(a->done);
    a->done = true;
    a->transient = transient;
    if (err)
        a->err = *err;
    else
        (void)snprintf(a->token, sizeof(a->token), "%s", token);
}

/* What the machine that runs the test has set up must not matter. */
__attribute__((constructor)) static void clean_environment(void)
{
    static const char *const names[] = {"GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG",
                                        "GCE_METADATA_HOST", "GOOGLE_CLOUD_QUOTA_PROJECT"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
    setenv("HOME", "/nonexistent", 1);
}

static void begin(const char *file, const char *impersonate)
{
    struct gcp_auth_config config = {.credentials = file, .impersonate = impersonate};

    fake_init(&f);
    memset(&client, 0, sizeof(client));
    gcp_client_init(&client, &f.host);
    client.user_agent = "test";
    auth = gcp_auth_new(&client, &config);
    client.auth = auth;
}

static void end(void)
{
    gcp_auth_free(auth);
    gcp_client_fini(&client);
    fake_fini(&f);
}

static void get(struct asked *a, int64_t limit)
{
    memset(a, 0, sizeof(*a));
    CU_ASSERT_PTR_NOT_NULL(gcp_auth_access_token(auth, on_token, a));
    CU_ASSERT_FALSE(a->done); /* never inside */
    fake_run(&f, &a->done, limit);
}

static void get_id(struct asked *a, const char *audience)
{
    memset(a, 0, sizeof(*a));
    CU_ASSERT_PTR_NOT_NULL(gcp_auth_id_token(auth, audience, on_token, a));
    fake_run(&f, &a->done, 100 * FAKE_SEC);
}

/* A member of a form, decoded as far as tests need it. */
static const char *form(const char *body, const char *key)
{
    static char value[8192];
    char start[64];
    const char *p;

    (void)snprintf(start, sizeof(start), "%s=", key);
    p = strstr(body, start);
    if (!p)
        return "";
    (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(p + strlen(start), "&"), p + strlen(start));
    return value;
}

static void test_service_account(void)
{
    char *text = keys_file(NULL);
    struct json_object *header, *claims;
    const struct fake_request *r;
    struct asked a;

    begin(keys_write("sa.json", text), NULL);
    fake_on(&f, TOKEN_URL, 1, TOKEN("t1"));
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "t1");
    UNIT_STR_EQ(gcp_auth_project(auth), "key-project");
    r = fake_find(&f, TOKEN_URL, 0);
    UNIT_STR_EQ(fake_header(r, "Content-Type"), "application/x-www-form-urlencoded");
    UNIT_STR_EQ(form(r->body, "grant_type"), "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
    CU_ASSERT_TRUE(keys_verify(form(r->body, "assertion"), &header, &claims));
    UNIT_STR_EQ(gcp_json_str(header, "kid"), "kid-1");
    UNIT_STR_EQ(gcp_json_str(header, "alg"), "RS256");
    UNIT_STR_EQ(gcp_json_str(claims, "iss"), "runner@key-project.iam.gserviceaccount.com");
    UNIT_STR_EQ(gcp_json_str(claims, "aud"), "https://oauth2.googleapis.com/token");
    UNIT_STR_EQ(gcp_json_str(claims, "scope"), "https://www.googleapis.com/auth/cloud-platform");
    UNIT_INT_EQ(gcp_json_int(claims, "exp", 0) - gcp_json_int(claims, "iat", 0), 3600);
    CU_ASSERT(gcp_json_int(claims, "iat", 0) <= FAKE_WALL / FAKE_SEC);
    json_object_put(header);
    json_object_put(claims);
    get(&a, FAKE_SEC); /* cached */
    UNIT_STR_EQ(a.token, "t1");
    UNIT_INT_EQ(f.n_requests, 1);
    end();
    free(text);
}

static void test_service_account_id_token(void)
{
    char *text = keys_file(NULL), answer[700];
    struct json_object *header, *claims;
    struct asked a;

    begin(keys_write("sa.json", text), NULL);
    (void)snprintf(answer, sizeof(answer), "{\"id_token\":\"%s\"}", keys_id_token(3600, 1));
    fake_on(&f, TOKEN_URL, 1, ANSWER(200, answer));
    get_id(&a, "https://a.run.app");
    UNIT_STR_EQ(a.token, keys_id_token(3600, 1));
    CU_ASSERT_TRUE(keys_verify(form(fake_find(&f, TOKEN_URL, 0)->body, "assertion"), &header, &claims));
    UNIT_STR_EQ(gcp_json_str(claims, "target_audience"), "https://a.run.app");
    CU_ASSERT_PTR_NULL(gcp_json_get(claims, "scope"));
    json_object_put(header);
    json_object_put(claims);
    get_id(&a, "https://a.run.app");
    UNIT_INT_EQ(f.n_requests, 1);
    (void)snprintf(answer, sizeof(answer), "{\"id_token\":\"%s\"}", keys_id_token(3600, 2));
    fake_on(&f, TOKEN_URL, 1, ANSWER(200, answer));
    get_id(&a, "https://b.run.app"); /* another audience: another token */
    UNIT_STR_EQ(a.token, keys_id_token(3600, 2));
    fake_on(&f, TOKEN_URL, 1, ANSWER(200, "{\"id_token\":\"garbage\"}"));
    get_id(&a, "https://c.run.app");
    UNIT_INT_EQ(a.err.kind, SKL_ERR_UNAUTHORIZED);
    end();
    free(text);
}

#define USER                                                                                                 \
    "{\"type\":\"authorized_user\",\"client_id\":\"cid\",\"client_secret\":\"s3cr3t-x\",\"refresh_token\":"  \
    "\"r3fr3sh-y\",\"quota_project_id\":\"q\"}"

static void test_user(void)
{
    struct asked a;

    begin(keys_write("user.json", USER), NULL);
    fake_on(&f, TOKEN_URL, 1, TOKEN("u1"));
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "u1");
    UNIT_STR_EQ(fake_find(&f, TOKEN_URL, 0)->body,
                "grant_type=refresh_token&client_id=cid&client_secret=s3cr3t-x&refresh_token=r3fr3sh-y");
    UNIT_STR_EQ(gcp_auth_quota_project(auth), "q");
    get_id(&a, "https://a.run.app");
    CU_ASSERT_PTR_NOT_NULL(strstr(a.err.message, "impersonate"));
    end();
}

static void test_user_revoked(void)
{
    struct asked a;

    begin(keys_write("user.json", USER), NULL);
    fake_on(
        &f, TOKEN_URL, 1,
        ANSWER(400,
               "{\"error\":\"invalid_grant\",\"error_description\":\"Token has been expired or revoked.\","
               "\"error_subtype\":\"invalid_rapt\"}"));
    get(&a, 100 * FAKE_SEC);
    UNIT_INT_EQ(f.n_requests, 1); /* not tried again */
    UNIT_INT_EQ(a.err.kind, SKL_ERR_UNAUTHORIZED);
    CU_ASSERT_FALSE(a.transient);
    CU_ASSERT_PTR_NOT_NULL(strstr(a.err.message, "expired or revoked"));
    CU_ASSERT_PTR_NOT_NULL(strstr(a.err.message, "log in again"));
    CU_ASSERT_PTR_NULL(strstr(a.err.message, "s3cr3t-x"));
    CU_ASSERT_FALSE(fake_logged(&f, "s3cr3t-x"));
    CU_ASSERT_FALSE(fake_logged(&f, "r3fr3sh-y"));
    end();
}

static void test_metadata(void)
{
    struct asked a;

    begin(NULL, NULL);
    fake_on(&f, META "/token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform", 1,
            GOOGLE("{\"access_token\":\"m1\",\"expires_in\":200,\"token_type\":\"Bearer\"}"));
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "m1");
    UNIT_STR_EQ(fake_header(fake_find(&f, META, 0), "Metadata-Flavor"), "Google");
    CU_ASSERT_TRUE(gcp_auth_on_google(auth));
    fake_on(&f, META "/identity?audience=https%3A%2F%2Fa.run.app&format=full", 1,
            GOOGLE(keys_id_token(3600, 3)));
    get_id(&a, "https://a.run.app");
    UNIT_STR_EQ(a.token, keys_id_token(3600, 3));
    end();
}

/* The metadata server's ID token was made a while ago: what is left of it counts, by the server's clock. */
static void test_metadata_old_id_token(void)
{
    const int64_t now = FAKE_WALL / FAKE_SEC;
    struct fake_answer old = GOOGLE(keys_id_token_of(now - 3000, 3600, 1));
    struct asked a;

    begin(NULL, NULL);
    f.wall_offset = 5 * 3600 * FAKE_SEC; /* ours is wrong */
    old.headers = "Metadata-Flavor: Google\nDate: Thu, 01 Jan 2026 00:00:00 GMT\n";
    fake_on(&f, META "/identity", 1, old);
    get_id(&a, "https://a.run.app");
    UNIT_STR_EQ(a.token, keys_id_token_of(now - 3000, 3600, 1));
    fake_pass(&f, 200 * FAKE_SEC);
    get_id(&a, "https://a.run.app");
    UNIT_INT_EQ(f.n_requests, 1);
    fake_pass(&f, 395 * FAKE_SEC);
    fake_on(&f, META "/identity", 1, GOOGLE(keys_id_token_of(now + 590, 3600, 2)));
    get_id(&a, "https://a.run.app");
    UNIT_STR_EQ(a.token, keys_id_token_of(now + 590, 3600, 2));
    end();
}

/* Pitfall 26: no metadata server must show within seconds; what answers there without the flavor is not
 * Google. */
static void test_pitfall_26_no_metadata(void)
{
    struct asked a;

    begin(NULL, NULL);
    fake_on(&f, META, FAKE_ALWAYS, (struct fake_answer){.delay = FAKE_NEVER});
    get(&a, 100 * FAKE_SEC);
    CU_ASSERT(f.mono < 11 * FAKE_SEC);
    UNIT_INT_EQ(a.err.kind, SKL_ERR_UNAUTHORIZED);
    CU_ASSERT_PTR_NOT_NULL(strstr(a.err.message, "GOOGLE_APPLICATION_CREDENTIALS"));
    end();

    begin(NULL, NULL);
    fake_on(&f, META, FAKE_ALWAYS, ANSWER(200, "{\"access_token\":\"evil\",\"expires_in\":200}"));
    get(&a, 100 * FAKE_SEC);
    UNIT_STR_EQ(a.token, "");
    UNIT_INT_EQ(a.err.kind, SKL_ERR_UNAUTHORIZED);
    end();

    setenv("GCE_METADATA_HOST", "127.0.0.1:99", 1);
    begin(NULL, NULL);
    fake_on(&f, "GET http://127.0.0.1:99/computeMetadata/", 1,
            GOOGLE("{\"access_token\":\"m\",\"expires_in\":200}"));
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "m");
    end();
    unsetenv("GCE_METADATA_HOST");
}

static void test_impersonation(void)
{
    char *text = keys_file(NULL), answer[700];
    const struct fake_request *r;
    struct asked a;

    begin(keys_write("sa.json", text), "sa@p.iam.gserviceaccount.com");
    fake_on(&f, TOKEN_URL, 1, TOKEN("base"));
    fake_on(&f, "POST " IAM ":generateAccessToken", 1,
            ANSWER(200, "{\"accessToken\":\"imp\",\"expireTime\":\"2026-01-01T01:00:00Z\"}"));
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "imp");
    r = fake_find(&f, "POST " IAM, 0);
    UNIT_STR_EQ(fake_header(r, "Authorization"), "Bearer base");
    UNIT_STR_EQ(r->body,
                "{\"scope\":[\"https://www.googleapis.com/auth/cloud-platform\"],\"lifetime\":\"3600s\"}");
    (void)snprintf(answer, sizeof(answer), "{\"token\":\"%s\"}", keys_id_token(3600, 4));
    fake_on(&f, "POST " IAM ":generateIdToken", 1, ANSWER(200, answer));
    get_id(&a, "https://a.run.app");
    UNIT_STR_EQ(a.token, keys_id_token(3600, 4));
    UNIT_STR_EQ(fake_find(&f, "POST " IAM ":generateIdToken", 0)->body,
                "{\"audience\":\"https://a.run.app\",\"includeEmail\":true}");
    UNIT_INT_EQ(fake_count(&f, TOKEN_URL), 1);
    end();
    free(text);
}

static void test_impersonated_file(void)
{
    struct asked a;
    const char *text =
        "{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":\"" IAM
        ":generateAccessToken\",\"delegates\":[\"d1\"],\"source_credentials\":" USER "}";

    begin(keys_write("imp.json", text), NULL);
    fake_on(&f, TOKEN_URL, 1, TOKEN("base"));
    fake_on(&f, "POST " IAM ":generateAccessToken", 1,
            ANSWER(200, "{\"accessToken\":\"imp\",\"expireTime\":\"2026-01-01T01:00:00Z\"}"));
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "imp");
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_find(&f, "POST " IAM, 0)->body, "\"delegates\":[\"d1\"]"));
    end();
}

#define EXTERNAL(source, more)                                                                               \
    "{\"type\":\"external_account\",\"audience\":\"//iam.googleapis.com/x\",\"subject_token_type\":"         \
    "\"urn:ietf:params:oauth:token-type:jwt\",\"token_url\":\"https://sts.googleapis.com/v1/token\","        \
    "\"credential_source\":" source more "}"

static void test_external_file(void)
{
    char text[2048], source[600];
    struct asked a;

    (void)snprintf(source, sizeof(source), "{\"file\":\"%s\"}", keys_write("subject", "subj-token\n"));
    (void)snprintf(text, sizeof(text),
                   EXTERNAL("%s", ",\"service_account_impersonation_url\":\"" IAM ":generateAccessToken\""),
                   source);
    begin(keys_write("ext.json", text), NULL);
    fake_on(&f, STS, 1, TOKEN("fed"));
    fake_on(&f, "POST " IAM, 1,
            ANSWER(200, "{\"accessToken\":\"imp\",\"expireTime\":\"2026-01-01T01:00:00Z\"}"));
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "imp");
    UNIT_STR_EQ(form(fake_find(&f, STS, 0)->body, "subject_token"), "subj-token");
    UNIT_STR_EQ(form(fake_find(&f, STS, 0)->body, "audience"), "%2F%2Fiam.googleapis.com%2Fx");
    UNIT_STR_EQ(fake_header(fake_find(&f, "POST " IAM, 0), "Authorization"), "Bearer fed");
    end();
}

static void test_external_url(void)
{
    struct asked a;

    begin(keys_write(
              "ext.json",
              EXTERNAL(
                  "{\"url\":\"http://127.0.0.1:7/id\",\"headers\":{\"X-Secret\":\"h\"},\"format\":{\"type\":"
                  "\"json\",\"subject_token_field_name\":\"value\"}}",
                  "")),
          NULL);
    fake_on(&f, "GET http://127.0.0.1:7/id", 1, ANSWER(200, "{\"value\":\"from-url\"}"));
    fake_on(&f, STS, 1, TOKEN("fed"));
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "fed");
    UNIT_STR_EQ(fake_header(fake_find(&f, "GET http://127.0.0.1:7/id", 0), "X-Secret"), "h");
    UNIT_STR_EQ(form(fake_find(&f, STS, 0)->body, "subject_token"), "from-url");
    get_id(&a, "https://a.run.app");
    CU_ASSERT_PTR_NOT_NULL(strstr(a.err.message, "impersonat"));
    end();
}

static void test_search_order(void)
{
    char *text = keys_file(NULL);
    struct asked a;
    char dir[600];

    /* A file that is named must be there. */
    setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/key.json", 1);
    begin(NULL, NULL);
    get(&a, FAKE_SEC);
    UNIT_INT_EQ(a.err.kind, SKL_ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(a.err.message, "/nonexistent/key.json"));
    UNIT_INT_EQ(f.n_requests, 0);
    end();
    /* It comes before gcloud's. */
    (void)snprintf(dir, sizeof(dir), "%s", unit_tmpdir());
    setenv("CLOUDSDK_CONFIG", dir, 1);
    (void)keys_write("application_default_credentials.json", USER);
    setenv("GOOGLE_APPLICATION_CREDENTIALS", keys_write("sa.json", text), 1);
    begin(NULL, NULL);
    fake_on(&f, TOKEN_URL, FAKE_ALWAYS, TOKEN("t"));
    get(&a, FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_find(&f, TOKEN_URL, 0)->body, "assertion="));
    end();
    unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
    begin(NULL, NULL);
    fake_on(&f, TOKEN_URL, FAKE_ALWAYS, TOKEN("t"));
    get(&a, FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_find(&f, TOKEN_URL, 0)->body, "refresh_token="));
    end();
    unsetenv("CLOUDSDK_CONFIG");
    free(text);
}

static void test_one_fetch_at_a_time(void)
{
    struct asked a[50] = {{0}};

    begin(keys_write("user.json", USER), NULL);
    fake_on(&f, TOKEN_URL, 1, TOKEN("one"));
    for (int i = 0; i < 50; i++)
        (void)gcp_auth_access_token(auth, on_token, &a[i]);
    fake_pass(&f, FAKE_SEC);
    for (int i = 0; i < 50; i++)
        UNIT_STR_EQ(a[i].token, "one");
    UNIT_INT_EQ(f.n_requests, 1);
    end();
}

/* Refreshed ahead of its end, without anybody waiting; a failing refresh leaves the present token in use. */
static void test_refresh_ahead(void)
{
    struct asked a;

    begin(keys_write("user.json", USER), NULL);
    fake_on(&f, TOKEN_URL, 1, TOKEN("first"));
    get(&a, FAKE_SEC);
    fake_pass(&f, 3299 * FAKE_SEC);
    get(&a, FAKE_SEC);
    UNIT_INT_EQ(f.n_requests, 1);
    fake_pass(&f, 10 * FAKE_SEC);
    fake_on(&f, TOKEN_URL, 3, ANSWER(503, "down"));
    get(&a, 0);
    UNIT_STR_EQ(a.token, "first");
    fake_pass(&f, 60 * FAKE_SEC); /* the endpoint was down for a minute */
    UNIT_INT_EQ(f.n_requests, 4);
    fake_on(&f, TOKEN_URL, 1, TOKEN("second"));
    get(&a, 0);
    UNIT_STR_EQ(a.token, "first");
    fake_pass(&f, FAKE_SEC);
    get(&a, 0);
    UNIT_STR_EQ(a.token, "second");
    UNIT_INT_EQ(f.n_requests, 5);
    end();
}

/* In its last seconds a token is not handed out: the request has to arrive, too. A failed refresh is not
 * repeated at once. */
static void test_last_seconds(void)
{
    struct asked a;

    begin(keys_write("user.json", USER), NULL);
    fake_on(&f, TOKEN_URL, 1, TOKEN("first"));
    get(&a, FAKE_SEC);
    fake_pass(&f, 3400 * FAKE_SEC);
    fake_on(&f, TOKEN_URL, 1, ANSWER(400, "{\"error\":\"invalid_client\"}"));
    get(&a, 0);
    fake_pass(&f, FAKE_SEC);
    get(&a, 0);
    fake_pass(&f, FAKE_SEC);
    UNIT_STR_EQ(a.token, "first");
    UNIT_INT_EQ(f.n_requests, 2);
    fake_on(&f, TOKEN_URL, 1, TOKEN("second"));
    fake_pass(&f, 192 * FAKE_SEC); /* five seconds are left */
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "second");
    end();
}

/* iamcredentials refuses the base's token: the next try has a new one. */
static void test_impersonation_refused(void)
{
    char *text = keys_file(NULL);
    struct asked a;

    begin(keys_write("sa.json", text), "sa@p.iam.gserviceaccount.com");
    fake_on(&f, TOKEN_URL, 1, TOKEN("base1"));
    fake_on(&f, TOKEN_URL, 1, TOKEN("base2"));
    fake_on(&f, "POST " IAM, 1,
            ANSWER(401, "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\",\"message\":\"m\"}}"));
    fake_on(&f, "POST " IAM, 1,
            ANSWER(200, "{\"accessToken\":\"imp\",\"expireTime\":\"2026-01-01T01:00:00Z\"}"));
    get(&a, FAKE_SEC);
    UNIT_INT_EQ(a.err.kind, SKL_ERR_UNAUTHORIZED);
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "imp");
    UNIT_STR_EQ(fake_header(fake_find(&f, "POST " IAM, 1), "Authorization"), "Bearer base2");
    end();
    free(text);
}

/* A wall clock that jumps changes nothing; a wrong one is corrected by the server's. */
static void test_clock_skew(void)
{
    char *text = keys_file(NULL);
    struct json_object *header, *claims;
    struct asked a;

    begin(keys_write("sa.json", text), NULL);
    f.wall_offset = -7200 * FAKE_SEC; /* two hours late */
    fake_on(
        &f, TOKEN_URL, 1,
        (struct fake_answer){.status = 400,
                             .headers = "Date: Thu, 01 Jan 2026 00:00:01 GMT\n",
                             .body = "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT\"}"});
    fake_on(&f, TOKEN_URL, 1, TOKEN("t"));
    get(&a, 10 * FAKE_SEC);
    UNIT_STR_EQ(a.token, "t");
    CU_ASSERT_TRUE(keys_verify(form(fake_find(&f, TOKEN_URL, 1)->body, "assertion"), &header, &claims));
    CU_ASSERT(llabs(gcp_json_int(claims, "iat", 0) - FAKE_WALL / FAKE_SEC) < 30);
    json_object_put(header);
    json_object_put(claims);
    CU_ASSERT_TRUE(fake_logged(&f, "clock is off by"));
    f.wall_offset = 10 * 3600 * FAKE_SEC;
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "t");
    UNIT_INT_EQ(f.n_requests, 2);
    end();
    free(text);
}

static void test_drop_and_cancel(void)
{
    struct asked a, b = {0};
    struct gcp_token_wait *w;

    begin(keys_write("user.json", USER), NULL);
    fake_on(&f, TOKEN_URL, 1, TOKEN("bad"));
    fake_on(&f, TOKEN_URL, 1, TOKEN("good"));
    get(&a, FAKE_SEC);
    gcp_auth_drop(auth, "bad");
    w = gcp_auth_access_token(auth, on_token, &b);
    gcp_token_wait_cancel(w);
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "good");
    CU_ASSERT_FALSE(b.done);
    gcp_auth_drop(auth, "bad"); /* an old one: no effect */
    get(&a, FAKE_SEC);
    UNIT_STR_EQ(a.token, "good");
    end();
}

UNIT_MAIN("gcp_auth", UNIT(test_service_account), UNIT(test_service_account_id_token), UNIT(test_user),
          UNIT(test_user_revoked), UNIT(test_metadata), UNIT(test_metadata_old_id_token), UNIT(test_pitfall_26_no_metadata),
          UNIT(test_impersonation), UNIT(test_impersonated_file), UNIT(test_external_file),
          UNIT(test_external_url), UNIT(test_search_order), UNIT(test_one_fetch_at_a_time),
          UNIT(test_refresh_ahead), UNIT(test_last_seconds), UNIT(test_impersonation_refused),
          UNIT(test_clock_skew), UNIT(test_drop_and_cancel))
