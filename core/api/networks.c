/*
 * api/networks.c - networks (reference 2.12). Docker's bookkeeping; nothing here moves a packet.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/filters.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

static void write_labels(struct jw *w, const struct label *labels, size_t n)
{
    jw_object(w, "Labels");
    for (size_t i = 0; i < n; i++)
        jw_key_string(w, labels[i].key, labels[i].value);
    jw_object_end(w);
}

static void write_members(struct jw *w, const struct network *n)
{
    char cidr[IP_TEXT_SIZE], mac[MAC_TEXT_SIZE];

    for (struct endpoint *ep = network_endpoint_first(n); ep != NULL; ep = network_endpoint_next(ep)) {
        if (!container_is_live(ep->container))
            continue;
        jw_key(w, ep->container->id);
        jw_object(w, NULL);
        jw_string(w, "Name", ep->container->name);
        jw_string(w, "EndpointID", ep->id);
        jw_string(w, "MacAddress", endpoint_mac_text(ep, mac));
        jw_string(w, "IPv4Address", endpoint_cidr_text(ep, cidr));
        jw_string(w, "IPv6Address", "");
        jw_object_end(w);
    }
}

static void write_network(struct jw *w, const struct network *n, bool members)
{
    jw_object(w, NULL);
    jw_string(w, "Name", n->name);
    jw_string(w, "Id", n->id);
    jw_time(w, "Created", n->created);
    jw_string(w, "Scope", "local");
    jw_string(w, "Driver", n->driver);
    jw_bool(w, "EnableIPv6", n->enable_ipv6);
    jw_object(w, "IPAM");
    jw_string(w, "Driver", "default");
    jw_raw(w, "Options", n->ipam_options);
    jw_raw(w, "Config", str_empty(n->ipam_config) ? "[]" : n->ipam_config);
    jw_object_end(w);
    jw_bool(w, "Internal", n->internal);
    jw_bool(w, "Attachable", n->attachable);
    jw_bool(w, "Ingress", false);
    jw_raw(w, "ConfigFrom", "{\"Network\":\"\"}");
    jw_bool(w, "ConfigOnly", false);
    jw_object(w, "Containers");
    if (members)
        write_members(w, n);
    jw_object_end(w);
    jw_raw(w, "Options", str_empty(n->options) ? "{}" : n->options);
    write_labels(w, n->labels, n->n_labels);
    jw_object_end(w);
}

/* ---- list ---- */

static const char *const allowed[] = {"dangling", "driver", "id", "label", "name", "scope", "type", "label!", "until", NULL};

static const char *label_of(void *arg, const char *key)
{
    return network_label(arg, key);
}

static int check_type(const struct filters *f, struct skl_error *err)
{
    const struct filter *t = filters_get(f, "type");

    for (size_t i = 0; t != NULL && i < t->n; i++)
        if (!str_eq(t->values[i], "custom") && !str_eq(t->values[i], "builtin"))
            return error_set(err, SKL_ERR_INVALID, "invalid filter: 'type'='%s'", t->values[i]);
    return 0;
}

static bool network_selected(const struct filters *f, const struct network *n, bool dangling)
{
    if (filters_has(f, "dangling") && (n->predefined || dangling != (n->n_endpoints == 0)))
        return false;
    return filters_match_substring(f, "name", n->name) && filters_match_prefix(f, "id", n->id) &&
           filters_match_exact(f, "driver", n->driver) && filters_match_exact(f, "scope", "local") &&
           filters_match_exact(f, "type", n->predefined ? "builtin" : "custom") &&
           filters_match_labels(f, "label", label_of, (void *)(uintptr_t)n);
}

void api_networks_list(struct api_call *c)
{
    struct filters f;
    struct skl_error err = {0};
    bool dangling = false;
    struct buf out;
    struct jw w;

    if (filters_parse(api_query(c, "filters"), allowed, &f, &err) < 0 || check_type(&f, &err) < 0 ||
        filters_bool(&f, "dangling", false, &dangling, &err) < 0) {
        filters_fini(&f);
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_array(&w, NULL);
    for (struct network *n = network_first(c->api->opts.engine); n != NULL; n = network_next(n))
        if (network_selected(&f, n, dangling))
            write_network(&w, n, c->version < 28);
    jw_array_end(&w);
    filters_fini(&f);
    api_reply_json(c, 200, &out);
}

static struct network *find(struct api_call *c)
{
    struct skl_error err = {0};
    struct network *n = network_find(c->api->opts.engine, api_param(c, "id"), &err);

    if (n == NULL)
        api_reply_error(c, &err);
    return n;
}

void api_networks_inspect(struct api_call *c)
{
    const char *scope = api_query(c, "scope");
    struct network *n = find(c);
    struct buf out;
    struct jw w;

    if (n == NULL)
        return;
    if (!str_empty(scope) && !str_eq(scope, "local")) {
        api_reply_fail(c, SKL_ERR_NOT_FOUND, "network %s not found", api_param(c, "id"));
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    write_network(&w, n, true);
    api_reply_json(c, 200, &out);
}

/* ---- create, remove ---- */

static int read_spec(struct json_object *b, struct network_spec *s, struct skl_error *err)
{
    const char *ipam_driver = "", *from = "", *scope = "";
    bool ingress = false, config_only = false;

    if (json_get_string(b, "Name", &s->name, err) < 0 || json_get_string(b, "Driver", &s->driver, err) < 0 ||
        json_get_bool(b, "Internal", &s->internal, err) < 0 || json_get_bool(b, "Attachable", &s->attachable, err) < 0 ||
        json_get_bool(b, "EnableIPv6", &s->enable_ipv6, err) < 0 || json_get_bool(b, "Ingress", &ingress, err) < 0 ||
        json_get_bool(b, "ConfigOnly", &config_only, err) < 0 || json_get_string(b, "IPAM.Driver", &ipam_driver, err) < 0 ||
        json_get_array(b, "IPAM.Config", &s->ipam_config, err) < 0 || json_get_string_map(b, "IPAM.Options", &s->ipam_options, err) < 0 ||
        json_get_string_map(b, "Options", &s->options, err) < 0 || json_get_string_map(b, "Labels", &s->labels, err) < 0 ||
        json_get_string(b, "ConfigFrom.Network", &from, err) < 0 || json_get_string(b, "Scope", &scope, err) < 0)
        return -1;
    if (str_empty(s->name))
        return error_set(err, SKL_ERR_INVALID, "network name is required");
    if (!str_empty(scope) && !str_eq(scope, "local"))
        return error_set(err, SKL_ERR_INVALID, "networks of scope %s are not supported: this daemon is not part of a swarm", scope);
    config_only |= !str_empty(from);
    if (ingress || config_only)
        return error_set(err, SKL_ERR_INVALID, "%s networks are not supported: this daemon is not part of a swarm",
                         ingress ? "ingress" : "configuration-only");
    if (!str_empty(ipam_driver) && !str_eq(ipam_driver, "default"))
        return error_set(err, SKL_ERR_INVALID, "invalid ipam driver: \"%s\"", ipam_driver);
    return 0;
}

static bool has_ipv6(struct json_object *b)
{
    struct json_object *list = NULL;
    bool enabled = false;

    (void)json_get_bool(b, "EnableIPv6", &enabled, NULL);
    (void)json_get_array(b, "IPAM.Config", &list, NULL);
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
        enabled |= strchr(json_string_or(json_member(json_object_array_get_idx(list, i), "Subnet"), ""), ':') != NULL;
    return enabled;
}

void api_networks_create(struct api_call *c)
{
    struct network_spec spec = {0};
    struct skl_error err = {0};
    struct network *n;
    struct buf out;

    if (read_spec(c->body, &spec, &err) < 0 || network_create(c->api->opts.engine, &spec, &n, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, 512);
    buf_printf(&out, "{\"Id\":\"%s\",\"Warning\":\"%s\"}", n->id,
               has_ipv6(c->body) ? "IPv6 is recorded, and no more: containers have IPv4 addresses" : "");
    api_reply_json(c, 201, &out);
}

void api_networks_remove(struct api_call *c)
{
    struct skl_error err = {0};
    struct network *n = find(c);

    if (n == NULL)
        return;
    if (network_remove(n, &err) < 0)
        api_reply_error(c, &err);
    else
        api_reply_empty(c, 204);
}

/* ---- connect, disconnect ---- */

void api_networks_connect(struct api_call *c)
{
    struct endpoint_spec spec = {0};
    struct skl_error err = {0};
    struct network *n = find(c);
    struct container *k;
    struct json_object *ep = NULL;
    const char *name = "";
    CLEANUP(free_p) char **aliases = NULL;
    CLEANUP(free_p) char **links = NULL;
    const char *ipv6 = "";
    size_t count;

    if (n == NULL)
        return;
    if (json_get_string(c->body, "Container", &name, &err) < 0 || json_get_object(c->body, "EndpointConfig", &ep, &err) < 0 ||
        (k = container_find(c->api->opts.engine, name, &err)) == NULL || json_get_strings(ep, "Aliases", &aliases, &count, &err) < 0 ||
        json_get_strings(ep, "Links", &links, &count, &err) < 0 || json_get_string(ep, "MacAddress", &spec.mac, &err) < 0 ||
        json_get_object(ep, "DriverOpts", &spec.driver_opts, &err) < 0 || json_get_object(ep, "IPAMConfig", &spec.ipam_config, &err) < 0 ||
        json_get_string(ep, "IPAMConfig.IPv4Address", &spec.ipv4, &err) < 0 ||
        json_get_string(ep, "IPAMConfig.IPv6Address", &ipv6, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    if (!str_empty(ipv6)) {
        api_reply_fail(c, SKL_ERR_INVALID, API_NO_IPV6);
        return;
    }
    spec.network = n->id;
    spec.aliases = (const char *const *)aliases;
    spec.links = (const char *const *)links;
    if (network_connect(n, k, &spec, &err) < 0)
        api_reply_error(c, &err);
    else
        api_reply_empty(c, 200);
}

void api_networks_disconnect(struct api_call *c)
{
    struct skl_error err = {0}, not_found = {0};
    struct network *n = find(c);
    struct container *k;
    const char *name = "";
    bool force = false;

    if (n == NULL)
        return;
    if (json_get_string(c->body, "Container", &name, &err) < 0 || json_get_bool(c->body, "Force", &force, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    k = container_find(c->api->opts.engine, name, &not_found);
    if (k == NULL && !force)
        api_reply_error(c, &not_found);
    else if (network_disconnect(n, k, force, &err) < 0)
        api_reply_error(c, &err);
    else
        api_reply_empty(c, 200);
}
