/*
 * daemon/listen.h - puts the configured hosts under an HTTP server.
 *
 * Rules: a unix socket has mode 0660 and the configured group if there is one; tcp:// beyond loopback is refused
 * without --tlsverify or --insecure-tcp, whether we bind it or systemd did.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DAEMON_LISTEN_H
#define SKL_DAEMON_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

struct config;
struct http_server;

enum listen_kind { LISTEN_UNIX, LISTEN_TCP, LISTEN_FD };
struct listen_addr {
    enum listen_kind kind;
    char path[108];  /* unix */
    char host[64];   /* tcp: numeric */
    uint16_t port;   /* tcp */
    int fd;          /* fd: its number, or -1 for all that systemd passed */
};

/* "unix:///run/x.sock", "tcp://127.0.0.1:2375", "tcp://[::1]:2375", "fd://", "fd://3". A tcp port that is missing is
 * default_port. */
int listen_parse(const char *url, uint16_t default_port, struct listen_addr *ret, struct skl_error *err);
bool listen_is_loopback(const char *host);

/* The Docker API's listeners. Also checks them (with server NULL): --validate. */
int listen_add_all(struct http_server *server, const struct config *config, struct skl_error *err);
/* One TCP address; ret_port may be NULL. */
int listen_add_tcp(struct http_server *server, const struct listen_addr *addr, const char *cert, const char *key,
                   uint16_t *ret_port, struct skl_error *err);

#endif
