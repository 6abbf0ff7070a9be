/*
 * state/machine_agent.c - a run's agent, from when the chain expects it until it is let go, and the published ports with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include "state/container.h"
#include "state/internal.h"
#include "state/machine.h"
#include "state/ports.h"

static void ports_forget(struct container *c)
{
    free(c->ports);
    c->ports = NULL;
    c->n_ports = 0;
}

int machine_agent_prepare(struct container *c, struct skl_error *err)
{
    struct engine *e = c->engine;

    ports_forget(c);
    if (!container_has_agent(c))
        return 0;
    e->runner->prepare(e->runner_ctx, c);
    if (!container_publishes(c))
        return 0;
    c->n_ports = container_bindings(c, &c->ports);
    return e->runner->publish(e->runner_ctx, c, err);
}

void machine_agent_release(struct container *c, bool keep_files)
{
    struct engine *e = c->engine;

    if (container_has_agent(c))
        e->runner->release(e->runner_ctx, c, keep_files);
    ports_forget(c);
}
