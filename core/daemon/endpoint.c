/*
 * daemon/endpoint.c - see endpoint.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "daemon/endpoint.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/config.h"
#include "daemon/listen.h"
#include "daemon/simulator.h"

#define SIMULATOR_HOST "host.sockerless.internal" /* inside a function: the host's loopback (DESIGN.md 3.3) */
#define AGENTS_PORT 3376

static int listen_at(struct http_server *server, const struct config *c, const struct listen_addr *a, uint16_t *port,
                     struct skl_error *err)
{
    return listen_add_tcp(server, a, c->agent_tls_cert, c->agent_tls_key, port, err);
}

/* The port of last time if it can be had. */
static int listen_kept(struct http_server *server, const struct config *c, uint16_t *port, struct skl_error *err)
{
    CLEANUP(free_p) char *file = fs_join(c->state_dir, "agents.port");
    struct listen_addr a = {.kind = LISTEN_TCP, .host = "127.0.0.1", .fd = -1};

    a.port = port_file_read(file);
    if (a.port != 0 && listen_at(server, c, &a, port, NULL) == 0)
        return 0;
    if (a.port != 0)
        log_warn("daemon", "port %u is taken: agents of earlier runs, which know no other, can't reach the daemon", a.port);
    a.port = 0;
    if (listen_at(server, c, &a, port, err) < 0)
        return -1;
    return port_file_write(file, *port, err);
}

static int listen_configured(struct http_server *server, const struct config *c, uint16_t *port, struct skl_error *err)
{
    struct listen_addr a;

    if (listen_parse(c->agent_listen, AGENTS_PORT, &a, err) < 0)
        return error_prefix(err, "agent.listen");
    if (a.kind != LISTEN_TCP)
        return error_set(err, SKL_ERR_INVALID, "agent.listen: \"%s\" is not a tcp:// address", c->agent_listen);
    return listen_at(server, c, &a, port, err);
}

int endpoint_listen(struct http_server *server, const struct config *c, char **ret_url, struct skl_error *err)
{
    bool given = !str_empty(c->callback_url);
    bool keep = c->simulator && config_source_of(c, "agent.listen") == CONFIG_FROM_DEFAULT;
    uint16_t port = 0;

    *ret_url = NULL;
    if (!given && !c->simulator)
        return 0;
    if ((keep ? listen_kept(server, c, &port, err) : listen_configured(server, c, &port, err)) < 0)
        return -1;
    *ret_url = given ? xstrdup(c->callback_url)
                     : xasprintf("%s://" SIMULATOR_HOST ":%u", str_empty(c->agent_tls_cert) ? "http" : "https", port);
    log_info("daemon", "agents dial %s", *ret_url);
    return 0;
}
