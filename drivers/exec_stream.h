/*
 * drivers/exec_stream.h - an exec with its client, as exec.c and synthetic.c see it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DRIVERS_EXEC_STREAM_H
#define SKL_DRIVERS_EXEC_STREAM_H

#include "drivers/internal.h"
#include "state/exec.h"

struct exec_stream {
    struct chain *ch;
    struct exec *exec;        /* a reference is held */
    struct proc *proc;        /* NULL: synthetic, or declined */
    bool detached;            /* nobody listens */
    bool started;             /* `started` was called */
    struct skl_error err;     /* of a decline */
    struct soon soon;
    void (*on_started)(void *arg, const struct skl_error *err);
    const struct exec_stream_ops *ops;
    void *arg;
};

/* The client is told, once. */
void exec_stream_started(struct exec_stream *st, const struct skl_error *err);
/* Sets the exec's code, tells the client, frees st. */
void exec_stream_exited(struct exec_stream *st, int code, const struct skl_error *err);

#endif
