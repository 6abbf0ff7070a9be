/*
 * api/create.h - the steps of POST /containers/create; internal to core/api.
 *
 * Types are checked by the schema tables; here are the rules between values, in Docker's words, and the merge of the
 * image's configuration into the request's. What a function can't do is refused (400) when the container would not
 * be what was asked for, and warned about when it would merely be less isolated or less limited.
 *
 * All work on the request's JSON tree: Config at the top of the body, HostConfig and NetworkingConfig in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_CREATE_H
#define SKL_API_CREATE_H

#include <stdbool.h>
#include <json-c/json.h>
#include "base/error.h"

#define CREATE_WARNINGS_MAX 64u

struct create_warnings {
    char *text[CREATE_WARNINGS_MAX + 1]; /* NULL-terminated */
    size_t n;
};
void create_warn(struct create_warnings *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void create_warnings_fini(struct create_warnings *w);

/* Config: environment, health check, signals, paths, ports. Before the merge. */
int create_check_config(struct json_object *config, struct skl_error *err);
/* Also used by update (resources and restart policy only) with the members it has. */
int create_check_host(struct json_object *host, struct create_warnings *w, struct skl_error *err);
/* What is between Config and HostConfig: namespaces, networks, tmpfs. */
int create_check_modes(struct json_object *config, struct json_object *host, struct create_warnings *w, struct skl_error *err);
int create_check_resources(struct json_object *host, struct create_warnings *w, struct skl_error *err);
int create_check_devices(struct json_object *host, struct skl_error *err);
int create_check_restart(struct json_object *host, struct skl_error *err);
int create_check_health(struct json_object *health, struct skl_error *err);

/* Puts what the image has and the request has not into config (User, Env, Cmd, Entrypoint, ExposedPorts, ...). image:
 * the image's "config" object or NULL. Error: no command specified; not so when nothing is known of the image's own
 * command (synthetic images): the agent runs that. */
int create_merge(struct json_object *config, struct json_object *image, bool command_unknown, struct skl_error *err);

#endif
