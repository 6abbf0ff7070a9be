/*
 * api/containers_text.c - what several answers say of a container: status lines, ports, mounts, networks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/containers_text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/port.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/network.h"
#include "state/ports.h"


/* "Up 5 minutes (healthy)", "Exited (0) 3 seconds ago": reference 2.8.6. */
void container_status_text(const struct container *c, int64_t now, struct buf *out)
{
    char human[64];

    switch (c->status) {
    case CONTAINER_RUNNING:
    case CONTAINER_PAUSED:
        buf_printf(out, "Up %s", duration_human(now - c->started, human, sizeof(human)));
        if (c->status == CONTAINER_PAUSED)
            buf_puts(out, " (Paused)");
        else if (c->health != NULL && c->health->status == HEALTH_STARTING)
            buf_puts(out, " (health: starting)");
        else if (c->health != NULL && c->health->status != HEALTH_NONE)
            buf_printf(out, " (%s)", health_status_name(c->health->status));
        break;
    case CONTAINER_RESTARTING:
        buf_printf(out, "Restarting (%d) %s ago", c->exit_code, duration_human(now - c->finished, human, sizeof(human)));
        break;
    case CONTAINER_REMOVING:
        buf_puts(out, "Removal In Progress");
        break;
    case CONTAINER_DEAD:
        buf_puts(out, "Dead");
        break;
    case CONTAINER_EXITED:
        buf_printf(out, "Exited (%d) %s ago", c->exit_code, duration_human(now - c->finished, human, sizeof(human)));
        break;
    default:
        buf_puts(out, "Created");
        break;
    }
}

/* ---- ports ---- */

/* fn for each binding, and once with host_port NULL for a port that is exposed alone. */
void container_each_port(const struct container *c, void (*fn)(void *arg, const char *port, const char *ip, const char *host_port),
                         void *arg)
{
    const struct port_binding *list;
    struct port_binding *own;
    size_t n = container_ports(c, &list, &own);
    JSON_CLEANUP struct json_object *config = container_config(c);
    struct json_object *exposed = json_member(config, "ExposedPorts");

    for (size_t i = 0; i < n; i++) {
        char host_port[8];

        snprintf(host_port, sizeof(host_port), "%u", list[i].host_port);
        fn(arg, list[i].port, list[i].ip, host_port);
    }
    if (exposed != NULL) {
        json_object_object_foreach(exposed, port, v) {
            bool published = false;

            (void)v;
            for (size_t i = 0; i < n; i++)
                published |= str_eq(list[i].port, port);
            if (!published)
                fn(arg, port, NULL, NULL);
        }
    }
    free(own);
}

struct ports_map {
    struct jw *w;
    const char *open; /* the port whose array is open, or NULL */
};

static void close_port(struct ports_map *m)
{
    if (m->open != NULL)
        jw_array_end(m->w);
    m->open = NULL;
}

static void write_port(void *arg, const char *port, const char *ip, const char *host_port)
{
    struct ports_map *m = arg;

    if (m->open == NULL || !str_eq(m->open, port)) {
        close_port(m);
        jw_key(m->w, port);
        if (host_port == NULL) {
            jw_null(m->w, NULL);
            return;
        }
        jw_array(m->w, NULL);
        m->open = port;
    }
    jw_object(m->w, NULL);
    jw_string(m->w, "HostIp", ip);
    jw_string(m->w, "HostPort", host_port);
    jw_object_end(m->w);
}

void container_write_port_map(struct jw *w, const char *key, const struct container *c)
{
    struct ports_map m = {.w = w};

    jw_object(w, key);
    if (container_is_live(c)) {
        container_each_port(c, write_port, &m);
        close_port(&m);
    }
    jw_object_end(w);
}

static void write_port_item(void *arg, const char *port, const char *ip, const char *host_port)
{
    struct jw *w = arg;
    struct port p;

    if (port_parse(port, &p, NULL) < 0)
        return;
    jw_object(w, NULL);
    if (ip != NULL)
        jw_string(w, "IP", ip);
    jw_i64(w, "PrivatePort", p.first);
    if (host_port != NULL)
        jw_raw(w, "PublicPort", host_port);
    jw_string(w, "Type", p.proto);
    jw_object_end(w);
}

void container_write_port_list(struct jw *w, const char *key, const struct container *c)
{
    jw_array(w, key);
    if (container_is_live(c) && (strstr(c->config, "\"ExposedPorts\"") != NULL || strstr(c->host_config, "\"PortBindings\":{\"") != NULL))
        container_each_port(c, write_port_item, w);
    jw_array_end(w);
}

/* ---- mounts ---- */

void container_write_mounts(struct jw *w, const char *key, const struct container *c)
{
    static const char *const types[] = {"bind", "volume", "tmpfs"};

    jw_array(w, key);
    for (size_t i = 0; i < c->n_mounts; i++) {
        const struct container_mount *m = &c->mounts[i];
        jw_object(w, NULL);
        jw_string(w, "Type", types[m->type]);
        if (m->type == MOUNT_VOLUME)
            jw_string(w, "Name", m->name);
        jw_string(w, "Source", m->source);
        jw_string(w, "Destination", m->destination);
        if (m->type == MOUNT_VOLUME)
            jw_string(w, "Driver", m->driver);
        jw_string(w, "Mode", m->mode);
        jw_bool(w, "RW", m->rw);
        jw_string(w, "Propagation", m->propagation);
        jw_object_end(w);
    }
    jw_array_end(w);
}

/* ---- networks ---- */

static bool has_string(char **list, const char *s)
{
    for (; list != NULL && *list != NULL; list++)
        if (str_eq(*list, s))
            return true;
    return false;
}

/* Up to 1.44 aliases hold the short ID and the host name as well (reference 2.7.8). */
static void write_aliases(struct jw *w, const struct container *c, const struct endpoint *ep)
{
    char short_id[ID_SHORT_LEN + 1];

    if (ep->network->predefined && ep->aliases == NULL) {
        jw_null(w, "Aliases");
        return;
    }
    snprintf(short_id, sizeof(short_id), "%.*s", ID_SHORT_LEN, c->id);
    jw_array(w, "Aliases");
    for (char **a = ep->aliases; a != NULL && *a != NULL; a++)
        jw_string(w, NULL, *a);
    if (!ep->network->predefined) {
        if (!has_string(ep->aliases, short_id))
            jw_string(w, NULL, short_id);
        if (!str_empty(c->hostname) && !str_eq(c->hostname, short_id) && !has_string(ep->aliases, c->hostname))
            jw_string(w, NULL, c->hostname);
    }
    jw_array_end(w);
}

void endpoint_write(struct jw *w, const struct container *c, const struct endpoint *ep)
{
    bool up = container_is_live(c);
    char ip[IP_TEXT_SIZE] = "", gateway[IP_TEXT_SIZE] = "", mac[MAC_TEXT_SIZE] = "";
    char **names = endpoint_dns_names(ep);

    jw_object(w, NULL);
    jw_raw(w, "IPAMConfig", ep->ipam_config);
    jw_strings_or_null(w, "Links", (const char *const *)ep->links);
    write_aliases(w, c, ep);
    jw_string(w, "MacAddress", up ? endpoint_mac_text(ep, mac) : "");
    jw_raw(w, "DriverOpts", ep->driver_opts);
    jw_string(w, "NetworkID", ep->network->id);
    jw_string(w, "EndpointID", up ? ep->id : "");
    jw_string(w, "Gateway", up ? network_gateway_text(ep->network, gateway) : "");
    jw_string(w, "IPAddress", up ? endpoint_ip_text(ep, ip) : "");
    jw_i64(w, "IPPrefixLen", up && ep->network->has_pool ? ep->network->prefix_len : 0);
    jw_string(w, "IPv6Gateway", "");
    jw_string(w, "GlobalIPv6Address", "");
    jw_i64(w, "GlobalIPv6PrefixLen", 0);
    if (ep->network->predefined)
        jw_null(w, "DNSNames");
    else
        jw_strings(w, "DNSNames", (const char *const *)names);
    jw_object_end(w);
    free(names);
}

void container_write_networks(struct jw *w, const char *key, const struct container *c)
{
    jw_object(w, key);
    for (size_t i = 0; i < c->n_endpoints; i++) {
        jw_key(w, c->endpoints[i]->network->name);
        endpoint_write(w, c, c->endpoints[i]);
    }
    jw_object_end(w);
}
