/*
 * agent/reap.c - children and orphans. As PID 1 the agent inherits every orphan of the function; whoever is not a process of
 * ours is reaped and forgotten.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "agent/agent.h"

static struct process *by_pid(struct agent *a, pid_t pid)
{
    struct process *p, *tmp;

    if (a->main->pid == pid)
        return a->main;
    HASH_ITER(hh, a->execs, p, tmp)
        if (p->pid == pid)
            return p;
    return NULL;
}

void reap_all(struct agent *a)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct process *p = by_pid(a, pid);
        if (p != NULL)
            process_on_reaped(p, status);
    }
}

static void on_sigchld(void *arg, int signo)
{
    (void)signo;
    reap_all(arg);
}

int reap_init(struct agent *a, struct skl_error *err)
{
    /* Alone, not as PID 1, orphans are ours as well. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    return loop_on_signal(a->loop, SIGCHLD, on_sigchld, a, err);
}

/* kill(-1) reaches everybody but the caller, so only in a PID namespace of our own. */
void agent_kill_all(struct agent *a, int signo)
{
    struct process *p, *tmp;

    if (getpid() == 1) {
        (void)kill(-1, signo);
        return;
    }
    if (a->main->pid > 0)
        (void)kill(-a->main->pid, signo);
    HASH_ITER(hh, a->execs, p, tmp)
        if (p->pid > 0)
            (void)kill(-p->pid, signo);
}
