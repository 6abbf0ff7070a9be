/*
 * drivers/chain.h - the exec driver chain: who carries out what happens INSIDE a container.
 *
 * The chain asks its drivers in order: agent (the reverse agent in the function), then synthetic (what can
 * be said without one). Each either takes the job or declines with a reason; when all decline, the reasons
 * become the error. core/api calls the functions below; core/state calls the chain through the table of
 * state/runner.h.
 *
 * Streams have credit both ways: a callback that returns false has taken its bytes and gets no more until the
 * matching _resume(); a write that returns false was taken and the writer waits for on_drain.
 *
 * All functions are for the loop thread; callbacks never run inside the function that armed them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DRIVERS_CHAIN_H
#define SKL_DRIVERS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "state/runner.h"

struct chain;
struct container;
struct engine;
struct exec;
struct loop;

enum chain_synthetic {
    CHAIN_SYNTHETIC_REFUSE, /* an exec without an agent: one line on stderr, exit code 126 */
    CHAIN_SYNTHETIC_ECHO    /* prints the command and exits 0; only for callers that ask for it */
};

struct chain_opts {
    struct loop *loop;
    struct engine *engine;
    const char *staging_dir;    /* files copied into containers that do not run yet */
    const char *volumes_dir;    /* what volumes hold; NULL: that is not kept */
    int64_t connect_timeout_ns; /* agent.connect-timeout */
    enum chain_synthetic synthetic;
    const char *const *capture_paths; /* agent.capture-paths; NULL-terminated, or NULL */
    uint64_t capture_limit;           /* bytes a container */
    uint64_t volume_limit;            /* bytes a volume */
};

struct chain *chain_new(const struct chain_opts *opts, struct skl_error *err);
void chain_free(struct chain *ch);
/* For engine_set_runner(engine, chain_runner_ops(), ch). */
const struct runner_ops *chain_runner_ops(void);

/* ---- exec ---- */
struct exec_stream;

struct exec_stream_ops {
    /* Output. `first`: a new frame of frame_len bytes begins with these n (n <= frame_len); else the frame
     * goes on. stream: 1 stdout (and a TTY), 2 stderr. */
    bool (*on_output)(void *arg, uint8_t stream, uint32_t frame_len, bool first, const void *p, size_t n);
    void (*on_drain)(void *arg); /* stdin has room again */
    /* The end, once: all output was given and the exec record holds the exit code already. err is set when
     * the code is unknown (the agent was lost for good). The stream is gone when this returns. */
    void (*on_end)(void *arg, const struct skl_error *err);
};

struct exec_start_opts {
    bool tty;            /* of the exec's create */
    bool attach_stdin;
    unsigned rows, cols; /* 0: unknown */
    bool detached;       /* no stream: ops are not called; output is discarded */
};

/* Starts the exec's process. started(arg, err) once; when err is NULL the ops follow. A command that is not
 * there ends ordinarily with code 126/127 and the text on stderr. Waits (bounded) for an agent that is about
 * to connect. */
struct exec_stream *chain_exec_start(struct chain *ch, struct exec *e, const struct exec_start_opts *opts,
                                     void (*started)(void *arg, const struct skl_error *err),
                                     const struct exec_stream_ops *ops, void *arg);
bool exec_stream_write(struct exec_stream *st, const void *p, size_t n);
void exec_stream_close_stdin(struct exec_stream *st);
void exec_stream_resume(struct exec_stream *st);
/* The client went away: callbacks stop, the process goes on, its output is discarded. Also before `started`. */
void exec_stream_detach(struct exec_stream *st);
/* The client has said that it leaves (detach keys): the same, but nothing has come to an end, the process's stdin stays open. */
void exec_stream_leave(struct exec_stream *st);
/* CONFLICT when it has ended; waits up to 10 s for a start in progress (reference 2.8.8). */
void chain_exec_resize(struct chain *ch, struct exec *e, unsigned h, unsigned w, runner_done_fn done, void *arg);

/* ---- files ---- */
/* stat_json: {"name","size","mode","mtime","linkTarget"} with Go's FileMode bits (reference 2.14.1). */
void chain_archive_stat(struct chain *ch, struct container *c, const char *path,
                        void (*done)(void *arg, const struct skl_error *err, const char *stat_json), void *arg);

struct chain_download;
struct chain_download_ops {
    void (*on_head)(void *arg, const char *stat_json); /* before the first byte; NULL for an export */
    bool (*on_data)(void *arg, const void *p, size_t n);
    void (*on_end)(void *arg, const struct skl_error *err); /* once; without on_head before: nothing was sent */
};
/* A tar of path; path NULL: export of the whole root file system. */
struct chain_download *chain_archive_get(struct chain *ch, struct container *c, const char *path,
                                         const struct chain_download_ops *ops, void *arg);
void chain_download_resume(struct chain_download *d);
void chain_download_cancel(struct chain_download *d); /* no callback follows */

struct chain_upload;
struct chain_upload_ops {
    /* The destination was checked: send the tar. on_end with an error instead: nothing was read (404, not a
     * directory). */
    void (*on_ready)(void *arg);
    void (*on_drain)(void *arg);
    void (*on_end)(void *arg, const struct skl_error *err); /* once; after it the upload is gone */
};
struct chain_put_opts {
    const char *path;
    bool no_overwrite_dir_non_dir;
    bool copy_uid_gid;
};
/* The bytes are a plain (uncompressed) tar; core/api decompresses. */
struct chain_upload *chain_archive_put(struct chain *ch, struct container *c, const struct chain_put_opts *opts,
                                       const struct chain_upload_ops *ops, void *arg);
bool chain_upload_write(struct chain_upload *u, const void *p, size_t n);
void chain_upload_end(struct chain_upload *u);    /* the tar is complete; on_end follows */
void chain_upload_cancel(struct chain_upload *u); /* no callback follows */

/* ---- processes ---- */
/* JSON texts in Docker's shape: {"Titles":[],"Processes":[]}; stats without name/id/read times (core/api adds
 * those); changes as an array of {"Path","Kind"}. */
typedef void (*chain_json_fn)(void *arg, const struct skl_error *err, const char *json, size_t len);
void chain_top(struct chain *ch, struct container *c, const char *ps_args, chain_json_fn done, void *arg);
void chain_stats(struct chain *ch, struct container *c, chain_json_fn done, void *arg);
void chain_changes(struct chain *ch, struct container *c, chain_json_fn done, void *arg);

/* ---- the agents' endpoint ---- */
/* The transport of one agent connection, lent by whoever accepted it (core/daemon/agents.c over core/http). */
struct agent_transport_ops {
    void (*write)(void *t, const void *h, size_t hn, const void *p, size_t n); /* header and payload together */
    size_t (*pending)(void *t);
    void (*read_pause)(void *t);
    void (*read_resume)(void *t);
    void (*close)(void *t); /* flush, close, free; t is gone */
    void (*abort)(void *t); /* drop, close, free; t is gone */
};
struct agent_conn;
/* Whether this container and bearer token may open a link: NOT_FOUND or UNAUTHORIZED otherwise (before the
 * upgrade). Constant time in the token. */
int chain_agent_check(struct chain *ch, const char *container_id, const char *bearer, struct skl_error *err);
/* Who dials: the request's Sockerless-Boot-Id and Sockerless-Link headers. NULL and 0 when absent. */
struct agent_dial {
    const char *boot_id;
    uint64_t link;
};
/* The upgrade is done. A newer connection (higher link number of the same boot ID, or another boot ID) replaces the
 * older one of the same container; the older one's end can't touch the newer. */
struct agent_conn *chain_agent_accept(struct chain *ch, const char *container_id, const struct agent_dial *dial,
                                      const struct agent_transport_ops *ops, void *transport);
bool agent_conn_on_data(struct agent_conn *ac, const void *p, size_t n); /* false: pause reading */
void agent_conn_on_drain(struct agent_conn *ac);
/* The connection is dead; ops are not called any more, the caller frees the transport. */
void agent_conn_on_gone(struct agent_conn *ac);

#endif
