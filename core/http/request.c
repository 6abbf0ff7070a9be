/*
 * http/request.c - a request: its memory, and what handlers ask of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/str.h"
#include "http/http-internal.h"

#define QUERY_PARAMS_MAX 1024
#define QUERY_VALUE_MAX HTTP_HEAD_MAX

struct http_req *req_new(struct http_conn *c, const char *head, size_t n, const struct http_guard *g)
{
    struct http_req *req = xcalloc(1, sizeof(*req) + g->n_fields * sizeof(struct http_field) + n + 1);
    char *q;

    req->conn = c;
    req->block = (char *)(req->fields + g->n_fields);
    memcpy(req->block, head, n);
    req->head.fields = req->fields;
    req->head.max_fields = g->n_fields;
    req->expect = g->expect;
    req->http10 = g->http10;
    buf_init(&req->headers, HTTP_HEAD_MAX);
    if (http_parse_head(&req->head, req->block, n) < 0) {
        int status = req->head.status;
        const char *why = req->head.why;
        free(req);
        req_refuse(c, status, why);
        return NULL;
    }
    /* The path ends where the query begins; the target stays whole, so the path is a copy when there is one. */
    q = strchr(req->head.target, '?');
    req->query = q != NULL ? q + 1 : "";
    req->path = q != NULL ? xstrndup(req->head.target, (size_t)(q - req->head.target)) : req->head.target;
    return req;
}

void req_free(struct http_req *req)
{
    if (req->path != req->head.target)
        free(req->path);
    for (size_t i = 0; i < req->n_params; i++) {
        free(req->params[i].name);
        free(req->params[i].value);
    }
    free(req->params);
    read_all_free(req->all);
    free(req->body_error);
    buf_fini(&req->headers);
    free(req);
}

const char *http_req_method(const struct http_req *req) { return req->head.method; }
const char *http_req_target(const struct http_req *req) { return req->head.target; }
const char *http_req_path(const struct http_req *req) { return req->path; }
const char *http_req_query_raw(const struct http_req *req) { return req->query; }
bool http_req_is_http10(const struct http_req *req) { return req->http10; }
struct loop *http_req_loop(const struct http_req *req) { return req->conn->server->loop; }
struct http_server *http_req_server(const struct http_req *req) { return req->conn->server; }
void http_req_set_user(struct http_req *req, void *user) { req->user = user; }
void *http_req_user(const struct http_req *req) { return req->user; }

static char *decode(const char *p, size_t n)
{
    struct buf b;

    buf_init(&b, QUERY_VALUE_MAX);
    /* The guard has refused malformed escapes. */
    if (url_decode(&b, p, n, true) < 0) {
        buf_fini(&b);
        return xstrndup(p, n);
    }
    return buf_steal(&b, NULL);
}

static void parse_query(struct http_req *req)
{
    const char *p = req->query;

    req->params_parsed = true;
    while (*p != '\0' && req->n_params < QUERY_PARAMS_MAX) {
        size_t n = strcspn(p, "&"), name = strcspn(p, "=&");
        if (n > 0) {
            req->params = xrealloc(req->params, (req->n_params + 1) * sizeof(*req->params));
            req->params[req->n_params].name = decode(p, name);
            req->params[req->n_params++].value = name < n ? decode(p + name + 1, n - name - 1) : xstrdup("");
        }
        p += n;
        p += *p == '&';
    }
}

const char *http_req_query_nth(struct http_req *req, const char *name, size_t nth)
{
    if (!req->params_parsed)
        parse_query(req);
    for (size_t i = 0; i < req->n_params; i++)
        if (strcmp(req->params[i].name, name) == 0 && nth-- == 0)
            return req->params[i].value;
    return NULL;
}

const char *http_req_query(struct http_req *req, const char *name)
{
    return http_req_query_nth(req, name, 0);
}

const char *http_req_header(const struct http_req *req, const char *name)
{
    for (size_t i = 0; i < req->head.n_fields; i++)
        if (strcasecmp(req->fields[i].name, name) == 0)
            return req->fields[i].value;
    return NULL;
}

bool http_req_header_at(const struct http_req *req, size_t i, const char **ret_name, const char **ret_value)
{
    if (i >= req->head.n_fields)
        return false;
    *ret_name = req->fields[i].name;
    *ret_value = req->fields[i].value;
    return true;
}

bool http_req_wants_upgrade(const struct http_req *req)
{
    return http_req_header(req, "Upgrade") != NULL;
}

bool http_req_has_body(const struct http_req *req)
{
    return req->head.chunked || req->head.content_length > 0;
}

int64_t http_req_content_length(const struct http_req *req)
{
    return req->head.chunked ? -1 : req->head.content_length;
}

void http_req_on_gone(struct http_req *req, void (*fn)(void *arg), void *arg)
{
    bool rdhup;

    req->on_gone = fn;
    req->on_gone_arg = arg;
    if (fn == NULL)
        return;
    /* It may have left before anybody asked. */
    if (!req->conn->closed && sock_hung_up(req->conn, &rdhup))
        conn_close(req->conn);
    else if (!req->conn->closed && rdhup && !req->conn->is_unix)
        req->conn->left = true;
    if (req->conn->closed || req->conn->left)
        conn_schedule(req->conn);
}

bool http_req_gone(const struct http_req *req)
{
    return req->conn->closed || req->conn->left;
}
