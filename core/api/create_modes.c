/*
 * api/create_modes.c - checks of a create body: namespaces, networks, temporary file systems. See create.h.
 *
 * A function has namespaces and a network of its own, whatever is asked for. A mode that does not exist is an error with
 * Docker's words; one that can't be had is recorded and warned about.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <string.h>
#include "api/create.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

static bool is_one_of(const char *s, const char *const *list)
{
    for (; *list != NULL; list++)
        if (strcmp(*list, s) == 0)
            return true;
    return false;
}

/* ---- namespaces ---- */
#define MODES_MAX 5

static const struct {
    const char *name, *what;
    const char *modes[MODES_MAX];
    const char *foreign[MODES_MAX]; /* those that reach out of the function, where the table of create_host.c has no word on it */
} namespaces[] = {
    {"IpcMode", "IPC mode", {"none", "private", "shareable", "host"}, {"shareable", "host"}},
    {"PidMode", "PID mode", {"host"}, {NULL}},
    {"UTSMode", "UTS mode", {"host"}, {NULL}},
    {"UsernsMode", "userns mode", {"host"}, {NULL}},
    {"CgroupnsMode", "cgroup namespace mode", {"private", "host"}, {"host"}},
};

static int check_namespaces(struct json_object *host, struct create_warnings *w, struct skl_error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        const char *mode = json_string_or(json_member(host, namespaces[i].name), "");
        if (mode[0] == '\0')
            continue;
        if (!is_one_of(mode, namespaces[i].modes))
            return error_set(err, SKL_ERR_INVALID, "invalid %s: %s", namespaces[i].what, mode);
        if (is_one_of(mode, namespaces[i].foreign))
            create_warn(w, "%s: cloud functions share no namespaces. Discarded.", namespaces[i].name);
    }
    return 0;
}

/* ---- networks ---- */
static void warn_network(struct json_object *config, struct json_object *host, struct create_warnings *w)
{
    const char *mode = json_string_or(json_member(host, "NetworkMode"), "");
    struct json_object *disabled = json_member(config, "NetworkDisabled");

    if (strcmp(mode, "none") == 0 || (disabled != NULL && json_object_get_boolean(disabled)))
        create_warn(w, "A cloud function always has a network: it is not cut off.");
    else if (strcmp(mode, "host") == 0)
        create_warn(w, "A cloud function has a network of its own: it is not that of a host.");
    if (!str_empty(json_string_or(json_member(config, "Domainname"), "")))
        create_warn(w, "Domainname: cloud functions have none. Discarded.");
}

static bool is_ip(const char *s)
{
    struct in6_addr v6;
    struct in_addr v4;

    return inet_pton(AF_INET, s, &v4) == 1 || inet_pton(AF_INET6, s, &v6) == 1;
}

/* "name:address"; the address may stand in brackets, or be the word for the host's own. */
static int check_extra_host(const char *e, struct skl_error *err)
{
    const char *colon = strchr(e, ':'), *ip = colon != NULL ? colon + 1 : "";
    size_t n = strlen(ip);
    CLEANUP(free_p) char *bare = ip[0] == '[' && ip[n - 1] == ']' ? xstrndup(ip + 1, n - 2) : xstrdup(ip);

    if (colon == NULL || colon == e || ip[0] == '\0')
        return error_set(err, SKL_ERR_INVALID, "bad format for add-host: \"%s\"", e);
    if (strcmp(ip, "host-gateway") == 0 || is_ip(bare))
        return 0;
    return error_set(err, SKL_ERR_INVALID, "invalid IP address in add-host: \"%s\"", ip);
}

static int check_extra_hosts(struct json_object *host, struct skl_error *err)
{
    struct json_object *list = NULL;

    if (json_get_array(host, "ExtraHosts", &list, err) < 0)
        return -1;
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
        if (check_extra_host(json_string_or(json_object_array_get_idx(list, i), ""), err) < 0)
            return -1;
    return 0;
}

/* What is no address would break clients that read it back from inspect. */
static int check_host_ips(struct json_object *host, struct skl_error *err)
{
    struct json_object *map = NULL;

    if (json_get_object(host, "PortBindings", &map, err) < 0)
        return -1;
    if (map == NULL)
        return 0;
    json_object_object_foreach(map, spec, list)
    {
        for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
            const char *ip = json_string_or(json_member(json_object_array_get_idx(list, i), "HostIp"), "");
            if (ip[0] != '\0' && !is_ip(ip))
                return error_set(err, SKL_ERR_INVALID, "invalid IP address \"%s\" in the binding of port %s", ip, spec);
        }
    }
    return 0;
}

/* ---- temporary file systems ---- */
static int check_tmpfs_option(const char *option, size_t n, bool *ret_bounds, struct skl_error *err)
{
    static const char *const flags[] = {"ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async", "dirsync",
                                        "remount", "mand", "nomand", "atime", "noatime", "diratime", "nodiratime", "bind", "rbind",
                                        "unbindable", "runbindable", "private", "rprivate", "shared", "rshared", "slave", "rslave",
                                        "relatime", "norelatime", "strictatime", "nostrictatime", NULL};
    static const char *const values[] = {"mode", "uid", "gid", "size", "nr_inodes", "nr_blocks", "mpol", NULL};
    CLEANUP(free_p) char *name = xstrndup(option, n);
    char *equals = strchr(name, '=');

    if (equals != NULL)
        *equals = '\0';
    if (is_one_of(name, equals != NULL ? values : flags)) {
        *ret_bounds |= equals != NULL || strcmp(name, "ro") == 0;
        return 0;
    }
    return error_set(err, SKL_ERR_INVALID, "invalid tmpfs option [\"%.*s\"]", (int)n, option);
}

static int check_tmpfs(struct json_object *host, struct create_warnings *w, struct skl_error *err)
{
    struct json_object *map = NULL;
    bool bounds = false;

    if (json_get_object(host, "Tmpfs", &map, err) < 0)
        return -1;
    if (map == NULL)
        return 0;
    json_object_object_foreach(map, path, v)
    {
        const char *options = json_string_or(v, "");
        if (path[0] != '/' || strspn(path, "/") == strlen(path))
            return error_set(err, SKL_ERR_INVALID, "invalid mount config for type \"tmpfs\": %s%s%s",
                             path[0] == '/' ? "invalid specification: destination can't be '/'" : "invalid mount path: '",
                             path[0] == '/' ? "" : path, path[0] == '/' ? "" : "' mount path must be absolute");
        while (options[0] != '\0') {
            size_t n = strcspn(options, ",");
            if (n > 0 && check_tmpfs_option(options, n, &bounds, err) < 0)
                return -1;
            options += options[n] == ',' ? n + 1 : n;
        }
    }
    if (bounds)
        create_warn(w, "Tmpfs: cloud functions do not support its sizes, modes and owners. Discarded.");
    return 0;
}

/* ---- all of it ---- */
int create_check_modes(struct json_object *config, struct json_object *host, struct create_warnings *w, struct skl_error *err)
{
    const char *driver = json_string_or(json_member(host, "VolumeDriver"), "");

    if (driver[0] != '\0' && strcmp(driver, "local") != 0)
        return error_set(err, SKL_ERR_INVALID, "error looking up volume plugin %s: plugin \"%s\" not found", driver, driver);
    if (check_namespaces(host, w, err) < 0 || check_extra_hosts(host, err) < 0 || check_host_ips(host, err) < 0 ||
        check_tmpfs(host, w, err) < 0)
        return -1;
    warn_network(config, host, w);
    return 0;
}
