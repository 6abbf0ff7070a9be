/*
 * state/container.c - the table of containers: life, finding, renaming, storing. See container.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "json/jw.h"
#include "state/internal.h"

static const char *const status_names[] = {"created", "running", "paused", "restarting", "removing",
                                           "exited",  "dead",    "removed"};

const char *container_status_name(enum container_status s)
{
    return status_names[s];
}

bool container_status_parse(const char *s, enum container_status *ret)
{
    for (size_t i = 0; i < CONTAINER_REMOVED; i++) {
        if (strcmp(s, status_names[i]) == 0) {
            *ret = (enum container_status)i;
            return true;
        }
    }
    return false;
}

bool container_is_running(const struct container *c)
{
    return c->status == CONTAINER_RUNNING || c->status == CONTAINER_PAUSED || c->status == CONTAINER_RESTARTING;
}

bool container_is_live(const struct container *c)
{
    return c->status == CONTAINER_RUNNING || c->status == CONTAINER_PAUSED;
}

const char *container_label(const struct container *c, const char *key)
{
    return labels_get(c->labels, c->n_labels, key);
}

struct json_object *container_config(const struct container *c)
{
    return json_from_text(c->config);
}

struct json_object *container_host_config(const struct container *c)
{
    return json_from_text(c->host_config);
}

/* ---- life ---- */

struct container *container_new(struct engine *e)
{
    struct container *c = xcalloc(1, sizeof(*c));

    c->engine = e;
    c->refs = 1;
    c->error = xstrdup("");
    list_init(&c->execs);
    list_init(&c->waiters);
    list_init(&c->stdin_clients);
    list_init(&c->in_all);
    list_init(&c->in_image);
    c->log = log_new(e->logs, c);
    return c;
}

static void mounts_free(struct container *c)
{
    for (size_t i = 0; i < c->n_mounts; i++) {
        struct container_mount *m = &c->mounts[i];

        free(m->name);
        free(m->source);
        free(m->destination);
        free(m->driver);
        free(m->mode);
        free(m->propagation);
    }
    free(c->mounts);
}

static void container_free(struct container *c)
{
    machine_free(c);
    waiters_free(c);
    stdin_free(c);
    execs_free(c);
    health_free(c);
    endpoints_free(c);
    image_detach(c);
    mounts_free(c);
    log_free(c->log);
    mem_wipe(c->agent_token, sizeof(c->agent_token));
    labels_free(c->labels);
    free(c->argv);
    free(c->env);
    free(c->name);
    free(c->image_ref);
    free(c->image_id);
    free(c->driver);
    free(c->handle);
    free(c->platform);
    free(c->config);
    free(c->host_config);
    free(c->ports);
    free(c->hostname);
    free(c->user);
    free(c->working_dir);
    strv_free(c->tmpfs);
    free(c->groups);
    free(c->network_mode);
    free(c->error);
    free(c);
}

void container_ref(struct container *c)
{
    c->refs++;
}

void container_unref(struct container *c)
{
    if (c != NULL && --c->refs == 0)
        container_free(c);
}

/* The daemon ends: whoever holds references is gone. */
void container_free_all(struct engine *e)
{
    struct container_hash *h, *tmp;

    HASH_ITER(by_id, e->by_id, h, tmp) {
        struct container *c = h->c;

        container_unindex(c);
        container_free(c);
    }
}

/* ---- tables ---- */

void container_index(struct container *c)
{
    struct engine *e = c->engine;

    c->hashes = xcalloc(1, sizeof(*c->hashes));
    c->hashes->c = c;
    HASH_ADD_KEYPTR(by_id, e->by_id, c->id, strlen(c->id), c->hashes);
    HASH_ADD_KEYPTR(by_name, e->by_name, c->name, strlen(c->name), c->hashes);
    volume_hold(c);
    image_attach(c);
}

void container_unindex(struct container *c)
{
    struct engine *e = c->engine;

    if (c->hashes == NULL)
        return;
    HASH_DELETE(by_id, e->by_id, c->hashes);
    HASH_DELETE(by_name, e->by_name, c->hashes);
    free(c->hashes);
    c->hashes = NULL;
    volume_release(c);
    image_detach(c);
    if (c->visible) {
        list_remove(&c->in_all);
        e->n_containers--;
        e->n_status[c->status]--;
        c->visible = false;
    }
    engine_touch(e);
}

void container_reindex_name(struct container *c, char *name)
{
    struct engine *e = c->engine;

    HASH_DELETE(by_name, e->by_name, c->hashes);
    free(c->name);
    c->name = name;
    HASH_ADD_KEYPTR(by_name, e->by_name, c->name, strlen(c->name), c->hashes);
    container_touch(c);
    for (size_t i = 0; i < c->n_endpoints; i++)
        c->endpoints[i]->network->generation = engine_touch(e);
}

void container_show(struct container *c)
{
    c->visible = true;
    list_push_front(&c->engine->containers, &c->in_all);
    c->engine->n_containers++;
    c->engine->n_status[c->status]++;
    container_touch(c);
}

void container_touch(struct container *c)
{
    c->generation = engine_touch(c->engine);
}

void container_set_status(struct container *c, enum container_status s)
{
    if (c->visible) {
        c->engine->n_status[c->status]--;
        c->engine->n_status[s]++;
    }
    c->status = s;
    container_touch(c);
}

struct container *container_first(struct engine *e)
{
    return list_empty(&e->containers) ? NULL : LIST_ENTRY(e->containers.next, struct container, in_all);
}

struct container *container_next(const struct container *c)
{
    return !list_linked(&c->in_all) || c->in_all.next == &c->engine->containers
               ? NULL : LIST_ENTRY(c->in_all.next, struct container, in_all);
}

size_t container_count(const struct engine *e)
{
    return e->n_containers;
}

/* ---- finding ---- */

struct container *container_by_id(struct engine *e, const char *id)
{
    struct container_hash *h;

    HASH_FIND(by_id, e->by_id, id, strlen(id), h);
    return h != NULL ? h->c : NULL;
}

struct container *container_by_name(struct engine *e, const char *name)
{
    struct container_hash *h;

    HASH_FIND(by_name, e->by_name, name, strlen(name), h);
    return h != NULL && h->c->visible ? h->c : NULL;
}

struct container *container_find(struct engine *e, const char *id_or_name, struct skl_error *err)
{
    const char *name = id_or_name[0] == '/' ? id_or_name + 1 : id_or_name;
    struct container *found = container_by_id(e, id_or_name);
    size_t hits = 0;

    if (found != NULL && found->visible)
        return found;
    found = container_by_name(e, name);
    if (found != NULL)
        return found;
    if (str_is_hex(id_or_name) && strlen(id_or_name) < ID_SIZE - 1) {
        CONTAINER_FOREACH(c, e) {
            if (str_starts(c->id, id_or_name)) {
                found = c;
                hits++;
            }
        }
    }
    if (hits == 1)
        return found;
    if (hits > 1)
        error_set(err, SKL_ERR_INVALID, "multiple IDs found with provided prefix: %s", id_or_name);
    else
        error_set(err, SKL_ERR_NOT_FOUND, "No such container: %s", id_or_name);
    return NULL;
}

int container_check_free_name(struct engine *e, const char *name, struct skl_error *err)
{
    struct container_hash *h;

    HASH_FIND(by_name, e->by_name, name, strlen(name), h);
    if (h == NULL)
        return 0;
    return error_set(err, SKL_ERR_CONFLICT,
                     "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or "
                     "rename) that container to be able to reuse that name.", name, h->c->id);
}

/* ---- events ---- */

#define EVENT_EXTRA_MAX 8

void container_event(struct container *c, const char *action, ...)
{
    CLEANUP(free_p) struct event_attr *attrs = xcalloc(c->n_labels + EVENT_EXTRA_MAX + 2, sizeof(*attrs));
    size_t n = 0;
    const char *key;
    va_list ap;

    va_start(ap, action);
    while (n < EVENT_EXTRA_MAX && (key = va_arg(ap, const char *)) != NULL)
        attrs[n++] = (struct event_attr){key, va_arg(ap, const char *)};
    va_end(ap);
    for (size_t i = 0; i < c->n_labels; i++)
        attrs[n++] = (struct event_attr){c->labels[i].key, c->labels[i].value};
    attrs[n++] = (struct event_attr){"image", c->image_ref};
    attrs[n++] = (struct event_attr){"name", c->name};
    events_publish(c->engine, "container", action, c->id, attrs, n);
}

/* ---- renaming ---- */

int container_rename(struct container *c, const char *new_name, struct skl_error *err)
{
    const char *name = new_name != NULL && new_name[0] == '/' ? new_name + 1 : new_name;
    CLEANUP(free_p) char *old = xasprintf("/%s", c->name);

    if (str_empty(name))
        return error_set(err, SKL_ERR_INVALID, "Neither old nor new names may be empty");
    if (engine_check_open(c->engine, err) < 0 || container_name_check(name, err) < 0)
        return -1;
    if (strcmp(name, c->name) == 0)
        return error_set(err, SKL_ERR_INVALID,
                         "Renaming a container with the same name as its current name");
    if (container_check_free_name(c->engine, name, err) < 0 ||
        store_run(c->engine->store, SQL_CONTAINER_NAME, err, "ss", c->id, name) < 0)
        return -1;
    container_reindex_name(c, xstrdup(name));
    container_event(c, "rename", "oldName", old, NULL);
    return 0;
}

/* ---- mounts as text ---- */

char *mounts_to_text(const struct container *c)
{
    struct buf b;
    struct jw w;

    buf_init(&b, STATE_JSON_MAX);
    jw_init(&w, &b);
    jw_array(&w, NULL);
    for (size_t i = 0; i < c->n_mounts; i++) {
        const struct container_mount *m = &c->mounts[i];

        jw_object(&w, NULL);
        jw_i64(&w, "type", m->type);
        jw_string(&w, "name", m->name);
        jw_string(&w, "source", m->source);
        jw_string(&w, "destination", m->destination);
        jw_string(&w, "driver", m->driver);
        jw_string(&w, "mode", m->mode);
        jw_string(&w, "propagation", m->propagation);
        jw_bool(&w, "rw", m->rw);
        jw_bool(&w, "made", m->made);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    return buf_steal(&b, NULL);
}

static char *member_dup(struct json_object *o, const char *key)
{
    return xstrdup(json_string_or(json_member(o, key), ""));
}

int mounts_from_text(struct container *c, const char *text, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *a = json_from_text(text);

    if (a == NULL || !json_object_is_type(a, json_type_array))
        return error_set(err, SKL_ERR_INTERNAL, "container %s in the state store has malformed mounts", c->id);
    c->mounts = xcalloc(json_object_array_length(a) + 1, sizeof(*c->mounts));
    for (size_t i = 0; i < json_object_array_length(a); i++) {
        struct json_object *o = json_object_array_get_idx(a, i);
        struct container_mount *m = &c->mounts[c->n_mounts++];
        int64_t type = 0;

        *m = (struct container_mount){.name = member_dup(o, "name"), .source = member_dup(o, "source"),
                                      .destination = member_dup(o, "destination"), .driver = member_dup(o, "driver"),
                                      .mode = member_dup(o, "mode"), .propagation = member_dup(o, "propagation")};
        if (json_get_i64_range(o, "type", MOUNT_BIND, MOUNT_TMPFS, &type, err) < 0)
            return -1;
        m->type = (enum mount_type)type;
        json_get_bool(o, "rw", &m->rw, NULL);
        json_get_bool(o, "made", &m->made, NULL);
    }
    return 0;
}

/* ---- loading ---- */

static int check_row(const struct container *c, int64_t status, struct skl_error *err)
{
    if (strlen(c->id) != ID_SIZE - 1 || strlen(c->agent_token) != ID_SIZE - 1 || status < 0 ||
        status >= CONTAINER_REMOVED)
        return error_set(err, SKL_ERR_INTERNAL, "the state store holds a malformed container");
    return 0;
}

static void row_copy(char out[ID_SIZE], const char *s)
{
    size_t n = strlen(s);

    memcpy(out, s, n < ID_SIZE ? n + 1 : 0);
}

static int row_to_container(struct container *c, struct sqlite3_stmt *row, struct skl_error *err)
{
    int64_t status = row_i64(row, 14);

    row_copy(c->id, row_text(row, 0));
    c->name = xstrdup(row_text(row, 1));
    c->created = row_i64(row, 2);
    c->image_ref = xstrdup(row_text(row, 3));
    c->image_id = xstrdup(row_text(row, 4));
    c->driver = xstrdup(row_text(row, 5));
    c->handle = xstrdup(row_text_or_null(row, 6));
    c->platform = xstrdup(row_text(row, 7));
    c->config = xstrdup(row_text(row, 8));
    c->host_config = xstrdup(row_text(row, 9));
    row_copy(c->agent_token, row_text(row, 10));
    if (check_row(c, status, err) < 0 || container_derive(c, err) < 0 || mounts_from_text(c, row_text(row, 11), err) < 0 ||
        endpoints_from_text(c, row_text(row, 12), err) < 0)
        return -1;
    c->status = (enum container_status)status;
    c->was_starting = row_i64(row, 15) != 0;
    c->run = (uint32_t)row_i64(row, 16);
    c->started = row_i64(row, 17);
    c->finished = row_i64(row, 18);
    c->exit_code = (int)row_i64(row, 19);
    free(c->error);
    c->error = xstrdup(row_text(row, 20));
    c->oom = row_i64(row, 21) != 0;
    c->manually_stopped = row_i64(row, 22) != 0;
    c->restart_count = (int)row_i64(row, 23);
    return 0;
}

static int on_container(void *arg, struct sqlite3_stmt *row, struct skl_error *err)
{
    struct container *c = container_new(arg);

    if (row_to_container(c, row, err) < 0) {
        error_prefix(err, "container %.12s", row_text(row, 0));
        container_unref(c);
        return -1;
    }
    container_index(c);
    if (row_i64(row, 13) != 0)
        container_show(c);
    return 0;
}

int containers_load(struct engine *e, struct skl_error *err)
{
    return store_query(e->store, SQL_CONTAINER_ALL, on_container, e, err, "");
}
