/*
 * tests/unit/test_gcp_base.c - the helpers of the Google plugins: text, times, JSON, keys and credential
 * files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/keys.h"
#include "plugins/gcp/cred.h"
#include "plugins/gcp/json.h"
#include "plugins/gcp/jwt.h"
#include "plugins/gcp/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pitfall 14, the sender's side: nothing of a value is taken for syntax of the URL. */
static void test_pitfall_14_encodings(void)
{
    struct gcp_str s = {0};
    char *text;
    size_t n;

    gcp_str_puts(&s, "u?");
    gcp_str_put_pair(&s, "a b", "c&d=\xc3\xa9");
    gcp_str_put_pair(&s, "e", "~-._");
    gcp_str_put_pair(&s, "p", "../a/%2F;\"");
    UNIT_STR_EQ(gcp_str_get(&s), "u?a%20b=c%26d%3D%C3%A9&e=~-._&p=..%2Fa%2F%252F%3B%22");
    gcp_str_fini(&s);
    gcp_str_put_base64(&s, "\xff\xfe\xfd\xfc", 4);
    gcp_str_puts(&s, " ");
    gcp_str_put_base64url(&s, "\xff\xfe\xfd\xfc", 4);
    UNIT_STR_EQ(gcp_str_get(&s), "//79/A== __79_A");
    gcp_str_fini(&s);
    text = gcp_base64_decode("__79_A", 6, &n);
    UNIT_INT_EQ(n, 4);
    CU_ASSERT(!memcmp(text, "\xff\xfe\xfd\xfc", 4));
    free(text);
    CU_ASSERT_PTR_NULL(gcp_base64_decode("a", 1, &n));
    CU_ASSERT_PTR_NULL(gcp_base64_decode("ab\"d", 4, &n));
    text = gcp_base64_decode("", 0, &n);
    UNIT_INT_EQ(n, 0);
    free(text);
}

static void test_times(void)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2025-08-08T10:15:27.837407Z", INT64_C(1754648127837407000)},
        {"2025-08-08T10:15:27.841010923Z", INT64_C(1754648127841010923)},
        {"2025-08-08T12:15:27.841010923+02:00", INT64_C(1754648127841010923)},
        {"2025-08-08T05:45:27.8410109239-04:30", INT64_C(1754648127841010923)},
        {"2024-02-29T23:59:60Z", INT64_C(1709251200000000000)},
        {"1969-12-31T23:59:59.5Z", -500000000},
    };
    static const char *const bad[] = {"",
                                      "2025",
                                      "2025-08-08",
                                      "2025-13-08T10:15:27Z",
                                      "2025-08-08T10:15:27",
                                      "2025-08-08T25:15:27Z",
                                      "2025-08-08T10:15:27Zx",
                                      "2025-08-08T10:15:27+2:00",
                                      "9999-08-08T10:15:27Z",
                                      "x025-08-08T10:15:27Z"};
    char out[GCP_TIME_MAX];
    int64_t ns;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CU_ASSERT_TRUE(gcp_time_parse(good[i].text, &ns));
        UNIT_INT_EQ(ns, good[i].ns);
        gcp_time_format(ns, out);
        CU_ASSERT_TRUE(gcp_time_parse(out, &ns));
        UNIT_INT_EQ(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(gcp_time_parse(bad[i], &ns));
    gcp_time_format(INT64_C(1754648127841010923), out);
    UNIT_STR_EQ(out, "2025-08-08T10:15:27.841010923Z");
    CU_ASSERT_TRUE(gcp_http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT", &ns));
    UNIT_INT_EQ(ns, INT64_C(784111777000000000));
    CU_ASSERT_FALSE(gcp_http_date_parse("Sun, 06 Foo 1994 08:49:37 GMT", &ns));
    CU_ASSERT_FALSE(gcp_http_date_parse("12345", &ns));
    CU_ASSERT_TRUE(gcp_duration_parse("1.000000001s", &ns));
    UNIT_INT_EQ(ns, 1000000001);
    CU_ASSERT_FALSE(gcp_duration_parse("1", &ns));
    CU_ASSERT_FALSE(gcp_duration_parse("-1s", &ns));
    CU_ASSERT_FALSE(gcp_duration_parse("99999999999999999999s", &ns));
}

static void test_utf8(void)
{
    struct skl_error err;
    char long_text[3000];

    CU_ASSERT_TRUE(gcp_utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
    CU_ASSERT_FALSE(gcp_utf8_valid("\xc0\xaf"));
    CU_ASSERT_FALSE(gcp_utf8_valid("\xed\xa0\x80"));
    CU_ASSERT_FALSE(gcp_utf8_valid("\xf4\x90\x80\x80"));
    CU_ASSERT_FALSE(gcp_utf8_valid("\xe0\x80\xaf"));
    CU_ASSERT_FALSE(gcp_utf8_valid("\xf0\x8f\xbf\xbf"));
    CU_ASSERT_TRUE(gcp_utf8_valid("\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
    CU_ASSERT_FALSE(gcp_utf8_valid("\xe2\x82"));
    for (size_t i = 0; i + 3 < sizeof(long_text); i += 3)
        memcpy(long_text + i, "\xe2\x82\xac", 4);
    (void)gcp_error(&err, SKL_ERR_INTERNAL, "%s", long_text);
    CU_ASSERT_TRUE(gcp_utf8_valid(err.message));
    (void)gcp_error(&err, SKL_ERR_INTERNAL, "a\xff%s", "b\x01");
    UNIT_STR_EQ(err.message, "a?b?");
}

static struct json_object *parse(const char *text)
{
    return gcp_json_parse(text, strlen(text));
}

/* Pitfall 13: numeric enums, snake_case, int64 as text or number, null, unknown and missing members. */
static void test_pitfall_13_json(void)
{
    static const char *const names[] = {"ZERO", "ONE", NULL};
    struct json_object *o =
        parse("{\"service_config\":{\"timeout_seconds\":\"3600\",\"uri\":null},\"n\":7,\"big\":"
              "\"9223372036854775807\",\"state\":1,\"word\":\"ACTIVE\",\"odd\":99,\"yes\":true,"
              "\"text\":\"12x\",\"list\":[1]}\n");

    CU_ASSERT_PTR_NOT_NULL_FATAL(o);
    UNIT_INT_EQ(gcp_json_int(o, "serviceConfig.timeoutSeconds", 0), 3600);
    UNIT_INT_EQ(gcp_json_int(o, "n", 0), 7);
    UNIT_INT_EQ(gcp_json_int(o, "big", 0), INT64_MAX);
    UNIT_INT_EQ(gcp_json_int(o, "text", -5), -5);
    UNIT_INT_EQ(gcp_json_int(o, "missing", -5), -5);
    CU_ASSERT_PTR_NULL(gcp_json_str(o, "serviceConfig.uri"));
    CU_ASSERT_PTR_NULL(gcp_json_str(o, "n"));
    UNIT_STR_EQ(gcp_json_enum(o, "state", names), "ONE");
    UNIT_STR_EQ(gcp_json_enum(o, "word", names), "ACTIVE");
    CU_ASSERT_PTR_NULL(gcp_json_enum(o, "odd", names));
    CU_ASSERT_TRUE(gcp_json_bool(o, "yes"));
    CU_ASSERT_FALSE(gcp_json_bool(o, "n"));
    CU_ASSERT_PTR_NOT_NULL(gcp_json_array(o, "list"));
    CU_ASSERT_PTR_NULL(gcp_json_array(o, "n"));
    CU_ASSERT_PTR_NULL(gcp_json_get(NULL, "a.b"));
    json_object_put(o);
    CU_ASSERT_PTR_NULL(parse(""));
    CU_ASSERT_PTR_NULL(parse("{\"a\":1"));
    CU_ASSERT_PTR_NULL(parse("{} x"));
    CU_ASSERT_PTR_NULL(parse("<html>"));
    CU_ASSERT_PTR_NULL(parse(
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"));
}

static void test_jwt(void)
{
    struct json_object *header, *claims;
    struct skl_error err;
    struct gcp_key *key = gcp_key_new(keys_pem(), &err);
    char *token;
    int64_t seconds;

    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    token = gcp_jwt_sign(key, "kid", "{\"iat\":100,\"exp\":400}", &err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(token);
    CU_ASSERT_TRUE(keys_verify(token, &header, &claims));
    CU_ASSERT_TRUE(gcp_jwt_lifetime(token, 0, &seconds));
    UNIT_INT_EQ(seconds, 300);
    json_object_put(header);
    json_object_put(claims);
    free(token);
    gcp_key_free(key);
    CU_ASSERT_FALSE(gcp_jwt_lifetime("a.b", 0, &seconds));
    CU_ASSERT_FALSE(gcp_jwt_lifetime("a.!!.c", 0, &seconds));
    CU_ASSERT_FALSE(gcp_jwt_lifetime("", 0, &seconds));
    /* Pitfall 26: encrypted, of the wrong kind, or no key at all; without asking for a password. */
    CU_ASSERT_PTR_NULL(gcp_key_new(keys_encrypted(), &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "encrypted"));
    CU_ASSERT_PTR_NULL(gcp_key_new(keys_ec(), &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "not an RSA key"));
    CU_ASSERT_PTR_NULL(
        gcp_key_new("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", &err));
    CU_ASSERT_PTR_NULL(strstr(err.message, "c2VjcmV0"));
}

static void check_refused(const char *text, const char *why)
{
    struct skl_error err = {.message = ""};
    struct gcp_cred *c = gcp_cred_parse(text, strlen(text), "f.json", &err);

    CU_ASSERT_PTR_NULL(c);
    gcp_cred_free(c);
    if (!strstr(err.message, why))
        printf("# %s\n", err.message);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, why));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "f.json"));
}

static void test_credential_files(void)
{
    char *text;

    check_refused("", "not JSON");
    check_refused("[]", "no \"type\"");
    check_refused("{\"type\":\"gdch_service_account\"}", "gdch_service_account");
    check_refused("{\"type\":\"service_account\",\"client_email\":\"a\"}", "is missing");
    check_refused("{\"type\":\"authorized_user\",\"client_id\":\"a\"}", "is missing");
    check_refused("{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":"
                  "\"https://iamcredentials.googleapis.com/x:generateAccessToken\",\"source_credentials\":"
                  "{\"type\":\"impersonated_service_account\"}}",
                  "not supported");
    text = keys_file("{\"token_uri\":\"https://evil.example.com/token\"}");
    check_refused(text, "token_uri is not an https address of googleapis.com");
    free(text);
    text = keys_file("{\"private_key\":\"nonsense\"}");
    check_refused(text, "not a private key");
    free(text);
    check_refused(
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\",\"token_url\":"
        "\"https://sts.googleapis.com.evil.com/v1/token\",\"credential_source\":{\"file\":\"/etc/passwd\"}}",
        "token_url is not");
    check_refused(
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\",\"token_url\":"
        "\"https://sts.googleapis.com/v1/"
        "token\",\"credential_source\":{\"executable\":{\"command\":\"id\"}}}",
        "not supported");
}

static void test_trusted_urls(void)
{
    CU_ASSERT_TRUE(gcp_url_trusted("https://oauth2.googleapis.com/token", "googleapis.com"));
    CU_ASSERT_TRUE(gcp_url_trusted("http://127.0.0.1:80/x", "googleapis.com"));
    CU_ASSERT_TRUE(gcp_url_trusted("http://[::1]:80/x", "googleapis.com"));
    CU_ASSERT_TRUE(gcp_url_trusted("http://localhost/x", "googleapis.com"));
    CU_ASSERT_FALSE(gcp_url_trusted("http://oauth2.googleapis.com/token", "googleapis.com"));
    CU_ASSERT_FALSE(gcp_url_trusted("https://evilgoogleapis.com/", "googleapis.com"));
    CU_ASSERT_FALSE(gcp_url_trusted("https://a.googleapis.com@evil.com/", "googleapis.com"));
    CU_ASSERT_FALSE(gcp_url_trusted("https://evil.com/?x=.googleapis.com", "googleapis.com"));
    CU_ASSERT_FALSE(gcp_url_trusted("http://127.0.0.1.evil.com/", "googleapis.com"));
    CU_ASSERT_FALSE(gcp_url_trusted("https://evil.com\\.googleapis.com/", "googleapis.com"));
    CU_ASSERT_FALSE(gcp_url_trusted("file:///etc/passwd", "googleapis.com"));
    CU_ASSERT_FALSE(gcp_url_trusted("", "googleapis.com"));
}

UNIT_MAIN("gcp_base", UNIT(test_pitfall_14_encodings), UNIT(test_times), UNIT(test_utf8),
          UNIT(test_pitfall_13_json), UNIT(test_jwt), UNIT(test_credential_files), UNIT(test_trusted_urls))
