/*
 * state/create.c - making a container.
 *
 *   check, volumes, endpoints -> row in the store (not visible) and name taken -> driver's create()
 *     -> handle and `visible` stored -> shown, event, done
 *
 * The row is there before the driver is called: what a kill -9 leaves half done is found and undone after the next start.
 * A failure at any point undoes what was done, in reverse.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/internal.h"

struct create {
    struct container *c;
    container_create_fn done;
    void *arg;
};

/* Takes back what the container had been given. The container itself is gone after it. */
static void undo(struct create *cr)
{
    struct container *c = cr->c;

    container_unindex(c);
    endpoints_free(c);
    volume_remove_made(c);
    container_unref(c);
}

/* ---- parts ---- */

static void fill_ids(struct container *c, const struct container_spec *spec)
{
    do {
        id_new(c->id);
    } while (container_by_id(c->engine, c->id) != NULL || removal_pending(c->engine, c->id));
    token_new(c->agent_token);
    c->created = clock_wall();
    c->image_ref = xstrdup(spec->image_ref);
    c->image_id = xstrdup(spec->image_id);
    c->platform = xstrdup(spec->platform != NULL ? spec->platform : "");
}

static void fill_configs(struct container *c, const struct container_spec *spec)
{
    JSON_CLEANUP struct json_object *config = json_dup(spec->config);
    JSON_CLEANUP struct json_object *hc = json_dup(spec->host_config);

    if (config == NULL)
        config = json_new_object();
    if (hc == NULL)
        hc = json_new_object();
    if (str_empty(json_string_or(json_member(config, "Hostname"), "")))
        json_add_stringn(config, "Hostname", c->id, ID_SHORT_LEN);
    json_add_string(hc, "Runtime", c->driver);
    c->config = json_text(config, "{}");
    c->host_config = json_text(hc, "{}");
}

static int fill_name(struct container *c, const struct container_spec *spec, struct skl_error *err)
{
    const char *name = spec->name != NULL && spec->name[0] == '/' ? spec->name + 1 : spec->name;

    if (str_empty(name)) {
        c->name = container_make_name(c->engine);
        return 0;
    }
    if (container_name_check(name, err) < 0 || container_check_free_name(c->engine, name, err) < 0)
        return -1;
    c->name = xstrdup(name);
    return 0;
}

static char *text_or(const char *s, const char *if_null)
{
    return xstrdup(s != NULL ? s : if_null);
}

static int fill_mount(struct create *cr, const struct container_mount *from, struct skl_error *err)
{
    struct container *c = cr->c;
    struct container_mount *m = &c->mounts[c->n_mounts++];
    struct volume_spec vs = {.name = from->name, .driver = from->driver, .options = from->volume_options,
                             .labels = from->volume_labels};
    bool known = !str_empty(from->name) && volume_find(c->engine, from->name, NULL) != NULL;
    struct volume *v;

    *m = (struct container_mount){.type = from->type, .rw = from->rw};
    m->destination = text_or(from->destination, "");
    m->mode = text_or(from->mode, "");
    m->propagation = text_or(from->propagation, "");
    if (from->type != MOUNT_VOLUME) {
        m->name = xstrdup("");
        m->source = text_or(from->source, "");
        m->driver = xstrdup("");
        return 0;
    }
    if (volume_create(c->engine, &vs, &v, err) < 0) {
        m->name = xstrdup("");
        m->source = xstrdup("");
        m->driver = xstrdup("");
        return -1;
    }
    m->name = xstrdup(v->name);
    m->source = xstrdup(v->mountpoint);
    m->driver = xstrdup(v->driver);
    m->made = !known;
    return 0;
}

static int fill_mounts(struct create *cr, const struct container_spec *spec, struct skl_error *err)
{
    cr->c->mounts = spec->n_mounts > 0 ? xcalloc(spec->n_mounts, sizeof(*cr->c->mounts)) : NULL;
    for (size_t i = 0; i < spec->n_mounts; i++)
        if (fill_mount(cr, &spec->mounts[i], err) < 0)
            return -1;
    return 0;
}

static int insert_row(struct container *c, struct skl_error *err)
{
    CLEANUP(free_p) char *mounts = mounts_to_text(c);
    CLEANUP(free_p) char *endpoints = endpoints_to_text(c);

    return store_run(c->engine->store, SQL_CONTAINER_INSERT, err, "ssissssssssssii", c->id, c->name, c->created,
                     c->image_ref, c->image_id, c->driver, c->handle, c->platform, c->config, c->host_config,
                     c->agent_token, mounts, endpoints, (int64_t)0, (int64_t)c->status);
}

/* The container and the volumes made for it, in one transaction: a kill -9 leaves all of it or nothing. */
static int put_rows(struct create *cr, const struct container_spec *spec, struct skl_error *err)
{
    struct container *c = cr->c;
    struct store *s = c->engine->store;

    if (store_begin(s, err) < 0)
        return -1;
    if (fill_mounts(cr, spec, err) < 0 || endpoints_create(c, spec->endpoints, spec->n_endpoints, err) < 0 ||
        insert_row(c, err) < 0) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, err);
}

/* ---- the driver's answer ---- */

static void finish(struct create *cr, const struct skl_error *err, const char *const *warnings)
{
    struct engine *e = cr->c->engine;

    if (err != NULL) {
        undo(cr);
        cr->done(cr->arg, err, NULL, NULL);
    } else {
        cr->done(cr->arg, NULL, cr->c, warnings);
    }
    engine_job_free(cr);
    engine_idle(e);
}

/* The resource exists, but can't be written down: it must go again. */
static void give_back(struct create *cr, const struct skl_error *why)
{
    struct container *c = cr->c;
    struct store *s = c->engine->store;

    if (removal_store(c->engine, c, NULL) == 0)
        store_run(s, SQL_CONTAINER_DELETE, NULL, "s", c->id);
    removal_begin(c->engine, c, NULL, NULL);
    finish(cr, why, NULL);
}

static int delete_rows(struct container *c, struct skl_error *err)
{
    struct store *s = c->engine->store;

    if (store_begin(s, err) < 0)
        return -1;
    if (store_run(s, SQL_CONTAINER_DELETE, err, "s", c->id) < 0 || volume_delete_made_rows(c, err) < 0) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, err);
}

static void on_created(void *arg, const struct skl_error *err, const struct skl_create_result *res)
{
    struct create *cr = arg;
    struct container *c = cr->c;
    struct skl_error failure;

    if (err != NULL) {
        if (delete_rows(c, &failure) < 0)
            log_error("state", "%s", failure.message); /* found after the next start */
        /* A 404 of the cloud is no 404 of ours: the CLI would pull the image and try again. */
        failure = *err;
        if (failure.kind == SKL_ERR_NOT_FOUND)
            failure.kind = SKL_ERR_INTERNAL;
        finish(cr, &failure, NULL);
        return;
    }
    c->handle = xstrdup(res->handle);
    if (store_run(c->engine->store, SQL_CONTAINER_CREATED, &failure, "ss", c->id, c->handle) < 0) {
        give_back(cr, &failure);
        return;
    }
    container_show(c);
    container_event(c, "create", NULL);
    finish(cr, NULL, res->warnings);
}

int container_create(struct engine *e, const struct container_spec *spec, container_create_fn done, void *arg,
                     struct skl_error *err)
{
    struct plugin *driver;
    struct create *cr;
    struct container *c;
    struct view view;
    struct skl_create_req req = {.size = sizeof(req)};

    if (engine_check_open(e, err) < 0)
        return -1;
    driver = engine_driver(e, spec->runtime, err);
    if (driver == NULL)
        return -1;
    cr = engine_job_new(e, sizeof(*cr), NULL);
    cr->done = done;
    cr->arg = arg;
    c = cr->c = container_new(e);
    c->driver = xstrdup(plugin_name(driver));
    fill_ids(c, spec);
    fill_configs(c, spec);
    if (fill_name(c, spec, err) < 0 || container_derive(c, err) < 0 || put_rows(cr, spec, err) < 0) {
        undo(cr);
        engine_job_free(cr);
        return -1;
    }
    container_index(c);
    engine_busy(e);
    view_init(&view, c);
    req.container = &view.c;
    plugin_create(driver, &req, engine_driver_timeout(e, ENGINE_CREATE_TIMEOUT_NS), on_created, cr);
    view_fini(&view);
    return 0;
}
