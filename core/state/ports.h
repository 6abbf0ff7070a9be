/*
 * state/ports.h - published ports: what a container asks for, and what listens for it while it runs.
 *
 * Where the driver lets an agent be used for it (extended semantics), the chain listens on the host and tunnels through the agent
 * (drivers/publish.c). Elsewhere ports are recorded and shown, as the mission has it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_PORTS_H
#define SKL_STATE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct container;

struct port_binding {
    char port[16];        /* "80/tcp", as Docker writes it */
    char ip[46];          /* HostIp, or the engine's address for published ports */
    uint16_t number;      /* inside */
    bool tcp;             /* others are recorded only */
    bool any;             /* no host port was asked for */
    uint16_t first, last; /* the host ports that will do; with `any` first is drawn from the container's ID */
    uint16_t host_port;   /* what listens; while nothing does, `first` */
};

/* The bindings of HostConfig.PortBindings, in their order, then what PublishAllPorts adds. Caller frees *ret. */
size_t container_bindings(const struct container *c, struct port_binding **ret);
/* Those of the run that is on, or the same as above. Borrowed until the run ends: do not keep. */
size_t container_ports(const struct container *c, const struct port_binding **ret, struct port_binding **ret_free);
/* Ports are to be listened on. */
bool container_publishes(const struct container *c);

#define PORT_ANY_FIRST 32768u /* the host's ephemeral range, as Docker draws from */
#define PORT_ANY_COUNT 28232u

#endif
