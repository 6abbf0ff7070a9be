/*
 * api/registry.c - see registry.h. One struct walks through the steps:
 *
 *     MANIFEST --index--> CHILD -----> CONFIG --> done
 *         |                              ^
 *         +----------- one image --------+
 *
 * Any of these may be answered with a challenge: then TOKEN is fetched and the step repeated once with it. A mirror that
 * fails is left for the next endpoint; only the last endpoint's failure is the user's.
 *
 * Credentials go to the registry's own host and to the token server it names, never along a redirect.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/registry.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "loop/http_client.h"
#include "loop/loop.h"

#define ACCEPT                                                                                                  \
    "Accept: application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, " \
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
#define LAYERS_MAX 1024u
#define TOKEN_MAX (256u * 1024)

enum step { STEP_PING, STEP_MANIFEST, STEP_CHILD, STEP_CONFIG };

struct endpoint {
    char *base; /* "https://host" or a mirror's URL without the trailing slash */
    bool insecure;
    bool is_mirror;
};

#define N_TEXTS 7
struct registry_call {
    struct registry_query q; /* its strings point to texts */
    char *texts[N_TEXTS];
    struct auth_config auth;
    struct endpoint endpoints[REGISTRY_ENDPOINTS_MAX];
    size_t n_endpoints, at;
    enum step step;
    bool getting_token;
    bool challenged;        /* this step was repeated with credentials already */
    char *authorization;    /* secret; header line for the registry */
    char *location;         /* redirected to */
    unsigned redirects;
    struct http_call *call;
    struct soon begin;
    char digest[REGISTRY_DIGEST_SIZE], image_digest[REGISTRY_DIGEST_SIZE], config_digest[REGISTRY_DIGEST_SIZE];
    char *media_type;
    int64_t manifest_size;
    struct json_object *top;
    struct registry_layer *layers;
    size_t n_layers;
    void (*done)(void *arg, const struct skl_error *err, const struct registry_result *res);
    void *arg;
};

static void submit(struct registry_call *r);

/* ---- the end ---- */
static void free_call(struct registry_call *r)
{
    for (size_t i = 0; i < r->n_endpoints; i++)
        free(r->endpoints[i].base);
    if (r->authorization != NULL)
        mem_wipe(r->authorization, strlen(r->authorization));
    free(r->authorization);
    free(r->location);
    free(r->media_type);
    free(r->layers);
    json_put_p(&r->top);
    auth_config_fini(&r->auth);
    for (size_t i = 0; i < N_TEXTS; i++)
        free(r->texts[i]);
    free(r);
}

static void finish(struct registry_call *r, const struct skl_error *err, const char *config, size_t len)
{
    struct registry_result res = {
        .digest = r->digest,
        .media_type = r->media_type != NULL ? r->media_type : "",
        .manifest_size = r->manifest_size,
        .top = r->top,
        .image_digest = r->image_digest,
        .config_digest = r->config_digest,
        .config = config,
        .config_len = len,
        .layers = r->layers,
        .n_layers = r->n_layers,
    };

    r->done(r->arg, err, err == NULL ? &res : NULL);
    free_call(r);
}

static void next_endpoint(struct registry_call *r)
{
    r->at++;
    r->challenged = false;
    free(STEAL(r->location));
    free(STEAL(r->authorization));
    submit(r);
}

/* `soft`: another endpoint may know better. */
static void fail(struct registry_call *r, bool soft, int kind, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void fail(struct registry_call *r, bool soft, int kind, const char *fmt, ...)
{
    struct skl_error err = {0};
    va_list ap;

    va_start(ap, fmt);
    error_vset(&err, kind, fmt, ap);
    va_end(ap);
    if (soft && r->at + 1 < r->n_endpoints && (r->step == STEP_MANIFEST || r->step == STEP_PING)) {
        log_debug("registry", "%s: %s", r->endpoints[r->at].base, err.message);
        next_endpoint(r);
        return;
    }
    finish(r, &err, NULL, 0);
}

static void fail_denied(struct registry_call *r)
{
    fail(r, true, SKL_ERR_NOT_FOUND,
         "pull access denied for %s, repository does not exist or may require 'docker login': denied: requested access to "
         "the resource is denied",
         r->q.display);
}

/* ---- digests ---- */
static void digest_of(const void *p, size_t n, char out[REGISTRY_DIGEST_SIZE])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    memcpy(out, "sha256:", 8);
    EVP_Digest(p, n, md, &len, EVP_sha256(), NULL);
    hex_encode(md, len, out + 7);
}

static bool is_digest(const char *s)
{
    return str_starts(s, "sha256:") && strlen(s) == REGISTRY_DIGEST_SIZE - 1 && str_is_hex(s + 7);
}

/* ---- endpoints ---- */
static void add_endpoint(struct registry_call *r, char *base, bool insecure, bool is_mirror)
{
    size_t n = strlen(base);

    if (r->n_endpoints == REGISTRY_ENDPOINTS_MAX) {
        free(base);
        return;
    }
    while (n > 0 && base[n - 1] == '/')
        base[--n] = '\0';
    r->endpoints[r->n_endpoints++] = (struct endpoint){base, insecure, is_mirror};
}

static bool is_insecure(const struct registry_query *q, const char *host)
{
    if (str_starts(host, "127.") || str_starts(host, "localhost:") || strcmp(host, "localhost") == 0 ||
        str_starts(host, "[::1]"))
        return true;
    for (const char *const *h = q->insecure; h != NULL && *h != NULL; h++)
        if (strcmp(*h, host) == 0)
            return true;
    return false;
}

static void list_endpoints(struct registry_call *r, const struct registry_query *q)
{
    bool hub = strcmp(q->domain, REGISTRY_HUB) == 0;
    const char *host = hub ? REGISTRY_HUB_HOST : q->domain;
    bool insecure = is_insecure(q, host);

    for (const char *const *m = q->mirrors; hub && m != NULL && *m != NULL; m++)
        add_endpoint(r, xstrdup(*m), false, true);
    add_endpoint(r, xasprintf("https://%s", host), insecure, false);
    if (insecure)
        add_endpoint(r, xasprintf("http://%s", host), true, false);
}

/* ---- tokens ---- */
static void set_authorization(struct registry_call *r, const char *kind, const char *value)
{
    free(r->authorization);
    r->authorization = xasprintf("Authorization: %s %s", kind, value);
}

static char *basic_value(const struct auth_config *a)
{
    CLEANUP(free_p) char *plain = xasprintf("%s:%s", a->username, a->password != NULL ? a->password : "");
    struct buf out;

    buf_init(&out, AUTH_HEADER_MAX);
    base64_encode(&out, plain, strlen(plain), false, true);
    mem_wipe(plain, strlen(plain));
    return buf_steal(&out, NULL);
}

static void on_token(void *arg, const struct http_result *res)
{
    struct registry_call *r = arg;
    JSON_CLEANUP struct json_object *obj = NULL;
    const char *token = NULL;

    r->call = NULL;
    if (res->error != NULL) {
        fail(r, true, SKL_ERR_BAD_GATEWAY, "token server: %s", res->error->message);
        return;
    }
    if (res->status == 401 || res->status == 403) {
        fail(r, true, SKL_ERR_UNAUTHORIZED, "unauthorized: incorrect username or password");
        return;
    }
    if (res->status == 200)
        obj = json_parse_object(res->body, res->body_len, TOKEN_MAX, NULL);
    if (json_get_string(obj, "token", &token, NULL) != JSON_FOUND || str_empty(token))
        json_get_string(obj, "access_token", &token, NULL);
    if (str_empty(token) || strpbrk(token, "\r\n") != NULL) {
        fail(r, true, SKL_ERR_BAD_GATEWAY, "the token server answered %d without a token", res->status);
        return;
    }
    set_authorization(r, "Bearer", token);
    submit(r);
}

static void append_query(struct buf *b, const char *name, const char *value)
{
    if (str_empty(value))
        return;
    buf_printf(b, "%s%s=", b->len == 0 ? "" : "&", name);
    url_encode(b, value, strlen(value));
}

/* With an identity token: OAuth2's POST; else the GET of Docker's token protocol. */
static void submit_token(struct registry_call *r, const struct registry_challenge *ch)
{
    const struct endpoint *e = &r->endpoints[r->at];
    CLEANUP(free_p) char *scope = ch->scope != NULL ? xstrdup(ch->scope) : xasprintf("repository:%s:pull", r->q.path);
    CLEANUP(free_p) char *basic = NULL, *line = NULL, *url = NULL;
    const char *headers[3] = {"Accept: application/json"};
    struct http_call_spec spec = {.method = "GET", .headers = headers, .max_body = TOKEN_MAX,
                                  .timeout_ns = REGISTRY_TIMEOUT_NS, .idempotent = true, .on_done = on_token, .arg = r};
    struct skl_error err = {0};
    struct buf query;
    bool may_send = str_starts(ch->realm, "https://") || e->insecure;

    buf_init(&query, TOKEN_MAX);
    append_query(&query, "service", ch->service);
    if (r->step != STEP_PING)
        append_query(&query, "scope", scope);
    spec.insecure_tls = e->insecure;
    if (r->auth.identity_token != NULL && may_send) {
        append_query(&query, "grant_type", "refresh_token");
        append_query(&query, "client_id", "sockerless");
        append_query(&query, "refresh_token", r->auth.identity_token);
        headers[1] = "Content-Type: application/x-www-form-urlencoded";
        spec.method = "POST";
        spec.body = query.data;
        spec.body_len = query.len;
        url = xstrdup(ch->realm);
    } else {
        if (r->auth.username != NULL && may_send) {
            append_query(&query, "account", r->auth.username);
            basic = basic_value(&r->auth);
            headers[1] = line = xasprintf("Authorization: Basic %s", basic);
        }
        url = xasprintf("%s%c%s", ch->realm, strchr(ch->realm, '?') != NULL ? '&' : '?', buf_str(&query));
    }
    spec.url = url;
    r->call = http_client_submit(r->q.http, &spec, &err);
    if (query.data != NULL)
        mem_wipe(query.data, query.len);
    buf_fini(&query);
    if (r->call == NULL)
        fail(r, true, SKL_ERR_BAD_GATEWAY, "bad token server \"%.200s\": %s", ch->realm, err.message);
}

/* 401: once per step, with what we have. */
static void on_challenge(struct registry_call *r, const char *header)
{
    struct registry_challenge ch;

    if (r->challenged || registry_challenge_parse(header, &ch) < 0) {
        if (r->step == STEP_PING)
            fail(r, true, SKL_ERR_UNAUTHORIZED, "unauthorized: incorrect username or password");
        else
            fail_denied(r);
        return;
    }
    r->challenged = true;
    if (ch.bearer && r->auth.registry_token == NULL) {
        submit_token(r, &ch);
    } else if (ch.bearer) {
        set_authorization(r, "Bearer", r->auth.registry_token);
        submit(r);
    } else if (r->auth.username != NULL) {
        CLEANUP(free_p) char *value = basic_value(&r->auth);
        set_authorization(r, "Basic", value);
        submit(r);
    } else if (r->step == STEP_PING) {
        fail(r, true, SKL_ERR_UNAUTHORIZED, "unauthorized: authentication required");
    } else {
        fail_denied(r);
    }
    registry_challenge_fini(&ch);
}

/* ---- what came back ---- */
static void advance(struct registry_call *r, enum step to)
{
    r->step = to;
    r->challenged = false;
    r->redirects = 0;
    free(STEAL(r->location));
    submit(r);
}

static bool platform_matches(const struct registry_query *q, struct json_object *entry, bool with_variant)
{
    const char *os = "", *arch = "", *variant = "";

    json_get_string(entry, "platform.os", &os, NULL);
    json_get_string(entry, "platform.architecture", &arch, NULL);
    json_get_string(entry, "platform.variant", &variant, NULL);
    return strcmp(os, q->os) == 0 && strcmp(arch, q->arch) == 0 &&
           (!with_variant || str_empty(q->variant) || strcmp(variant, q->variant) == 0);
}

static const char *pick_platform(const struct registry_query *q, struct json_object *list)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *e = json_object_array_get_idx(list, i);
        const char *digest = NULL;
        if (platform_matches(q, e, true) && json_get_string(e, "digest", &digest, NULL) == JSON_FOUND &&
            is_digest(digest))
            return digest;
    }
    return NULL;
}

static void fail_platform(struct registry_call *r, struct json_object *list)
{
    struct buf have;

    buf_init(&have, 512);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const char *os = "", *arch = "";
        json_get_string(json_object_array_get_idx(list, i), "platform.os", &os, NULL);
        json_get_string(json_object_array_get_idx(list, i), "platform.architecture", &arch, NULL);
        if (strcmp(os, "unknown") != 0)
            buf_printf(&have, "%s%.20s/%.20s", have.len > 0 ? ", " : "", os, arch);
    }
    fail(r, false, SKL_ERR_NOT_FOUND,
         "no matching manifest for %s/%s%s%s in the manifest list entries (it has: %s)", r->q.os, r->q.arch,
         str_empty(r->q.variant) ? "" : "/", r->q.variant, buf_str(&have));
    buf_fini(&have);
}

static int read_layers(struct registry_call *r, struct json_object *manifest)
{
    struct json_object *layers = NULL;
    size_t n;

    if (json_get_array(manifest, "layers", &layers, NULL) != JSON_FOUND)
        return -1;
    n = json_object_array_length(layers);
    if (n > LAYERS_MAX)
        return -1;
    r->layers = xcalloc(n + 1, sizeof(*r->layers));
    for (size_t i = 0; i < n; i++) {
        struct json_object *l = json_object_array_get_idx(layers, i);
        const char *digest = NULL;
        if (json_get_string(l, "digest", &digest, NULL) != JSON_FOUND || !is_digest(digest) ||
            json_get_i64_range(l, "size", 0, INT64_MAX, &r->layers[i].size, NULL) < 0)
            return -1;
        memcpy(r->layers[i].digest, digest, REGISTRY_DIGEST_SIZE);
    }
    r->n_layers = n;
    return 0;
}

static void on_image_manifest(struct registry_call *r, struct json_object *manifest)
{
    const char *digest = NULL;

    if (json_get_string(manifest, "config.digest", &digest, NULL) != JSON_FOUND || !is_digest(digest) ||
        read_layers(r, manifest) < 0) {
        fail(r, true, SKL_ERR_BAD_GATEWAY, "%s is no image that can be run: unsupported manifest media type \"%s\"",
             r->q.display, r->media_type);
        return;
    }
    memcpy(r->config_digest, digest, sizeof(r->config_digest));
    advance(r, STEP_CONFIG);
}

static void on_top_manifest(struct registry_call *r, const struct http_result *res, struct json_object *manifest)
{
    struct json_object *list = NULL;
    const char *digest;

    digest_of(res->body, res->body_len, r->digest);
    r->manifest_size = (int64_t)res->body_len;
    r->top = json_object_get(manifest);
    if (is_digest(r->q.reference) && strcmp(r->q.reference, r->digest) != 0) {
        fail(r, true, SKL_ERR_BAD_GATEWAY, "the registry's manifest does not have the digest %s", r->q.reference);
        return;
    }
    if (r->q.describe_only) {
        finish(r, NULL, NULL, 0);
        return;
    }
    memcpy(r->image_digest, r->digest, sizeof(r->digest));
    if (json_get_array(manifest, "manifests", &list, NULL) != JSON_FOUND) {
        on_image_manifest(r, manifest);
        return;
    }
    digest = pick_platform(&r->q, list);
    if (digest == NULL) {
        fail_platform(r, list);
        return;
    }
    memcpy(r->image_digest, digest, sizeof(r->image_digest));
    advance(r, STEP_CHILD);
}

static void on_manifest(struct registry_call *r, const struct http_result *res)
{
    JSON_CLEANUP struct json_object *manifest = NULL;
    char digest[REGISTRY_DIGEST_SIZE];
    const char *ctype = http_call_header(r->call, "Content-Type");
    size_t n = ctype != NULL ? strcspn(ctype, "; ") : 0;

    if (r->step == STEP_MANIFEST) {
        free(r->media_type);
        r->media_type = xstrndup(ctype != NULL ? ctype : "", n);
    }
    r->call = NULL;
    manifest = json_parse_object(res->body, res->body_len, REGISTRY_MANIFEST_MAX, NULL);
    if (manifest == NULL) {
        fail(r, true, SKL_ERR_BAD_GATEWAY, "the registry's manifest of %s is not JSON", r->q.display);
    } else if (r->step == STEP_MANIFEST) {
        on_top_manifest(r, res, manifest);
    } else {
        digest_of(res->body, res->body_len, digest);
        if (strcmp(digest, r->image_digest) == 0)
            on_image_manifest(r, manifest);
        else
            fail(r, false, SKL_ERR_BAD_GATEWAY, "the registry's manifest does not have the digest %s", r->image_digest);
    }
}

static void on_config(struct registry_call *r, const struct http_result *res)
{
    char digest[REGISTRY_DIGEST_SIZE];

    r->call = NULL;
    digest_of(res->body, res->body_len, digest);
    if (strcmp(digest, r->config_digest) != 0)
        fail(r, false, SKL_ERR_BAD_GATEWAY, "the image's configuration does not have the digest %s", r->config_digest);
    else
        finish(r, NULL, res->body, res->body_len);
}

static void on_redirect(struct registry_call *r, const char *location)
{
    r->call = NULL;
    if (location == NULL || ++r->redirects > REGISTRY_REDIRECTS_MAX) {
        fail(r, true, SKL_ERR_BAD_GATEWAY, "the registry redirects without end");
        return;
    }
    free(r->location);
    r->location = location[0] == '/' ? xasprintf("%s%s", r->endpoints[r->at].base, location) : xstrdup(location);
    submit(r);
}

static void on_bad_status(struct registry_call *r, const struct http_result *res)
{
    JSON_CLEANUP struct json_object *body = json_parse_object(res->body, res->body_len, REGISTRY_MANIFEST_MAX, NULL);
    struct json_object *errors = NULL;
    const char *code = "", *message = "";

    if (json_get_array(body, "errors", &errors, NULL) == JSON_FOUND && json_object_array_length(errors) > 0) {
        json_get_string(json_object_array_get_idx(errors, 0), "code", &code, NULL);
        json_get_string(json_object_array_get_idx(errors, 0), "message", &message, NULL);
    }
    if (res->status == 404 && strcmp(code, "NAME_UNKNOWN") != 0)
        fail(r, true, SKL_ERR_NOT_FOUND, "manifest for %s not found: manifest unknown: %.200s", r->q.display,
             message[0] != '\0' ? message : "manifest unknown");
    else if (res->status == 404 || res->status == 403)
        fail_denied(r);
    else if (res->status == 429)
        fail(r, true, SKL_ERR_EXHAUSTED, "toomanyrequests: %.300s", message);
    else
        fail(r, true, SKL_ERR_BAD_GATEWAY, "received unexpected HTTP status: %d %.300s", res->status, message);
}

static void on_done(void *arg, const struct http_result *res)
{
    struct registry_call *r = arg;
    struct http_call *call = r->call;

    if (res->error != NULL || res->truncated) {
        r->call = NULL;
        fail(r, true, SKL_ERR_BAD_GATEWAY, "%s: %s", r->endpoints[r->at].base,
             res->error != NULL ? res->error->message : "the answer is too long");
    } else if (res->status == 401) {
        CLEANUP(free_p) char *header = xstrdup(http_call_header(call, "WWW-Authenticate"));
        r->call = NULL;
        on_challenge(r, header);
    } else if (res->status >= 300 && res->status < 400) {
        on_redirect(r, http_call_header(call, "Location"));
    } else if (res->status != 200) {
        r->call = NULL;
        on_bad_status(r, res);
    } else if (r->step == STEP_PING) {
        r->call = NULL;
        finish(r, NULL, NULL, 0);
    } else if (r->step == STEP_CONFIG) {
        on_config(r, res);
    } else {
        on_manifest(r, res);
    }
}

/* ---- requests ---- */
static char *url_of(const struct registry_call *r)
{
    const char *base = r->endpoints[r->at].base;

    if (r->location != NULL)
        return xstrdup(r->location);
    if (r->step == STEP_PING)
        return xasprintf("%s/v2/", base);
    if (r->step == STEP_CONFIG)
        return xasprintf("%s/v2/%s/blobs/%s", base, r->q.path, r->config_digest);
    return xasprintf("%s/v2/%s/manifests/%s", base, r->q.path,
                     r->step == STEP_CHILD ? r->image_digest : r->q.reference);
}

static void submit(struct registry_call *r)
{
    const struct endpoint *e = &r->endpoints[r->at];
    CLEANUP(free_p) char *url = url_of(r);
    const char *headers[3] = {ACCEPT, NULL, NULL};
    struct http_call_spec spec = {
        .method = "GET",
        .url = url,
        .headers = headers,
        .max_body = r->step == STEP_CONFIG ? REGISTRY_CONFIG_MAX : REGISTRY_MANIFEST_MAX,
        .timeout_ns = REGISTRY_TIMEOUT_NS,
        .idempotent = true,
        .insecure_tls = e->insecure,
        .on_done = on_done,
        .arg = r,
    };
    struct skl_error err = {0};
    size_t n = strlen(e->base);

    if (strncmp(url, e->base, n) == 0 && (url[n] == '/' || url[n] == '\0'))
        headers[1] = r->authorization; /* NULL: none */
    r->call = http_client_submit(r->q.http, &spec, &err);
    if (r->call == NULL)
        fail(r, true, SKL_ERR_BAD_GATEWAY, "%s", err.message);
}

static void begin(void *arg)
{
    submit(arg);
}

static void copy_texts(struct registry_call *r, const struct registry_query *q)
{
    const char **to[N_TEXTS] = {&r->q.domain, &r->q.path, &r->q.reference, &r->q.display,
                                &r->q.os,     &r->q.arch, &r->q.variant};
    const char *from[N_TEXTS] = {q->domain, q->path, q->reference, q->display, q->os, q->arch, q->variant};

    for (size_t i = 0; i < N_TEXTS; i++)
        *to[i] = r->texts[i] = xstrdup(from[i] != NULL ? from[i] : "");
}

static struct registry_call *start(const struct registry_query *q, enum step step,
                                   void (*done)(void *, const struct skl_error *, const struct registry_result *),
                                   void *arg)
{
    struct registry_call *r = xcalloc(1, sizeof(*r));

    r->q = *q;
    copy_texts(r, q);
    if (q->auth != NULL) {
        r->auth.username = xstrdup(q->auth->username);
        r->auth.password = xstrdup(q->auth->password);
        r->auth.identity_token = xstrdup(q->auth->identity_token);
        r->auth.registry_token = xstrdup(q->auth->registry_token);
    }
    r->step = step;
    r->done = done;
    r->arg = arg;
    list_endpoints(r, q);
    soon_init(&r->begin, begin, r); /* a failure of the first submit must not come from inside here */
    loop_soon(q->loop, &r->begin);
    return r;
}

struct registry_call *registry_resolve(const struct registry_query *q,
                                       void (*done)(void *, const struct skl_error *, const struct registry_result *),
                                       void *arg)
{
    return start(q, STEP_MANIFEST, done, arg);
}

struct registry_call *registry_check_auth(const struct registry_query *q,
                                          void (*done)(void *, const struct skl_error *,
                                                       const struct registry_result *),
                                          void *arg)
{
    return start(q, STEP_PING, done, arg);
}

/* The HTTP call still completes: into nothing. */
static void on_done_canceled(void *arg, const struct skl_error *err, const struct registry_result *res)
{
    (void)arg;
    (void)err;
    (void)res;
}

void registry_cancel(struct registry_call *r)
{
    r->done = on_done_canceled;
    r->at = r->n_endpoints - 1; /* no further tries */
    if (r->call != NULL) {
        http_call_cancel(r->call);
        return;
    }
    soon_cancel(&r->begin);
    free_call(r);
}
