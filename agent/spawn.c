/*
 * agent/spawn.c - fork and exec. What goes wrong in the child comes back through a close-on-exec pipe as a stage and an
 * errno, and becomes Docker's words here.
 *
 * The child only makes system calls on memory prepared before the fork.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/close_range.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "agent/agent.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#define PIPE_SIZE (256 * 1024)
#define CODE_NOT_FOUND 127
#define CODE_NOT_EXECUTABLE 126
#define CODE_FAILED 128

enum stage { STAGE_SETUP, STAGE_USER, STAGE_CWD, STAGE_RLIMIT, STAGE_EXEC };

struct report {
    int32_t stage;
    int32_t error;
};

struct plan {
    const struct process_spec *s;
    char **candidates;      /* paths to try, NULL-terminated */
    int in, out, err;       /* the child's ends */
    int report;
    struct rlimit_set {
        int resource;
        struct rlimit value;
    } *limits;
    size_t n_limits;
};

/* ---- preparing ---- */

static const char *env_value(char **env, const char *name)
{
    size_t n = strlen(name);

    for (; *env != NULL; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

/* Where argv[0] may be: itself with a slash in it, else each PATH entry. */
static char **find_candidates(const struct process_spec *s)
{
    const char *path = env_value(s->env, "PATH");
    char **dirs, **out;
    size_t n = 0;

    if (strchr(s->argv[0], '/') != NULL) {
        out = xcalloc(2, sizeof(*out));
        out[0] = xstrdup(s->argv[0]);
        return out;
    }
    dirs = str_split(path != NULL ? path : "", ':', &n);
    out = xcalloc(n + 1, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = xasprintf("%s/%s", dirs[i][0] != '\0' ? dirs[i] : ".", s->argv[0]);
    free(dirs);
    return out;
}

static int limit_by_name(const char *name)
{
    static const struct {
        const char *name;
        int resource;
    } names[] = {
        {"core", RLIMIT_CORE},     {"cpu", RLIMIT_CPU},       {"data", RLIMIT_DATA},           {"fsize", RLIMIT_FSIZE},
        {"locks", RLIMIT_LOCKS},   {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
        {"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC},   {"rss", RLIMIT_RSS},             {"rtprio", RLIMIT_RTPRIO},
        {"rttime", RLIMIT_RTTIME}, {"sigpending", RLIMIT_SIGPENDING}, {"stack", RLIMIT_STACK},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(names[i].name, name))
            return names[i].resource;
    return -1;
}

static rlim_t limit_value(int64_t v)
{
    return v < 0 ? RLIM_INFINITY : (rlim_t)v;
}

static int plan_limits(struct plan *p, struct json_object *limits, struct skl_error *err)
{
    size_t n = limits != NULL ? json_object_array_length(limits) : 0;

    p->limits = xcalloc(n + 1, sizeof(*p->limits));
    for (size_t i = 0; i < n; i++) {
        struct json_object *o = json_object_array_get_idx(limits, i);
        int64_t soft = 0, hard = 0;
        const char *name = json_string_or(json_member(o, "name"), "");
        int resource = limit_by_name(name);
        if (resource < 0)
            return error_set(err, SKL_ERR_INVALID, "invalid ulimit type: %s", name);
        if (json_get_i64(o, "soft", &soft, err) < 0 || json_get_i64(o, "hard", &hard, err) < 0)
            return -1;
        p->limits[p->n_limits].resource = resource;
        p->limits[p->n_limits++].value = (struct rlimit){limit_value(soft), limit_value(hard)};
    }
    return 0;
}

/* ---- in the child ---- */

static _Noreturn void give_up(int fd, enum stage stage)
{
    struct report r = {.stage = stage, .error = errno};

    if (write(fd, &r, sizeof(r)) != (ssize_t)sizeof(r))
        _exit(CODE_FAILED);
    _exit(CODE_FAILED);
}

static void reset_signals(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int signo = 1; signo < NSIG; signo++)
        sigaction(signo, &dfl, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void make_dirs(const char *path)
{
    char part[4096];
    size_t n = strlen(path);

    if (n >= sizeof(part))
        return;
    memcpy(part, path, n + 1);
    for (char *p = part + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        (void)mkdir(part, 0755);
        *p = '/';
    }
    (void)mkdir(part, 0755);
}

static void set_oom(int value)
{
    char text[16];
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    int n = snprintf(text, sizeof(text), "%d", value);

    if (fd < 0)
        return;
    if (write(fd, text, (size_t)n) < 0)
        close(fd);
    else
        close(fd);
}

static void child_stdio(const struct plan *p)
{
    int want[3] = {p->in, p->out, p->err};

    if (p->s->tty && (setsid() < 0 || ioctl(p->in, TIOCSCTTY, 0) < 0))
        give_up(p->report, STAGE_SETUP);
    if (!p->s->tty && setsid() < 0)
        give_up(p->report, STAGE_SETUP);
    for (int i = 0; i < 3; i++)
        if ((want[i] = fcntl(want[i], F_DUPFD, 10)) < 0)
            give_up(p->report, STAGE_SETUP);
    for (int i = 0; i < 3; i++)
        if (dup2(want[i], i) < 0)
            give_up(p->report, STAGE_SETUP);
}

static void child_user(const struct plan *p)
{
    const struct process_spec *s = p->s;

    if (geteuid() != 0) {
        if (s->uid != geteuid() || s->gid != getegid()) {
            errno = EPERM;
            give_up(p->report, STAGE_USER);
        }
        return;
    }
    if (setgroups(s->n_groups, s->groups) < 0 && errno != EPERM)
        give_up(p->report, STAGE_USER);
    if (setresgid(s->gid, s->gid, s->gid) < 0 || setresuid(s->uid, s->uid, s->uid) < 0)
        give_up(p->report, STAGE_USER);
}

static void child_exec(const struct plan *p)
{
    int seen = ENOENT;

    for (char **c = p->candidates; *c != NULL; c++) {
        execve(*c, p->s->argv, p->s->env);
        if (errno == EACCES)
            seen = EACCES; /* goes on looking, but remembers, as execvp does */
        else if (errno != ENOENT && errno != ENOTDIR) {
            seen = errno;
            break;
        }
    }
    errno = seen;
    give_up(p->report, STAGE_EXEC);
}

/* What exceeds the instance's own hard limit, and can't, is cut down to it: whoever asked was warned. */
static int set_limit(int resource, struct rlimit want)
{
    struct rlimit have;

    if (setrlimit(resource, &want) == 0)
        return 0;
    if (errno != EPERM || getrlimit(resource, &have) < 0)
        return -1;
    if (want.rlim_max > have.rlim_max)
        want.rlim_max = have.rlim_max;
    if (want.rlim_cur > want.rlim_max)
        want.rlim_cur = want.rlim_max;
    return setrlimit(resource, &want);
}

static _Noreturn void child_main(const struct plan *p)
{
    const struct process_spec *s = p->s;

    reset_signals();
    child_stdio(p);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (s->hostname != NULL && s->hostname[0] != '\0' && s->make_cwd)
        (void)!sethostname(s->hostname, strlen(s->hostname)); /* where the kernel lets us */
    for (char **dir = s->dirs; dir != NULL && *dir != NULL; dir++)
        make_dirs(*dir);
    for (char **dir = s->scratch; dir != NULL && *dir != NULL; dir++) {
        make_dirs(*dir);
        (void)!chmod(*dir, 01777);
    }
    if (s->make_cwd)
        make_dirs(s->cwd);
    for (size_t i = 0; i < p->n_limits; i++)
        if (set_limit(p->limits[i].resource, p->limits[i].value) < 0)
            give_up(p->report, STAGE_RLIMIT);
    if (s->oom_score_adj != INT32_MIN)
        set_oom(s->oom_score_adj);
    if (s->umask >= 0)
        umask((mode_t)s->umask);
    child_user(p);
    if (chdir(s->cwd) < 0)
        give_up(p->report, STAGE_CWD);
    if (s->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        give_up(p->report, STAGE_SETUP);
    child_exec(p);
    _exit(CODE_FAILED);
}

/* ---- in the parent ---- */

static void explain(const struct process_spec *s, const struct report *r, int *ret_code, struct skl_error *err)
{
    bool slash = strchr(s->argv[0], '/') != NULL;

    *ret_code = CODE_FAILED;
    switch ((enum stage)r->stage) {
    case STAGE_EXEC:
        *ret_code = r->error == ENOENT || r->error == ENOTDIR ? CODE_NOT_FOUND : CODE_NOT_EXECUTABLE;
        if (r->error == ENOENT && !slash)
            error_set(err, SKL_ERR_INVALID, "exec: \"%s\": executable file not found in $PATH", s->argv[0]);
        else if (r->error == ENOENT)
            error_set(err, SKL_ERR_INVALID, "exec: \"%s\": stat %s: no such file or directory", s->argv[0], s->argv[0]);
        else if (r->error == EACCES)
            error_set(err, SKL_ERR_INVALID, "exec: \"%s\": permission denied", s->argv[0]);
        else
            error_set(err, SKL_ERR_INVALID, "exec %s: %s", s->argv[0], r->error == ENOEXEC ? "exec format error" : strerror(r->error));
        break;
    case STAGE_CWD:
        *ret_code = CODE_NOT_EXECUTABLE;
        error_set(err, SKL_ERR_INVALID, "chdir to cwd (\"%s\") set in config.json failed: %s", s->cwd,
                  r->error == ENOENT ? "no such file or directory" : strerror(r->error));
        break;
    case STAGE_USER:
        error_set(err, SKL_ERR_INVALID, "setting user %u:%u: %s", s->uid, s->gid, strerror(r->error));
        break;
    case STAGE_RLIMIT:
        error_set(err, SKL_ERR_INVALID, "error setting rlimits for ready process: %s", strerror(r->error));
        break;
    default:
        error_set(err, SKL_ERR_INTERNAL, "preparing the process: %s", strerror(r->error));
        break;
    }
}

static int open_pipes(const struct process_spec *s, struct plan *p, struct spawned *ret)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};

    if (s->open_stdin ? pipe2(in, O_CLOEXEC) < 0 : (in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
        return -1;
    p->in = in[0];
    ret->stdin_fd = in[1];
    if (s->inherit_stdio) {
        p->out = fcntl(1, F_DUPFD_CLOEXEC, 3);
        p->err = fcntl(2, F_DUPFD_CLOEXEC, 3);
        return p->out < 0 || p->err < 0 ? -1 : 0;
    }
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        return -1;
    (void)fcntl(out[0], F_SETPIPE_SZ, PIPE_SIZE);
    if (in[1] >= 0)
        (void)fcntl(in[1], F_SETPIPE_SZ, PIPE_SIZE);
    p->out = out[1];
    p->err = err[1];
    ret->stdout_fd = out[0];
    ret->stderr_fd = err[0];
    return 0;
}

static int open_tty(const struct process_spec *s, struct plan *p, struct spawned *ret)
{
    struct winsize ws = {.ws_row = (unsigned short)s->rows, .ws_col = (unsigned short)s->cols};
    int master, slave;

    if (openpty(&master, &slave, NULL, NULL, &ws) < 0)
        return -1;
    (void)!fchown(slave, s->uid, (gid_t)-1); /* only root can; others own it */
    fcntl(master, F_SETFD, FD_CLOEXEC);
    fcntl(slave, F_SETFD, FD_CLOEXEC);
    p->in = slave;
    p->out = fcntl(slave, F_DUPFD_CLOEXEC, 3);
    p->err = fcntl(slave, F_DUPFD_CLOEXEC, 3);
    ret->stdin_fd = s->open_stdin ? master : -1;
    ret->stdout_fd = master;
    return p->out < 0 || p->err < 0 ? -1 : 0;
}

static void set_nonblocking(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void close_ours(struct spawned *ret)
{
    if (ret->stdin_fd != ret->stdout_fd)
        close_p(&ret->stdin_fd);
    ret->stdin_fd = -1;
    close_p(&ret->stdout_fd);
    close_p(&ret->stderr_fd);
}

/* Waits for exec (the pipe closes) or for a report. */
static int fork_exec(struct plan *p, pid_t *ret_pid, struct report *r)
{
    int report[2];
    ssize_t n;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -1;
    p->report = fcntl(report[1], F_DUPFD_CLOEXEC, 20);
    close(report[1]);
    *ret_pid = fork();
    if (*ret_pid == 0)
        child_main(p);
    close(p->report);
    if (*ret_pid < 0) {
        close(report[0]);
        return -1;
    }
    do {
        n = read(report[0], r, sizeof(*r));
    } while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n != (ssize_t)sizeof(*r))
        return 0;
    while (waitpid(*ret_pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return 1;
}

int spawn_process(const struct process_spec *s, struct spawned *ret, int *ret_code, struct skl_error *err)
{
    struct plan p = {.s = s, .in = -1, .out = -1, .err = -1};
    struct report r = {0};
    int rc;

    *ret = (struct spawned){.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    *ret_code = CODE_FAILED;
    if (plan_limits(&p, s->rlimits, err) < 0) {
        free(p.limits);
        return -1;
    }
    p.candidates = find_candidates(s);
    rc = s->tty ? open_tty(s, &p, ret) : open_pipes(s, &p, ret);
    if (rc == 0)
        rc = fork_exec(&p, &ret->pid, &r);
    if (rc < 0)
        error_set_errno(err, SKL_ERR_INTERNAL, errno, "starting a process");
    else if (rc > 0)
        explain(s, &r, ret_code, err);
    close_p(&p.in);
    close_p(&p.out);
    close_p(&p.err);
    for (char **c = p.candidates; *c != NULL; c++)
        free(*c);
    free(p.candidates);
    free(p.limits);
    if (rc != 0) {
        close_ours(ret);
        return -1;
    }
    set_nonblocking(ret->stdin_fd);
    set_nonblocking(ret->stdout_fd);
    set_nonblocking(ret->stderr_fd);
    *ret_code = 0;
    return 0;
}
