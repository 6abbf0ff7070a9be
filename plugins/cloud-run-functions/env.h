/*
 * env.h - a function's environment variables from a container.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_ENV_H
#define SKL_GCF_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include "sockerless/driver.h"

struct json_object;

/* All names and values together; the limit Google documents for functions. */
#define GCF_ENV_MAX 32768

/* Whether the cloud takes a variable of this name from a user: well-formed, not reserved, not one of ours. */
bool gcf_env_allowed(const char *name, size_t n);

/*
 * Fills `vars` (an empty object) with ours first, then those of the container's that the cloud takes and that
 * fit; all of them reach the process in SOCKERLESS_PROCESS or over the agent's link. When neither is possible
 * the container can't be made and err names the largest variable.
 */
int gcf_env_fill(struct json_object *vars, const struct skl_container *c, struct skl_error *err);

#endif
