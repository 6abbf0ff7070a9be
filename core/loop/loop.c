/*
 * loop/loop.c - the event loop: call-soon, timers, descriptors, signals. Threads: work.c.
 *
 * libevent objects are made when first needed, not by the init functions: most timers of an idle container are
 * never armed, and there are thousands of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "loop/loop.h"
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/internal.h"

struct signal_handler {
    struct list link;
    struct event *ev;
    int signo;
    void (*fn)(void *arg, int signo);
    void *arg;
};

static _Noreturn void die(const char *what)
{
    log_error("loop", "%s failed: out of memory or descriptors", what);
    abort();
}

/* ---- life ---- */

static void on_soon(evutil_socket_t fd, short what, void *arg);

static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL)
        return NULL;
    /* Without this flag libevent's clock is the coarse one, four milliseconds off. */
    if (event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_NOLOCK) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

struct loop *loop_new(struct skl_error *err)
{
    struct loop *loop = xcalloc(1, sizeof(*loop));

    list_init(&loop->soon);
    list_init(&loop->signals);
    list_init(&loop->closers);
    loop->base = base_new();
    if (loop->base == NULL) {
        free(loop);
        error_set(err, SKL_ERR_INTERNAL, "cannot make an event loop");
        return NULL;
    }
    loop->soon_ev = event_new(loop->base, -1, 0, on_soon, loop);
    if (loop->soon_ev == NULL)
        die("event_new");
    if (loop_threads_init(loop, err) < 0) {
        loop_free(loop);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    loop_threads_fini(loop);
    while (!list_empty(&loop->closers)) {
        struct loop_closer *c = LIST_ENTRY(loop->closers.next, struct loop_closer, link);

        list_remove(&c->link);
        c->fn(c);
    }
    LIST_FOREACH_SAFE(node, tmp, &loop->signals)
    {
        struct signal_handler *h = LIST_ENTRY(node, struct signal_handler, link);

        event_free(h->ev);
        free(h);
    }
    LIST_FOREACH_SAFE(node, tmp, &loop->soon)
        list_remove(node);
    event_free(loop->soon_ev);
    event_base_free(loop->base);
    free(loop);
}

int loop_run(struct loop *loop)
{
    return event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0 ? -1 : 0;
}

void loop_stop(struct loop *loop)
{
    event_base_loopexit(loop->base, NULL);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

int64_t loop_now(struct loop *loop)
{
    (void)loop;
    return clock_mono();
}

void loop_at_free(struct loop *loop, struct loop_closer *c, void (*fn)(struct loop_closer *c))
{
    c->fn = fn;
    list_push_back(&loop->closers, &c->link);
}

/* ---- call soon ---- */

void soon_init(struct soon *s, void (*fn)(void *arg), void *arg)
{
    list_init(&s->link);
    s->fn = fn;
    s->arg = arg;
}

void loop_soon(struct loop *loop, struct soon *s)
{
    if (list_linked(&s->link))
        return;
    list_push_back(&loop->soon, &s->link);
    if (!loop->in_soon)
        event_active(loop->soon_ev, EV_TIMEOUT, 0);
}

void soon_cancel(struct soon *s)
{
    list_remove(&s->link);
}

/* What is queued meanwhile runs in the next turn, so that I/O gets its share even when a callback queues
 * itself again and again. */
static void on_soon(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval now = {0, 0};
    struct loop *loop = arg;
    struct list batch;

    (void)fd;
    (void)what;
    if (list_empty(&loop->soon))
        return;
    list_insert_between(&batch, loop->soon.prev, loop->soon.next);
    list_init(&loop->soon);
    loop->in_soon = true;
    while (!list_empty(&batch)) {
        struct soon *s = LIST_ENTRY(batch.next, struct soon, link);

        list_remove(&s->link);
        s->fn(s->arg);
    }
    loop->in_soon = false;
    if (!list_empty(&loop->soon))
        event_add(loop->soon_ev, &now);
}

/* ---- timers ---- */

void timer_init(struct loop *loop, struct timer *t, void (*fn)(void *arg), void *arg)
{
    *t = (struct timer){.loop = loop, .fn = fn, .arg = arg};
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct timer *t = arg;

    (void)fd;
    (void)what;
    t->fn(t->arg);
}

void timer_start(struct timer *t, int64_t delay_ns)
{
    struct timeval tv = {0, 0};

    if (t->ev == NULL)
        t->ev = event_new(t->loop->base, -1, 0, on_timer, t);
    if (t->ev == NULL)
        die("event_new");
    if (delay_ns > 0) {
        tv.tv_sec = delay_ns / NS_PER_S;
        tv.tv_usec = (delay_ns % NS_PER_S + NS_PER_US - 1) / NS_PER_US;
        if (tv.tv_usec == 1000000) {
            tv.tv_sec++;
            tv.tv_usec = 0;
        }
    }
    if (event_add(t->ev, &tv) < 0)
        die("event_add");
}

void timer_stop(struct timer *t)
{
    if (t->ev != NULL)
        event_del(t->ev);
}

bool timer_armed(const struct timer *t)
{
    return t->ev != NULL && event_pending(t->ev, EV_TIMEOUT, NULL) != 0;
}

void timer_fini(struct timer *t)
{
    if (t->ev != NULL)
        event_free(t->ev);
    t->ev = NULL;
}

/* ---- descriptors ---- */

void io_init(struct loop *loop, struct io *io, int fd, void (*fn)(void *arg, unsigned ready), void *arg)
{
    *io = (struct io){.loop = loop, .fd = fd, .fn = fn, .arg = arg};
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct io *io = arg;
    unsigned ready = (what & EV_READ ? IO_READ : 0) | (what & EV_WRITE ? IO_WRITE : 0);

    (void)fd;
    /* The interest may have shrunk after the event was found and before it is delivered. */
    ready &= io->interest;
    if (ready != 0)
        io->fn(io->arg, ready);
}

void io_want(struct io *io, unsigned interest)
{
    short events = (short)((interest & IO_READ ? EV_READ : 0) | (interest & IO_WRITE ? EV_WRITE : 0));

    if (interest == io->interest)
        return;
    io->interest = interest;
    if (io->ev != NULL)
        event_del(io->ev);
    if (interest == 0)
        return;
    if (io->ev == NULL)
        io->ev = event_new(io->loop->base, io->fd, events | EV_PERSIST, on_io, io);
    else
        event_assign(io->ev, io->loop->base, io->fd, events | EV_PERSIST, on_io, io);
    if (io->ev == NULL)
        die("event_new");
    if (event_add(io->ev, NULL) < 0)
        log_error("loop", "cannot watch descriptor %d: %s", io->fd, strerror(errno));
}

void io_fini(struct io *io)
{
    if (io->ev != NULL)
        event_free(io->ev);
    io->ev = NULL;
    io->interest = 0;
}

/* ---- signals ---- */

static void on_signal_event(evutil_socket_t signo, short what, void *arg)
{
    struct signal_handler *h = arg;

    (void)what;
    h->fn(h->arg, (int)signo);
}

int loop_on_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo), void *arg,
                   struct skl_error *err)
{
    struct signal_handler *h;

    LIST_FOREACH_SAFE(node, tmp, &loop->signals)
    {
        if (LIST_ENTRY(node, struct signal_handler, link)->signo == signo)
            return error_set(err, SKL_ERR_CONFLICT, "signal %d has a handler already", signo);
    }
    h = xcalloc(1, sizeof(*h));
    h->signo = signo;
    h->fn = fn;
    h->arg = arg;
    h->ev = evsignal_new(loop->base, signo, on_signal_event, h);
    if (h->ev == NULL || event_add(h->ev, NULL) < 0) {
        if (h->ev != NULL)
            event_free(h->ev);
        free(h);
        return error_set(err, SKL_ERR_INTERNAL, "cannot handle signal %d", signo);
    }
    list_push_back(&loop->signals, &h->link);
    return 0;
}
