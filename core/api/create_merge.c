/*
 * api/create_merge.c - the image's configuration into the request's: see create.h; the rules are moby's merge()
 * (cases U-59, P-53).
 *
 *   Env           the request's first, then the image's variables that the request has not
 *   Entrypoint    absent (null): the image's. Given, even as []: the image's Cmd is dropped with it, unless it is []
 *   Cmd           absent and Entrypoint absent or []: the image's
 *   [""]          as Entrypoint: none
 *   maps          united, the request's entries win
 *   the rest      the image's when empty
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/create.h"
#include "base/mem.h"
#include "json/json.h"

static struct json_object *member(struct json_object *obj, const char *name)
{
    struct json_object *v = NULL;

    json_get_any(obj, name, &v, NULL);
    return v;
}

static size_t length_of(struct json_object *v)
{
    if (json_object_is_type(v, json_type_array))
        return json_object_array_length(v);
    return json_object_is_type(v, json_type_string) ? 1 : 0;
}

static void take(struct json_object *config, struct json_object *image, const char *name)
{
    struct json_object *v = member(image, name);

    if (v != NULL)
        json_add(config, name, json_object_get(v));
}

static void take_if_empty_string(struct json_object *config, struct json_object *image, const char *name)
{
    if (json_string_or(member(config, name), "")[0] == '\0')
        take(config, image, name);
}

/* A fresh object with the image's entries and then the request's over them. */
static void unite(struct json_object *config, struct json_object *image, const char *name)
{
    struct json_object *ours = member(config, name), *theirs = member(image, name), *all;

    if (!json_object_is_type(theirs, json_type_object) || json_object_object_length(theirs) == 0)
        return;
    all = json_dup(theirs);
    if (json_object_is_type(ours, json_type_object)) {
        json_object_object_foreach(ours, key, v)
        {
            json_add(all, key, json_object_get(v));
        }
    }
    json_add(config, name, all);
}

static bool has_variable(struct json_object *env, const char *entry)
{
    size_t n = strcspn(entry, "=");

    for (size_t i = 0; i < length_of(env); i++) {
        const char *e = json_string_or(json_object_array_get_idx(env, i), "");
        if (strncmp(e, entry, n) == 0 && (e[n] == '=' || e[n] == '\0'))
            return true;
    }
    return false;
}

static void merge_env(struct json_object *config, struct json_object *image)
{
    struct json_object *ours = member(config, "Env"), *theirs = member(image, "Env"), *all;

    if (length_of(theirs) == 0)
        return;
    all = json_new_array();
    for (size_t i = 0; i < length_of(ours); i++)
        json_push(all, json_object_get(json_object_array_get_idx(ours, i)));
    for (size_t i = 0; i < length_of(theirs); i++) {
        struct json_object *e = json_object_array_get_idx(theirs, i);
        if (!has_variable(ours, json_string_or(e, "")))
            json_push(all, json_object_get(e));
    }
    json_add(config, "Env", all);
}

static void merge_command(struct json_object *config, struct json_object *image)
{
    struct json_object *entrypoint = member(config, "Entrypoint");

    if (length_of(entrypoint) > 0)
        return;
    if (length_of(member(config, "Cmd")) == 0)
        take(config, image, "Cmd");
    if (entrypoint == NULL)
        take(config, image, "Entrypoint");
}

static void merge_health(struct json_object *config, struct json_object *image)
{
    static const char *const numbers[] = {"Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"};
    struct json_object *ours = member(config, "Healthcheck"), *theirs = member(image, "Healthcheck");

    if (theirs == NULL)
        return;
    if (ours == NULL) {
        take(config, image, "Healthcheck");
        return;
    }
    if (length_of(member(ours, "Test")) == 0)
        take(ours, theirs, "Test");
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (json_object_get_int64(member(ours, numbers[i])) == 0)
            take(ours, theirs, numbers[i]);
}

static bool is_reset(struct json_object *entrypoint)
{
    if (json_object_is_type(entrypoint, json_type_string))
        return json_object_get_string_len(entrypoint) == 0;
    return length_of(entrypoint) == 1 && json_string_or(json_object_array_get_idx(entrypoint, 0), "x")[0] == '\0';
}

int create_merge(struct json_object *config, struct json_object *image, bool command_unknown, struct skl_error *err)
{
    if (image != NULL) {
        take_if_empty_string(config, image, "User");
        take_if_empty_string(config, image, "WorkingDir");
        take_if_empty_string(config, image, "StopSignal");
        unite(config, image, "ExposedPorts");
        unite(config, image, "Volumes");
        unite(config, image, "Labels");
        merge_env(config, image);
        merge_command(config, image);
        merge_health(config, image);
    }
    if (is_reset(member(config, "Entrypoint")))
        json_add_null(config, "Entrypoint");
    if (!command_unknown && length_of(member(config, "Entrypoint")) == 0 && length_of(member(config, "Cmd")) == 0)
        return error_set(err, SKL_ERR_INVALID, "no command specified");
    return 0;
}
