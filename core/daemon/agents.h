/*
 * daemon/agents.h - the agents' endpoint: an HTTP server of its own that serves the agent upgrade and nothing else
 * (it faces the internet). Connects core/http with drivers/chain.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DAEMON_AGENTS_H
#define SKL_DAEMON_AGENTS_H

struct http_req;

/* http_server_opts.on_request; arg is the struct chain. */
void agents_on_request(struct http_req *req, void *chain);

#endif
