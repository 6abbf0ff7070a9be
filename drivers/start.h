/*
 * drivers/start.h - what start.c and output.c share: the start's stream turns into the output stream.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DRIVERS_START_H
#define SKL_DRIVERS_START_H

#include "drivers/internal.h"

void output_on_data(void *arg, struct h2_stream *st, const uint8_t *data, size_t n);
void output_on_close(void *arg, struct h2_stream *st, const struct skl_error *err);

#endif
