/*
 * tests/e2e/gcf/host.c - the bench's host table: timers, HTTP by libcurl, storage in memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

struct skl_timer {
    struct skl_timer *next;
    int64_t due;
    void (*fn)(void *arg);
    void *arg;
};

struct skl_http {
    struct skl_http *next;
    CURL *easy;
    struct curl_slist *headers;
    char *body, *response;
    size_t len, max;
    bool truncated, sent, canceled, idempotent;
    int attempts;
    void (*done)(void *arg, const struct skl_http_response *res);
    void *arg;
};

struct stored {
    struct stored *next;
    char *key, *value;
    size_t len;
};

static struct skl_timer *timers;
static struct skl_http *requests;
static struct stored *store;

/* ---- time ---- */

static int64_t clock_ns(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t now_wall(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_REALTIME);
}

static int64_t now_mono(void *ctx)
{
    (void)ctx;
    return clock_ns(CLOCK_MONOTONIC);
}

static struct skl_timer *timer_start(void *ctx, int64_t delay, void (*fn)(void *arg), void *arg)
{
    struct skl_timer *t = calloc(1, sizeof(*t)), **p = &timers;

    t->due = now_mono(ctx) + delay;
    t->fn = fn;
    t->arg = arg;
    while (*p && (*p)->due <= t->due)
        p = &(*p)->next;
    t->next = *p;
    *p = t;
    return t;
}

static void timer_stop(void *ctx, struct skl_timer *t)
{
    struct skl_timer **p = &timers;

    (void)ctx;
    while (*p != t)
        p = &(*p)->next;
    *p = t->next;
    free(t);
}

int bench_timers_wait_ms(void)
{
    int64_t left = timers ? timers->due - now_mono(NULL) : 1000000000;

    return left <= 0 ? 0 : left > 1000000000 ? 1000 : (int)(left / 1000000) + 1;
}

void bench_timers_turn(void)
{
    int64_t now = now_mono(NULL);
    struct skl_timer *t;

    while ((t = timers) && t->due <= now) {
        timers = t->next;
        t->fn(t->arg);
        free(t);
    }
}

static void post(void *ctx, void (*fn)(void *arg), void *arg)
{
    (void)timer_start(ctx, 0, fn, arg);
}

static void work(void *ctx, void (*fn)(void *arg), void (*done)(void *arg), void *arg)
{
    fn(arg);
    (void)timer_start(ctx, 0, done, arg);
}

static void random_bytes(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (getrandom(p, n, 0) != (ssize_t)n)
        abort();
}

/* ---- HTTP ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct skl_http *h = arg;
    size_t len = size * n, room = h->max - h->len, take = len < room ? len : room;

    h->response = realloc(h->response, h->len + take + 1);
    memcpy(h->response + h->len, p, take);
    h->len += take;
    h->response[h->len] = '\0';
    h->truncated = take < len;
    return h->truncated ? 0 : len;
}

/* Before each attempt: a request is repeated by curl only if it may be. */
static int on_before(void *arg, char *a, char *b, int c, int d)
{
    struct skl_http *h = arg;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    if (h->attempts++ && !h->idempotent)
        return CURL_PREREQFUNC_ABORT;
    h->sent = true;
    return CURL_PREREQFUNC_OK;
}

static void set_method(struct skl_http *h, const struct skl_http_request *req)
{
    if (!strcmp(req->method, "HEAD")) {
        curl_easy_setopt(h->easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (req->body) {
        h->body = malloc(req->body_len + 1);
        memcpy(h->body, req->body, req->body_len);
        curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, h->body);
        curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
    }
    curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, req->method);
}

static void set_headers(struct skl_http *h, const struct skl_http_request *req)
{
    char line[65536];

    for (const struct skl_http_header *x = req->headers; x && x->name; x++) {
        (void)snprintf(line, sizeof(line), "%s: %s", x->name, x->value);
        h->headers = curl_slist_append(h->headers, line);
    }
    h->headers = curl_slist_append(h->headers, "Expect:");
    curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
}

static struct skl_http *http_submit(void *ctx, const struct skl_http_request *req,
                                    void (*done)(void *arg, const struct skl_http_response *res), void *arg,
                                    struct skl_error *err)
{
    struct skl_http *h = calloc(1, sizeof(*h));

    (void)ctx;
    (void)err;
    h->easy = curl_easy_init();
    h->done = done;
    h->arg = arg;
    h->max = req->max_response ? req->max_response : 4u << 20;
    h->response = calloc(1, 1);
    h->idempotent = req->flags & SKL_HTTP_IDEMPOTENT;
    curl_easy_setopt(h->easy, CURLOPT_URL, req->url);
    curl_easy_setopt(h->easy, CURLOPT_PRIVATE, h);
    curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(h->easy, CURLOPT_PREREQFUNCTION, on_before);
    curl_easy_setopt(h->easy, CURLOPT_PREREQDATA, h);
    curl_easy_setopt(h->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h->easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(h->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(h->easy, CURLOPT_TIMEOUT_MS, (long)(req->timeout_ns / 1000000));
    if (req->flags & SKL_HTTP_FRESH) {
        curl_easy_setopt(h->easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(h->easy, CURLOPT_FORBID_REUSE, 1L);
    }
    set_method(h, req);
    set_headers(h, req);
    h->next = requests;
    requests = h;
    curl_multi_add_handle(bench.multi, h->easy);
    return h;
}

static const char *get_header(const struct skl_http_response *res, const char *name)
{
    struct curl_header *found = NULL;
    CURL *easy = (CURL *)(uintptr_t)res->priv;

    return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : NULL;
}

static void http_end(struct skl_http *h, CURLcode code)
{
    struct skl_http_response res = {.size = sizeof(res), .header = get_header, .priv = h->easy};
    struct skl_error err = {.kind = SKL_ERR_UNAVAILABLE};
    struct skl_http **p = &requests;
    long status = 0;

    while (*p != h)
        p = &(*p)->next;
    *p = h->next;
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    res.status = (int32_t)status; /* also when the connection broke inside the body */
    if (h->canceled || code == CURLE_OPERATION_TIMEDOUT)
        err.kind = h->canceled ? SKL_ERR_CANCELED : SKL_ERR_TIMEOUT;
    (void)snprintf(err.message, sizeof(err.message), "%s", curl_easy_strerror(code));
    res.body = h->response;
    res.body_len = h->len;
    res.request_sent = h->sent;
    res.truncated = h->truncated;
    res.error = code == CURLE_OK || h->truncated ? NULL : &err;
    h->done(h->arg, &res);
    curl_multi_remove_handle(bench.multi, h->easy);
    curl_easy_cleanup(h->easy);
    curl_slist_free_all(h->headers);
    free(h->body);
    free(h->response);
    free(h);
}

static void on_cancel(void *arg)
{
    http_end(arg, CURLE_ABORTED_BY_CALLBACK);
}

static void http_cancel(void *ctx, struct skl_http *h)
{
    h->canceled = true;
    curl_multi_remove_handle(bench.multi, h->easy);
    (void)timer_start(ctx, 0, on_cancel, h);
}

void bench_http_turn(void)
{
    int running, left;
    CURLMsg *m;
    struct skl_http *h;

    curl_multi_perform(bench.multi, &running);
    while ((m = curl_multi_info_read(bench.multi, &left)))
        if (m->msg == CURLMSG_DONE) {
            CURLcode code = m->data.result;

            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&h);
            http_end(h, code);
        }
}

/* ---- storage ---- */

static char *kv_get(void *ctx, const char *key, size_t *ret_len)
{
    char *copy;

    (void)ctx;
    for (struct stored *s = store; s; s = s->next)
        if (!strcmp(s->key, key)) {
            copy = calloc(1, s->len + 1);
            memcpy(copy, s->value, s->len);
            *ret_len = s->len;
            return copy;
        }
    return NULL;
}

static int kv_put(void *ctx, const char *key, const void *value, size_t len, struct skl_error *err)
{
    struct stored **p = &store, *s;

    (void)ctx;
    (void)err;
    while (*p && strcmp((*p)->key, key))
        p = &(*p)->next;
    if ((s = *p)) {
        *p = s->next;
        free(s->key);
        free(s->value);
        free(s);
    }
    if (!value)
        return 0;
    s = calloc(1, sizeof(*s));
    s->key = strdup(key);
    s->value = calloc(1, len + 1);
    memcpy(s->value, value, len);
    s->len = len;
    s->next = store;
    store = s;
    return 0;
}

static void host_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static int64_t call_deadline(void *ctx, const struct skl_call *call)
{
    (void)ctx;
    (void)call;
    return 0;
}

static void on_credit(void *ctx, struct skl_stream *s, void (*fn)(void *arg), void *arg)
{
    (void)ctx;
    (void)s;
    (void)fn;
    (void)arg;
}

/* ---- life ---- */

void bench_host_init(void)
{
    struct skl_host *h = &bench.host;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    bench.multi = curl_multi_init();
    h->size = sizeof(*h);
    h->abi_major = SKL_ABI_MAJOR;
    h->abi_minor = SKL_ABI_MINOR;
    h->now_wall = now_wall;
    h->now_mono = now_mono;
    h->random = random_bytes;
    h->call_deadline = call_deadline;
    h->timer_start = timer_start;
    h->timer_stop = timer_stop;
    h->http_submit = http_submit;
    h->http_cancel = http_cancel;
    h->stream_on_credit = on_credit;
    h->kv_get = kv_get;
    h->kv_put = kv_put;
    h->free = host_free;
    h->post = post;
    h->work = work;
    h->daemon_version = "bench";
    h->daemon_id = "bench";
}

void bench_host_shutdown(void)
{
    struct skl_http *h, *next;

    for (h = requests; h; h = next) {
        next = h->next;
        if (!h->canceled)
            http_cancel(NULL, h);
    }
    bench_timers_turn();
    while (timers)
        timer_stop(NULL, timers);
}

void bench_host_fini(void)
{
    curl_multi_cleanup(bench.multi);
    while (store)
        (void)kv_put(NULL, store->key, NULL, 0, NULL);
    curl_global_cleanup();
}
