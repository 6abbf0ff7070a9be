/*
 * state/network.c - the table of networks. See network.h. Endpoints are in endpoint.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/ipam.h"

enum { NET_PREDEFINED = 1, NET_INTERNAL = 2, NET_ATTACHABLE = 4, NET_IPV6 = 8 };

/* ---- tables ---- */

static struct network *network_new(struct engine *e)
{
    struct network *n = xcalloc(1, sizeof(*n));

    n->engine = e;
    list_init(&n->endpoints);
    list_init(&n->in_all);
    return n;
}

static void network_index(struct network *n)
{
    struct engine *e = n->engine;

    n->hash = xcalloc(1, sizeof(*n->hash));
    n->hash->n = n;
    HASH_ADD_KEYPTR(by_id, e->net_ids, n->id, strlen(n->id), n->hash);
    HASH_ADD_KEYPTR(by_name, e->net_names, n->name, strlen(n->name), n->hash);
    list_push_back(&e->networks, &n->in_all);
    e->n_networks++;
    n->generation = engine_touch(e);
}

static void network_free(struct network *n)
{
    struct engine *e = n->engine;

    if (n->hash != NULL) {
        HASH_DELETE(by_id, e->net_ids, n->hash);
        HASH_DELETE(by_name, e->net_names, n->hash);
        e->n_networks--;
        engine_touch(e);
    }
    list_remove(&n->in_all);
    labels_free(n->labels);
    free(n->hash);
    free(n->name);
    free(n->driver);
    free(n->ipam_config);
    free(n->aux);
    free(n->ipam_options);
    free(n->options);
    free(n);
}

struct network *network_first(struct engine *e)
{
    return list_empty(&e->networks) ? NULL : LIST_ENTRY(e->networks.next, struct network, in_all);
}

struct network *network_next(const struct network *n)
{
    return n->in_all.next == &n->engine->networks ? NULL : LIST_ENTRY(n->in_all.next, struct network, in_all);
}

const char *network_label(const struct network *n, const char *key)
{
    return labels_get(n->labels, n->n_labels, key);
}

static struct network *by_name(const struct engine *e, const char *name)
{
    struct network_hash *h;

    HASH_FIND(by_name, e->net_names, name, strlen(name), h);
    return h != NULL ? h->n : NULL;
}

struct network *network_find(struct engine *e, const char *name, struct skl_error *err)
{
    struct network_hash *h;
    struct network *found = NULL;
    size_t hits = 0;

    HASH_FIND(by_id, e->net_ids, name, strlen(name), h);
    if (h != NULL)
        return h->n;
    found = by_name(e, strcmp(name, "default") == 0 ? "bridge" : name);
    if (found != NULL)
        return found;
    for (struct network *n = name[0] != '\0' ? network_first(e) : NULL; n != NULL; n = network_next(n)) {
        if (str_starts(n->id, name)) {
            found = n;
            hits++;
        }
    }
    if (hits == 1)
        return found;
    if (hits > 1)
        error_set(err, SKL_ERR_INVALID, "network %s is ambiguous (%zu matches found based on ID prefix)", name, hits);
    else
        error_set(err, SKL_ERR_NOT_FOUND, "network %s not found", name);
    return NULL;
}

/* ---- events ---- */

static void network_event(const struct network *n, const char *action)
{
    struct event_attr attrs[] = {{"name", n->name}, {"type", n->driver}};

    events_publish(n->engine, "network", action, n->id, attrs, ARRAY_LEN(attrs));
}

/* ---- creating ---- */

static int check_spec(struct engine *e, const struct network_spec *spec, struct skl_error *err)
{
    static const char *const predefined[] = {"bridge", "host", "none", "default", "container"};

    if (str_empty(spec->name) || spec->name[strspn(spec->name, " \t\n\v\f\r")] == '\0')
        return error_set(err, SKL_ERR_INVALID, "network name cannot be empty");
    for (size_t i = 0; i < ARRAY_LEN(predefined); i++)
        if (strcmp(spec->name, predefined[i]) == 0)
            return error_set(err, SKL_ERR_FORBIDDEN, "operation is not permitted on predefined %s network", spec->name);
    if (strlen(spec->name) > 255 || strchr(spec->name, '/') != NULL)
        return error_set(err, SKL_ERR_INVALID, "invalid network name: %s", spec->name);
    if (by_name(e, spec->name) != NULL)
        return error_set(err, SKL_ERR_CONFLICT, "network with name %s already exists", spec->name);
    if (!str_empty(spec->driver) && strcmp(spec->driver, "bridge") != 0 && strcmp(spec->driver, "default") != 0)
        return error_set(err, strcmp(spec->driver, "host") == 0 || strcmp(spec->driver, "null") == 0
                                  ? SKL_ERR_FORBIDDEN : SKL_ERR_NOT_FOUND,
                         strcmp(spec->driver, "host") == 0 ? "only one instance of \"%s\" network is allowed"
                         : strcmp(spec->driver, "null") == 0 ? "only one instance of \"%s\" network is allowed"
                                                             : "plugin \"%s\" not found", spec->driver);
    if (e->n_networks >= NETWORK_MAX)
        return error_set(err, SKL_ERR_CONFLICT, "there are %u networks already", NETWORK_MAX);
    return 0;
}

static int network_put(const struct network *n, struct skl_error *err)
{
    CLEANUP(free_p) char *labels = labels_to_text(n->labels, n->n_labels);
    int64_t flags = (n->predefined ? NET_PREDEFINED : 0) | (n->internal ? NET_INTERNAL : 0) |
                    (n->attachable ? NET_ATTACHABLE : 0) | (n->enable_ipv6 ? NET_IPV6 : 0);

    return store_run(n->engine->store, SQL_NETWORK_PUT, err, "ssisissss", n->id, n->name, n->created, n->driver, flags,
                     n->ipam_config, n->ipam_options, n->options, labels);
}

int network_create(struct engine *e, const struct network_spec *spec, struct network **ret, struct skl_error *err)
{
    struct network *n;

    if (engine_check_open(e, err) < 0 || check_spec(e, spec, err) < 0)
        return -1;
    n = network_new(e);
    id_new(n->id);
    n->name = xstrdup(spec->name);
    n->created = clock_wall();
    n->driver = xstrdup("bridge");
    n->internal = spec->internal;
    n->attachable = spec->attachable;
    n->enable_ipv6 = spec->enable_ipv6;
    n->ipam_options = json_text(spec->ipam_options, "null");
    n->options = json_text(spec->options, "{}");
    n->labels = labels_from_json(spec->labels, &n->n_labels);
    if (ipam_pool(n, spec->ipam_config, err) < 0 || network_put(n, err) < 0) {
        network_free(n);
        return -1;
    }
    network_index(n);
    network_event(n, "create");
    if (ret != NULL)
        *ret = n;
    return 0;
}

int network_remove(struct network *n, struct skl_error *err)
{
    if (n->predefined)
        return error_set(err, SKL_ERR_FORBIDDEN, "%s is a pre-defined network and cannot be removed", n->name);
    /* Containers that do not run don't hold a network in Docker; their endpoint goes with it. */
    for (struct endpoint *ep = network_endpoint_first(n); ep != NULL; ep = network_endpoint_next(ep))
        if (container_is_running(ep->container))
            return error_set(err, SKL_ERR_FORBIDDEN, "error while removing network: network %s id %s has active endpoints",
                             n->name, n->id);
    while (network_endpoint_first(n) != NULL)
        if (network_disconnect(n, network_endpoint_first(n)->container, true, err) < 0)
            return -1;
    if (store_run(n->engine->store, SQL_NETWORK_DELETE, err, "s", n->id) < 0)
        return -1;
    network_event(n, "destroy");
    network_free(n);
    return 0;
}

/* ---- the predefined ones ---- */

static int predefine(struct engine *e, const char *name, const char *driver, struct skl_error *err)
{
    struct network *n;

    if (by_name(e, name) != NULL)
        return 0;
    n = network_new(e);
    id_new(n->id);
    n->name = xstrdup(name);
    n->created = clock_wall();
    n->driver = xstrdup(driver);
    n->predefined = true;
    n->ipam_options = xstrdup("null");
    if (strcmp(driver, "bridge") == 0) {
        n->options = xstrdup("{\"com.docker.network.bridge.default_bridge\":\"true\","
                             "\"com.docker.network.bridge.enable_icc\":\"true\","
                             "\"com.docker.network.bridge.enable_ip_masquerade\":\"true\","
                             "\"com.docker.network.bridge.host_binding_ipv4\":\"0.0.0.0\","
                             "\"com.docker.network.bridge.name\":\"docker0\","
                             "\"com.docker.network.driver.mtu\":\"1500\"}");
        if (ipam_pool(n, NULL, err) < 0) {
            network_free(n);
            return -1;
        }
    } else {
        n->options = xstrdup("{}");
        n->ipam_config = xstrdup("[]");
    }
    if (network_put(n, err) < 0) {
        network_free(n);
        return -1;
    }
    network_index(n);
    return 0;
}

static int on_network(void *arg, struct sqlite3_stmt *row, struct skl_error *err)
{
    struct network *n = network_new(arg);
    int64_t flags = row_i64(row, 4);

    if (strlen(row_text(row, 0)) != ID_SIZE - 1) {
        network_free(n);
        return error_set(err, SKL_ERR_INTERNAL, "the state store holds a network with a bad ID");
    }
    memcpy(n->id, row_text(row, 0), ID_SIZE);
    n->name = xstrdup(row_text(row, 1));
    n->created = row_i64(row, 2);
    n->driver = xstrdup(row_text(row, 3));
    n->predefined = (flags & NET_PREDEFINED) != 0;
    n->internal = (flags & NET_INTERNAL) != 0;
    n->attachable = (flags & NET_ATTACHABLE) != 0;
    n->enable_ipv6 = (flags & NET_IPV6) != 0;
    n->ipam_config = xstrdup(row_text(row, 5));
    n->ipam_options = xstrdup(row_text(row, 6));
    n->options = xstrdup(row_text(row, 7));
    n->labels = labels_from_text(row_text(row, 8), &n->n_labels);
    if (ipam_pool_restore(n, err) < 0) {
        network_free(n);
        return error_prefix(err, "network %s in the state store", row_text(row, 1));
    }
    network_index(n);
    return 0;
}

int networks_load(struct engine *e, struct skl_error *err)
{
    if (store_query(e->store, SQL_NETWORK_ALL, on_network, e, err, "") < 0)
        return -1;
    if (predefine(e, "bridge", "bridge", err) < 0 || predefine(e, "host", "host", err) < 0)
        return -1;
    return predefine(e, "none", "null", err);
}

void networks_free(struct engine *e)
{
    while (network_first(e) != NULL)
        network_free(network_first(e));
}
