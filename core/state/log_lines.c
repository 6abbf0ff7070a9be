/*
 * state/log_lines.c - the lines of a log, for `docker logs`. See logstore.h.
 *
 * Lines are told apart per stream and run: a line that came in several records has one beginning, and the end of a
 * run ends what has no newline. Nothing is buffered: a long line comes in pieces.
 *
 * `tail` takes two passes over what is there when the reading begins, in steps of LINES_STEP bytes so that the loop
 * is not held up: count the lines, then drop all but the last N. A line counts where it ends. So when the last
 * dropped line of one stream ends in the middle of a line of the other, that other line is in the tail, with all of
 * its pieces: the cursor goes back to where it began, and pieces of the first stream up to here are skipped.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "state/log_internal.h"

#define LINES_STEP (8u * 1024 * 1024)

enum lines_phase { LINES_COUNT, LINES_DROP, LINES_GIVE };

/* A place inside a record. */
struct place {
    struct log_position pos;
    uint32_t at;
};

struct stream_state {
    bool open;            /* in the middle of a line */
    bool skip;            /* that line is too old */
    int64_t time;         /* of the record that began it */
    struct place begin;   /* where it began */
    struct place resume;  /* pieces before this are skipped; seg 0: none */
};

struct log_lines {
    struct log_cursor *cur;
    struct log_lines_opts opts;
    struct log *log;
    enum lines_phase phase;
    uint64_t count, drop;
    uint32_t at;          /* bytes of the current record that were dealt with */
    uint32_t run;
    struct stream_state st[2];
    bool ended;
    struct soon soon;
};

static void on_cursor(void *arg)
{
    struct log_lines *l = arg;

    if (l->opts.on_ready != NULL)
        l->opts.on_ready(l->opts.arg);
}

struct log_lines *log_lines_open(struct container *c, const struct log_lines_opts *opts)
{
    struct log_lines *l = xcalloc(1, sizeof(*l));
    struct log_cursor_opts co = {.follow = opts->follow, .on_ready = on_cursor, .arg = l};

    l->opts = *opts;
    l->log = c->log;
    l->cur = log_cursor_open(c, &co);
    soon_init(&l->soon, on_cursor, l);
    l->phase = opts->tail >= 0 ? LINES_COUNT : LINES_GIVE;
    if (opts->tail == 0 && !opts->follow)
        l->ended = true;
    return l;
}

void log_lines_close(struct log_lines *l)
{
    if (l == NULL)
        return;
    soon_cancel(&l->soon);
    log_cursor_close(l->cur);
    free(l);
}

static bool wanted(const struct log_lines *l, uint8_t stream)
{
    return stream == RECORD_STDOUT ? l->opts.want_stdout : l->opts.want_stderr;
}

static bool before(const struct log_position *pos, uint32_t at, const struct place *p)
{
    if (pos->seg != p->pos.seg)
        return pos->seg < p->pos.seg;
    if (pos->off != p->pos.off)
        return pos->off < p->pos.off;
    return at < p->at;
}

/* Lines that had no newline ended with their run. Returns how many. */
static unsigned close_lines(struct log_lines *l)
{
    unsigned n = l->st[0].open + l->st[1].open;

    l->st[0].open = l->st[1].open = false;
    return n;
}

/* The next piece of a line at the cursor. Advances past it. */
struct step {
    struct log_record r;
    struct log_position pos;
    struct stream_state *st;
    uint32_t from, len;
    bool begin, end; /* of a line */
    unsigned closed; /* lines that ended with their run before this piece */
};

static enum log_next next_step(struct log_lines *l, struct step *ret, struct skl_error *err)
{
    const char *nl;
    enum log_next n;

    do {
        n = log_cursor_peek(l->cur, &ret->r, err);
        if (n != LOG_RECORD)
            return n;
        if (!wanted(l, ret->r.stream))
            log_cursor_advance(l->cur);
    } while (!wanted(l, ret->r.stream));
    ret->closed = ret->r.run != l->run ? close_lines(l) : 0;
    l->run = ret->r.run;
    ret->pos = log_cursor_tell(l->cur);
    ret->st = &l->st[ret->r.stream - RECORD_STDOUT];
    ret->from = l->at;
    nl = memchr(ret->r.data + l->at, '\n', ret->r.len - l->at);
    ret->end = nl != NULL;
    ret->len = (nl != NULL ? (uint32_t)(nl + 1 - ret->r.data) : ret->r.len) - l->at;
    ret->begin = !ret->st->open;
    if (ret->begin) {
        ret->st->time = ret->r.time;
        ret->st->begin = (struct place){ret->pos, l->at};
    }
    ret->st->open = !ret->end;
    l->at += ret->len;
    if (l->at == ret->r.len) {
        l->at = 0;
        log_cursor_advance(l->cur);
    }
    return n;
}

static void rewind_to(struct log_lines *l, const struct place *p)
{
    log_cursor_seek(l->cur, &p->pos);
    l->at = p->at;
    l->run = p->pos.run;
}

static enum log_next later(struct log_lines *l)
{
    loop_soon(l->log->ls->e->loop, &l->soon);
    return LOG_WAIT;
}

/* ---- the passes of tail ---- */

static void count_done(struct log_lines *l)
{
    struct place start = {.pos = {.seg = 0}};

    l->count += close_lines(l);
    l->drop = l->count > (uint64_t)l->opts.tail ? l->count - (uint64_t)l->opts.tail : 0;
    l->phase = l->drop > 0 ? LINES_DROP : LINES_GIVE;
    rewind_to(l, &start);
    l->run = 0;
}

/* Counts what is complete now; when following, the end of what is there is the end of the first pass. */
static enum log_next count_step(struct log_lines *l, struct skl_error *err)
{
    struct step s;

    for (uint64_t done = 0; done < LINES_STEP; done += s.len) {
        enum log_next n = next_step(l, &s, err);

        if (n == LOG_FAILED)
            return n;
        if (n != LOG_RECORD) {
            count_done(l);
            return LOG_RECORD;
        }
        l->count += s.end + s.closed;
    }
    return later(l);
}

/* Everything that was to be dropped is. */
static void drop_done(struct log_lines *l, const struct step *s)
{
    size_t mine = (size_t)(s->st - l->st);
    struct stream_state *other = &l->st[1 - mine];

    l->phase = LINES_GIVE;
    if (!other->open || s->closed > 0)
        return;
    s->st->resume = (struct place){log_cursor_tell(l->cur), l->at};
    other->open = false;
    rewind_to(l, &other->begin);
}

static enum log_next drop_step(struct log_lines *l, struct skl_error *err)
{
    struct step s;

    for (uint64_t done = 0; done < LINES_STEP; done += s.len) {
        enum log_next n = next_step(l, &s, err);

        if (n == LOG_FAILED)
            return n;
        if (n != LOG_RECORD) {
            l->phase = LINES_GIVE; /* following: the rest is dropped; the log has become shorter */
            return LOG_RECORD;
        }
        if (s.closed >= l->drop) { /* the last one to go ended with its run: this piece is the first to stay */
            l->drop = 0;
            l->phase = LINES_GIVE;
            s.st->open = false;
            rewind_to(l, &(struct place){s.pos, s.from});
            return LOG_RECORD;
        }
        l->drop -= s.closed;
        if (s.end && --l->drop == 0) {
            drop_done(l, &s);
            return LOG_RECORD;
        }
    }
    return later(l);
}

/* ---- giving ---- */

static bool too_old(const struct log_lines *l, const struct stream_state *st)
{
    return l->opts.since != 0 && st->time < l->opts.since;
}

static enum log_next give(struct log_lines *l, struct log_piece *ret, struct skl_error *err)
{
    struct step s;

    for (uint64_t done = 0; done < LINES_STEP; done += s.len) {
        enum log_next n = next_step(l, &s, err);

        if (n != LOG_RECORD)
            return n;
        if (s.st->resume.pos.seg != 0 && before(&s.pos, s.from, &s.st->resume)) {
            s.st->open = false;
            continue;
        }
        if (s.begin && l->opts.until != 0 && s.r.time > l->opts.until) {
            l->ended = true;
            return LOG_END;
        }
        if (too_old(l, s.st))
            continue;
        *ret = (struct log_piece){s.r.stream, s.begin, s.st->time, s.r.data + s.from, s.len};
        return LOG_RECORD;
    }
    return later(l);
}

enum log_next log_lines_next(struct log_lines *l, struct log_piece *ret, struct skl_error *err)
{
    enum log_next n = LOG_RECORD;

    if (l->ended)
        return LOG_END;
    while (n == LOG_RECORD && l->phase != LINES_GIVE)
        n = l->phase == LINES_COUNT ? count_step(l, err) : drop_step(l, err);
    if (n == LOG_RECORD)
        n = give(l, ret, err);
    if (n == LOG_END || n == LOG_FAILED)
        l->ended = true;
    return n;
}
