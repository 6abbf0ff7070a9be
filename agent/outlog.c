/*
 * agent/outlog.c - the output log of a process: records in a ring, kept until the reader has taken them.
 *
 * "Taken" is what the reader's window updates cover (on_credit), or what lies below the `from` of a new reader. That a stream
 * came to its end says nothing: the last bytes may still be on their way when the daemon is killed, and the next one asks for them. At
 * AGENT_OUTPUT_MAX the process's pipes are not read any more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "agent/agent.h"
#include "base/clock.h"

bool outlog_has_room(const struct outlog *o)
{
    return ring_len(&o->ring) < AGENT_OUTPUT_MAX;
}

static void wake_reader(struct outlog *o)
{
    if (o->reader != NULL)
        h2_stream_resume(o->reader);
}

static void put(struct outlog *o, uint8_t kind, const void *p, size_t n)
{
    struct record r = {.kind = kind, .len = (uint32_t)n, .time = clock_wall()};
    uint8_t head[RECORD_HEADER_SIZE];

    record_encode(&r, head);
    ring_put(&o->ring, head, sizeof(head));
    ring_put(&o->ring, p, n);
    wake_reader(o);
}

void outlog_add(struct outlog *o, uint8_t kind, const void *p, size_t n)
{
    if (!o->discard)
        put(o, kind, p, n);
}

void outlog_exit(struct outlog *o, const struct record_exit *e)
{
    uint8_t payload[12 + RECORD_EXIT_REASON_MAX];

    o->ended = true; /* first: the reader may be pulled at once */
    put(o, RECORD_EXIT, payload, record_exit_encode(e, payload));
}

/* ---- the reader ---- */

static ssize_t pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct outlog *o = arg;
    size_t n;

    *ret_p = ring_take(&o->ring, max, &n);
    *ret_eof = o->ended && o->ring.sent == o->ring.end;
    return n == 0 && !*ret_eof ? H2_BODY_WAIT : (ssize_t)n;
}

static void on_credit(void *arg, struct h2_stream *st, size_t n)
{
    struct outlog *o = arg;
    bool full = !outlog_has_room(o);

    if (st != o->reader)
        return;
    ring_ack(&o->ring, n);
    if (full && outlog_has_room(o) && o->on_room != NULL)
        o->on_room(o->arg);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct outlog *o = arg;

    (void)err;
    if (st != o->reader)
        return;
    o->reader = NULL;
    ring_rewind(&o->ring);
}

static const struct h2_stream_ops reader_ops = {.on_credit = on_credit, .on_close = on_close};

int outlog_read(struct outlog *o, struct h2_stream *st, uint64_t from, const char *const *headers)
{
    struct h2_body body = {.pull = pull, .arg = o};
    bool full = !outlog_has_room(o);

    if (from < o->ring.base)
        return 410;
    if (from > o->ring.end)
        return 409;
    if (o->reader != NULL) {
        struct h2_stream *old = o->reader;
        o->reader = NULL;
        h2_stream_cancel(old);
    }
    o->ring.sent = from;
    ring_ack(&o->ring, (size_t)(from - o->ring.base));
    ring_rewind(&o->ring);
    o->reader = st;
    h2_stream_set_ops(st, &reader_ops, o);
    h2_respond(st, 200, headers, &body);
    if (full && outlog_has_room(o) && o->on_room != NULL)
        o->on_room(o->arg);
    return 0;
}

void outlog_fini(struct outlog *o)
{
    if (o->reader != NULL)
        h2_stream_abandon(o->reader);
    o->reader = NULL;
    ring_fini(&o->ring);
}
