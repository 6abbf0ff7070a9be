/*
 * plugin/run.c - which runs of which containers are on, and the news of their end.
 *
 * A driver tells the end of a run once, at any time after start() was called, even before it completed that call; the
 * core hears it once, after it heard how the start went, and never on the driver's stack.
 *
 *     STARTING --start succeeded--> ON --run_ended--> ENDED
 *        |  run_ended: kept, delivered after the start's done
 *        |--start failed--> ENDED (a kept end is the driver's fault)
 *        `--given up-----> FORGOTTEN
 *     ON --removed, forgotten by the core--> FORGOTTEN --run_ended: silence--> ENDED
 *
 * ENDED and FORGOTTEN runs are remembered for a while (PLUGIN_ENDED_MAX), so that a second report of an end is told
 * from one about a run that never was.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plugin/internal.h"

#define ID_LEN_MAX 64
#define REASON_LEN_MAX 4096

enum run_state { RUN_STARTING, RUN_ON, RUN_ENDING, RUN_ENDED, RUN_FORGOTTEN };

struct plugin_run {
    UT_hash_handle hh;
    struct list link; /* in plugin.ended when ENDED or FORGOTTEN */
    struct plugin *p;
    enum run_state state;
    uint32_t run;
    char id[ID_LEN_MAX + 1];
    char key[ID_LEN_MAX + 12]; /* "id/run" */
    bool has_end;
    struct skl_run_end end;
    char *reason;
    struct soon soon;
};

void runs_init(struct plugin *p)
{
    p->runs = NULL;
    list_init(&p->ended);
    p->n_ended = 0;
}

static void run_free(struct plugin_run *r)
{
    struct plugin *p = r->p;

    HASH_DEL(p->runs, r);
    list_remove(&r->link);
    soon_cancel(&r->soon);
    free(r->reason);
    free(r);
}

void runs_fini(struct plugin *p)
{
    struct plugin_run *r, *next;

    HASH_ITER(hh, p->runs, r, next)
    {
        run_free(r);
    }
    p->n_ended = 0;
}

static void make_key(char key[ID_LEN_MAX + 12], const char *id, uint32_t run)
{
    snprintf(key, ID_LEN_MAX + 12, "%.*s/%u", ID_LEN_MAX, id, (unsigned)run);
}

static struct plugin_run *run_find(struct plugin *p, const char *id, uint32_t run)
{
    char key[ID_LEN_MAX + 12];
    struct plugin_run *r;

    make_key(key, id, run);
    HASH_FIND(hh, p->runs, key, strlen(key), r);
    return r;
}

static void drop_end(struct plugin_run *r)
{
    free(STEAL(r->reason));
    r->has_end = false;
    soon_cancel(&r->soon);
}

/* Into the list of those that are over. The oldest make room. */
static void retire(struct plugin_run *r, enum run_state state)
{
    struct plugin *p = r->p;

    drop_end(r);
    if (r->state != RUN_ENDED && r->state != RUN_FORGOTTEN) {
        list_push_back(&p->ended, &r->link);
        p->n_ended++;
    }
    r->state = state;
    if (p->n_ended > PLUGIN_ENDED_MAX) {
        p->n_ended--;
        run_free(LIST_ENTRY(p->ended.next, struct plugin_run, link));
    }
}

static void deliver(void *arg)
{
    struct plugin_run *r = arg;
    struct plugin_host *host = r->p->host;
    struct skl_run_end end = r->end;
    CLEANUP(free_p) char *reason = STEAL(r->reason);
    char id[ID_LEN_MAX + 1];
    uint32_t run = r->run;
    struct plugin *p = r->p;

    end.reason = reason;
    snprintf(id, sizeof id, "%s", r->id);
    retire(r, RUN_ENDED);
    if (host->on_run_ended != NULL)
        host->on_run_ended(host->run_ended_arg, p, id, run, &end);
}

static void run_on(struct plugin_run *r)
{
    r->state = r->has_end ? RUN_ENDING : RUN_ON;
    if (r->has_end)
        loop_soon(r->p->loop, &r->soon);
}

static struct plugin_run *run_begin(struct plugin *p, const char *id, uint32_t run)
{
    struct plugin_run *r = run_find(p, id, run);

    if (r != NULL) { /* the same number again, after a failed start */
        drop_end(r);
        if (list_linked(&r->link))
            p->n_ended--;
        list_remove(&r->link);
        return r;
    }
    r = xcalloc(1, sizeof *r);
    r->p = p;
    r->run = run;
    list_init(&r->link);
    soon_init(&r->soon, deliver, r);
    snprintf(r->id, sizeof r->id, "%s", id);
    make_key(r->key, id, run);
    HASH_ADD_KEYPTR(hh, p->runs, r->key, strlen(r->key), r);
    return r;
}

void run_starting(struct plugin *p, const char *container_id, uint32_t run)
{
    /* The core has moved on: nobody waits for the end of an earlier run. So each container has at most one
     * run that is not over. */
    plugin_run_forget(p, container_id, run - 1);
    run_begin(p, container_id, run)->state = RUN_STARTING;
}

void run_start_done(struct plugin *p, const char *container_id, uint32_t run, enum run_start_result result)
{
    struct plugin_run *r = run_find(p, container_id, run);

    if (r == NULL || r->state != RUN_STARTING)
        return;
    if (result == RUN_STARTED) {
        run_on(r);
        return;
    }
    if (result == RUN_START_FAILED && r->has_end)
        plugin_fault(p, "run_ended for run %u of container %.12s, whose start it completed with an error",
                     (unsigned)run, container_id);
    retire(r, result == RUN_START_FAILED ? RUN_ENDED : RUN_FORGOTTEN);
}

void plugin_run_adopt(struct plugin *p, const char *container_id, uint32_t run)
{
    run_begin(p, container_id, run)->state = RUN_ON;
}

void plugin_run_forget(struct plugin *p, const char *container_id, uint32_t run)
{
    struct plugin_run *r = run_find(p, container_id, run);

    if (r != NULL && r->state != RUN_ENDED)
        retire(r, RUN_FORGOTTEN);
}

/* ---- what the driver says ---- */

static void take_end(struct plugin *p, struct plugin_run *r, const struct skl_run_end *end)
{
    if (end == NULL || take_struct(&r->end, sizeof r->end, end, TAKE_MIN(struct skl_run_end, reason)) < 0) {
        plugin_fault(p, "run_ended for run %u of container %.12s with a struct of a wrong size", (unsigned)r->run, r->id);
        r->end = (struct skl_run_end){.size = sizeof r->end, .kind = SKL_END_LOST, .exit_code = 255};
    }
    if (r->end.kind < SKL_END_EXIT || r->end.kind > SKL_END_CANCELED) {
        plugin_fault(p, "run_ended for run %u of container %.12s with an unknown kind (%d)", (unsigned)r->run, r->id,
                     (int)r->end.kind);
        r->end.kind = SKL_END_LOST;
    }
    if (r->end.exit_code < 0 || r->end.exit_code > 255) {
        plugin_fault(p, "run_ended for run %u of container %.12s with exit code %d", (unsigned)r->run, r->id,
                     (int)r->end.exit_code);
        r->end.exit_code = 255;
    }
    if (!text_ok(r->end.reason, REASON_LEN_MAX)) {
        plugin_fault(p, "run_ended for run %u of container %.12s with a reason that is too long or not UTF-8",
                     (unsigned)r->run, r->id);
        r->end.reason = NULL;
    }
    r->reason = xstrdup(r->end.reason);
    r->has_end = true;
}

void service_run_ended(void *ctx, const char *container_id, uint32_t run, const struct skl_run_end *end)
{
    struct plugin *p = ctx;
    struct plugin_run *r;

    if (!plugin_on_loop(p, "run_ended"))
        return;
    if (container_id == NULL || !text_ok(container_id, ID_LEN_MAX)) {
        plugin_fault(p, "run_ended without a container ID");
        return;
    }
    r = run_find(p, container_id, run);
    if (r == NULL) {
        plugin_fault(p, "run_ended for run %u of container %.12s, which was not started", (unsigned)run, container_id);
        return;
    }
    if (r->state == RUN_FORGOTTEN) {
        retire(r, RUN_ENDED);
        return;
    }
    if (r->has_end || r->state == RUN_ENDED) {
        plugin_fault(p, "run_ended a second time for run %u of container %.12s", (unsigned)run, container_id);
        return;
    }
    take_end(p, r, end);
    if (r->state == RUN_ON)
        run_on(r);
}
