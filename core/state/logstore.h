/*
 * state/logstore.h - what containers print: appended once, read by cursors.
 *
 * A container's log is a sequence of segment files under <state>/logs/<id>/. They hold encoded output records
 * (wire/record.h) exactly as the agent sent them, and a RECORD_RUN at the beginning of each run. attach, logs, logs -f and
 * the CLI's -a are all cursors on it. A slow reader delays nobody, unless it is pinned (attached clients, who must not
 * lose bytes): then, when rotation would drop a segment that such a cursor has not read, the writer is told to wait
 * (engine_agent_output returns false), so that in the end the process in the function blocks.
 *
 * Bounds: a segment is closed when it reaches max_size; there are at most max_files of them, the oldest goes. Docker's
 * json-file options of the same names set them; without them LOG_DEFAULT_*: never unbounded.
 *
 * After a kill -9 the files are as long as what write(2) took, so the run's offset is known to the byte. Half a
 * record at the end is kept while its run goes on (the agent resumes in the middle of it), and cut off when
 * the run is over. What doesn't decode is cut off and reported.
 *
 * Without a callback URL there is no capture: the log stays empty and `docker logs` asks the plugin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_LOGSTORE_H
#define SKL_STATE_LOGSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "wire/record.h"

struct container;
struct log;
struct log_cursor;
struct log_lines;
struct logstore;

#define LOG_DEFAULT_MAX_SIZE (INT64_C(64) * 1024 * 1024)
#define LOG_DEFAULT_MAX_FILES 4u
#define LOG_MIN_MAX_SIZE (INT64_C(128) * 1024) /* smaller sizes are taken as this: two whole records must fit */
#define LOG_MAX_FILES 1000u

struct log_limits {
    int64_t max_size;   /* 0: default */
    unsigned max_files; /* 0: default */
};

/* Bytes on disk; first and last times are not kept. */
uint64_t log_size(struct log *l);
/* Something was captured, ever: logs can come from here. */
bool log_has_capture(struct log *l);
/* A run is on: more may come. */
bool log_is_live(const struct log *l);

/* ---- cursors ---- */
enum log_next {
    LOG_WAIT = 0,   /* nothing now; on_ready will be called */
    LOG_RECORD = 1, /* *ret is valid until the next call into the log store or the return to the loop */
    LOG_END = 2,    /* the snapshot is read; or (following) the run is over and everything was given */
    LOG_FAILED = -1
};

struct log_record {
    uint8_t stream;     /* RECORD_STDOUT, RECORD_STDERR */
    uint32_t run;
    int64_t time;
    const char *data;
    uint32_t len;
};

struct log_cursor_opts {
    bool from_end;      /* only what comes from now on (attach without logs=1); else from the oldest record kept */
    bool follow;        /* at the end: wait for more until the run is over */
    bool wait_start;    /* follow: when no run is on, wait for the next one (attach to a created container) */
    bool pinned;        /* never lose a byte: the writer waits for this reader */
    void (*on_ready)(void *arg); /* may be NULL without follow */
    void *arg;
};

struct log_cursor *log_cursor_open(struct container *c, const struct log_cursor_opts *opts);
enum log_next log_cursor_next(struct log_cursor *cur, struct log_record *ret, struct skl_error *err);
void log_cursor_close(struct log_cursor *cur);

/* ---- lines, for `docker logs` ---- */
struct log_lines_opts {
    bool want_stdout, want_stderr;
    bool follow;          /* ends when the run does; a container that never ran: waits for its first run */
    int64_t tail;         /* lines; < 0: all */
    int64_t since, until; /* wall; 0: none */
    void (*on_ready)(void *arg); /* also without follow: finding the tail of a long log happens in steps */
    void *arg;
};

/* A line, or a piece of one when it came in several records. Pieces of stdout and stderr lines may alternate. */
struct log_piece {
    uint8_t stream;
    bool begin;           /* a line of this stream begins: where a time stamp goes */
    int64_t time;         /* of the record that began the line */
    const char *data;     /* with its newline, if it had one; valid as for log_cursor_next */
    uint32_t len;
};
struct log_lines *log_lines_open(struct container *c, const struct log_lines_opts *opts);
enum log_next log_lines_next(struct log_lines *l, struct log_piece *ret, struct skl_error *err);
void log_lines_close(struct log_lines *l);

#endif
