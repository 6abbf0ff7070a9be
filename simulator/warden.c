/*
 * simulator/warden.c - a process that outlives the simulator, to end what it leaves when it is killed.
 *
 * crun dies with the simulator (PR_SET_PDEATHSIG), but not what it runs: functions would go on for ever. The warden reads a pipe whose
 * other end only the simulator has. At its end it kills the containers that are still noted in the state directory, and removes
 * their files. It holds the lock of the state directory until no instance is left, so that it never meets the next simulator's. After an orderly end
 * there is nothing to do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/sim.h"

#define MOUNTS_MAX (1024u * 1024)
#define LOCK_FD 3
#define GONE_TRIES 500                 /* of 10 ms: until the kernel has ended all of a killed container */

static int pipe_fd = -1;
static pid_t warden;

/* In the child: exec, so that it is small, and neither `ps` nor a test takes it for the simulator. */
static void become(const char *state_dir, int read_fd, int lock_fd, bool own_dir)
{
    const char *argv[] = {"sockerless-warden", WARDEN_OPTION, state_dir, own_dir ? "own" : NULL, NULL};

    setsid(); /* not for the terminal's signals */
    if (dup2(read_fd, STDIN_FILENO) < 0 || (lock_fd != LOCK_FD && dup2(lock_fd, LOCK_FD) < 0) || fcntl(LOCK_FD, F_SETFD, 0) < 0)
        _exit(127);
    execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
    _exit(127);
}

int warden_start(const char *state_dir, int lock_fd, bool own_dir, struct skl_error *err)
{
    int fd[2];

    if (pipe2(fd, O_CLOEXEC) < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making a pipe");
    warden = fork();
    if (warden == 0)
        become(state_dir, fd[0], lock_fd, own_dir);
    close(fd[0]);
    pipe_fd = fd[1];
    return warden > 0 ? 0 : error_set_errno(err, SKL_ERR_INTERNAL, errno, "starting the warden");
}

void warden_stop(void)
{
    if (pipe_fd < 0)
        return;
    close(pipe_fd);
    pipe_fd = -1;
    (void)waitpid(warden, NULL, 0);
}

/* ---- the process ---- */

pid_t instance_pid(const char *dir)
{
    CLEANUP(free_p) char *path = fs_join(dir, "pid");
    struct buf text;
    uint64_t pid = 0;

    buf_init(&text, 32);
    if (fs_read_file(path, &text, NULL) == 0)
        (void)str_to_u64(str_trim(text.data), 2, INT32_MAX, &pid);
    buf_fini(&text);
    return (pid_t)pid;
}

/* Its root is the overlay of that directory (bundle.c), whatever it runs. A process that has ended has no mounts. */
bool instance_is_pid(const char *dir, pid_t pid)
{
    CLEANUP(free_p) char *path = xasprintf("/proc/%d/mountinfo", (int)pid), *upper = xasprintf("upperdir=%s/", dir);
    struct buf text;
    bool ours;

    buf_init(&text, MOUNTS_MAX);
    ours = pid > 0 && fs_read_file(path, &text, NULL) == 0 && strstr(buf_str(&text), upper) != NULL;
    buf_fini(&text);
    return ours;
}

static void end_instance(struct sim *s, const char *dir, const char *id)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    pid_t pid = instance_pid(dir);

    for (int i = 0; i < GONE_TRIES && instance_is_pid(dir, pid); i++) {
        (void)kill(pid, SIGKILL);
        nanosleep(&pause, NULL);
    }
    instance_dir_clean(s, dir, id);
}

int warden_run(const char *state_dir, bool own_dir)
{
    static struct sim s;
    CLEANUP(free_p) char *top = fs_join(state_dir, "instances");
    DIR *d;
    char c;

    s.opts.state_dir = (char *)(uintptr_t)state_dir;
    while (read(STDIN_FILENO, &c, 1) > 0 || errno == EINTR)
        errno = 0;
    d = opendir(top);
    for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
        CLEANUP(free_p) char *dir = fs_join(top, de->d_name);
        if (str_is_hex(de->d_name))
            end_instance(&s, dir, de->d_name);
    }
    if (d != NULL)
        closedir(d);
    limits_end(&s);
    close(LOCK_FD); /* what is left are files that nobody uses: the next simulator need not wait for their end */
    trash_sweep(&s);
    if (own_dir)
        (void)fs_remove_tree(state_dir, NULL);
    return 0;
}
