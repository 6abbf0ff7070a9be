/*
 * api/auth.c - POST /auth and GET /distribution/{name}/json: the registry is asked, where resolving is on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/auth_config.h"
#include "api/internal.h"
#include "api/registry.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

struct inquiry {
    struct api_call *call;
    struct registry_call *registry;
    struct auth_config auth;
    struct reference ref;
    char *host;
};

static void inquiry_free(struct inquiry *q)
{
    auth_config_fini(&q->auth);
    reference_fini(&q->ref);
    free(q->host);
    free(q);
}

static void on_gone(void *arg)
{
    struct inquiry *q = arg;

    registry_cancel(q->registry);
    http_res_abort(q->call->req);
    api_call_free(q->call);
    inquiry_free(q);
}

static struct registry_query base_query(struct api_call *c)
{
    const struct api_opts *o = &c->api->opts;

    return (struct registry_query){.loop = o->loop, .http = o->http, .insecure = o->insecure_registries, .os = "linux",
                                   .arch = api_architecture(), .variant = ""};
}

/* ---- POST /auth ---- */

static void on_checked(void *arg, const struct skl_error *err, const struct registry_result *res)
{
    struct inquiry *q = arg;
    struct api_call *c = q->call;
    struct buf out;

    (void)res;
    http_req_on_gone(c->req, NULL, NULL);
    inquiry_free(q);
    if (err != NULL) {
        api_reply_error(c, err);
        return;
    }
    buf_init(&out, 256);
    buf_puts(&out, "{\"IdentityToken\":\"\",\"Status\":\"Login Succeeded\"}");
    api_reply_json(c, 200, &out);
}

/* "https://index.docker.io/v1/" and "" are Docker Hub; else the host part. */
static char *registry_host(const char *address)
{
    const char *p = str_empty(address) ? REGISTRY_HUB : address;

    if (str_starts(p, "https://"))
        p += strlen("https://");
    else if (str_starts(p, "http://"))
        p += strlen("http://");
    if (str_starts(p, "index.docker.io"))
        p = REGISTRY_HUB;
    return xstrndup(p, strcspn(p, "/"));
}

void api_auth(struct api_call *c)
{
    struct inquiry *q;
    struct registry_query rq = base_query(c);
    struct skl_error err = {0};

    if (!c->api->opts.resolve_registry) {
        api_reply_fail(c, SKL_ERR_UNIMPLEMENTED,
                       "this daemon asks no registry (images.resolve is \"synthetic\"), so credentials can't be checked");
        return;
    }
    q = xcalloc(1, sizeof(*q));
    q->call = c;
    if (auth_config_parse_json(c->body, &q->auth, &err) < 0) {
        inquiry_free(q);
        api_reply_error(c, &err);
        return;
    }
    q->host = registry_host(q->auth.server_address);
    rq.domain = q->host;
    rq.path = "";
    rq.reference = "";
    rq.display = q->host;
    rq.auth = &q->auth;
    http_req_on_gone(c->req, on_gone, q);
    q->registry = registry_check_auth(&rq, on_checked, q);
}

/* ---- GET /distribution/{name}/json ---- */

static void write_platform(struct jw *w, struct json_object *p)
{
    const char *variant = json_string_or(json_member(p, "variant"), "");

    jw_object(w, NULL);
    jw_string(w, "architecture", json_string_or(json_member(p, "architecture"), ""));
    jw_string(w, "os", json_string_or(json_member(p, "os"), ""));
    if (variant[0] != '\0')
        jw_string(w, "variant", variant);
    jw_object_end(w);
}

static void on_described(void *arg, const struct skl_error *err, const struct registry_result *res)
{
    struct inquiry *q = arg;
    struct api_call *c = q->call;
    struct json_object *list;
    struct buf out;
    struct jw w;

    http_req_on_gone(c->req, NULL, NULL);
    if (err != NULL) {
        api_reply_error(c, err);
        inquiry_free(q);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_object(&w, "Descriptor");
    jw_string(&w, "mediaType", res->media_type);
    jw_string(&w, "digest", res->digest);
    jw_i64(&w, "size", res->manifest_size);
    jw_object_end(&w);
    jw_array(&w, "Platforms");
    list = json_member(res->top, "manifests");
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
        write_platform(&w, json_member(json_object_array_get_idx(list, i), "platform"));
    jw_array_end(&w);
    jw_object_end(&w);
    inquiry_free(q);
    api_reply_json(c, 200, &out);
}

void api_distribution(struct api_call *c)
{
    struct inquiry *q;
    struct registry_query rq = base_query(c);
    struct skl_error err = {0};

    if (!c->api->opts.resolve_registry) {
        api_reply_fail(c, SKL_ERR_UNIMPLEMENTED, "this daemon asks no registry (images.resolve is \"synthetic\")");
        return;
    }
    q = xcalloc(1, sizeof(*q));
    q->call = c;
    if (reference_parse(api_param(c, "name"), &q->ref, &err) < 0 ||
        auth_config_parse_header(http_req_header(c->req, "X-Registry-Auth"), &q->auth, &err) < 0) {
        inquiry_free(q);
        api_reply_error(c, &err);
        return;
    }
    reference_default_tag(&q->ref);
    rq.mirrors = c->api->opts.registry_mirrors;
    rq.domain = q->ref.domain;
    rq.path = q->ref.path;
    rq.reference = q->ref.digest != NULL ? q->ref.digest : q->ref.tag;
    rq.display = api_param(c, "name");
    rq.auth = &q->auth;
    rq.describe_only = true;
    http_req_on_gone(c->req, on_gone, q);
    q->registry = registry_resolve(&rq, on_described, q);
}
