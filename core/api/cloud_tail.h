/*
 * api/cloud_tail.h - what the cloud's log has of a run that has ended, for who was attached to it: a container without an agent has
 * no capture, and its last lines reach the log seconds after they were printed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_CLOUD_TAIL_H
#define SKL_API_CLOUD_TAIL_H

#include <stdbool.h>
#include <stdint.h>
#include "state/engine.h"

struct cloud_tail;

struct cloud_tail_ops {
    bool (*on_line)(void *arg, uint8_t stream, const char *p, size_t n); /* false: taken, but no more now; cloud_tail_resume() */
    void (*on_end)(void *arg);                                          /* the tail is gone */
};

/* NULL: this container has none: it has a capture, or never ran. wait: for lines that come late; else one look. */
struct cloud_tail *cloud_tail_begin(struct container *c, bool wait, const struct cloud_tail_ops *ops, void *arg);
void cloud_tail_resume(struct cloud_tail *t);
void cloud_tail_cancel(struct cloud_tail *t); /* takes NULL; nothing is called any more */

#endif
