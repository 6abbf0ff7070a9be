/*
 * drivers/input.c - stdin of a process over POST .../input?from=N.
 *
 * The request's body is pulled from a ring; bytes leave the ring when the agent's window updates say that the process
 * took them. After a lost link a new request begins at the oldest byte kept; what the agent has already it skips.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define INPUT_LOW (RUNNER_STDIN_MAX / 2)

/* The agent tells what was taken once that is half a window. A ring smaller than that would wait for ever. */
_Static_assert(RUNNER_STDIN_MAX >= LINK_STREAM_WINDOW, "stdin's ring holds less than the agent's window");

struct input {
    struct ring ring;
    char *path;
    struct h2 *h2;             /* NULL while there is no link or no process */
    struct h2_stream *stream;  /* the open request */
    bool full;                 /* a writer waits */
    bool eof;                  /* no more will be written */
    bool eof_sent;
    bool done;                 /* the process has closed its stdin, or all of it was delivered */
    void (*on_drain)(void *arg);
    void *arg;
};

struct input *input_new(const char *path, void (*on_drain)(void *arg), void *arg)
{
    struct input *in = xcalloc(1, sizeof(*in));

    in->path = xstrdup(path);
    in->on_drain = on_drain;
    in->arg = arg;
    return in;
}

void input_free(struct input *in)
{
    if (!in)
        return;
    if (in->stream)
        h2_stream_abandon(in->stream);
    ring_fini(&in->ring);
    free(in->path);
    free(in);
}

void input_begin_at(struct input *in, uint64_t taken, bool shut)
{
    ring_shift(&in->ring, taken);
    if (!shut)
        return;
    in->done = true;
    ring_drop(&in->ring);
}

static void drained(struct input *in)
{
    if (!in->full || ring_len(&in->ring) > INPUT_LOW)
        return;
    in->full = false;
    in->on_drain(in->arg);
}

static ssize_t pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct input *in = arg;
    size_t n;

    *ret_p = ring_take(&in->ring, max, &n);
    *ret_eof = in->eof && in->ring.sent == in->ring.end;
    in->eof_sent |= *ret_eof;
    return n == 0 && !*ret_eof ? H2_BODY_WAIT : (ssize_t)n;
}

static void on_credit(void *arg, struct h2_stream *st, size_t n)
{
    struct input *in = arg;

    (void)st;
    ring_ack(&in->ring, n);
    drained(in);
}

/* The agent answered: everything was taken, or the process reads no more. */
static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    struct input *in = arg;

    (void)st;
    if (head->status >= 400 && head->status != 409)
        log_debug("agent", "%s/input: status %d", in->path, head->status);
    in->done = true;
    ring_drop(&in->ring);
    drained(in);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct input *in = arg;

    (void)st;
    (void)err;
    in->stream = NULL;
    if (in->done)
        return;
    ring_rewind(&in->ring); /* the next link goes on from the oldest byte kept */
    in->eof_sent = false;
}

static const struct h2_stream_ops ops = {.on_head = on_head, .on_credit = on_credit, .on_close = on_close};

static void open_stream(struct input *in)
{
    struct h2_body body = {.pull = pull, .arg = in};
    char path[256];

    if (!in->h2 || in->stream || in->done || (ring_len(&in->ring) == 0 && !in->eof))
        return;
    ring_rewind(&in->ring);
    snprintf(path, sizeof(path), "%s/input?from=%llu", in->path, (unsigned long long)in->ring.base);
    in->stream = h2_request(in->h2, "POST", path, NULL, &body, &ops, in, NULL);
}

void input_attach(struct input *in, struct h2 *h2)
{
    in->h2 = h2;
    open_stream(in);
}

void input_detach(struct input *in)
{
    if (!in)
        return;
    in->h2 = NULL;
    if (in->stream)
        h2_stream_abandon(in->stream);
    in->stream = NULL;
    ring_rewind(&in->ring);
    in->eof_sent = false;
}

bool input_write(struct input *in, const void *p, size_t n)
{
    if (in->done || in->eof)
        return true;
    ring_put(&in->ring, p, n);
    if (in->stream)
        h2_stream_resume(in->stream);
    else
        open_stream(in);
    if (ring_len(&in->ring) >= RUNNER_STDIN_MAX)
        in->full = true;
    return !in->full;
}

void input_close(struct input *in)
{
    if (in->eof)
        return;
    in->eof = true;
    if (in->stream)
        h2_stream_resume(in->stream);
    else
        open_stream(in);
}
