/*
 * simulator/guard.c - a process that waits for the simulator's end, and looks after what it leaves when it was killed.
 *
 * crun ends with its parent, but a container does not end with crun: after a kill -9 its processes, mounts and files would stay. The guard
 * holds the reading end of a pipe. A byte says that the simulator ended in good order; an end without one that it did not, and the guard
 * ends the instances as the next start on the same state directory would have (recover.c). While it works it holds a lock, which that start
 * waits for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "simulator/sim.h"

#define LOCK_WAIT_NS (20 * NS_PER_S)
#define LOCK_TRY_NS (5 * NS_PER_MS)

static pid_t guard_pid;
static int guard_pipe = -1;

static int open_lock(const struct sim *s)
{
    CLEANUP(free_p) char *path = fs_join(s->opts.state_dir, "guard.lock");

    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* An earlier simulator's guard may still be at it. */
static void wait_for_other(const struct sim *s)
{
    const struct timespec nap = {0, LOCK_TRY_NS};
    int64_t end = clock_mono() + LOCK_WAIT_NS;
    int fd = open_lock(s);

    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && clock_mono() < end)
        nanosleep(&nap, NULL);
    if (fd >= 0)
        close(fd);
}

static _Noreturn void watch(struct sim *s, int fd)
{
    int keep = dup2(fd, 3), lock;
    ssize_t n;
    char byte;

    signal(SIGINT, SIG_IGN); /* of the terminal: for all its group */
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    (void)close_range(4, ~0u, 0);
    (void)prctl(PR_SET_NAME, "sim-guard");
    lock = open_lock(s);
    if (keep < 0 || lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
        _exit(1);
    do
        n = read(keep, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        recover_instances(s);
    _exit(0);
}

int guard_start(struct sim *s, struct skl_error *err)
{
    int fd[2];

    wait_for_other(s);
    if (pipe2(fd, O_CLOEXEC) < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making a pipe");
    guard_pid = fork();
    if (guard_pid == 0) {
        close(fd[1]);
        watch(s, fd[0]);
    }
    close(fd[0]);
    guard_pipe = fd[1];
    return guard_pid < 0 ? error_set_errno(err, SKL_ERR_INTERNAL, errno, "starting the guard") : 0;
}

void guard_stop(void)
{
    if (guard_pid <= 0)
        return;
    (void)fs_write_all(guard_pipe, "q", 1);
    close(guard_pipe);
    (void)waitpid(guard_pid, NULL, 0);
    guard_pid = 0;
}
