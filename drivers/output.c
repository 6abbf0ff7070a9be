/*
 * drivers/output.c - the main process's output: from the link into the engine's log store.
 *
 * Credit is given back only when the engine has the bytes and room for more, so the agent's window is the
 * acknowledgement (agent/README.md, "Retention"). A reader that is too far behind therefore stops the process, not
 * the daemon's memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/internal.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "drivers/start.h"
#include "state/container.h"

bool record_scan(struct record_scan *s, const uint8_t *p, size_t n)
{
    bool found = false;

    s->offset += n;
    while (n > 0) {
        size_t piece;
        struct record r;
        if (s->left > 0) {
            piece = n < s->left ? n : s->left;
            s->left -= (uint32_t)piece;
            found |= s->in_exit && s->left == 0;
        } else {
            piece = RECORD_HEADER_SIZE - s->have < n ? RECORD_HEADER_SIZE - s->have : n;
            memcpy(s->head + s->have, p, piece);
            s->have += piece;
            if (s->have == RECORD_HEADER_SIZE) {
                s->have = 0;
                if (record_decode(s->head, &r) < 0)
                    return found; /* the engine will say so */
                s->left = r.len;
                s->in_exit = r.kind == RECORD_EXIT;
                found |= s->in_exit && r.len == 0;
            }
        }
        p += piece;
        n -= piece;
    }
    return found;
}

size_t record_scan_before_exit(const struct record_scan *s, const uint8_t *p, size_t n)
{
    struct record_scan at = *s;
    size_t done = 0;

    while (done < n && !(at.in_exit && at.left > 0)) {
        (void)record_scan(&at, p + done, 1 > at.left ? 1 : at.left < n - done ? at.left : n - done);
        done = (size_t)(at.offset - s->offset);
    }
    return done;
}

static void malformed(struct peer *p, const char *what)
{
    struct skl_error err = {0};

    log_error("agent", "container %.12s: %s; the link is dropped", p->id, what);
    error_set(&err, SKL_ERR_BAD_GATEWAY, "%s", what);
    if (p->conn)
        conn_drop(p->conn, &err);
}

void output_give(struct peer *p, const uint8_t *data, size_t n)
{
    struct h2_stream *st = p->output;
    bool bad = false, more;

    if (record_scan(p->scan, data, n))
        p->process_exited = true;
    more = engine_agent_output(p->c, p->run, data, n, &bad);
    if (bad) {
        malformed(p, "the agent's output is not a sequence of records");
        return;
    }
    if (!st)
        return; /* it ended with this, and waits for no credit */
    if (p->output != st || more || !p->c) {
        h2_stream_consume(st, n);
        return;
    }
    p->output_owed += n;
    p->output_paused = true;
}

void output_on_data(void *arg, struct h2_stream *st, const uint8_t *data, size_t n)
{
    struct peer *p = arg;
    size_t now;

    if (!p->c || st != p->output) {
        h2_stream_consume(st, n);
        return;
    }
    now = volumes_wanted(p) ? record_scan_before_exit(p->scan, data, n) : n;
    if (now > 0)
        output_give(p, data, now);
    if (now < n && p->c && st == p->output)
        volumes_keep(p, data + now, n - now);
}

void output_resume(struct peer *p)
{
    size_t owed = p->output_owed;

    p->output_paused = false;
    p->output_owed = 0;
    if (p->output && owed > 0)
        h2_stream_consume(p->output, owed);
}

static void on_head(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    struct peer *p = arg;
    char what[128];

    if (st != p->output || head->status < 400)
        return;
    p->output = NULL; /* the body is an error, not output */
    h2_stream_abandon(st);
    snprintf(what, sizeof(what), "the agent does not have the output from byte %llu on, which the log store needs (status %d)",
             (unsigned long long)engine_output_offset(p->c), head->status);
    malformed(p, what);
}

void output_on_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct peer *p = arg;

    if (st != p->output)
        return;
    p->output = NULL;
    p->output_owed = 0;
    if (err && !p->process_exited && peer_ready(p))
        malformed(p, "the agent broke off the output");
}

static const struct h2_stream_ops resume_ops = {
    .on_head = on_head, .on_data = output_on_data, .on_close = output_on_close};

/* A run of an earlier daemon: its log may end within a record. */
static void scan_from(struct peer *p, uint64_t from)
{
    struct record_scan *s = p->scan;
    struct record r;

    memset(s, 0, sizeof(*s));
    s->offset = from;
    s->have = engine_output_half(p->c, s->head, &s->left);
    if (s->have < RECORD_HEADER_SIZE)
        return;
    s->have = 0;
    s->in_exit = record_decode(s->head, &r) == 0 && r.kind == RECORD_EXIT;
}

void output_open(struct peer *p)
{
    char path[64];
    uint64_t from = engine_output_offset(p->c);

    if (p->output || p->process_exited)
        return;
    if (p->scan->offset != from)
        scan_from(p, from);
    snprintf(path, sizeof(path), "/process/output?from=%llu", (unsigned long long)from);
    p->output = h2_request(peer_h2(p), "GET", path, NULL, NULL, &resume_ops, p, NULL);
}

void output_close(struct peer *p)
{
    volumes_abandon(p); /* the exit will be read again */
    if (p->output)
        h2_stream_abandon(p->output);
    p->output = NULL;
    p->output_owed = 0;
    p->output_paused = false;
}
