/*
 * api/api.c - the dispatcher: version prefix, route, body, handler.
 *
 * The route table is grouped by the first path segment ("containers", "images", ...), and an index over the groups is
 * made once, so a request is compared with the patterns of its own resource only. Nothing answers a redirect, and a known
 * path with a wrong method is as unknown as any other (reference 2.1.5, 2.1.12).
 *
 * /_ping has a way of its own at the top: clients send it before everything else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/api.h"
#include <stdlib.h>
#include <string.h>
#include "api/call.h"
#include "api/internal.h"
#include "api/version.h"
#include "base/log.h"
#include "base/mem.h"
#include "json/json.h"

/* On every answer, errors included. The server's own name must read so: `docker stats` takes the system from it. */
const char *const api_default_headers[] = {
    "Api-Version: " API_VERSION_MAX,
    "Docker-Experimental: false",
    "Ostype: linux",
    "Server: Docker/" PACKAGE_VERSION " (linux)",
    NULL,
};

struct route_group {
    const char *name; /* first segment, not terminated */
    size_t len;
    const struct api_route *first;
    size_t n;
};

static size_t first_segment(const char *path, const char **ret)
{
    while (*path == '/')
        path++;
    *ret = path;
    return strcspn(path, "/");
}

static void index_routes(struct api *api)
{
    for (const struct api_route *r = api_routes; r->handler != NULL; r++) {
        struct route_group *g = api->n_groups > 0 ? &api->groups[api->n_groups - 1] : NULL;
        const char *name;
        size_t len = first_segment(r->pattern, &name);

        if (g == NULL || g->len != len || memcmp(g->name, name, len) != 0) {
            api->groups = xrealloc(api->groups, (api->n_groups + 1) * sizeof(*api->groups));
            g = &api->groups[api->n_groups++];
            *g = (struct route_group){.name = name, .len = len, .first = r};
        }
        g->n++;
    }
}

struct api *api_new(const struct api_opts *opts)
{
    struct api *api = xcalloc(1, sizeof(*api));

    api->opts = *opts;
    index_routes(api);
    api_modules_init(api);
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    api_modules_fini(api);
    free(api->groups);
    free(api);
}

static const struct api_route *find_in_group(const struct route_group *g, const char *method, int version,
                                             const char *path, struct route_match *m)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct api_route *r = &g->first[i];
        if (strcmp(r->method, method) == 0 && version >= r->since && route_match(r->pattern, path, m))
            return r;
    }
    return NULL;
}

static const struct api_route *find_route(const struct api *api, const char *method, int version, const char *path,
                                          struct route_match *m)
{
    const char *name;
    size_t len = first_segment(path, &name);

    for (size_t i = 0; i < api->n_groups; i++) {
        const struct route_group *g = &api->groups[i];
        if (g->len == len && memcmp(g->name, name, len) == 0)
            return find_in_group(g, method, version, path, m);
    }
    return NULL;
}

static void on_body(void *arg, const char *data, size_t len, const struct skl_error *read_err)
{
    struct api_call *c = arg;
    struct skl_error err = {0};

    if (read_err != NULL) {
        api_reply_error(c, read_err);
        return;
    }
    if (api_check_content_type(c, len, &err) < 0 ||
        ((len > 0 || c->route->body == API_BODY_JSON) && api_parse_body(data, len, &c->body, &err) < 0)) {
        api_reply_error(c, &err);
        return;
    }
    c->route->handler(c);
}

static void begin_body(struct api_call *c)
{
    struct skl_error err = {0};

    /* A wrong type is refused before the body was sent (Expect: 100-continue). */
    if (http_req_has_body(c->req) && api_check_content_type(c, 1, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    http_req_read_all(c->req, API_JSON_BODY_MAX, on_body, c);
}

static void on_dropped(void *arg, const char *data, size_t len, const struct skl_error *err)
{
    struct api_call *c = arg;

    (void)data;
    (void)len;
    if (err != NULL)
        api_reply_error(c, err);
    else
        c->route->handler(c);
}

/* A chunked body is the stream itself, and its end may never come. */
static void drop_body(struct api_call *c)
{
    if (http_req_content_length(c->req) > 0)
        http_req_read_all(c->req, API_JSON_BODY_MAX, on_dropped, c);
    else
        c->route->handler(c);
}

static void reply_plain(struct http_req *req, int status, const char *text)
{
    http_res_send(req, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void reply_version_error(struct api_call *c, const struct skl_error *err, bool plain)
{
    if (!plain) {
        api_reply_error(c, err);
        return;
    }
    reply_plain(c->req, 400, err->message);
    api_call_free(c);
}

static void dispatch(struct api *api, struct http_req *req)
{
    struct api_call *c = xcalloc(1, sizeof(*c));
    struct skl_error err = {0};
    const char *path;
    int old;

    c->req = req;
    c->api = api;
    if (version_split(http_req_path(req), &path, &c->version, &old, &err) < 0) {
        reply_version_error(c, &err, old);
        return;
    }
    c->route = find_route(api, http_req_method(req), c->version, path, &c->match);
    if (c->route == NULL)
        api_reply_fail(c, SKL_ERR_NOT_FOUND, "page not found");
    else if (c->route->body == API_BODY_JSON || c->route->body == API_BODY_OPTIONAL)
        begin_body(c);
    else if (c->route->body == API_BODY_DROP)
        drop_body(c);
    else
        c->route->handler(c);
}

void api_on_request(struct http_req *req, void *arg)
{
    struct api *api = arg;

    if (strcmp(http_req_path(req), "/_ping") == 0 && api_ping(req))
        return;
    if (strcmp(http_req_method(req), "OPTIONS") == 0) {
        http_res_send(req, 200, NULL, NULL, 0);
        return;
    }
    dispatch(api, req);
}
