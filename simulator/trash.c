/*
 * simulator/trash.c - what instances leave is removed by a worker thread: ten thousand files take a disk that discards seconds, and the
 * loop has functions to serve.
 *
 * A directory goes to <state>/trash under its own name at once; one job at a time empties that. The simulator ends when it is empty; what a
 * killed one left the warden or the next start removes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "simulator/sim.h"

struct emptying {
    struct sim *sim;
    char *dir;
};

static char *trash_dir(const struct sim *s)
{
    return fs_join(s->opts.state_dir, "trash");
}

void trash_sweep(const struct sim *s)
{
    CLEANUP(free_p) char *dir = trash_dir(s);

    (void)fs_remove_tree(dir, NULL);
}

static bool keep_none(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return false;
}

static void work(void *arg)
{
    struct emptying *e = arg;

    (void)fs_sweep(e->dir, keep_none, NULL);
}

static void empty_it(struct sim *s);

void sim_stop_if_idle(struct sim *s)
{
    if (s->stopping && list_empty(&s->instances) && !s->trash_busy)
        loop_stop(s->loop);
}

static void work_done(void *arg)
{
    struct emptying *e = arg;
    struct sim *s = e->sim;

    free(e->dir);
    free(e);
    s->trash_busy = false;
    if (s->trash_more)
        empty_it(s);
    else
        sim_stop_if_idle(s);
}

static void empty_it(struct sim *s)
{
    struct emptying *e = xcalloc(1, sizeof(*e));

    s->trash_busy = true;
    s->trash_more = false;
    e->sim = s;
    e->dir = trash_dir(s);
    loop_work(s->loop, work, work_done, e);
}

void trash_move(const struct sim *s, const char *dir, const char *id)
{
    CLEANUP(free_p) char *top = trash_dir(s), *to = fs_join(top, id);
    struct skl_error err = {0};

    if ((fs_mkdir_p(top, 0700, NULL) < 0 || rename(dir, to) < 0) && fs_remove_tree(dir, &err) < 0)
        log_warn("instance", "cleaning up: %s", err.message);
}

void trash_begin(struct sim *s)
{
    CLEANUP(free_p) char *dir = trash_dir(s);

    if (access(dir, F_OK) == 0)
        empty_it(s);
}

void trash_put(struct sim *s, const char *dir, const char *id)
{
    trash_move(s, dir, id);
    s->trash_more = true;
    if (!s->trash_busy)
        empty_it(s);
}
