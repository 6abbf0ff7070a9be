/*
 * state/ipam.c - IPv4 pools and addresses. See ipam.h.
 *
 * Addresses in use are those of the network's endpoints; nothing else is kept, so there is nothing to get out of step.
 * The next free one is found by going up from the last one given, as Docker does, so that an address isn't
 * used again at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "json/jw.h"
#include "state/ipam.h"

/* ---- text ---- */

bool ipv4_parse(const char *s, uint32_t *ret)
{
    uint32_t ip = 0;

    for (int part = 0; part < 4; part++) {
        unsigned v = 0;
        size_t n = strspn(s, "0123456789");

        if (n == 0 || n > 3 || (n > 1 && s[0] == '0'))
            return false;
        for (size_t i = 0; i < n; i++)
            v = v * 10 + (unsigned)(s[i] - '0');
        if (v > 255)
            return false;
        ip = ip << 8 | v;
        s += n;
        if (*s != (part < 3 ? '.' : '\0'))
            return false;
        s += part < 3;
    }
    *ret = ip;
    return true;
}

const char *ipv4_text(uint32_t ip, char out[IP_TEXT_SIZE])
{
    snprintf(out, IP_TEXT_SIZE, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
    return out;
}

uint32_t prefix_mask(unsigned len)
{
    return len == 0 ? 0 : UINT32_MAX << (32 - len);
}

bool cidr_parse(const char *s, uint32_t *ret_ip, unsigned *ret_len)
{
    const char *slash = strchr(s, '/');
    CLEANUP(free_p) char *ip = NULL;
    int64_t len;

    if (slash == NULL || !str_to_i64(slash + 1, 0, 32, &len))
        return false;
    ip = xstrndup(s, (size_t)(slash - s));
    if (!ipv4_parse(ip, ret_ip))
        return false;
    *ret_len = (unsigned)len;
    *ret_ip &= prefix_mask(*ret_len);
    return true;
}

bool mac_parse(const char *s, uint8_t ret[6])
{
    if (strlen(s) != 17)
        return false;
    for (size_t i = 0; i < 6; i++) {
        char two[3] = {s[3 * i], s[3 * i + 1], 0};

        str_lower(two);
        if ((i < 5 && s[3 * i + 2] != ':' && s[3 * i + 2] != '-') || !hex_decode(two, 2, &ret[i]))
            return false;
    }
    return true;
}

/* ---- pools ---- */

static bool overlaps(uint32_t a, unsigned a_len, uint32_t b, unsigned b_len)
{
    uint32_t mask = prefix_mask(a_len < b_len ? a_len : b_len);

    return (a & mask) == (b & mask);
}

static bool pool_free(struct engine *e, uint32_t subnet, unsigned len)
{
    for (struct network *n = network_first(e); n != NULL; n = network_next(n))
        if (n->has_pool && overlaps(n->subnet, n->prefix_len, subnet, len))
            return false;
    return true;
}

/* Docker's default pools: 172.17 to 172.31 as /16, then 192.168.0.0/16 as /20. */
static bool default_pool(struct engine *e, uint32_t *ret_subnet, unsigned *ret_len)
{
    for (uint32_t i = 17; i < 32; i++) {
        *ret_subnet = 172u << 24 | i << 16;
        *ret_len = 16;
        if (pool_free(e, *ret_subnet, *ret_len))
            return true;
    }
    for (uint32_t i = 0; i < 16; i++) {
        *ret_subnet = 192u << 24 | 168u << 16 | i << 12;
        *ret_len = 20;
        if (pool_free(e, *ret_subnet, *ret_len))
            return true;
    }
    return false;
}

static char *config_text(const struct network *n)
{
    char ip[IP_TEXT_SIZE], gw[IP_TEXT_SIZE];

    return xasprintf("[{\"Subnet\":\"%s/%u\",\"Gateway\":\"%s\"}]", ipv4_text(n->subnet, ip), n->prefix_len,
                     ipv4_text(n->gateway, gw));
}

/* The first IPv4 entry of the array, or NULL. */
static struct json_object *ipv4_entry(struct json_object *config)
{
    size_t len = config != NULL && json_object_is_type(config, json_type_array) ? json_object_array_length(config) : 0;

    for (size_t i = 0; i < len; i++) {
        struct json_object *o = json_object_array_get_idx(config, i);
        const char *subnet = json_string_or(json_member(o, "Subnet"), "");

        if (strchr(subnet, ':') == NULL && subnet[0] != '\0')
            return o;
    }
    return NULL;
}

/* The other family's addresses are recorded, and no more. */
static bool cidr6_valid(const char *s)
{
    const char *slash = strchr(s, '/');
    struct in6_addr addr;
    CLEANUP(free_p) char *ip = NULL;
    int64_t len;

    if (slash == NULL || !str_to_i64(slash + 1, 0, 128, &len))
        return false;
    ip = xstrndup(s, (size_t)(slash - s));
    return inet_pton(AF_INET6, ip, &addr) == 1;
}

static int check_entry(struct json_object *entry, size_t *v4, size_t *v6, struct skl_error *err)
{
    const char *subnet = json_string_or(json_member(entry, "Subnet"), "");
    const char *gateway = json_string_or(json_member(entry, "Gateway"), "");
    const char *range = json_string_or(json_member(entry, "IPRange"), "");

    if (subnet[0] == '\0' && gateway[0] != '\0')
        return error_set(err, SKL_ERR_INVALID, "no matching subnet for gateway %s", gateway);
    if (subnet[0] == '\0' && range[0] != '\0')
        return error_set(err, SKL_ERR_INVALID, "no matching subnet for range %s", range);
    if (strchr(subnet, ':') != NULL && !cidr6_valid(subnet))
        return error_set(err, SKL_ERR_INVALID, "invalid subnet %s", subnet);
    *v6 += strchr(subnet, ':') != NULL;
    *v4 += subnet[0] != '\0' && strchr(subnet, ':') == NULL;
    if (*v4 > 1 || *v6 > 1)
        return error_set(err, SKL_ERR_FORBIDDEN, "bridge driver doesn't support multiple subnets");
    return 0;
}

static int check_entries(struct json_object *config, struct skl_error *err)
{
    size_t v4 = 0, v6 = 0;

    for (size_t i = 0; json_object_is_type(config, json_type_array) && i < json_object_array_length(config); i++)
        if (check_entry(json_object_array_get_idx(config, i), &v4, &v6, err) < 0)
            return -1;
    return 0;
}

static bool inside(const struct network *n, uint32_t ip)
{
    return (ip & prefix_mask(n->prefix_len)) == n->subnet;
}

static int take_aux(struct network *n, struct json_object *entry, struct skl_error *err)
{
    struct json_object *map = json_member(entry, "AuxiliaryAddresses");

    free(n->aux);
    n->aux = NULL;
    n->n_aux = 0;
    if (!json_object_is_type(map, json_type_object))
        return 0;
    n->aux = xcalloc((size_t)json_object_object_length(map) + 1, sizeof(*n->aux));
    json_object_object_foreach(map, name, v)
    {
        const char *text = json_string_or(v, "");
        (void)name;
        if (!ipv4_parse(text, &n->aux[n->n_aux]) || !inside(n, n->aux[n->n_aux]))
            return error_set(err, SKL_ERR_INVALID, "no matching subnet for aux-address %s", text);
        n->n_aux++;
    }
    return 0;
}

static int pool_entry(struct network *n, struct json_object *entry, struct skl_error *err)
{
    const char *subnet = json_string_or(json_member(entry, "Subnet"), "");
    const char *gateway = json_string_or(json_member(entry, "Gateway"), "");
    const char *range = json_string_or(json_member(entry, "IPRange"), "");
    unsigned range_len;

    if (!cidr_parse(subnet, &n->subnet, &n->prefix_len))
        return error_set(err, SKL_ERR_INVALID, "invalid subnet %s", subnet);
    n->gateway = n->subnet + (n->prefix_len < 31 ? 1 : 0);
    if (gateway[0] != '\0' && !ipv4_parse(gateway, &n->gateway))
        return error_set(err, SKL_ERR_INVALID, "invalid gateway address %s", gateway);
    if (!inside(n, n->gateway))
        return error_set(err, SKL_ERR_INVALID, "no matching subnet for gateway %s", gateway);
    n->range = n->subnet;
    n->range_mask = prefix_mask(n->prefix_len);
    if (range[0] != '\0') {
        if (!cidr_parse(range, &n->range, &range_len) || range_len < n->prefix_len || !inside(n, n->range))
            return error_set(err, SKL_ERR_INVALID, "invalid address range %s for subnet %s", range, subnet);
        n->range_mask = prefix_mask(range_len);
    }
    if (take_aux(n, entry, err) < 0)
        return -1;
    n->has_pool = true;
    return 0;
}

/* As given, with the gateway that was chosen. */
static char *given_text(struct json_object *config, struct json_object *entry, const struct network *n)
{
    char gw[IP_TEXT_SIZE];

    if (str_empty(json_string_or(json_member(entry, "Gateway"), "")))
        json_add_string(entry, "Gateway", ipv4_text(n->gateway, gw));
    return json_text(config, "[]");
}

/* What was chosen, behind what was given for the other family. */
static char *chosen_text(const struct network *n, struct json_object *given)
{
    CLEANUP(free_p) char *chosen = config_text(n);
    JSON_CLEANUP struct json_object *list = json_from_text(chosen);

    for (size_t i = 0; json_object_is_type(given, json_type_array) && i < json_object_array_length(given); i++) {
        struct json_object *entry = json_object_array_get_idx(given, i);
        if (!str_empty(json_string_or(json_member(entry, "Subnet"), "")))
            json_push(list, json_object_get(entry));
    }
    return json_text(list, "[]");
}

int ipam_pool(struct network *n, struct json_object *config, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *copy = json_dup(config);
    struct json_object *entry = ipv4_entry(copy);

    if (check_entries(copy, err) < 0)
        return -1;
    if (entry == NULL) {
        if (!default_pool(n->engine, &n->subnet, &n->prefix_len))
            return error_set(err, SKL_ERR_INVALID, "all predefined address pools have been fully subnetted");
        n->gateway = n->subnet + 1;
        n->range = n->subnet;
        n->range_mask = prefix_mask(n->prefix_len);
        n->has_pool = true;
        n->ipam_config = chosen_text(n, copy);
        return 0;
    }
    if (pool_entry(n, entry, err) < 0)
        return -1;
    if (!pool_free(n->engine, n->subnet, n->prefix_len))
        return error_set(err, SKL_ERR_FORBIDDEN, "Pool overlaps with other one on this address space");
    n->ipam_config = given_text(copy, entry, n);
    return 0;
}

int ipam_pool_restore(struct network *n, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *config = json_from_text(n->ipam_config);
    struct json_object *entry = ipv4_entry(config);

    return entry != NULL ? pool_entry(n, entry, err) : 0;
}

/* ---- addresses ---- */

static bool reserved(const struct network *n, uint32_t ip)
{
    uint32_t host = ~prefix_mask(n->prefix_len);

    if (ip == n->gateway)
        return true;
    for (size_t i = 0; i < n->n_aux; i++)
        if (n->aux[i] == ip)
            return true;
    return n->prefix_len < 31 && (ip == n->subnet || ip == (n->subnet | host));
}

/* Whether an endpoint holds it. Sets of many endpoints are looked up in a sorted copy. */
static int by_ip(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static size_t used_addresses(const struct network *n, uint32_t **ret)
{
    size_t k = 0;

    *ret = xcalloc(n->n_endpoints + 1, sizeof(**ret));
    for (struct endpoint *ep = network_endpoint_first(n); ep != NULL; ep = network_endpoint_next(ep))
        if (ep->ip != 0 && k < n->n_endpoints)
            (*ret)[k++] = ep->ip;
    qsort(*ret, k, sizeof(**ret), by_ip);
    return k;
}

static bool next_address(struct network *n, uint32_t *ret)
{
    CLEANUP(free_p) uint32_t *used = NULL;
    size_t k = used_addresses(n, &used);
    uint64_t size = (uint64_t)(~n->range_mask) + 1;
    uint32_t base = n->range & n->range_mask;
    uint32_t at = n->last_ip >= base && n->last_ip - base < size ? n->last_ip - base : 0;

    for (uint64_t i = 0; i < size && i < k + n->n_aux + 8; i++) { /* k used, at most 3 and n_aux reserved */
        at = (uint32_t)((at + 1) % size);
        *ret = base + at;
        if (!reserved(n, *ret) && bsearch(ret, used, k, sizeof(*used), by_ip) == NULL) {
            n->last_ip = *ret;
            return true;
        }
    }
    return false;
}

static bool taken(const struct network *n, uint32_t ip)
{
    for (struct endpoint *ep = network_endpoint_first(n); ep != NULL; ep = network_endpoint_next(ep))
        if (ep->ip == ip)
            return true;
    return false;
}

int ipam_address(struct network *n, struct endpoint *ep, const char *asked, struct skl_error *err)
{
    if (!n->has_pool)
        return 0;
    if (!str_empty(asked)) {
        if (!ipv4_parse(asked, &ep->ip))
            return error_set(err, SKL_ERR_INVALID, "invalid IPv4 address: %s", asked);
        if (!inside(n, ep->ip) || reserved(n, ep->ip)) {
            ep->ip = 0;
            return error_set(err, SKL_ERR_INVALID, "no configured subnet or ip-range contain the IP address %s", asked);
        }
        if (taken(n, ep->ip)) {
            ep->ip = 0;
            return error_set(err, SKL_ERR_FORBIDDEN, "Address already in use");
        }
    } else if (!next_address(n, &ep->ip)) {
        return error_set(err, SKL_ERR_INTERNAL, "no available IPv4 addresses on this network's address pools: %s (%s)",
                         n->name, n->id);
    }
    if (!ep->has_mac) {
        ep->mac[0] = 0x02;
        ep->mac[1] = 0x42;
        for (int i = 0; i < 4; i++)
            ep->mac[2 + i] = (uint8_t)(ep->ip >> (24 - 8 * i));
        ep->has_mac = true;
    }
    return 0;
}
