/*
 * agent/tunnel.h - POST /connect: a TCP tunnel.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_TUNNEL_H
#define SKL_AGENT_TUNNEL_H

#include "agent/request.h"

bool tunnel_handle(struct request *r); /* as archive_handle */

#endif
