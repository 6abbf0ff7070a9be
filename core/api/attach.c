/*
 * api/attach.c - POST /containers/{id}/attach and GET /containers/{id}/attach/ws (reference 2.3).
 *
 * Output is a pinned cursor on the log store, opened before the head goes out, so that nothing written after a later start
 * is lost; stdin goes to the model, which keeps it until the process runs. The end of the run ends the stream, after its last
 * byte, when the container's state says so already. Without an agent there is no capture: then what the cloud's log has of the run
 * comes at its end (cloud_tail.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/cloud_tail.h"
#include "api/internal.h"
#include "api/streams.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "state/engine.h"

struct attach {
    struct client_stream stream;
    struct container *c;       /* a reference is held */
    struct log_cursor *cursor;
    struct cloud_tail *tail;   /* after the run, when there was no capture */
    struct stdin_client *in;
    struct soon soon;
    bool want_stdout, want_stderr;
    bool streams;              /* not only what was */
};

static void attach_free(struct attach *a, bool eof)
{
    if (a->in != NULL)
        container_stdin_close(a->in, eof);
    if (a->cursor != NULL)
        log_cursor_close(a->cursor);
    cloud_tail_cancel(a->tail);
    soon_cancel(&a->soon);
    container_unref(a->c);
    free(a);
}

static bool wanted(const struct attach *a, uint8_t stream)
{
    return stream == RECORD_STDERR ? a->want_stderr : a->want_stdout;
}

static void end(struct attach *a)
{
    client_stream_close(&a->stream);
    attach_free(a, false);
}

static bool on_line(void *arg, uint8_t stream, const char *p, size_t n)
{
    struct attach *a = arg;

    if (wanted(a, stream))
        client_stream_frame(&a->stream, stream, p, n);
    return client_stream_writable(&a->stream);
}

static void on_tail_end(void *arg)
{
    struct attach *a = arg;

    a->tail = NULL;
    end(a);
}

static const struct cloud_tail_ops tail_ops = {.on_line = on_line, .on_end = on_tail_end};

static void pump(struct attach *a)
{
    struct log_record r;
    struct skl_error err = {0};
    enum log_next next = LOG_WAIT;

    while (client_stream_writable(&a->stream) && (next = log_cursor_next(a->cursor, &r, &err)) == LOG_RECORD)
        if (wanted(a, r.stream))
            client_stream_frame(&a->stream, r.stream, r.data, r.len);
    if (next == LOG_FAILED)
        log_error("api", "attach to %.12s: %s", a->c->id, err.message);
    if (next == LOG_END && a->tail == NULL)
        a->tail = cloud_tail_begin(a->c, a->streams, &tail_ops, a);
    if (next == LOG_FAILED || (next == LOG_END && a->tail == NULL))
        end(a);
}

static void on_soon(void *arg)
{
    struct attach *a = arg;

    if (a->tail != NULL)
        cloud_tail_resume(a->tail);
    else
        pump(a);
}

/* From the log store, perhaps inside the writer's stack: go on a moment later. */
static void on_ready(void *arg)
{
    struct attach *a = arg;

    loop_soon(engine_loop(a->c->engine), &a->soon);
}

static bool on_stdin(void *arg, const char *p, size_t n)
{
    struct attach *a = arg;

    return a->in == NULL || container_stdin_write(a->in, p, n);
}

static void on_stdin_drain(void *arg)
{
    struct attach *a = arg;

    client_stdin_resume(&a->stream);
}

static void on_eof(void *arg)
{
    struct attach *a = arg;

    if (a->in != NULL)
        container_stdin_close(STEAL(a->in), true);
}

static void on_room(void *arg)
{
    on_soon(arg);
}

static void on_detach(void *arg)
{
    struct attach *a = arg;

    container_event(a->c, "detach", NULL);
    client_stream_close(&a->stream);
    /* Not an end of input: the process lives on, and so does its stdin. */
    if (a->in != NULL)
        container_stdin_close(STEAL(a->in), false);
    attach_free(a, false);
}

static void on_gone(void *arg)
{
    struct attach *a = arg;

    client_stream_abort(&a->stream);
    attach_free(a, false);
}

static const struct client_stream_ops ops = {
    .on_stdin = on_stdin, .on_eof = on_eof, .on_room = on_room, .on_detach = on_detach, .on_gone = on_gone};

static bool check(struct api_call *c, struct container *k, struct detach *detach)
{
    struct skl_error err = {0};

    if (detach_parse(api_query(c, "detachKeys"), detach, &err) < 0)
        api_reply_error(c, &err);
    else if (k->status == CONTAINER_PAUSED)
        api_reply_fail(c, SKL_ERR_CONFLICT, "container %s is paused, unpause the container before attach", api_param(c, "id"));
    else if (k->status == CONTAINER_RESTARTING)
        api_reply_fail(c, SKL_ERR_CONFLICT, "container %s is restarting, wait until the container is running", api_param(c, "id"));
    else
        return true;
    return false;
}

static struct log_cursor *open_cursor(struct attach *a, bool logs, bool stream)
{
    struct log_cursor_opts opts = {
        .from_end = !logs,
        .follow = stream,
        /* On a container at rest: the next run, unless its log was asked for, which ends (docker-py#2087). */
        .wait_start = stream && !container_is_running(a->c) && !(logs && a->c->run > 0),
        .pinned = stream,
        .on_ready = on_ready,
        .arg = a,
    };

    return log_cursor_open(a->c, &opts);
}

static void attach(struct api_call *c, bool ws)
{
    struct skl_error err = {0};
    struct container *k = container_find(c->api->opts.engine, api_param(c, "id"), &err);
    bool logs = api_query_bool(c, "logs", false), stream = api_query_bool(c, "stream", false);
    bool use_stdin = (api_query_bool(c, "stdin", false) || (ws && c->version < 42)) && stream;
    struct detach detach;
    struct attach *a;
    int status = 0;

    if (k == NULL) {
        api_reply_error(c, &err);
        return;
    }
    if (!check(c, k, &detach))
        return;
    a = xcalloc(1, sizeof(*a));
    a->c = k;
    container_ref(k);
    /* attach/ws knew no choice before 1.42 */
    a->streams = stream;
    a->want_stdout = api_query_bool(c, "stdout", false) || (ws && c->version < 42);
    a->want_stderr = api_query_bool(c, "stderr", false) || (ws && c->version < 42);
    soon_init(&a->soon, on_soon, a);
    a->stream = (struct client_stream){.tty = k->tty, .detach = detach, .ops = &ops, .arg = a};
    a->cursor = open_cursor(a, logs, stream);
    if (use_stdin && k->open_stdin)
        a->in = container_stdin_attach(k, on_stdin_drain, a);
    if (ws)
        status = client_stream_open_ws(&a->stream, c->req, c->version, use_stdin, &err);
    else
        client_stream_open(&a->stream, c->req, c->version, use_stdin);
    if (status != 0) {
        http_res_header(c->req, "Sec-WebSocket-Version", "13");
        api_reply_error(c, &err);
        attach_free(a, false);
        return;
    }
    api_call_free(c);
    container_event(k, "attach", NULL);
    on_ready(a);
}

void api_containers_attach(struct api_call *c)
{
    attach(c, false);
}

void api_containers_attach_ws(struct api_call *c)
{
    attach(c, true);
}
