/*
 * state/stdin.c - who feeds a container's stdin. See container.h.
 *
 * The bytes themselves are the runner's (drivers/): it keeps what is written before the process runs, and tells
 * when there is room again. Here is only who is attached, and what the end of a client means.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include "base/mem.h"
#include "state/internal.h"

struct stdin_client {
    struct container *c;
    void (*on_drain)(void *arg);
    void *arg;
    bool waiting;
    uint32_t run;     /* the run it feeds; 0: the next one, which has not begun */
    struct soon soon;
    struct list link; /* container's stdin_clients */
};

static void on_soon(void *arg)
{
    struct stdin_client *s = arg;

    if (s->on_drain != NULL)
        s->on_drain(s->arg);
}

struct stdin_client *container_stdin_attach(struct container *c, void (*on_drain)(void *arg), void *arg)
{
    struct stdin_client *s = xcalloc(1, sizeof(*s));

    container_ref(c);
    s->c = c;
    s->on_drain = on_drain;
    s->arg = arg;
    s->run = container_is_live(c) ? c->run : 0;
    soon_init(&s->soon, on_soon, s);
    list_push_back(&c->stdin_clients, &s->link);
    return s;
}

void stdin_run_begins(struct container *c)
{
    LIST_FOREACH_SAFE(node, tmp, &c->stdin_clients) {
        struct stdin_client *s = LIST_ENTRY(node, struct stdin_client, link);

        if (s->run == 0)
            s->run = c->run;
    }
}

/* A client of an ended run has nothing to say to the next: its end, which may well be noticed later than the process's,
 * would close what the next one reads (GitLab's runner starts again at once). */
static bool feeds(const struct stdin_client *s)
{
    return s->run == 0 || (s->run == s->c->run && container_is_live(s->c));
}

static bool reaches_process(const struct container *c)
{
    return c->open_stdin && c->engine->runner != NULL && container_has_agent(c);
}

bool container_stdin_write(struct stdin_client *s, const void *p, size_t n)
{
    struct container *c = s->c;

    if (n == 0 || !feeds(s) || !reaches_process(c))
        return true;
    s->waiting = !c->engine->runner->stdin_write(c->engine->runner_ctx, c, p, n);
    return !s->waiting;
}

void container_stdin_close(struct stdin_client *s, bool eof)
{
    struct container *c;

    if (s == NULL)
        return;
    (void)eof; /* with StdinOnce the end of the first client is the end, however it came about */
    c = s->c;
    /* A terminal has no end: it is typed (ctrl-D), and who detaches comes back to the same shell. */
    if (c->stdin_once && !c->tty && feeds(s) && reaches_process(c) && c->status != CONTAINER_REMOVED)
        c->engine->runner->stdin_close(c->engine->runner_ctx, c);
    soon_cancel(&s->soon);
    list_remove(&s->link);
    free(s);
    container_unref(c);
}

void engine_stdin_drained(struct container *c)
{
    LIST_FOREACH_SAFE(node, tmp, &c->stdin_clients) {
        struct stdin_client *s = LIST_ENTRY(node, struct stdin_client, link);

        if (!s->waiting)
            continue;
        s->waiting = false;
        loop_soon(c->engine->loop, &s->soon);
    }
}

/* Clients hold a reference, so none is left when a container is freed, except at the end of the daemon. */
void stdin_free(struct container *c)
{
    LIST_FOREACH_SAFE(node, tmp, &c->stdin_clients) {
        struct stdin_client *s = LIST_ENTRY(node, struct stdin_client, link);

        soon_cancel(&s->soon);
        list_remove(&s->link);
        free(s);
    }
}
