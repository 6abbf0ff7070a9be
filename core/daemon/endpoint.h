/*
 * daemon/endpoint.h - the agents' listener and the URL they reach it by.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DAEMON_ENDPOINT_H
#define SKL_DAEMON_ENDPOINT_H

#include "base/error.h"

struct config;
struct http_server;

/* Puts agent.listen under the server. *ret_url (malloc): what agents dial, the configuration's callback-url, or with
 * --simulator the name by which functions reach the host's loopback; NULL: neither, so containers have no agent
 * and nothing listens.
 *
 * --simulator without an agent.listen of its own takes a free port and keeps it in the state directory: the agents of an
 * earlier process know no other. */
int endpoint_listen(struct http_server *server, const struct config *config, char **ret_url, struct skl_error *err);

#endif
