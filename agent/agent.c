/*
 * agent/agent.c - the main process of the run, and the execs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/agent.h"
#include <string.h>

void agent_new_main(struct agent *a)
{
    struct process *p, *tmp;

    process_free(a->main);
    HASH_ITER(hh, a->execs, p, tmp)
        process_free(p); /* a run's execs end with it */
    a->main = process_new(a, "");
}

struct process *agent_exec(struct agent *a, const char *id)
{
    struct process *p;

    HASH_FIND(hh, a->execs, id, strlen(id), p);
    return p;
}

size_t agent_execs(const struct agent *a)
{
    return HASH_COUNT(a->execs);
}
