/*
 * plugin/stream.c - log entries between a driver, which pushes, and the core, which takes.
 *
 * The driver may push as many entries as there are free places in the queue (its credit), and none while the queued bytes
 * exceed their bound. The core takes entries on a turn of its own, never on the driver's stack. When a
 * driver that was told to wait may go on, its on_credit function is called.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "plugin/internal.h"

struct queued_entry {
    struct list link;
    struct skl_log_entry entry;
    char data[];
};

/* After a wait the driver goes on when this much is free: it is woken for a batch, not for each entry. */
#define STREAM_RESUME_CREDIT (STREAM_ENTRIES_MAX / 2)

int log_stream_init(struct log_stream *s, struct plugin *p, void (*wake)(void *arg), void *arg)
{
    memset(s, 0, sizeof *s);
    s->p = p;
    s->wake = wake;
    s->wake_arg = arg;
    list_init(&s->entries);
    s->handle = handle_new(&p->handles, HANDLE_STREAM, s, "a log stream");
    return s->handle != NULL ? 0 : -1;
}

static void drop_entries(struct log_stream *s)
{
    LIST_FOREACH_SAFE(node, next, &s->entries)
    {
        struct queued_entry *q = LIST_ENTRY(node, struct queued_entry, link);
        list_remove(&q->link);
        free(q);
    }
    s->n = 0;
    s->bytes = 0;
}

void log_stream_close(struct log_stream *s)
{
    if (s->handle == NULL)
        return;
    handle_drop(&s->p->handles, s->handle);
    s->handle = NULL;
    if (s->dropped > 1)
        plugin_fault(s->p, "logs: %llu entries in all were dropped", (unsigned long long)s->dropped);
}

void log_stream_fini(struct log_stream *s)
{
    log_stream_close(s);
    drop_entries(s);
}

void log_stream_discard(struct log_stream *s)
{
    s->gone = true;
    drop_entries(s);
}

static int64_t credit(const struct log_stream *s)
{
    return s->bytes >= STREAM_BYTES_MAX ? 0 : STREAM_ENTRIES_MAX - s->n;
}

static void wake_driver(struct log_stream *s)
{
    void (*fn)(void *arg) = s->on_credit;

    if (!s->exhausted || s->handle == NULL || credit(s) < STREAM_RESUME_CREDIT)
        return;
    s->exhausted = false;
    if (fn != NULL)
        fn(s->on_credit_arg);
}

void log_stream_deliver(struct log_stream *s, plugin_log_fn fn, void *arg)
{
    while (!s->paused && !s->gone && !list_empty(&s->entries)) {
        struct queued_entry *q = LIST_ENTRY(s->entries.next, struct queued_entry, link);
        list_remove(&q->link);
        s->n--;
        s->bytes -= q->entry.len;
        if (!fn(arg, &q->entry))
            s->paused = true;
        free(q);
    }
    wake_driver(s);
}

static int64_t refuse(struct log_stream *s, const char *why)
{
    if (s->dropped++ == 0)
        plugin_fault(s->p, "logs: %s; the entry is dropped", why);
    return credit(s);
}

static void enqueue(struct log_stream *s, const struct skl_log_entry *e)
{
    struct queued_entry *q = xmalloc(sizeof *q + e->len);

    memcpy(q->data, e->data, e->len);
    q->entry = *e;
    q->entry.stream = e->stream == 2 ? 2 : 1;
    q->entry.data = q->data;
    if (list_empty(&s->entries))
        s->wake(s->wake_arg);
    list_push_back(&s->entries, &q->link);
    s->n++;
    s->bytes += e->len;
}

int64_t service_log_push(void *ctx, struct skl_stream *handle, const struct skl_log_entry *e)
{
    struct plugin *p = ctx;
    struct log_stream *s;
    struct skl_log_entry mine;

    if (!plugin_on_loop(p, "log_push"))
        return -1;
    s = handle_get(&p->handles, HANDLE_STREAM, handle);
    if (s == NULL) {
        plugin_fault(p, "log_push for a stream that is not open (its call was completed)");
        return -1;
    }
    if (s->gone)
        return -1;
    if (e == NULL || take_struct(&mine, sizeof mine, e, TAKE_MIN(struct skl_log_entry, len)) < 0)
        return refuse(s, "an entry of a wrong size");
    if (mine.len > SKL_LOG_ENTRY_MAX || (mine.len > 0 && mine.data == NULL))
        return refuse(s, "an entry longer than SKL_LOG_ENTRY_MAX");
    if (credit(s) <= 0)
        return refuse(s, "an entry was pushed beyond the credit");
    enqueue(s, &mine);
    if (credit(s) <= 0)
        s->exhausted = true;
    return credit(s);
}

void service_stream_on_credit(void *ctx, struct skl_stream *handle, void (*fn)(void *arg), void *arg)
{
    struct plugin *p = ctx;
    struct log_stream *s;

    if (!plugin_on_loop(p, "stream_on_credit"))
        return;
    s = handle_get(&p->handles, HANDLE_STREAM, handle);
    if (s == NULL) {
        plugin_fault(p, "stream_on_credit for a stream that is not open (its call was completed)");
        return;
    }
    s->on_credit = fn;
    s->on_credit_arg = arg;
}
