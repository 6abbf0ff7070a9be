/*
 * state/event_filter.c - which events a listener wants (reference 2.5.6).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "state/internal.h"

/* Keys that name an object are the event's type as well: "container" wants events of that type whose ID begins with the
 * value or whose name is the value. */
static const char *const filter_keys[] = {"event",  "type",   "scope",  "label",   "container", "image", "network",
                                          "volume", "daemon", "plugin", "service", "node",      "secret", "config"};
#define KEY_OBJECTS 4 /* from here on: objects */
#define N_KEYS ARRAY_LEN(filter_keys)

struct event_filter {
    char **values[N_KEYS];
    size_t n[N_KEYS];
    size_t total;
};

struct event_filter *event_filter_new(void)
{
    return xcalloc(1, sizeof(struct event_filter));
}

void event_filter_free(struct event_filter *f)
{
    if (f == NULL)
        return;
    for (size_t k = 0; k < N_KEYS; k++) {
        for (size_t i = 0; i < f->n[k]; i++)
            free(f->values[k][i]);
        free(f->values[k]);
    }
    free(f);
}

bool event_filter_add(struct event_filter *f, const char *key, const char *value)
{
    for (size_t k = 0; k < N_KEYS; k++) {
        if (strcmp(filter_keys[k], key) != 0)
            continue;
        if (f->total >= EVENT_FILTERS_MAX)
            return false;
        f->values[k] = xrealloc(f->values[k], (f->n[k] + 1) * sizeof(char *));
        f->values[k][f->n[k]++] = xstrdup(value);
        f->total++;
        return true;
    }
    return false;
}

static bool match_action(const char *want, const char *action)
{
    if (strcmp(want, action) == 0)
        return true;
    if (strcmp(want, "health_status") != 0 && strcmp(want, "exec_create") != 0 && strcmp(want, "exec_start") != 0)
        return false;
    return str_starts(action, want);
}

/* "k" or "k=v". */
static bool match_label(const char *want, const struct event *ev)
{
    const char *eq = strchr(want, '=');
    CLEANUP(free_p) char *key = eq != NULL ? xstrndup(want, (size_t)(eq - want)) : xstrdup(want);
    const char *value = event_attr(ev, key);

    return value != NULL && (eq == NULL || strcmp(value, eq + 1) == 0);
}

static bool match_image(const char *want, const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *colon = strchr(slash != NULL ? slash : name, ':');

    if (strcmp(want, name) == 0)
        return true;
    return colon != NULL && strlen(want) == (size_t)(colon - name) && memcmp(want, name, strlen(want)) == 0;
}

static bool match_object(const char *type, const char *want, const struct event *ev)
{
    const char *name = event_attr(ev, "name");

    if (strcmp(type, "image") == 0) {
        const char *image = strcmp(ev->type, "image") == 0 ? name : event_attr(ev, "image");

        if (strcmp(ev->type, "image") == 0 && strcmp(ev->id, want) == 0)
            return true;
        return (image != NULL && match_image(want, image)) ||
               (strcmp(ev->type, "image") == 0 && match_image(want, ev->id));
    }
    if (strcmp(ev->type, type) != 0)
        return false;
    return str_starts(ev->id, want) || (name != NULL && strcmp(name, want) == 0);
}

static bool match_value(size_t k, const char *want, const struct event *ev)
{
    switch (k) {
    case 0:
        return match_action(want, ev->action);
    case 1:
        return strcmp(want, ev->type) == 0;
    case 2:
        return strcmp(want, "local") == 0;
    case 3:
        return match_label(want, ev);
    default:
        return match_object(filter_keys[k], want, ev);
    }
}

bool event_filter_match(const struct event_filter *f, const struct event *ev)
{
    for (size_t k = 0; f != NULL && k < N_KEYS; k++) {
        size_t hits = 0;

        for (size_t i = 0; i < f->n[k]; i++)
            hits += match_value(k, f->values[k][i], ev);
        if (f->n[k] > 0 && hits < (k == 3 ? f->n[k] : 1))
            return false;
    }
    return true;
}
