/*
 * state/ports.c - see ports.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "state/ports.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/container.h"
#include "state/internal.h"
#include "state/machine.h"

struct bindings {
    const struct container *c;
    struct port_binding *list;
    size_t n;
};

/* A published port without a number of its own: where the search begins, so that a restarted daemon mostly finds the same one. */
static uint16_t drawn(const struct container *c, const char *port)
{
    uint32_t h = 2166136261u;

    for (const char *p = c->id; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    for (const char *p = port; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    return (uint16_t)(PORT_ANY_FIRST + h % PORT_ANY_COUNT);
}

static uint16_t number(const char *text, size_t n)
{
    char digits[8];
    uint64_t v = 0;

    snprintf(digits, sizeof(digits), "%.*s", (int)n, text);
    return str_to_u64(digits, 1, 65535, &v) ? (uint16_t)v : 0;
}

static void set_host_ports(struct port_binding *b, const struct container *c, const char *text)
{
    size_t n = strcspn(text, "-");

    b->first = b->last = number(text, n);
    if (b->first != 0 && text[n] == '-')
        b->last = number(text + n + 1, strlen(text + n + 1));
    b->any = b->first == 0;
    if (b->any)
        b->first = b->last = drawn(c, b->port);
    b->host_port = b->first;
}

/* The texts were checked at create (api/create_host.c). */
static void add(struct bindings *all, const char *port, struct json_object *binding)
{
    const char *ip = json_string_or(json_member(binding, "HostIp"), ""), *slash = strchr(port, '/');
    size_t n = slash != NULL ? (size_t)(slash - port) : strlen(port);
    struct port_binding *b;

    all->list = xrealloc(all->list, (all->n + 1) * sizeof(*all->list));
    b = &all->list[all->n++];
    memset(b, 0, sizeof(*b));
    snprintf(b->port, sizeof(b->port), "%s", port);
    snprintf(b->ip, sizeof(b->ip), "%s", str_empty(ip) ? all->c->engine->publish_ip : ip);
    b->number = number(port, n);
    b->tcp = b->number != 0 && (slash == NULL || str_eq(slash, "/tcp"));
    set_host_ports(b, all->c, json_string_or(json_member(binding, "HostPort"), ""));
}

static void add_all_exposed(struct bindings *all, struct json_object *bindings)
{
    JSON_CLEANUP struct json_object *config = container_config(all->c);
    struct json_object *exposed = json_member(config, "ExposedPorts");

    if (exposed == NULL)
        return;
    json_object_object_foreach(exposed, port, v) {
        (void)v;
        if (json_member(bindings, port) == NULL)
            add(all, port, NULL);
    }
}

/* Most containers publish nothing, and lists of a thousand ask for each: the texts are looked at before they are parsed. As with
 * Docker a container without an endpoint of its own publishes nothing. */
static bool asks_for_ports(const struct container *c)
{
    const char *mode = c->network_mode != NULL ? c->network_mode : "";

    if (str_eq(mode, "host") || str_eq(mode, "none") || str_starts(mode, "container:"))
        return false;
    return strstr(c->host_config, "\"PortBindings\":{\"") != NULL || strstr(c->host_config, "\"PublishAllPorts\":true") != NULL;
}

size_t container_bindings(const struct container *c, struct port_binding **ret)
{
    struct bindings all = {.c = c};

    if (asks_for_ports(c)) {
        JSON_CLEANUP struct json_object *host = container_host_config(c);
        struct json_object *bindings = json_member(host, "PortBindings"), *every = json_member(host, "PublishAllPorts");

        if (bindings != NULL) {
            json_object_object_foreach(bindings, port, list)
                for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
                    add(&all, port, json_object_array_get_idx(list, i));
        }
        if (every != NULL && json_object_get_boolean(every))
            add_all_exposed(&all, bindings);
    }
    *ret = all.list;
    return all.n;
}

size_t container_ports(const struct container *c, const struct port_binding **ret, struct port_binding **ret_free)
{
    size_t n = c->n_ports;

    *ret_free = NULL;
    *ret = c->ports;
    if (c->ports == NULL) {
        n = container_bindings(c, ret_free);
        *ret = *ret_free;
    }
    return n;
}

bool container_publishes(const struct container *c)
{
    return asks_for_ports(c) && machine_acts_on_agent(c, SKL_CAP_AGENT_EXIT);
}
