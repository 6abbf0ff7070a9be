/*
 * simulator/auth/keys.c - JSON web tokens, and the key that the simulator signs its own with.
 *
 * The key lies in the state directory, so that tokens outlive a restart. It is made when first needed: that takes a moment, once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/auth/auth.h"

#define KEY_BITS 2048
#define KEY_NAME "simulator-1"

/* ---- reading ---- */

static struct json_object *decode_object(const char *p, size_t n)
{
    struct json_object *o = NULL;
    struct buf b;

    buf_init(&b, AUTH_JWT_MAX);
    if (base64_decode(&b, p, n) == 0)
        o = json_parse_object(buf_str(&b), b.len, AUTH_JWT_MAX, NULL);
    buf_fini(&b);
    return o;
}

void jwt_free(struct jwt *j)
{
    if (j == NULL)
        return;
    json_object_put(j->header);
    json_object_put(j->claims);
    free(j->text);
    free(j->signature);
    free(j);
}

struct jwt *jwt_read(const char *token)
{
    const char *one = strchr(token, '.'), *two = one != NULL ? strchr(one + 1, '.') : NULL;
    struct jwt *j;
    struct buf b;

    if (two == NULL || strchr(two + 1, '.') != NULL || strlen(token) > AUTH_JWT_MAX)
        return NULL;
    j = xcalloc(1, sizeof(*j));
    j->header = decode_object(token, (size_t)(one - token));
    j->claims = decode_object(one + 1, (size_t)(two - one) - 1);
    j->text = xstrndup(token, (size_t)(two - token));
    buf_init(&b, AUTH_JWT_MAX);
    if (j->header != NULL && j->claims != NULL && base64_decode(&b, two + 1, strlen(two + 1)) == 0 && b.len > 0) {
        j->signature = buf_steal(&b, &j->signature_len);
        return j;
    }
    buf_fini(&b);
    jwt_free(j);
    return NULL;
}

/* The algorithm is the key's, never the token's choice. */
bool jwt_verify(const struct jwt *j, EVP_PKEY *key)
{
    const char *alg = json_string_or(json_member(j->header, "alg"), "");
    EVP_MD_CTX *ctx;
    bool good;

    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || !str_eq(alg, "RS256"))
        return false;
    ctx = EVP_MD_CTX_new();
    good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
           EVP_DigestVerify(ctx, (const unsigned char *)j->signature, j->signature_len, (const unsigned char *)j->text, strlen(j->text)) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

const char *jwt_text(const struct jwt *j, const char *claim)
{
    return json_string_or(json_member(j->claims, claim), "");
}

int64_t jwt_time(const struct jwt *j, const char *claim)
{
    struct json_object *v = json_member(j->claims, claim);

    return json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : json_object_is_type(v, json_type_double) ? (int64_t)json_object_get_double(v) : 0;
}

bool jwt_has_audience(const struct jwt *j, const char *audience)
{
    struct json_object *v = json_member(j->claims, "aud");

    if (json_object_is_type(v, json_type_string))
        return str_eq(json_object_get_string(v), audience);
    for (size_t i = 0; json_object_is_type(v, json_type_array) && i < json_object_array_length(v); i++)
        if (str_eq(json_string_or(json_object_array_get_idx(v, i), ""), audience))
            return true;
    return false;
}

bool jwt_timely(const struct jwt *j)
{
    int64_t now = clock_wall() / NS_PER_S, iat = jwt_time(j, "iat"), exp = jwt_time(j, "exp");

    return iat > 0 && exp > now && exp > iat && exp - iat <= AUTH_LIFE_S + AUTH_SKEW_S && iat <= now + AUTH_SKEW_S;
}

/* ---- our own key ---- */

static EVP_PKEY *read_key(const char *path)
{
    FILE *f = fopen(path, "re");
    EVP_PKEY *key = f != NULL ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

    if (f != NULL)
        fclose(f);
    return key;
}

static EVP_PKEY *make_key(const char *path)
{
    EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

    if (f == NULL || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1)
        log_warn("auth", "%s can't be written: ID tokens end with this run", path);
    if (f != NULL)
        fclose(f);
    return key;
}

static EVP_PKEY *own_key(struct sim *s)
{
    CLEANUP(free_p) char *path = fs_join(s->opts.state_dir, "signing-key.pem");

    if (s->signing_key == NULL)
        s->signing_key = read_key(path);
    if (s->signing_key == NULL)
        s->signing_key = make_key(path);
    return s->signing_key;
}

static void put_part(struct buf *b, struct json_object *o)
{
    struct buf text;

    buf_init(&text, AUTH_JWT_MAX);
    (void)json_emit(&text, o);
    (void)base64_encode(b, text.data, text.len, true, false);
    buf_fini(&text);
}

char *auth_sign(struct sim *s, struct json_object *claims)
{
    JSON_CLEANUP struct json_object *header = json_new_object();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[KEY_BITS / 8];
    size_t n = sizeof(signature);
    struct buf b;

    json_add_string(header, "alg", "RS256");
    json_add_string(header, "kid", KEY_NAME);
    json_add_string(header, "typ", "JWT");
    buf_init(&b, 2 * AUTH_JWT_MAX);
    put_part(&b, header);
    buf_putc(&b, '.');
    put_part(&b, claims);
    json_object_put(claims);
    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, own_key(s)) == 1 &&
        EVP_DigestSign(ctx, signature, &n, (const unsigned char *)b.data, b.len) == 1) {
        buf_putc(&b, '.');
        (void)base64_encode(&b, signature, n, true, false);
    }
    EVP_MD_CTX_free(ctx);
    return buf_steal(&b, NULL);
}

bool auth_signed_here(struct sim *s, const struct jwt *j)
{
    return jwt_verify(j, own_key(s));
}

static void add_number(struct json_object *o, const char *key, EVP_PKEY *pkey, const char *param)
{
    BIGNUM *n = NULL;
    unsigned char bytes[KEY_BITS / 8];
    struct buf b;

    if (EVP_PKEY_get_bn_param(pkey, param, &n) != 1)
        return;
    buf_init(&b, 1024);
    (void)base64_encode(&b, bytes, (size_t)BN_bn2bin(n, bytes), true, false);
    json_add_string(o, key, buf_str(&b));
    buf_fini(&b);
    BN_free(n);
}

struct json_object *auth_certs(struct sim *s)
{
    struct json_object *o = json_new_object(), *k = json_new_object();

    json_add_string(k, "kty", "RSA");
    json_add_string(k, "alg", "RS256");
    json_add_string(k, "use", "sig");
    json_add_string(k, "kid", KEY_NAME);
    add_number(k, "n", own_key(s), OSSL_PKEY_PARAM_RSA_N);
    add_number(k, "e", own_key(s), OSSL_PKEY_PARAM_RSA_E);
    json_push(json_add_array(o, "keys"), k);
    return o;
}
