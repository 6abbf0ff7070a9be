/*
 * agent/feed.c - bytes for a process's stdin, from POST .../input.
 *
 * Credit is given back as the process takes the bytes, so the writer's window updates are acknowledgements: it may
 * forget what they cover, and resumes after a lost link at any offset it still has; what was taken is skipped.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"

#define FEED_PENDING_MAX (4u * 1024 * 1024) /* more than any window we announce */
#define VEOF_BYTE 4

static void on_io(void *arg, unsigned ready);

void feed_init(struct feed *f, struct loop *loop, int fd, bool tty)
{
    f->loop = loop;
    f->fd = fd;
    f->tty = tty;
    buf_init(&f->pending, FEED_PENDING_MAX);
    if (fd >= 0) {
        io_init(loop, &f->io, fd, on_io, f);
        f->io_on = true;
    }
}

static void answer(struct feed *f)
{
    struct h2_stream *st = f->writer;
    char json[96];
    int n = snprintf(json, sizeof(json), "{\"taken\":%llu,\"open\":%s}", (unsigned long long)f->taken,
                     f->fd >= 0 ? "true" : "false");

    f->writer = NULL;
    if (st != NULL)
        h2_respond_bytes(st, 200, "application/json", json, (size_t)n);
}

void feed_close(struct feed *f)
{
    if (f->io_on)
        io_fini(&f->io);
    f->io_on = false;
    if (f->fd >= 0 && !f->tty) /* a TTY's descriptor belongs to its output as well */
        close(f->fd);
    f->fd = -1;
    if (f->writer != NULL && f->pending.len > 0)
        h2_stream_consume(f->writer, f->pending.len);
    buf_clear(&f->pending);
    answer(f);
}

/* The end of the body, once everything before it was written. */
static void finish(struct feed *f)
{
    static const char veof = VEOF_BYTE;

    if (f->keep_open) {
        answer(f);
        return;
    }
    if (f->tty && f->fd >= 0) {
        /* The line discipline turns it into an end of file at the start of a line; the descriptor stays. */
        if (write(f->fd, &veof, 1) < 0 && errno == EAGAIN) {
            io_want(&f->io, IO_WRITE);
            return;
        }
        f->ending = false;
        answer(f);
        return;
    }
    feed_close(f);
}

static void pump(struct feed *f)
{
    while (f->pending.len > 0 && f->fd >= 0) {
        ssize_t n = write(f->fd, f->pending.data, f->pending.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            io_want(&f->io, IO_WRITE);
            return;
        }
        if (n < 0) { /* EPIPE: it reads no more */
            feed_close(f);
            return;
        }
        f->taken += (uint64_t)n;
        buf_consume(&f->pending, (size_t)n);
        if (f->writer != NULL)
            h2_stream_consume(f->writer, (size_t)n);
    }
    if (f->fd >= 0 && f->io_on)
        io_want(&f->io, 0);
    if (f->ending)
        finish(f);
}

static void on_io(void *arg, unsigned ready)
{
    (void)ready;
    pump(arg);
}

static void on_data(void *arg, struct h2_stream *st, const uint8_t *p, size_t n)
{
    struct feed *f = arg;
    size_t skip = 0;

    if (st != f->writer || f->fd < 0) {
        h2_stream_consume(st, n);
        return;
    }
    if (f->at < f->taken) {
        skip = f->taken - f->at < n ? (size_t)(f->taken - f->at) : n;
        h2_stream_consume(st, skip);
    }
    f->at += n;
    p += skip;
    n -= skip;
    if (f->pending.len == 0 && n > 0) { /* straight to the process as far as it goes */
        ssize_t w = write(f->fd, p, n);
        if (w > 0) {
            f->taken += (uint64_t)w;
            h2_stream_consume(st, (size_t)w);
            p += w;
            n -= (size_t)w;
        }
    }
    if (n > 0)
        (void)buf_append(&f->pending, p, n);
    pump(f);
}

static void on_end(void *arg, struct h2_stream *st)
{
    struct feed *f = arg;

    if (st != f->writer)
        return;
    f->ending = true;
    pump(f);
}

static void on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct feed *f = arg;

    (void)err;
    if (st != f->writer)
        return;
    /* Lost in the middle: what was not written comes again from the writer's next request. */
    f->writer = NULL;
    f->ending = false;
    buf_clear(&f->pending);
}

static const struct h2_stream_ops writer_ops = {.on_data = on_data, .on_end = on_end, .on_close = on_close};

void feed_write(struct feed *f, struct h2_stream *st, uint64_t from, bool keep_open)
{
    struct h2_stream *old = f->writer;

    f->writer = st;
    f->at = from;
    f->ending = false;
    f->keep_open = keep_open;
    buf_clear(&f->pending);
    if (old != NULL)
        h2_stream_cancel(old);
    h2_stream_set_ops(st, &writer_ops, f);
    if (f->fd < 0)
        answer(f);
}

void feed_fini(struct feed *f)
{
    if (f->writer != NULL)
        h2_stream_abandon(f->writer);
    f->writer = NULL;
    if (f->io_on)
        io_fini(&f->io);
    f->io_on = false;
    if (f->fd >= 0 && !f->tty)
        close(f->fd);
    f->fd = -1;
    buf_fini(&f->pending);
}
