/*
 * simulator/auth/endpoints.c - where tokens come from: OAuth's token endpoint, the Security Token Service, iamcredentials.
 *
 * The first two answer errors in OAuth's form, the third as all of Google's APIs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/auth/auth.h"
#include "simulator/parse.h"

#define GRANT_JWT "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define GRANT_EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"
#define TYPE_ACCESS "urn:ietf:params:oauth:token-type:access_token"
#define LIFE_MAX_S 43200

static void oauth_fail(struct sim_call *c, int status, const char *error, const char *why)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "error", error);
    json_add_string(o, "error_description", why);
    call_json(c, status, o);
}

static void answer_token(struct sim_call *c, const struct token *t, const char *id, const char *issued)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "access_token", t->name);
    if (issued != NULL)
        json_add_string(o, "issued_token_type", issued);
    json_add_i64(o, "expires_in", (t->ends - clock_wall()) / NS_PER_S);
    if (id != NULL) {
        json_add_string(o, "scope", t->scope);
        json_add_string(o, "id_token", id);
    }
    json_add_string(o, "token_type", "Bearer");
    call_json(c, 200, o);
}

/* ---- OAuth: an assertion ---- */

/* What is wrong with it; NULL: nothing. */
static const char *judge(struct sim *s, struct http_req *req, const struct jwt *j, const char **ret_error)
{
    const char *host = http_req_header(req, "Host");
    CLEANUP(free_p) char *own = xasprintf("http://%s%s", host != NULL ? host : "", http_req_path(req));
    struct account *a = j != NULL ? account_service(s, jwt_text(j, "iss")) : NULL;

    *ret_error = "invalid_grant";
    if (j == NULL || jwt_text(j, "iss")[0] == '\0')
        return "Invalid JWT: Failed to parse.";
    if (accounts_any(s) && a == NULL)
        return "Invalid grant: account not found";
    if (a != NULL && (a->key == NULL || !jwt_verify(j, a->key)))
        return "Invalid JWT Signature.";
    if (!jwt_has_audience(j, "https://oauth2.googleapis.com/token") && !jwt_has_audience(j, "https://www.googleapis.com/oauth2/v4/token") && !jwt_has_audience(j, own))
        return "Invalid JWT: Failed audience check.";
    if (!jwt_timely(j))
        return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.";
    if (jwt_text(j, "target_audience")[0] == '\0' && jwt_text(j, "scope")[0] == '\0') {
        *ret_error = "invalid_scope";
        return "Invalid OAuth scope or ID token audience provided.";
    }
    return NULL;
}

static void grant_assertion(struct sim_call *c, const char *form)
{
    CLEANUP(free_p) char *assertion = form_value(form, "assertion");
    struct jwt *j = assertion != NULL ? jwt_read(assertion) : NULL;
    const char *error, *why = assertion == NULL ? "Missing required parameter: assertion" : judge(c->sim, c->req, j, &error);

    if (assertion == NULL)
        error = "invalid_request";
    if (why != NULL) {
        oauth_fail(c, 400, error, why);
    } else if (jwt_text(j, "target_audience")[0] != '\0') {
        CLEANUP(free_p) char *id = id_token(c->sim, jwt_text(j, "iss"), jwt_text(j, "target_audience"), true);
        struct json_object *o = json_new_object();
        json_add_string(o, "id_token", id);
        call_json(c, 200, o);
    } else {
        answer_token(c, token_issue(c->sim, jwt_text(j, "iss"), jwt_text(j, "scope"), AUTH_LIFE_S), NULL, NULL);
    }
    jwt_free(j);
}

/* ---- OAuth: a user's refresh token ---- */

static void grant_refresh(struct sim_call *c, const char *form)
{
    CLEANUP(free_p) char *token = form_value(form, "refresh_token"), *client = form_value(form, "client_id"), *secret = form_value(form, "client_secret"), *id = NULL;
    struct account *a = token != NULL ? account_user(c->sim, token) : NULL;

    if (token == NULL || client == NULL || secret == NULL) {
        oauth_fail(c, 400, "invalid_request", token == NULL ? "Missing required parameter: refresh_token" : "Could not determine client ID from request.");
    } else if (accounts_any(c->sim) && a == NULL) {
        oauth_fail(c, 400, "invalid_grant", "Bad Request");
    } else if (a != NULL && (!str_eq(a->client_id, client) || !str_eq(a->client_secret, secret))) {
        oauth_fail(c, 401, "invalid_client", str_eq(a->client_id, client) ? "The provided client secret is invalid." : "The OAuth client was not found.");
    } else {
        id = id_token(c->sim, a != NULL ? a->email : "user@example.com", client, true);
        answer_token(c, token_issue(c->sim, a != NULL ? a->email : "user@example.com", SCOPE_ALL, AUTH_LIFE_S), id, NULL);
    }
}

static void on_token_form(void *arg, const char *form, size_t n, const struct skl_error *err)
{
    struct sim_call *c = arg;
    CLEANUP(free_p) char *grant = err == NULL ? form_value(form, "grant_type") : NULL;

    (void)n;
    if (str_eq(grant, GRANT_JWT))
        grant_assertion(c, form);
    else if (str_eq(grant, "refresh_token"))
        grant_refresh(c, form);
    else
        oauth_fail(c, 400, "unsupported_grant_type", "Invalid grant_type");
}

static void handle_token(struct sim_call *c)
{
    http_req_read_all(c->req, AUTH_FORM_MAX, on_token_form, c);
}

/* ---- STS ---- */

/* What the pool's source holds; NULL: it can't be read. */
static char *source_token(const struct account *a)
{
    struct json_object *o = NULL;
    char *token = NULL;
    struct buf b;

    buf_init(&b, AUTH_FORM_MAX);
    if (fs_read_file(a->source_file, &b, NULL) == 0 && b.len > 0) {
        o = a->source_field != NULL ? json_parse_object(b.data, b.len, AUTH_FORM_MAX, NULL) : NULL;
        token = xstrdup(a->source_field != NULL ? json_string_or(o != NULL ? json_member(o, a->source_field) : NULL, NULL) : str_trim(b.data));
    }
    json_object_put(o);
    buf_fini(&b);
    return token;
}

static bool is_jwt_type(const char *type)
{
    return str_eq(type, "urn:ietf:params:oauth:token-type:jwt") || str_eq(type, "urn:ietf:params:oauth:token-type:id_token");
}

static const char *judge_subject(const struct account *a, const char *subject, const char *type, const struct jwt *j)
{
    CLEANUP(free_p) char *held = NULL;

    if (is_jwt_type(type) && j == NULL)
        return "Unable to parse the ID Token.";
    if (j != NULL && jwt_time(j, "exp") <= clock_wall() / NS_PER_S)
        return "The ID Token is stale: it has expired.";
    if (a == NULL)
        return NULL;
    if (a->key != NULL)
        return j != NULL && jwt_verify(j, a->key) ? NULL : "Invalid signature of the ID Token.";
    held = a->source_file != NULL ? source_token(a) : NULL;
    return held != NULL && !str_eq(held, subject) ? "The subject token is not the one that the source holds." : NULL;
}

static void exchange(struct sim_call *c, const char *form)
{
    CLEANUP(free_p) char *audience = form_value(form, "audience"), *subject = form_value(form, "subject_token"), *type = form_value(form, "subject_token_type");
    CLEANUP(free_p) char *wanted = form_value(form, "requested_token_type"), *scope = form_value(form, "scope"), *who = NULL;
    struct account *a = audience != NULL ? account_pool(c->sim, audience) : NULL;
    struct jwt *j = subject != NULL ? jwt_read(subject) : NULL;
    const char *why;

    if (audience == NULL || subject == NULL || type == NULL || scope == NULL) {
        oauth_fail(c, 400, "invalid_request", audience == NULL ? "Invalid value for \"audience\"." : subject == NULL ? "Invalid value for \"subject_token\"."
                                              : type == NULL   ? "Invalid value for \"subject_token_type\"." : "Invalid value for \"scope\".");
    } else if (!str_starts(audience, "//iam.googleapis.com/") || (accounts_any(c->sim) && a == NULL)) {
        oauth_fail(c, 400, "invalid_target", "The target service indicated by the \"audience\" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn't exist.");
    } else if (wanted != NULL && !str_eq(wanted, TYPE_ACCESS)) {
        oauth_fail(c, 400, "invalid_request", "Invalid requested_token_type.");
    } else if ((why = judge_subject(a, subject, type, j)) != NULL) {
        oauth_fail(c, 400, "invalid_grant", why);
    } else {
        who = xasprintf("principal:%s/subject/%s", audience, j != NULL ? jwt_text(j, "sub") : "federated");
        answer_token(c, token_issue(c->sim, who, scope, AUTH_LIFE_S), NULL, TYPE_ACCESS);
    }
    jwt_free(j);
}

static void on_sts_form(void *arg, const char *form, size_t n, const struct skl_error *err)
{
    struct sim_call *c = arg;
    CLEANUP(free_p) char *grant = err == NULL ? form_value(form, "grant_type") : NULL;

    (void)n;
    if (str_eq(grant, GRANT_EXCHANGE))
        exchange(c, form);
    else
        oauth_fail(c, 400, "unsupported_grant_type", "Only urn:ietf:params:oauth:grant-type:token-exchange is supported.");
}

static void handle_sts(struct sim_call *c)
{
    http_req_read_all(c->req, AUTH_FORM_MAX, on_sts_form, c);
}

/* ---- iamcredentials ---- */

/* The account to act as; false: answered. The caller's token was checked on the way in (enforce.c). */
static bool may_act_as(struct sim_call *c, const char *email)
{
    if (!accounts_any(c->sim) || account_service(c->sim, email) != NULL)
        return true;
    call_fail(c, 404, "NOT_FOUND", "Not found; Gaia id not found for email %s", email);
    return false;
}

/* "a", "b" -> "a b". Caller frees. */
static char *join_scopes(struct json_object *list)
{
    struct buf b;

    buf_init(&b, 16 * 1024);
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
        buf_printf(&b, "%s%s", i > 0 ? " " : "", json_string_or(json_object_array_get_idx(list, i), ""));
    return buf_steal(&b, NULL);
}

static void handle_access(struct sim_call *c)
{
    const char *lifetime = NULL, *email = call_param(c, "email");
    struct json_object *list = NULL, *o;
    CLEANUP(free_p) char *scope = NULL;
    char when[TIME_RFC3339_SIZE];
    int64_t life = AUTH_LIFE_S * NS_PER_S;
    struct token *t;

    (void)json_get_array(c->body, "scope", &list, NULL);
    (void)json_get_string(c->body, "lifetime", &lifetime, NULL);
    scope = join_scopes(list);
    if (scope[0] == '\0') {
        call_fail(c, 400, "INVALID_ARGUMENT", "scope is required.");
        return;
    }
    if (lifetime != NULL && (!duration_parse(lifetime, &life) || life <= 0 || life > LIFE_MAX_S * NS_PER_S)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "The lifetime is invalid: %s", lifetime);
        return;
    }
    if (!may_act_as(c, email))
        return;
    t = token_issue(c->sim, email, scope, life / NS_PER_S);
    o = json_new_object();
    json_add_string(o, "accessToken", t->name);
    json_add_string(o, "expireTime", time_format_rfc3339(t->ends / NS_PER_S * NS_PER_S, when));
    call_json(c, 200, o);
}

static void handle_id(struct sim_call *c)
{
    const char *audience = NULL, *email = call_param(c, "email");
    bool with_email = false;
    CLEANUP(free_p) char *id = NULL;
    struct json_object *o;

    (void)json_get_string(c->body, "audience", &audience, NULL);
    (void)json_get_bool(c->body, "includeEmail", &with_email, NULL);
    if (str_empty(audience)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "audience is required.");
        return;
    }
    if (!may_act_as(c, email))
        return;
    id = id_token(c->sim, email, audience, with_email);
    o = json_new_object();
    json_add_string(o, "token", id);
    call_json(c, 200, o);
}

static void handle_certs(struct sim_call *c)
{
    call_json(c, 200, auth_certs(c->sim));
}

const struct sim_route auth_routes[] = {
    {"POST", "/token", "Token", handle_token, true},
    {"POST", "/oauth2/v4/token", "Token", handle_token, true},
    {"POST", "/v1/token", "ExchangeToken", handle_sts, true},
    {"POST", "/v1/projects/{any}/serviceAccounts/{email}:generateAccessToken", "GenerateAccessToken", handle_access, false},
    {"POST", "/v1/projects/{any}/serviceAccounts/{email}:generateIdToken", "GenerateIdToken", handle_id, false},
    {"GET", "/oauth2/v3/certs", "GetCerts", handle_certs, false},
    {NULL, NULL, NULL, NULL, false},
};
