/*
 * Tests of core/loop/loop.c and work.c.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "loop/loop.h"
#include "tests/unit/harness.h"

static struct loop *loop;
static char trace[64];
static bool done;

static void set_up(void)
{
    struct skl_error err;

    loop = loop_new(&err);
    CU_ASSERT_PTR_NOT_NULL_FATAL(loop);
    memset(trace, 0, sizeof(trace));
    done = false;
}

static void note(void *arg)
{
    strncat(trace, arg, sizeof(trace) - strlen(trace) - 1);
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static struct soon soon_a, soon_b, soon_c, soon_again;

static void on_again(void *arg)
{
    note("r");
    (void)arg;
    if (strlen(trace) < 10)
        loop_soon(loop, &soon_again);
    else
        loop_stop(loop);
}

static void on_b(void *arg)
{
    note(arg);
    soon_cancel(&soon_c);
    soon_cancel(&soon_b);
}

static void test_soon_order_and_cancel(void)
{
    set_up();
    soon_init(&soon_a, note, "a");
    soon_init(&soon_b, on_b, "b");
    soon_init(&soon_c, note, "c");
    soon_init(&soon_again, on_again, NULL);
    loop_soon(loop, &soon_a);
    loop_soon(loop, &soon_b);
    loop_soon(loop, &soon_a);
    loop_soon(loop, &soon_c);
    loop_soon(loop, &soon_again);
    UNIT_STR_EQ(trace, "");
    loop_run(loop);
    UNIT_STR_EQ(trace, "abrrrrrrrr");
    loop_free(loop);
}

static struct io io;
static int pipe_fds[2];

static void on_readable(void *arg, unsigned ready)
{
    (void)arg;
    UNIT_INT_EQ(ready, IO_READ);
    done = true;
    io_fini(&io);
    soon_cancel(&soon_again);
}

static void on_forever(void *arg)
{
    (void)arg;
    loop_soon(loop, &soon_again);
}

static void test_soon_does_not_starve_io(void)
{
    set_up();
    CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
    soon_init(&soon_again, on_forever, NULL);
    loop_soon(loop, &soon_again);
    io_init(loop, &io, pipe_fds[0], on_readable, NULL);
    io_want(&io, IO_READ);
    CU_ASSERT_EQUAL(write(pipe_fds[1], "x", 1), 1);
    UNIT_WAIT(loop, &done);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    soon_cancel(&soon_again);
    loop_free(loop);
}

static struct timer timer_1, timer_2, timer_3, timer_end;

static void test_timers(void)
{
    set_up();
    timer_init(loop, &timer_1, note, "1");
    timer_init(loop, &timer_2, note, "2");
    timer_init(loop, &timer_3, note, "3");
    timer_init(loop, &timer_end, stop, NULL);
    timer_stop(&timer_1); /* never started: fine */
    CU_ASSERT_FALSE(timer_armed(&timer_1));
    timer_start(&timer_end, 40 * NS_PER_MS);
    timer_start(&timer_1, 20 * NS_PER_MS);
    timer_start(&timer_2, 1);
    timer_start(&timer_3, 5 * NS_PER_MS);
    timer_stop(&timer_3);
    timer_start(&timer_2, -5); /* armed again: once */
    CU_ASSERT_TRUE(timer_armed(&timer_1));
    int64_t before = loop_now(loop);
    loop_run(loop);
    CU_ASSERT_TRUE(loop_now(loop) - before >= 39 * NS_PER_MS);
    UNIT_STR_EQ(trace, "21");
    CU_ASSERT_FALSE(timer_armed(&timer_1));
    timer_fini(&timer_1);
    timer_fini(&timer_1);
    timer_fini(&timer_2);
    timer_fini(&timer_3);
    timer_fini(&timer_end);
    loop_free(loop);
}

static int io_calls;

static void on_rw(void *arg, unsigned ready)
{
    (void)arg;
    io_calls++;
    if (ready & IO_WRITE) {
        note("w");
        io_want(&io, IO_READ);
    } else {
        note("r");
        io_want(&io, 0);
        loop_stop(loop);
    }
}

static void test_io_interest(void)
{
    int fds[2];

    set_up();
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CU_ASSERT_EQUAL(write(fds[1], "x", 1), 1);
    io_init(loop, &io, fds[0], on_rw, NULL);
    io_want(&io, IO_READ | IO_WRITE);
    loop_run(loop);
    UNIT_STR_EQ(trace, "wr");
    /* paused: the byte is still there, nobody is called */
    timer_init(loop, &timer_end, stop, NULL);
    timer_start(&timer_end, 20 * NS_PER_MS);
    loop_run(loop);
    UNIT_STR_EQ(trace, "wr");
    io_fini(&io);
    timer_fini(&timer_end);
    close(fds[0]);
    close(fds[1]);
    loop_free(loop);
}

static void on_signal(void *arg, int signo)
{
    UNIT_INT_EQ(signo, SIGUSR1);
    note(arg);
    loop_stop(loop);
}

static void test_signals(void)
{
    struct skl_error err = {0};

    set_up();
    UNIT_INT_EQ(loop_on_signal(loop, SIGUSR1, on_signal, "s", &err), 0);
    CU_ASSERT_TRUE(loop_on_signal(loop, SIGUSR1, on_signal, "t", &err) < 0);
    UNIT_INT_EQ(err.kind, SKL_ERR_CONFLICT);
    raise(SIGUSR1);
    UNIT_STR_EQ(trace, "");
    loop_run(loop);
    UNIT_STR_EQ(trace, "s");
    loop_free(loop);
}

#define POSTS 20000
static int posted;

static void on_posted(void *arg)
{
    (void)arg;
    if (++posted == POSTS)
        done = true;
}

static void *poster(void *arg)
{
    for (int i = 0; i < POSTS / 2; i++)
        loop_post(loop, on_posted, arg);
    return NULL;
}

static void test_post_from_threads(void)
{
    pthread_t t[2];

    set_up();
    posted = 0;
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, poster, NULL), 0);
    UNIT_WAIT(loop, &done);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    UNIT_INT_EQ(posted, POSTS);
    loop_free(loop);
}

static pthread_t main_thread;
static int finished;

struct job {
    int n;
    bool elsewhere;
};

static void work(void *arg)
{
    struct job *j = arg;

    j->elsewhere = !pthread_equal(pthread_self(), main_thread);
    usleep(1000);
    j->n *= 2;
}

static void work_done(void *arg)
{
    struct job *j = arg;

    CU_ASSERT_TRUE(j->elsewhere && pthread_equal(pthread_self(), main_thread));
    done = ++finished == 20;
}

static void test_work(void)
{
    struct job jobs[20] = {0};

    set_up();
    main_thread = pthread_self();
    finished = 0;
    for (int i = 0; i < 20; i++) {
        jobs[i].n = i;
        loop_work(loop, work, work_done, &jobs[i]);
    }
    UNIT_WAIT(loop, &done);
    for (int i = 0; i < 20; i++)
        UNIT_INT_EQ(jobs[i].n, 2 * i);
    /* free with work queued: what runs is waited for, the rest is dropped */
    for (int i = 0; i < 20; i++)
        loop_work(loop, work, work_done, &jobs[i]);
    loop_free(loop);
    UNIT_INT_EQ(finished, 20);
}

UNIT_MAIN("loop", UNIT(test_soon_order_and_cancel), UNIT(test_soon_does_not_starve_io), UNIT(test_timers),
          UNIT(test_io_interest), UNIT(test_signals), UNIT(test_post_from_threads), UNIT(test_work))
