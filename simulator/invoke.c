/*
 * simulator/invoke.c - a service's URL: finds or starts an instance, waits for its port, passes the request on, and the
 * answer back, both as streams. What comes behind the service's own path goes on to the container.
 *
 * The probe is a TCP connect: an HTTP request would run the user's program. The request itself is sent once; what
 * happened to it is what the caller learns. At the function's timeout the answer is 504 and the process goes on, as on
 * Cloud Run. A request that wants another protocol (a WebSocket) is passed on as bytes: upgrade.c.
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
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/http_client.h"
#include "simulator/auth/auth.h"
#include "simulator/invoke.h"

#define PROBE_NS (INT64_C(1) * 1000000)         /* between two connects at a cold start */
#define PROBES_QUICK 60                         /* at that pace; then it grows to */
#define PROBE_MAX_NS (INT64_C(50) * 1000000)
#define STARTUP_NS (INT64_C(240) * 1000000000)  /* as on Cloud Run */
#define HEADERS_MAX 200
#define NO_LIMIT (UINT64_C(1) << 50)

static void inv_free(struct invocation *v)
{
    timer_fini(&v->probe);
    timer_fini(&v->deadline);
    if (v->fd >= 0) {
        io_fini(&v->io);
        close(v->fd);
    }
    upgrade_free(v->upgrade);
    free(v->piece);
    free(v->path);
    free(v);
}

/* The instance may be gone since. */
struct instance *inv_instance(struct invocation *v)
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

    if (in != NULL)
        instance_release(in);
}

void inv_log(struct invocation *v, int status)
{
    server_log(v->sim, "Invoke", http_req_method(v->req), http_req_target(v->req), status, NULL);
}

/* Ends the exchange before an answer of the instance began. */
void inv_fail(struct invocation *v, int status, const char *text)
{
    CLEANUP(free_p) char *html = xasprintf("<html><head><title>Error</title></head><body><h1>Error: %d</h1><h2>%s</h2></body></html>\n",
                                           status, text);
    inv_log(v, status);
    release(v);
    http_req_on_gone(v->req, NULL, NULL);
    http_res_send(v->req, status, "text/html; charset=UTF-8", html, strlen(html));
    inv_free(v);
}

/* Ends an exchange whose answer was on its way, well or not. */
void inv_end(struct invocation *v, bool well)
{
    release(v);
    http_req_on_gone(v->req, NULL, NULL);
    if (well)
        http_res_end(v->req);
    else
        http_res_abort(v->req);
    inv_free(v);
}

/* The exchange is the upgraded connection's from now on; that has taken the request. */
void inv_taken(struct invocation *v)
{
    release(v);
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

bool inv_hop_by_hop(const char *name)
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
        else if (!inv_hop_by_hop(name))
            http_res_header(v->req, name, "%s", value);
    }
    inv_log(v, status);
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
    inv_end(v, res->error == NULL);
}

static void on_deadline(void *arg)
{
    struct invocation *v = arg;

    if (v->req == NULL) { /* a pipe */
        inv_taken(v);
        return;
    }
    if (v->call != NULL)
        http_call_forget(v->call);
    v->call = NULL;
    if (!v->answered) {
        inv_fail(v, 504, "upstream request timeout");
        return;
    }
    inv_end(v, false);
}

static void on_gone(void *arg)
{
    struct invocation *v = arg;

    if (v->call != NULL)
        http_call_forget(v->call);
    v->call = NULL;
    if (!v->answered)
        inv_log(v, 499);
    release(v);
    http_res_abort(v->req);
    inv_free(v);
}

/* What Google's front end adds. */
static size_t add_platform_headers(const struct invocation *v, char **out)
{
    const char *peer = http_req_peer(v->req), *host = http_req_header(v->req, "Host"), *trace = http_req_header(v->req, "traceparent");
    unsigned long long a = random_u64(), b = random_u64(), span = random_u64();
    size_t n = 0;

    out[n++] = xasprintf("X-Forwarded-Proto: https");
    out[n++] = xasprintf("X-Forwarded-For: %.*s", (int)strcspn(peer, ":"), peer);
    out[n++] = xasprintf("Function-Execution-Id: %012llx", span & 0xffffffffffffULL);
    if (host != NULL)
        out[n++] = xasprintf("Host: %s", host);
    if (http_req_header(v->req, "X-Cloud-Trace-Context") == NULL)
        out[n++] = xasprintf("X-Cloud-Trace-Context: %016llx%016llx/%llu", a, b, span);
    if (trace == NULL)
        out[n++] = xasprintf("traceparent: 00-%016llx%016llx-%016llx-00", a, b, span);
    return n;
}

static void forward(struct invocation *v, const struct instance *in)
{
    char ip[INET_ADDRSTRLEN] = "127.0.0.1";
    const char *lines[HEADERS_MAX + 8];
    char *made[HEADERS_MAX + 8];
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
        if (!inv_hop_by_hop(name) && strcasecmp(name, "Authorization") != 0)
            made[n++] = xasprintf(value[0] != '\0' ? "%s: %s" : "%s;", name, value);
    n += add_platform_headers(v, made + n);
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
        if (http_req_wants_upgrade(v->req) && !http_req_has_body(v->req))
            v->upgrade = upgrade_new(v, in);
        else
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

static struct instance *choose(struct service *svc, struct skl_error *err)
{
    size_t n = 0;

    LIST_FOREACH_SAFE(node, tmp, &svc->instances) {
        struct instance *in = LIST_ENTRY(node, struct instance, link);
        if (in->state == INSTANCE_STOPPING || in->rev != svc->serving)
            continue;
        n++;
        if (in->active < in->rev->concurrency)
            return in;
    }
    if (n < svc->serving->max_instances)
        return instance_start(svc, err);
    error_set(err, SKL_ERR_EXHAUSTED, "The request was aborted because there was no available instance.");
    return NULL;
}

static void refuse(struct sim *s, struct http_req *req, int status, const char *text)
{
    server_log(s, "Invoke", http_req_method(req), http_req_target(req), status, NULL);
    http_res_send(req, status, "text/plain; charset=UTF-8", text, strlen(text));
}

/* In the words of Google's front end. */
static void refuse_caller(struct sim *s, struct http_req *req, int status)
{
    static const char forbidden[] =
        "<html><head>\n<title>403 Forbidden</title>\n</head>\n<body>\n<h1>Error: Forbidden</h1>\n<h2>Your client does not have permission to get URL "
        "from this server.</h2>\n</body></html>\n";
    static const char unauthorized[] = "<html><head>\n<title>401 Unauthorized</title>\n</head>\n<body>\n<h1>Error: Unauthorized</h1>\n<h2>Your client does not have "
                                       "permission to the requested URL.</h2>\n</body></html>\n";
    const char *text = status == 403 ? forbidden : unauthorized;

    server_log(s, "Invoke", http_req_method(req), http_req_target(req), status, NULL);
    if (status == 401)
        http_res_header(req, "WWW-Authenticate", "Bearer error=\"invalid_token\" error_description=\"The access token could not be verified\"");
    http_res_send(req, status, "text/html; charset=UTF-8", text, strlen(text));
}

/* /_functions/P/L/S/more?x=1 -> the service, and "/more?x=1" for it. */
static struct service *find_service(struct sim *s, struct http_req *req, char **ret_path)
{
    const char *target = http_req_target(req), *p = target + strlen(INVOKE_PREFIX);
    CLEANUP(free_p) char *own = NULL;
    struct service *svc = NULL;
    struct route_match m;

    for (int segments = 0; segments < 3; segments++)
        p += strcspn(p, "/?") + (segments < 2 && p[strcspn(p, "/?")] == '/');
    own = xstrndup(target, (size_t)(p - target));
    if (route_match(INVOKE_PREFIX "{project}/{location}/{service}", own, &m)) {
        svc = service_find(s, route_param(&m, "project"), route_param(&m, "location"), route_param(&m, "service"));
        route_match_fini(&m);
    }
    *ret_path = p[0] == '/' ? xstrdup(p) : xasprintf("/%s", p);
    return svc;
}

static void begin(struct sim *s, struct http_req *req, struct service *svc, char *path, struct instance *in)
{
    struct invocation *v = xcalloc(1, sizeof(*v));

    v->sim = s;
    v->req = req;
    v->fd = -1;
    snprintf(v->id, sizeof(v->id), "%s", in->id);
    v->path = path;
    in->active++;
    timer_init(s->loop, &v->probe, probe, v);
    timer_init(s->loop, &v->deadline, on_deadline, v);
    timer_start(&v->deadline, svc->serving->timeout_s * INT64_C(1000000000));
    v->probe_ns = PROBE_NS;
    v->give_up = loop_now(s->loop) + STARTUP_NS;
    http_req_on_gone(req, on_gone, v);
    timer_start(&v->probe, in->state == INSTANCE_STARTING ? s->opts.cold_start_delay + PROBE_NS : 0);
}

/* True: a fault that was asked for has ended it. */
static bool strike(struct sim *s, struct http_req *req)
{
    struct fault_hit hit = faults_strike(s->faults, "Invoke");

    if (hit.kind == FAULT_STATUS) {
        refuse(s, req, hit.status, "a fault that was asked for\n");
    } else if (hit.kind == FAULT_RESET) {
        server_log(s, "Invoke", http_req_method(req), http_req_target(req), 0, NULL);
        http_res_abort(req);
    } else {
        return false;
    }
    return true;
}

void invoke_on_request(struct sim *s, struct http_req *req)
{
    CLEANUP(free_p) char *path = NULL;
    struct skl_error err = {0};
    struct service *svc;
    struct instance *in;
    int status;

    if (strike(s, req))
        return;
    svc = find_service(s, req, &path);
    if (svc == NULL || svc->serving == NULL) {
        refuse(s, req, 404, "Error: Page not found\n");
        return;
    }
    if (http_req_content_length(req) > (int64_t)SIM_REQUEST_MAX) {
        refuse(s, req, 413, "Request too large.\n");
        return;
    }
    if ((status = auth_invocation(s, req, svc)) != 0) {
        refuse_caller(s, req, status);
        return;
    }
    in = choose(svc, &err);
    if (in != NULL)
        begin(s, req, svc, STEAL(path), in);
    else
        refuse(s, req, err.kind == SKL_ERR_EXHAUSTED ? 429 : err.kind == SKL_ERR_UNAVAILABLE ? 503 : 500, err.message);
}
