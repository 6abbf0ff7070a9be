/*
 * state/events.h - the event bus.
 *
 * An event is made once, numbered by its time, kept in a ring of the last EVENTS_RING for replay, and handed to each
 * subscription that wants it. A subscription has a queue of at most EVENTS_QUEUE events; a listener that falls behind by
 * more is dropped (events_dropped() is true and no more events come): it never holds up the daemon.
 *
 * time and timeNano come from the one clock reading in `time`. Times are strictly increasing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_EVENTS_H
#define SKL_STATE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct events_sub;

#define EVENTS_RING 256u
#define EVENTS_QUEUE 1024u

struct event_attr {
    const char *key, *value;
};

/* Immutable, shared: one block of memory. */
struct event {
    unsigned refs;
    int64_t time;               /* wall ns */
    const char *type;           /* "container", "image", "network", "volume", "daemon", "builder" */
    const char *action;         /* "create", "exec_create: ls -l", "health_status: healthy" */
    const char *id;             /* Actor.ID */
    size_t n_attrs;
    const struct event_attr *attrs; /* sorted by key */
    char *json;                 /* for core/api: the rendered line, made once; freed with the event; NULL at first */
    size_t json_len;
};
void event_ref(struct event *ev);
void event_unref(struct event *ev);
const char *event_attr(const struct event *ev, const char *key); /* or NULL */

void events_publish(struct engine *e, const char *type, const char *action, const char *id,
                    const struct event_attr *attrs, size_t n_attrs);

/* ---- filters ---- */
/* Values of one key are alternatives, except labels, which must all match; different keys must all match. Keys:
 * container daemon event image label network plugin scope type volume ... (reference 2.5.6). */
#define EVENT_FILTERS_MAX 256u
struct event_filter;
struct event_filter *event_filter_new(void);
void event_filter_free(struct event_filter *f);
/* false: unknown key, or too many. */
bool event_filter_add(struct event_filter *f, const char *key, const char *value);
bool event_filter_match(const struct event_filter *f, const struct event *ev); /* f NULL: true */

/* ---- subscriptions ---- */
struct events_opts {
    int64_t since;                    /* wall; 0: no replay */
    int64_t until;                    /* wall; 0: none. Later events are not queued; closing in time is the caller's */
    struct event_filter *filter;      /* owned by the subscription from now on; or NULL */
    void (*on_event)(void *arg);      /* there is something to take; once per batch, on the loop */
    void *arg;
};
/* Replayed events are queued when this returns (and on_event follows). */
struct events_sub *events_subscribe(struct engine *e, const struct events_opts *opts);
/* The next event, oldest first; the caller unrefs. NULL: none now (on_event will come). */
struct event *events_next(struct events_sub *s);
bool events_dropped(const struct events_sub *s);
void events_unsubscribe(struct events_sub *s);
size_t events_subscribers(const struct engine *e); /* NEventsListener */

#endif
