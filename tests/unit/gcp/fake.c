/*
 * tests/unit/gcp/fake.c - see fake.h: events, HTTP by rules, storage.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fake.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct fake_event {
    struct fake_event *next;
    int64_t time;
    uint64_t serial;
    void (*timer_fn)(void *arg); /* a timer or a post */
    void *arg;
    struct skl_http *http; /* or an answer */
};

struct skl_timer {
    struct fake_event e;
};

struct skl_http {
    struct fake_event e;
    struct fake *fake;
    size_t request; /* index */
    struct fake_answer answer;
    char *body, *headers;
    void (*done)(void *arg, const struct skl_http_response *res);
    void *arg;
};

struct fake_rule {
    struct fake_rule *next;
    char *what, *body, *headers;
    int times;
    struct fake_answer answer;
};

struct fake_kv {
    struct fake_kv *next;
    char *key, *value;
    size_t len;
};

static char *dup_or_null(const char *s)
{
    return s ? strdup(s) : NULL;
}

/* ---- events ---- */

static void event_add(struct fake *f, struct fake_event *e, int64_t time)
{
    struct fake_event **p = &f->events;

    e->time = time;
    e->serial = f->serial++;
    while (*p && ((*p)->time < time || ((*p)->time == time && (*p)->serial < e->serial)))
        p = &(*p)->next;
    e->next = *p;
    *p = e;
}

static void event_drop(struct fake *f, struct fake_event *e)
{
    struct fake_event **p = &f->events;

    while (*p && *p != e)
        p = &(*p)->next;
    CU_ASSERT_PTR_NOT_NULL_FATAL(*p);
    *p = e->next;
}

static struct skl_timer *host_timer_start(void *ctx, int64_t delay, void (*fn)(void *arg), void *arg)
{
    struct skl_timer *t = calloc(1, sizeof(*t));
    struct fake *f = ctx;

    CU_ASSERT_FATAL(delay >= 0);
    t->e.timer_fn = fn;
    t->e.arg = arg;
    event_add(f, &t->e, f->mono + delay);
    return t;
}

static void host_timer_stop(void *ctx, struct skl_timer *t)
{
    event_drop(ctx, &t->e);
    free(t);
}

static void host_post(void *ctx, void (*fn)(void *arg), void *arg)
{
    (void)host_timer_start(ctx, 0, fn, arg);
}

static void host_work(void *ctx, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    work(arg);
    (void)host_timer_start(ctx, 0, done, arg);
}

/* ---- HTTP ---- */

static const char *find_header(const char *headers, const char *name)
{
    static char value[8192];
    size_t n = strlen(name);

    for (const char *p = headers; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (!strncasecmp(p, name, n) && p[n] == ':') {
            (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(p + n + 2, "\n"), p + n + 2);
            return value;
        }
    return NULL;
}

static const char *response_header(const struct skl_http_response *res, const char *name)
{
    return find_header(res->priv, name);
}

static void http_free(struct skl_http *h)
{
    free(h->body);
    free(h->headers);
    free(h);
}

static void http_done(struct skl_http *h)
{
    struct fake_request *r = &h->fake->requests[h->request];
    struct skl_error err = {.kind = h->answer.error_kind};
    struct skl_http_response res = {.size = sizeof(res), .header = response_header};

    r->answered = true;
    res.status = h->answer.status;
    res.body = h->body && res.status ? h->body : "";
    res.body_len = strlen(res.body);
    res.truncated = h->answer.truncated;
    res.priv = h->headers;
    res.request_sent = res.status || h->answer.sent;
    if (!res.status || h->answer.broken) {
        (void)snprintf(err.message, sizeof(err.message), "%s",
                       err.kind == SKL_ERR_CANCELED  ? "cancelled"
                       : err.kind == SKL_ERR_TIMEOUT ? "timed out"
                       : h->answer.sent || res.status ? "connection reset"
                                                     : "connection refused");
        res.error = &err;
    }
    h->done(h->arg, &res);
    http_free(h);
}

static void record(struct fake *f, const struct skl_http_request *req)
{
    struct fake_request *r;
    char headers[16384] = "";

    if (f->n_requests == f->cap_requests) {
        f->cap_requests = f->cap_requests ? f->cap_requests * 2 : 64;
        f->requests = realloc(f->requests, f->cap_requests * sizeof(*f->requests));
    }
    r = &f->requests[f->n_requests++];
    memset(r, 0, sizeof(*r));
    r->time = f->mono;
    r->method = strdup(req->method);
    r->url = strdup(req->url);
    r->body = calloc(1, req->body_len + 1);
    if (req->body_len)
        memcpy(r->body, req->body, req->body_len);
    r->body_len = req->body_len;
    r->flags = req->flags;
    r->timeout = req->timeout_ns;
    for (const struct skl_http_header *h = req->headers; h && h->name; h++)
        (void)snprintf(headers + strlen(headers), sizeof(headers) - strlen(headers), "%s: %s\n", h->name,
                       h->value);
    r->headers = strdup(headers);
}

static bool matches(const struct fake_request *r, const char *what)
{
    char line[8192];

    (void)snprintf(line, sizeof(line), "%s %s", r->method, r->url);
    return strstr(line, what) != NULL;
}

static void choose_answer(struct fake *f, const struct fake_request *r, struct fake_answer *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (struct fake_rule *rule = f->rules; rule; rule = rule->next)
        if (rule->times > 0 && matches(r, rule->what)) {
            rule->times--;
            *ret = rule->answer;
            ret->body = rule->body;
            ret->headers = rule->headers;
            return;
        }
    if (f->serve && f->serve(f->serve_arg, r, ret))
        return;
    printf("# no answer for %s %s\n", r->method, r->url);
    CU_FAIL("a request that no rule answers");
    ret->status = 500;
}

static struct skl_http *host_http_submit(void *ctx, const struct skl_http_request *req,
                                         void (*done)(void *arg, const struct skl_http_response *res),
                                         void *arg, struct skl_error *err)
{
    struct fake *f = ctx;
    struct skl_http *h;
    int64_t delay;

    if (strncmp(req->url, "http://", 7) && strncmp(req->url, "https://", 8)) {
        err->kind = SKL_ERR_INVALID;
        (void)snprintf(err->message, sizeof(err->message), "malformed URL");
        return NULL;
    }
    h = calloc(1, sizeof(*h));
    h->fake = f;
    h->done = done;
    h->arg = arg;
    h->e.http = h;
    h->request = f->n_requests;
    record(f, req);
    choose_answer(f, &f->requests[h->request], &h->answer);
    h->body = dup_or_null(h->answer.body);
    h->headers = dup_or_null(h->answer.headers);
    if (!h->answer.error_kind)
        h->answer.error_kind = SKL_ERR_UNAVAILABLE;
    delay = h->answer.delay ? h->answer.delay : FAKE_MS;
    if (req->timeout_ns && delay > req->timeout_ns) {
        delay = req->timeout_ns;
        h->answer.status = 0;
        h->answer.sent = true;
        h->answer.error_kind = SKL_ERR_TIMEOUT;
    }
    event_add(f, &h->e, delay == FAKE_NEVER ? FAKE_NEVER : f->mono + delay);
    return h;
}

static void http_cancel(struct fake *f, struct skl_http *h)
{
    event_drop(f, &h->e);
    f->requests[h->request].canceled = true;
    h->answer.status = 0;
    h->answer.sent = true;
    h->answer.error_kind = SKL_ERR_CANCELED;
    event_add(f, &h->e, f->mono);
}

static void host_http_cancel(void *ctx, struct skl_http *h)
{
    http_cancel(ctx, h);
}

/* ---- running ---- */

static void run_one(struct fake *f)
{
    struct fake_event *e = f->events;

    f->events = e->next;
    if (e->time > f->mono)
        f->mono = e->time;
    if (e->http) {
        http_done(e->http);
    } else {
        void (*fn)(void *arg) = e->timer_fn;
        void *arg = e->arg;

        free(e);
        fn(arg);
    }
}

bool fake_run(struct fake *f, const bool *flag, int64_t limit)
{
    int64_t end = f->mono + limit;

    for (unsigned i = 0; !*flag && f->events && f->events->time <= end; i++) {
        CU_ASSERT_FATAL(i < 10000000);
        run_one(f);
    }
    return *flag;
}

void fake_pass(struct fake *f, int64_t ns)
{
    int64_t end = f->mono + ns;

    while (f->events && f->events->time <= end)
        run_one(f);
    f->mono = end;
}

void fake_shutdown(struct fake *f)
{
    struct fake_event *e = f->events, *next;

    for (; e; e = next) {
        next = e->next;
        if (e->http)
            http_cancel(f, e->http);
    }
    fake_pass(f, 0);
    while ((e = f->events)) {
        f->events = e->next;
        CU_ASSERT_PTR_NULL(e->http);
        free(e);
    }
}

/* ---- the rest of the table ---- */

static void host_log(void *ctx, int32_t level, const char *message)
{
    struct fake *f = ctx;
    size_t n = strlen(message);

    (void)level;
    f->log = realloc(f->log, f->log_len + n + 2);
    memcpy(f->log + f->log_len, message, n);
    f->log_len += n;
    f->log[f->log_len++] = '\n';
    f->log[f->log_len] = '\0';
}

static int64_t host_now_wall(void *ctx)
{
    struct fake *f = ctx;

    return FAKE_WALL + f->wall_offset + f->mono;
}

static int64_t host_now_mono(void *ctx)
{
    return ((struct fake *)ctx)->mono;
}

static void host_random(void *ctx, void *p, size_t n)
{
    struct fake *f = ctx;
    unsigned char *out = p;

    for (size_t i = 0; i < n; i++) {
        f->random = f->random * 6364136223846793005u + 1442695040888963407u;
        out[i] = (unsigned char)(f->random >> 33);
    }
}

static char *host_kv_get(void *ctx, const char *key, size_t *ret_len)
{
    struct fake *f = ctx;
    char *copy;

    for (struct fake_kv *kv = f->kv; kv; kv = kv->next)
        if (!strcmp(kv->key, key)) {
            copy = malloc(kv->len + 1);
            memcpy(copy, kv->value, kv->len);
            copy[kv->len] = '\0';
            if (ret_len)
                *ret_len = kv->len;
            return copy;
        }
    return NULL;
}

static int host_kv_put(void *ctx, const char *key, const void *value, size_t len, struct skl_error *err)
{
    struct fake *f = ctx;
    struct fake_kv *kv, **p;

    (void)err;
    for (p = &f->kv; *p && strcmp((*p)->key, key); p = &(*p)->next)
        ;
    if ((kv = *p)) {
        *p = kv->next;
        free(kv->key);
        free(kv->value);
        free(kv);
    }
    if (!value)
        return 0;
    kv = calloc(1, sizeof(*kv));
    kv->key = strdup(key);
    kv->value = malloc(len + 1);
    memcpy(kv->value, value, len);
    kv->len = len;
    kv->next = f->kv;
    f->kv = kv;
    return 0;
}

static void host_free(void *ctx, void *p)
{
    (void)ctx;
    free(p);
}

static int64_t host_call_deadline(void *ctx, const struct skl_call *call)
{
    (void)ctx;
    (void)call;
    return 0;
}

static void host_run_ended(void *ctx, const char *container_id, uint32_t run, const struct skl_run_end *end)
{
    struct fake *f = ctx;
    struct fake_ended *e;

    if (f->n_ended == f->cap_ended) {
        f->cap_ended = f->cap_ended ? f->cap_ended * 2 : 16;
        f->ended = realloc(f->ended, f->cap_ended * sizeof(*f->ended));
    }
    for (size_t i = 0; i < f->n_ended; i++)
        CU_ASSERT(strcmp(f->ended[i].container, container_id) || f->ended[i].run != run);
    e = &f->ended[f->n_ended++];
    memset(e, 0, sizeof(*e));
    (void)snprintf(e->container, sizeof(e->container), "%s", container_id);
    e->run = run;
    e->kind = end->kind;
    e->exit_code = end->exit_code;
    e->time = f->mono;
    (void)snprintf(e->reason, sizeof(e->reason), "%s", end->reason ? end->reason : "");
}

/* ---- results ---- */

static void take_list(struct skl_call *c, const struct skl_list_result *r)
{
    char line[4096];

    c->count = r->count;
    c->complete = r->complete;
    c->items = strdup("");
    for (uint32_t i = 0; i < r->count; i++) {
        const struct skl_list_item *it = &r->items[i];

        (void)snprintf(line, sizeof(line), "%s %s %s %s\n", it->container_id ? it->container_id : "-",
                       it->handle, it->state, it->resource);
        c->items = realloc(c->items, strlen(c->items) + strlen(line) + 1);
        memcpy(c->items + strlen(c->items), line, strlen(line) + 1);
    }
}

static void host_complete(void *ctx, struct skl_call *c, const struct skl_error *err, const void *result)
{
    c->completions++;
    CU_ASSERT_EQUAL(c->completions, 1);
    c->done = true;
    c->time = ((struct fake *)ctx)->mono;
    if (err) {
        c->failed = true;
        c->err = *err;
        CU_ASSERT(err->kind > 0);
        return;
    }
    if (c->kind == FAKE_CREATE) {
        const struct skl_create_result *r = result;

        c->handle = strdup(r->handle);
        c->warning = r->warnings ? strdup(r->warnings[0]) : NULL;
    } else if (c->kind == FAKE_LIST) {
        take_list(c, result);
    } else if (c->kind == FAKE_INSPECT) {
        c->exists = ((const struct skl_inspect_result *)result)->exists;
        c->state = strdup(((const struct skl_inspect_result *)result)->state);
    }
}

void fake_call_fini(struct skl_call *c)
{
    free(c->handle);
    free(c->warning);
    free(c->items);
    free(c->state);
    memset(c, 0, sizeof(*c));
}

static int64_t host_log_push(void *ctx, struct skl_stream *s, const struct skl_log_entry *e)
{
    char tag[3] = {e->stream == 2 ? '2' : '1', ':', 0};

    (void)ctx;
    if (s->gone)
        return -1;
    if (s->credit <= 0) {
        s->dropped++;
        return s->credit;
    }
    s->text = realloc(s->text, s->len + e->len + 3);
    memcpy(s->text + s->len, tag, 2);
    memcpy(s->text + s->len + 2, e->data, e->len);
    s->len += e->len + 2;
    s->text[s->len] = '\0';
    s->last_time = e->time;
    s->count++;
    return --s->credit;
}

static void host_on_credit(void *ctx, struct skl_stream *s, void (*fn)(void *arg), void *arg)
{
    s->fake = ctx;
    s->on_credit = fn;
    s->arg = arg;
}

void fake_stream_credit(struct skl_stream *s, int64_t n)
{
    void (*fn)(void *arg) = s->on_credit;

    s->credit += n;
    s->on_credit = NULL;
    if (fn)
        fn(s->arg);
}

void fake_stream_fini(struct skl_stream *s)
{
    CU_ASSERT_EQUAL(s->dropped, 0);
    free(s->text);
    memset(s, 0, sizeof(*s));
}

/* ---- set up ---- */

void fake_init(struct fake *f)
{
    struct skl_host host = {
        .size = sizeof(host), .abi_major = SKL_ABI_MAJOR, .abi_minor = SKL_ABI_MINOR, .ctx = f};

    memset(f, 0, sizeof(*f));
    f->random = 42;
    f->mono = FAKE_SEC;
    host.log = host_log;
    host.now_wall = host_now_wall;
    host.now_mono = host_now_mono;
    host.random = host_random;
    host.complete = host_complete;
    host.call_deadline = host_call_deadline;
    host.run_ended = host_run_ended;
    host.timer_start = host_timer_start;
    host.timer_stop = host_timer_stop;
    host.http_submit = host_http_submit;
    host.http_cancel = host_http_cancel;
    host.log_push = host_log_push;
    host.stream_on_credit = host_on_credit;
    host.kv_get = host_kv_get;
    host.kv_put = host_kv_put;
    host.free = host_free;
    host.post = host_post;
    host.work = host_work;
    host.daemon_version = "0.1";
    host.daemon_id = "daemon-1";
    f->host = host;
}

static void rules_free(struct fake *f)
{
    struct fake_rule *r;

    while ((r = f->rules)) {
        f->rules = r->next;
        free(r->what);
        free(r->body);
        free(r->headers);
        free(r);
    }
}

void fake_fini(struct fake *f)
{
    CU_ASSERT_PTR_NULL(f->events);
    fake_shutdown(f);
    rules_free(f);
    for (size_t i = 0; i < f->n_requests; i++) {
        free(f->requests[i].method);
        free(f->requests[i].url);
        free(f->requests[i].body);
        free(f->requests[i].headers);
    }
    while (f->kv)
        (void)host_kv_put(f, f->kv->key, NULL, 0, NULL);
    free(f->requests);
    free(f->ended);
    free(f->log);
    memset(f, 0, sizeof(*f));
}

void fake_on(struct fake *f, const char *what, int times, struct fake_answer a)
{
    struct fake_rule *r = calloc(1, sizeof(*r)), **p = &f->rules;

    r->what = strdup(what);
    r->body = dup_or_null(a.body);
    r->headers = dup_or_null(a.headers);
    r->times = times;
    r->answer = a;
    while (*p)
        p = &(*p)->next;
    *p = r;
}

size_t fake_count(const struct fake *f, const char *what)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n_requests; i++)
        n += matches(&f->requests[i], what);
    return n;
}

const struct fake_request *fake_find(const struct fake *f, const char *what, size_t nth)
{
    for (size_t i = 0; i < f->n_requests; i++)
        if (matches(&f->requests[i], what) && nth-- == 0)
            return &f->requests[i];
    return NULL;
}

const char *fake_header(const struct fake_request *r, const char *name)
{
    return find_header(r->headers, name);
}

bool fake_logged(const struct fake *f, const char *text)
{
    return f->log && strstr(f->log, text);
}
