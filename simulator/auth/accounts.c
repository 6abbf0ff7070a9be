/*
 * simulator/auth/accounts.c - who is known: read from the same credential files that clients have.
 *
 * Of a key file the public part is derived and kept; the private key is not. An external_account file may name, beside what Google has, the
 * member "subject_public_key" (PEM): subject tokens are then verified with it; otherwise, with a file as its source, they must be what the file
 * holds.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/auth/auth.h"

#define FILE_MAX (256u * 1024)

static void account_free(struct account *a)
{
    list_remove(&a->link);
    EVP_PKEY_free(a->key);
    if (a->client_secret != NULL)
        mem_wipe(a->client_secret, strlen(a->client_secret));
    if (a->refresh_token != NULL)
        mem_wipe(a->refresh_token, strlen(a->refresh_token));
    free(a->email);
    free(a->key_id);
    free(a->client_id);
    free(a->client_secret);
    free(a->refresh_token);
    free(a->audience);
    free(a->source_file);
    free(a->source_field);
    free(a);
}

void accounts_free(struct sim *s)
{
    LIST_FOREACH_SAFE(n, tmp, &s->accounts)
        account_free(LIST_ENTRY(n, struct account, link));
    EVP_PKEY_free(s->signing_key);
    s->signing_key = NULL;
}

bool accounts_any(const struct sim *s)
{
    return !list_empty(&s->accounts);
}

static struct account *account_new(struct sim *s, enum account_kind kind)
{
    struct account *a = xcalloc(1, sizeof(*a));

    a->kind = kind;
    list_push_back(&s->accounts, &a->link);
    return a;
}

static EVP_PKEY *read_pem(const char *pem, bool is_private)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = is_private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return key;
}

/* The public half alone. */
static EVP_PKEY *public_part(EVP_PKEY *key)
{
    unsigned char *der = NULL;
    const unsigned char *p;
    int n = key != NULL ? i2d_PUBKEY(key, &der) : -1;
    EVP_PKEY *pub = NULL;

    p = der;
    if (n > 0)
        pub = d2i_PUBKEY(NULL, &p, n);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    return pub;
}

static const char *text(struct json_object *o, const char *path)
{
    const char *v = NULL;

    (void)json_get_string(o, path, &v, NULL);
    return v;
}

static int add_service(struct sim *s, struct json_object *o, const char *path, struct skl_error *err)
{
    struct account *a;
    EVP_PKEY *key = text(o, "private_key") != NULL ? public_part(read_pem(text(o, "private_key"), true)) : NULL;

    if (key == NULL || text(o, "client_email") == NULL) {
        EVP_PKEY_free(key);
        return error_set(err, SKL_ERR_INVALID, "%s: no client_email or no private key that can be read", path);
    }
    a = account_new(s, ACCOUNT_SERVICE);
    a->email = xstrdup(text(o, "client_email"));
    a->key_id = xstrdup(text(o, "private_key_id"));
    a->key = key;
    return 0;
}

static int add_user(struct sim *s, struct json_object *o, const char *path, struct skl_error *err)
{
    struct account *a;

    if (text(o, "client_id") == NULL || text(o, "client_secret") == NULL || text(o, "refresh_token") == NULL)
        return error_set(err, SKL_ERR_INVALID, "%s: client_id, client_secret or refresh_token is missing", path);
    a = account_new(s, ACCOUNT_USER);
    a->email = xstrdup(text(o, "account") != NULL ? text(o, "account") : "user@example.com");
    a->client_id = xstrdup(text(o, "client_id"));
    a->client_secret = xstrdup(text(o, "client_secret"));
    a->refresh_token = xstrdup(text(o, "refresh_token"));
    return 0;
}

/* "…/serviceAccounts/EMAIL:generateAccessToken": that account exists, too, and has no key of its own. */
static void add_impersonated(struct sim *s, const char *url)
{
    const char *at = url != NULL ? strstr(url, "/serviceAccounts/") : NULL, *end;
    CLEANUP(free_p) char *email = NULL;

    if (at == NULL || (end = strchr(at += strlen("/serviceAccounts/"), ':')) == NULL)
        return;
    email = xstrndup(at, (size_t)(end - at));
    if (account_service(s, email) == NULL)
        account_new(s, ACCOUNT_SERVICE)->email = xstrdup(email);
}

static int add_pool(struct sim *s, struct json_object *o, const char *path, struct skl_error *err)
{
    struct account *a;
    EVP_PKEY *key = NULL;

    if (text(o, "audience") == NULL)
        return error_set(err, SKL_ERR_INVALID, "%s: audience is missing", path);
    if (text(o, "subject_public_key") != NULL && (key = read_pem(text(o, "subject_public_key"), false)) == NULL)
        return error_set(err, SKL_ERR_INVALID, "%s: subject_public_key can't be read", path);
    a = account_new(s, ACCOUNT_POOL);
    a->key = key;
    a->audience = xstrdup(text(o, "audience"));
    a->source_file = xstrdup(text(o, "credential_source.file"));
    a->source_field = xstrdup(text(o, "credential_source.format.subject_token_field_name"));
    add_impersonated(s, text(o, "service_account_impersonation_url"));
    return 0;
}

static int add(struct sim *s, struct json_object *o, const char *path, struct skl_error *err)
{
    const char *type = text(o, "type");
    struct json_object *source = NULL;

    if (str_eq(type, "service_account"))
        return add_service(s, o, path, err);
    if (str_eq(type, "authorized_user"))
        return add_user(s, o, path, err);
    if (str_eq(type, "external_account"))
        return add_pool(s, o, path, err);
    if (str_eq(type, "impersonated_service_account") && json_get_object(o, "source_credentials", &source, err) == JSON_FOUND) {
        add_impersonated(s, text(o, "service_account_impersonation_url"));
        return add(s, source, path, err);
    }
    return error_set(err, SKL_ERR_INVALID, "%s: credentials of type \"%s\" are not known", path, type != NULL ? type : "");
}

int accounts_add(struct sim *s, const char *path, struct skl_error *err)
{
    struct json_object *o = NULL;
    struct buf b;
    int rc = -1;

    buf_init(&b, FILE_MAX);
    if (fs_read_file(path, &b, err) == 0 && (o = json_parse_object(buf_str(&b), b.len, FILE_MAX, err)) != NULL)
        rc = add(s, o, path, err);
    json_object_put(o);
    mem_wipe(b.data, b.len);
    buf_fini(&b);
    return rc;
}

/* ---- finding ---- */

struct account *account_service(struct sim *s, const char *email)
{
    LIST_FOREACH_SAFE(n, tmp, &s->accounts) {
        struct account *a = LIST_ENTRY(n, struct account, link);
        if (a->kind == ACCOUNT_SERVICE && str_eq(a->email, email))
            return a;
    }
    return NULL;
}

struct account *account_user(struct sim *s, const char *refresh_token)
{
    LIST_FOREACH_SAFE(n, tmp, &s->accounts) {
        struct account *a = LIST_ENTRY(n, struct account, link);
        if (a->kind == ACCOUNT_USER && strlen(a->refresh_token) == strlen(refresh_token) &&
            mem_eq_const_time(a->refresh_token, refresh_token, strlen(refresh_token)))
            return a;
    }
    return NULL;
}

struct account *account_pool(struct sim *s, const char *audience)
{
    LIST_FOREACH_SAFE(n, tmp, &s->accounts) {
        struct account *a = LIST_ENTRY(n, struct account, link);
        if (a->kind == ACCOUNT_POOL && str_eq(a->audience, audience))
            return a;
    }
    return NULL;
}
