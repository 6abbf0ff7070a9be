/*
 * agent/tunnel.c - POST /connect: not served yet.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/tunnel.h"
#include "base/str.h"

bool tunnel_handle(struct request *r)
{
    if (!str_eq(r->path, "/connect"))
        return false;
    request_fail(r, SKL_ERR_UNIMPLEMENTED, "this agent has no tunnels yet");
    return true;
}
