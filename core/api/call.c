/*
 * api/call.c - query and body helpers and the reply functions: see call.h. Reference 2.1.13 to 2.1.17, 2.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/call.h"
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include "api/status.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

const char *api_param(const struct api_call *c, const char *name)
{
    const char *v = route_param(&c->match, name);

    return v != NULL ? v : "";
}

const char *api_query(struct api_call *c, const char *name)
{
    return http_req_query(c->req, name);
}

bool api_query_bool(struct api_call *c, const char *name, bool if_absent)
{
    return str_docker_bool(http_req_query(c->req, name), if_absent);
}

int api_query_i64(struct api_call *c, const char *name, int64_t min, int64_t max, int64_t if_absent,
                  int64_t *ret, struct skl_error *err)
{
    const char *v = http_req_query(c->req, name);

    *ret = if_absent;
    if (str_empty(v) || str_to_i64(v, min, max, ret))
        return 0;
    return error_set(err, SKL_ERR_INVALID, "invalid value for query parameter %s: \"%s\"", name, v);
}

int api_query_time(struct api_call *c, const char *name, int64_t *ret_wall, struct skl_error *err)
{
    const char *v = http_req_query(c->req, name);

    *ret_wall = 0;
    if (str_empty(v) || time_parse_docker(v, clock_wall(), ret_wall))
        return 0;
    return error_set(err, SKL_ERR_INVALID, "invalid value for \"%s\": failed to parse value as time: \"%s\"", name, v);
}

static bool is_json_type(const char *ctype)
{
    size_t n = strcspn(ctype, "; \t");

    return n == strlen("application/json") && strncasecmp(ctype, "application/json", n) == 0;
}

int api_check_content_type(struct api_call *c, size_t n, struct skl_error *err)
{
    const char *ctype = http_req_header(c->req, "Content-Type");

    if (n == 0 && (str_empty(ctype) || c->route->body == API_BODY_OPTIONAL))
        return 0; /* command line clients up to 24 send text/plain with no body */
    if (ctype != NULL && is_json_type(ctype))
        return 0;
    return error_set(err, SKL_ERR_INVALID, "unsupported Content-Type header (%s): must be 'application/json'",
                     ctype != NULL ? ctype : "");
}

/* Whether only white space is left after the first JSON value is not told by the parser's error, so look: a text
 * that has a valid object in front is "unexpected content after JSON" in Docker's words. */
int api_parse_body(const char *data, size_t n, struct json_object **ret, struct skl_error *err)
{
    struct skl_error why = {0};
    bool was_null = false;

    if (strspn(data, " \t\r\n") == n)
        return error_set(err, SKL_ERR_INVALID, "invalid JSON: got EOF while reading request body");
    *ret = json_parse(data, n, API_JSON_BODY_MAX, JSON_WANT_OBJECT, &was_null, &why);
    if (*ret != NULL || was_null)
        return 0;
    if (strstr(why.message, "after the") != NULL)
        return error_set(err, SKL_ERR_INVALID, "unexpected content after JSON (%s)", why.message);
    return error_set(err, why.kind == SKL_ERR_TOO_LARGE ? SKL_ERR_TOO_LARGE : SKL_ERR_INVALID, "invalid JSON: %s",
                     why.message);
}

void api_call_free(struct api_call *c)
{
    route_match_fini(&c->match);
    json_put_p(&c->body);
    free_p(&c);
}

void api_reply_error(struct api_call *c, const struct skl_error *err)
{
    int status = api_status_of(err->kind);
    struct buf body;

    if (status == 304) {
        api_reply_empty(c, status);
        return;
    }
    buf_init(&body, 16 * 1024);
    buf_puts(&body, "{\"message\":");
    buf_json_string(&body, err->message, strlen(err->message));
    buf_puts(&body, "}\n");
    http_res_send(c->req, status, "application/json", body.data, body.len);
    buf_fini(&body);
    api_call_free(c);
}

void api_reply_fail(struct api_call *c, int kind, const char *fmt, ...)
{
    struct skl_error err = {0};
    va_list ap;

    va_start(ap, fmt);
    error_vset(&err, kind, fmt, ap);
    va_end(ap);
    api_reply_error(c, &err);
}

void api_reply_json(struct api_call *c, int status, struct buf *body)
{
    buf_putc(body, '\n');
    if (body->overflow) {
        buf_fini(body);
        api_reply_fail(c, SKL_ERR_INTERNAL, "the answer is larger than %u bytes", API_REPLY_MAX);
        return;
    }
    http_res_send(c->req, status, "application/json", body->data, body->len);
    buf_fini(body);
    api_call_free(c);
}

void api_reply_text(struct api_call *c, int status, const char *text)
{
    http_res_send(c->req, status, "text/plain; charset=utf-8", text, strlen(text));
    api_call_free(c);
}

void api_reply_empty(struct api_call *c, int status)
{
    http_res_send(c->req, status, NULL, NULL, 0);
    api_call_free(c);
}
