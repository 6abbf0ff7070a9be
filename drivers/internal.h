/*
 * drivers/internal.h - what the files of the exec driver chain share.
 *
 *   chain.c      the chain, its table of peers, the driver list, what the core calls
 *   conn.c       one connection of an agent: wire/link.h over a lent transport
 *   peer.c       one container's agent across connections: expected, connected, lost, released
 *   call.c       a small exchange with the agent: JSON in, JSON out
 *   input.c      stdin of a process: ring, resume by offset
 *   start.c      the start of a run: wait, deliver staged files, POST /process, output
 *   output.c     the main process's output, into the engine
 *   proc.c       a further process; exec.c (execs and their streams) and probe.c (health) are made of it
 *   archive.c    files: through the agent or the staging area
 *   capture.c    files that are kept when a run ends
 *   volumes.c    what volumes hold, from run to run
 *   publish.c    published ports; tunnel.c: what connects to them
 *   synthetic.c  what is answered for a container without an agent
 *
 * Lifetime: a peer lives while it is expected, connected or has waiters; `c` is NULL once released, so a container
 * that is freed is never touched. Whoever needs a connection keeps the peer's pointer only together with a registered
 * waiter or job in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DRIVERS_INTERNAL_H
#define SKL_DRIVERS_INTERNAL_H

#include <json-c/json.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/list.h"
#include "drivers/chain.h"
#include "base/ring.h"
#include "drivers/staging.h"
#include "loop/loop.h"
#include "wire/link.h"
#include "wire/record.h"

#define BOOT_ID_SIZE 65
#define CALL_BODY_MAX (1024u * 1024)  /* answer of a small exchange */

struct capture;
struct volumes;
struct peer;
struct record_scan;

/* ---- chain.c ---- */
/* For errors, where container_has_agent() is false. */
const char *chain_why_no_agent(const struct container *c);

struct chain {
    struct loop *loop;
    struct engine *engine;
    struct staging *staging;
    int64_t connect_timeout;
    enum chain_synthetic synthetic;
    char **capture_paths; /* NULL-terminated */
    uint64_t capture_limit;
    char *volumes_dir;    /* NULL: what volumes hold is not kept */
    uint64_t volume_limit;
    struct peer *peers;   /* hash by container id */
    struct list conns;    /* all that are open, replaced ones that are about to end too */
    uint8_t *scratch;     /* SCRATCH_OUT_SIZE, for all links */
    uint8_t *scratch_in;  /* writable copy of what arrived */
};
#define SCRATCH_IN_SIZE (64u * 1024)
#define SCRATCH_OUT_SIZE (128u * 1024 + 1024)

/* ---- peer.c ---- */
struct peer_waiter {           /* somebody waits for a connection */
    struct list link;
    struct timer timer;
    void (*fn)(void *arg, const struct skl_error *err);
    void *arg;
    struct skl_error err;
};

struct peer {
    UT_hash_handle hh;
    char id[ID_SIZE];
    struct chain *ch;
    struct container *c;      /* NULL once released */
    uint32_t run;
    bool expected;            /* between prepare() and release() */
    bool lost;                /* was connected in this run, is not */
    bool lost_reported;
    char token[ID_SIZE];
    struct agent_conn *conn;  /* ready (hello answered) or on its way */
    char boot_id[BOOT_ID_SIZE];
    uint64_t link_no;
    uint32_t delivered;       /* staged uploads this boot ID has */
    struct list waiters;
    struct start *start;      /* in progress, or NULL */
    /* main process */
    bool process_started;
    bool process_exited;      /* RECORD_EXIT went to the engine */
    struct record_scan *scan;
    struct h2_stream *output; /* open output stream */
    size_t output_owed;       /* credit held back while the engine is full */
    bool output_paused;
    struct input *input;
    uint64_t input_base;      /* a run of an earlier daemon: what its process had of stdin when we met it */
    bool input_shut;          /* and had it closed already */
    char *cwd;                /* its working directory, as the agent told; or NULL */
    struct capture *capture;  /* the run is over and its files are being kept, or NULL */
    struct volumes *volumes;  /* the process has exited, which the engine does not know yet: its volumes are being kept; or NULL */
    bool volumes_kept;
    struct list execs;
    struct list uploads;
    struct list listeners;    /* published ports */
    struct list tunnels;      /* what is connected to them */
    unsigned n_tunnels;
    struct soon unref;        /* checks whether the peer may go */
};

struct peer *peer_find(struct chain *ch, const char *id);
struct peer *peer_get(struct chain *ch, const char *id);     /* makes one */
bool peer_ready(const struct peer *p);                        /* connected, hello answered */
/* The session for requests, or NULL. */
struct h2 *peer_h2(const struct peer *p);
void peer_changed(struct peer *p);                            /* may be free to go: looked at soon */
/* fn(arg, NULL) when ready, at once-later if it is; fn(arg, err) after timeout or release. */
struct peer_waiter *peer_wait(struct peer *p, int64_t timeout_ns, void (*fn)(void *arg, const struct skl_error *err),
                         void *arg);
void peer_wait_cancel(struct peer_waiter *w);
/* The runner's table (state/runner.h). */
void peer_prepare(struct chain *ch, struct container *c);
void peer_finish(struct chain *ch, struct container *c);
void peer_release(struct chain *ch, struct container *c, bool keep_files);
/* The agent has nothing more to do for this run. */
void peer_let_go(struct peer *p);
void peer_set_cwd(struct peer *p, const char *cwd);
void peer_forget(struct chain *ch, struct container *c);
/* stdin of the main process, made when first asked for: clients may write before the start. NULL without OpenStdin. */
struct input *peer_input(struct chain *ch, struct container *c);
/* From conn.c. */
void peer_on_ready(struct peer *p, struct json_object *hello);
void peer_on_lost(struct peer *p, const struct skl_error *why, bool final);
void peers_free(struct chain *ch);

/* ---- conn.c ---- */
struct agent_conn {
    struct list in_chain;
    struct peer *peer;
    struct link *link;
    const struct agent_transport_ops *ops;
    void *transport;          /* NULL once it is gone */
    struct soon flush;
    struct soon ending;
    struct timer tick;
    bool ready;
    bool failed;
    bool leaving;             /* its run is over: nothing new may be asked of it */
    struct skl_error why;
};
void conn_shutdown(struct agent_conn *ac, const char *why);  /* orderly, code 1000; frees itself later */
void conns_free(struct chain *ch);                           /* the daemon ends; agents dial the next one */
void conn_drop(struct agent_conn *ac, const struct skl_error *why); /* later, from the loop */

/* ---- call.c ---- */
struct call_answer {
    int status;               /* 0: none, see err */
    const char *body;         /* NUL-terminated */
    size_t len;
    const char *stat;         /* x-docker-container-path-stat, or NULL */
};
/* err is set when the exchange failed or the status is >= 400 (the agent's message and kind). Once, later. */
typedef void (*call_fn)(void *arg, const struct skl_error *err, const struct call_answer *a);
struct call;
struct call *peer_call(struct peer *p, const char *method, const char *path, const char *json, call_fn fn, void *arg);
void call_cancel(struct call *k);                             /* fn does not run */
/* Error of an answer with status >= 400: {"message","kind"}. */
void call_error(struct skl_error *err, int status, const char *body, size_t len);

/* ---- input.c ---- */
/* stdin of one process: bytes are kept until the process took them (the peer's window updates), so that a new
 * connection resumes where it was. */
struct input;
struct input *input_new(const char *path /* "/process" or "/exec/ID" */, void (*on_drain)(void *arg), void *arg);
void input_free(struct input *in);
/* The process has `taken` bytes from an earlier daemon; shut: its stdin is closed. Before the first attach. */
void input_begin_at(struct input *in, uint64_t taken, bool shut);
void input_attach(struct input *in, struct h2 *h2);          /* the process runs and there is a link */
void input_detach(struct input *in);                          /* the link is gone */
bool input_write(struct input *in, const void *p, size_t n);  /* false: full, wait for on_drain */
void input_close(struct input *in);

/* ---- start.c ---- */
void start_begin(struct peer *p, void (*done)(void *arg, const struct skl_error *err, int exit_code), void *arg);
void start_found_running(struct peer *p); /* an agent that dialled again has the process already */
void start_abort(struct peer *p, const struct skl_error *err);
void output_open(struct peer *p);                             /* resume at the engine's offset */
void output_close(struct peer *p);                            /* its link is gone or going */
void output_resume(struct peer *p);
/* Runs of records, looked at only for RECORD_EXIT: the engine decodes them. */
struct record_scan {
    uint8_t head[RECORD_HEADER_SIZE];
    size_t have;
    uint32_t left;
    bool in_exit;
    uint64_t offset;
};
/* true when a complete RECORD_EXIT lies in these bytes. */
bool record_scan(struct record_scan *s, const uint8_t *p, size_t n);
/* How many of these bytes come before the payload of a RECORD_EXIT; n: all. */
size_t record_scan_before_exit(const struct record_scan *s, const uint8_t *p, size_t n);
/* Output that the peer has: to the engine. */
void output_give(struct peer *p, const uint8_t *data, size_t n);

/* ---- proc.c ---- */
void execs_on_ready(struct peer *p, struct json_object *hello);
void execs_on_lost(struct peer *p);
void execs_end(struct peer *p, const struct skl_error *why);
/* A process in the container with its own callbacks; what exec and probe are made of. */
struct proc;
struct proc_ops {
    bool (*on_output)(void *arg, uint8_t stream, uint32_t frame_len, bool first, const void *p, size_t n);
    void (*on_drain)(void *arg);
    void (*on_started)(void *arg, int pid);
    /* code is set when err is NULL. The proc is gone when this returns. */
    void (*on_end)(void *arg, int code, const struct skl_error *err);
};
struct proc *proc_new(struct peer *p, const char *id, struct json_object *spec, bool has_stdin, const struct proc_ops *ops,
                      void *arg);
bool proc_write(struct proc *x, const void *p, size_t n);
void proc_close_stdin(struct proc *x);
void proc_resume(struct proc *x);
void proc_discard(struct proc *x);                            /* no on_output any more; on_end still comes */
struct proc *proc_find(struct peer *p, const char *id);
struct peer *proc_peer(struct proc *x);
void proc_kill(struct proc *x, int signo);
bool proc_running(const struct proc *x);

/* ---- probe.c ---- */
void probe_start(struct peer *p, struct container *c, const char *const *argv, int64_t timeout_ns,
                 void (*done)(void *arg, int code, const char *output, size_t len, const struct skl_error *err),
                 void *arg);

/* ---- archive.c ---- */
/* PUT of a staged file: fd is taken. done once. */
void deliver_item(struct peer *p, const struct staging_item *item, int fd,
                  void (*done)(void *arg, const struct skl_error *err), void *arg);

/* ---- volumes.c ---- */
int volumes_init(struct chain *ch, const char *dir, struct skl_error *err); /* and removes what belongs to no volume */
/* p's run is to keep volumes, and has not yet. */
bool volumes_wanted(const struct peer *p);
/* Its process has exited; `exit` is (a piece of) the record's payload. output_give() gets it when the volumes are kept. */
void volumes_keep(struct peer *p, const uint8_t *exit, size_t n);
void volumes_abandon(struct peer *p);
/* A tar for c->mounts[mount], which the caller closes. -1: there is none, or, with err->kind set, an error. */
int volume_tar_open(struct chain *ch, const struct container *c, size_t mount, struct skl_error *err);
void volume_tar_forget(struct chain *ch, const char *name);
int64_t volume_tar_size(const struct chain *ch, const char *name); /* 0: there is none */

/* ---- publish.c ---- */
int publish_open(struct peer *p, struct container *c, struct skl_error *err); /* runner_ops.publish */
void publish_close(struct peer *p);
void publish_room(struct peer *p);                            /* tunnels_full() no longer holds */

/* ---- capture.c ---- */
/* The process of p's run has exited: keeps what agent.capture-paths names, then lets the agent go. false: there is nothing to do. */
bool capture_begin(struct peer *p, struct container *c);
/* Goes on with what an earlier daemon began. */
bool capture_resume(struct chain *ch, struct container *c);
void capture_stop(struct peer *p, const char *why); /* at once; what is not kept yet is not */
void capture_abandon(struct peer *p, bool tell);    /* without a word to the disk; tell: those who wait go on */
/* true: fn once, later, when the capture in progress is over; until then list_remove(&w->link) takes w back. */
struct capture_waiter {
    struct list link;
    void (*fn)(void *arg);
    void *arg;
};
bool capture_wait(struct chain *ch, struct container *c, struct capture_waiter *w, void (*fn)(void *arg), void *arg);

/* ---- synthetic.c ---- */
struct exec_stream;
void synthetic_exec(struct exec_stream *st);

#endif
