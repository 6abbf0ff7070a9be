/*
 * state/endpoint.c - containers' places in networks. See network.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "json/jw.h"
#include "state/ipam.h"

struct endpoint *network_endpoint_first(const struct network *n)
{
    return list_empty(&n->endpoints) ? NULL : LIST_ENTRY(n->endpoints.next, struct endpoint, in_network);
}

struct endpoint *network_endpoint_next(const struct endpoint *ep)
{
    return ep->in_network.next == &ep->network->endpoints ? NULL
                                                          : LIST_ENTRY(ep->in_network.next, struct endpoint, in_network);
}

static void endpoint_free(struct endpoint *ep)
{
    if (list_linked(&ep->in_network)) {
        list_remove(&ep->in_network);
        ep->network->n_endpoints--;
        ep->network->generation = engine_touch(ep->network->engine);
    }
    strv_free(ep->aliases);
    strv_free(ep->links);
    free(ep->driver_opts);
    free(ep->ipam_config);
    free(ep);
}

static struct endpoint *endpoint_new(struct container *c, struct network *n)
{
    struct endpoint *ep = xcalloc(1, sizeof(*ep));

    ep->network = n;
    ep->container = c;
    id_new(ep->id);
    list_init(&ep->in_network);
    return ep;
}

static void endpoint_add(struct endpoint *ep)
{
    struct container *c = ep->container;

    c->endpoints = xrealloc(c->endpoints, (c->n_endpoints + 1) * sizeof(struct endpoint *));
    c->endpoints[c->n_endpoints++] = ep;
    list_push_back(&ep->network->endpoints, &ep->in_network);
    ep->network->n_endpoints++;
    ep->network->generation = engine_touch(ep->network->engine);
}

static void endpoint_take_out(struct endpoint *ep)
{
    struct container *c = ep->container;

    for (size_t i = 0; i < c->n_endpoints; i++) {
        if (c->endpoints[i] != ep)
            continue;
        memmove(c->endpoints + i, c->endpoints + i + 1, (c->n_endpoints - i - 1) * sizeof(struct endpoint *));
        c->n_endpoints--;
        return;
    }
}

static struct endpoint *endpoint_of(const struct container *c, const struct network *n)
{
    for (size_t i = 0; i < c->n_endpoints; i++)
        if (c->endpoints[i]->network == n)
            return c->endpoints[i];
    return NULL;
}

static int endpoint_fill(struct endpoint *ep, const struct endpoint_spec *spec, struct skl_error *err)
{
    struct network *n = ep->network;

    ep->aliases = strv_dup(spec->aliases);
    ep->links = strv_dup(spec->links);
    ep->driver_opts = spec->driver_opts != NULL ? json_text(spec->driver_opts, NULL) : NULL;
    ep->ipam_config = spec->ipam_config != NULL ? json_text(spec->ipam_config, NULL) : NULL;
    if (!str_empty(spec->mac)) {
        if (!mac_parse(spec->mac, ep->mac))
            return error_set(err, SKL_ERR_INVALID, "invalid MAC address: %s", spec->mac);
        ep->has_mac = true;
    }
    if (!str_empty(spec->ipv4) && (n->predefined || !n->has_pool))
        return error_set(err, SKL_ERR_INVALID,
                         "user specified IP address is supported on user defined networks only");
    if (spec->aliases != NULL && spec->aliases[0] != NULL && n->predefined && !n->has_pool)
        return error_set(err, SKL_ERR_INVALID,
                         "network-scoped alias is supported only for containers in user defined networks");
    return ipam_address(n, ep, spec->ipv4, err);
}

static int endpoint_make(struct container *c, struct network *n, const struct endpoint_spec *spec,
                         struct endpoint **ret, struct skl_error *err)
{
    struct endpoint *ep = endpoint_new(c, n);

    if (endpoint_fill(ep, spec, err) < 0) {
        endpoint_free(ep);
        return -1;
    }
    endpoint_add(ep);
    *ret = ep;
    return 0;
}

int endpoints_create(struct container *c, const struct endpoint_spec *specs, size_t n, struct skl_error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct network *net = network_find(c->engine, specs[i].network, err);
        struct endpoint *ep;

        if (net == NULL || endpoint_make(c, net, &specs[i], &ep, err) < 0) {
            endpoints_free(c);
            return -1;
        }
    }
    return 0;
}

void endpoints_free(struct container *c)
{
    for (size_t i = 0; i < c->n_endpoints; i++)
        endpoint_free(c->endpoints[i]);
    free(c->endpoints);
    c->endpoints = NULL;
    c->n_endpoints = 0;
}

/* ---- text in the store ---- */

char *endpoints_to_text(const struct container *c)
{
    struct buf b;
    struct jw w;

    buf_init(&b, STATE_JSON_MAX);
    jw_init(&w, &b);
    jw_array(&w, NULL);
    for (size_t i = 0; i < c->n_endpoints; i++) {
        struct endpoint *ep = c->endpoints[i];
        char mac[MAC_TEXT_SIZE];

        jw_object(&w, NULL);
        jw_string(&w, "id", ep->id);
        jw_string(&w, "network", ep->network->id);
        jw_i64(&w, "ip", ep->ip);
        jw_string(&w, "mac", endpoint_mac_text(ep, mac));
        if (ep->aliases != NULL)
            jw_strings(&w, "aliases", (const char *const *)ep->aliases);
        if (ep->links != NULL)
            jw_strings(&w, "links", (const char *const *)ep->links);
        if (ep->driver_opts != NULL)
            jw_raw(&w, "driver_opts", ep->driver_opts);
        if (ep->ipam_config != NULL)
            jw_raw(&w, "ipam_config", ep->ipam_config);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    return buf_steal(&b, NULL);
}

static int endpoint_from_json(struct container *c, struct json_object *o, struct skl_error *err)
{
    const char *id = json_string_or(json_member(o, "id"), "");
    struct network *n = network_find(c->engine, json_string_or(json_member(o, "network"), ""), NULL);
    struct endpoint *ep;
    int64_t ip = 0;

    if (strlen(id) != ID_SIZE - 1 || json_get_i64_range(o, "ip", 0, UINT32_MAX, &ip, err) < 0)
        return error_set(err, SKL_ERR_INTERNAL, "container %s in the state store has a malformed endpoint", c->id);
    if (n == NULL)
        return 0; /* its network was removed in the same moment the daemon was killed */
    ep = endpoint_new(c, n);
    memcpy(ep->id, id, ID_SIZE);
    ep->ip = (uint32_t)ip;
    ep->has_mac = mac_parse(json_string_or(json_member(o, "mac"), ""), ep->mac);
    ep->aliases = strv_from_json(json_member(o, "aliases"));
    ep->links = strv_from_json(json_member(o, "links"));
    if (json_member(o, "driver_opts") != NULL)
        ep->driver_opts = json_text(json_member(o, "driver_opts"), NULL);
    if (json_member(o, "ipam_config") != NULL)
        ep->ipam_config = json_text(json_member(o, "ipam_config"), NULL);
    endpoint_add(ep);
    return 0;
}

int endpoints_from_text(struct container *c, const char *text, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *a = json_from_text(text);

    if (a == NULL || !json_object_is_type(a, json_type_array))
        return error_set(err, SKL_ERR_INTERNAL, "container %s in the state store has malformed endpoints", c->id);
    for (size_t i = 0; i < json_object_array_length(a); i++)
        if (endpoint_from_json(c, json_object_array_get_idx(a, i), err) < 0)
            return -1;
    return 0;
}

static int endpoints_store(struct container *c, struct skl_error *err)
{
    CLEANUP(free_p) char *text = endpoints_to_text(c);

    return store_run(c->engine->store, SQL_CONTAINER_ENDPOINTS, err, "ss", c->id, text);
}

/* ---- connect, disconnect ---- */

static void endpoint_event(const struct network *n, const struct container *c, const char *action)
{
    struct event_attr attrs[] = {{"container", c->id}, {"name", n->name}, {"type", n->driver}};

    events_publish(n->engine, "network", action, n->id, attrs, ARRAY_LEN(attrs));
}

void endpoints_event(struct container *c, const char *action)
{
    for (size_t i = 0; i < c->n_endpoints; i++)
        endpoint_event(c->endpoints[i]->network, c, action);
}

static bool mode_is(const struct container *c, const char *what)
{
    return str_starts(c->network_mode, what) && (c->network_mode[strlen(what)] == '\0' || what[strlen(what) - 1] == ':');
}

int network_connect(struct network *n, struct container *c, const struct endpoint_spec *spec, struct skl_error *err)
{
    struct endpoint *old = endpoint_of(c, n);
    struct endpoint *ep;

    if (c->status == CONTAINER_REMOVING || c->status == CONTAINER_DEAD)
        return error_set(err, SKL_ERR_CONFLICT, "container %s is marked for removal and cannot be connected or disconnected "
                         "to the network", c->id);
    if (mode_is(c, "host") || strcmp(n->name, "host") == 0)
        return error_set(err, SKL_ERR_INVALID, "container cannot be connected to host network");
    if (mode_is(c, "container:"))
        return error_set(err, SKL_ERR_INVALID, "container sharing network namespace with another container or host cannot "
                         "be connected to any other network");
    if (old != NULL && container_is_running(c))
        return error_set(err, SKL_ERR_FORBIDDEN, "endpoint with name %s already exists in network %s", c->name, n->name);
    if (old != NULL) { /* new settings; the old address may be asked for again */
        endpoint_take_out(old);
        list_remove(&old->in_network);
        n->n_endpoints--;
    }
    if (endpoint_make(c, n, spec, &ep, err) < 0 || endpoints_store(c, err) < 0) {
        if (endpoint_of(c, n) != NULL) {
            ep = endpoint_of(c, n);
            endpoint_take_out(ep);
            endpoint_free(ep);
        }
        if (old != NULL)
            endpoint_add(old);
        return -1;
    }
    if (old != NULL)
        endpoint_free(old);
    container_touch(c);
    endpoint_event(n, c, "connect");
    return 0;
}

int network_disconnect(struct network *n, struct container *c, bool force, struct skl_error *err)
{
    struct endpoint *ep = c != NULL ? endpoint_of(c, n) : NULL;

    if (c == NULL)
        return force ? 0 : error_set(err, SKL_ERR_NOT_FOUND, "No such container");
    if (strcmp(n->name, "host") == 0)
        return error_set(err, SKL_ERR_INVALID, "container cannot be disconnected from host network or connected to host "
                         "network");
    if (ep == NULL)
        return error_set(err, container_is_running(c) ? SKL_ERR_FORBIDDEN : SKL_ERR_INVALID,
                         "container %s is not connected to network %s", c->id, n->name);
    endpoint_take_out(ep);
    if (endpoints_store(c, err) < 0) {
        list_remove(&ep->in_network);
        n->n_endpoints--;
        endpoint_add(ep);
        return -1;
    }
    container_touch(c);
    endpoint_event(n, c, "disconnect");
    endpoint_free(ep);
    return 0;
}

/* ---- text forms ---- */

const char *endpoint_ip_text(const struct endpoint *ep, char out[IP_TEXT_SIZE])
{
    out[0] = '\0';
    return ep->ip != 0 ? ipv4_text(ep->ip, out) : out;
}

const char *endpoint_cidr_text(const struct endpoint *ep, char out[IP_TEXT_SIZE])
{
    size_t n;

    endpoint_ip_text(ep, out);
    n = strlen(out);
    if (n > 0)
        snprintf(out + n, IP_TEXT_SIZE - n, "/%u", ep->network->prefix_len);
    return out;
}

const char *endpoint_mac_text(const struct endpoint *ep, char out[MAC_TEXT_SIZE])
{
    const uint8_t *m = ep->mac;

    out[0] = '\0';
    if (ep->has_mac)
        snprintf(out, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    return out;
}

const char *network_gateway_text(const struct network *n, char out[IP_TEXT_SIZE])
{
    out[0] = '\0';
    return n->has_pool ? ipv4_text(n->gateway, out) : out;
}

const char *network_subnet_text(const struct network *n, char out[IP_TEXT_SIZE])
{
    size_t len;

    out[0] = '\0';
    if (!n->has_pool)
        return out;
    ipv4_text(n->subnet, out);
    len = strlen(out);
    snprintf(out + len, IP_TEXT_SIZE - len, "/%u", n->prefix_len);
    return out;
}

static void add_name(const char **names, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(names[i], name) == 0)
            return;
    if (name[0] != '\0')
        names[(*n)++] = name;
}

char **endpoint_dns_names(const struct endpoint *ep)
{
    const struct container *c = ep->container;
    size_t n = 0, bytes = 0;
    CLEANUP(free_p) const char **names = xcalloc(strv_len((const char *const *)ep->aliases) + 4, sizeof(char *));
    char short_id[ID_SHORT_LEN + 1];
    char **ret;
    char *p;

    memcpy(short_id, c->id, ID_SHORT_LEN);
    short_id[ID_SHORT_LEN] = '\0';
    add_name(names, &n, c->name);
    for (size_t i = 0; ep->aliases != NULL && ep->aliases[i] != NULL; i++)
        add_name(names, &n, ep->aliases[i]);
    add_name(names, &n, short_id);
    add_name(names, &n, c->hostname);
    for (size_t i = 0; i < n; i++)
        bytes += strlen(names[i]) + 1;
    ret = xmalloc((n + 1) * sizeof(char *) + bytes);
    p = (char *)(ret + n + 1);
    for (size_t i = 0; i < n; i++) {
        ret[i] = p;
        p = stpcpy(p, names[i]) + 1;
    }
    ret[n] = NULL;
    return ret;
}
