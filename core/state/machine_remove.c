/*
 * state/machine_remove.c - the end of a container: its row becomes a pending deletion, then the cloud is asked, then it goes.
 *
 * One transaction deletes the rows and stores the deletion, so a kill -9 finds it all there or all gone. What is in memory
 * stays until the driver's first try (removal.c), as `removing`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/machine.h"

struct removing {
    struct container *c;
    bool volumes;
};

static int remove_rows(struct container *c, bool volumes, struct skl_error *err)
{
    struct store *s = c->engine->store;

    if (store_begin(s, err) < 0)
        return -1;
    if (removal_store(c->engine, c, err) < 0 || store_run(s, SQL_CONTAINER_DELETE, err, "s", c->id) < 0 ||
        (volumes && volume_delete_anonymous_rows(c, err) < 0)) {
        store_rollback(s);
        return -1;
    }
    if (store_commit(s, err) < 0)
        return -1;
    if (volumes)
        volume_doom_anonymous(c);
    return 0;
}

/* The cloud has deleted it, or will: here it goes. */
static void on_first_try(void *arg, const struct skl_error *err)
{
    struct removing *r = arg;
    struct container *c = r->c;
    struct engine *e = c->engine;

    (void)err;
    container_unindex(c);
    endpoints_free(c);
    if (r->volumes)
        volume_remove_anonymous(c);
    c->status = CONTAINER_REMOVED;
    log_delete(c->log);
    container_event(c, "destroy", NULL);
    waiters_wake(c, WAIT_NOT_RUNNING, c->exit_code, NULL);
    waiters_wake(c, WAIT_NEXT_EXIT, c->exit_code, NULL);
    waiters_wake(c, WAIT_REMOVED, c->exit_code, NULL);
    if (e->runner != NULL)
        e->runner->forget(e->runner_ctx, c);
    execs_free(c);
    c->machine->open_run = 0;
    ops_removed(c->machine, NULL);
    engine_job_free(r);
    container_unref(c); /* of the table */
    container_unref(c);
    engine_idle(e);
}

void machine_remove(struct machine *m, bool volumes)
{
    struct container *c = m->c;
    enum container_status before = c->status == CONTAINER_REMOVING ? CONTAINER_EXITED : c->status;
    struct removing *r;
    struct skl_error err;

    m->phase = PHASE_REMOVING;
    container_set_status(c, CONTAINER_REMOVING);
    if (remove_rows(c, volumes, &err) < 0) {
        m->phase = PHASE_REST;
        container_set_status(c, before);
        error_prefix(&err, "container %s could not be removed", c->id);
        waiters_wake(c, WAIT_REMOVED, c->exit_code, &err);
        ops_removed(m, &err);
        machine_settle(m);
        return;
    }
    list_remove(&m->dirty);
    if (m->open_run != 0)
        plugin_run_forget(machine_driver(c), c->id, m->open_run);
    r = engine_job_new(c->engine, sizeof(*r), NULL);
    r->c = c;
    r->volumes = volumes;
    engine_busy(c->engine);
    container_ref(c);
    removal_begin(c->engine, c, on_first_try, r);
}

void machine_remove_rest(struct container *c)
{
    machine_remove(machine_get(c), c->auto_remove);
}
