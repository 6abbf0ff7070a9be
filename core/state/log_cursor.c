/*
 * state/log_cursor.c - reading the log store. See logstore.h.
 *
 * A cursor stands at a record of a segment. Only whole records are given. Reading goes through one scratch buffer
 * that all cursors share, so an idle cursor costs its struct and nothing more.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "state/log_internal.h"

/* ---- standing in segments ---- */

static void enter(struct log_cursor *cur, struct segment *s, uint64_t off)
{
    struct segment *old = cur->seg;

    if (s != NULL)
        s->readers++;
    cur->seg = s;
    cur->off = off;
    cur->size = 0;
    if (old != NULL) {
        old->readers--;
        segment_unuse(old);
        if (cur->opts.pinned)
            log_reader_moved(cur->log);
    }
}

void cursors_leave(struct log *l, struct segment *s)
{
    struct segment *next = segment_next(s);

    LIST_FOREACH_SAFE(node, tmp, &l->cursors) {
        struct log_cursor *cur = LIST_ENTRY(node, struct log_cursor, link);

        if (cur->seg == s)
            enter(cur, next, SEGMENT_HEADER_SIZE);
    }
}

bool cursors_before(const struct log *l)
{
    LIST_FOREACH_SAFE(node, tmp, &l->cursors) {
        struct log_cursor *cur = LIST_ENTRY(node, struct log_cursor, link);

        if (cur->seg == NULL && !cur->ended)
            return true;
    }
    return false;
}

bool cursors_pin(const struct log *l, const struct segment *s)
{
    LIST_FOREACH_SAFE(node, tmp, &l->cursors) {
        struct log_cursor *cur = LIST_ENTRY(node, struct log_cursor, link);

        if (cur->opts.pinned && cur->seg == s && cur->off < s->size && !cur->ended)
            return true;
    }
    return false;
}

/* ---- reading ---- */

/* want bytes at off of s, or NULL (err filled when it is an error; they may not be there yet). */
static const uint8_t *look(struct segment *s, uint64_t off, size_t want, struct skl_error *err)
{
    struct logstore *ls = s->log->ls;
    ssize_t n;

    if (ls->scratch_seg == s && off >= ls->scratch_off && off + want <= ls->scratch_off + ls->scratch_len)
        return (const uint8_t *)ls->scratch + (off - ls->scratch_off);
    if (segment_open_fd(s, err) < 0)
        return NULL;
    if (ls->scratch == NULL)
        ls->scratch = xmalloc(LOG_SCRATCH);
    ls->scratch_seg = NULL;
    do {
        n = pread(s->fd, ls->scratch, LOG_SCRATCH, (off_t)off);
    } while (n < 0 && errno == EINTR);
    if (n < (ssize_t)want) {
        error_set_errno(err, SKL_ERR_INTERNAL, n < 0 ? errno : EIO, "reading the log of container %.12s failed",
                        s->log->c->id);
        return NULL;
    }
    ls->scratch_seg = s;
    ls->scratch_off = off;
    /* What was appended after s->size was last set is not there yet for readers. */
    ls->scratch_len = (uint64_t)n > s->size - off ? (size_t)(s->size - off) : (size_t)n;
    return (const uint8_t *)ls->scratch;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The record at the cursor: 1 with *ret and *payload, 0 when it isn't complete, -1. */
static int fetch(struct log_cursor *cur, struct record *ret, const uint8_t **payload, struct skl_error *err)
{
    struct segment *s = cur->seg;
    const uint8_t *p;

    if (cur->off + RECORD_HEADER_SIZE > s->size)
        return 0;
    p = look(s, cur->off, RECORD_HEADER_SIZE, err);
    if (p == NULL)
        return -1;
    if (record_decode(p, ret) < 0)
        return error_set(err, SKL_ERR_INTERNAL, "the log of container %.12s is damaged", s->log->c->id);
    if (cur->off + RECORD_HEADER_SIZE + ret->len > s->size)
        return 0;
    p = look(s, cur->off, RECORD_HEADER_SIZE + ret->len, err);
    if (p == NULL)
        return -1;
    *payload = p + RECORD_HEADER_SIZE;
    cur->size = RECORD_HEADER_SIZE + ret->len;
    return 1;
}

static enum log_next end(struct log_cursor *cur)
{
    cur->ended = true;
    if (cur->opts.pinned)
        log_reader_moved(cur->log);
    return LOG_END;
}

static enum log_next at_end(struct log_cursor *cur)
{
    struct log *l = cur->log;

    if (!cur->opts.follow || l->run > cur->end_run || (l->run == cur->end_run && !l->live))
        return end(cur);
    cur->waiting = true;
    return LOG_WAIT;
}

static bool past_snapshot(const struct log_cursor *cur)
{
    if (cur->opts.follow || cur->seg == NULL)
        return false;
    return cur->seg->no > cur->end_seg || (cur->seg->no == cur->end_seg && cur->off >= cur->end_off);
}

/* To the next segment, if there is one. */
static bool step_over(struct log_cursor *cur)
{
    struct segment *next = cur->seg == NULL ? segment_first(cur->log) : segment_next(cur->seg);

    if (next == NULL)
        return false;
    enter(cur, next, SEGMENT_HEADER_SIZE);
    return true;
}

enum log_next log_cursor_peek(struct log_cursor *cur, struct log_record *ret, struct skl_error *err)
{
    cur->waiting = false;
    if (cur->ended)
        return LOG_END;
    for (;;) {
        struct record r;
        const uint8_t *payload;
        int rc = 0;

        if (past_snapshot(cur))
            return end(cur);
        if (cur->seg != NULL)
            rc = fetch(cur, &r, &payload, err);
        if (rc < 0) {
            end(cur);
            return LOG_FAILED;
        }
        if (rc == 0) {
            if (step_over(cur))
                continue;
            return at_end(cur);
        }
        if (r.kind == RECORD_RUN && r.len == 4) {
            cur->run = be32(payload);
            if (cur->opts.follow && cur->run > cur->end_run)
                return end(cur);
        }
        if (r.kind == RECORD_STDOUT || r.kind == RECORD_STDERR) {
            if (r.len > 0) {
                *ret = (struct log_record){r.kind, cur->run, r.time, (const char *)payload, r.len};
                return LOG_RECORD;
            }
        }
        log_cursor_advance(cur);
    }
}

void log_cursor_advance(struct log_cursor *cur)
{
    cur->off += cur->size;
    cur->size = 0;
    if (cur->opts.pinned && cur->seg != NULL && cur->off >= cur->seg->size)
        log_reader_moved(cur->log);
}

enum log_next log_cursor_next(struct log_cursor *cur, struct log_record *ret, struct skl_error *err)
{
    enum log_next n = log_cursor_peek(cur, ret, err);

    if (n == LOG_RECORD)
        log_cursor_advance(cur);
    return n;
}

struct log_position log_cursor_tell(const struct log_cursor *cur)
{
    return (struct log_position){cur->seg != NULL ? cur->seg->no : 0, cur->off, cur->run};
}

/* A place whose segment has gone meanwhile: the oldest that is left. */
void log_cursor_seek(struct log_cursor *cur, const struct log_position *pos)
{
    struct segment *s = segment_first(cur->log);

    while (s != NULL && s->no < pos->seg)
        s = segment_next(s);
    enter(cur, s, s != NULL && s->no == pos->seg ? pos->off : SEGMENT_HEADER_SIZE);
    cur->run = pos->run;
    cur->ended = false;
}

/* ---- life ---- */

static void on_soon(void *arg)
{
    struct log_cursor *cur = arg;

    if (cur->opts.on_ready != NULL)
        cur->opts.on_ready(cur->opts.arg);
}

void log_notify(struct log *l)
{
    LIST_FOREACH_SAFE(node, tmp, &l->cursors) {
        struct log_cursor *cur = LIST_ENTRY(node, struct log_cursor, link);

        if (cur->waiting)
            loop_soon(l->ls->e->loop, &cur->soon);
    }
}

/* A reader "from now on" gets the record that is still coming in. */
static uint64_t half_record(const struct log *l)
{
    return l->w != NULL ? writer_half(l->w) : l->half;
}

static void place(struct log_cursor *cur)
{
    struct log *l = cur->log;
    struct segment *last = segment_last(l);

    if (last == NULL)
        return;
    if (cur->opts.from_end) {
        uint64_t half = half_record(l);

        enter(cur, last, last->size - (half < last->size - SEGMENT_HEADER_SIZE ? half : 0));
        cur->run = l->run;
    } else {
        enter(cur, segment_first(l), SEGMENT_HEADER_SIZE);
    }
    cur->end_seg = last->no;
    cur->end_off = last->size;
}

struct log_cursor *log_cursor_open(struct container *c, const struct log_cursor_opts *opts)
{
    struct log_cursor *cur = xcalloc(1, sizeof(*cur));
    struct log *l = c->log;

    container_ref(c);
    cur->log = l;
    cur->opts = *opts;
    soon_init(&cur->soon, on_soon, cur);
    log_load(l);
    list_push_back(&l->cursors, &cur->link);
    place(cur);
    cur->end_run = l->run;
    if (!l->live && (opts->wait_start || l->run == 0))
        cur->end_run = l->run + 1;
    return cur;
}

void log_cursor_close(struct log_cursor *cur)
{
    struct container *c;

    if (cur == NULL)
        return;
    c = cur->log->c;
    enter(cur, NULL, 0);
    soon_cancel(&cur->soon);
    list_remove(&cur->link);
    free(cur);
    container_unref(c);
}
