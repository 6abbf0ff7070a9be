/*
 * gcp/jwt.c - see jwt.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/jwt.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MAX 65536

struct gcp_key {
    EVP_PKEY *pkey;
};

/* An encrypted key must not ask for a password on the daemon's terminal. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

struct gcp_key *gcp_key_new(const char *pem, struct skl_error *err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    struct gcp_key *key = NULL;
    bool rsa = pkey && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA;

    BIO_free(bio);
    ERR_clear_error();
    if (rsa)
        key = calloc(1, sizeof(*key));
    if (key) {
        key->pkey = pkey;
        return key;
    }
    EVP_PKEY_free(pkey);
    if (pkey && !rsa)
        (void)gcp_error(err, SKL_ERR_INVALID, "private_key is not an RSA key");
    else if (strstr(pem, "ENCRYPTED"))
        (void)gcp_error(err, SKL_ERR_INVALID, "private_key is encrypted");
    else
        (void)gcp_error(err, SKL_ERR_INVALID, "private_key is not a private key in PEM form");
    return NULL;
}

void gcp_key_free(struct gcp_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

static bool sign(const struct gcp_key *key, const char *text, size_t n, struct gcp_str *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *sig = NULL;
    size_t len = 0;
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
              EVP_DigestSign(ctx, NULL, &len, (const unsigned char *)text, n) == 1 && (sig = malloc(len)) &&
              EVP_DigestSign(ctx, sig, &len, (const unsigned char *)text, n) == 1;

    if (ok)
        gcp_str_put_base64url(out, sig, len);
    free(sig);
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

char *gcp_jwt_sign(const struct gcp_key *key, const char *key_id, const char *claims, struct skl_error *err)
{
    struct json_object *header = json_object_new_object();
    struct gcp_str token = {0}, signature = {0};
    const char *text;
    char *out = NULL;

    gcp_json_put_str(header, "alg", "RS256");
    gcp_json_put_str(header, "typ", "JWT");
    gcp_json_put_str(header, "kid", key_id);
    text = gcp_json_text(header);
    gcp_str_put_base64url(&token, text ? text : "", text ? strlen(text) : 0);
    gcp_str_puts(&token, ".");
    gcp_str_put_base64url(&token, claims, strlen(claims));
    json_object_put(header);
    if (!token.failed && sign(key, token.data, token.len, &signature)) {
        gcp_str_puts(&token, ".");
        gcp_str_puts(&token, signature.failed ? "" : gcp_str_get(&signature));
        out = signature.failed ? NULL : gcp_str_take(&token);
    }
    gcp_str_fini(&token);
    gcp_str_fini(&signature);
    if (!out)
        (void)gcp_error(err, SKL_ERR_INTERNAL, "can't sign with the service account's key");
    return out;
}

bool gcp_jwt_lifetime(const char *token, int64_t now, int64_t *ret_seconds)
{
    const char *dot = strchr(token, '.'), *end = dot ? strchr(dot + 1, '.') : NULL;
    struct json_object *claims;
    int64_t exp, iat;
    size_t n;
    char *text;

    if (!end || end - token > TOKEN_MAX)
        return false;
    text = gcp_base64_decode(dot + 1, (size_t)(end - dot - 1), &n);
    claims = text ? gcp_json_parse(text, n) : NULL;
    exp = gcp_json_int(claims, "exp", 0);
    iat = gcp_json_int(claims, "iat", 0);
    json_object_put(claims);
    free(text);
    if (iat <= 0 || exp <= iat || exp - iat > 366 * 86400 || (now > 0 && exp <= now))
        return false;
    *ret_seconds = now > iat ? exp - now : exp - iat;
    return true;
}
