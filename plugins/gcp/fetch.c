/*
 * gcp/fetch.c - see fetch.h.
 *
 *                     access token                       ID token
 *   service account   JWT grant with scope               JWT grant with target_audience
 *   user              refresh grant                      refresh grant, where the answer has one that fits
 *   metadata          GET .../token                      GET .../identity
 *   external          subject token, then STS            (only by impersonation)
 *   impersonated      generateAccessToken                generateIdToken, both with a base token
 *
 * A fetch is one or two requests (a subject token from a URL comes first). Transient failures are repeated by
 * the call itself (GCP_TOKEN). A refusal with invalid_grant and a Date far from our clock is tried once more
 * with the server's time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/fetch.h"
#include "gcp/json.h"
#include "gcp/jwt.h"
#include "gcp/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE          "https://www.googleapis.com/auth/cloud-platform"
#define METADATA_HOST  "169.254.169.254"
#define ACCOUNT_PATH   "/computeMetadata/v1/instance/service-accounts/default"
#define JWT_GRANT      "urn:ietf:params:oauth:grant-type:jwt-bearer"
#define STS_GRANT      "urn:ietf:params:oauth:grant-type:token-exchange"
#define STS_TOKEN_TYPE "urn:ietf:params:oauth:token-type:access_token"
#define ACCESS_SUFFIX  ":generateAccessToken"
#define FORM           "application/x-www-form-urlencoded"
#define JWT_LIFETIME   3600
#define JWT_BACKDATE   10
#define SKEW_MIN       (30 * GCP_SECOND)
#define SUBJECT_MAX    ((size_t)128 * 1024)
#define FETCH_TIMEOUT  (30 * GCP_SECOND)
/* Not on Google Cloud the metadata address leads nowhere: that must show soon. */
#define METADATA_TIMEOUT (8 * GCP_SECOND)
/* ID tokens of gcloud's own OAuth client are accepted by Cloud Run; those of other clients are not. */
#define GCLOUD_CLIENT "32555940559.apps.googleusercontent.com"

struct gcp_fetch {
    struct gcp_client *client;
    const struct gcp_cred *cred;
    enum gcp_token_kind kind;
    char *audience, *base_token;
    int64_t *skew;
    bool skew_tried;
    struct gcp_call *call;
    gcp_fetch_fn fn;
    void *arg;
};

static int fetch_begin(struct gcp_fetch *f, struct skl_error *err);

bool gcp_fetch_needs_base(const struct gcp_cred *cred, enum gcp_token_kind kind)
{
    return cred->impersonate_url && kind != GCP_TOKEN_BASE;
}

static void fetch_free(struct gcp_fetch *f)
{
    free(f->audience);
    if (f->base_token)
        explicit_bzero(f->base_token, strlen(f->base_token));
    free(f->base_token);
    free(f);
}

void gcp_fetch_cancel(struct gcp_fetch *f)
{
    if (!f)
        return;
    gcp_call_cancel(f->call);
    fetch_free(f);
}

static void fetch_fail(struct gcp_fetch *f, const struct skl_error *err, bool transient)
{
    f->fn(f->arg, NULL, 0, err, transient);
    fetch_free(f);
}

static void fetch_done(struct gcp_fetch *f, const char *token, int64_t lifetime_ns)
{
    f->fn(f->arg, token, lifetime_ns, NULL, false);
    fetch_free(f);
}

/* ---- answers ---- */

/* The metadata server hands out what it has: a good part of an hour may be over. */
static bool id_lifetime(const struct gcp_reply *r, const char *token, int64_t *ret_ns)
{
    int64_t seconds;

    if (!token || !gcp_jwt_lifetime(token, r->server_time / GCP_SECOND, &seconds))
        return false;
    *ret_ns = seconds * GCP_SECOND;
    return true;
}

/* generateAccessToken says when the token ends by the server's clock; it sent its clock along, too. */
static bool impersonated_lifetime(const struct gcp_fetch *f, const struct gcp_reply *r, int64_t *ret_ns)
{
    const char *when = gcp_json_str(r->json, "expireTime");
    int64_t end,
        now = r->server_time ? r->server_time : f->client->host->now_wall(f->client->host->ctx) + *f->skew;

    if (!when || !gcp_time_parse(when, &end) || end <= now)
        return false;
    *ret_ns = end - now;
    return true;
}

/* The token in an answer; NULL when there is none. */
static const char *answer_token(const struct gcp_fetch *f, const struct gcp_reply *r, int64_t *ret_ns)
{
    const char *token;
    int64_t seconds = gcp_json_int(r->json, "expires_in", 0);

    if (gcp_fetch_needs_base(f->cred, f->kind)) {
        token = gcp_json_str(r->json, f->kind == GCP_TOKEN_ID ? "token" : "accessToken");
        return token && (f->kind == GCP_TOKEN_ID ? id_lifetime(r, token, ret_ns)
                                                 : impersonated_lifetime(f, r, ret_ns))
                   ? token
                   : NULL;
    }
    if (f->kind == GCP_TOKEN_ID) {
        token = f->cred->kind == GCP_CRED_METADATA ? r->body : gcp_json_str(r->json, "id_token");
        return id_lifetime(r, token, ret_ns) ? token : NULL;
    }
    *ret_ns = seconds * GCP_SECOND;
    return seconds > 0 ? gcp_json_str(r->json, "access_token") : NULL;
}

static void no_metadata(const struct skl_error *why, struct skl_error *err)
{
    (void)gcp_error(
        err, SKL_ERR_UNAUTHORIZED,
        "no Google credentials: there is no credential file (GOOGLE_APPLICATION_CREDENTIALS, the option "
        "\"credentials\", or gcloud auth application-default login) and no metadata server (%s)",
        why ? why->message : "what answers at its address is not one");
}

/* A wrong clock makes good assertions invalid. True: the exchange began anew with the server's time. */
static bool fetch_fix_clock(struct gcp_fetch *f, const struct gcp_reply *r)
{
    const struct skl_host *host = f->client->host;
    int64_t off = r->server_time ? r->server_time - host->now_wall(host->ctx) - *f->skew : 0;
    struct skl_error err;
    char line[120];

    if (f->skew_tried || f->cred->kind != GCP_CRED_SERVICE_ACCOUNT ||
        strcmp(r->fault->reason, "invalid_grant") || (off < SKEW_MIN && off > -SKEW_MIN))
        return false;
    f->skew_tried = true;
    *f->skew += off;
    (void)snprintf(line, sizeof(line), "this machine's clock is off by %lld s; Google's is used for tokens",
                   (long long)(*f->skew / GCP_SECOND));
    host->log(host->ctx, SKL_LOG_WARN, line);
    return fetch_begin(f, &err) == 0;
}

static void on_failed(struct gcp_fetch *f, const struct gcp_reply *r)
{
    struct skl_error err = *r->error;

    if (fetch_fix_clock(f, r))
        return;
    if (f->cred->kind == GCP_CRED_METADATA && r->fault->no_answer && !gcp_fetch_needs_base(f->cred, f->kind))
        no_metadata(r->error, &err);
    else if (err.kind == SKL_ERR_INVALID) /* invalid_grant and the like are 400 */
        err.kind = SKL_ERR_UNAUTHORIZED;
    fetch_fail(f, &err, gcp_fault_verdict(r->fault, GCP_TOKEN) == GCP_RETRY);
}

static void on_token(void *arg, const struct gcp_reply *r)
{
    struct gcp_fetch *f = arg;
    const char *token, *flavor;
    struct skl_error err;
    int64_t lifetime;

    f->call = NULL;
    if (r->error) {
        on_failed(f, r);
        return;
    }
    flavor = f->cred->kind == GCP_CRED_METADATA ? r->response->header(r->response, "Metadata-Flavor") : NULL;
    if (f->cred->kind == GCP_CRED_METADATA && !gcp_fetch_needs_base(f->cred, f->kind) &&
        (!flavor || strcmp(flavor, "Google"))) {
        no_metadata(NULL, &err);
        fetch_fail(f, &err, false);
        return;
    }
    token = answer_token(f, r, &lifetime);
    if (token) {
        fetch_done(f, token, lifetime);
        return;
    }
    (void)gcp_error(&err, SKL_ERR_UNAUTHORIZED, "%s: the answer holds no %s token", f->cred->where,
                    f->kind == GCP_TOKEN_ID ? "ID" : "access");
    fetch_fail(f, &err, false);
}

/* ---- requests ---- */

static int fetch_send(struct gcp_fetch *f, struct gcp_request *req, gcp_reply_fn fn, struct skl_error *err)
{
    const struct skl_host *host = f->client->host;
    bool metadata = f->cred->kind == GCP_CRED_METADATA && !gcp_fetch_needs_base(f->cred, f->kind);

    req->policy = GCP_TOKEN;
    req->no_auth = true;
    req->what = f->kind == GCP_TOKEN_ID ? "get an ID token" : "get an access token";
    req->deadline = host->now_mono(host->ctx) + (metadata ? METADATA_TIMEOUT : FETCH_TIMEOUT);
    req->max_response = SUBJECT_MAX;
    f->call = req->url ? gcp_call_start(f->client, req, fn, f) : NULL;
    return f->call ? 0 : gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
}

/* POSTs a form and wipes it. */
static int send_form(struct gcp_fetch *f, const char *url, struct gcp_str *form,
                     const struct skl_http_header *headers, struct skl_error *err)
{
    struct gcp_request req = {.method = "POST", .url = url, .content_type = FORM, .headers = headers};
    int r;

    if (form->failed) {
        gcp_str_fini(form);
        return gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    }
    req.body = form->data;
    req.body_len = form->len;
    r = fetch_send(f, &req, on_token, err);
    explicit_bzero(form->data, form->len);
    gcp_str_fini(form);
    return r;
}

static char *make_claims(const struct gcp_fetch *f)
{
    struct json_object *o = json_object_new_object();
    const struct skl_host *host = f->client->host;
    int64_t now = (host->now_wall(host->ctx) + *f->skew) / GCP_SECOND - JWT_BACKDATE;
    char *text;

    gcp_json_put_str(o, "iss", f->cred->email);
    gcp_json_put_str(o, "aud", f->cred->token_uri);
    if (f->kind == GCP_TOKEN_ID)
        gcp_json_put_str(o, "target_audience", f->audience);
    else
        gcp_json_put_str(o, "scope", SCOPE);
    gcp_json_put_int(o, "iat", now);
    gcp_json_put_int(o, "exp", now + JWT_LIFETIME);
    text = gcp_dup(gcp_json_text(o));
    json_object_put(o);
    return text;
}

static int begin_service_account(struct gcp_fetch *f, struct skl_error *err)
{
    char *claims = make_claims(f), *jwt;
    struct gcp_str form = {0};

    if (!claims)
        return gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    jwt = gcp_jwt_sign(f->cred->key, f->cred->key_id, claims, err);
    free(claims);
    if (!jwt)
        return -1;
    gcp_str_put_pair(&form, "grant_type", JWT_GRANT);
    gcp_str_put_pair(&form, "assertion", jwt);
    explicit_bzero(jwt, strlen(jwt));
    free(jwt);
    return send_form(f, f->cred->token_uri, &form, NULL, err);
}

static int begin_user(struct gcp_fetch *f, struct skl_error *err)
{
    struct gcp_str form = {0};

    if (f->kind == GCP_TOKEN_ID && strcmp(f->cred->client_id, GCLOUD_CLIENT))
        return gcp_error(
            err, SKL_ERR_UNAUTHORIZED,
            "%s: a user's credentials can't invoke a private function; set the option \"impersonate\" to a "
            "service account with roles/run.invoker",
            f->cred->where);
    gcp_str_put_pair(&form, "grant_type", "refresh_token");
    gcp_str_put_pair(&form, "client_id", f->cred->client_id);
    gcp_str_put_pair(&form, "client_secret", f->cred->client_secret);
    gcp_str_put_pair(&form, "refresh_token", f->cred->refresh_token);
    return send_form(f, f->cred->token_uri, &form, NULL, err);
}

char *gcp_metadata_url(const char *path)
{
    const char *host = getenv("GCE_METADATA_HOST");

    return gcp_format("http://%s%s", host && *host ? host : METADATA_HOST, path);
}

static int begin_metadata(struct gcp_fetch *f, struct skl_error *err)
{
    static const struct skl_http_header flavor[] = {{"Metadata-Flavor", "Google"}, {NULL, NULL}};
    struct gcp_request req = {.method = "GET", .headers = flavor};
    struct gcp_str path = {0};
    char *url;
    int r;

    gcp_str_puts(&path, ACCOUNT_PATH);
    if (f->kind == GCP_TOKEN_ID) {
        gcp_str_puts(&path, "/identity?");
        gcp_str_put_pair(&path, "audience", f->audience);
        gcp_str_put_pair(&path, "format", "full");
    } else {
        gcp_str_puts(&path, "/token?");
        gcp_str_put_pair(&path, "scopes", SCOPE);
    }
    url = path.failed ? NULL : gcp_metadata_url(gcp_str_get(&path));
    req.url = url;
    r = fetch_send(f, &req, on_token, err);
    gcp_str_fini(&path);
    free(url);
    return r;
}

/* ---- workload identity ---- */

/* "Basic ..." of the client's ID and secret, or NULL. New string. */
static char *client_basic(const struct gcp_cred *c)
{
    struct gcp_str pair = {0}, out = {0};

    if (!c->client_id || !c->client_secret)
        return NULL;
    gcp_str_printf(&pair, "%s:%s", c->client_id, c->client_secret);
    gcp_str_puts(&out, "Basic ");
    gcp_str_put_base64(&out, pair.failed ? "" : pair.data, pair.len);
    gcp_str_fini(&pair);
    return gcp_str_take(&out);
}

static int exchange(struct gcp_fetch *f, const char *subject, struct skl_error *err)
{
    const struct gcp_cred *c = f->cred;
    char *basic = client_basic(c), *options;
    struct skl_http_header headers[] = {{basic ? "Authorization" : NULL, basic}, {NULL, NULL}};
    struct gcp_str form = {0};
    int r;

    gcp_str_put_pair(&form, "grant_type", STS_GRANT);
    gcp_str_put_pair(&form, "audience", c->audience);
    gcp_str_put_pair(&form, "scope", SCOPE);
    gcp_str_put_pair(&form, "requested_token_type", STS_TOKEN_TYPE);
    gcp_str_put_pair(&form, "subject_token_type", c->subject_type);
    gcp_str_put_pair(&form, "subject_token", subject);
    if (c->workforce_project && !basic) {
        options = gcp_format("{\"userProject\":\"%s\"}", c->workforce_project);
        gcp_str_put_pair(&form, "options", options ? options : "");
        free(options);
    }
    r = send_form(f, c->sts_url, &form, headers, err);
    free(basic);
    return r;
}

/* The subject token in what a source gave: the text itself, or a member of it. */
static int take_subject(struct gcp_fetch *f, const char *text, size_t n, struct skl_error *err)
{
    struct json_object *o = f->cred->source_field ? gcp_json_parse(text, n) : NULL, *v = NULL;
    struct gcp_str plain = {0};
    int r;

    if (f->cred->source_field && !(json_object_object_get_ex(o, f->cred->source_field, &v) &&
                                   json_object_is_type(v, json_type_string))) {
        json_object_put(o);
        return gcp_error(err, SKL_ERR_UNAUTHORIZED, "%s: the subject token source has no member \"%s\"",
                         f->cred->where, f->cred->source_field);
    }
    if (v)
        gcp_str_puts(&plain, json_object_get_string(v));
    else
        gcp_str_append(&plain, text, n);
    while (plain.len && strchr(" \t\r\n", plain.data[plain.len - 1]))
        plain.data[--plain.len] = '\0';
    if (plain.failed || !plain.len)
        r = gcp_error(err, SKL_ERR_UNAUTHORIZED, "%s: the subject token is empty", f->cred->where);
    else
        r = exchange(f, plain.data, err);
    gcp_str_fini(&plain);
    json_object_put(o);
    return r;
}

static void on_subject(void *arg, const struct gcp_reply *r)
{
    struct gcp_fetch *f = arg;
    struct skl_error err;

    f->call = NULL;
    if (r->error)
        on_failed(f, r);
    else if (take_subject(f, r->body, r->body_len, &err) < 0)
        fetch_fail(f, &err, false);
}

static int begin_subject_url(struct gcp_fetch *f, struct skl_error *err)
{
    struct skl_http_header headers[16] = {{0}};
    struct gcp_request req = {.method = "GET", .url = f->cred->source_url, .headers = headers};
    struct json_object_iterator it, end;
    size_t n = 0;

    if (json_object_is_type(f->cred->source_headers, json_type_object)) {
        it = json_object_iter_begin(f->cred->source_headers);
        end = json_object_iter_end(f->cred->source_headers);
        for (; !json_object_iter_equal(&it, &end) && n < 15; json_object_iter_next(&it)) {
            headers[n].name = json_object_iter_peek_name(&it);
            headers[n++].value = json_object_get_string(json_object_iter_peek_value(&it));
        }
    }
    return fetch_send(f, &req, on_subject, err);
}

static int begin_external(struct gcp_fetch *f, struct skl_error *err)
{
    size_t n;
    char *text;
    int r;

    if (f->kind == GCP_TOKEN_ID)
        return gcp_error(
            err, SKL_ERR_UNAUTHORIZED,
            "%s: workload identity can't invoke a private function by itself; use service account "
            "impersonation (the option \"impersonate\")",
            f->cred->where);
    if (f->cred->source_url)
        return begin_subject_url(f, err);
    text = gcp_file_read(f->cred->source_file, SUBJECT_MAX, &n, err);
    if (!text)
        return -1;
    r = take_subject(f, text, n, err);
    explicit_bzero(text, n);
    free(text);
    return r;
}

/* ---- impersonation ---- */

/* The URL for an ID token lies beside that for an access token. New string. */
static char *id_url(const char *url)
{
    size_t n = strlen(url), suffix = strlen(ACCESS_SUFFIX);

    if (n > suffix && !strcmp(url + n - suffix, ACCESS_SUFFIX))
        n -= suffix;
    return gcp_format("%.*s:generateIdToken", (int)n, url);
}

static struct json_object *impersonation_body(const struct gcp_fetch *f)
{
    struct json_object *o = json_object_new_object(), *scope;
    char lifetime[32];

    if (f->cred->delegates)
        json_object_object_add(o, "delegates", json_object_get(f->cred->delegates));
    if (f->kind == GCP_TOKEN_ID) {
        gcp_json_put_str(o, "audience", f->audience);
        gcp_json_put_bool(o, "includeEmail", true);
        return o;
    }
    scope = gcp_json_put_array(o, "scope");
    if (scope)
        json_object_array_add(scope, json_object_new_string(SCOPE));
    (void)snprintf(lifetime, sizeof(lifetime), "%lds", f->cred->lifetime_s);
    gcp_json_put_str(o, "lifetime", lifetime);
    return o;
}

static int begin_impersonation(struct gcp_fetch *f, struct skl_error *err)
{
    char *bearer = gcp_format("Bearer %s", f->base_token ? f->base_token : "");
    char *url =
        f->kind == GCP_TOKEN_ID ? id_url(f->cred->impersonate_url) : gcp_dup(f->cred->impersonate_url);
    struct json_object *o = impersonation_body(f);
    struct skl_http_header headers[] = {{"Authorization", bearer}, {NULL, NULL}};
    struct gcp_request req = {.method = "POST", .url = bearer ? url : NULL, .headers = headers};
    int r;

    req.body = gcp_json_text(o);
    req.body_len = req.body ? strlen(req.body) : 0;
    r = fetch_send(f, &req, on_token, err);
    json_object_put(o);
    if (bearer)
        explicit_bzero(bearer, strlen(bearer));
    free(bearer);
    free(url);
    return r;
}

static int fetch_begin(struct gcp_fetch *f, struct skl_error *err)
{
    if (gcp_fetch_needs_base(f->cred, f->kind))
        return begin_impersonation(f, err);
    switch (f->cred->kind) {
    case GCP_CRED_SERVICE_ACCOUNT:
        return begin_service_account(f, err);
    case GCP_CRED_USER:
        return begin_user(f, err);
    case GCP_CRED_EXTERNAL:
        return begin_external(f, err);
    default:
        return begin_metadata(f, err);
    }
}

struct gcp_fetch *gcp_fetch_start(const struct gcp_fetch_spec *spec, gcp_fetch_fn fn, void *arg,
                                  struct skl_error *err)
{
    struct gcp_fetch *f = calloc(1, sizeof(*f));

    if (!f) {
        (void)gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
        return NULL;
    }
    f->client = spec->client;
    f->cred = spec->cred;
    f->kind = spec->kind;
    f->audience = gcp_dup(spec->audience);
    f->base_token = gcp_dup(spec->base_token);
    f->skew = spec->skew;
    f->fn = fn;
    f->arg = arg;
    if (fetch_begin(f, err) == 0)
        return f;
    fetch_free(f);
    return NULL;
}
