/*
 * api/routes.c - the route table, grouped by the first path segment; and what lives as long as the api.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/internal.h"

const struct api_route api_routes[] = {
    {"GET", "/_ping", api_ping_get, API_BODY_IGNORE, 0},
    {"HEAD", "/_ping", api_ping_get, API_BODY_IGNORE, 0},
    {"GET", "/version", api_version, API_BODY_IGNORE, 0},
    {"GET", "/info", api_info, API_BODY_IGNORE, 0},
    {"GET", "/events", api_events, API_BODY_IGNORE, 0},
    {"GET", "/system/df", api_system_df, API_BODY_IGNORE, 25},
    {"POST", "/auth", api_auth, API_BODY_JSON, 0},
    {"GET", "/distribution/{name*}/json", api_distribution, API_BODY_IGNORE, 30},

    {"GET", "/containers/json", api_containers_list, API_BODY_IGNORE, 0},
    {"POST", "/containers/create", api_containers_create, API_BODY_JSON, 0},
    {"POST", "/containers/prune", api_containers_prune, API_BODY_IGNORE, 25},
    {"GET", "/containers/{id}/json", api_containers_inspect, API_BODY_IGNORE, 0},
    {"GET", "/containers/{id}/logs", api_containers_logs, API_BODY_IGNORE, 0},
    {"GET", "/containers/{id}/top", api_containers_top, API_BODY_IGNORE, 0},
    {"GET", "/containers/{id}/stats", api_containers_stats, API_BODY_IGNORE, 0},
    {"GET", "/containers/{id}/changes", api_containers_changes, API_BODY_IGNORE, 0},
    {"GET", "/containers/{id}/export", api_containers_export, API_BODY_IGNORE, 0},
    {"HEAD", "/containers/{id}/archive", api_archive_stat, API_BODY_IGNORE, 0},
    {"GET", "/containers/{id}/archive", api_archive_get, API_BODY_IGNORE, 0},
    {"PUT", "/containers/{id}/archive", api_archive_put, API_BODY_HANDLER, 0},
    {"POST", "/containers/{id}/start", api_containers_start, API_BODY_IGNORE, 0},
    {"POST", "/containers/{id}/stop", api_containers_stop, API_BODY_IGNORE, 0},
    {"POST", "/containers/{id}/restart", api_containers_restart, API_BODY_IGNORE, 0},
    {"POST", "/containers/{id}/kill", api_containers_kill, API_BODY_IGNORE, 0},
    {"POST", "/containers/{id}/pause", api_containers_pause, API_BODY_IGNORE, 0},
    {"POST", "/containers/{id}/unpause", api_containers_unpause, API_BODY_IGNORE, 0},
    {"POST", "/containers/{id}/rename", api_containers_rename, API_BODY_IGNORE, 0},
    {"POST", "/containers/{id}/resize", api_containers_resize, API_BODY_IGNORE, 0},
    {"POST", "/containers/{id}/update", api_containers_update, API_BODY_JSON, 0},
    {"POST", "/containers/{id}/wait", api_containers_wait, API_BODY_IGNORE, 0},
    {"GET", "/containers/{id}/attach/ws", api_containers_attach_ws, API_BODY_IGNORE, 0},
    {"POST", "/containers/{id}/attach", api_containers_attach, API_BODY_DROP, 0},
    {"POST", "/containers/{id}/exec", api_exec_create, API_BODY_JSON, 0},
    {"DELETE", "/containers/{id}", api_containers_remove, API_BODY_IGNORE, 0},

    {"POST", "/exec/{id}/start", api_exec_start, API_BODY_OPTIONAL, 0},
    {"POST", "/exec/{id}/resize", api_exec_resize, API_BODY_IGNORE, 0},
    {"GET", "/exec/{id}/json", api_exec_inspect, API_BODY_IGNORE, 0},

    {"GET", "/images/json", api_images_list, API_BODY_IGNORE, 0},
    {"GET", "/images/search", api_images_search, API_BODY_IGNORE, 0},
    {"GET", "/images/get", api_images_save, API_BODY_IGNORE, 0},
    {"POST", "/images/create", api_images_create, API_BODY_HANDLER, 0},
    {"POST", "/images/load", api_images_load, API_BODY_HANDLER, 0},
    {"POST", "/images/prune", api_images_prune, API_BODY_IGNORE, 25},
    {"GET", "/images/{name*}/json", api_images_inspect, API_BODY_IGNORE, 0},
    {"GET", "/images/{name*}/history", api_images_history, API_BODY_IGNORE, 0},
    {"GET", "/images/{name*}/get", api_images_save, API_BODY_IGNORE, 0},
    {"POST", "/images/{name*}/tag", api_images_tag, API_BODY_IGNORE, 0},
    {"POST", "/images/{name*}/push", api_images_push, API_BODY_IGNORE, 0},
    {"DELETE", "/images/{name*}", api_images_remove, API_BODY_IGNORE, 0},

    {"GET", "/networks", api_networks_list, API_BODY_IGNORE, 0},
    {"POST", "/networks/create", api_networks_create, API_BODY_JSON, 0},
    {"POST", "/networks/prune", api_networks_prune, API_BODY_IGNORE, 25},
    {"GET", "/networks/{id}", api_networks_inspect, API_BODY_IGNORE, 0},
    {"POST", "/networks/{id}/connect", api_networks_connect, API_BODY_JSON, 0},
    {"POST", "/networks/{id}/disconnect", api_networks_disconnect, API_BODY_JSON, 0},
    {"DELETE", "/networks/{id}", api_networks_remove, API_BODY_IGNORE, 0},

    {"GET", "/volumes", api_volumes_list, API_BODY_IGNORE, 0},
    {"POST", "/volumes/create", api_volumes_create, API_BODY_JSON, 0},
    {"POST", "/volumes/prune", api_volumes_prune, API_BODY_IGNORE, 25},
    {"GET", "/volumes/{name}", api_volumes_inspect, API_BODY_IGNORE, 0},
    {"PUT", "/volumes/{name}", api_volumes_update, API_BODY_IGNORE, 42},
    {"DELETE", "/volumes/{name}", api_volumes_remove, API_BODY_IGNORE, 0},

    {"POST", "/build", api_build, API_BODY_HANDLER, 0},
    {"POST", "/build/prune", api_build_prune, API_BODY_IGNORE, 31},
    {"POST", "/build/cancel", api_build_cancel, API_BODY_IGNORE, 31},
    {"POST", "/commit", api_commit, API_BODY_IGNORE, 0},
    {"POST", "/session", api_buildkit, API_BODY_IGNORE, 0},
    {"POST", "/grpc", api_buildkit, API_BODY_IGNORE, 0},

    {"GET", "/plugins", api_plugins_list, API_BODY_IGNORE, 0},
    {"GET", "/plugins/{name*}/json", api_plugin, API_BODY_IGNORE, 0},
    {"POST", "/plugins/pull", api_plugins_add, API_BODY_IGNORE, 0},
    {"POST", "/plugins/create", api_plugins_add, API_BODY_IGNORE, 0},
    {"POST", "/plugins/{name*}", api_plugin, API_BODY_IGNORE, 0},
    {"DELETE", "/plugins/{name*}", api_plugin, API_BODY_IGNORE, 0},

    {"GET", "/swarm", api_swarm, API_BODY_IGNORE, 0},
    {"GET", "/swarm/unlockkey", api_swarm, API_BODY_IGNORE, 0},
    {"POST", "/swarm/init", api_swarm_join, API_BODY_IGNORE, 0},
    {"POST", "/swarm/join", api_swarm_join, API_BODY_IGNORE, 0},
    {"POST", "/swarm/leave", api_swarm_leave, API_BODY_IGNORE, 0},
    {"POST", "/swarm/update", api_swarm, API_BODY_IGNORE, 0},
    {"POST", "/swarm/unlock", api_swarm, API_BODY_IGNORE, 0},
#define SWARM(what)                                                                                                   \
    {"GET", "/" what, api_swarm, API_BODY_IGNORE, 0}, {"POST", "/" what "/create", api_swarm, API_BODY_IGNORE, 0},     \
        {"GET", "/" what "/{id}", api_swarm, API_BODY_IGNORE, 0}, {"GET", "/" what "/{id}/logs", api_swarm, API_BODY_IGNORE, 0}, \
        {"POST", "/" what "/{id}/update", api_swarm, API_BODY_IGNORE, 0}, {"DELETE", "/" what "/{id}", api_swarm, API_BODY_IGNORE, 0}
    SWARM("services"),
    SWARM("tasks"),
    SWARM("nodes"),
    SWARM("secrets"),
    SWARM("configs"),
    {NULL, NULL, NULL, API_BODY_IGNORE, 0},
};

void api_modules_init(struct api *api)
{
    api->lists = lists_cache_new();
    api->prunes = prune_locks_new();
}

void api_modules_fini(struct api *api)
{
    lists_cache_free(api->lists);
    prune_locks_free(api->prunes);
}
