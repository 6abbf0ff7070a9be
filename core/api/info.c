/*
 * api/info.c - GET /info (reference 2.12.11).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "api/internal.h"
#include "base/clock.h"
#include "base/str.h"
#include "state/engine.h"

static void write_counts(struct jw *w, struct engine *e)
{
    struct engine_counts n;

    engine_counts(e, &n);
    jw_u64(w, "Containers", n.containers);
    jw_u64(w, "ContainersRunning", n.running);
    jw_u64(w, "ContainersPaused", n.paused);
    jw_u64(w, "ContainersStopped", n.stopped);
    jw_u64(w, "Images", n.images);
}

/* Drivers appear as runtimes: `docker run --runtime NAME` (DESIGN 3.2). */
static void write_runtimes(struct jw *w, struct api *api)
{
    jw_object(w, "Runtimes");
    for (size_t i = 0; i < plugin_count(api->opts.plugins); i++) {
        struct plugin *p = plugin_at(api->opts.plugins, i);
        jw_key(w, plugin_name(p));
        jw_object(w, NULL);
        jw_string(w, "path", plugin_path(p));
        jw_object_end(w);
    }
    jw_object_end(w);
    jw_string(w, "DefaultRuntime", api->opts.default_runtime);
}

static void write_flags(struct jw *w)
{
    jw_bool(w, "MemoryLimit", true);
    jw_bool(w, "SwapLimit", false);
    jw_bool(w, "CpuCfsPeriod", false);
    jw_bool(w, "CpuCfsQuota", false);
    jw_bool(w, "CPUShares", false);
    jw_bool(w, "CPUSet", false);
    jw_bool(w, "PidsLimit", false);
    jw_bool(w, "IPv4Forwarding", true);
    jw_bool(w, "BridgeNfIptables", false);
    jw_bool(w, "BridgeNfIp6tables", false);
    jw_bool(w, "OomKillDisable", false);
}

static void write_registry(struct jw *w, const struct api_opts *o)
{
    jw_object(w, "RegistryConfig");
    jw_array(w, "AllowNondistributableArtifactsCIDRs");
    jw_array_end(w);
    jw_array(w, "AllowNondistributableArtifactsHostnames");
    jw_array_end(w);
    jw_array(w, "InsecureRegistryCIDRs");
    jw_string(w, NULL, "127.0.0.0/8");
    jw_array_end(w);
    jw_object(w, "IndexConfigs");
    jw_key(w, "docker.io");
    jw_object(w, NULL);
    jw_string(w, "Name", "docker.io");
    jw_strings(w, "Mirrors", o->registry_mirrors);
    jw_bool(w, "Secure", true);
    jw_bool(w, "Official", true);
    jw_object_end(w);
    jw_object_end(w);
    jw_strings(w, "Mirrors", o->registry_mirrors);
    jw_object_end(w);
}

static void write_swarm(struct jw *w)
{
    jw_object(w, "Swarm");
    jw_string(w, "NodeID", "");
    jw_string(w, "NodeAddr", "");
    jw_string(w, "LocalNodeState", "inactive");
    jw_bool(w, "ControlAvailable", false);
    jw_string(w, "Error", "");
    jw_null(w, "RemoteManagers");
    jw_object_end(w);
}

static void write_plugins(struct jw *w)
{
    jw_object(w, "Plugins");
    jw_array(w, "Volume");
    jw_string(w, NULL, "local");
    jw_array_end(w);
    jw_array(w, "Network");
    jw_string(w, NULL, "bridge");
    jw_string(w, NULL, "host");
    jw_string(w, NULL, "null");
    jw_array_end(w);
    jw_null(w, "Authorization");
    jw_array(w, "Log");
    jw_string(w, NULL, "json-file");
    jw_string(w, NULL, "none");
    jw_array_end(w);
    jw_object_end(w);
}

/* The CLI prints them below `docker info`. */
static void write_warnings(struct jw *w, const struct engine *e)
{
    struct engine_counts n;
    char text[192];

    engine_counts(e, &n);
    if (n.orphans == 0) {
        jw_null(w, "Warnings");
        return;
    }
    snprintf(text, sizeof(text),
             "WARNING: %zu resource%s in the cloud carr%s this daemon's label and %s unknown to it: its log names what, "
             "--prune-orphans deletes it", n.orphans, n.orphans == 1 ? "" : "s", n.orphans == 1 ? "ies" : "y",
             n.orphans == 1 ? "is" : "are");
    jw_array(w, "Warnings");
    jw_string(w, NULL, text);
    jw_array_end(w);
}

static void write_machine(struct jw *w, struct plugin *p)
{
    struct utsname u = {0};
    struct sysinfo si = {0};
    char host[256] = "";

    uname(&u);
    sysinfo(&si);
    gethostname(host, sizeof(host) - 1);
    jw_string(w, "KernelVersion", u.release);
    jw_string(w, "OperatingSystem", p != NULL ? plugin_platform_name(p) : "unknown");
    jw_string(w, "OSVersion", "");
    jw_string(w, "OSType", "linux");
    jw_string(w, "Architecture", u.machine);
    jw_i64(w, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
    jw_u64(w, "MemTotal", (uint64_t)si.totalram * si.mem_unit);
    jw_string(w, "Name", host);
}

void api_info(struct api_call *c)
{
    struct api *api = c->api;
    struct plugin *p = plugin_find(api->opts.plugins, api->opts.default_runtime);
    struct buf out;
    struct jw w;

    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_string(&w, "ID", engine_daemon_id(api->opts.engine));
    write_counts(&w, api->opts.engine);
    jw_string(&w, "Driver", api->opts.default_runtime);
    jw_array(&w, "DriverStatus");
    jw_array_end(&w);
    write_plugins(&w);
    write_flags(&w);
    jw_bool(&w, "Debug", api->opts.debug);
    jw_i64(&w, "NFd", -1);
    jw_i64(&w, "NGoroutines", -1);
    jw_time(&w, "SystemTime", clock_wall());
    jw_string(&w, "LoggingDriver", "json-file");
    jw_string(&w, "CgroupDriver", "none");
    jw_string(&w, "CgroupVersion", "2");
    jw_u64(&w, "NEventsListener", events_subscribers(api->opts.engine));
    write_machine(&w, p);
    jw_string(&w, "IndexServerAddress", "https://index.docker.io/v1/");
    write_registry(&w, &api->opts);
    jw_null(&w, "GenericResources");
    jw_string(&w, "DockerRootDir", api->opts.state_dir);
    jw_string(&w, "HttpProxy", "");
    jw_string(&w, "HttpsProxy", "");
    jw_string(&w, "NoProxy", "");
    jw_array(&w, "Labels");
    jw_array_end(&w);
    jw_bool(&w, "ExperimentalBuild", false);
    jw_string(&w, "ServerVersion", PACKAGE_VERSION);
    write_runtimes(&w, api);
    write_swarm(&w);
    jw_bool(&w, "LiveRestoreEnabled", true);
    jw_string(&w, "Isolation", "");
    jw_string(&w, "InitBinary", "");
    jw_raw(&w, "ContainerdCommit", "{\"ID\":\"\",\"Expected\":\"\"}");
    jw_raw(&w, "RuncCommit", "{\"ID\":\"\",\"Expected\":\"\"}");
    jw_raw(&w, "InitCommit", "{\"ID\":\"\",\"Expected\":\"\"}");
    jw_array(&w, "SecurityOptions");
    jw_array_end(&w);
    write_warnings(&w, api->opts.engine);
    jw_object_end(&w);
    api_reply_json(c, 200, &out);
}
