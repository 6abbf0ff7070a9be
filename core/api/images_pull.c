/*
 * api/images_pull.c - POST /images/create?fromImage=: a synthetic image, or manifest and config from the registry
 * (reference 2.9). Layers are never fetched: functions get them from the cloud's own registry.
 *
 * An error before the first line is an HTTP status; after it, a line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/auth_config.h"
#include "api/internal.h"
#include "api/registry.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

struct pull {
    struct api_call *call;
    struct reference ref;
    struct auth_config auth;
    struct registry_call *registry;
    char *familiar;   /* alpine:latest */
};

static void pull_free(struct pull *p)
{
    reference_fini(&p->ref);
    auth_config_fini(&p->auth);
    free(p->familiar);
    free(p);
}

static void line(struct http_req *req, const char *status, const char *id)
{
    struct buf b;
    struct jw w;

    buf_init(&b, 16 * 1024);
    jw_init(&w, &b);
    jw_object(&w, NULL);
    jw_string(&w, "status", status);
    if (id != NULL)
        jw_string(&w, "id", id);
    jw_object_end(&w);
    buf_puts(&b, "\r\n");
    http_res_write(req, b.data, b.len);
    buf_fini(&b);
}

static void finish(struct pull *p, const struct registry_result *res, bool is_new)
{
    struct http_req *req = p->call->req;
    const char *tag = p->ref.digest != NULL ? p->ref.digest : p->ref.tag;
    CLEANUP(free_p) char *from = xasprintf("Pulling from %s", p->ref.path);
    CLEANUP(free_p) char *status = xasprintf(is_new ? "Status: Downloaded newer image for %s" : "Status: Image is up to date for %s",
                                             p->familiar);

    http_req_on_gone(req, NULL, NULL);
    http_res_begin(req, 200, "application/json", HTTP_RES_CHUNKED, 0);
    line(req, from, tag);
    for (size_t i = 0; res != NULL && i < res->n_layers; i++) {
        char id[13];
        memcpy(id, res->layers[i].digest + strlen("sha256:"), 12);
        id[12] = '\0';
        line(req, is_new ? "Pull complete" : "Already exists", id);
    }
    if (res != NULL) {
        CLEANUP(free_p) char *digest = xasprintf("Digest: %s", res->digest);
        line(req, digest, NULL);
    }
    line(req, status, NULL);
    api_call_free(p->call);
    pull_free(p);
    http_res_end(req);
}

static void fail(struct pull *p, const struct skl_error *err)
{
    http_req_on_gone(p->call->req, NULL, NULL);
    api_reply_error(p->call, err);
    pull_free(p);
}

/* ---- from the registry ---- */

static struct json_object *layers_rootfs(struct json_object *config)
{
    struct json_object *o = json_new_object(), *rootfs = json_member(config, "rootfs");
    struct json_object *ids = rootfs != NULL ? json_member(rootfs, "diff_ids") : NULL;

    json_add_string(o, "Type", "layers");
    json_add(o, "Layers", ids != NULL ? json_object_get(ids) : json_new_array());
    return o;
}

static int add_image(struct pull *p, const struct registry_result *res, bool *ret_new, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *config = json_parse_object(res->config, res->config_len, REGISTRY_CONFIG_MAX, err);
    JSON_CLEANUP struct json_object *rootfs = config != NULL ? layers_rootfs(config) : NULL;
    CLEANUP(free_p) char *ref = reference_full(&p->ref);
    struct image_spec spec;
    struct image *im;
    int64_t size = 0, created = 0;

    if (config == NULL)
        return -1;
    for (size_t i = 0; i < res->n_layers; i++)
        size += res->layers[i].size;
    (void)time_parse_rfc3339(json_string_or(json_member(config, "created"), ""), &created);
    spec = (struct image_spec){
        .id = res->config_digest,
        .ref = ref,
        .digest = res->digest,
        .created = created,
        .size = size,
        .architecture = json_string_or(json_member(config, "architecture"), NULL),
        .os = json_string_or(json_member(config, "os"), NULL),
        .variant = json_string_or(json_member(config, "variant"), NULL),
        .author = json_string_or(json_member(config, "author"), NULL),
        .comment = json_string_or(json_member(config, "comment"), NULL),
        .config = json_member(config, "config"),
        .rootfs = rootfs,
        .history = json_member(config, "history"),
    };
    return image_add(p->call->api->opts.engine, &spec, &im, ret_new, err);
}

static void on_resolved(void *arg, const struct skl_error *err, const struct registry_result *res)
{
    struct pull *p = arg;
    struct skl_error why = {0};
    bool is_new = false;

    p->registry = NULL;
    if (err != NULL)
        fail(p, err);
    else if (add_image(p, res, &is_new, &why) < 0)
        fail(p, &why);
    else
        finish(p, res, is_new);
}

static void on_gone(void *arg)
{
    struct pull *p = arg;

    if (p->registry != NULL)
        registry_cancel(p->registry);
    http_res_abort(p->call->req);
    api_call_free(p->call);
    pull_free(p);
}

static void ask_registry(struct pull *p, const char *platform)
{
    const struct api_opts *o = &p->call->api->opts;
    size_t n = 0;
    char **parts = str_split(str_empty(platform) ? "linux" : platform, '/', &n);
    struct registry_query q = {
        .loop = o->loop,
        .http = o->http,
        .mirrors = o->registry_mirrors,
        .insecure = o->insecure_registries,
        .domain = p->ref.domain,
        .path = p->ref.path,
        .reference = p->ref.digest != NULL ? p->ref.digest : p->ref.tag,
        .display = p->familiar,
        .os = n > 0 ? parts[0] : "linux",
        .arch = n > 1 ? parts[1] : api_architecture(),
        .variant = n > 2 ? parts[2] : "",
        .auth = &p->auth,
    };

    http_req_on_gone(p->call->req, on_gone, p);
    p->registry = registry_resolve(&q, on_resolved, p);
    free(parts);
}

/* ---- the call ---- */

static int parse(struct pull *p, struct skl_error *err)
{
    const char *from = api_query(p->call, "fromImage"), *tag = api_query(p->call, "tag");
    CLEANUP(free_p) char *name = NULL;
    size_t n;

    if (str_empty(from))
        return error_set(err, SKL_ERR_INVALID, "fromImage cannot be empty");
    n = strlen(from);
    name = xstrndup(from, from[n - 1] == ':' ? n - 1 : n); /* "repo:" is the repo */
    if (!str_empty(tag)) {
        char *whole = strchr(tag, ':') != NULL ? xasprintf("%s@%s", name, tag) : xasprintf("%s:%s", name, tag);
        free(name);
        name = whole;
    }
    if (reference_parse(name, &p->ref, err) < 0)
        return -1;
    reference_default_tag(&p->ref);
    p->familiar = reference_familiar(&p->ref);
    /* What can't be decoded is ignored on a pull, as Docker does; but said. */
    if (auth_config_parse_header(http_req_header(p->call->req, "X-Registry-Auth"), &p->auth, err) < 0) {
        log_warn("api", "pull of %s: X-Registry-Auth is ignored: it can't be decoded", p->familiar);
        memset(&p->auth, 0, sizeof(p->auth));
    }
    return 0;
}

bool api_platform_is(const char *platform, const char *arch)
{
    static const char *const also[][2] = {{"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"}};
    const char *name = strchr(platform, '/');
    size_t n = name != NULL ? strcspn(++name, "/") : 0;

    for (size_t i = 0; i < ARRAY_LEN(also); i++)
        if (n == strlen(also[i][0]) && strncmp(name, also[i][0], n) == 0)
            return str_eq(also[i][1], arch);
    return name == NULL || (n == strlen(arch) && strncmp(name, arch, n) == 0);
}

int api_platform_check(const char *platform, struct skl_error *err)
{
    if (str_empty(platform) || str_eq(platform, "linux") || str_starts(platform, "linux/"))
        return 0;
    return error_set(err, SKL_ERR_INVALID, "\"%s\": unknown operating system or architecture: invalid argument", platform);
}

/* Functions run what the daemon itself could; nothing is known of what the image holds. */
static int check_platform(const char *platform, struct skl_error *err)
{
    if (api_platform_check(platform, err) < 0)
        return -1;
    if (str_empty(platform) || api_platform_is(platform, api_architecture()))
        return 0;
    return error_set(err, SKL_ERR_NOT_FOUND, "no matching manifest for %s in the manifest list entries: functions run linux/%s", platform,
                     api_architecture());
}

static void synthesise(struct pull *p)
{
    CLEANUP(free_p) char *ref = reference_full(&p->ref);
    struct image_spec spec = {.ref = ref, .created = clock_wall(), .os = "linux", .architecture = api_architecture()};
    struct skl_error err = {0};
    struct image *im;
    bool is_new = false;

    if (image_add(p->call->api->opts.engine, &spec, &im, &is_new, &err) < 0)
        fail(p, &err);
    else
        finish(p, NULL, is_new);
}

void api_images_create(struct api_call *c)
{
    struct skl_error err = {0};
    struct pull *p;

    if (!str_empty(api_query(c, "fromSrc"))) {
        api_images_import(c);
        return;
    }
    p = xcalloc(1, sizeof(*p));
    p->call = c;
    if (parse(p, &err) < 0)
        fail(p, &err);
    else if (c->api->opts.resolve_registry)
        ask_registry(p, api_query(c, "platform"));
    else if (check_platform(api_query(c, "platform"), &err) < 0)
        fail(p, &err);
    else
        synthesise(p);
}
