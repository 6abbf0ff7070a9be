/*
 * simulator/registry/api.c - what all of the registry's calls share; the base, tags, and who is let in.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/auth/auth.h"
#include "simulator/registry/registry.h"

#define API_VERSION "Docker-Distribution-API-Version"

void registry_fail(struct sim_call *c, int status, const char *code, const char *fmt, ...)
{
    struct json_object *o = json_new_object(), *e = json_new_object();
    va_list ap;
    char *message;

    va_start(ap, fmt);
    message = xvasprintf(fmt, ap);
    va_end(ap);
    json_add_string(e, "code", code);
    json_add_string(e, "message", message);
    json_push(json_add_array(o, "errors"), e);
    http_res_header(c->req, API_VERSION, "registry/2.0");
    call_json(c, status, o);
    free(message);
}

void registry_end(struct sim_call *c, int status)
{
    struct http_req *req = c->req;

    http_res_header(req, API_VERSION, "registry/2.0");
    call_end(c, status);
    http_res_send(req, status, NULL, "", 0);
}

const char *registry_repo(struct sim_call *c)
{
    const char *name = call_param(c, "name");

    if (registry_legal_name(name))
        return name;
    registry_fail(c, 400, "NAME_INVALID", "invalid repository name");
    return NULL;
}

static void handle_base(struct sim_call *c)
{
    http_res_header(c->req, API_VERSION, "registry/2.0");
    call_json(c, 200, json_new_object());
}

static void handle_tags(struct sim_call *c)
{
    const char *n = http_req_query(c->req, "n"), *last = http_req_query(c->req, "last"), *repo = registry_repo(c);
    uint64_t max = REGISTRY_PAGE_MAX;
    struct json_object *o, *list, *all;
    size_t i = 0, count;

    if (repo == NULL)
        return;
    if (!registry_repo_exists(c->sim, repo)) {
        registry_fail(c, 404, "NAME_UNKNOWN", "repository name not known to registry");
        return;
    }
    if (n != NULL && !str_to_u64(n, 0, REGISTRY_PAGE_MAX, &max)) {
        registry_fail(c, 400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested");
        return;
    }
    all = registry_list(c->sim, "tags", repo);
    count = json_object_array_length(all);
    o = json_new_object();
    json_add_string(o, "name", repo);
    list = json_add_array(o, "tags");
    while (last != NULL && i < count && strcmp(json_object_get_string(json_object_array_get_idx(all, i)), last) <= 0)
        i++;
    for (; i < count && json_object_array_length(list) < max; i++)
        json_push(list, json_object_get(json_object_array_get_idx(all, i)));
    if (i < count && max > 0)
        http_res_header(c->req, "Link", "</v2/%s/tags/list?last=%s&n=%llu>; rel=\"next\"", repo,
                        json_object_get_string(json_object_array_get_idx(all, i - 1)), (unsigned long long)max);
    json_object_put(all);
    call_json(c, 200, o);
}

/* ---- who is let in ---- */

/* Basic oauth2accesstoken:TOKEN, as docker and skopeo log in to Google's registries. Caller frees; NULL: none. */
static char *basic_token(struct http_req *req)
{
    const char *h = http_req_header(req, "Authorization");
    char *token = NULL;
    struct buf b;

    buf_init(&b, 16 * 1024);
    if (h != NULL && strncasecmp(h, "Basic ", 6) == 0 && base64_decode(&b, h + 6, strlen(h + 6)) == 0 && str_starts(buf_str(&b), "oauth2accesstoken:"))
        token = xstrdup(buf_str(&b) + strlen("oauth2accesstoken:"));
    if (b.data != NULL)
        mem_wipe(b.data, b.len);
    buf_fini(&b);
    return token;
}

bool registry_admits(struct sim_call *c)
{
    CLEANUP(free_p) char *basic = basic_token(c->req);
    const char *name = basic != NULL ? basic : auth_bearer(c->req), *host = http_req_header(c->req, "Host");

    if (!c->sim->opts.require_auth || (name != NULL && token_find(c->sim, name) != NULL) || str_eq(c->rpc, "RegistryToken"))
        return true;
    http_res_header(c->req, "WWW-Authenticate", "Bearer realm=\"http://%s/v2/token\",service=\"%s\"", host != NULL ? host : "", host != NULL ? host : "");
    registry_fail(c, 401, "UNAUTHORIZED", "authentication failed");
    return false;
}

/* The token service: an access token for an access token. */
static void handle_token(struct sim_call *c)
{
    CLEANUP(free_p) char *basic = basic_token(c->req);
    struct json_object *o;

    if (c->sim->opts.require_auth && (basic == NULL || token_find(c->sim, basic) == NULL)) {
        registry_fail(c, 401, "UNAUTHORIZED", "authentication failed");
        return;
    }
    o = json_new_object();
    json_add_string(o, "token", basic != NULL ? basic : "anonymous");
    json_add_i64(o, "expires_in", 3600);
    call_json(c, 200, o);
}

const struct sim_route registry_routes[] = {
    {"GET", "/v2", "RegistryBase", handle_base, true},
    {"GET", "/v2/", "RegistryBase", handle_base, true},
    {"GET", "/v2/token", "RegistryToken", handle_token, true},
    {"GET", "/v2/{name*}/tags/list", "RegistryListTags", handle_tags, true},
    {NULL, NULL, NULL, NULL, false},
};
