/*
 * plugin/http.c - HTTP for drivers, on the daemon's client.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "loop/http_client.h"
#include "plugin/internal.h"

#define HTTP_HEADERS_MAX 128
#define HTTP_DEFAULT_MAX ((size_t)4 * 1024 * 1024)

struct plugin_http {
    struct list link;
    struct plugin *p;
    void *handle;
    struct http_call *call;    /* NULL: it never began (no client in this mode) */
    struct soon soon;          /* then the failure comes from here */
    struct skl_error err;
    void (*done)(void *arg, const struct skl_http_response *res);
    void *arg;
};

static const char *response_header(const struct skl_http_response *res, const char *name)
{
    const struct plugin_http *r = res->priv;

    return r->call != NULL && name != NULL ? http_call_header(r->call, name) : NULL;
}

static void request_end(struct plugin_http *r, const struct http_result *res, const struct skl_error *err)
{
    struct skl_http_response out = {
        .size = sizeof out,
        .status = res != NULL ? res->status : 0,
        .body = res != NULL && res->body != NULL ? res->body : "",
        .body_len = res != NULL ? res->body_len : 0,
        .request_sent = res != NULL && res->request_sent,
        .truncated = res != NULL && res->truncated,
        .error = err,
        .header = response_header,
        .priv = r,
    };

    list_remove(&r->link);
    handle_drop(&r->p->handles, r->handle);
    r->done(r->arg, &out);
    soon_cancel(&r->soon);
    free(r);
}

static void on_done(void *arg, const struct http_result *res)
{
    request_end(arg, res, res->error);
}

static void on_soon(void *arg)
{
    struct plugin_http *r = arg;

    request_end(r, NULL, &r->err);
}

/* "Name: value" lines, NULL-terminated, one block. A header that could smuggle another one is a driver's fault. */
static char **header_lines(struct plugin *p, const struct skl_http_header *h, struct skl_error *err)
{
    char **lines = xcalloc(HTTP_HEADERS_MAX + 1, sizeof *lines);

    for (size_t i = 0; h != NULL && h[i].name != NULL; i++) {
        const char *value = h[i].value != NULL ? h[i].value : "";
        if (i == HTTP_HEADERS_MAX || strpbrk(h[i].name, "\r\n: ") != NULL || strpbrk(value, "\r\n") != NULL) {
            plugin_fault(p, "a malformed request header");
            error_set(err, SKL_ERR_INVALID, "malformed request header");
            for (size_t k = 0; k < i; k++)
                free(lines[k]);
            free(lines);
            return NULL;
        }
        /* curl's own way to say "empty, but there" */
        lines[i] = value[0] != '\0' ? xasprintf("%s: %s", h[i].name, value) : xasprintf("%s;", h[i].name);
    }
    return lines;
}

static void free_lines(char **lines)
{
    for (size_t i = 0; lines[i] != NULL; i++) {
        mem_wipe(lines[i], strlen(lines[i])); /* Authorization */
        free(lines[i]);
    }
    free(lines);
}

static int submit(struct plugin_http *r, const struct skl_http_request *req, struct skl_error *err)
{
    char **lines = header_lines(r->p, req->headers, err);
    struct http_call_spec spec = {
        .method = req->method,
        .url = req->url,
        .body = req->body,
        .body_len = req->body_len,
        .max_body = req->max_response > 0 ? req->max_response : HTTP_DEFAULT_MAX,
        .timeout_ns = req->timeout_ns,
        .connect_timeout_ns = req->connect_timeout_ns,
        .idempotent = (req->flags & SKL_HTTP_IDEMPOTENT) != 0,
        .fresh_connection = (req->flags & SKL_HTTP_FRESH) != 0,
        .on_done = on_done,
        .arg = r,
    };

    if (lines == NULL)
        return -1;
    spec.headers = (const char *const *)lines;
    r->call = http_client_submit(r->p->host->http, &spec, err);
    free_lines(lines);
    return r->call != NULL ? 0 : -1;
}

struct skl_http *service_http_submit(void *ctx, const struct skl_http_request *in,
                                     void (*done)(void *arg, const struct skl_http_response *res), void *arg,
                                     struct skl_error *err)
{
    struct plugin *p = ctx;
    struct skl_http_request req;
    struct plugin_http *r;

    if (!plugin_on_loop(p, "http_submit")) {
        error_set(err, SKL_ERR_INTERNAL, "not on the loop's thread");
        return NULL;
    }
    if (take_struct(&req, sizeof req, in, TAKE_MIN(struct skl_http_request, connect_timeout_ns)) < 0 ||
        str_empty(req.method) || str_empty(req.url) || done == NULL) {
        plugin_fault(p, "http_submit with a malformed request");
        error_set(err, SKL_ERR_INVALID, "malformed request");
        return NULL;
    }
    r = xcalloc(1, sizeof *r);
    r->p = p;
    r->done = done;
    r->arg = arg;
    list_init(&r->link);
    soon_init(&r->soon, on_soon, r);
    r->handle = handle_new(&p->handles, HANDLE_HTTP, r, "an HTTP request");
    if (r->handle == NULL) {
        error_set(err, SKL_ERR_UNAVAILABLE, "too many requests at once");
        free(r);
        return NULL;
    }
    if (p->host->http == NULL) {
        error_set(&r->err, SKL_ERR_UNAVAILABLE, "no request is sent in this mode");
        loop_soon(p->loop, &r->soon);
    } else if (submit(r, &req, err) < 0) {
        handle_drop(&p->handles, r->handle);
        free(r);
        return NULL;
    }
    list_push_back(&p->requests, &r->link);
    return r->handle;
}

void service_http_cancel(void *ctx, struct skl_http *handle)
{
    struct plugin *p = ctx;
    struct plugin_http *r;

    if (handle == NULL || !plugin_on_loop(p, "http_cancel"))
        return;
    r = handle_get(&p->handles, HANDLE_HTTP, handle);
    if (r == NULL)
        plugin_fault(p, "http_cancel for a request that is gone");
    else if (r->call != NULL)
        http_call_cancel(r->call);
}

/* Before close(): each request's done is called, with CANCELED. The client's own completion comes to nobody. */
void http_requests_close(struct plugin *p)
{
    LIST_FOREACH_SAFE(node, next, &p->requests)
    {
        struct plugin_http *r = LIST_ENTRY(node, struct plugin_http, link);
        struct http_call *call = r->call;
        struct skl_error err = {0};
        error_set(&err, SKL_ERR_CANCELED, "the daemon is shutting down");
        if (call != NULL)
            http_call_forget(call);
        r->call = NULL;
        request_end(r, NULL, &err);
    }
}
