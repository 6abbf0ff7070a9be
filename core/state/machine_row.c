/*
 * state/machine_row.c - what the store holds of a container's state.
 *
 * A removal is one transaction that deletes the rows and stores the deletion, so a kill -9 finds it all there or all gone.
 * What is in memory stays until the driver's first try (removal.c), as `removing`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"
#include "state/machine.h"

int machine_store(struct container *c, struct skl_error *err)
{
    enum phase p = c->machine != NULL ? c->machine->phase : PHASE_REST;
    bool starting = p == PHASE_START_DRIVER || p == PHASE_START_PROCESS;

    return store_run(c->engine->store, SQL_CONTAINER_STATE, err, "siiiiiisiii", c->id, (int64_t)c->status,
                     (int64_t)starting, (int64_t)c->run, c->started, c->finished, (int64_t)c->exit_code, c->error,
                     (int64_t)c->oom, (int64_t)c->manually_stopped, (int64_t)c->restart_count);
}

void machine_save(struct machine *m)
{
    struct engine *e = m->c->engine;
    struct skl_error err;

    if (machine_store(m->c, &err) == 0) {
        list_remove(&m->dirty);
        return;
    }
    if (list_linked(&m->dirty))
        return;
    log_error("state", "container %.12s: its state can't be stored now, trying again: %s", m->c->id, err.message);
    list_push_back(&e->dirty, &m->dirty);
    timer_start(&e->dirty_timer, STORE_RETRY_NS);
}

int machine_rows_delete(struct container *c, bool volumes, struct skl_error *err)
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
