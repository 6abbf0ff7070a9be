/*
 * state/exec.h - exec records: bookkeeping only. drivers/ (the chain) runs them and reports here.
 *
 * Execs live in memory and go with their container, or EXEC_KEEP_NS after they ended (bounded: EXEC_MAX
 * per container; the oldest ended ones give way).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_EXEC_H
#define SKL_STATE_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/id.h"
#include "base/list.h"

struct container;
struct engine;

#define EXEC_MAX 1024u                                     /* records kept for one container */
#define EXEC_KEEP_NS (INT64_C(10) * 60 * 1000000000)       /* how long an ended one can be inspected */

struct exec_config {
    char **argv;        /* NULL-terminated, at least one */
    char **env;         /* NULL-terminated; what the request adds to the container's */
    char *user;         /* "": the container's */
    char *working_dir;  /* "": the container's */
    char *detach_keys;  /* "": default */
    bool tty, attach_stdin, attach_stdout, attach_stderr, privileged;
    unsigned rows, cols;/* ConsoleSize; 0: none */
};

struct exec {
    char id[ID_SIZE];
    struct container *container; /* borrowed: execs end with it */
    struct exec_config config;
    bool started;       /* start was called: a second start is a conflict */
    bool running;
    bool exited;
    int exit_code;      /* meaningful when exited */
    int pid;            /* 0: unknown or not running */
    void *chain;        /* drivers/'s own */

    struct list in_container;
    int64_t ended_mono;
    unsigned refs;
    struct exec_hash *hash;
};

/* config is copied. CONFLICT `container ID is not running` / `Container ID is paused, unpause the container before
 * exec`. Publishes `exec_create: cmd args`. */
int exec_create(struct container *c, const struct exec_config *config, struct exec **ret, struct skl_error *err);
/* NOT_FOUND `No such exec instance: x`. Full ID or unique prefix. */
struct exec *exec_find(struct engine *e, const char *id, struct skl_error *err);
void exec_ref(struct exec *x);
void exec_unref(struct exec *x);
/* First and next of a container, oldest first; NULL at the end. */
struct exec *exec_first(const struct container *c);
struct exec *exec_next(const struct exec *x);

/* Marks it as being started: once. CONFLICT when it was (`exec command ID is already running` / `... has already
 * run`) or when the container does not run. */
int exec_begin(struct exec *x, struct skl_error *err);
/* It could not be started after all (the chain declined): it may be tried again. */
void exec_begin_failed(struct exec *x);

/* ---- called by the chain ---- */
/* The process runs. Publishes `exec_start: cmd args`. */
void exec_set_running(struct exec *x, int pid);
/* It ended: before the end of its stream is told to anybody (reference 2.3.13). Publishes exec_die. May come without
 * exec_set_running() when the command could not be started (127, 126). */
void exec_set_exited(struct exec *x, int code);

#endif
