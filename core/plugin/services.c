/*
 * plugin/services.c - what the host lends a driver: log, time, timers, storage, threads.
 *
 * The driver gets numbers for timers (handle.h) and one table of functions whose ctx is its plugin. Every function checks
 * what it is given: a driver is somebody else's code.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/str.h"
#include "plugin/internal.h"

#define LOG_LINE_MAX 4096

struct plugin_timer {
    struct list link;
    struct plugin *p;
    void *handle;
    struct timer timer;
    void (*fn)(void *arg);
    void *arg;
};

static void service_log(void *ctx, int32_t level, const char *message)
{
    struct plugin *p = ctx;
    enum log_level l = level <= SKL_LOG_ERROR  ? LOG_LEVEL_ERROR
                       : level == SKL_LOG_WARN ? LOG_LEVEL_WARN
                       : level == SKL_LOG_INFO ? LOG_LEVEL_INFO
                                               : LOG_LEVEL_DEBUG;

    if (message != NULL && log_get_level() >= l)
        log_write(l, p->file.driver.name, "%.*s", LOG_LINE_MAX, message);
}

static int64_t service_now_wall(void *ctx)
{
    (void)ctx;
    return clock_wall();
}

static int64_t service_now_mono(void *ctx)
{
    (void)ctx;
    return clock_mono();
}

static void service_random(void *ctx, void *p, size_t n)
{
    (void)ctx;
    random_bytes(p, n);
}

/* ---- timers ---- */

static void timer_drop(struct plugin_timer *t)
{
    list_remove(&t->link);
    handle_drop(&t->p->handles, t->handle);
    timer_fini(&t->timer);
    free(t);
}

static void on_timer(void *arg)
{
    struct plugin_timer *t = arg;
    void (*fn)(void *) = t->fn;
    void *fn_arg = t->arg;

    timer_drop(t);
    fn(fn_arg);
}

static struct skl_timer *service_timer_start(void *ctx, int64_t delay_ns, void (*fn)(void *arg), void *arg)
{
    struct plugin *p = ctx;
    struct plugin_timer *t;

    if (!plugin_on_loop(p, "timer_start"))
        return NULL;
    t = xcalloc(1, sizeof *t);
    t->p = p;
    t->fn = fn;
    t->arg = arg;
    t->handle = handle_new(&p->handles, HANDLE_TIMER, t, "a timer");
    if (t->handle == NULL) {
        plugin_fault(p, "more than %u timers, requests and calls at once", HANDLES_MAX);
        free(t);
        return NULL;
    }
    timer_init(p->loop, &t->timer, on_timer, t);
    timer_start(&t->timer, delay_ns);
    list_push_back(&p->timers, &t->link);
    return t->handle;
}

static void service_timer_stop(void *ctx, struct skl_timer *handle)
{
    struct plugin *p = ctx;
    struct plugin_timer *t;

    if (handle == NULL || !plugin_on_loop(p, "timer_stop"))
        return;
    t = handle_get(&p->handles, HANDLE_TIMER, handle);
    if (t != NULL)
        timer_drop(t);
    else
        plugin_fault(p, "timer_stop for a timer that is gone");
}

/* ---- storage ---- */

static bool key_ok(struct plugin *p, const char *key)
{
    if (key != NULL && key[0] != '\0' && text_ok(key, SKL_KV_KEY_MAX))
        return true;
    plugin_fault(p, "a storage key that is empty, too long or no text");
    return false;
}

static char *service_kv_get(void *ctx, const char *key, size_t *ret_len)
{
    struct plugin *p = ctx;
    size_t len = 0;
    char *value = NULL;

    if (plugin_on_loop(p, "kv_get") && key_ok(p, key) && p->host->kv.get != NULL)
        value = p->host->kv.get(p->host->kv.arg, p->file.driver.name, key, &len);
    if (ret_len != NULL)
        *ret_len = value != NULL ? len : 0;
    return value;
}

static int service_kv_put(void *ctx, const char *key, const void *value, size_t len, struct skl_error *err)
{
    struct plugin *p = ctx;

    if (!plugin_on_loop(p, "kv_put"))
        return error_set(err, SKL_ERR_INTERNAL, "not on the loop's thread");
    if (!key_ok(p, key) || (value != NULL && len > SKL_KV_VALUE_MAX))
        return error_set(err, SKL_ERR_INVALID, "key or value too long");
    if (p->host->kv.put == NULL)
        return error_set(err, SKL_ERR_UNAVAILABLE, "there is no storage in this mode");
    return p->host->kv.put(p->host->kv.arg, p->file.driver.name, key, value, len, err);
}

static void service_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

/* ---- threads ---- */

struct posted {
    struct plugin *p;
    void (*fn)(void *arg);
    void *arg;
};

static bool is_closed(struct plugin *p)
{
    bool closed;

    pthread_mutex_lock(&p->lock);
    closed = p->closed;
    pthread_mutex_unlock(&p->lock);
    return closed;
}

static void on_posted(void *arg)
{
    struct posted *k = arg;

    if (!is_closed(k->p))
        k->fn(k->arg);
    free(k);
}

static void service_post(void *ctx, void (*fn)(void *arg), void *arg)
{
    struct plugin *p = ctx;
    struct posted *k = xmalloc(sizeof *k);

    *k = (struct posted){.p = p, .fn = fn, .arg = arg};
    pthread_mutex_lock(&p->lock);
    if (p->closed)
        free(k);
    else
        loop_post(p->loop, on_posted, k);
    pthread_mutex_unlock(&p->lock);
}

struct job {
    struct plugin *p;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void job_work(void *arg)
{
    struct job *j = arg;

    j->work(j->arg);
}

static void job_done(void *arg)
{
    struct job *j = arg;

    if (!is_closed(j->p) && j->done != NULL)
        j->done(j->arg);
    free(j);
}

static void service_work(void *ctx, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct plugin *p = ctx;
    struct job *j;

    if (!plugin_on_loop(p, "work"))
        return;
    j = xmalloc(sizeof *j);
    *j = (struct job){.p = p, .work = work, .done = done, .arg = arg};
    loop_work(p->loop, job_work, job_done, j);
}

/* ---- the table ---- */

void services_init(struct plugin *p)
{
    p->services = (struct skl_host){
        .size = sizeof p->services,
        .abi_major = SKL_ABI_MAJOR,
        .abi_minor = SKL_ABI_MINOR,
        .ctx = p,
        .log = service_log,
        .now_wall = service_now_wall,
        .now_mono = service_now_mono,
        .random = service_random,
        .complete = service_complete,
        .call_deadline = service_call_deadline,
        .run_ended = service_run_ended,
        .timer_start = service_timer_start,
        .timer_stop = service_timer_stop,
        .http_submit = service_http_submit,
        .http_cancel = service_http_cancel,
        .log_push = service_log_push,
        .stream_on_credit = service_stream_on_credit,
        .kv_get = service_kv_get,
        .kv_put = service_kv_put,
        .free = service_free,
        .post = service_post,
        .work = service_work,
        .daemon_version = p->daemon_version,
        .daemon_id = p->daemon_id,
        .callback_url = p->callback_url,
    };
}

void services_close(struct plugin *p)
{
    http_requests_close(p);
    LIST_FOREACH_SAFE(node, next, &p->timers)
        timer_drop(LIST_ENTRY(node, struct plugin_timer, link));
}
