/*
 * daemon/config.h - the daemon's configuration: flags, environment, file, defaults; in that order of precedence.
 *
 * One table (config.c) describes every key: its place in the JSON file, its flag, its environment variable, its
 * type, its default and its help. Reading the file, the environment and argv, --help, --validate and SIGHUP all work
 * from it. The "drivers" object is passed on as it is: the plugin host checks it against each driver's own table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DAEMON_CONFIG_H
#define SKL_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <json-c/json.h>
#include "base/error.h"

#define CONFIG_FILE_MAX (1024u * 1024)
#define CONFIG_LIST_MAX 64u /* values of one list key */
#define CONFIG_KEYS_MAX 40u

enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENV, CONFIG_FROM_FLAG };

struct config {
    char **hosts; /* NULL-terminated; empty: the default socket */
    char *driver;
    char *driver_dir;
    char *state_dir;
    char *log_level;
    bool simulator;
    bool prune_orphans;
    char *simulator_images; /* "": the simulator's own default */
    char *group;      /* of unix sockets */
    char *pidfile;    /* "": none */
    bool tls, tlsverify, insecure_tcp;
    char *tlscacert, *tlscert, *tlskey;
    char *agent_listen;
    char *callback_url; /* "": containers have no agent */
    int64_t connect_timeout, driver_timeout;
    char **capture_paths;
    int64_t capture_limit;
    int64_t volume_limit;
    char *ip;
    char *agent_ca_file; /* "": agents trust the CAs of their image */
    char *agent_tls_cert, *agent_tls_key; /* "": the agents' listener speaks plain HTTP (behind a load balancer) */
    char *resolve;      /* synthetic | registry */
    char **mirrors;
    char **insecure_registries;
    char *synthetic_exec; /* refuse | echo */
    struct json_object *drivers; /* NULL: none */

    char *file;       /* the file that was read; NULL: none */
    uint8_t source[CONFIG_KEYS_MAX]; /* enum config_source by key: config_source() */
};

enum config_mode {
    CONFIG_RUN,
    CONFIG_VALIDATE,
    CONFIG_LIST_DRIVERS,
    CONFIG_HELP_DRIVER,
    CONFIG_HELP,
    CONFIG_VERSION
};

/* What argv asks for. Borrows argv. */
struct config_args {
    enum config_mode mode;
    const char *config_file; /* NULL: the default */
    const char *help_driver;
    struct {
        uint8_t key;
        const char *value; /* NULL: a boolean flag without a value */
    } flags[128];
    size_t n_flags;
};

/* Usage errors name the flag. */
int config_args_parse(int argc, char **argv, struct config_args *ret, struct skl_error *err);
void config_print_help(FILE *out);

/* Reads everything. *ret is to be ended with config_fini on failure as well. Errors name file and line, key, variable
 * or flag. `env` looks a variable up (getenv, or a test's). */
int config_load(struct config *ret, const struct config_args *args, const char *(*env)(const char *name),
                struct skl_error *err);
void config_fini(struct config *c);

/* Where the value of a key ("agent.listen") came from. */
enum config_source config_source_of(const struct config *c, const char *path);

/* SIGHUP: takes the reloadable keys of `fresh` over into `c` (what it replaces is freed). changed(arg, path, applied)
 * for each key that differs; applied is false for those that need a restart. */
void config_reload(struct config *c, struct config *fresh,
                   void (*changed)(void *arg, const char *path, bool applied), void *arg);

/* For tests and fuzzing: a file's text, over the defaults. */
int config_read_text(struct config *c, const char *file, const char *text, size_t n, struct skl_error *err);
void config_init_defaults(struct config *c);

#endif
