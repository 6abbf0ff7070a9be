/*
 * state/network.h - networks: Docker's bookkeeping, kept in the store. Nothing here moves a packet.
 *
 * bridge, host and none are always there. Networks of driver "bridge" have an IPv4 pool (default pools:
 * 172.17.0.0/16 for `bridge`, 172.18-31.0.0/16, then 192.168.0.0/20 and on), a gateway, and an address for each attached container; an
 * address is held from connect to disconnect and never given twice. The MAC address is Docker's 02:42 and the
 * IPv4 address.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_NETWORK_H
#define SKL_STATE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/id.h"
#include "base/list.h"

struct engine;
struct container;
struct label;
struct json_object;

#define NETWORK_MAX 4096u
#define IP_TEXT_SIZE 20  /* dotted IPv4, with /n */
#define MAC_TEXT_SIZE 18

/* An endpoint: a container's place in a network. */
struct endpoint {
    char id[ID_SIZE];
    struct network *network;
    struct container *container;
    char **aliases;         /* as given, NULL-terminated; NULL: none */
    char **links;           /* NULL: none */
    char *driver_opts;      /* JSON text or NULL */
    char *ipam_config;      /* JSON text as given ({"IPv4Address":..}) or NULL */
    uint32_t ip;            /* host order; 0: none (host, none) */
    uint8_t mac[6];
    bool has_mac;
    struct list in_network;
};

struct endpoint_spec {
    const char *network;              /* id or name; "default" is bridge */
    const char *const *aliases;       /* NULL-terminated, or NULL */
    const char *const *links;
    const char *ipv4;                 /* asked for; NULL or "": any */
    const char *mac;                  /* asked for; NULL or "": from the address */
    struct json_object *driver_opts;  /* borrowed, or NULL */
    struct json_object *ipam_config;  /* borrowed, or NULL */
};

struct network {
    char id[ID_SIZE];
    char *name;
    int64_t created;
    char *driver;           /* "bridge", "host", "null" */
    bool predefined, internal, attachable, enable_ipv6;
    bool has_pool;
    uint32_t subnet, gateway; /* host order */
    uint32_t range, range_mask; /* where addresses come from; the subnet when none was given */
    uint32_t *aux;          /* AuxiliaryAddresses: never given */
    size_t n_aux;
    unsigned prefix_len;
    uint32_t last_ip;       /* given last */
    char *ipam_config;      /* JSON text: array for IPAM.Config (what was given, or what was chosen) */
    char *ipam_options;     /* JSON text: object or "null" */
    char *options;          /* JSON text: object */
    struct label *labels;   /* sorted */
    size_t n_labels;
    struct list endpoints;  /* of struct endpoint.in_network */
    size_t n_endpoints;
    uint64_t generation;

    struct engine *engine;
    struct list in_all;
    struct network_hash *hash;
};

/* Full ID, full name, unique ID prefix. NOT_FOUND `network x not found`; INVALID `network x is ambiguous (n matches found
 * based on ID prefix)`. */
struct network *network_find(struct engine *e, const char *name, struct skl_error *err);
struct network *network_first(struct engine *e); /* oldest first */
struct network *network_next(const struct network *n);
struct endpoint *network_endpoint_first(const struct network *n);
struct endpoint *network_endpoint_next(const struct endpoint *ep);
const char *network_label(const struct network *n, const char *key); /* or NULL */

struct network_spec {
    const char *name;
    const char *driver;               /* NULL or "": bridge. Others than bridge are NOT_FOUND `plugin "x" not found` */
    bool internal, attachable, enable_ipv6;
    struct json_object *ipam_config;  /* array of {"Subnet","IPRange","Gateway","AuxiliaryAddresses"}; or NULL */
    struct json_object *ipam_options, *options, *labels; /* or NULL */
};
/* CONFLICT `network with name x already exists`; FORBIDDEN for predefined names and overlapping pools (`Pool overlaps
 * with other one on this address space`) and two subnets of one family; INVALID for bad subnets. Publishes create. */
int network_create(struct engine *e, const struct network_spec *spec, struct network **ret, struct skl_error *err);
/* FORBIDDEN: predefined, or active endpoints. Publishes destroy. */
int network_remove(struct network *n, struct skl_error *err);

/* FORBIDDEN `endpoint with name C already exists in network N` on a running container; on another one a second connect
 * replaces the settings. Address checks as Docker's. Publishes connect. */
int network_connect(struct network *n, struct container *c, const struct endpoint_spec *spec, struct skl_error *err);
/* `container C is not connected to network N`. Publishes disconnect. c NULL with force: by name or id of a
 * container that is gone: success. */
int network_disconnect(struct network *n, struct container *c, bool force, struct skl_error *err);

/* ---- text forms; empty when there is none ---- */
const char *endpoint_ip_text(const struct endpoint *ep, char out[IP_TEXT_SIZE]);
const char *endpoint_cidr_text(const struct endpoint *ep, char out[IP_TEXT_SIZE]); /* a.b.c.d/n */
const char *endpoint_mac_text(const struct endpoint *ep, char out[MAC_TEXT_SIZE]);
const char *network_gateway_text(const struct network *n, char out[IP_TEXT_SIZE]);
const char *network_subnet_text(const struct network *n, char out[IP_TEXT_SIZE]);
const char *ipv4_text(uint32_t ip, char out[IP_TEXT_SIZE]);
bool ipv4_parse(const char *s, uint32_t *ret);
/* Aliases as inspect shows them plus the names Docker's DNS answers: DNSNames (aliases, name, short id, hostname,
 * without doubles). NULL-terminated, free() it. */
char **endpoint_dns_names(const struct endpoint *ep);

#endif
