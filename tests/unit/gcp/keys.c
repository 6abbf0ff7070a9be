/*
 * tests/unit/gcp/keys.c - an RSA key made for the test run (keys.h): no key is in the tree.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "keys.h"
#include "tests/unit/harness.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static EVP_PKEY *key;
static char pem[4096], encrypted[4096], ec[2048];

static void write_pem(EVP_PKEY *k, const EVP_CIPHER *cipher, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n;

    CU_ASSERT_FATAL(
        PEM_write_bio_PKCS8PrivateKey(bio, k, cipher, cipher ? "pw" : NULL, cipher ? 2 : 0, NULL, NULL) == 1);
    n = BIO_read(bio, out, (int)size - 1);
    CU_ASSERT_FATAL(n > 0);
    out[n] = '\0';
    BIO_free(bio);
}

static void make(void)
{
    EVP_PKEY *curve;

    if (key)
        return;
    key = EVP_RSA_gen(2048);
    curve = EVP_EC_gen("P-256");
    write_pem(key, NULL, pem, sizeof(pem));
    write_pem(key, EVP_aes_128_cbc(), encrypted, sizeof(encrypted));
    write_pem(curve, NULL, ec, sizeof(ec));
    EVP_PKEY_free(curve);
}

const char *keys_pem(void)
{
    make();
    return pem;
}

const char *keys_encrypted(void)
{
    make();
    return encrypted;
}

const char *keys_ec(void)
{
    make();
    return ec;
}

static struct json_object *part(const char *p, size_t n)
{
    size_t len;
    char *text = gcp_base64_decode(p, n, &len);
    struct json_object *o = text ? gcp_json_parse(text, len) : NULL;

    free(text);
    return o;
}

bool keys_verify(const char *jwt, struct json_object **ret_header, struct json_object **ret_claims)
{
    const char *dot = strchr(jwt, '.'), *last = strrchr(jwt, '.');
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n;
    char *sig;
    bool ok;

    if (!dot || last == dot)
        return false;
    sig = gcp_base64_decode(last + 1, strlen(last + 1), &n);
    ok =
        sig && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestVerify(ctx, (unsigned char *)sig, n, (const unsigned char *)jwt, (size_t)(last - jwt)) == 1;
    EVP_MD_CTX_free(ctx);
    free(sig);
    *ret_header = part(jwt, (size_t)(dot - jwt));
    *ret_claims = part(dot + 1, (size_t)(last - dot - 1));
    return ok;
}

const char *keys_id_token(int64_t lifetime_s, int serial)
{
    return keys_id_token_of(1000, lifetime_s, serial);
}

const char *keys_id_token_of(int64_t issued_s, int64_t lifetime_s, int serial)
{
    static char token[8][512];
    struct gcp_str s = {0};
    char claims[128], *out = token[serial & 7];

    (void)snprintf(claims, sizeof(claims), "{\"iat\":%lld,\"exp\":%lld,\"n\":%d}", (long long)issued_s,
                   (long long)(issued_s + lifetime_s), serial);
    gcp_str_puts(&s, "e30.");
    gcp_str_put_base64url(&s, claims, strlen(claims));
    gcp_str_puts(&s, ".c2ln");
    (void)snprintf(out, 512, "%s", gcp_str_get(&s));
    gcp_str_fini(&s);
    return out;
}

char *keys_file(const char *extra)
{
    struct json_object *o = json_object_new_object(),
                       *more = extra ? gcp_json_parse(extra, strlen(extra)) : NULL;
    char *text;

    gcp_json_put_str(o, "type", "service_account");
    gcp_json_put_str(o, "project_id", "key-project");
    gcp_json_put_str(o, "private_key_id", "kid-1");
    gcp_json_put_str(o, "private_key", keys_pem());
    gcp_json_put_str(o, "client_email", "runner@key-project.iam.gserviceaccount.com");
    gcp_json_put_str(o, "token_uri", "https://oauth2.googleapis.com/token");
    if (more) {
        json_object_object_foreach(more, k, v) json_object_object_add(o, k, json_object_get(v));
    }
    text = strdup(gcp_json_text(o));
    json_object_put(more);
    json_object_put(o);
    return text;
}

const char *keys_write(const char *name, const char *text)
{
    static char path[4][512];
    static int turn;
    char *out = path[turn++ & 3];
    FILE *file;

    (void)snprintf(out, 512, "%s/%s", unit_tmpdir(), name);
    file = fopen(out, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fputs(text, file);
    (void)fclose(file);
    return out;
}
