/*
 * agent/url.h - the callback URL and proxies.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_URL_H
#define SKL_AGENT_URL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

struct url {
    bool secure;            /* wss, https */
    uint16_t port;
    char host[256];         /* without brackets */
    char host_header[280];
    char path[1024];        /* without a final slash; may be "" */
    char userinfo[256];     /* "user:password", decoded; may be "" */
};

/* ws, wss, http, https. */
int url_parse(struct url *u, const char *text, struct skl_error *err);
/* From HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY in either case. Loopback never goes through a proxy. */
bool url_proxy_for(const struct url *u, struct url *ret_proxy);
/* "Proxy-Authorization: Basic ...\r\n" or "". Caller frees. */
char *url_basic_auth(const struct url *u);

#endif
