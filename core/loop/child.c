/*
 * loop/child.c - child processes.
 *
 * fork and exec by hand rather than posix_spawn: the parent-death signal has to be set between the two. The
 * child runs async-signal-safe calls only, since another thread may hold any lock. What goes wrong in it before
 * exec comes back through a close-on-exec pipe as an errno. The wait for that answer is as long as an exec takes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "loop/child.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "loop/internal.h"

struct child {
    struct loop_closer closer;
    struct loop *loop;
    pid_t pid;
    int pidfd;
    bool group;
    struct io io;
    child_exit_fn on_exit;
    void *arg;
};

static void child_free(struct child *c)
{
    list_remove(&c->closer.link);
    io_fini(&c->io);
    close(c->pidfd);
    free(c);
}

static void on_loop_free(struct loop_closer *closer)
{
    child_free(CONTAINER_OF(closer, struct child, closer));
}

/* ---- in the child ---- */

/* Puts fd in place of `target`. Those in the way were moved above 2 before. */
static int place_fd(int fd, int target)
{
    return dup2(fd, target) < 0 ? -1 : 0;
}

static int child_fds(const struct child_spec *spec)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int want[3] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd};

    if (null_fd < 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        if (want[i] < 0)
            want[i] = i < 2 ? null_fd : STDERR_FILENO;
        want[i] = fcntl(want[i], F_DUPFD_CLOEXEC, 3);
        if (want[i] < 0)
            return -1;
    }
    for (int i = 0; i < 3; i++) {
        if (place_fd(want[i], i) < 0)
            return -1;
    }
    return 0;
}

static void child_signals(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sigset_t none;

    /* exec resets handlers, but neither what is ignored nor the mask. */
    for (int signo = 1; signo < NSIG; signo++)
        sigaction(signo, &dfl, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_join(const char *const *lists)
{
    for (; lists != NULL && *lists != NULL; lists++) {
        int fd = open(*lists, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0", 1) < 0)
            return -1;
        close(fd);
    }
    return 0;
}

static int child_prepare(const struct child_spec *spec, pid_t parent)
{
    child_signals();
    if (spec->new_session && setsid() < 0)
        return -1;
    if (spec->die_with_parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
            return -1;
        if (getppid() != parent)
            _exit(127); /* it died before the line above */
    }
    if (child_join(spec->join) < 0)
        return -1;
    if (spec->cwd != NULL && chdir(spec->cwd) < 0)
        return -1;
    if (child_fds(spec) < 0)
        return -1;
    /* Also what we inherited ourselves without the flag: a child gets three descriptors, no more. */
    return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

static _Noreturn void child_main(const struct child_spec *spec, pid_t parent, int report_fd)
{
    /* execvpe does not write to these; its prototype is older than const. */
    union {
        const char *const *in;
        char *const *out;
    } argv = {spec->argv}, envp = {spec->envp};
    int e;

    report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, 3);
    if (child_prepare(spec, parent) == 0)
        execvpe(spec->argv[0], argv.out, spec->envp != NULL ? envp.out : environ);
    e = errno;
    if (write(report_fd, &e, sizeof(e)) < 0)
        _exit(126);
    _exit(127);
}

/* ---- in the parent ---- */

/* Waits for exec. Returns 0, or the errno that the child met. */
static int read_report(int fd)
{
    int e = 0;
    ssize_t n;

    do {
        n = read(fd, &e, sizeof(e));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    return n == (ssize_t)sizeof(e) ? e : 0;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Returns the pid of a child that has reached its program, or -errno. */
static pid_t fork_exec(const struct child_spec *spec)
{
    pid_t parent = getpid(), pid;
    int report[2], e;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        child_main(spec, parent, report[1]);
    e = errno;
    close(report[1]);
    if (pid > 0) {
        e = read_report(report[0]);
        if (e != 0)
            reap(pid);
    }
    close(report[0]);
    return pid > 0 && e == 0 ? pid : -e;
}

static void on_exit_ready(void *arg, unsigned ready)
{
    struct child *c = arg;
    int status = 0;
    pid_t r;

    (void)ready;
    do {
        r = waitpid(c->pid, &status, WNOHANG);
    } while (r < 0 && errno == EINTR);
    if (r == 0)
        return;
    if (r < 0)
        log_error("loop", "waitpid(%d): %s", (int)c->pid, strerror(errno));
    io_want(&c->io, 0);
    if (c->on_exit != NULL)
        c->on_exit(c->arg, status);
    child_free(c);
}

struct child *child_spawn(struct loop *loop, const struct child_spec *spec, child_exit_fn on_exit, void *arg,
                          struct skl_error *err)
{
    pid_t pid = fork_exec(spec);
    struct child *c;
    int pidfd;

    if (pid < 0) {
        error_set_errno(err, SKL_ERR_INTERNAL, -pid, "cannot run %s", spec->argv[0]);
        return NULL;
    }
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        error_set_errno(err, SKL_ERR_INTERNAL, errno, "pidfd_open");
        kill(spec->new_session ? -pid : pid, SIGKILL);
        reap(pid);
        return NULL;
    }
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    c = xcalloc(1, sizeof(*c));
    *c = (struct child){.loop = loop, .pid = pid, .pidfd = pidfd, .group = spec->new_session, .on_exit = on_exit,
                        .arg = arg};
    loop_at_free(loop, &c->closer, on_loop_free);
    io_init(loop, &c->io, pidfd, on_exit_ready, c);
    io_want(&c->io, IO_READ);
    return c;
}

pid_t child_pid(const struct child *c)
{
    return c->pid;
}

int child_kill(struct child *c, int signo)
{
    return kill(c->group ? -c->pid : c->pid, signo) < 0 ? -errno : 0;
}

void child_detach(struct child *c)
{
    c->on_exit = NULL;
}
