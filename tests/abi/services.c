/*
 * tests/abi/services.c - a driver that tries the host's services: the container's command says which, create() answers with what came
 * of it as a warning (`docker create` prints warnings). The name is chosen with -DNAME, so that there can be two.
 *
 *   kv-put KEY VALUE, kv-put-size KEY BYTES, kv-delete KEY, kv-get KEY
 *   http METHOD URL TIMEOUT-MS MAX-RESPONSE, http-cancel URL
 *   http-retry METHOD URL ATTEMPTS
 *   work N, post N, timers, host
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sockerless/driver.h"
#include "sockerless/retry.h"

#ifndef NAME
#define NAME "services"
#endif

struct skl_instance {
    const struct skl_host *host;
};

static struct skl_instance the;
#define HOST (the.host)
#define CTX (the.host->ctx)

/* One create() in progress. */
struct trial {
    struct skl_call *call;
    int wanted, done;
    char text[512];
    struct skl_timer *stopped;
    struct skl_http *http;
    const char *method, *url; /* the request's: borrowed until the call is completed */
};

static struct trial *trial_new(struct skl_call *call, int wanted)
{
    struct trial *t = (struct trial *)calloc(1, sizeof(*t));

    if (t == NULL)
        abort();
    t->call = call;
    t->wanted = wanted;
    return t;
}

static void finish(struct trial *t)
{
    const char *warnings[2] = {t->text, NULL};
    struct skl_create_result result = {sizeof(result), "h", warnings};

    HOST->complete(CTX, t->call, NULL, &result);
    free(t);
}

static void say(struct skl_call *call, const char *text)
{
    struct trial *t = trial_new(call, 0);

    snprintf(t->text, sizeof(t->text), "%s", text);
    finish(t);
}

/* ---- storage ---- */

static void kv_put(struct skl_call *call, const char *key, const void *value, size_t n)
{
    struct skl_error err;

    memset(&err, 0, sizeof(err));
    say(call, HOST->kv_put(CTX, key, value, n, &err) < 0 ? err.message : "stored");
}

static void kv_put_size(struct skl_call *call, const char *key, size_t n)
{
    char *value = (char *)calloc(1, n + 1);

    memset(value, 'v', n);
    kv_put(call, key, value, n);
    free(value);
}

static void kv_get(struct skl_call *call, const char *key)
{
    char text[512];
    size_t n = 0;
    char *value = HOST->kv_get(CTX, key, &n);

    if (value == NULL)
        snprintf(text, sizeof(text), "absent");
    else
        snprintf(text, sizeof(text), "%lu bytes: %.40s%s", (unsigned long)n, value, value[n] == '\0' ? "" : " (not terminated)");
    HOST->free(CTX, value);
    say(call, text);
}

/* ---- HTTP ---- */

static void on_response(void *arg, const struct skl_http_response *res)
{
    struct trial *t = (struct trial *)arg;
    const char *type = res->status != 0 ? res->header(res, "x-tEST") : NULL;

    snprintf(t->text, sizeof(t->text), "status=%d len=%lu truncated=%u sent=%u header=%s kind=%d", (int)res->status,
             (unsigned long)res->body_len, res->truncated, res->request_sent, type != NULL ? type : "-",
             res->error != NULL ? (int)res->error->kind : 0);
    finish(t);
}

static void http(struct skl_call *call, const char *method, const char *url, int64_t timeout, size_t max, int cancel)
{
    static const struct skl_http_header headers[] = {{"X-Sent", "yes"}, {NULL, NULL}};
    struct skl_http_request req;
    struct skl_error err;
    struct trial *t = trial_new(call, 0);

    memset(&req, 0, sizeof(req));
    memset(&err, 0, sizeof(err));
    req.size = sizeof(req);
    req.method = method;
    req.url = url;
    req.headers = headers;
    req.body = "body";
    req.body_len = strcmp(method, "POST") == 0 ? 4 : 0;
    req.timeout_ns = timeout;
    req.max_response = max;
    t->http = HOST->http_submit(CTX, &req, on_response, t, &err);
    if (t->http == NULL) {
        snprintf(t->text, sizeof(t->text), "refused: %.400s", err.message);
        finish(t);
    } else if (cancel) {
        HOST->http_cancel(CTX, t->http);
    }
}

static void retry_send(void *arg);

static void on_retry_response(void *arg, const struct skl_http_response *res)
{
    struct trial *t = (struct trial *)arg;
    int64_t pause;

    t->done++;
    if (t->done < t->wanted && skl_retry_allowed(res, strcmp(t->method, "GET") == 0)) {
        pause = skl_retry_pause(HOST, res, (unsigned)t->done);
        HOST->timer_start(CTX, pause, retry_send, t);
        return;
    }
    snprintf(t->text, sizeof(t->text), "status=%d attempts=%d", (int)res->status, t->done);
    finish(t);
}

static void retry_send(void *arg)
{
    struct trial *t = (struct trial *)arg;
    struct skl_http_request req;

    memset(&req, 0, sizeof(req));
    req.size = sizeof(req);
    req.method = t->method;
    req.url = t->url;
    HOST->http_submit(CTX, &req, on_retry_response, t, NULL);
}

static void http_retry(struct skl_call *call, const char *method, const char *url, int attempts)
{
    struct trial *t = trial_new(call, attempts);

    t->method = method;
    t->url = url;
    retry_send(t);
}

/* ---- threads ---- */

static void work(void *arg)
{
    (void)arg;
    HOST->log(CTX, SKL_LOG_DEBUG, "working");
}

static void on_one_done(void *arg)
{
    struct trial *t = (struct trial *)arg;

    if (++t->done < t->wanted)
        return;
    snprintf(t->text, sizeof(t->text), "%d done", t->done);
    finish(t);
}

static void *poster(void *arg)
{
    struct trial *t = (struct trial *)arg;
    int n = t->wanted;

    while (n-- > 0)
        HOST->post(CTX, on_one_done, t);
    return NULL;
}

static void many(struct skl_call *call, int n, int by_post)
{
    struct trial *t = trial_new(call, n);
    pthread_t thread;

    if (by_post && pthread_create(&thread, NULL, poster, t) == 0)
        pthread_detach(thread);
    for (int i = 0; !by_post && i < n; i++)
        HOST->work(CTX, work, on_one_done, t);
}

/* ---- timers ---- */

static void on_never(void *arg)
{
    struct trial *t = (struct trial *)arg;

    snprintf(t->text + strlen(t->text), 16, "never ");
}

static void on_second(void *arg)
{
    struct trial *t = (struct trial *)arg;

    snprintf(t->text + strlen(t->text), 16, "second");
    finish(t);
}

static void on_first(void *arg)
{
    struct trial *t = (struct trial *)arg;

    snprintf(t->text + strlen(t->text), 16, "first ");
    HOST->timer_stop(CTX, t->stopped);
    HOST->timer_start(CTX, INT64_C(60000000), on_second, t);
}

static void timers(struct skl_call *call)
{
    struct trial *t = trial_new(call, 0);

    t->stopped = HOST->timer_start(CTX, INT64_C(40000000), on_never, t);
    HOST->timer_start(CTX, 0, on_first, t);
}

static void tell_host(struct skl_call *call)
{
    char text[512];
    unsigned char a[16] = {0}, b[16] = {0};
    int64_t mono = HOST->now_mono(CTX), deadline = HOST->call_deadline(CTX, call);

    HOST->random(CTX, a, sizeof(a));
    HOST->random(CTX, b, sizeof(b));
    snprintf(text, sizeof(text), "abi=%u.%u id=%lu version=%s random=%d year=%d deadline=%d", HOST->abi_major, HOST->abi_minor,
             (unsigned long)strlen(HOST->daemon_id), HOST->daemon_version, memcmp(a, b, sizeof(a)) != 0,
             HOST->now_wall(CTX) > INT64_C(1700000000) * 1000000000, deadline > mono);
    say(call, text);
}

/* ---- the driver ---- */

static void on_create(struct skl_instance *i, struct skl_call *call, const struct skl_create_req *req)
{
    const char *const *a = req->container->argv;

    (void)i;
    if (strcmp(a[0], "kv-put") == 0)
        kv_put(call, a[1], a[2], strlen(a[2]));
    else if (strcmp(a[0], "kv-put-size") == 0)
        kv_put_size(call, a[1], (size_t)atol(a[2]));
    else if (strcmp(a[0], "kv-delete") == 0)
        kv_put(call, a[1], NULL, 0);
    else if (strcmp(a[0], "kv-get") == 0)
        kv_get(call, a[1]);
    else if (strcmp(a[0], "http") == 0)
        http(call, a[1], a[2], atol(a[3]) * INT64_C(1000000), (size_t)atol(a[4]), 0);
    else if (strcmp(a[0], "http-cancel") == 0)
        http(call, "GET", a[1], 0, 0, 1);
    else if (strcmp(a[0], "http-retry") == 0)
        http_retry(call, a[1], a[2], atoi(a[3]));
    else if (strcmp(a[0], "work") == 0 || strcmp(a[0], "post") == 0)
        many(call, atoi(a[1]), a[0][0] == 'p');
    else if (strcmp(a[0], "timers") == 0)
        timers(call);
    else
        tell_host(call);
}

static void on_start(struct skl_instance *i, struct skl_call *call, const struct skl_start_req *req)
{
    struct skl_run_end end = {sizeof(end), SKL_END_EXIT, 0, NULL};

    (void)i;
    HOST->complete(CTX, call, NULL, NULL);
    HOST->run_ended(CTX, req->container->id, req->container->run, &end);
}

static void on_kill(struct skl_instance *i, struct skl_call *call, const struct skl_kill_req *req)
{
    (void)i;
    (void)req;
    HOST->complete(CTX, call, NULL, NULL);
}

static void on_remove(struct skl_instance *i, struct skl_call *call, const struct skl_remove_req *req)
{
    (void)i;
    (void)req;
    HOST->complete(CTX, call, NULL, NULL);
}

static void on_logs(struct skl_instance *i, struct skl_call *call, const struct skl_logs_req *req)
{
    (void)i;
    (void)req;
    HOST->complete(CTX, call, NULL, NULL);
}

static int on_open(const struct skl_host *host, const struct skl_value *const *values, struct skl_instance **ret_inst,
                   uint64_t *ret_caps, struct skl_error *err)
{
    (void)values;
    (void)ret_caps;
    (void)err;
    the.host = host;
    *ret_inst = &the;
    return 0;
}

static void on_close(struct skl_instance *i)
{
    (void)i;
}

static const struct skl_ops ops = {
    sizeof(ops), on_create, on_start, on_kill, on_remove, on_logs, NULL, NULL, NULL,
};

static const struct skl_driver driver = {
    sizeof(driver), SKL_DRIVER_MAGIC, SKL_ABI_MAJOR, SKL_ABI_MINOR, NAME, "1", "tries the host's services",
    0, NULL, &ops, on_open, on_close, NULL,
};

SKL_EXPORT const struct skl_driver *skl_driver_entry(const struct skl_abi *host_abi, struct skl_error *err)
{
    (void)host_abi;
    (void)err;
    return &driver;
}
