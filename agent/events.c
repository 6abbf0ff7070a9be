/*
 * agent/events.c - GET /events: JSON objects, one a line, as they happen.
 *
 * A listener that does not read is cut off at EVENTS_QUEUE_MAX: the stream is reset.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "agent/request.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#define EVENTS_QUEUE_MAX (64u * 1024)

struct listener {
    struct list link;
    struct h2_stream *stream;
    struct ring ring;
    bool overrun;
};

static ssize_t pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct listener *l = arg;
    size_t n;

    if (l->overrun)
        return H2_BODY_ABORT;
    ring_ack(&l->ring, (size_t)(l->ring.sent - l->ring.base)); /* what was lent last time is copied */
    *ret_p = ring_take(&l->ring, max, &n);
    *ret_eof = false;
    return n > 0 ? (ssize_t)n : H2_BODY_WAIT;
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct listener *l = arg;

    (void)st;
    (void)err;
    list_remove(&l->link);
    ring_fini(&l->ring);
    free(l);
}

static const struct h2_stream_ops ops = {.on_close = on_close};

static void push(struct listener *l, const char *text, size_t n)
{
    if (ring_len(&l->ring) + n > EVENTS_QUEUE_MAX)
        l->overrun = true;
    else
        ring_put(&l->ring, text, n);
    h2_stream_resume(l->stream);
}

void events_emit(struct agent *a, struct json_object *o)
{
    struct buf b;

    buf_init(&b, EVENTS_QUEUE_MAX);
    if (json_emit(&b, o) == 0 && buf_putc(&b, '\n') == 0)
        LIST_FOREACH_SAFE(n, tmp, &a->events)
            push(LIST_ENTRY(n, struct listener, link), b.data, b.len);
    buf_fini(&b);
    json_object_put(o);
}

bool events_handle(struct request *r)
{
    static const char hello[] = "{\"event\":\"hello\"}\n";
    const char *headers[] = {"content-type", "application/json", NULL};
    struct listener *l;
    struct h2_body body;

    if (!str_eq(r->method, "GET") || !str_eq(r->path, "/events"))
        return false;
    l = xcalloc(1, sizeof(*l));
    l->stream = r->stream;
    list_push_back(&r->agent->events, &l->link);
    body = (struct h2_body){.pull = pull, .arg = l};
    h2_stream_set_ops(r->stream, &ops, l);
    h2_respond(r->stream, 200, headers, &body);
    push(l, hello, sizeof(hello) - 1);
    return true;
}
