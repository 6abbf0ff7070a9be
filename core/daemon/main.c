/*
 * sockerlessd: argv, then one of its modes. What runs is daemon.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>
#include <malloc.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/listen.h"
#include "loop/loop.h"
#include "plugin/plugin.h"

#define OUTPUT_MAX (1024u * 1024)
#define EXIT_USAGE 2
#define MALLOC_MMAP (128 * 1024) /* pieces from this size are mapped apart */
#define MALLOC_KEEP (512 * 1024) /* what malloc keeps for the next one */

static const char *lookup_env(const char *name)
{
    return getenv(name);
}

static int complain(const struct skl_error *err)
{
    fprintf(stderr, "sockerlessd: %s\n", err->message);
    return EXIT_FAILURE;
}

/* A plugin host without network or store: for looking, not for running. */
static struct plugin_host *open_host(struct loop *loop, const struct config *config)
{
    struct plugin_host_opts opts = {
        .driver_dir = config->driver_dir,
        .daemon_version = PACKAGE_VERSION,
        .drivers = config->drivers,
        .config_file = config->file,
    };

    return plugin_host_new(loop, NULL, &opts);
}

static int print(struct buf *out)
{
    int rc = fwrite(buf_str(out), 1, out->len, stdout) == out->len && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;

    buf_fini(out);
    return rc;
}

static int list_drivers(struct plugin_host *host)
{
    struct skl_error err = {0};
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    if (plugin_list_drivers(host, &out, &err) < 0) {
        buf_fini(&out);
        return complain(&err);
    }
    return print(&out);
}

static int help_driver(struct plugin_host *host, const char *name)
{
    struct skl_error err = {0};
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    if (plugin_help_driver(host, name, &out, &err) < 0) {
        buf_fini(&out);
        return complain(&err);
    }
    return print(&out);
}

/* The default driver, and every other that the file has options for. */
static int validate_drivers(struct plugin_host *host, const struct config *config, struct skl_error *err)
{
    struct plugin *p;

    if (plugin_load(host, config->driver, &p, err) < 0)
        return -1;
    if (config->drivers == NULL)
        return 0;
    json_object_object_foreach(config->drivers, name, section)
    {
        struct skl_error why = {0};
        (void)section;
        if (plugin_find(host, name) != NULL || plugin_load(host, name, &p, &why) == 0)
            continue;
        if (why.kind == SKL_ERR_NOT_FOUND)
            return error_set(err, SKL_ERR_INVALID, "%s: drivers.%s: there is no such driver (%s)", config->file, name,
                             why.message);
        error_copy(err, &why);
        return -1;
    }
    return 0;
}

static int validate(struct plugin_host *host, const struct config *config)
{
    struct skl_error err = {0};

    if (listen_add_all(NULL, config, &err) < 0 || validate_drivers(host, config, &err) < 0)
        return complain(&err);
    printf("%s: the configuration is valid\n", config->file != NULL ? config->file : "sockerlessd");
    return EXIT_SUCCESS;
}

static int look(const struct config_args *args, const struct config *config)
{
    struct skl_error err = {0};
    struct loop *loop = loop_new(&err);
    struct plugin_host *host;
    int rc;

    if (loop == NULL)
        return complain(&err);
    host = open_host(loop, config);
    if (args->mode == CONFIG_LIST_DRIVERS)
        rc = list_drivers(host);
    else if (args->mode == CONFIG_HELP_DRIVER)
        rc = help_driver(host, args->help_driver);
    else
        rc = validate(host, config);
    plugin_host_free(host);
    loop_free(loop);
    return rc;
}

static int run_mode(const struct config_args *args)
{
    struct skl_error err = {0};
    struct config config;
    enum log_level level;
    int rc;

    if (config_load(&config, args, lookup_env, &err) < 0) {
        config_fini(&config);
        return complain(&err);
    }
    if (log_level_parse(config.log_level, &level))
        log_set_level(args->mode == CONFIG_RUN ? level : LOG_LEVEL_WARN);
    rc = args->mode == CONFIG_RUN ? daemon_run(&config, args) : look(args, &config);
    config_fini(&config);
    return rc;
}

int main(int argc, char **argv)
{
    struct skl_error err = {0};
    struct config_args args;

    log_set_program("sockerlessd");
    fs_raise_open_files();
    /* For good: left alone, glibc raises both up to 32 and 64 MiB as big buffers are freed. */
    mallopt(M_MMAP_THRESHOLD, MALLOC_MMAP);
    mallopt(M_TRIM_THRESHOLD, MALLOC_KEEP);
    if (config_args_parse(argc, argv, &args, &err) < 0) {
        fprintf(stderr, "sockerlessd: %s\nTry 'sockerlessd --help'.\n", err.message);
        return EXIT_USAGE;
    }
    if (args.mode == CONFIG_HELP) {
        config_print_help(stdout);
        return EXIT_SUCCESS;
    }
    if (args.mode == CONFIG_VERSION)
        return printf("sockerlessd %s (Docker API %s)\n", PACKAGE_VERSION, "1.44") < 0;
    return run_mode(&args);
}
