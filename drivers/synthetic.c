/*
 * drivers/synthetic.c - the last driver of the chain: what can be said of a container that has no agent by
 * configuration. It never pretends (DESIGN.md 4): an exec ends with 126 and one clear line on stderr, or, where the
 * configuration asks for it ("exec": {"synthetic": "echo"}), prints its command and ends with 0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "base/mem.h"
#include "drivers/exec_stream.h"

#define SYNTHETIC_ECHO_MAX (256u * 1024)
#define SYNTHETIC_REFUSED 126

static void echo_command(const struct exec *e, struct buf *out)
{
    for (char **a = e->config.argv; *a; a++)
        buf_printf(out, "%s%s", a == e->config.argv ? "" : " ", *a);
    buf_putc(out, '\n');
}

static void on_soon(void *arg)
{
    struct exec_stream *st = arg;
    bool echo = st->ch->synthetic == CHAIN_SYNTHETIC_ECHO;
    struct buf out;

    buf_init(&out, SYNTHETIC_ECHO_MAX);
    if (echo)
        echo_command(st->exec, &out);
    else
        buf_printf(&out, "sockerless: exec needs the agent inside the function, and %s\n",
                   chain_why_no_agent(st->exec->container));
    exec_set_running(st->exec, 0);
    exec_stream_started(st, NULL);
    if (!st->detached)
        (void)st->ops->on_output(st->arg, echo || st->exec->config.tty ? 1 : 2, (uint32_t)out.len, true, out.data,
                                 out.len);
    buf_fini(&out);
    exec_stream_exited(st, echo ? 0 : SYNTHETIC_REFUSED, NULL);
}

void synthetic_exec(struct exec_stream *st)
{
    soon_init(&st->soon, on_soon, st);
    loop_soon(st->ch->loop, &st->soon);
}
