/*
 * simulator/auth/auth.h - Google's identity services: tokens, and who is let in with which.
 *
 *     --credentials FILE   a credential file as clients have it (service_account, authorized_user, external_account,
 *                          impersonated_service_account): what it identifies is known here. With the first of them all else is unknown.
 *
 * A client's assertion is verified against the key in such a file; without any file only its form, audience and times can be. Tokens handed
 * out are known by a random name (access tokens) or are signed with a key of the simulator's own (ID tokens; its public part is at
 * /oauth2/v3/certs). With --require-auth each call of an API needs one of them.
 *
 *   keys.c      JSON web tokens: reading, signing, verifying     endpoints.c  /token, STS, iamcredentials
 *   accounts.c  the credential files                             metadata.c   the metadata server
 *   tokens.c    access tokens handed out                         enforce.c    who may call what
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_AUTH_H
#define SKL_SIM_AUTH_H

#include "simulator/service.h"

#define AUTH_TOKENS_MAX 20000u   /* the oldest go */
#define AUTH_LIFE_S 3600
#define AUTH_JWT_MAX (64u * 1024)
#define AUTH_FORM_MAX (256u * 1024)
#define AUTH_SKEW_S 300
#define SCOPE_ALL "https://www.googleapis.com/auth/cloud-platform"

struct evp_pkey_st;

/* ---- keys.c ---- */
struct jwt {
    struct json_object *header, *claims;
    char *text;                 /* header.claims, what is signed */
    char *signature;
    size_t signature_len;
};
/* NULL: not a JSON web token. */
struct jwt *jwt_read(const char *token);
void jwt_free(struct jwt *j);   /* takes NULL */
bool jwt_verify(const struct jwt *j, struct evp_pkey_st *key);
const char *jwt_text(const struct jwt *j, const char *claim);   /* "" when absent */
int64_t jwt_time(const struct jwt *j, const char *claim);       /* seconds; 0: absent */
bool jwt_has_audience(const struct jwt *j, const char *audience);
/* "Now" lies in its times, for at most an hour. */
bool jwt_timely(const struct jwt *j);
/* Signed by the simulator. Caller frees. Takes claims. */
char *auth_sign(struct sim *s, struct json_object *claims);
bool auth_signed_here(struct sim *s, const struct jwt *j);
struct json_object *auth_certs(struct sim *s);

/* ---- accounts.c ---- */
enum account_kind { ACCOUNT_SERVICE, ACCOUNT_USER, ACCOUNT_POOL };
struct account {
    struct list link;
    enum account_kind kind;
    char *email;                /* SERVICE; USER: what it is shown as */
    char *key_id;
    struct evp_pkey_st *key;    /* public part; NULL: nothing to verify with */
    char *client_id, *client_secret, *refresh_token; /* USER */
    char *audience, *source_file, *source_field;     /* POOL */
};
int accounts_add(struct sim *s, const char *path, struct skl_error *err);
void accounts_free(struct sim *s);
bool accounts_any(const struct sim *s);
struct account *account_service(struct sim *s, const char *email);
struct account *account_user(struct sim *s, const char *refresh_token);
struct account *account_pool(struct sim *s, const char *audience);

/* ---- tokens.c ---- */
struct token {
    UT_hash_handle hh;
    struct list link;           /* oldest first */
    char *name;
    char *email;                /* whose it is */
    char *scope;
    int64_t ends;               /* wall, ns */
};
struct token *token_issue(struct sim *s, const char *email, const char *scope, int64_t life_s);
struct token *token_find(struct sim *s, const char *name); /* NULL: unknown, or over */
void tokens_free(struct sim *s);
/* An ID token for the audience. Caller frees. */
char *id_token(struct sim *s, const char *email, const char *audience, bool with_email);

/* ---- enforce.c ---- */
/* Whether the call may go on; else it is answered. */
bool auth_admits(struct sim_call *c);
/* Whether the URL of a service may be called: 0, or the status to refuse it with. */
int auth_invocation(struct sim *s, struct http_req *req, const struct service *svc);
/* The token that the request names (a header, or Google's query parameters); NULL: none. Borrowed until the next call. */
const char *auth_bearer(struct http_req *req);

extern const struct sim_route auth_routes[], metadata_routes[];

#endif
