/*
 * loop/work.c - the loop and other threads: loop_post, loop_work.
 *
 * Threads are started one at a time, when there is work and none is idle, up to LOOP_WORK_THREADS. They never
 * touch the loop's objects: results go through the `posted` list, whose first entry wakes the loop by eventfd.
 * All signals are blocked in them, so handlers run where the loop is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "loop/internal.h"

struct job {
    struct list link;
    void (*work)(void *arg); /* NULL once it ran, and for what was only posted */
    void (*done)(void *arg);
    void *arg;
};

static struct job *job_new(void (*work)(void *), void (*done)(void *), void *arg)
{
    struct job *j = xmalloc(sizeof(*j));

    *j = (struct job){.work = work, .done = done, .arg = arg};
    list_init(&j->link);
    return j;
}

static void post_job(struct loop_threads *t, struct job *j)
{
    static const uint64_t one = 1;
    bool first;

    pthread_mutex_lock(&t->lock);
    first = list_empty(&t->posted);
    list_push_back(&t->posted, &j->link);
    pthread_mutex_unlock(&t->lock);
    /* The counter can't overflow: it is written once per batch. */
    if (first && write(t->event_fd, &one, sizeof(one)) < 0)
        log_error("loop", "cannot wake the loop: %s", strerror(errno));
}

static void on_posted(void *arg, unsigned ready)
{
    struct loop *loop = arg;
    struct loop_threads *t = &loop->threads;
    struct list batch;
    uint64_t count;

    (void)ready;
    if (read(t->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        log_error("loop", "cannot read the loop's eventfd: %s", strerror(errno));
    list_init(&batch);
    pthread_mutex_lock(&t->lock);
    if (!list_empty(&t->posted)) {
        list_insert_between(&batch, t->posted.prev, t->posted.next);
        list_init(&t->posted);
    }
    pthread_mutex_unlock(&t->lock);
    while (!list_empty(&batch)) {
        struct job *j = LIST_ENTRY(batch.next, struct job, link);
        void (*done)(void *) = j->done;
        void *done_arg = j->arg;

        list_remove(&j->link);
        free(j);
        done(done_arg);
    }
}

void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    post_job(&loop->threads, job_new(NULL, fn, arg));
}

static void *worker(void *arg)
{
    struct loop_threads *t = arg;

    pthread_mutex_lock(&t->lock);
    while (!t->stopping) {
        struct job *j;

        if (list_empty(&t->work)) {
            t->idle++;
            pthread_cond_wait(&t->wake, &t->lock);
            t->idle--;
            continue;
        }
        j = LIST_ENTRY(t->work.next, struct job, link);
        list_remove(&j->link);
        pthread_mutex_unlock(&t->lock);
        j->work(j->arg);
        post_job(t, j);
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

/* With the lock held. */
static void start_thread(struct loop_threads *t)
{
    sigset_t all, old;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&t->thread[t->started], NULL, worker, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r == 0) {
        t->started++;
    } else if (t->started == 0) {
        log_error("loop", "cannot start a thread: %s", strerror(r));
        abort();
    }
}

void loop_work(struct loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
    struct loop_threads *t = &loop->threads;
    struct job *j = job_new(work, done, arg);

    pthread_mutex_lock(&t->lock);
    list_push_back(&t->work, &j->link);
    if (t->idle == 0 && t->started < LOOP_WORK_THREADS)
        start_thread(t);
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

int loop_threads_init(struct loop *loop, struct skl_error *err)
{
    struct loop_threads *t = &loop->threads;

    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    list_init(&t->work);
    list_init(&t->posted);
    t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->event_fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "eventfd");
    io_init(loop, &t->io, t->event_fd, on_posted, loop);
    io_want(&t->io, IO_READ);
    return 0;
}

static void drop_jobs(struct list *jobs)
{
    LIST_FOREACH_SAFE(node, tmp, jobs)
    {
        list_remove(node);
        free(LIST_ENTRY(node, struct job, link));
    }
}

void loop_threads_fini(struct loop *loop)
{
    struct loop_threads *t = &loop->threads;

    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 0; i < t->started; i++)
        pthread_join(t->thread[i], NULL);
    drop_jobs(&t->work);
    drop_jobs(&t->posted);
    io_fini(&t->io);
    if (t->event_fd >= 0)
        close(t->event_fd);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
}
