/*
 * state/recover.c - after the start of a daemon: what an earlier one left.
 *
 * At once, container by container, by what its row says:
 *   not visible         its create was never acknowledged: undone, the cloud's resource is deleted
 *   starting            its start was never acknowledged: the invocation is ended
 *   running, paused     taken up again: its agent re-dials (machine_resume)
 *   restarting          goes on with its policy
 *   removing            goes on being removed; so does an exited one with AutoRemove
 *   exited              started again by policies `always` and `unless-stopped`, as Docker does
 * Then the pending deletions, and a look at what the clouds have under our label: what nobody here knows is an orphan,
 * reported, and deleted only when told to.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "state/internal.h"

#define LIST_TIMEOUT_NS (60 * NS_PER_S)

struct recovery {
    struct engine *e;
    bool prune;
    bool quiet;        /* only the lists are asked for */
    size_t lists;      /* still to come */
    struct engine_recovery result;
    void (*done)(void *arg, const struct engine_recovery *r);
    void *arg;
    struct soon soon;
};

struct listing {
    struct recovery *r;
    struct plugin *p;
};

/* ---- containers ---- */

/* An unacknowledged create. Its endpoints and name are free again, the volumes made for it go. */
static void roll_back(struct container *c)
{
    struct engine *e = c->engine;
    struct skl_error err;

    if (store_begin(e->store, &err) == 0) {
        if (removal_store(e, c, &err) == 0 && store_run(e->store, SQL_CONTAINER_DELETE, &err, "s", c->id) == 0)
            store_commit(e->store, NULL);
        else
            store_rollback(e->store);
    }
    removal_begin(e, c, NULL, NULL);
    container_unindex(c);
    endpoints_free(c);
    volume_remove_made(c);
    container_unref(c);
}

static bool starts_by_policy(const struct container *c)
{
    if (c->status != CONTAINER_EXITED || (engine_caps(c->engine, c) & SKL_CAP_RESTART_RUN) == 0)
        return false;
    return c->restart_policy == RESTART_ALWAYS || (c->restart_policy == RESTART_UNLESS_STOPPED && !c->manually_stopped);
}

static void doubt_resource(struct container *c)
{
    c->resource = (engine_caps(c->engine, c) & SKL_CAP_LIST) != 0 ? RESOURCE_UNKNOWN : RESOURCE_THERE;
}

static void recover_container(struct recovery *r, struct container *c)
{
    if (!c->visible) {
        r->result.rolled_back++;
        roll_back(c);
        return;
    }
    r->result.containers++;
    doubt_resource(c);
    if (c->was_starting) {
        c->was_starting = false;
        machine_cut_start(c);
    } else if (container_is_live(c)) {
        r->result.running++;
        machine_resume(c);
    } else if (c->status == CONTAINER_RESTARTING) {
        machine_start_by_policy(c, true);
    } else if (c->status == CONTAINER_REMOVING || (c->status == CONTAINER_EXITED && c->auto_remove)) {
        machine_remove_rest(c);
    } else if (starts_by_policy(c)) {
        machine_start_by_policy(c, false);
    }
}

static void recover_containers(struct recovery *r)
{
    struct container_hash *h, *tmp;

    HASH_ITER(by_id, r->e->by_id, h, tmp)
        recover_container(r, h->c);
}

/* ---- the clouds ---- */

static void finish(void *arg)
{
    struct recovery *r = arg;

    r->e->n_orphans = r->prune ? 0 : r->result.orphans;
    if (!r->quiet)
        log_info("state", "%zu containers, %zu of them running; %zu half-done creates undone, %zu deletions pending, %zu orphans%s",
             r->result.containers, r->result.running, r->result.rolled_back, r->result.removals, r->result.orphans,
             r->result.orphans > 0 && !r->prune ? " (--prune-orphans deletes them)" : "");
    if (r->done != NULL)
        r->done(r->arg, &r->result);
    engine_job_free(r);
}

static void look_at(struct recovery *r, struct plugin *p, const struct skl_list_item *item)
{
    struct engine *e = r->e;
    struct container *c = item->container_id != NULL ? container_by_id(e, item->container_id) : NULL;

    if (c != NULL)
        c->resource = RESOURCE_THERE;
    if (c != NULL || (item->container_id != NULL && removal_pending(e, item->container_id)))
        return;
    r->result.orphans++;
    log_warn("state", "driver %s: nobody knows %s (%s)", plugin_name(p),
             item->resource != NULL ? item->resource : item->handle, item->state != NULL ? item->state : "");
    if (r->prune && item->container_id != NULL)
        removal_orphan(e, p, item->container_id, item->handle);
}

/* What a whole list does not have is gone; without one nothing is known to be. (What this removes goes later: removal.c.) */
static void judge_unlisted(struct recovery *r, const struct plugin *p, bool listed)
{
    struct container_hash *h, *tmp;

    HASH_ITER(by_id, r->e->by_id, h, tmp) {
        struct container *c = h->c;

        if (strcmp(c->driver, plugin_name(p)) != 0)
            continue;
        if (c->resource == RESOURCE_UNKNOWN)
            c->resource = listed ? RESOURCE_GONE : RESOURCE_THERE;
        machine_resource_known(c);
    }
}

static void on_list(void *arg, const struct skl_error *err, const struct skl_list_result *res)
{
    struct listing *l = arg;
    struct recovery *r = l->r;

    if (err != NULL)
        log_warn("state", "driver %s could not list what it has: %s", plugin_name(l->p), err->message);
    for (uint32_t i = 0; err == NULL && i < res->count; i++)
        look_at(r, l->p, &res->items[i]);
    if (err == NULL && !res->complete)
        log_warn("state", "driver %s could not read all that it has: what is missing may be there", plugin_name(l->p));
    judge_unlisted(r, l->p, err == NULL && res->complete);
    engine_job_free(l);
    if (--r->lists == 0)
        finish(r);
}

static void begin_lists(struct recovery *r)
{
    struct engine *e = r->e;
    struct skl_list_req req = {.size = sizeof(req), .daemon_id = e->daemon_id};

    for (size_t i = 0; e->plugins != NULL && i < plugin_count(e->plugins); i++) {
        struct plugin *p = plugin_at(e->plugins, i);
        struct listing *l;

        if ((plugin_caps(p) & SKL_CAP_LIST) == 0)
            continue;
        l = engine_job_new(e, sizeof(*l), NULL);
        l->r = r;
        l->p = p;
        r->lists++;
        plugin_list(p, &req, LIST_TIMEOUT_NS, on_list, l);
    }
}

static void recovery_fini(void *job)
{
    soon_cancel(&((struct recovery *)job)->soon);
}

static struct recovery *recovery_new(struct engine *e)
{
    struct recovery *r = engine_job_new(e, sizeof(*r), recovery_fini);

    r->e = e;
    soon_init(&r->soon, finish, r);
    return r;
}

static void ask(struct recovery *r)
{
    begin_lists(r);
    if (r->lists == 0)
        loop_soon(r->e->loop, &r->soon);
}

void engine_ask_resources(struct engine *e)
{
    struct recovery *r = recovery_new(e);

    r->quiet = true;
    CONTAINER_FOREACH(c, e)
        doubt_resource(c);
    ask(r);
}

void engine_recover(struct engine *e, bool prune, void (*done)(void *arg, const struct engine_recovery *r), void *arg)
{
    struct recovery *r = recovery_new(e);

    r->prune = prune;
    r->done = done;
    r->arg = arg;
    r->result.removals = removals_resume(e);
    recover_containers(r);
    logstore_sweep(e->logs);
    ask(r);
}
