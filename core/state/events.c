/*
 * state/events.c - see events.h.
 *
 * Publishing happens in the middle of state changes, so nothing of a subscriber runs inside it: a subscription is
 * told by a call-soon. Those are queued in the order of publishing, and before whatever the publisher queues
 * afterwards (waiters): that is what "die before the waiter's answer" rests on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "state/internal.h"

/* ---- events ---- */

void event_ref(struct event *ev)
{
    ev->refs++;
}

void event_unref(struct event *ev)
{
    if (ev == NULL || --ev->refs > 0)
        return;
    free(ev->json);
    free(ev);
}

const char *event_attr(const struct event *ev, const char *key)
{
    for (size_t i = 0; i < ev->n_attrs; i++)
        if (strcmp(ev->attrs[i].key, key) == 0)
            return ev->attrs[i].value;
    return NULL;
}

static int by_attr_key(const void *a, const void *b)
{
    return strcmp(((const struct event_attr *)a)->key, ((const struct event_attr *)b)->key);
}

static const char *put(char **p, const char *s)
{
    size_t n = strlen(s) + 1;
    char *at = *p;

    memcpy(at, s, n);
    *p += n;
    return at;
}

static struct event *event_new(const char *type, const char *action, const char *id, const struct event_attr *attrs,
                               size_t n_attrs)
{
    size_t size = sizeof(struct event) + n_attrs * sizeof(*attrs) + strlen(type) + strlen(action) + strlen(id) + 3;
    struct event *ev;
    struct event_attr *copy;
    char *p;

    for (size_t i = 0; i < n_attrs; i++)
        size += strlen(attrs[i].key) + strlen(attrs[i].value) + 2;
    ev = xcalloc(1, size);
    copy = (struct event_attr *)(ev + 1);
    p = (char *)(copy + n_attrs);
    ev->refs = 1;
    ev->type = put(&p, type);
    ev->action = put(&p, action);
    ev->id = put(&p, id);
    for (size_t i = 0; i < n_attrs; i++) {
        copy[i].key = put(&p, attrs[i].key);
        copy[i].value = put(&p, attrs[i].value);
    }
    if (n_attrs > 0)
        qsort(copy, n_attrs, sizeof(*copy), by_attr_key);
    ev->attrs = copy;
    ev->n_attrs = n_attrs;
    return ev;
}

/* ---- subscriptions ---- */

struct events_sub {
    struct engine *e;
    struct events_opts opts;
    struct event **queue; /* a ring of cap, grown when needed: most listeners are idle */
    size_t cap, n, first;
    bool dropped;
    struct soon soon;
    struct list link;
};

static void on_soon(void *arg)
{
    struct events_sub *s = arg;

    if (s->opts.on_event != NULL)
        s->opts.on_event(s->opts.arg);
}

static void queue_grow(struct events_sub *s)
{
    size_t cap = s->cap > 0 ? s->cap * 2 : 16;
    struct event **queue = xcalloc(cap, sizeof(struct event *));

    for (size_t i = 0; i < s->n; i++)
        queue[i] = s->queue[(s->first + i) % s->cap];
    free(s->queue);
    s->queue = queue;
    s->cap = cap;
    s->first = 0;
}

static void sub_push(struct events_sub *s, struct event *ev)
{
    if (s->dropped || (s->opts.until != 0 && ev->time > s->opts.until) || !event_filter_match(s->opts.filter, ev))
        return;
    if (s->n == EVENTS_QUEUE) {
        s->dropped = true;
    } else {
        if (s->n == s->cap)
            queue_grow(s);
        s->queue[(s->first + s->n++) % s->cap] = ev;
        event_ref(ev);
    }
    loop_soon(s->e->loop, &s->soon);
}

struct events_sub *events_subscribe(struct engine *e, const struct events_opts *opts)
{
    struct events_sub *s = xcalloc(1, sizeof(*s));
    struct event_bus *bus = &e->events;

    s->e = e;
    s->opts = *opts;
    soon_init(&s->soon, on_soon, s);
    if (opts->since != 0) {
        for (size_t i = 0; i < bus->n; i++) {
            struct event *ev = bus->ring[(bus->next + EVENTS_RING - bus->n + i) % EVENTS_RING];

            if (ev->time >= opts->since)
                sub_push(s, ev);
        }
    }
    list_push_back(&bus->subs, &s->link);
    bus->n_subs++;
    return s;
}

struct event *events_next(struct events_sub *s)
{
    struct event *ev;

    if (s->n == 0)
        return NULL;
    ev = s->queue[s->first];
    s->first = (s->first + 1) % s->cap;
    s->n--;
    return ev;
}

bool events_dropped(const struct events_sub *s)
{
    return s->dropped;
}

void events_unsubscribe(struct events_sub *s)
{
    struct event *ev;

    if (s == NULL)
        return;
    while ((ev = events_next(s)) != NULL)
        event_unref(ev);
    soon_cancel(&s->soon);
    list_remove(&s->link);
    s->e->events.n_subs--;
    event_filter_free(s->opts.filter);
    free(s->queue);
    free(s);
}

size_t events_subscribers(const struct engine *e)
{
    return e->events.n_subs;
}

/* ---- the bus ---- */

void events_publish(struct engine *e, const char *type, const char *action, const char *id,
                    const struct event_attr *attrs, size_t n_attrs)
{
    struct event_bus *bus = &e->events;
    struct event *ev = event_new(type, action, id, attrs, n_attrs);

    ev->time = clock_wall();
    if (ev->time <= bus->last)
        ev->time = bus->last + 1;
    bus->last = ev->time;
    event_unref(bus->ring[bus->next]);
    bus->ring[bus->next] = ev;
    bus->next = (bus->next + 1) % EVENTS_RING;
    if (bus->n < EVENTS_RING)
        bus->n++;
    LIST_FOREACH_SAFE(node, tmp, &bus->subs)
        sub_push(LIST_ENTRY(node, struct events_sub, link), ev);
}

void events_init(struct engine *e)
{
    list_init(&e->events.subs);
}

void events_fini(struct engine *e)
{
    for (size_t i = 0; i < EVENTS_RING; i++)
        event_unref(e->events.ring[i]);
}
