/*
 * loop/child.h - child processes of daemon and simulator (the agent has its own: agent/process.c,
 * since it must reap orphans as PID 1).
 *
 * fork and exec; the exit arrives on the loop through a pidfd, so no SIGCHLD handler and no
 * wait for processes that are not ours.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_LOOP_CHILD_H
#define SKL_LOOP_CHILD_H

#include "loop/loop.h"

struct child;

struct child_spec {
    const char *const *argv;   /* argv[0] is looked up in PATH */
    const char *const *envp;   /* NULL: inherit */
    const char *cwd;           /* NULL: inherit */
    int stdin_fd;              /* -1: /dev/null. Borrowed: dup'ed into the child */
    int stdout_fd;             /* -1: /dev/null */
    int stderr_fd;             /* -1: inherit */
    bool new_session;          /* setsid, so that a kill of the group takes its children along */
    bool die_with_parent;      /* PR_SET_PDEATHSIG SIGKILL */
    const char *const *join;   /* NULL-terminated: process lists of control groups that it enters before it runs; may be NULL */
};

/* status: as from waitpid. Called once, on the loop; the child object is gone after it returns. */
typedef void (*child_exit_fn)(void *arg, int status);

struct child *child_spawn(struct loop *loop, const struct child_spec *spec, child_exit_fn on_exit, void *arg,
                          struct skl_error *err);
pid_t child_pid(const struct child *c);
int child_kill(struct child *c, int signo);        /* the whole group when new_session; 0 or -errno */
/* Forgets the callback; the process goes on and is still reaped. */
void child_detach(struct child *c);

#endif
