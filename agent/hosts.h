/*
 * agent/hosts.h - addresses from text: literals and /etc/hosts, before DNS and without its machinery.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_HOSTS_H
#define SKL_AGENT_HOSTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* false: text is no IPv4 or IPv6 address. */
bool hosts_address(const char *text, uint16_t port, struct sockaddr_storage *ss, socklen_t *len);
/* First address of a name in /etc/hosts, or NULL; caller frees. */
char *hosts_lookup(const char *name);

#endif
