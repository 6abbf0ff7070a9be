/*
 * api/create_mounts.c - Binds, Mounts, VolumesFrom and Config.Volumes of a create: what will be mounted where.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/create_mounts.h"

#include <stdlib.h>
#include <string.h>
#include "api/port.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

static void mount_fini(struct container_mount *m)
{
    free(m->name);
    free(m->source);
    free(m->destination);
    free(m->driver);
    free(m->mode);
    free(m->propagation);
}

static struct container_mount *mount_add(struct create_mounts *ms, enum mount_type type, const char *name, const char *source,
                                         const char *destination, bool rw, struct skl_error *err)
{
    struct container_mount *m = &ms->list[ms->n];

    for (size_t i = 0; i < ms->n; i++)
        if (str_eq(ms->list[i].destination, destination)) {
            error_set(err, SKL_ERR_INVALID, "Duplicate mount point: %s", destination);
            return NULL;
        }
    if (ms->n == CREATE_MOUNTS_MAX) {
        error_set(err, SKL_ERR_INVALID, "more than %u mounts", CREATE_MOUNTS_MAX);
        return NULL;
    }
    ms->n++;
    *m = (struct container_mount){.type = type, .name = xstrdup(name), .source = xstrdup(source),
                                  .destination = xstrdup(destination), .driver = xstrdup(type == MOUNT_VOLUME ? "local" : ""),
                                  .mode = xstrdup(""), .propagation = xstrdup(""), .rw = rw};
    return m;
}

/* A function has no host: its own socket and directories can't be mounted. Empty directories can be pretended no
 * more than full ones, so a host path is refused, naming it. */
static int refuse_host_path(const char *spec, struct skl_error *err)
{
    return error_set(err, SKL_ERR_INVALID,
                     "invalid bind mount \"%s\": a cloud function has no access to the file system of a host; use a named volume, "
                     "or copy files in (docker cp)",
                     spec);
}

static int take_binds(struct create_mounts *ms, struct json_object *host, struct skl_error *err)
{
    struct json_object *list = json_member(host, "Binds");

    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
        const char *spec = json_string_or(json_object_array_get_idx(list, i), "");
        struct container_mount *m;
        struct bind b;
        if (bind_parse(spec, &b, err) < 0)
            return -1;
        if (b.kind == BIND_HOST) {
            bind_fini(&b);
            return refuse_host_path(spec, err);
        }
        m = mount_add(ms, MOUNT_VOLUME, b.source, "", b.target, !b.read_only, err);
        if (m != NULL) {
            free(m->mode);
            m->mode = xstrdup(b.mode[0] != '\0' ? b.mode : "z");
        }
        bind_fini(&b);
        if (m == NULL)
            return -1;
    }
    return 0;
}

static int take_volume(struct create_mounts *ms, struct json_object *o, const char *name, const char *target, bool rw,
                       struct skl_error *err)
{
    struct container_mount *m = mount_add(ms, MOUNT_VOLUME, name, "", target, rw, err);
    const char *driver = "", *subpath = "";

    if (m == NULL || json_get_object(o, "VolumeOptions.Labels", &m->volume_labels, err) < 0 ||
        json_get_string(o, "VolumeOptions.DriverConfig.Name", &driver, err) < 0 ||
        json_get_object(o, "VolumeOptions.DriverConfig.Options", &m->volume_options, err) < 0 ||
        json_get_string(o, "VolumeOptions.Subpath", &subpath, err) < 0)
        return -1;
    if (!str_empty(subpath))
        return error_set(err, SKL_ERR_INVALID, "cloud functions do not support mounting a part of a volume (Subpath \"%s\")", subpath);
    if (!str_empty(driver)) {
        free(m->driver);
        m->driver = xstrdup(driver);
    }
    return 0;
}

/* Options of another type of mount are a mistake. */
static int check_fields(struct json_object *o, const char *type, struct skl_error *err)
{
    static const struct {
        const char *type, *field;
    } foreign[] = {{"volume", "BindOptions"}, {"volume", "TmpfsOptions"}, {"tmpfs", "Source"}, {"tmpfs", "BindOptions"}, {"tmpfs", "VolumeOptions"}};

    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        struct json_object *v = str_eq(foreign[i].type, type) ? json_member(o, foreign[i].field) : NULL;
        if (v != NULL && !(json_object_is_type(v, json_type_string) && json_object_get_string_len(v) == 0))
            return error_set(err, SKL_ERR_INVALID, "invalid mount config for type \"%s\": field %s must not be specified", type,
                             foreign[i].field);
    }
    return 0;
}

static int take_mount(struct create_mounts *ms, struct json_object *o, struct skl_error *err)
{
    const char *type = json_string_or(json_member(o, "Type"), ""), *source = json_string_or(json_member(o, "Source"), "");
    const char *target = json_string_or(json_member(o, "Target"), "");
    bool ro = false;

    if (json_get_bool(o, "ReadOnly", &ro, err) < 0)
        return -1;
    if (target[0] != '/')
        return error_set(err, SKL_ERR_INVALID, "invalid mount config for type \"%s\": %s", type,
                         target[0] == '\0' ? "field Target must not be empty" : "invalid mount path: mount path must be absolute");
    if (str_eq(type, "bind"))
        return refuse_host_path(source, err);
    if (check_fields(o, type, err) < 0)
        return -1;
    if (str_eq(type, "volume"))
        return take_volume(ms, o, source, target, !ro, err);
    if (str_eq(type, "tmpfs"))
        return mount_add(ms, MOUNT_TMPFS, "", "", target, !ro, err) != NULL ? 0 : -1;
    return error_set(err, SKL_ERR_INVALID, "invalid mount config for type \"%s\": mount type unknown", type);
}

/* ---- VolumesFrom ---- */

static bool mounted(const struct create_mounts *ms, const char *destination)
{
    for (size_t i = 0; i < ms->n; i++)
        if (str_eq(ms->list[i].destination, destination))
            return true;
    return false;
}

/* What was asked for by itself goes before what another container has there. */
static int take_mounts_of(struct create_mounts *ms, const struct container *from, bool rw, struct skl_error *err)
{
    for (size_t i = 0; i < from->n_mounts; i++) {
        const struct container_mount *theirs = &from->mounts[i];
        struct container_mount *m;

        if (theirs->type != MOUNT_VOLUME || mounted(ms, theirs->destination))
            continue;
        m = mount_add(ms, MOUNT_VOLUME, theirs->name, "", theirs->destination, rw && theirs->rw, err);
        if (m == NULL)
            return -1;
        free(m->mode);
        m->mode = xstrdup(theirs->mode);
    }
    return 0;
}

/* "container[:mode]". A container that is not there is a 400: clients would take a 404 for a missing image. */
static int take_volumes_from(struct create_mounts *ms, struct engine *e, const char *spec, struct skl_error *err)
{
    const char *colon = strchr(spec, ':'), *mode = colon != NULL ? colon + 1 : "rw";
    CLEANUP(free_p) char *name = colon != NULL ? xstrndup(spec, (size_t)(colon - spec)) : xstrdup(spec);
    struct skl_error why = {0};
    struct container *from;

    if (name[0] == '\0')
        return error_set(err, SKL_ERR_INVALID, "invalid volumes-from specification: '%s'", spec);
    if (!str_eq(mode, "rw") && !str_eq(mode, "ro") && !str_eq(mode, "z") && !str_eq(mode, "Z"))
        return error_set(err, SKL_ERR_INVALID, "invalid mode: %s", mode);
    from = container_find(e, name, &why);
    if (from == NULL)
        return error_set(err, why.kind == SKL_ERR_NOT_FOUND ? SKL_ERR_INVALID : why.kind, "%s", why.message);
    return take_mounts_of(ms, from, !str_eq(mode, "ro"), err);
}

/* ---- all of it ---- */

int create_mounts_take(struct create_mounts *ms, struct engine *e, struct json_object *config, struct json_object *host,
                       struct skl_error *err)
{
    struct json_object *list = json_member(host, "Mounts"), *volumes = json_member(config, "Volumes");
    struct json_object *from = json_member(host, "VolumesFrom");

    if (take_binds(ms, host, err) < 0)
        return -1;
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
        if (take_mount(ms, json_object_array_get_idx(list, i), err) < 0)
            return -1;
    for (size_t i = 0; from != NULL && i < json_object_array_length(from); i++)
        if (take_volumes_from(ms, e, json_string_or(json_object_array_get_idx(from, i), ""), err) < 0)
            return -1;
    if (volumes == NULL)
        return 0;
    json_object_object_foreach(volumes, path, v) {
        (void)v;
        if (!mounted(ms, path) && mount_add(ms, MOUNT_VOLUME, "", "", path, true, err) == NULL)
            return -1;
    }
    return 0;
}

void create_mounts_fini(struct create_mounts *ms)
{
    for (size_t i = 0; i < ms->n; i++)
        mount_fini(&ms->list[i]);
}
