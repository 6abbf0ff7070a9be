/*
 * api/stats.c - GET /containers/{id}/stats (reference 2.10): samples about a second apart, each with the one before it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/chain.h"
#include "json/json.h"
#include "state/engine.h"

#define INTERVAL_NS NS_PER_S

struct stats {
    struct api_call *call;
    struct container *c;       /* a reference is held */
    struct timer timer;
    struct json_object *prev;  /* cpu_stats of the sample before */
    int64_t prev_read;
    bool stream, one_shot;
    bool asking;               /* the chain works on a sample */
    bool gone;
};

static void stats_free(struct stats *s)
{
    timer_fini(&s->timer);
    json_object_put(s->prev);
    container_unref(s->c);
    free(s);
}

static void stats_end(struct stats *s, bool whole)
{
    struct api_call *c = s->call;
    struct http_req *req = c->req;

    http_req_on_gone(req, NULL, NULL);
    api_call_free(c);
    stats_free(s);
    if (whole)
        http_res_end(req);
    else
        http_res_abort(req);
}

static void write_sample(struct stats *s, struct json_object *sample)
{
    int64_t now = clock_wall();
    struct json_object *cpu = sample != NULL ? json_member(sample, "cpu_stats") : NULL;
    static const char *const parts[] = {"pids_stats", "blkio_stats", "cpu_stats", "memory_stats", "networks"};
    struct buf out;
    struct jw w;

    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_time(&w, "read", sample != NULL ? now : 0);
    jw_time(&w, "preread", s->prev_read);
    jw_i64(&w, "num_procs", 0);
    jw_raw(&w, "storage_stats", "{}");
    jw_raw(&w, "precpu_stats", s->prev != NULL ? json_object_to_json_string_ext(s->prev, JSON_C_TO_STRING_PLAIN)
                                               : "{\"cpu_usage\":{\"total_usage\":0,\"usage_in_kernelmode\":0,\"usage_in_usermode\":0},"
                                                 "\"throttling_data\":{\"periods\":0,\"throttled_periods\":0,\"throttled_time\":0}}");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct json_object *v = sample != NULL ? json_member(sample, parts[i]) : NULL;
        if (v != NULL)
            jw_raw(&w, parts[i], json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
        else if (i < 4)
            jw_raw(&w, parts[i], i == 2 ? "{\"cpu_usage\":{\"total_usage\":0}}" : "{}");
    }
    jw_printf(&w, "name", "/%s", s->c->name);
    jw_string(&w, "id", s->c->id);
    jw_object_end(&w);
    buf_putc(&out, '\n');
    http_res_write(s->call->req, out.data, out.len);
    buf_fini(&out);
    json_object_put(s->prev);
    s->prev = cpu != NULL ? json_dup(cpu) : NULL;
    s->prev_read = now;
}

static void on_sample(void *arg, const struct skl_error *err, const char *json, size_t len)
{
    struct stats *s = arg;
    struct json_object *o = err == NULL ? json_parse_object(json, len, 1024 * 1024, NULL) : NULL;

    s->asking = false;
    if (s->gone) {
        json_object_put(o);
        stats_end(s, false);
        return;
    }
    /* One answer wants a pair of samples, so that the client can compute a rate. */
    if (!s->stream && !s->one_shot && s->prev == NULL && o != NULL) {
        s->prev = json_dup(json_member(o, "cpu_stats"));
        s->prev_read = clock_wall();
        json_object_put(o);
        timer_start(&s->timer, INTERVAL_NS);
        return;
    }
    write_sample(s, o);
    json_object_put(o);
    if (!s->stream)
        stats_end(s, true);
    else
        timer_start(&s->timer, INTERVAL_NS);
}

static void on_timer(void *arg)
{
    struct stats *s = arg;

    if (s->c->status == CONTAINER_REMOVED) {
        stats_end(s, true);
        return;
    }
    if (!container_is_live(s->c)) {
        write_sample(s, NULL);
        if (!s->stream)
            stats_end(s, true);
        else
            timer_start(&s->timer, INTERVAL_NS);
        return;
    }
    if (!http_res_writable(s->call->req)) { /* a slow reader misses samples */
        timer_start(&s->timer, INTERVAL_NS);
        return;
    }
    s->asking = true;
    chain_stats(s->call->api->opts.chain, s->c, on_sample, s);
}

static void on_gone(void *arg)
{
    struct stats *s = arg;

    if (s->asking)
        s->gone = true; /* the sample's answer ends us */
    else
        stats_end(s, false);
}

void api_containers_stats(struct api_call *c)
{
    struct skl_error err = {0};
    struct container *k = container_find(c->api->opts.engine, api_param(c, "id"), &err);
    struct stats *s;

    if (k == NULL) {
        api_reply_error(c, &err);
        return;
    }
    s = xcalloc(1, sizeof(*s));
    s->call = c;
    s->c = k;
    container_ref(k);
    s->stream = api_query_bool(c, "stream", true);
    s->one_shot = api_query_bool(c, "one-shot", false);
    timer_init(c->api->opts.loop, &s->timer, on_timer, s);
    if (s->stream && s->one_shot) {
        stats_free(s);
        api_reply_fail(c, SKL_ERR_INVALID, "cannot have stream=true and one-shot=true");
        return;
    }
    http_res_begin(c->req, 200, "application/json", HTTP_RES_CHUNKED, 0);
    http_req_on_gone(c->req, on_gone, s);
    timer_start(&s->timer, 0);
}
