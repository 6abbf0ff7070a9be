/*
 * simulator/auth/enforce.c - who may call what, with --require-auth.
 *
 *   an API       an access token that was handed out here and is not over, or an assertion that a service account signed for itself; with a
 *                scope that covers the API
 *   a service's  an ID token signed here for that service, unless its policy lets allUsers in
 *   URL
 *
 * All identities are the project's owners: there are no other roles. iamcredentials is asked with a token in any case.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/auth/auth.h"

#define MISSING "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. " \
                "See https://developers.google.com/identity/sign-in/web/devconsole-project."
#define INVALID "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. " \
                "See https://developers.google.com/identity/sign-in/web/devconsole-project."

const char *auth_bearer(struct http_req *req)
{
    const char *h = http_req_header(req, "Authorization"), *q;

    if (h != NULL && strncasecmp(h, "Bearer ", 7) == 0)
        return h + 7 + strspn(h + 7, " ");
    q = http_req_query(req, "access_token");
    return q != NULL ? q : http_req_query(req, "oauth_token");
}

static bool is_signed_by_account(struct sim *s, const char *token, char **ret_scope)
{
    struct jwt *j = jwt_read(token);
    struct account *a = j != NULL ? account_service(s, jwt_text(j, "iss")) : NULL;
    const char *aud = j != NULL ? jwt_text(j, "aud") : "";
    bool good = a != NULL && a->key != NULL && jwt_verify(j, a->key) && jwt_timely(j) && str_eq(jwt_text(j, "iss"), jwt_text(j, "sub"));

    /* Either a scope, or the one service that it is for. */
    good = good && (jwt_text(j, "scope")[0] != '\0' || (str_starts(aud, "https://") && strstr(aud, ".googleapis.com/") != NULL));
    if (good)
        *ret_scope = xstrdup(jwt_text(j, "scope")[0] != '\0' ? jwt_text(j, "scope") : SCOPE_ALL);
    jwt_free(j);
    return good;
}

/* The whole, or what the API itself has. */
static bool scope_covers(const char *scope, const char *path)
{
    static const char *const logging[] = {"https://www.googleapis.com/auth/logging.read", "https://www.googleapis.com/auth/logging.write",
                                          "https://www.googleapis.com/auth/logging.admin", NULL};
    static const char *const storage[] = {"https://www.googleapis.com/auth/devstorage.read_write", "https://www.googleapis.com/auth/devstorage.full_control",
                                          "https://www.googleapis.com/auth/devstorage.read_only", NULL};
    static const char *const iam[] = {"https://www.googleapis.com/auth/iam", NULL};
    const char *const *extra = strstr(path, "/entries:") != NULL || strstr(path, "/logs") != NULL ? logging : strstr(path, "/storage/v1/") != NULL ? storage
                               : strstr(path, "/serviceAccounts/") != NULL                        ? iam : NULL;
    CLEANUP(free_p) char **parts = NULL;
    size_t n;

    parts = str_split(scope, ' ', &n);
    for (size_t i = 0; i < n; i++) {
        if (str_eq(parts[i], SCOPE_ALL))
            return true;
        for (const char *const *e = extra; e != NULL && *e != NULL; e++)
            if (str_eq(parts[i], *e))
                return true;
    }
    return false;
}

static void refuse(struct sim_call *c, int http, const char *status, const char *reason, const char *text)
{
    struct json_object *o = json_new_object(), *e = json_add_object(o, "error"), *d = json_new_object();

    json_add_i64(e, "code", http);
    json_add_string(e, "message", text);
    json_add_string(e, "status", status);
    json_add_string(d, "@type", "type.googleapis.com/google.rpc.ErrorInfo");
    json_add_string(d, "reason", reason);
    json_add_string(d, "domain", "googleapis.com");
    json_add_string(json_add_object(d, "metadata"), "method", c->rpc);
    json_push(json_add_array(e, "details"), d);
    if (http == 401)
        http_res_header(c->req, "WWW-Authenticate", "Bearer realm=\"https://accounts.google.com/\"%s",
                        str_eq(reason, "CREDENTIALS_MISSING") ? "" : ", error=\"invalid_token\"");
    call_json(c, http, o);
}

/* Where no token is expected. */
static bool is_open(const char *path)
{
    static const char *const prefixes[] = {"/token", "/oauth2/", "/computeMetadata", "/_storage/", "/v1/token"};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts(path, prefixes[i]))
            return true;
    return false;
}

bool auth_admits(struct sim_call *c)
{
    const char *path = http_req_path(c->req), *name = auth_bearer(c->req);
    bool always = strstr(path, "/serviceAccounts/") != NULL;
    CLEANUP(free_p) char *scope = NULL;
    struct token *t;

    if ((!c->sim->opts.require_auth && !always) || is_open(path))
        return true;
    if (str_empty(name)) {
        refuse(c, 401, "UNAUTHENTICATED", "CREDENTIALS_MISSING", MISSING);
        return false;
    }
    t = token_find(c->sim, name);
    if (t != NULL)
        scope = xstrdup(t->scope);
    else if (!is_signed_by_account(c->sim, name, &scope)) {
        refuse(c, 401, "UNAUTHENTICATED", "ACCESS_TOKEN_TYPE_UNSUPPORTED", INVALID);
        return false;
    }
    if (!scope_covers(scope, path)) {
        refuse(c, 403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "Request had insufficient authentication scopes.");
        return false;
    }
    return true;
}

/* ---- services' URLs ---- */

static const char *invoker_token(struct http_req *req)
{
    const char *own = http_req_header(req, "X-Serverless-Authorization"), *h = own != NULL ? own : http_req_header(req, "Authorization");

    return h != NULL && strncasecmp(h, "Bearer ", 7) == 0 ? h + 7 + strspn(h + 7, " ") : NULL;
}

static bool audience_fits(const struct service *svc, const struct jwt *j)
{
    CLEANUP(free_p) char *uri = service_uri(svc), *origin = xasprintf("http://127.0.0.1:%u", svc->sim->port);
    struct json_object *more = json_member(svc->json, "customAudiences");

    for (size_t i = 0; more != NULL && i < json_object_array_length(more); i++)
        if (jwt_has_audience(j, json_string_or(json_object_array_get_idx(more, i), "")))
            return true;
    return jwt_has_audience(j, uri) || jwt_has_audience(j, origin);
}

int auth_invocation(struct sim *s, struct http_req *req, const struct service *svc)
{
    const char *name = invoker_token(req);
    struct jwt *j;
    bool good;

    if (!s->opts.require_auth || json_object_get_boolean(json_member(svc->json, "invokerIamDisabled")) ||
        iam_grants(svc->policy, "roles/run.invoker", "allUsers"))
        return 0;
    if (str_empty(name))
        return 403;
    j = jwt_read(name);
    good = j != NULL && auth_signed_here(s, j) && jwt_time(j, "exp") > clock_wall() / NS_PER_S && audience_fits(svc, j);
    jwt_free(j);
    return good ? 0 : 401;
}
