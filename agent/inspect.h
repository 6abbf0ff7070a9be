/*
 * agent/inspect.h - what /proc and the cgroup files tell: GET /top and /stats.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_INSPECT_H
#define SKL_AGENT_INSPECT_H

#include "agent/request.h"

void inspect_top(struct request *r);
void inspect_stats(struct request *r);

#endif
