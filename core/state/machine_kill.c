/*
 * state/machine_kill.c - ending an invocation in the cloud. Nobody waits for it: the machine goes on meanwhile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <string.h>
#include "base/log.h"
#include "state/machine.h"

static void kill_done(void *arg, const struct skl_error *err)
{
    if (err != NULL)
        log_warn("state", "container %.12s: its invocation could not be ended: %s", (const char *)arg, err->message);
    engine_job_free(arg);
}

void machine_kill_invocation(const struct container *c, uint32_t run, int signo)
{
    struct plugin *p = machine_driver(c);
    struct skl_kill_req req = {.size = sizeof(req), .signal = signo};
    struct view view;
    char *id;

    if (p == NULL)
        return;
    id = engine_job_new(c->engine, ID_SIZE, NULL);
    memcpy(id, c->id, ID_SIZE);
    view_init(&view, c);
    view.c.run = run;
    req.container = &view.c;
    plugin_kill(p, &req, engine_driver_timeout(c->engine, ENGINE_KILL_TIMEOUT_NS), kill_done, id);
    view_fini(&view);
}

void machine_kill_late(struct container *c, uint32_t run)
{
    log_warn("state", "container %.12s: run %u began after it was given up", c->id, run);
    machine_kill_invocation(c, run, SIGKILL);
}
