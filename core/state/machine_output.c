/*
 * state/machine_output.c - the agent's output on its way to the log. The run's end in it is judged by machine.c, later.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/machine.h"

uint64_t engine_output_offset(const struct container *c)
{
    return log_run_offset(c->log);
}

size_t engine_output_half(const struct container *c, uint8_t head[RECORD_HEADER_SIZE], uint32_t *ret_left)
{
    return log_run_half(c->log, head, ret_left);
}

bool engine_agent_output(struct container *c, uint32_t run, const void *p, size_t n, bool *ret_malformed)
{
    struct machine *m = machine_of_run(c, run);
    bool more;

    *ret_malformed = false;
    if (m == NULL)
        return true;
    more = log_append(c->log, p, n, ret_malformed);
    if (log_run_exit(c->log, NULL, NULL))
        loop_soon(c->engine->loop, &m->check_soon); /* not here: the chain is on the stack */
    else if (m->phase == PHASE_RUNNING && m->answer.valid && m->answer.kind == SKL_END_EXIT &&
             machine_acts_on_agent(c, SKL_CAP_AGENT_EXIT))
        timer_start(&m->wait_timer, DRAIN_NS);
    return more;
}

void machine_log_room(struct container *c)
{
    struct machine *m = c->machine;

    if (m == NULL)
        return;
    if (log_run_exit(c->log, NULL, NULL))
        loop_soon(c->engine->loop, &m->check_soon);
    else if (c->engine->runner != NULL)
        c->engine->runner->output_resume(c->engine->runner_ctx, c);
}
