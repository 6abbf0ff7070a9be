/*
 * api/containers_inspect.c - GET /containers/{id}/json (reference 2.7).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "api/containers_text.h"
#include "api/internal.h"
#include "base/str.h"
#include "state/engine.h"

static void write_health(struct jw *w, const struct health *h)
{
    if (h == NULL)
        return;
    jw_object(w, "Health");
    jw_string(w, "Status", health_status_name(h->status));
    jw_i64(w, "FailingStreak", h->streak);
    jw_array(w, "Log");
    for (size_t i = 0; i < h->n_log; i++) {
        jw_object(w, NULL);
        jw_time(w, "Start", h->log[i].start);
        jw_time(w, "End", h->log[i].end);
        jw_i64(w, "ExitCode", h->log[i].exit_code);
        jw_string(w, "Output", h->log[i].output);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
}

static void write_state(struct jw *w, const struct container *c)
{
    jw_object(w, "State");
    jw_string(w, "Status", container_status_name(c->status));
    jw_bool(w, "Running", container_is_running(c));
    jw_bool(w, "Paused", c->status == CONTAINER_PAUSED);
    jw_bool(w, "Restarting", c->status == CONTAINER_RESTARTING);
    jw_bool(w, "OOMKilled", c->oom);
    jw_bool(w, "Dead", c->status == CONTAINER_DEAD);
    jw_i64(w, "Pid", 0); /* it is a process of the cloud's, not of this machine */
    jw_i64(w, "ExitCode", container_is_live(c) ? 0 : c->exit_code);
    jw_string(w, "Error", c->error);
    jw_time(w, "StartedAt", c->started);
    jw_time(w, "FinishedAt", c->finished);
    write_health(w, c->health);
    jw_object_end(w);
}

static void write_execs(struct jw *w, const struct container *c)
{
    bool any = false;

    for (struct exec *x = exec_first(c); x != NULL; x = exec_next(x)) {
        if (x->exited)
            continue;
        if (!any)
            jw_array(w, "ExecIDs");
        any = true;
        jw_string(w, NULL, x->id);
    }
    if (any)
        jw_array_end(w);
    else
        jw_null(w, "ExecIDs");
}

/* The legacy fields at the top mirror the bridge network (reference 2.7.8). */
static void write_network_settings(struct jw *w, const struct container *c)
{
    char ip[IP_TEXT_SIZE] = "", gateway[IP_TEXT_SIZE] = "", mac[MAC_TEXT_SIZE] = "";
    const struct endpoint *bridge = NULL;

    for (size_t i = 0; i < c->n_endpoints && container_is_live(c); i++)
        if (str_eq(c->endpoints[i]->network->name, "bridge"))
            bridge = c->endpoints[i];
    jw_object(w, "NetworkSettings");
    jw_string(w, "Bridge", "");
    jw_string(w, "SandboxID", container_is_live(c) ? c->id : "");
    jw_string(w, "SandboxKey", "");
    container_write_port_map(w, "Ports", c);
    jw_bool(w, "HairpinMode", false);
    jw_string(w, "LinkLocalIPv6Address", "");
    jw_i64(w, "LinkLocalIPv6PrefixLen", 0);
    jw_null(w, "SecondaryIPAddresses");
    jw_null(w, "SecondaryIPv6Addresses");
    jw_string(w, "EndpointID", bridge != NULL ? bridge->id : "");
    jw_string(w, "Gateway", bridge != NULL ? network_gateway_text(bridge->network, gateway) : "");
    jw_string(w, "GlobalIPv6Address", "");
    jw_i64(w, "GlobalIPv6PrefixLen", 0);
    jw_string(w, "IPAddress", bridge != NULL ? endpoint_ip_text(bridge, ip) : "");
    jw_i64(w, "IPPrefixLen", bridge != NULL ? bridge->network->prefix_len : 0);
    jw_string(w, "IPv6Gateway", "");
    jw_string(w, "MacAddress", bridge != NULL ? endpoint_mac_text(bridge, mac) : "");
    container_write_networks(w, "Networks", c);
    jw_object_end(w);
}

static void write_container(struct jw *w, const struct container *c, bool size)
{
    jw_object(w, NULL);
    jw_string(w, "Id", c->id);
    jw_time(w, "Created", c->created);
    jw_string(w, "Path", c->argv != NULL && c->argv[0] != NULL ? c->argv[0] : "");
    jw_strings(w, "Args", c->argv != NULL && c->argv[0] != NULL ? (const char *const *)c->argv + 1 : NULL);
    write_state(w, c);
    jw_string(w, "Image", c->image_id);
    jw_string(w, "ResolvConfPath", "");
    jw_string(w, "HostnamePath", "");
    jw_string(w, "HostsPath", "");
    jw_string(w, "LogPath", "");
    jw_printf(w, "Name", "/%s", c->name);
    jw_i64(w, "RestartCount", c->restart_count);
    jw_string(w, "Driver", c->driver);
    jw_string(w, "Platform", "linux");
    jw_string(w, "MountLabel", "");
    jw_string(w, "ProcessLabel", "");
    jw_string(w, "AppArmorProfile", "");
    write_execs(w, c);
    jw_raw(w, "HostConfig", c->host_config);
    jw_object(w, "GraphDriver");
    jw_null(w, "Data");
    jw_string(w, "Name", c->driver);
    jw_object_end(w);
    if (size) {
        jw_i64(w, "SizeRw", 0);
        jw_i64(w, "SizeRootFs", 0);
    }
    container_write_mounts(w, "Mounts", c);
    jw_raw(w, "Config", c->config);
    write_network_settings(w, c);
    jw_object_end(w);
}

void api_containers_inspect(struct api_call *c)
{
    struct skl_error err = {0};
    struct container *k = container_find(c->api->opts.engine, api_param(c, "id"), &err);
    struct buf out;
    struct jw w;

    if (k == NULL) {
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    write_container(&w, k, api_query_bool(c, "size", false));
    api_reply_json(c, 200, &out);
}
