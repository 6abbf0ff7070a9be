/*
 * api/cloud_tail.c - see cloud_tail.h.
 *
 * The log is read again and again, each line is given once. It has ended when lines came and then none for QUIET_NS, or none came at all
 * for PATIENCE_NS: who waits for `docker run` waits no longer than that. A driver whose containers never have an agent has its lines
 * at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "api/cloud_tail.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"

#define POLL_NS (1 * NS_PER_S)
#define QUIET_NS (2 * NS_PER_S)
#define PATIENCE_NS (10 * NS_PER_S)
#define LOOK_NS (30 * NS_PER_S) /* without a line from the cloud in between */
#define LINES_MAX 200000u /* that are told apart; a longer log is read once */

/* What tells one line from another. The same line may be there several times with the same time. */
struct line_key {
    int64_t time;
    uint64_t hash, stream;
};

struct line {
    struct line_key key;
    unsigned given;  /* all in all */
    unsigned found;  /* in the look of that number */
    unsigned look;
    UT_hash_handle hh;
};

struct cloud_tail {
    struct container *c; /* a reference is held */
    struct plugin_call *call;
    const struct cloud_tail_ops *ops;
    void *arg;
    struct line *lines;
    struct timer timer;
    int64_t since, last; /* last: when a new line came, or the begin */
    unsigned look;
    bool wait, any, gone;
};

static void tail_free(struct cloud_tail *t)
{
    struct line *l, *tmp;

    HASH_ITER(hh, t->lines, l, tmp) {
        HASH_DEL(t->lines, l);
        free(l);
    }
    timer_fini(&t->timer);
    container_unref(t->c);
    free(t);
}

static void tail_end(struct cloud_tail *t)
{
    void (*fn)(void *arg) = t->ops->on_end;
    void *arg = t->arg;

    tail_free(t);
    fn(arg);
}

/* FNV-1a. */
static uint64_t hash_of(const char *p, size_t n)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)p[i]) * UINT64_C(1099511628211);
    return h;
}

static bool is_new(struct cloud_tail *t, const struct skl_log_entry *e)
{
    struct line_key key = {.time = e->time, .hash = hash_of(e->data, e->len), .stream = e->stream};
    struct line *l;

    HASH_FIND(hh, t->lines, &key, sizeof(key), l);
    if (l == NULL) {
        l = xcalloc(1, sizeof(*l));
        l->key = key;
        HASH_ADD(hh, t->lines, key, sizeof(l->key), l);
    }
    if (l->look != t->look)
        l->found = 0;
    l->look = t->look;
    if (++l->found <= l->given)
        return false;
    l->given = l->found;
    return true;
}

static bool on_entry(void *arg, const struct skl_log_entry *e)
{
    struct cloud_tail *t = arg;

    if (t->gone || !is_new(t, e))
        return true;
    t->any = true;
    t->last = clock_mono();
    if (!t->ops->on_line(t->arg, (uint8_t)e->stream, e->data, e->len)) {
        timer_stop(&t->timer); /* the reader's time, not the driver's */
        return false;
    }
    timer_start(&t->timer, LOOK_NS);
    return true;
}

static void on_done(void *arg, const struct skl_error *err)
{
    struct cloud_tail *t = arg;
    int64_t quiet;

    t->call = NULL;
    timer_stop(&t->timer);
    if (t->gone) {
        tail_free(t);
        return;
    }
    if (err != NULL)
        log_debug("api", "the cloud's log of %.12s: %s", t->c->id, err->message);
    quiet = clock_mono() - t->last;
    if (t->wait && quiet < (t->any ? QUIET_NS : PATIENCE_NS) && HASH_COUNT(t->lines) < LINES_MAX)
        timer_start(&t->timer, POLL_NS);
    else
        tail_end(t);
}

/* Time for a look; or one takes too long (its driver's logs never complete), and is the last. */
static void look(void *arg)
{
    struct cloud_tail *t = arg;
    struct skl_error err;

    if (t->call != NULL) {
        t->gone = true;
        plugin_call_cancel(t->call); /* on_done() frees, whenever the driver lets it come */
        t->ops->on_end(t->arg);
        return;
    }
    t->look++;
    t->call = container_cloud_logs(t->c, t->since, 0, -1, on_entry, on_done, t, &err);
    if (t->call != NULL)
        timer_start(&t->timer, LOOK_NS);
    else
        tail_end(t);
}

struct cloud_tail *cloud_tail_begin(struct container *c, bool wait, const struct cloud_tail_ops *ops, void *arg)
{
    struct cloud_tail *t;

    if (container_has_agent(c) || c->run == 0)
        return NULL;
    t = xcalloc(1, sizeof(*t));
    t->c = c;
    container_ref(c);
    t->ops = ops;
    t->arg = arg;
    t->wait = wait && (engine_caps(c->engine, c) & SKL_CAP_AGENT) != 0;
    t->since = c->run > 1 ? c->started : 0;
    t->last = clock_mono();
    timer_init(engine_loop(c->engine), &t->timer, look, t);
    timer_start(&t->timer, 0);
    return t;
}

void cloud_tail_resume(struct cloud_tail *t)
{
    if (t->call == NULL)
        return;
    timer_start(&t->timer, LOOK_NS);
    plugin_logs_resume(t->call);
}

void cloud_tail_cancel(struct cloud_tail *t)
{
    if (t == NULL)
        return;
    t->gone = true;
    if (t->call != NULL)
        plugin_call_cancel(t->call); /* on_done() frees */
    else
        tail_free(t);
}
