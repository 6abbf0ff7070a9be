/*
 * api/containers_create.c - POST /containers/create.
 *
 * Order: what is wrong with the request (400), the image (404, so that clients pull), then the model. A network that is
 * not there is a 400 here, never a 404: clients would take it for a missing image and pull (reference 2.2.5).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/create.h"
#include "api/create_mounts.h"
#include "api/internal.h"
#include "api/schema.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

#define SPEC_MAX (8u * 1024 * 1024) /* canonical Config or HostConfig */
#define ENDPOINTS_MAX 64u

struct creation {
    struct api_call *call;
    struct create_warnings warnings;
    struct json_object *config, *host; /* canonical */
    struct create_mounts mounts;
    struct endpoint_spec endpoints[ENDPOINTS_MAX];
    char **aliases[ENDPOINTS_MAX], **links[ENDPOINTS_MAX];
    size_t n_endpoints;
};

static void creation_free(struct creation *cr)
{
    create_mounts_fini(&cr->mounts);
    for (size_t i = 0; i < cr->n_endpoints; i++) {
        free(cr->aliases[i]);
        free(cr->links[i]);
    }
    json_object_put(cr->config);
    json_object_put(cr->host);
    create_warnings_fini(&cr->warnings);
    free(cr);
}

/* ---- canonical form ---- */

static struct json_object *canonical(const struct schema_field *fields, struct json_object *o, const char *path,
                                     struct skl_error *err)
{
    struct json_object *out = NULL;
    struct buf b;
    struct jw w;

    buf_init(&b, SPEC_MAX);
    jw_init(&w, &b);
    if (schema_write(&w, NULL, fields, o, path, err) == 0)
        out = json_parse(buf_str(&b), b.len, SPEC_MAX, JSON_WANT_OBJECT, NULL, err);
    buf_fini(&b);
    return out;
}

static struct json_object *host_of(struct json_object *body)
{
    struct json_object *host = json_member(body, "HostConfig");

    return json_object_is_type(host, json_type_object) ? host : json_add_object(body, "HostConfig");
}

/* ---- networks ---- */

static int endpoint_add(struct creation *cr, const char *network, struct json_object *o, struct skl_error *err)
{
    struct endpoint_spec *ep = &cr->endpoints[cr->n_endpoints];
    char ***aliases = &cr->aliases[cr->n_endpoints], ***links = &cr->links[cr->n_endpoints];
    struct skl_error why = {0};
    const char *ipv6 = "";
    size_t n;

    if (cr->n_endpoints == ENDPOINTS_MAX)
        return error_set(err, SKL_ERR_INVALID, "more than %u networks", ENDPOINTS_MAX);
    if (network_find(cr->call->api->opts.engine, network, &why) == NULL)
        return error_set(err, why.kind == SKL_ERR_NOT_FOUND ? SKL_ERR_INVALID : why.kind, "%s", why.message);
    *ep = (struct endpoint_spec){.network = network};
    cr->n_endpoints++;
    if (o == NULL)
        return 0;
    if (json_get_strings(o, "Aliases", aliases, &n, err) < 0 || json_get_strings(o, "Links", links, &n, err) < 0 ||
        json_get_string(o, "MacAddress", &ep->mac, err) < 0 || json_get_object(o, "DriverOpts", &ep->driver_opts, err) < 0 ||
        json_get_object(o, "IPAMConfig", &ep->ipam_config, err) < 0 ||
        json_get_string(o, "IPAMConfig.IPv4Address", &ep->ipv4, err) < 0 ||
        json_get_string(o, "IPAMConfig.IPv6Address", &ipv6, err) < 0)
        return -1;
    if (!str_empty(ipv6))
        return error_set(err, SKL_ERR_INVALID, API_NO_IPV6);
    ep->aliases = (const char *const *)*aliases;
    ep->links = (const char *const *)*links;
    return 0;
}

static int too_many_endpoints(struct json_object *map, struct skl_error *err)
{
    struct buf names;
    int rc;

    buf_init(&names, 4096);
    json_object_object_foreach(map, name, v) {
        (void)v;
        buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", name);
    }
    rc = error_set(err, SKL_ERR_INVALID, "Container cannot be created with multiple network endpoints: %s", buf_str(&names));
    buf_fini(&names);
    return rc;
}

/* Config.MacAddress is that of the main network. */
static void take_mac(struct creation *cr, struct json_object *body, const char *main_net)
{
    const char *mac = json_string_or(json_member(body, "MacAddress"), "");

    for (size_t i = 0; i < cr->n_endpoints; i++)
        if (str_eq(cr->endpoints[i].network, main_net) && str_empty(cr->endpoints[i].mac))
            cr->endpoints[i].mac = mac;
}

static int take_networks(struct creation *cr, struct json_object *body, struct skl_error *err)
{
    const char *mode = json_string_or(json_member(cr->host, "NetworkMode"), "default");
    const char *main_net = str_eq(mode, "default") ? "bridge" : mode;
    struct json_object *map = NULL;
    bool has_main = false;

    if (json_get_object(body, "NetworkingConfig.EndpointsConfig", &map, err) < 0)
        return -1;
    if (str_starts(mode, "container:"))
        return error_set(err, SKL_ERR_INVALID, "a cloud function cannot join the network of another container (%s)", mode);
    if (map != NULL && json_object_object_length(map) > 1 && cr->call->version < 44)
        return too_many_endpoints(map, err);
    if (map != NULL) {
        json_object_object_foreach(map, name, o) {
            const char *real = str_eq(name, "default") ? "bridge" : name;
            has_main |= str_eq(real, main_net);
            if (endpoint_add(cr, real, o, err) < 0)
                return -1;
        }
    }
    /* As in Docker: NetworkMode's network is always one of them, unless only others were named with the default mode. */
    if (!has_main && (cr->n_endpoints == 0 || !str_eq(mode, "default")) && endpoint_add(cr, main_net, NULL, err) < 0)
        return -1;
    take_mac(cr, body, main_net);
    return 0;
}

/* ---- the call ---- */

static void on_created(void *arg, const struct skl_error *err, struct container *c, const char *const *warnings)
{
    struct creation *cr = arg;
    struct api_call *call = cr->call;
    struct buf out;
    struct jw w;

    if (err != NULL) {
        /* A 404 of the cloud is no missing image (DESIGN 9). */
        if (err->kind == SKL_ERR_NOT_FOUND)
            api_reply_fail(call, SKL_ERR_INTERNAL, "%s", err->message);
        else
            api_reply_error(call, err);
        creation_free(cr);
        return;
    }
    for (size_t i = 0; warnings != NULL && warnings[i] != NULL; i++)
        create_warn(&cr->warnings, "%s", warnings[i]);
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_string(&w, "Id", c->id);
    jw_array(&w, "Warnings");
    for (size_t i = 0; i < cr->warnings.n; i++)
        jw_string(&w, NULL, cr->warnings.text[i]);
    jw_array_end(&w);
    jw_object_end(&w);
    api_reply_json(call, 201, &out);
    creation_free(cr);
}

static int check_platform(const char *platform, const struct image *im, struct skl_error *err)
{
    if (str_empty(platform))
        return 0;
    if (api_platform_check(platform, err) < 0)
        return -1;
    if (!str_empty(im->architecture) && !api_platform_is(platform, im->architecture))
        return error_set(err, SKL_ERR_NOT_FOUND,
                         "No such image: image with reference %s was found but does not match the specified platform: wanted %s, "
                         "actual: linux/%s",
                         im->tags != NULL && im->tags[0] != NULL ? im->tags[0] : im->id, platform, im->architecture);
    return 0;
}

/* Everything up to the model's own create. */
static int prepare(struct creation *cr, const char *name, const char *platform, struct image **ret_image, struct skl_error *err)
{
    struct json_object *body = cr->call->body, *host = host_of(body), *image_json;
    const char *image_ref = "";
    int rc;

    if (name != NULL && container_name_check(name, err) < 0)
        return -1;
    if (schema_check(schema_config, body, NULL, err) < 0 || schema_check(schema_host_config, host, "HostConfig", err) < 0 ||
        json_get_string(body, "Image", &image_ref, err) < 0 || create_check_config(body, err) < 0 ||
        create_check_host(host, &cr->warnings, err) < 0 ||
        create_check_modes(body, host, &cr->warnings, err) < 0)
        return -1;
    if (str_empty(image_ref))
        return error_set(err, SKL_ERR_INVALID, "No image specified");
    *ret_image = image_find(cr->call->api->opts.engine, image_ref, err);
    if (*ret_image == NULL || check_platform(platform, *ret_image, err) < 0)
        return -1;
    image_json = image_config(*ret_image);
    rc = create_merge(body, image_json, (*ret_image)->synthetic, err);
    json_object_put(image_json);
    if (rc < 0)
        return -1;
    cr->config = canonical(schema_config, body, NULL, err);
    cr->host = cr->config != NULL ? canonical(schema_host_config, host, "HostConfig", err) : NULL;
    if (cr->host == NULL)
        return -1;
    if (create_mounts_take(&cr->mounts, cr->call->api->opts.engine, cr->config, cr->host, err) < 0)
        return -1;
    return take_networks(cr, body, err);
}

void api_containers_create(struct api_call *c)
{
    struct creation *cr = xcalloc(1, sizeof(*cr));
    const char *name = api_query(c, "name"), *platform = api_query(c, "platform");
    struct skl_error err = {0};
    struct image *im = NULL;
    struct container_spec spec;

    cr->call = c;
    if (prepare(cr, str_empty(name) ? NULL : name, platform, &im, &err) < 0) {
        api_reply_error(c, &err);
        creation_free(cr);
        return;
    }
    spec = (struct container_spec){
        .name = name,
        .image_ref = json_string_or(json_member(c->body, "Image"), ""),
        .image_id = im->id,
        .runtime = json_string_or(json_member(cr->host, "Runtime"), ""),
        .platform = platform,
        .config = cr->config,
        .host_config = cr->host,
        .mounts = cr->mounts.list,
        .n_mounts = cr->mounts.n,
        .endpoints = cr->endpoints,
        .n_endpoints = cr->n_endpoints,
    };
    if (container_create(c->api->opts.engine, &spec, on_created, cr, &err) < 0) {
        api_reply_error(c, &err);
        creation_free(cr);
    }
}
