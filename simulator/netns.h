/*
 * simulator/netns.h - the few netlink requests that instances' networks need (netlink.c). Each returns 0 or -1 with
 * errno set.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_NETNS_H
#define SKL_SIM_NETNS_H

#include <netinet/in.h>
#include <stdint.h>

int nl_open(void);                                   /* a socket in the current namespace */
int nl_link_index(int nl, const char *name);         /* > 0, or -1 */
int nl_veth_add(int nl, const char *name, uint32_t group, const char *peer, int peer_ns_fd);
int nl_link_delete(int nl, const char *name);
int nl_group_delete(int nl, uint32_t group);         /* all links of the group, in one go */
int nl_link_up(int nl, int index);
int nl_addr_add(int nl, int index, struct in_addr addr, int prefix);
/* prefix 0: the default route. via may be NULL. exclusive: EEXIST when there is one. */
int nl_route_add(int nl, int index, struct in_addr to, int prefix, const struct in_addr *via, int exclusive);

#endif
