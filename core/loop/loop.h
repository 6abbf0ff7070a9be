/*
 * loop/loop.h - the event loop: one per process, one thread.
 *
 * A thin layer over libevent. Code in core/http, core/wire's users, agent/ and simulator/ may use
 * bufferevents on loop_base(); everything else uses what stands here.
 *
 * Rules (HACKING.md, "Async"):
 *  - All functions are for the loop's thread, except loop_post().
 *  - A callback never runs inside the call that armed it.
 *  - Nothing may block: work that must goes to loop_work().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_LOOP_LOOP_H
#define SKL_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/error.h"
#include "base/list.h"

struct event_base;
struct event;
struct loop;

struct loop *loop_new(struct skl_error *err);
void loop_free(struct loop *loop);             /* after loop_run has returned; drops what is queued */
int loop_run(struct loop *loop);               /* until loop_stop() */
void loop_stop(struct loop *loop);             /* returns from loop_run after the current callbacks */
struct event_base *loop_base(struct loop *loop);
int64_t loop_now(struct loop *loop);           /* monotonic ns */

/* ---- call soon: run once, later in this turn or in the next; in the order queued ---- */
struct soon {
    struct list link;
    void (*fn)(void *arg);
    void *arg;
};
void soon_init(struct soon *s, void (*fn)(void *arg), void *arg);
void loop_soon(struct loop *loop, struct soon *s);   /* queueing twice is queueing once */
void soon_cancel(struct soon *s);

/* ---- timers: one-shot, monotonic ---- */
struct timer {
    struct event *ev;
    struct loop *loop;
    void (*fn)(void *arg);
    void *arg;
};
void timer_init(struct loop *loop, struct timer *t, void (*fn)(void *arg), void *arg);
void timer_start(struct timer *t, int64_t delay_ns); /* re-arms if armed; <= 0: next turn */
void timer_stop(struct timer *t);
bool timer_armed(const struct timer *t);
void timer_fini(struct timer *t);                    /* stops and frees; zeroed timer is fine */

/* ---- file descriptors ---- */
#define IO_READ 1u
#define IO_WRITE 2u
struct io {
    struct event *ev;
    struct loop *loop;
    int fd;                                          /* borrowed: never closed here */
    unsigned interest;
    void (*fn)(void *arg, unsigned ready);
    void *arg;
};
void io_init(struct loop *loop, struct io *io, int fd, void (*fn)(void *arg, unsigned ready), void *arg);
void io_want(struct io *io, unsigned interest);      /* IO_READ|IO_WRITE, 0 to pause; level-triggered */
void io_fini(struct io *io);                         /* before the fd is closed */

/* ---- signals ---- */
/* fn runs on the loop. At most one handler per signal. SIGPIPE is ignored by loop_new(). */
int loop_on_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg,
                   struct skl_error *err);

/* ---- from other threads ---- */
/* Thread-safe. Runs fn(arg) on the loop. The caller frees nothing: arg is fn's. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

/* Runs work(arg) on a pool thread (at most LOOP_WORK_THREADS, started when first needed), then
 * done(arg) on the loop. For what can only block: decompression, fsync, getaddrinfo in plugins. */
#define LOOP_WORK_THREADS 4
void loop_work(struct loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);

#endif
