/*
 * tests/abi/host.c - a small daemon: core/plugin, compiled against whatever header the test chooses, runs one container of the
 * driver at argv[1]. Prints the ABI it has and what the driver did.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "loop/loop.h"
#include "plugin/plugin.h"

static const char *const nothing[] = {NULL};
static const struct skl_kv no_labels[] = {{NULL, NULL}};

static struct skl_container container = {
    .size = sizeof(container),
    .id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    .name = "one", .image = "busybox", .image_id = "sha256:0", .argv = nothing, .env = nothing, .working_dir = "",
    .user = "", .labels = no_labels, .platform = "", .daemon_id = "d",
};
static struct loop *loop;
static struct plugin *plugin;
static char handle[SKL_HANDLE_MAX + 1];

static void check(const char *what, const struct skl_error *err)
{
    printf("%s: %s\n", what, err != NULL ? err->message : "ok");
    if (err != NULL)
        exit(EXIT_FAILURE);
}

static void on_listed(void *arg, const struct skl_error *err, const struct skl_list_result *res)
{
    (void)arg;
    check("list", err);
    printf("listed: %u, the first in state %s\n", res->count, res->count > 0 ? res->items[0].state : "none");
    loop_stop(loop);
}

static void on_run_ended(void *arg, struct plugin *p, const char *id, uint32_t run, const struct skl_run_end *end)
{
    struct skl_list_req req = {.size = sizeof(req), .daemon_id = "d"};

    (void)arg, (void)p, (void)id;
    printf("run %u ended: kind %d code %d\n", run, end->kind, end->exit_code);
    plugin_list(plugin, &req, 0, on_listed, NULL);
}

static void on_started(void *arg, const struct skl_error *err)
{
    (void)arg;
    check("start", err);
}

static void on_created(void *arg, const struct skl_error *err, const struct skl_create_result *res)
{
    struct skl_start_req req = {.size = sizeof(req), .container = &container};

    (void)arg;
    check("create", err);
    snprintf(handle, sizeof(handle), "%s", res->handle);
    container.handle = handle;
    container.run = 1;
    plugin_start(plugin, &req, 0, on_started, NULL);
}

int main(int argc, char **argv)
{
    struct skl_error err = {0};
    struct plugin_host_opts opts = {.daemon_version = "0"};
    struct skl_create_req req = {.size = sizeof(req), .container = &container};
    struct plugin_host *host;

    loop = loop_new(&err);
    if (argc != 2 || loop == NULL)
        return EXIT_FAILURE;
    host = plugin_host_new(loop, NULL, &opts);
    plugin_host_on_run_ended(host, on_run_ended, NULL);
    check("load", plugin_load(host, argv[1], &plugin, &err) < 0 ? &err : NULL);
    printf("host %u.%u\n", SKL_ABI_MAJOR, SKL_ABI_MINOR);
    plugin_create(plugin, &req, 0, on_created, NULL);
    loop_run(loop);
    printf("faults: %" PRIu64 "\n", plugin_fault_count(plugin));
    plugin_host_free(host);
    loop_free(loop);
    return EXIT_SUCCESS;
}
