/*
 * state/log_internal.h - what log.c, log_cursor.c and log_lines.c share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_LOG_INTERNAL_H
#define SKL_STATE_LOG_INTERNAL_H

#include "base/clock.h"
#include "state/internal.h"

/* A segment file: this header, then records. */
#define SEGMENT_MAGIC "SKLLOG1\n"
#define SEGMENT_HEADER_SIZE 32u
struct segment_header {
    uint32_t run;        /* the run the first byte belongs to; 0: none yet */
    uint64_t run_offset; /* bytes of that run in earlier segments */
};

struct segment {
    struct log *log;
    unsigned no;
    int fd;              /* -1: not open */
    uint64_t size;       /* of the file, header included */
    unsigned readers;    /* cursors in it */
    struct list link;    /* log->segments, oldest first */
};

#define LOG_SCRATCH (RECORD_HEADER_SIZE + 2 * RECORD_PAYLOAD_MAX)
#define LOG_RETRY_NS (1 * NS_PER_S)

struct logstore {
    struct engine *e;
    char *dir;
    /* What was read last: [scratch_off, +scratch_len) of scratch_seg. Shared by all cursors. */
    struct segment *scratch_seg;
    uint64_t scratch_off;
    size_t scratch_len;
    char *scratch;       /* LOG_SCRATCH bytes; NULL until needed */
};

struct log {
    struct logstore *ls;
    struct container *c;
    struct log_limits limits;
    bool loaded;         /* the directory was read */
    bool live;
    bool deleted;        /* its files are unlinked */
    struct list segments;
    unsigned n_segments;
    uint32_t run;        /* of the newest RECORD_RUN */
    uint64_t run_offset; /* bytes of that run on disk */
    uint64_t half;       /* bytes of a record cut short by a kill -9, at the end */
    struct list cursors;
    struct writer *w;    /* NULL while no run is on */
};

/* The run's end is known from a record of its own. */
struct writer {
    struct log *l;
    uint8_t head[RECORD_HEADER_SIZE]; /* of the record that is being taken in */
    size_t head_len;
    uint8_t kind;
    uint32_t left;       /* payload bytes of it still to come */
    int64_t time;
    bool in_payload;
    uint8_t exit_payload[12 + RECORD_EXIT_REASON_MAX];
    size_t exit_len;
    bool exited;
    struct record_exit exit;
    int64_t exit_time;
    struct buf pending;  /* taken, not on disk: a full disk, or a pinned reader that is too far behind */
    size_t walked;       /* of pending: gone through already, a record may end there */
    struct timer retry;
    bool complained;
};
#define LOG_PENDING_MAX (4u * 1024 * 1024) /* what a link may still have in flight when told to wait */

void log_load(struct log *l);
struct segment *segment_next(const struct segment *s); /* or NULL */
struct segment *segment_first(const struct log *l);
struct segment *segment_last(const struct log *l);
int segment_open_fd(struct segment *s, struct skl_error *err);
void segment_unuse(struct segment *s); /* closes the fd when nobody needs it */
void log_notify(struct log *l);
/* A pinned cursor has moved on. */
void log_reader_moved(struct log *l);
/* The cursors that stand in a segment that is going: to its successor. */
void cursors_leave(struct log *l, struct segment *s);
/* Bytes of the record that is still coming in. */
uint64_t writer_half(const struct writer *w);
/* A cursor has not come to the first segment yet. */
bool cursors_before(const struct log *l);
/* A pinned cursor has still something to read in s. */
bool cursors_pin(const struct log *l, const struct segment *s);

struct log_cursor {
    struct log *log;
    struct log_cursor_opts opts;
    struct segment *seg; /* NULL: the log has no segment yet */
    uint64_t off;        /* of the next record in seg's file */
    uint32_t run;        /* the record there belongs to */
    uint32_t end_run;    /* following: the last run that is given */
    unsigned end_seg;    /* a snapshot: where it ends */
    uint64_t end_off;
    uint32_t size;       /* of the record at off, once peeked at; 0: unknown */
    bool ended, waiting;
    struct soon soon;
    struct list link;
};
/* The record at the cursor without going past it; log_cursor_advance() does. */
enum log_next log_cursor_peek(struct log_cursor *cur, struct log_record *ret, struct skl_error *err);
void log_cursor_advance(struct log_cursor *cur);
struct log_position {
    unsigned seg;
    uint64_t off;
    uint32_t run;
};
struct log_position log_cursor_tell(const struct log_cursor *cur);
void log_cursor_seek(struct log_cursor *cur, const struct log_position *pos);

#endif
