/*
 * agent/serve.c - the link's resources: routing, and those with small JSON bodies. README.md has the contract.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "agent/archive.h"
#include "agent/inspect.h"
#include "agent/request.h"
#include "agent/tunnel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#define EXEC_ID_MAX 128

/* ---- small requests: the body is collected, then the handler answers ---- */

static void request_free(struct request *r)
{
    buf_fini(&r->body);
    free(r->path);
    free(r->query);
    free(r->exec_id);
    json_object_put(r->json);
    free(r);
}

void request_error(struct request *r, int status, const struct skl_error *err)
{
    h2_respond_error(r->stream, status, err);
}

void request_fail(struct request *r, int kind, const char *message)
{
    struct skl_error err = {0};

    error_set(&err, kind, "%s", message);
    h2_respond_error(r->stream, 0, &err);
}

void request_json(struct request *r, int status, struct json_object *o)
{
    struct buf b;

    buf_init(&b, AGENT_BODY_MAX);
    if (json_emit(&b, o) < 0)
        request_fail(r, SKL_ERR_TOO_LARGE, "the answer is too long");
    else
        h2_respond_bytes(r->stream, status, "application/json", b.data, b.len);
    buf_fini(&b);
    json_object_put(o);
}

char *request_query(const struct request *r, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = r->query; *p != '\0';) {
        size_t n = strcspn(p, "&");
        if (n > len && strncmp(p, name, len) == 0 && p[len] == '=') {
            struct buf b;
            buf_init(&b, 64 * 1024);
            if (url_decode(&b, p + len + 1, n - len - 1, false) < 0) {
                buf_fini(&b);
                return NULL;
            }
            return buf_steal(&b, NULL);
        }
        p += n;
        p += *p == '&';
    }
    return NULL;
}

bool request_flag(const struct request *r, const char *name)
{
    CLEANUP(free_p) char *v = request_query(r, name);

    return str_docker_bool(v, false);
}

bool request_number(const struct request *r, const char *name, uint64_t *ret)
{
    CLEANUP(free_p) char *v = request_query(r, name);

    *ret = 0;
    return v == NULL || str_to_u64(v, 0, UINT64_MAX / 2, ret);
}

/* ---- GET /hello ---- */

static void handle_hello(struct request *r)
{
    struct agent *a = r->agent;
    struct json_object *o = json_new_object(), *execs;
    struct process *p, *tmp;
    struct utsname u;
    struct sysinfo si;

    json_add_i64(o, "protocol", AGENT_PROTOCOL);
    json_add_string(o, "version", PACKAGE_VERSION);
    json_add_string(o, "container", a->cfg.container != NULL ? a->cfg.container : "");
    json_add_string(o, "boot_id", a->boot_id);
    json_add_u64(o, "link", a->dials);
    json_add_i64(o, "invocation", a->invocation);
    json_add_i64(o, "pid", getpid());
    json_add_bool(o, "terminating", a->terminating);
    if (uname(&u) == 0) {
        json_add_string(o, "hostname", u.nodename);
        json_add_string(o, "kernel", u.release);
    }
    json_add_i64(o, "nproc", sysconf(_SC_NPROCESSORS_ONLN));
    if (sysinfo(&si) == 0)
        json_add_u64(o, "mem_total", (uint64_t)si.totalram * si.mem_unit);
    json_add(o, "process", process_json(a->main));
    execs = json_add_array(o, "execs");
    HASH_ITER(hh, a->execs, p, tmp)
        json_push(execs, process_json(p));
    request_json(r, 200, o);
}

/* ---- starting ---- */

static void start_failed(struct request *r, int code, const struct skl_error *err)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "message", err->message);
    json_add_i64(o, "kind", err->kind);
    json_add_i64(o, "exit_code", code);
    request_json(r, 400, o);
}

static void answer_started(struct request *r, struct process *p)
{
    struct json_object *o;
    char pid[16];
    struct buf cwd;
    const char *headers[] = {"sockerless-pid", pid, "content-type", "application/octet-stream", "sockerless-cwd", NULL, NULL};

    snprintf(pid, sizeof(pid), "%d", (int)p->pid);
    if (request_flag(r, "output")) {
        buf_init(&cwd, 64 * 1024);
        (void)url_encode(&cwd, p->spec.cwd, strlen(p->spec.cwd));
        headers[5] = buf_str(&cwd);
        outlog_read(&p->out, r->stream, 0, headers);
        buf_fini(&cwd);
        r->handed_over = true;
        return;
    }
    o = json_new_object();
    json_add_i64(o, "pid", p->pid);
    request_json(r, 200, o);
}

static void handle_start_main(struct request *r)
{
    struct agent *a = r->agent;
    struct process_spec spec;
    struct skl_error err = {0};
    int code;

    if (a->terminating) {
        request_fail(r, SKL_ERR_UNAVAILABLE, "the instance is being terminated");
        return;
    }
    if (a->main->state != PROCESS_IDLE) {
        request_fail(r, SKL_ERR_CONFLICT, "the main process was started in this run already");
        return;
    }
    if (spec_parse(&spec, &a->cfg, r->json, a->cfg.process, NULL, &code, &err) < 0) {
        start_failed(r, code, &err);
        return;
    }
    if (process_start(a->main, &spec, &code, &err) < 0)
        start_failed(r, code, &err);
    else
        answer_started(r, a->main);
}

static void handle_start_exec(struct request *r)
{
    struct agent *a = r->agent;
    struct process_spec spec;
    struct skl_error err = {0};
    struct process *p;
    int code;

    if (agent_exec(a, r->exec_id) != NULL) {
        request_fail(r, SKL_ERR_CONFLICT, "an exec of that ID exists");
        return;
    }
    if (a->main->state != PROCESS_RUNNING) {
        request_fail(r, SKL_ERR_CONFLICT, "the container is not running");
        return;
    }
    if (a->terminating || agent_execs(a) >= AGENT_EXECS_MAX) {
        request_fail(r, SKL_ERR_UNAVAILABLE, a->terminating ? "the instance is being terminated" : "too many execs");
        return;
    }
    if (spec_parse(&spec, &a->cfg, r->json, NULL, &a->main->spec, &code, &err) < 0) {
        start_failed(r, code, &err);
        return;
    }
    p = process_new(a, r->exec_id);
    if (process_start(p, &spec, &code, &err) < 0) {
        process_free(p);
        start_failed(r, code, &err);
        return;
    }
    HASH_ADD_KEYPTR(hh, a->execs, p->id, strlen(p->id), p);
    answer_started(r, p);
}

/* ---- control ---- */

static void handle_output(struct request *r, struct process *p)
{
    const char *headers[] = {"content-type", "application/octet-stream", NULL};
    uint64_t from;
    struct json_object *o;
    int status;

    if (!request_number(r, "from", &from)) {
        request_fail(r, SKL_ERR_INVALID, "from is not a number");
        return;
    }
    status = outlog_read(&p->out, r->stream, from, headers);
    if (status == 0) {
        r->handed_over = true;
        return;
    }
    o = json_new_object();
    json_add_string(o, "message", status == 410 ? "that output is not kept any more" : "there is no such output yet");
    json_add_i64(o, "kind", status == 410 ? SKL_ERR_NOT_FOUND : SKL_ERR_CONFLICT);
    json_add_u64(o, "output_from", p->out.ring.base);
    json_add_u64(o, "output_length", p->out.ring.end);
    request_json(r, status, o);
}

static void handle_signal(struct request *r, struct process *p)
{
    struct skl_error err = {0};
    int64_t signo = -1;
    bool all = false;

    if (json_get_i64_range(r->json, "signal", 0, 64, &signo, &err) < 0 || json_get_bool(r->json, "all", &all, &err) < 0) {
        request_error(r, 0, &err);
        return;
    }
    if (signo < 0)
        request_fail(r, SKL_ERR_INVALID, "signal is missing");
    else if (process_signal(p, (int)signo, all, &err) < 0)
        request_error(r, 0, &err);
    else
        h2_respond(r->stream, 204, NULL, NULL);
}

static void handle_resize(struct request *r, struct process *p)
{
    struct skl_error err = {0};
    int64_t h = -1, w = -1;

    if (json_get_i64_range(r->json, "h", 0, 65535, &h, &err) < 0 || json_get_i64_range(r->json, "w", 0, 65535, &w, &err) < 0)
        request_error(r, 0, &err);
    else if (h < 0 || w < 0)
        request_fail(r, SKL_ERR_INVALID, "h or w is missing");
    else if (process_resize(p, (unsigned)h, (unsigned)w, &err) < 0)
        request_error(r, 0, &err);
    else
        h2_respond(r->stream, 204, NULL, NULL);
}

static void handle_finish(struct request *r)
{
    if (r->agent->main->state == PROCESS_RUNNING) {
        request_fail(r, SKL_ERR_CONFLICT, "the process is running");
        return;
    }
    h2_respond(r->stream, 204, NULL, NULL);
    invoke_on_finish(r->agent);
}

static void handle_forget(struct request *r, struct process *p)
{
    if (p->state == PROCESS_EXITED) {
        process_free(p);
    } else {
        p->forget = true;
        p->out.discard = true;
    }
    h2_respond(r->stream, 204, NULL, NULL);
}

/* ---- routing ---- */

struct route {
    const char *method;
    const char *name;          /* behind "/process" or "/exec/ID" */
    void (*main)(struct request *r);
    void (*process)(struct request *r, struct process *p);
};

static void handle_get(struct request *r, struct process *p)
{
    request_json(r, 200, process_json(p));
}

static const struct route process_routes[] = {
    {"GET", "", NULL, handle_get},
    {"GET", "/output", NULL, handle_output},
    {"POST", "/signal", NULL, handle_signal},
    {"POST", "/resize", NULL, handle_resize},
};

static void not_found(struct request *r)
{
    request_fail(r, SKL_ERR_NOT_FOUND, "no such resource");
}

static void dispatch_process(struct request *r, struct process *p, const char *rest)
{
    for (size_t i = 0; i < ARRAY_LEN(process_routes); i++)
        if (str_eq(process_routes[i].method, r->method) && str_eq(process_routes[i].name, rest)) {
            process_routes[i].process(r, p);
            return;
        }
    not_found(r);
}

static void dispatch_exec(struct request *r, const char *rest)
{
    struct process *p = agent_exec(r->agent, r->exec_id);

    if (str_eq(r->method, "POST") && rest[0] == '\0')
        handle_start_exec(r);
    else if (p == NULL)
        request_fail(r, SKL_ERR_NOT_FOUND, "no such exec");
    else if (str_eq(r->method, "DELETE") && rest[0] == '\0')
        handle_forget(r, p);
    else
        dispatch_process(r, p, rest);
}

static void dispatch(struct request *r)
{
    bool post = str_eq(r->method, "POST"), get = str_eq(r->method, "GET");

    if (r->exec_id != NULL)
        dispatch_exec(r, r->rest);
    else if (post && str_eq(r->path, "/process"))
        handle_start_main(r);
    else if (post && str_eq(r->path, "/process/finish"))
        handle_finish(r);
    else if (str_starts(r->path, "/process"))
        dispatch_process(r, r->agent->main, r->path + strlen("/process"));
    else if (get && str_eq(r->path, "/hello"))
        handle_hello(r);
    else if (get && str_eq(r->path, "/glob"))
        glob_handle(r);
    else if (get && str_eq(r->path, "/top"))
        inspect_top(r);
    else if (get && str_eq(r->path, "/stats"))
        inspect_stats(r);
    else
        not_found(r);
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct request *r = arg;

    (void)buf_append(&r->body, p, n);
    h2_stream_consume(st, n);
}

static int parse_body(struct request *r, struct skl_error *err)
{
    if (r->body.overflow)
        return error_set(err, SKL_ERR_TOO_LARGE, "the body is longer than %u bytes", AGENT_BODY_MAX);
    if (r->body.len == 0)
        r->json = json_new_object();
    else
        r->json = json_parse_object(buf_str(&r->body), r->body.len, AGENT_BODY_MAX, err);
    return r->json != NULL ? 0 : -1;
}

static void on_end(void *arg, struct h2_stream *st)
{
    struct request *r = arg;
    struct skl_error err = {0};

    (void)st;
    if (r->dispatched)
        return;
    r->dispatched = true;
    if (parse_body(r, &err) < 0)
        request_error(r, 0, &err);
    else
        dispatch(r);
    if (r->handed_over)
        request_free(r);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    (void)st;
    (void)err;
    request_free(arg);
}

static const struct h2_stream_ops small_ops = {.on_data = on_data, .on_end = on_end, .on_close = on_close};

/* ---- requests whose bodies are streams ---- */

static bool handle_input(struct request *r)
{
    struct process *p = r->agent->main;
    uint64_t from;
    CLEANUP(free_p) char *eof = request_query(r, "eof");

    if (!str_eq(r->method, "POST"))
        return false;
    if (r->exec_id != NULL) {
        if (!str_eq(r->rest, "/input"))
            return false;
        p = agent_exec(r->agent, r->exec_id);
        if (p == NULL) {
            request_fail(r, SKL_ERR_NOT_FOUND, "no such exec");
            return true;
        }
    } else if (!str_eq(r->path, "/process/input")) {
        return false;
    }
    if (!request_number(r, "from", &from) || from > p->in.taken) {
        struct json_object *o = json_new_object();
        json_add_string(o, "message", "that is beyond what the process has taken");
        json_add_i64(o, "kind", SKL_ERR_CONFLICT);
        json_add_u64(o, "input_taken", p->in.taken);
        request_json(r, 409, o);
        return true;
    }
    feed_write(&p->in, r->stream, from, eof != NULL && !str_docker_bool(eof, true));
    return true;
}

static bool handle_stream(struct request *r)
{
    return handle_input(r) || archive_handle(r) || tunnel_handle(r) || events_handle(r);
}

/* "/exec/ID/rest" */
static int cut_exec(struct request *r)
{
    const char *id = r->path + strlen("/exec/"), *slash = strchr(id, '/');
    size_t n = slash != NULL ? (size_t)(slash - id) : strlen(id);

    if (!str_starts(r->path, "/exec/"))
        return 0;
    if (n == 0 || n > EXEC_ID_MAX ||
        strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") < n)
        return -1;
    r->exec_id = xstrndup(id, n);
    r->rest = id + n;
    return 0;
}

static void on_request(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    struct session *s = arg;
    struct request *r = xcalloc(1, sizeof(*r));
    size_t n = strcspn(head->path, "?");

    r->agent = s->agent;
    r->stream = st;
    snprintf(r->method, sizeof(r->method), "%s", head->method);
    r->path = xstrndup(head->path, n);
    r->query = xstrdup(head->path[n] == '?' ? head->path + n + 1 : "");
    buf_init(&r->body, AGENT_BODY_MAX);
    if (cut_exec(r) < 0) {
        request_fail(r, SKL_ERR_INVALID, "malformed exec ID");
        request_free(r);
    } else if (handle_stream(r)) {
        request_free(r);
    } else {
        h2_stream_set_ops(st, &small_ops, r);
    }
}

static void session_wake(void *arg)
{
    struct session *s = arg;

    s->on_wake(s->arg);
}

const struct h2_ops serve_ops = {.on_wake = session_wake, .on_request = on_request};
