/*
 * state/runner.h - the line between the state machine (core/state) and the exec driver chain (drivers/).
 *
 * core/state may not depend on drivers/, so it calls the chain through this table, which drivers/ fills in and
 * the daemon hands to engine_set_runner(). In the other direction the chain calls the engine_agent_*()
 * functions below.
 *
 * One run of a container, in order:
 *   1. state: run number n = c->run is set; runner->prepare(c): from now on an agent that dials with the container's
 *      token finds its entry (mission: AgentRegistry.Prepare before the invocation).
 *   2. state: plugin start() -> accepted (or failed: runner->release).
 *   3. state: runner->start(c, done): waits for the agent (agent.connect-timeout), delivers staged files, starts the
 *      process. done once: err NULL: the process runs; else the start failed; exit_code then is 127, 126 or 128.
 *      If the plugin reports the end of the run before that (run_ended), state calls runner->start_abort(c).
 *      Without a callback URL there is no agent: state skips this step and the container runs at once.
 *   4. Output: the chain reads GET /process/output?from=engine_output_offset(c) and gives the bytes to
 *      engine_agent_output(). A RECORD_EXIT in them ends the run in extended semantics.
 *   5. The agent link drops: engine_agent_lost(c). It comes back: engine_agent_back(c); the chain resumes at
 *      engine_output_offset(c).
 *   6. The run is over (state decided so): runner->release(c): disconnect, forget the entry; with keep_files only after what
 *      is to be kept of the container's files was fetched.
 * After a daemon restart state calls prepare(c) for each container that was running; the agent re-dials and the chain goes
 * on with 4 (the process is already started: the agent's /hello tells).
 *
 * Everything here is on the loop thread. done callbacks never run inside the starter.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_RUNNER_H
#define SKL_STATE_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "wire/record.h"

struct container;
struct engine;

typedef void (*runner_done_fn)(void *arg, const struct skl_error *err);

struct runner_ops {
    void (*prepare)(void *ctx, struct container *c);
    void (*start)(void *ctx, struct container *c,
                  void (*done)(void *arg, const struct skl_error *err, int exit_code), void *arg);
    /* The pending start ends with the given error (through its done). */
    void (*start_abort)(void *ctx, struct container *c, const struct skl_error *err);
    /* keep_files: the process has exited and the container stays as it is: its files will be asked for. */
    /* After prepare(): opens the host ports of c->ports, whose host_port it sets. -1: one can't be had; none is open. They close at
     * release(). */
    int (*publish)(void *ctx, struct container *c, struct skl_error *err);
    void (*release)(void *ctx, struct container *c, bool keep_files);
    /* A new run waits for the end of the last one's invocation: what holds that up is cut short. */
    void (*hurry)(void *ctx, struct container *c);
    /* The engine has the run's whole output, its end included: the agent need not hold back the invocation's answer. For
     * strict semantics, where that answer ends the run; elsewhere release() says it. More than once does no harm. */
    void (*finish)(void *ctx, struct container *c);
    bool (*connected)(void *ctx, const struct container *c);

    /* To the main process's group; `all`: every process in the function but the agent (pause). */
    void (*signal)(void *ctx, struct container *c, int signo, bool all, runner_done_fn done, void *arg);
    void (*resize)(void *ctx, struct container *c, unsigned h, unsigned w, runner_done_fn done, void *arg);

    /* stdin of the main process. Bytes written before the process runs are kept, at most RUNNER_STDIN_MAX; the
     * writer looks at the return value: false = full, wait for on_stdin_drain (engine_stdin_drained). */
    bool (*stdin_write)(void *ctx, struct container *c, const void *p, size_t n);
    void (*stdin_close)(void *ctx, struct container *c);

    /* The engine can take output again after engine_agent_output returned false. */
    void (*output_resume)(void *ctx, struct container *c);

    /* Health probe: an exec whose output (at most 4096 bytes kept) and code come back. code < 0: could not run. */
    void (*probe)(void *ctx, struct container *c, const char *const *argv, int64_t timeout_ns,
                  void (*done)(void *arg, int code, const char *output, size_t len, const struct skl_error *err),
                  void *arg);

    /* The process has exited, and what its volumes hold is being fetched: the exit follows. */
    bool (*keeping)(void *ctx, const struct container *c);
    /* Bytes that are kept of what it holds. */
    int64_t (*volume_size)(void *ctx, const char *name);
    /* The volume is removed: so is what it held. */
    void (*volume_gone)(void *ctx, const char *name);

    /* The container is removed for good: what is kept for it (staged files) goes. After release(), once. */
    void (*forget)(void *ctx, struct container *c);
};

#define RUNNER_STDIN_MAX (1024u * 1024)

/* ---- what the chain calls ---- */

/* Length in bytes of the encoded records of the current run that the log store holds: where to resume. */
uint64_t engine_output_offset(const struct container *c);
/* A record that begins before that offset and ends behind it: how much of its header is there (all of it: of its payload *ret_left
 * bytes are to come). 0: the offset is between records. */
size_t engine_output_half(const struct container *c, uint8_t head[RECORD_HEADER_SIZE], uint32_t *ret_left);

/* Encoded records (wire/record.h) of run `run`, from exactly engine_output_offset() on, in pieces of any size.
 * They are in the log store when this returns. false: pause until runner->output_resume (a reader of the log that must
 * not lose bytes is too far behind, or the disk is full). A stale run is ignored. Malformed bytes: the link is dropped
 * (returns false and sets *ret_malformed). */
bool engine_agent_output(struct container *c, uint32_t run, const void *p, size_t n, bool *ret_malformed);

/* The link of run `run` is gone / back. How long a lost agent is waited for is the engine's business. `final`: the agent
 * said it is going for good (SIGTERM of the platform) */
void engine_agent_lost(struct container *c, uint32_t run, bool final);
void engine_agent_back(struct container *c, uint32_t run);

/* Room for stdin again. */
void engine_stdin_drained(struct container *c);

#endif
