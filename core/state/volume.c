/*
 * state/volume.c - the table of volumes. See volume.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/internal.h"

#define VOLUME_ROOT "/var/lib/docker/volumes" /* what clients are used to; nothing is there */

static struct volume *volume_new(struct engine *e, const char *name, const char *driver)
{
    struct volume *v = xcalloc(1, sizeof(*v));

    v->engine = e;
    v->name = xstrdup(name);
    v->driver = xstrdup(driver);
    v->mountpoint = xasprintf(VOLUME_ROOT "/%s/_data", name);
    list_init(&v->in_all);
    return v;
}

static void volume_index(struct volume *v)
{
    struct engine *e = v->engine;

    v->hash = xcalloc(1, sizeof(*v->hash));
    v->hash->v = v;
    HASH_ADD_KEYPTR(hh, e->volume_names, v->name, strlen(v->name), v->hash);
    list_push_back(&e->volumes, &v->in_all);
    e->n_volumes++;
    v->generation = engine_touch(e);
}

static void volume_free(struct volume *v)
{
    if (v->hash != NULL) {
        HASH_DEL(v->engine->volume_names, v->hash);
        v->engine->n_volumes--;
        engine_touch(v->engine);
    }
    list_remove(&v->in_all);
    labels_free(v->labels);
    free(v->hash);
    free(v->name);
    free(v->driver);
    free(v->mountpoint);
    free(v->options);
    free(v);
}

static struct volume *by_name(const struct engine *e, const char *name)
{
    struct volume_hash *h;

    HASH_FIND_STR(e->volume_names, name, h);
    return h != NULL ? h->v : NULL;
}

struct volume *volume_find(struct engine *e, const char *name, struct skl_error *err)
{
    struct volume *v = by_name(e, name);

    if (v == NULL)
        error_set(err, SKL_ERR_NOT_FOUND, "get %s: no such volume", name);
    return v;
}

struct volume *volume_first(struct engine *e)
{
    return list_empty(&e->volumes) ? NULL : LIST_ENTRY(e->volumes.next, struct volume, in_all);
}

struct volume *volume_next(const struct volume *v)
{
    return v->in_all.next == &v->engine->volumes ? NULL : LIST_ENTRY(v->in_all.next, struct volume, in_all);
}

const char *volume_label(const struct volume *v, const char *key)
{
    return labels_get(v->labels, v->n_labels, key);
}

bool volume_used_by(const struct volume *v, const struct container *c)
{
    for (size_t i = 0; i < c->n_mounts; i++)
        if (c->mounts[i].type == MOUNT_VOLUME && strcmp(c->mounts[i].name, v->name) == 0)
            return true;
    return false;
}

/* ---- creating, removing ---- */

static int check_name(const char *name, struct skl_error *err)
{
    size_t n = strlen(name);
    bool ok = n >= 2 && n <= VOLUME_NAME_MAX;

    for (size_t i = 0; ok && i < n; i++)
        ok = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= '0' && name[i] <= '9') ||
             (i > 0 && strchr("_.-", name[i]) != NULL);
    if (ok)
        return 0;
    if (n == 1)
        return error_set(err, SKL_ERR_INVALID, "create %s: volume name is too short, names should be at least two "
                         "alphanumeric characters", name);
    return error_set(err, SKL_ERR_INVALID, "create %s: \"%s\" includes invalid characters for a local volume name, only "
                     "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path",
                     name, name);
}

static void volume_event(const struct volume *v, const char *action)
{
    struct event_attr attrs[] = {{"driver", v->driver}};

    events_publish(v->engine, "volume", action, v->name, attrs, ARRAY_LEN(attrs));
}

static int volume_put(const struct volume *v, struct skl_error *err)
{
    CLEANUP(free_p) char *labels = labels_to_text(v->labels, v->n_labels);

    return store_run(v->engine->store, SQL_VOLUME_PUT, err, "ssiiss", v->name, v->driver, v->created,
                     (int64_t)v->anonymous, v->options, labels);
}

static void anonymous_label(struct volume *v)
{
    if (!v->anonymous || v->n_labels > 0)
        return;
    v->labels = labels_from_text("{\"" VOLUME_ANONYMOUS_LABEL "\":\"\"}", &v->n_labels);
}

int volume_create(struct engine *e, const struct volume_spec *spec, struct volume **ret, struct skl_error *err)
{
    char id[ID_SIZE];
    const char *name = spec->name;
    const char *driver = str_empty(spec->driver) ? "local" : spec->driver;
    struct volume *v;

    if (engine_check_open(e, err) < 0)
        return -1;
    if (str_empty(name)) {
        id_new(id);
        name = id;
    } else if (check_name(name, err) < 0) {
        return -1;
    }
    v = by_name(e, name);
    if (v != NULL && v->doomed)
        return error_set(err, SKL_ERR_CONFLICT, "create %s: the volume is being removed with its container", name);
    if (v != NULL && strcmp(v->driver, driver) != 0)
        return error_set(err, SKL_ERR_CONFLICT, "create %s: volume already exists with a different driver: %s", name,
                         v->driver);
    if (strcmp(driver, "local") != 0)
        return error_set(err, SKL_ERR_NOT_FOUND, "create %s: error looking up volume plugin %s: plugin \"%s\" not found", name,
                         driver, driver);
    if (v == NULL) {
        if (e->n_volumes >= VOLUME_MAX)
            return error_set(err, SKL_ERR_CONFLICT, "there are %u volumes already", VOLUME_MAX);
        v = volume_new(e, name, driver);
        v->created = clock_wall();
        v->anonymous = name == id;
        v->options = json_text(spec->options, "null");
        v->labels = labels_from_json(spec->labels, &v->n_labels);
        anonymous_label(v);
        if (volume_put(v, err) < 0) {
            volume_free(v);
            return -1;
        }
        volume_index(v);
        volume_event(v, "create");
    }
    if (ret != NULL)
        *ret = v;
    return 0;
}

static int in_use(const struct volume *v, struct skl_error *err)
{
    struct buf b;

    buf_init(&b, 4096);
    CONTAINER_FOREACH(c, v->engine)
        if (volume_used_by(v, c))
            buf_printf(&b, "%s%s", b.len > 0 ? ", " : "", c->id);
    error_set(err, SKL_ERR_CONFLICT, "remove %s: volume is in use - [%s]", v->name, buf_str(&b));
    buf_fini(&b);
    return -1;
}

int64_t volume_size(const struct volume *v)
{
    const struct engine *e = v->engine;

    return e->runner != NULL && e->runner->volume_size != NULL ? e->runner->volume_size(e->runner_ctx, v->name) : 0;
}

int volume_remove(struct volume *v, struct skl_error *err)
{
    if (v->n_refs > 0)
        return in_use(v, err);
    if (store_run(v->engine->store, SQL_VOLUME_DELETE, err, "s", v->name) < 0)
        return -1;
    volume_event(v, "destroy");
    if (v->engine->runner != NULL && v->engine->runner->volume_gone != NULL)
        v->engine->runner->volume_gone(v->engine->runner_ctx, v->name);
    volume_free(v);
    return 0;
}

/* ---- what containers hold ---- */

static void count(struct container *c, int by)
{
    for (size_t i = 0; i < c->n_mounts; i++) {
        struct volume *v = c->mounts[i].type == MOUNT_VOLUME ? by_name(c->engine, c->mounts[i].name) : NULL;

        if (v != NULL) {
            v->n_refs = by > 0 ? v->n_refs + 1 : v->n_refs - (v->n_refs > 0);
            v->generation = engine_touch(c->engine);
        }
    }
}

void volume_hold(struct container *c)
{
    count(c, 1);
}

void volume_release(struct container *c)
{
    count(c, -1);
}

void volume_remove_anonymous(struct container *c)
{
    for (size_t i = 0; i < c->n_mounts; i++) {
        struct volume *v = c->mounts[i].type == MOUNT_VOLUME ? by_name(c->engine, c->mounts[i].name) : NULL;

        if (v != NULL && v->anonymous && v->n_refs == 0)
            volume_remove(v, NULL);
    }
}

void volume_remove_made(struct container *c)
{
    for (size_t i = 0; i < c->n_mounts; i++) {
        struct volume *v = c->mounts[i].made ? by_name(c->engine, c->mounts[i].name) : NULL;

        if (v != NULL && v->n_refs == 0)
            volume_remove(v, NULL);
    }
}

/* c's alone, or NULL. */
static struct volume *own_volume(struct container *c, const struct container_mount *m)
{
    struct volume *v = m->type == MOUNT_VOLUME ? by_name(c->engine, m->name) : NULL;

    return v != NULL && v->n_refs == 1 ? v : NULL;
}

static int delete_rows(struct container *c, bool made, struct skl_error *err)
{
    for (size_t i = 0; i < c->n_mounts; i++) {
        struct volume *v = own_volume(c, &c->mounts[i]);

        if (v != NULL && (made ? c->mounts[i].made : v->anonymous) &&
            store_run(c->engine->store, SQL_VOLUME_DELETE, err, "s", v->name) < 0)
            return -1;
    }
    return 0;
}

int volume_delete_made_rows(struct container *c, struct skl_error *err)
{
    return delete_rows(c, true, err);
}

int volume_delete_anonymous_rows(struct container *c, struct skl_error *err)
{
    return delete_rows(c, false, err);
}

void volume_doom_anonymous(struct container *c)
{
    for (size_t i = 0; i < c->n_mounts; i++) {
        struct volume *v = own_volume(c, &c->mounts[i]);

        if (v != NULL && v->anonymous)
            v->doomed = true;
    }
}

void volume_mount_events(struct container *c, const char *action)
{
    for (size_t i = 0; i < c->n_mounts; i++) {
        const struct container_mount *m = &c->mounts[i];
        struct event_attr attrs[] = {{"container", c->id},
                                     {"destination", m->destination},
                                     {"driver", m->driver},
                                     {"propagation", m->propagation},
                                     {"read/write", m->rw ? "true" : "false"}};

        if (m->type != MOUNT_VOLUME)
            continue;
        if (strcmp(action, "mount") == 0)
            events_publish(c->engine, "volume", action, m->name, attrs, ARRAY_LEN(attrs));
        else
            events_publish(c->engine, "volume", action, m->name, (struct event_attr[]){attrs[0], attrs[2]}, 2);
    }
}

/* ---- loading ---- */

static int on_volume(void *arg, struct sqlite3_stmt *row, struct skl_error *err)
{
    struct volume *v = volume_new(arg, row_text(row, 0), row_text(row, 1));

    (void)err;
    v->created = row_i64(row, 2);
    v->anonymous = row_i64(row, 3) != 0;
    v->options = xstrdup(row_text(row, 4));
    v->labels = labels_from_text(row_text(row, 5), &v->n_labels);
    volume_index(v);
    return 0;
}

int volumes_load(struct engine *e, struct skl_error *err)
{
    return store_query(e->store, SQL_VOLUME_ALL, on_volume, e, err, "");
}

void volumes_free(struct engine *e)
{
    while (volume_first(e) != NULL)
        volume_free(volume_first(e));
}
