/*
 * plugin/catalog.c - the driver directory: --list-drivers, --help-driver, loading all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "plugin/internal.h"

#define CATALOG_MAX 1024

static int only_shared_objects(const struct dirent *de)
{
    return de->d_name[0] != '.' && str_ends(de->d_name, ".so") && strlen(de->d_name) > 3;
}

/* Names in order; -1 with err; 0 for a directory that is not there. */
static int scan(const struct plugin_host *host, struct dirent ***ret, struct skl_error *err)
{
    int n;

    *ret = NULL;
    if (str_empty(host->driver_dir))
        return 0;
    n = scandir(host->driver_dir, ret, only_shared_objects, alphasort);
    if (n >= 0)
        return n;
    if (errno == ENOENT)
        return 0;
    error_set_errno(err, SKL_ERR_INTERNAL, errno, "driver directory %s", host->driver_dir);
    return -1;
}

static void scan_free(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static bool is_loaded(struct plugin_host *host, const char *file)
{
    CLEANUP(free_p) char *name = xstrndup(file, strlen(file) - 3);

    return plugin_find(host, name) != NULL;
}

int plugin_load_dir(struct plugin_host *host,
                    void (*on_refused)(void *arg, const char *path, const struct skl_error *err), void *arg,
                    struct skl_error *err)
{
    struct dirent **names;
    int n = scan(host, &names, err), loaded = 0;

    for (int i = 0; i < n && i < CATALOG_MAX; i++) {
        CLEANUP(free_p) char *path = xasprintf("%s/%s", host->driver_dir, names[i]->d_name);
        struct skl_error why = {0};
        struct plugin *p;
        if (is_loaded(host, names[i]->d_name))
            continue;
        if (plugin_load(host, path, &p, &why) == 0)
            loaded++;
        else if (on_refused != NULL)
            on_refused(arg, path, &why);
    }
    if (n < 0)
        return -1;
    scan_free(names, n);
    return loaded;
}

int plugin_list_drivers(struct plugin_host *host, struct buf *out, struct skl_error *err)
{
    struct dirent **names;
    int n = scan(host, &names, err);

    for (int i = 0; i < n && i < CATALOG_MAX; i++) {
        CLEANUP(free_p) char *path = xasprintf("%s/%s", host->driver_dir, names[i]->d_name);
        struct skl_error why = {0};
        struct driver_file f;
        if (driver_file_load(&f, path, NULL, &why) < 0) {
            buf_printf(out, "%s: refused: %s\n", names[i]->d_name, why.message);
            continue;
        }
        buf_printf(out, "%s %s (ABI %u.%u): %s\n", f.driver.name, f.driver.version, f.driver.abi_major,
                   f.driver.abi_minor, f.driver.description);
        driver_file_fini(&f);
    }
    if (n < 0)
        return -1;
    scan_free(names, n);
    return 0;
}

static void print_caps(uint64_t caps, struct buf *out)
{
    static const struct {
        uint64_t bit;
        const char *text;
    } names[] = {
        {SKL_CAP_LIST, "list"},
        {SKL_CAP_INSPECT, "inspect"},
        {SKL_CAP_STOP, "stop"},
        {SKL_CAP_SIGNAL, "signal"},
        {SKL_CAP_PAUSE, "pause"},
        {SKL_CAP_AGENT_EXIT, "agent-exit"},
        {SKL_CAP_AGENT_LOGS, "agent-logs"},
        {SKL_CAP_START_STAGED, "start-staged"},
        {SKL_CAP_RESTART_RUN, "restart-run"},
        {SKL_CAP_AGENT, "agent"},
    };

    buf_puts(out, "Capabilities:");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if ((caps & names[i].bit) != 0)
            buf_printf(out, " %s", names[i].text);
    buf_puts(out, "\n");
}

int plugin_help_driver(struct plugin_host *host, const char *name_or_path, struct buf *out, struct skl_error *err)
{
    CLEANUP(free_p) char *path = driver_path(host, name_or_path, err);
    struct driver_file f;

    if (path == NULL || driver_file_load(&f, path, NULL, err) < 0)
        return -1;
    buf_printf(out, "%s %s: %s\n%s\n", f.driver.name, f.driver.version, f.driver.description, f.path);
    print_caps(f.driver.caps, out);
    buf_printf(out, "Options (configuration: drivers.%s):\n", f.driver.name);
    options_print(&f.options, out);
    driver_file_fini(&f);
    return 0;
}
