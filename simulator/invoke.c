/*
 * simulator/invoke.c - a function's URL: finds or starts an instance, waits for its port, passes the request on, and the
 * answer back, both as streams.
 *
 * The probe is a TCP connect: an HTTP request would run the user's program. The request itself is sent once; what
 * happened to it is what the caller learns. At the function's timeout the answer is 504 and the process goes on, as on
 * Cloud Run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "loop/http_client.h"
#include "simulator/sim.h"

#define PROBE_NS (INT64_C(1) * 1000000)         /* between two connects at a cold start */
#define PROBES_QUICK 60                         /* at that pace; then it grows to */
#define PROBE_MAX_NS (INT64_C(50) * 1000000)
#define STARTUP_NS (INT64_C(240) * 1000000000)  /* as on Cloud Run */
#define HEADERS_MAX 200
#define NO_LIMIT (UINT64_C(1) << 50)

struct invocation {
    struct sim *sim;
    struct http_req *req;
    struct instance *in;       /* counted in its `active` */
    char id[33];
    char *path;                /* behind the function's own */
    int64_t timeout;
    struct timer probe, deadline;
    int64_t probe_ns, give_up;
    unsigned probes;
    struct io io;
    int fd;                    /* of a probe */
    struct http_call *call;
    /* request body on its way */
    char *piece;
    size_t piece_len, piece_at;
    bool body_ended, body_bad, reading;
    uint64_t body_bytes;
    bool answered;
};

static void inv_free(struct invocation *v)
{
    timer_fini(&v->probe);
    timer_fini(&v->deadline);
    if (v->fd >= 0) {
        io_fini(&v->io);
        close(v->fd);
    }
    free(v->piece);
    free(v->path);
    free(v);
}

/* The instance may be gone since. */
static struct instance *inv_instance(struct invocation *v)
{
    LIST_FOREACH_SAFE(n, tmp, &v->sim->instances) {
        struct instance *in = LIST_ENTRY(n, struct instance, all);
        if (str_eq(in->id, v->id))
            return in;
    }
    return NULL;
}

static void release(struct invocation *v)
{
    struct instance *in = inv_instance(v);

    if (in != NULL && in->active > 0)
        in->active--;
}

static void log_invoke(struct invocation *v, int status)
{
    server_log(v->sim, "Invoke", http_req_method(v->req), http_req_target(v->req), status, NULL);
}

/* Ends the exchange before an answer of the instance began. */
static void inv_fail(struct invocation *v, int status, const char *text)
{
    CLEANUP(free_p) char *html = xasprintf("<html><head><title>Error</title></head><body><h1>Error: %d</h1><h2>%s</h2></body></html>\n",
                                           status, text);
    log_invoke(v, status);
    release(v);
    http_req_on_gone(v->req, NULL, NULL);
    http_res_send(v->req, status, "text/html; charset=UTF-8", html, strlen(html));
    inv_free(v);
}

/* ---- passing on ---- */

static ssize_t read_body(void *arg, char *p, size_t n)
{
    struct invocation *v = arg;
    size_t left = v->piece_len - v->piece_at;

    if (left == 0) {
        free(v->piece);
        v->piece = NULL;
        v->piece_len = v->piece_at = 0;
        if (v->body_ended)
            return 0;
        http_req_read_resume(v->req);
        return HTTP_CALL_PAUSE;
    }
    if (n > left)
        n = left;
    memcpy(p, v->piece + v->piece_at, n);
    v->piece_at += n;
    return (ssize_t)n;
}

static bool on_body(void *arg, const char *p, size_t n)
{
    struct invocation *v = arg;

    v->body_bytes += n;
    if (v->body_bytes > SIM_REQUEST_MAX)
        v->body_bad = true;
    v->piece = xrealloc(v->piece, v->piece_len + n);
    memcpy(v->piece + v->piece_len, p, n);
    v->piece_len += n;
    if (v->call != NULL)
        http_call_resume(v->call);
    if (v->body_bad && v->call != NULL)
        http_call_cancel(v->call);
    return false; /* one piece at a time */
}

static void on_body_end(void *arg, const struct skl_error *err)
{
    struct invocation *v = arg;

    v->body_ended = true;
    v->body_bad |= err != NULL;
    if (v->call != NULL)
        http_call_resume(v->call);
}

static const struct http_body_reader body_reader = {.on_data = on_body, .on_end = on_body_end};

static bool hop_by_hop(const char *name)
{
    static const char *const names[] = {"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Content-Length",
                                        "Upgrade", "TE", "Trailer", "Expect", "Host", "Date"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(names[i], name) == 0)
            return true;
    return false;
}

static void on_head(void *arg, struct http_call *call, int status)
{
    struct invocation *v = arg;
    const char *name, *value, *ctype = NULL;
    const char *length = http_call_header(call, "Content-Length");
    const void *at = NULL;
    uint64_t n = 0;

    if (v->answered || status < 200)
        return;
    v->answered = true;
    while ((at = http_call_next_header(call, at, &name, &value)) != NULL) {
        if (strcasecmp(name, "Content-Type") == 0)
            ctype = value;
        else if (!hop_by_hop(name))
            http_res_header(v->req, name, "%s", value);
    }
    log_invoke(v, status);
    if (length != NULL && str_to_u64(length, 0, INT64_MAX, &n))
        http_res_begin(v->req, status, ctype, HTTP_RES_LENGTH, (int64_t)n);
    else
        http_res_begin(v->req, status, ctype, HTTP_RES_CHUNKED, 0);
}

static bool on_data(void *arg, const char *p, size_t n)
{
    struct invocation *v = arg;

    if (!http_res_writable(v->req))
        return false;
    http_res_write(v->req, p, n);
    return true;
}

static void on_drain(void *arg)
{
    struct invocation *v = arg;

    if (v->call != NULL)
        http_call_resume(v->call);
}

static void on_done(void *arg, const struct http_result *res)
{
    struct invocation *v = arg;

    v->call = NULL;
    if (!v->answered) {
        if (v->body_bad)
            inv_fail(v, 413, "Request too large.");
        else
            inv_fail(v, 503, "The service you requested is not available yet.");
        return;
    }
    release(v);
    http_req_on_gone(v->req, NULL, NULL);
    if (res->error != NULL)
        http_res_abort(v->req);
    else
        http_res_end(v->req);
    inv_free(v);
}

static void on_deadline(void *arg)
{
    struct invocation *v = arg;

    if (v->call != NULL)
        http_call_forget(v->call);
    v->call = NULL;
    if (!v->answered) {
        inv_fail(v, 504, "upstream request timeout");
        return;
    }
    release(v);
    http_req_on_gone(v->req, NULL, NULL);
    http_res_abort(v->req);
    inv_free(v);
}

static void on_gone(void *arg)
{
    struct invocation *v = arg;

    if (v->call != NULL)
        http_call_forget(v->call);
    v->call = NULL;
    if (!v->answered)
        log_invoke(v, 499);
    release(v);
    http_res_abort(v->req);
    inv_free(v);
}

static void forward(struct invocation *v, const struct instance *in)
{
    char ip[INET_ADDRSTRLEN] = "127.0.0.1";
    const char *lines[HEADERS_MAX + 3];
    char *made[HEADERS_MAX + 3];
    CLEANUP(free_p) char *url = NULL;
    struct skl_error err = {0};
    struct http_call_spec spec = {.method = http_req_method(v->req), .on_head = on_head, .on_data = on_data, .on_done = on_done,
                                  .fresh_connection = true, .max_body = 1024, .arg = v};
    const char *name, *value;
    size_t n = 0;

    if (in->net != NULL)
        inet_ntop(AF_INET, &in->net->addr, ip, sizeof(ip));
    url = xasprintf("http://%s:%u%s", ip, in->port, v->path);
    for (size_t i = 0; n < HEADERS_MAX && http_req_header_at(v->req, i, &name, &value); i++)
        if (!hop_by_hop(name) && strcasecmp(name, "Authorization") != 0)
            made[n++] = xasprintf(value[0] != '\0' ? "%s: %s" : "%s;", name, value);
    made[n++] = xasprintf("X-Forwarded-Proto: https");
    made[n++] = xasprintf("Function-Execution-Id: %.12s", v->id);
    memcpy(lines, made, n * sizeof(*lines));
    lines[n] = NULL;
    spec.url = url;
    spec.headers = lines;
    if (http_req_has_body(v->req)) {
        spec.read_body = read_body;
        spec.body_total = http_req_content_length(v->req);
        http_req_read_stream(v->req, &body_reader, v);
    }
    http_res_on_drain(v->req, on_drain, v);
    v->call = http_client_submit(v->sim->http, &spec, &err);
    while (n > 0)
        free(made[--n]);
    if (v->call == NULL)
        inv_fail(v, 500, err.message);
}

/* ---- cold start ---- */

static void probe(void *arg);

static void probe_again(struct invocation *v)
{
    if (loop_now(v->sim->loop) >= v->give_up) {
        inv_fail(v, 503, "The container failed to start and listen on the port defined by the PORT environment variable.");
        return;
    }
    timer_start(&v->probe, v->probe_ns);
    /* Most programs listen within some ten ms; only those that don't are looked at less and less often. */
    if (++v->probes > PROBES_QUICK)
        v->probe_ns = v->probe_ns * 3 / 2 > PROBE_MAX_NS ? PROBE_MAX_NS : v->probe_ns * 3 / 2;
}

static void probe_close(struct invocation *v)
{
    io_fini(&v->io);
    close(v->fd);
    v->fd = -1;
}

static void on_probe(void *arg, unsigned ready)
{
    struct invocation *v = arg;
    struct instance *in = inv_instance(v);
    int e = 0;
    socklen_t len = sizeof(e);

    (void)ready;
    getsockopt(v->fd, SOL_SOCKET, SO_ERROR, &e, &len);
    probe_close(v);
    if (in == NULL) {
        inv_fail(v, 503, "The container exited before it listened on its port.");
    } else if (e != 0) {
        probe_again(v);
    } else {
        if (in->state == INSTANCE_STARTING)
            in->state = INSTANCE_READY;
        forward(v, in);
    }
}

static void probe(void *arg)
{
    struct invocation *v = arg;
    struct instance *in = inv_instance(v);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (in == NULL) {
        inv_fail(v, 503, "The container exited before it listened on its port.");
        return;
    }
    sa.sin_port = htons(in->port);
    if (in->net != NULL)
        sa.sin_addr = in->net->addr;
    v->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (v->fd < 0) {
        probe_again(v);
        return;
    }
    io_init(v->sim->loop, &v->io, v->fd, on_probe, v);
    if (connect(v->fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 || errno == EINPROGRESS) {
        io_want(&v->io, IO_WRITE);
        return;
    }
    probe_close(v);
    probe_again(v);
}

static struct instance *choose(struct function *f, struct skl_error *err)
{
    size_t n = 0;

    LIST_FOREACH_SAFE(node, tmp, &f->instances) {
        struct instance *in = LIST_ENTRY(node, struct instance, link);
        if (in->state == INSTANCE_STOPPING)
            continue;
        n++;
        if (in->active < f->concurrency)
            return in;
    }
    if (n < f->max_instances)
        return instance_start(f, err);
    error_set(err, SKL_ERR_EXHAUSTED, "The request was aborted because there was no available instance.");
    return NULL;
}

static void refuse(struct sim *s, struct http_req *req, int status, const char *text)
{
    server_log(s, "Invoke", http_req_method(req), http_req_target(req), status, NULL);
    http_res_send(req, status, "text/plain; charset=UTF-8", text, strlen(text));
}

void invoke_on_request(struct sim *s, struct http_req *req)
{
    struct route_match m;
    const char *path = http_req_path(req);
    struct function *f = NULL;
    struct skl_error err = {0};
    struct instance *in;
    struct invocation *v;

    struct fault_hit hit = faults_strike(s->faults, "Invoke");

    if (hit.kind == FAULT_STATUS) {
        refuse(s, req, hit.status, "a fault that was asked for\n");
        return;
    }
    if (hit.kind == FAULT_RESET) {
        server_log(s, "Invoke", http_req_method(req), path, 0, NULL);
        http_res_abort(req);
        return;
    }
    if (route_match(INVOKE_PREFIX "{project}/{location}/{function}", path, &m)) {
        f = function_find(s, route_param(&m, "project"), route_param(&m, "location"), route_param(&m, "function"));
        route_match_fini(&m);
    }
    if (f == NULL || f->state != FUNCTION_ACTIVE) {
        refuse(s, req, 404, "Error: Page not found\n");
        return;
    }
    in = choose(f, &err);
    if (in == NULL) {
        refuse(s, req, err.kind == SKL_ERR_EXHAUSTED ? 429 : 500, err.message);
        return;
    }
    v = xcalloc(1, sizeof(*v));
    v->sim = s;
    v->req = req;
    v->fd = -1;
    snprintf(v->id, sizeof(v->id), "%s", in->id);
    v->path = xstrdup("/");
    in->active++;
    timer_init(s->loop, &v->probe, probe, v);
    timer_init(s->loop, &v->deadline, on_deadline, v);
    timer_start(&v->deadline, f->timeout_s * INT64_C(1000000000));
    v->probe_ns = PROBE_NS;
    v->give_up = loop_now(s->loop) + STARTUP_NS;
    http_req_on_gone(req, on_gone, v);
    timer_start(&v->probe, in->state == INSTANCE_STARTING ? s->opts.cold_start_delay + PROBE_NS : 0);
}
