/*
 * api/create_config.c - checks of a create body's Config: see create.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "api/create.h"
#include "api/port.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/signame.h"
#include "base/str.h"
#include "json/json.h"

#define PROBE_MIN NS_PER_MS /* a health check's times below this are surely a unit forgotten */

void create_warn(struct create_warnings *w, const char *fmt, ...)
{
    va_list ap;

    if (w->n >= CREATE_WARNINGS_MAX)
        return;
    va_start(ap, fmt);
    w->text[w->n++] = xvasprintf(fmt, ap);
    va_end(ap);
}

void create_warnings_fini(struct create_warnings *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->text[i]);
    *w = (struct create_warnings){0};
}

static int check_env(struct json_object *config, struct skl_error *err)
{
    struct json_object *env = NULL;

    if (json_get_array(config, "Env", &env, err) < 0)
        return -1;
    for (size_t i = 0; env != NULL && i < json_object_array_length(env); i++) {
        const char *e = json_string_or(json_object_array_get_idx(env, i), "");
        if (e[0] == '\0' || e[0] == '=')
            return error_set(err, SKL_ERR_INVALID, "invalid environment variable: %s", e);
    }
    return 0;
}

static int check_probe_time(struct json_object *health, const char *name, struct skl_error *err)
{
    int64_t ns = 0;

    if (json_get_i64(health, name, &ns, err) < 0)
        return -1;
    if (ns != 0 && ns < PROBE_MIN)
        return error_set(err, SKL_ERR_INVALID, "%s in Healthcheck cannot be less than 1ms", name);
    return 0;
}

int create_check_health(struct json_object *health, struct skl_error *err)
{
    static const char *const times[] = {"Interval", "Timeout", "StartPeriod", "StartInterval"};
    struct json_object *test = NULL;
    int64_t retries = 0;
    const char *kind;

    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        if (check_probe_time(health, times[i], err) < 0)
            return -1;
    if (json_get_i64(health, "Retries", &retries, err) < 0 || json_get_array(health, "Test", &test, err) < 0)
        return -1;
    if (retries < 0)
        return error_set(err, SKL_ERR_INVALID, "Retries in Healthcheck cannot be negative");
    if (test == NULL || json_object_array_length(test) == 0)
        return 0;
    kind = json_string_or(json_object_array_get_idx(test, 0), "");
    if (strcmp(kind, "NONE") != 0 && strcmp(kind, "CMD") != 0 && strcmp(kind, "CMD-SHELL") != 0)
        return error_set(err, SKL_ERR_INVALID, "Unknown healthcheck type '%s' (expected 'CMD')", kind);
    return 0;
}

static int check_paths(struct json_object *config, struct skl_error *err)
{
    const char *dir = "";
    struct json_object *volumes = NULL;

    if (json_get_string(config, "WorkingDir", &dir, err) < 0 || json_get_object(config, "Volumes", &volumes, err) < 0)
        return -1;
    if (dir[0] != '\0' && dir[0] != '/')
        return error_set(err, SKL_ERR_INVALID, "the working directory '%s' is invalid, it needs to be an absolute path",
                         dir);
    if (volumes == NULL)
        return 0;
    json_object_object_foreach(volumes, path, v)
    {
        (void)v;
        if (path[0] != '/')
            return error_set(err, SKL_ERR_INVALID, "invalid volume specification: '%s': invalid mount path: mount path "
                             "must be absolute", path);
        if (strspn(path, "/") == strlen(path))
            return error_set(err, SKL_ERR_INVALID, "invalid volume specification: '%s': invalid specification: "
                             "destination can't be '/'", path);
    }
    return 0;
}

static int check_ports(struct json_object *config, struct skl_error *err)
{
    struct json_object *ports = NULL;
    struct port p;

    if (json_get_object(config, "ExposedPorts", &ports, err) < 0)
        return -1;
    if (ports == NULL)
        return 0;
    json_object_object_foreach(ports, spec, v)
    {
        (void)v;
        if (port_parse(spec, &p, err) < 0)
            return -1;
    }
    return 0;
}

#define HOST_NAME_PART_MAX 63u
static int check_host_name(const char *name, struct skl_error *err)
{
    if (strlen(name) > HOST_NAME_PART_MAX)
        return error_set(err, SKL_ERR_INVALID, "invalid hostname format: %s", name);
    return 0;
}

static int check_stop(struct json_object *config, struct skl_error *err)
{
    const char *signal = "";
    int64_t timeout = 0;

    if (json_get_string(config, "StopSignal", &signal, err) < 0 ||
        json_get_i64_range(config, "StopTimeout", INT32_MIN, INT32_MAX, &timeout, err) < 0)
        return -1;
    if (signal[0] != '\0' && signame_parse(signal) < 0)
        return error_set(err, SKL_ERR_INVALID, "invalid signal: %s", signal);
    return 0;
}

int create_check_config(struct json_object *config, struct skl_error *err)
{
    struct json_object *health = NULL;
    const char *host = "";

    if (json_get_string(config, "Hostname", &host, err) < 0 || check_host_name(host, err) < 0 ||
        check_env(config, err) < 0 || json_get_object(config, "Healthcheck", &health, err) < 0 ||
        check_paths(config, err) < 0 || check_ports(config, err) < 0 || check_stop(config, err) < 0)
        return -1;
    return health != NULL ? create_check_health(health, err) : 0;
}
