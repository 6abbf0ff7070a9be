/*
 * drivers/tunnel.h - TCP connections of the host to ports inside a container: POST /connect of the agent.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DRIVERS_TUNNEL_H
#define SKL_DRIVERS_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

struct peer;

#define TUNNELS_MAX 1024u /* of a container; what connects beyond waits in the listener's backlog */

/* Takes the (connected, non-blocking) socket. Waits for the agent if the link is away for the moment. */
void tunnel_new(struct peer *p, int fd, uint16_t port);
bool tunnels_full(const struct peer *p);
void tunnels_close(struct peer *p); /* all are reset */

#endif
