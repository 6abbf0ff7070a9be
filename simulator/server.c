/*
 * simulator/server.c - routing on raw paths, Google's error envelope, the request log.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/auth/auth.h"
#include "simulator/registry/registry.h"
#include "simulator/schema.h"
#include "simulator/service.h"

#define JSON_TYPE "application/json; charset=UTF-8"
#define REPLY_MAX (64u * 1024 * 1024)

static const struct sim_route *const tables[] = {functions_routes, functions_list_routes, operations_routes, logging_routes, run_routes,
                                                 iam_routes, companions_routes, upload_routes, storage_routes, auth_routes, metadata_routes, registry_routes, registry_blob_routes,
                                                 registry_manifest_routes, artifacts_routes};

/* ---- the request log ---- */

void server_log(struct sim *s, const char *rpc, const char *method, const char *path, int status, struct json_object *body)
{
    CLEANUP(free_p) char *shown = target_redacted(path);
    char when[TIME_RFC3339_SIZE];
    struct buf b;

    buf_init(&b, REPLY_MAX);
    buf_printf(&b, "{\"time\":\"%s\",\"rpc\":\"%s\",\"method\":\"%s\",\"path\":", time_format_rfc3339(clock_wall(), when), rpc,
               method);
    buf_json_string(&b, shown, strlen(shown));
    buf_printf(&b, ",\"status\":%d", status);
    if (body != NULL) {
        buf_puts(&b, ",\"body\":");
        (void)json_emit(&b, body);
    }
    buf_puts(&b, "}\n");
    if (fs_write_all(s->request_log, b.data, b.len) < 0)
        log_warn("server", "the request log can't be written: %s", strerror(errno));
    buf_fini(&b);
}

/* ---- answers ---- */

const char *call_param(const struct sim_call *c, const char *name)
{
    const char *v = route_param(&c->match, name);

    return v != NULL ? v : "";
}

void call_end(struct sim_call *c, int status)
{
    server_log(c->sim, c->rpc, http_req_method(c->req), http_req_target(c->req), status, c->body);
    timer_fini(&c->slow);
    route_match_fini(&c->match);
    json_object_put(c->body);
    free(c);
}

void call_json(struct sim_call *c, int status, struct json_object *o)
{
    struct http_req *req = c->req;
    bool lost = c->lost;
    struct buf b;

    buf_init(&b, REPLY_MAX);
    (void)json_emit(&b, o);
    json_object_put(o);
    call_end(c, status);
    if (lost)
        http_res_abort(req);
    else
        http_res_send(req, status, JSON_TYPE, b.data, b.len);
    buf_fini(&b);
}

static struct json_object *error_body(int http, const char *status, const char *message)
{
    struct json_object *o = json_new_object(), *e = json_add_object(o, "error");

    json_add_i64(e, "code", http);
    json_add_string(e, "message", message);
    json_add_string(e, "status", status);
    return o;
}

void call_fail(struct sim_call *c, int http, const char *status, const char *fmt, ...)
{
    va_list ap;
    char *message;

    va_start(ap, fmt);
    message = xvasprintf(fmt, ap);
    va_end(ap);
    call_json(c, http, error_body(http, status, message));
    free(message);
}

void call_error(struct sim_call *c, const struct skl_error *err)
{
    switch (err->kind) {
    case SKL_ERR_INVALID: call_fail(c, 400, "INVALID_ARGUMENT", "%s", err->message); break;
    case SKL_ERR_NOT_FOUND: call_fail(c, 404, "NOT_FOUND", "%s", err->message); break;
    case SKL_ERR_CONFLICT: call_fail(c, 409, "ALREADY_EXISTS", "%s", err->message); break;
    case SKL_ERR_TOO_LARGE: call_fail(c, 413, "INVALID_ARGUMENT", "%s", err->message); break;
    default: call_fail(c, 500, "INTERNAL", "%s", err->message); break;
    }
}

/* With the field, as google.rpc.BadRequest has it. */
void call_violation(struct sim_call *c, const struct schema_violation *bad)
{
    struct json_object *o = error_body(400, "INVALID_ARGUMENT", bad->text), *d = json_new_object(), *v = json_new_object();

    json_add_string(d, "@type", "type.googleapis.com/google.rpc.BadRequest");
    if (bad->field[0] != '\0')
        json_add_string(v, "field", bad->field);
    json_add_string(v, "description", bad->text);
    json_push(json_add_array(d, "fieldViolations"), v);
    json_push(json_add_array(json_member(o, "error"), "details"), d);
    call_json(c, 400, o);
}

static void format_error(struct buf *out, int status, const char *message, void *arg)
{
    struct json_object *o = error_body(status, "INVALID_ARGUMENT", message);

    (void)arg;
    (void)json_emit(out, o);
    json_object_put(o);
}

/* ---- routing ---- */

/* Splits "…/x:verb" patterns: route.h matches segments, the verb is the end of the last one. */
static bool match(const struct sim_route *r, const char *path, struct route_match *ret)
{
    const char *verb = strrchr(r->pattern, ':'), *last = strrchr(path, '/'), *their_verb;
    char pattern[256], cut[4096];

    if (verb == NULL)
        return route_match(r->pattern, path, ret);
    their_verb = last != NULL ? strrchr(last, ':') : NULL;
    if (their_verb == NULL || !str_eq(verb, their_verb) || (size_t)(their_verb - path) >= sizeof(cut))
        return false;
    snprintf(pattern, sizeof(pattern), "%.*s", (int)(verb - r->pattern), r->pattern);
    snprintf(cut, sizeof(cut), "%.*s", (int)(their_verb - path), path);
    if (!route_match(pattern, cut, ret))
        return false;
    for (size_t i = 0; i < ret->n; i++) /* names are borrowed from the pattern */
        ret->names[i] = r->pattern + (ret->names[i] - pattern);
    return true;
}

static const struct sim_route *find_route(const char *method, const char *path, struct route_match *ret)
{
    for (int verbs = 1; verbs >= 0; verbs--) /* "x:verb" is also an x of another pattern */
        for (size_t t = 0; t < ARRAY_LEN(tables); t++)
            for (const struct sim_route *r = tables[t]; r->handler != NULL; r++)
                if (str_eq(r->method, method) && (strchr(r->pattern, ':') != NULL) == (verbs == 1) && match(r, path, ret))
                    return r;
    return NULL;
}

static void on_body(void *arg, const char *data, size_t n, const struct skl_error *err)
{
    struct sim_call *c = arg;
    struct skl_error bad = {0};

    if (err != NULL) {
        call_error(c, err);
        return;
    }
    if (n > 0)
        c->body = json_parse(data, n, SIM_BODY_MAX, JSON_WANT_OBJECT, NULL, &bad);
    else if (!str_eq(http_req_method(c->req), "GET") && !str_eq(http_req_method(c->req), "DELETE"))
        c->body = json_new_object();
    if (n > 0 && c->body == NULL && !str_eq(http_req_method(c->req), "GET")) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Invalid JSON payload received. %s", bad.message);
        return;
    }
    c->route->handler(c);
}

static void go_on(struct sim_call *c)
{
    if (c->route->raw)
        c->route->handler(c);
    else
        http_req_read_all(c->req, SIM_BODY_MAX, on_body, c);
}

static void on_slow(void *arg)
{
    go_on(arg);
}

/* What was asked for with --fault; most of it ends the call here. */
static void strike(struct sim_call *c)
{
    struct fault_hit hit = faults_strike(c->sim->faults, c->rpc);
    struct http_req *req = c->req;

    switch (hit.kind) {
    case FAULT_STATUS:
        if (hit.status == 429) {
            call_fail_quota(c);
            return;
        }
        call_fail(c, hit.status, fault_status_name(hit.status), "%s",
                  hit.status == 503   ? "The service is currently unavailable."
                  : hit.status >= 500 ? "Internal error encountered."
                                      : "The request was refused by a fault that was asked for.");
        return;
    case FAULT_RESET:
        call_end(c, 0);
        http_res_abort(req);
        return;
    case FAULT_SLOW:
        timer_init(c->sim->loop, &c->slow, on_slow, c);
        timer_start(&c->slow, hit.delay);
        return;
    case FAULT_LOST:
        c->lost = true;
        break;
    case FAULT_FAIL:
        c->fail_code = hit.grpc_code;
        break;
    case FAULT_SHORT:
        c->short_page = true;
        c->page_max = hit.size;
        break;
    case FAULT_LATE:
    case FAULT_TWICE:
    case FAULT_NONE:
        break;
    }
    go_on(c);
}

static void on_request(struct http_req *req, void *arg)
{
    struct sim *s = arg;
    struct sim_call *c;

    if (str_starts(http_req_path(req), INVOKE_PREFIX)) {
        invoke_on_request(s, req);
        return;
    }
    c = xcalloc(1, sizeof(*c));
    c->sim = s;
    c->req = req;
    c->rpc = "unknown";
    c->route = find_route(http_req_method(req), http_req_path(req), &c->match);
    if (c->route == NULL) {
        call_fail(c, 404, "NOT_FOUND", "Requested entity was not found.");
        return;
    }
    c->rpc = c->route->rpc;
    if (str_starts(c->rpc, "Registry") ? registry_admits(c) : auth_admits(c))
        strike(c);
}

static int open_log(struct sim *s, struct skl_error *err)
{
    CLEANUP(free_p) char *path = fs_join(s->opts.state_dir, "requests.jsonl");

    s->request_log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return s->request_log < 0 ? error_set_errno(err, SKL_ERR_INTERNAL, errno, "opening %s", path) : 0;
}

int server_start(struct sim *s, struct skl_error *err)
{
    struct http_server_opts opts = {.on_request = on_request, .arg = s, .format_error = format_error};
    const char *colon = strrchr(s->opts.listen, ':');
    CLEANUP(free_p) char *addr = NULL;
    uint64_t port;

    if (colon == NULL || !str_to_u64(colon + 1, 0, 65535, &port))
        return error_set(err, SKL_ERR_INVALID, "--listen %s: not ADDR:PORT", s->opts.listen);
    addr = xstrndup(s->opts.listen, (size_t)(colon - s->opts.listen));
    if (open_log(s, err) < 0)
        return -1;
    s->server = http_server_new(s->loop, &opts);
    return http_server_add_tcp(s->server, addr, (uint16_t)port, NULL, &s->port, err);
}
