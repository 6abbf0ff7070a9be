/*
 * state/wait.c - who waits for a container. See container.h.
 *
 * A waiter that is woken leaves its container at once, with the code of that moment, and is told by a call-soon. So
 * a container that is started again in between changes nothing, and events that were published before are on their way
 * first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "state/internal.h"

struct waiter {
    struct list link; /* container's waiters; then engine's woken */
    struct engine *e;
    enum wait_condition cond;
    container_wait_fn fn;
    void *arg;
    struct soon soon;
    int code;
    struct skl_error *err; /* NULL: none */
};

bool wait_condition_parse(const char *s, enum wait_condition *ret)
{
    if (str_empty(s) || strcmp(s, "not-running") == 0)
        *ret = WAIT_NOT_RUNNING;
    else if (strcmp(s, "next-exit") == 0)
        *ret = WAIT_NEXT_EXIT;
    else if (strcmp(s, "removed") == 0)
        *ret = WAIT_REMOVED;
    else
        return false;
    return true;
}

static void waiter_free(struct waiter *w)
{
    list_remove(&w->link);
    soon_cancel(&w->soon);
    free(w->err);
    free(w);
}

static void on_soon(void *arg)
{
    struct waiter *w = arg;
    struct waiter copy = *w;
    struct skl_error err;

    if (w->err != NULL)
        err = *w->err;
    copy.err = w->err != NULL ? &err : NULL;
    waiter_free(w);
    copy.fn(copy.arg, copy.code, copy.err);
}

static void wake(struct waiter *w, int code, const struct skl_error *err)
{
    w->code = code;
    if (err != NULL)
        w->err = xmemdup(err, sizeof(*err));
    list_remove(&w->link);
    list_push_back(&w->e->woken, &w->link);
    loop_soon(w->e->loop, &w->soon);
}

void waiters_wake(struct container *c, enum wait_condition cond, int code, const struct skl_error *err)
{
    LIST_FOREACH_SAFE(node, tmp, &c->waiters) {
        struct waiter *w = LIST_ENTRY(node, struct waiter, link);

        if (w->cond == cond)
            wake(w, code, err);
    }
}

void waiters_free(struct container *c)
{
    while (!list_empty(&c->waiters))
        waiter_free(LIST_ENTRY(c->waiters.next, struct waiter, link));
}

void waiters_woken_free(struct engine *e)
{
    while (!list_empty(&e->woken))
        waiter_free(LIST_ENTRY(e->woken.next, struct waiter, link));
}

struct waiter *container_wait(struct container *c, enum wait_condition cond, container_wait_fn fn, void *arg)
{
    struct waiter *w = xcalloc(1, sizeof(*w));

    w->e = c->engine;
    w->cond = cond;
    w->fn = fn;
    w->arg = arg;
    soon_init(&w->soon, on_soon, w);
    list_push_back(&c->waiters, &w->link);
    if (c->status == CONTAINER_REMOVED ||
        (cond == WAIT_NOT_RUNNING && !container_is_running(c) && c->status != CONTAINER_REMOVING))
        wake(w, c->exit_code, NULL);
    return w;
}

void waiter_cancel(struct waiter *w)
{
    if (w != NULL)
        waiter_free(w);
}
