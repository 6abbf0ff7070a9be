/*
 * api/events.c - GET /events (reference 2.5): the head goes out before any event; a line is rendered once for all
 * listeners; one that falls behind is cut off.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/filters.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "state/engine.h"

#define EVENT_LINE_MAX (1024u * 1024)

struct listener {
    struct api_call *call;
    struct events_sub *sub;
    struct timer until;
};

/* Legacy fields for containers and images (reference 2.5.2). */
static void render(struct event *ev)
{
    bool legacy = str_eq(ev->type, "container") || str_eq(ev->type, "image");
    const char *image = event_attr(ev, "image");
    struct buf b;
    struct jw w;

    buf_init(&b, EVENT_LINE_MAX);
    jw_init(&w, &b);
    jw_object(&w, NULL);
    if (legacy) {
        jw_string(&w, "status", ev->action);
        jw_string(&w, "id", ev->id);
        if (image != NULL && str_eq(ev->type, "container"))
            jw_string(&w, "from", image);
    }
    jw_string(&w, "Type", ev->type);
    jw_string(&w, "Action", ev->action);
    jw_object(&w, "Actor");
    jw_string(&w, "ID", ev->id);
    jw_object(&w, "Attributes");
    for (size_t i = 0; i < ev->n_attrs; i++)
        jw_key_string(&w, ev->attrs[i].key, ev->attrs[i].value);
    jw_object_end(&w);
    jw_object_end(&w);
    jw_string(&w, "scope", "local");
    jw_i64(&w, "time", ev->time / NS_PER_S);
    jw_i64(&w, "timeNano", ev->time);
    jw_object_end(&w);
    buf_putc(&b, '\n');
    ev->json = buf_steal(&b, &ev->json_len);
}

static void listener_end(struct listener *l, bool whole)
{
    struct http_req *req = l->call->req;

    http_req_on_gone(req, NULL, NULL);
    http_res_on_drain(req, NULL, NULL);
    timer_fini(&l->until);
    events_unsubscribe(l->sub);
    api_call_free(l->call);
    free(l);
    if (whole)
        http_res_end(req);
    else
        http_res_abort(req);
}

static void pump(struct listener *l)
{
    struct event *ev;

    while (http_res_writable(l->call->req) && (ev = events_next(l->sub)) != NULL) {
        if (ev->json == NULL)
            render(ev);
        http_res_write(l->call->req, ev->json, ev->json_len);
        event_unref(ev);
    }
    if (events_dropped(l->sub))
        listener_end(l, false);
}

static void on_event(void *arg)
{
    pump(arg);
}

static void on_gone(void *arg)
{
    listener_end(arg, false);
}

static void on_until(void *arg)
{
    struct listener *l = arg;

    pump(l);
    listener_end(l, true);
}

/* The filters of a subscription. NULL with err when a key is unknown. */
static struct event_filter *make_filter(const struct filters *f, struct skl_error *err)
{
    struct event_filter *ef = event_filter_new();

    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; k < f->items[i].n; k++)
            if (!event_filter_add(ef, f->items[i].key, f->items[i].values[k])) {
                error_set(err, SKL_ERR_INVALID, "invalid filter '%s'", f->items[i].key);
                event_filter_free(ef);
                return NULL;
            }
    return ef;
}

static int read_opts(struct api_call *c, struct events_opts *o, struct skl_error *err)
{
    struct filters f;
    int rc = 0;

    if (api_query_time(c, "since", &o->since, err) < 0 || api_query_time(c, "until", &o->until, err) < 0)
        return -1;
    if (o->since != 0 && o->until != 0 && o->until < o->since)
        return error_set(err, SKL_ERR_INVALID, "`since` time (%s) cannot be after `until` time (%s)", api_query(c, "since"),
                         api_query(c, "until"));
    if (filters_parse(api_query(c, "filters"), NULL, &f, err) < 0)
        rc = -1;
    else if (f.n > 0 && (o->filter = make_filter(&f, err)) == NULL)
        rc = -1;
    filters_fini(&f);
    return rc;
}

void api_events(struct api_call *c)
{
    struct events_opts opts = {.on_event = on_event};
    struct skl_error err = {0};
    struct listener *l;
    int64_t now = clock_wall();

    if (read_opts(c, &opts, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    l = xcalloc(1, sizeof(*l));
    l->call = c;
    timer_init(c->api->opts.loop, &l->until, on_until, l);
    http_res_begin(c->req, 200, "application/json", HTTP_RES_CHUNKED, 0);
    opts.arg = l;
    l->sub = events_subscribe(c->api->opts.engine, &opts);
    http_res_on_drain(c->req, on_event, l);
    http_req_on_gone(c->req, on_gone, l);
    if (opts.until != 0)
        timer_start(&l->until, opts.until > now ? opts.until - now : 0);
}
