/*
 * simulator/pull.h - images from registries elsewhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_PULL_H
#define SKL_SIM_PULL_H

#include "simulator/sim.h"

typedef void (*pull_fn)(void *arg, const struct skl_error *err);

/* Gets the image (by its normal name) into the store; done follows, later. -1 with err: it could not begin, and done does not. */
int pull_begin(struct sim *s, const char *name, pull_fn done, void *arg, struct skl_error *err);

#endif
