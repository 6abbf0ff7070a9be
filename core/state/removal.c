/*
 * state/removal.c - deletions in the cloud, tried until they succeed.
 *
 * What a removed container leaves to be done is a row in the store, written in the same transaction that deletes the
 * container's row, so a kill -9 can't lose it. The driver's remove() is tried at once, and then with growing
 * pauses, also by later daemons. Whoever began the removal is told after the first try, or after REMOVAL_FIRST_NS: a cloud
 * that is down must not hold up `docker rm`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "state/internal.h"

#define REMOVAL_FIRST_NS (10 * NS_PER_S)
#define REMOVAL_PAUSE_NS (1 * NS_PER_S)       /* after the first failure; doubled each time */
#define REMOVAL_PAUSE_MAX_NS (5 * 60 * NS_PER_S)

typedef void (*removal_done_fn)(void *arg, const struct skl_error *err);

struct removal {
    struct engine *e;
    struct list link;     /* engine's removals */
    char id[ID_SIZE];
    char *driver, *handle, *name, *image, *image_id;
    bool running;         /* a call is in progress */
    int64_t pause;
    struct timer retry;
    removal_done_fn first; /* NULL: nobody waits */
    void *first_arg;
    struct timer first_timer;
};

static void removal_free(struct removal *r)
{
    list_remove(&r->link);
    timer_fini(&r->retry);
    timer_fini(&r->first_timer);
    free(r->driver);
    free(r->handle);
    free(r->name);
    free(r->image);
    free(r->image_id);
    free(r);
}

static void tell_first(struct removal *r, const struct skl_error *err)
{
    removal_done_fn fn = r->first;

    timer_stop(&r->first_timer);
    r->first = NULL;
    if (fn != NULL)
        fn(r->first_arg, err);
}

static void on_first_timeout(void *arg)
{
    tell_first(arg, NULL);
}

static void removal_try(void *arg);

static void on_removed(void *arg, const struct skl_error *err)
{
    struct removal *r = arg;
    struct skl_error failure;

    r->running = false;
    if (err == NULL) {
        if (store_run(r->e->store, SQL_REMOVAL_DELETE, &failure, "s", r->id) < 0)
            log_error("state", "%s", failure.message); /* it is tried once more after the next start: harmless */
        tell_first(r, NULL);
        removal_free(r);
        return;
    }
    log_warn("state", "container %.12s: its resource can't be deleted now, trying again: %s", r->id, err->message);
    r->pause = r->pause == 0 ? REMOVAL_PAUSE_NS : r->pause * 2;
    if (r->pause > REMOVAL_PAUSE_MAX_NS)
        r->pause = REMOVAL_PAUSE_MAX_NS;
    timer_start(&r->retry, r->pause);
    tell_first(r, err);
}

/* Only what identifies the resource is left of the container. */
static void removal_try(void *arg)
{
    static const char *const nothing[] = {NULL};
    static const struct skl_kv no_labels[] = {{NULL, NULL}};
    struct removal *r = arg;
    struct plugin *p = r->e->plugins != NULL ? plugin_find(r->e->plugins, r->driver) : NULL;
    struct skl_container c = {.size = sizeof(c), .id = r->id, .name = r->name, .image = r->image, .image_id = r->image_id,
                              .argv = nothing, .env = nothing, .working_dir = "", .user = "", .labels = no_labels,
                              .platform = "", .daemon_id = r->e->daemon_id, .handle = r->handle};
    struct skl_remove_req req = {.size = sizeof(req), .container = &c, .force = 1};

    if (p == NULL) {
        log_warn("state", "container %.12s: its resource stays until driver %s is loaded again", r->id, r->driver);
        if (r->first != NULL)
            timer_start(&r->first_timer, 0);
        return;
    }
    r->running = true;
    plugin_remove(p, &req, engine_driver_timeout(r->e, ENGINE_REMOVE_TIMEOUT_NS), on_removed, r);
}

static struct removal *removal_new(struct engine *e, const char *id, const char *driver, const char *handle,
                                   const char *name, const char *image, const char *image_id)
{
    struct removal *r = xcalloc(1, sizeof(*r));
    size_t n = strlen(id);

    r->e = e;
    memcpy(r->id, id, n < ID_SIZE ? n + 1 : 0);
    r->driver = xstrdup(driver);
    r->handle = xstrdup(handle);
    r->name = xstrdup(name);
    r->image = xstrdup(image);
    r->image_id = xstrdup(image_id);
    timer_init(e->loop, &r->retry, removal_try, r);
    timer_init(e->loop, &r->first_timer, on_first_timeout, r);
    list_push_back(&e->removals, &r->link);
    return r;
}

int removal_store(struct engine *e, const struct container *c, struct skl_error *err)
{
    return store_run(e->store, SQL_REMOVAL_INSERT, err, "ssssssi", c->id, c->driver, c->handle, c->name, c->image_ref,
                     c->image_id, clock_wall());
}

void removal_begin(struct engine *e, const struct container *c, removal_done_fn done, void *arg)
{
    struct removal *r = removal_new(e, c->id, c->driver, c->handle, c->name, c->image_ref, c->image_id);

    r->first = done;
    r->first_arg = arg;
    if (done != NULL)
        timer_start(&r->first_timer, REMOVAL_FIRST_NS);
    removal_try(r);
}

void removal_orphan(struct engine *e, struct plugin *p, const char *container_id, const char *handle)
{
    struct removal *r;
    struct skl_error err;

    if (strlen(container_id) != ID_SIZE - 1 || removal_pending(e, container_id))
        return;
    r = removal_new(e, container_id, plugin_name(p), handle, container_id, "", "");
    if (store_run(e->store, SQL_REMOVAL_INSERT, &err, "ssssssi", r->id, r->driver, r->handle, r->name, r->image, r->image_id,
                  clock_wall()) < 0)
        log_error("state", "%s", err.message);
    removal_try(r);
}

static int on_row(void *arg, struct sqlite3_stmt *row, struct skl_error *err)
{
    if (strlen(row_text(row, 0)) != ID_SIZE - 1)
        return error_set(err, SKL_ERR_INTERNAL, "the state store holds a malformed pending deletion");
    removal_new(arg, row_text(row, 0), row_text(row, 1), row_text_or_null(row, 2), row_text(row, 3), row_text(row, 4),
                row_text(row, 5));
    return 0;
}

int removals_load(struct engine *e, struct skl_error *err)
{
    return store_query(e->store, SQL_REMOVAL_ALL, on_row, e, err, "");
}

/* Those that were loaded: nobody has tried them in this process yet. */
size_t removals_resume(struct engine *e)
{
    size_t n = 0;

    LIST_FOREACH_SAFE(node, tmp, &e->removals) {
        struct removal *r = LIST_ENTRY(node, struct removal, link);

        if (!r->running && !timer_armed(&r->retry)) {
            removal_try(r);
            n++;
        }
    }
    return n;
}

bool removal_pending(const struct engine *e, const char *container_id)
{
    LIST_FOREACH_SAFE(node, tmp, &e->removals)
        if (strcmp(LIST_ENTRY(node, struct removal, link)->id, container_id) == 0)
            return true;
    return false;
}

void removals_free(struct engine *e)
{
    while (!list_empty(&e->removals))
        removal_free(LIST_ENTRY(e->removals.next, struct removal, link));
}
