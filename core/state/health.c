/*
 * state/health.c - health checks: a probe every interval while the container runs (reference 2.15.7).
 *
 *   starting --success--> healthy --`retries` failures in a row--> unhealthy --success--> healthy
 *
 * Failures within the start period don't count; while it lasts and nothing has succeeded, probes come every start
 * interval. One probe at a time: the next is timed from the end of the last. An event is published when the status
 * changes, and only then. A probe that could not be made because the agent is away says nothing about health.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/internal.h"

#define INTERVAL_DEFAULT (30 * NS_PER_S)
#define TIMEOUT_DEFAULT (30 * NS_PER_S)
#define START_INTERVAL_DEFAULT (5 * NS_PER_S)
#define RETRIES_DEFAULT 3

struct health_run {
    struct timer timer;
    int64_t began;        /* mono: of the container's run */
    int64_t probe_began;  /* wall */
};

/* A probe on its way; may come back after its run. */
struct probe {
    struct container *c;
    uint32_t run;
};

const char *health_status_name(enum health_status s)
{
    static const char *const names[] = {"none", "starting", "healthy", "unhealthy"};

    return names[s];
}

/* ---- configuration ---- */

static char **probe_argv(struct json_object *test)
{
    size_t n = test != NULL && json_object_is_type(test, json_type_array) ? json_object_array_length(test) : 0;
    const char *kind = n > 0 ? json_string_or(json_object_array_get_idx(test, 0), "") : "";
    char **argv;

    if (n < 2 || (strcmp(kind, "CMD") != 0 && strcmp(kind, "CMD-SHELL") != 0))
        return NULL;
    if (strcmp(kind, "CMD-SHELL") == 0) {
        const char *const shell[] = {"/bin/sh", "-c", json_string_or(json_object_array_get_idx(test, 1), ""), NULL};

        return strv_dup(shell);
    }
    argv = xcalloc(n, sizeof(*argv));
    for (size_t i = 1; i < n; i++)
        argv[i - 1] = xstrdup(json_string_or(json_object_array_get_idx(test, i), ""));
    return argv;
}

static int64_t span(struct json_object *o, const char *key, int64_t if_zero)
{
    int64_t ns = 0;

    json_get_i64(o, key, &ns, NULL);
    return ns > 0 ? ns : if_zero;
}

void health_derive(struct container *c, struct json_object *healthcheck)
{
    char **argv = probe_argv(json_member(healthcheck, "Test"));
    struct health *h;

    if (argv == NULL)
        return;
    h = c->health = xcalloc(1, sizeof(*h));
    h->test = argv;
    h->status = HEALTH_STARTING;
    h->interval = span(healthcheck, "Interval", INTERVAL_DEFAULT);
    h->timeout = span(healthcheck, "Timeout", TIMEOUT_DEFAULT);
    h->start_period = span(healthcheck, "StartPeriod", 0);
    h->start_interval = span(healthcheck, "StartInterval", START_INTERVAL_DEFAULT);
    h->retries = (int)span(healthcheck, "Retries", RETRIES_DEFAULT);
}

/* ---- the log ---- */

static void log_clear(struct health *h)
{
    for (size_t i = 0; i < h->n_log; i++)
        free(h->log[i].output);
    h->n_log = 0;
}

/* At most HEALTH_OUTPUT_MAX bytes of valid UTF-8. */
static char *clean_output(const char *s, size_t n)
{
    struct buf b;

    buf_init(&b, HEALTH_OUTPUT_MAX + 8);
    for (size_t i = 0; i < n && b.len < HEALTH_OUTPUT_MAX;) {
        size_t k = utf8_sequence(s + i, n - i);

        if (k > 0 && s[i] != '\0')
            buf_append(&b, s + i, k);
        else
            buf_puts(&b, "\xef\xbf\xbd");
        i += k > 0 ? k : 1;
    }
    return buf_steal(&b, NULL);
}

static void log_add(struct health *h, int code, const char *output, size_t len)
{
    if (h->n_log == HEALTH_LOG_MAX) {
        free(h->log[0].output);
        memmove(h->log, h->log + 1, (HEALTH_LOG_MAX - 1) * sizeof(h->log[0]));
        h->n_log--;
    }
    h->log[h->n_log++] = (struct health_entry){h->run->probe_began, clock_wall(), code, clean_output(output, len)};
}

/* ---- probing ---- */

static bool starting_up(const struct container *c)
{
    const struct health *h = c->health;

    return h->status == HEALTH_STARTING && loop_now(c->engine->loop) - h->run->began < h->start_period;
}

static void next_probe(struct container *c)
{
    struct health *h = c->health;

    timer_start(&h->run->timer, starting_up(c) ? h->start_interval : h->interval);
}

static void set_status(struct container *c, enum health_status s)
{
    char action[48];

    if (c->health->status == s)
        return;
    c->health->status = s;
    container_touch(c);
    snprintf(action, sizeof(action), "health_status: %s", health_status_name(s));
    container_event(c, action, NULL);
}

static void judge(struct container *c, int code)
{
    struct health *h = c->health;

    if (code == 0) {
        h->streak = 0;
        set_status(c, HEALTH_HEALTHY);
        return;
    }
    if (starting_up(c))
        return;
    h->streak++;
    if (h->streak >= h->retries)
        set_status(c, HEALTH_UNHEALTHY);
}

static void on_probe_done(void *arg, int code, const char *output, size_t len, const struct skl_error *err)
{
    struct probe *p = arg;
    struct container *c = p->c;
    struct health *h = c->health;
    bool stale = p->run != c->run || h->run == NULL || !container_is_live(c);

    engine_job_free(p);
    if (!stale) {
        if (code >= 0) {
            log_add(h, code, output, len);
            judge(c, code);
        } else if (err == NULL || err->kind != SKL_ERR_UNAVAILABLE) {
            log_add(h, -1, err != NULL ? err->message : "", err != NULL ? strlen(err->message) : 0);
            judge(c, -1);
        }
        container_touch(c);
        next_probe(c);
    }
    container_unref(c);
}

static void on_timer(void *arg)
{
    struct container *c = arg;
    struct engine *e = c->engine;
    struct health *h = c->health;
    struct probe *p;

    if (c->status != CONTAINER_RUNNING || !container_has_agent(c) || !e->runner->connected(e->runner_ctx, c)) {
        next_probe(c); /* paused, or the agent is away */
        return;
    }
    p = engine_job_new(e, sizeof(*p), NULL);
    p->c = c;
    p->run = c->run;
    container_ref(c);
    h->run->probe_began = clock_wall();
    e->runner->probe(e->runner_ctx, c, (const char *const *)h->test, h->timeout, on_probe_done, p);
}

/* ---- life ---- */

void health_started(struct container *c)
{
    struct health *h = c->health;

    if (h == NULL)
        return;
    log_clear(h);
    h->status = HEALTH_STARTING;
    h->streak = 0;
    if (h->run == NULL) {
        h->run = xcalloc(1, sizeof(*h->run));
        timer_init(c->engine->loop, &h->run->timer, on_timer, c);
    }
    h->run->began = loop_now(c->engine->loop);
    next_probe(c);
}

void health_stopped(struct container *c)
{
    struct health *h = c->health;

    if (h == NULL || h->run == NULL)
        return;
    timer_fini(&h->run->timer);
    free(h->run);
    h->run = NULL;
    if (h->status != HEALTH_NONE)
        h->status = HEALTH_UNHEALTHY; /* as moby: not shown as healthy once it is gone */
}

void health_free(struct container *c)
{
    struct health *h = c->health;

    if (h == NULL)
        return;
    health_stopped(c);
    log_clear(h);
    strv_free(h->test);
    free(h);
    c->health = NULL;
}
