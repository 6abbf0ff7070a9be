/*
 * loop/internal.h - what the files of core/loop share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_LOOP_INTERNAL_H
#define SKL_LOOP_INTERNAL_H

#include <pthread.h>
#include "loop/loop.h"

/* Work and posted calls: everything here is guarded by `lock`. */
struct loop_threads {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list work;      /* queued struct job */
    struct list posted;    /* struct job whose fn runs on the loop */
    pthread_t thread[LOOP_WORK_THREADS];
    unsigned started;
    unsigned idle;
    bool stopping;
    int event_fd;          /* written when `posted` becomes non-empty */
    struct io io;
};

struct loop {
    struct event_base *base;
    struct list soon;
    struct event *soon_ev;
    bool in_soon;
    struct list signals;
    struct list closers;
    struct loop_threads threads;
};

int loop_threads_init(struct loop *loop, struct skl_error *err);
void loop_threads_fini(struct loop *loop);

/* Things that end with the loop if nobody ended them before (list_remove(&c->link) to be forgotten). */
struct loop_closer {
    struct list link;
    void (*fn)(struct loop_closer *c);
};
void loop_at_free(struct loop *loop, struct loop_closer *c, void (*fn)(struct loop_closer *c));

#endif
