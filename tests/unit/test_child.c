/*
 * Tests of core/loop/child.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "loop/child.h"
#include "tests/unit/harness.h"

static struct loop *loop;
static struct skl_error err;
static int exit_status;
static bool done;

static void set_up(void)
{
    loop = loop_new(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
    done = false;
    exit_status = -1;
    memset(&err, 0, sizeof(err));
}

static void on_exit_noted(void *arg, int status)
{
    (void)arg;
    exit_status = status;
    done = true;
}

static struct child *run(const char *script, struct child_spec spec)
{
    const char *argv[] = {"sh", "-c", script, NULL};

    spec.argv = argv;
    return child_spawn(loop, &spec, on_exit_noted, NULL, &err);
}

static const struct child_spec plain = {.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};

static void test_exit_code(void)
{
    set_up();
    CU_ASSERT_PTR_NOT_NULL_FATAL(run("exit 7", plain));
    CU_ASSERT_FALSE(done);
    UNIT_WAIT(loop, &done);
    CU_ASSERT_TRUE(WIFEXITED(exit_status) && WEXITSTATUS(exit_status) == 7);
    loop_free(loop);
}

static void test_not_found(void)
{
    static const char *const argv[] = {"no-such-program-here", NULL};
    struct child_spec spec = plain;

    set_up();
    spec.argv = argv;
    CU_ASSERT_PTR_NULL(child_spawn(loop, &spec, on_exit_noted, NULL, &err));
    UNIT_STR_EQ(err.message, "cannot run no-such-program-here: No such file or directory");
    spec.cwd = "/no/such/dir";
    CU_ASSERT_PTR_NULL(run("true", spec));
    UNIT_INT_EQ(err.detail, ENOENT);
    /* nothing is left to be reaped */
    UNIT_INT_EQ(waitpid(-1, NULL, WNOHANG), -1);
    loop_free(loop);
}

static void read_all(int fd, char *out, size_t size)
{
    size_t n = 0;
    ssize_t got;

    while ((got = read(fd, out + n, size - n - 1)) > 0)
        n += (size_t)got;
    out[n] = '\0';
}

static void test_fds_env_cwd(void)
{
    static const char *const env[] = {"A=1", "PATH=/usr/bin:/bin", NULL};
    struct child_spec spec = {.envp = env, .cwd = "/"};
    int in[2], out[2];
    char text[256];

    set_up();
    CU_ASSERT_EQUAL_FATAL(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    spec.stdin_fd = in[0];
    spec.stdout_fd = spec.stderr_fd = out[1];
    CU_ASSERT_PTR_NOT_NULL_FATAL(run("cat; pwd; echo $A$HOME >&2; ls /proc/self/fd | wc -l", spec));
    CU_ASSERT_EQUAL(write(in[1], "hi\n", 3), 3);
    close(in[0]);
    close(in[1]);
    close(out[1]);
    read_all(out[0], text, sizeof(text));
    /* 0, 1, 2 and the one that ls opens */
    UNIT_STR_EQ(text, "hi\n/\n1\n4\n");
    UNIT_WAIT(loop, &done);
    close(out[0]);
    loop_free(loop);
}

static void test_swapped_fds(void)
{
    int out[2], saved_out = dup(1), saved_in = dup(0);
    struct child_spec spec = plain;
    char text[64];

    set_up();
    CU_ASSERT_EQUAL_FATAL(pipe2(out, O_CLOEXEC), 0);
    /* the child's stdout is our 0, and its stdin our 1 */
    fflush(stdout);
    dup2(out[1], 0);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 1);
    spec.stdin_fd = 1;
    spec.stdout_fd = 0;
    CU_ASSERT_PTR_NOT_NULL(run("cat; echo swapped", spec));
    dup2(saved_in, 0);
    dup2(saved_out, 1);
    close(out[1]);
    read_all(out[0], text, sizeof(text));
    UNIT_STR_EQ(text, "swapped\n");
    UNIT_WAIT(loop, &done);
    close(out[0]);
    close(saved_in);
    close(saved_out);
    loop_free(loop);
}

static void test_signals_are_default(void)
{
    sigset_t set;

    set_up();
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    /* SIGPIPE is ignored here (loop_new), TERM is blocked; neither may be so in the child */
    CU_ASSERT_PTR_NOT_NULL_FATAL(run("kill -PIPE $$; exit 3", plain));
    UNIT_WAIT(loop, &done);
    CU_ASSERT_TRUE(WIFSIGNALED(exit_status) && WTERMSIG(exit_status) == SIGPIPE);
    done = false;
    struct child *c = run("sleep 60", plain);
    UNIT_INT_EQ(child_kill(c, SIGTERM), 0);
    UNIT_WAIT(loop, &done);
    CU_ASSERT_TRUE(WIFSIGNALED(exit_status) && WTERMSIG(exit_status) == SIGTERM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    loop_free(loop);
}

static void test_kill_group(void)
{
    struct child_spec spec = plain;
    struct child *c;
    int out[2];
    char text[64];

    set_up();
    CU_ASSERT_EQUAL_FATAL(pipe2(out, O_CLOEXEC), 0);
    spec.new_session = true;
    spec.stdout_fd = out[1];
    c = run("sleep 60 & echo started; wait", spec);
    close(out[1]);
    CU_ASSERT_EQUAL(read(out[0], text, 8), 8);
    UNIT_INT_EQ(child_kill(c, SIGKILL), 0);
    /* the grandchild held the pipe too: end of file says that it is gone */
    read_all(out[0], text, sizeof(text));
    UNIT_WAIT(loop, &done);
    close(out[0]);
    loop_free(loop);
}

static void test_detach_still_reaps(void)
{
    struct child *c;
    pid_t pid;
    bool gone = false;

    set_up();
    c = run("exit 0", plain);
    pid = child_pid(c);
    child_detach(c);
    for (int i = 0; i < 200 && !gone; i++) {
        struct child_spec spec = plain;

        done = false;
        run("sleep 0.01", spec);
        UNIT_WAIT(loop, &done);
        gone = kill(pid, 0) < 0 && errno == ESRCH;
    }
    CU_ASSERT_TRUE(gone);
    loop_free(loop);
}

static void test_dies_with_parent(void)
{
    struct child_spec spec = plain;
    int out[2];
    char text[8];

    CU_ASSERT_EQUAL_FATAL(pipe2(out, O_CLOEXEC), 0);
    pid_t middle = fork();
    if (middle == 0) {
        loop = loop_new(&err);
        spec.die_with_parent = true;
        spec.stdout_fd = out[1];
        run("exec sleep 60", spec);
        _exit(0);
    }
    close(out[1]);
    waitpid(middle, NULL, 0);
    read_all(out[0], text, sizeof(text)); /* returns when the last writer died */
    close(out[0]);
}

UNIT_MAIN("child", UNIT(test_exit_code), UNIT(test_not_found), UNIT(test_fds_env_cwd), UNIT(test_swapped_fds),
          UNIT(test_signals_are_default), UNIT(test_kill_group), UNIT(test_detach_still_reaps),
          UNIT(test_dies_with_parent))
