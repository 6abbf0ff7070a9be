/*
 * state/derive.c - from Docker's Config and HostConfig to what the daemon acts on.
 *
 * It runs at create, and again for each container at start-up, so that the store holds nothing twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/clock.h"
#include "base/signame.h"
#include "base/str.h"
#include "json/json.h"
#include "state/internal.h"

#define STOP_TIMEOUT_DEFAULT (10 * NS_PER_S)
#define STOP_TIMEOUT_MAX INT64_C(1000000000) /* seconds */

/* Entrypoint and Cmd may be a string in what very old clients send. */
static int words(struct json_object *config, const char *key, char ***ret, size_t *ret_n, struct skl_error *err)
{
    struct json_object *v = json_member(config, key);

    *ret = NULL;
    *ret_n = 0;
    if (v != NULL && json_object_is_type(v, json_type_string)) {
        const char *s = json_object_get_string(v);
        char **one = xmalloc(2 * sizeof(char *) + strlen(s) + 1);

        one[0] = (char *)(one + 2);
        memcpy(one[0], s, strlen(s) + 1);
        one[1] = NULL;
        *ret = one;
        *ret_n = 1;
        return 0;
    }
    return json_get_strings(config, key, ret, ret_n, err) < 0 ? -1 : 0;
}

/* One block for array and text. */
static char **concat(char **a, size_t na, char **b, size_t nb)
{
    size_t bytes = 0;
    char **ret;
    char *p;

    for (size_t i = 0; i < na + nb; i++)
        bytes += strlen(i < na ? a[i] : b[i - na]) + 1;
    ret = xmalloc((na + nb + 1) * sizeof(char *) + bytes);
    p = (char *)(ret + na + nb + 1);
    for (size_t i = 0; i < na + nb; i++) {
        ret[i] = p;
        p = stpcpy(p, i < na ? a[i] : b[i - na]) + 1;
    }
    ret[na + nb] = NULL;
    return ret;
}

static int derive_argv(struct container *c, struct json_object *config, struct skl_error *err)
{
    CLEANUP(free_p) char **entrypoint = NULL;
    CLEANUP(free_p) char **cmd = NULL;
    size_t ne, nc;

    if (words(config, "Entrypoint", &entrypoint, &ne, err) < 0 || words(config, "Cmd", &cmd, &nc, err) < 0)
        return -1;
    if (ne == 1 && entrypoint[0][0] == '\0') /* [""]: no entrypoint */
        ne = 0;
    /* Neither: the image's own command, which only the agent knows when images are synthetic. Where they are not, core/api
     * has refused it. */
    c->argv = concat(entrypoint, ne, cmd, nc);
    c->n_entrypoint = ne;
    c->helper = !(ne + nc == 3 && strcmp(c->argv[0], "tail") == 0 && strcmp(c->argv[1], "-f") == 0 &&
                  strcmp(c->argv[2], "/dev/null") == 0);
    return 0;
}

static int get_text(struct json_object *o, const char *path, char **ret, struct skl_error *err)
{
    const char *s = "";

    if (json_get_string(o, path, &s, err) < 0)
        return -1;
    *ret = xstrdup(s);
    return 0;
}

static int derive_stop(struct container *c, struct json_object *config, struct skl_error *err)
{
    const char *signal = "";
    int64_t seconds = -1;
    int found;

    if (json_get_string(config, "StopSignal", &signal, err) < 0)
        return -1;
    c->stop_signal = str_empty(signal) ? 15 : signame_parse(signal);
    if (c->stop_signal < 0)
        return error_set(err, SKL_ERR_INVALID, "invalid signal: %s", signal);
    found = json_get_i64_range(config, "StopTimeout", -1, STOP_TIMEOUT_MAX, &seconds, err);
    if (found < 0)
        return -1;
    c->stop_timeout_ns = found == JSON_FOUND ? seconds * NS_PER_S : STOP_TIMEOUT_DEFAULT;
    return 0;
}

static int derive_config(struct container *c, struct json_object *config, struct skl_error *err)
{
    struct json_object *labels = NULL;
    struct json_object *healthcheck = NULL;
    size_t n;

    if (json_get_strings(config, "Env", &c->env, &n, err) < 0 || json_get_string_map(config, "Labels", &labels, err) < 0 ||
        json_get_bool(config, "Tty", &c->tty, err) < 0 || json_get_bool(config, "OpenStdin", &c->open_stdin, err) < 0 ||
        json_get_bool(config, "StdinOnce", &c->stdin_once, err) < 0 ||
        json_get_object(config, "Healthcheck", &healthcheck, err) < 0 || get_text(config, "User", &c->user, err) < 0 ||
        get_text(config, "WorkingDir", &c->working_dir, err) < 0 || get_text(config, "Hostname", &c->hostname, err) < 0)
        return -1;
    if (c->env == NULL)
        c->env = xcalloc(1, sizeof(char *));
    c->labels = labels_from_json(labels, &c->n_labels);
    health_derive(c, healthcheck);
    return derive_stop(c, config, err);
}

static int derive_restart(struct container *c, struct json_object *hc, struct skl_error *err)
{
    const char *name = "";
    int64_t max = 0;

    if (json_get_string(hc, "RestartPolicy.Name", &name, err) < 0 ||
        json_get_i64_range(hc, "RestartPolicy.MaximumRetryCount", INT32_MIN, INT32_MAX, &max, err) < 0)
        return -1;
    if (name[0] == '\0' || strcmp(name, "no") == 0)
        c->restart_policy = RESTART_NO;
    else if (strcmp(name, "on-failure") == 0)
        c->restart_policy = RESTART_ON_FAILURE;
    else if (strcmp(name, "always") == 0)
        c->restart_policy = RESTART_ALWAYS;
    else if (strcmp(name, "unless-stopped") == 0)
        c->restart_policy = RESTART_UNLESS_STOPPED;
    else
        return error_set(err, SKL_ERR_INVALID, "invalid restart policy: unknown policy '%s'; use one of 'no', 'always', "
                         "'on-failure', or 'unless-stopped'", name);
    if (max < 0)
        return error_set(err, SKL_ERR_INVALID, "invalid restart policy: maximum retry count cannot be negative");
    if (max > 0 && c->restart_policy != RESTART_ON_FAILURE)
        return error_set(err, SKL_ERR_INVALID, "invalid restart policy: maximum retry count can only be used with "
                         "'on-failure'");
    c->restart_max = (int)max;
    return 0;
}

static int derive_logs(struct container *c, struct json_object *hc, struct skl_error *err)
{
    struct log_limits limits = c->engine->log_limits;
    struct json_object *config = NULL;
    const char *type = "";
    const char *text;
    int64_t n;

    if (json_get_string(hc, "LogConfig.Type", &type, err) < 0 || json_get_object(hc, "LogConfig.Config", &config, err) < 0)
        return -1;
    c->log_none = strcmp(type, "none") == 0;
    text = json_string_or(json_member(config, "max-size"), "");
    if (text[0] != '\0' && strcmp(text, "-1") != 0 && !str_to_size(text, &limits.max_size))
        return error_set(err, SKL_ERR_INVALID, "invalid value for max-size: %s", text);
    text = json_string_or(json_member(config, "max-file"), "");
    if (text[0] != '\0') {
        if (!str_to_i64(text, 1, LOG_MAX_FILES, &n))
            return error_set(err, SKL_ERR_INVALID, "invalid value for max-file: %s", text);
        limits.max_files = (unsigned)n;
    } else if (limits.max_files == 0 && limits.max_size > 0) {
        limits.max_files = 1; /* json-file's own default beside max-size */
    }
    c->log_limits = limits;
    log_set_limits(c->log, &limits);
    return 0;
}

static int derive_resources(struct container *c, struct json_object *hc, struct skl_error *err)
{
    int64_t quota = 0, period = 0;

    c->memory = c->nano_cpus = 0;
    if (json_get_i64(hc, "Memory", &c->memory, err) < 0 || json_get_i64(hc, "NanoCpus", &c->nano_cpus, err) < 0 ||
        json_get_i64(hc, "CpuQuota", &quota, err) < 0 || json_get_i64(hc, "CpuPeriod", &period, err) < 0)
        return -1;
    if (c->nano_cpus == 0 && quota > 0)
        c->nano_cpus = (int64_t)((double)quota / (double)(period > 0 ? period : 100000) * 1e9);
    return 0;
}

static void derive_console(struct container *c, struct json_object *hc)
{
    struct json_object *size = json_member(hc, "ConsoleSize");

    if (size == NULL || !json_object_is_type(size, json_type_array) || json_object_array_length(size) != 2)
        return;
    c->tty_rows = (unsigned)json_object_get_int(json_object_array_get_idx(size, 0));
    c->tty_cols = (unsigned)json_object_get_int(json_object_array_get_idx(size, 1));
}

bool security_opt_no_new_privileges(const char *opt)
{
    return str_eq(opt, "no-new-privileges") || str_eq(opt, "no-new-privileges:true") || str_eq(opt, "no-new-privileges=true");
}

static void derive_tmpfs(struct container *c, struct json_object *hc)
{
    struct json_object *map = json_member(hc, "Tmpfs");
    size_t n = 0;

    strv_free(c->tmpfs);
    c->tmpfs = NULL;
    if (!json_object_is_type(map, json_type_object) || json_object_object_length(map) == 0)
        return;
    c->tmpfs = xcalloc((size_t)json_object_object_length(map) + 1, sizeof(*c->tmpfs));
    json_object_object_foreach(map, path, options)
    {
        (void)options;
        c->tmpfs[n++] = xstrdup(path);
    }
}

static int derive_host_config(struct container *c, struct json_object *hc, struct skl_error *err)
{
    size_t n;

    free(c->network_mode);
    free(c->groups);
    c->network_mode = NULL;
    c->groups = NULL;
    c->auto_remove = false;
    if (json_get_bool(hc, "AutoRemove", &c->auto_remove, err) < 0 ||
        get_text(hc, "NetworkMode", &c->network_mode, err) < 0 ||
        json_get_strings(hc, "GroupAdd", &c->groups, &n, err) < 0 || derive_restart(c, hc, err) < 0 ||
        derive_logs(c, hc, err) < 0 || derive_resources(c, hc, err) < 0)
        return -1;
    derive_console(c, hc);
    derive_tmpfs(c, hc);
    return 0;
}

int container_derive(struct container *c, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *config = container_config(c);
    JSON_CLEANUP struct json_object *hc = container_host_config(c);

    if (config == NULL || hc == NULL)
        return error_set(err, SKL_ERR_INTERNAL, "container %s: its configuration is no JSON object", c->id);
    if (derive_argv(c, config, err) < 0 || derive_config(c, config, err) < 0)
        return -1;
    return derive_host_config(c, hc, err);
}

int container_update(struct container *c, struct json_object *patch, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *hc = container_host_config(c);
    CLEANUP(free_p) char *old = NULL;
    const char *policy = "";

    if (engine_check_open(c->engine, err) < 0)
        return -1;
    if (c->status == CONTAINER_REMOVING || c->status == CONTAINER_DEAD)
        return error_set(err, SKL_ERR_CONFLICT, "Cannot update container %s: Container is marked for removal and cannot be "
                         "\"update\".", c->id);
    if (json_get_string(patch, "RestartPolicy.Name", &policy, err) < 0)
        return -1;
    if (c->auto_remove && policy[0] != '\0' && strcmp(policy, "no") != 0)
        return error_set(err, SKL_ERR_CONFLICT, "Restart policy cannot be updated because AutoRemove is enabled for the "
                         "container");
    json_object_object_foreach(patch, key, value)
        json_add(hc, key, json_dup(value));
    old = c->host_config;
    c->host_config = json_text(hc, "{}");
    if (derive_host_config(c, hc, err) < 0 ||
        store_run(c->engine->store, SQL_CONTAINER_HOST_CONFIG, err, "ss", c->id, c->host_config) < 0) {
        JSON_CLEANUP struct json_object *before = json_from_text(old);

        free(c->host_config);
        c->host_config = STEAL(old);
        derive_host_config(c, before, NULL);
        return -1;
    }
    container_touch(c);
    container_event(c, "update", NULL);
    return 0;
}
