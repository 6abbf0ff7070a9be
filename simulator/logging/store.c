/*
 * simulator/logging/store.c - all log entries in the order of entries:list: by time, equal ones by insert ID, then as they came.
 *
 * A sorted array: most entries are the newest and go to its end, others where they belong. Bounded in number and in bytes: beyond that the
 * oldest go, as retention would have it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "simulator/logging/logging.h"

static void drop_first(struct log_store *st)
{
    struct log_entry *e = st->v[st->first++];

    st->bytes -= e->size;
    log_entry_free(e);
}

void log_store_fini(struct log_store *st)
{
    while (st->first < st->end)
        drop_first(st);
    free(st->v);
    *st = (struct log_store){0};
}

size_t log_store_count(const struct log_store *st)
{
    return st->end - st->first;
}

const struct log_entry *log_store_at(const struct log_store *st, size_t i)
{
    return st->v[st->first + i];
}

/* < 0: e stands before p. */
static int compare(const struct log_entry *e, const struct log_position *p)
{
    int ids;

    if (e->time != p->time)
        return e->time < p->time ? -1 : 1;
    ids = strcmp(e->insert_id, p->insert_id);
    if (ids != 0)
        return ids;
    return e->seq < p->seq ? -1 : e->seq > p->seq;
}

size_t log_store_after(const struct log_store *st, const struct log_position *p)
{
    size_t from = 0, to = log_store_count(st);

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare(log_store_at(st, middle), p) <= 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static void make_room(struct log_store *st)
{
    size_t n = log_store_count(st);

    if (st->end < st->cap)
        return;
    if (st->first <= n) { /* else there is room in front */
        st->cap = st->cap > 0 ? st->cap * 2 : 1024;
        st->v = xrealloc(st->v, st->cap * sizeof(struct log_entry *));
    }
    memmove(st->v, st->v + st->first, n * sizeof(struct log_entry *));
    st->first = 0;
    st->end = n;
}

void log_store_add(struct log_store *st, struct log_entry *e)
{
    struct log_position p = {e->time, e->insert_id, st->seq};
    size_t at, n;

    e->seq = st->seq++;
    log_entry_measure(e);
    make_room(st);
    n = log_store_count(st);
    at = n == 0 || compare(log_store_at(st, n - 1), &p) <= 0 ? n : log_store_after(st, &p);
    memmove(st->v + st->first + at + 1, st->v + st->first + at, (n - at) * sizeof(struct log_entry *));
    st->v[st->first + at] = e;
    st->end++;
    st->bytes += e->size;
    while (log_store_count(st) > ENTRIES_MAX || (st->bytes > ENTRIES_BYTES_MAX && log_store_count(st) > 1))
        drop_first(st);
}

size_t log_store_remove(struct log_store *st, bool (*which)(void *arg, const struct log_entry *e), void *arg)
{
    size_t kept = st->first, removed;

    for (size_t i = st->first; i < st->end; i++) {
        struct log_entry *e = st->v[i];
        if (!which(arg, e)) {
            st->v[kept++] = e;
            continue;
        }
        st->bytes -= e->size;
        log_entry_free(e);
    }
    removed = st->end - kept;
    st->end = kept;
    return removed;
}

/* 24 hex digits that sort as they were made. */
void log_insert_id_new(struct log_store *st, int64_t time, char out[25])
{
    snprintf(out, 25, "%08llx%016llx", (unsigned long long)(time / NS_PER_S) & 0xffffffff, (unsigned long long)++st->seq);
}
