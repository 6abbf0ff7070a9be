/*
 * api/prune.c - POST /{containers,networks,volumes,images,build}/prune (reference 2.12.9).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/filters.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

struct api_prune_locks {
    bool containers;
};

struct api_prune_locks *prune_locks_new(void)
{
    return xcalloc(1, sizeof(struct api_prune_locks));
}

void prune_locks_free(struct api_prune_locks *l)
{
    free(l);
}

static int parse(struct api_call *c, const char *const *allowed, struct filters *f, int64_t *ret_until, struct skl_error *err)
{
    if (filters_parse(api_query(c, "filters"), allowed, f, err) < 0 || filters_until(f, clock_wall(), ret_until, err) < 0) {
        filters_fini(f);
        return -1;
    }
    return 0;
}

static void publish(struct api_call *c, const char *type, int64_t bytes)
{
    CLEANUP(free_p) char *text = xasprintf("%lld", (long long)bytes);
    struct event_attr reclaimed = {"reclaimed", text};

    events_publish(c->api->opts.engine, type, "prune", "", &reclaimed, 1);
}

/* ---- containers: removals take time, one after the other ---- */

struct container_prune {
    struct api_call *call;
    struct container **list; /* references are held */
    size_t n, at;
    struct buf deleted;      /* JSON strings, comma-separated */
};

static void next_container(struct container_prune *p);

static void on_removed(void *arg, const struct skl_error *err)
{
    struct container_prune *p = arg;
    struct container *k = p->list[p->at++];

    if (err == NULL)
        buf_printf(&p->deleted, "%s\"%s\"", p->deleted.len > 0 ? "," : "", k->id);
    container_unref(k);
    next_container(p);
}

static void next_container(struct container_prune *p)
{
    struct api_call *c = p->call;
    struct buf out;

    if (p->at < p->n) {
        container_remove(p->list[p->at], false, false, on_removed, p);
        return;
    }
    c->api->prunes->containers = false;
    publish(c, "container", 0);
    buf_init(&out, API_REPLY_MAX);
    if (p->n > 0)
        buf_printf(&out, "{\"ContainersDeleted\":[%s],\"SpaceReclaimed\":0}", buf_str(&p->deleted));
    else
        buf_puts(&out, "{\"ContainersDeleted\":[],\"SpaceReclaimed\":0}");
    buf_fini(&p->deleted);
    free(p->list);
    free(p);
    api_reply_json(c, 200, &out);
}

static const char *container_label_of(void *arg, const char *key)
{
    return container_label(arg, key);
}

void api_containers_prune(struct api_call *c)
{
    static const char *const allowed[] = {"label", "label!", "until", NULL};
    struct container_prune *p;
    struct filters f;
    struct skl_error err = {0};
    int64_t until;

    if (c->api->prunes->containers) {
        api_reply_fail(c, SKL_ERR_CONFLICT, "a prune operation is already running");
        return;
    }
    if (parse(c, allowed, &f, &until, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    p = xcalloc(1, sizeof(*p));
    p->call = c;
    p->list = xcalloc(container_count(c->api->opts.engine) + 1, sizeof(*p->list));
    buf_init(&p->deleted, API_REPLY_MAX / 2);
    CONTAINER_FOREACH(k, c->api->opts.engine) {
        if (!k->visible || container_is_running(k) || k->status == CONTAINER_REMOVING || (until != 0 && k->created > until) ||
            !filters_match_labels(&f, "label", container_label_of, k) || !filters_match_labels(&f, "label!", container_label_of, k))
            continue;
        container_ref(k);
        p->list[p->n++] = k;
    }
    filters_fini(&f);
    c->api->prunes->containers = true;
    next_container(p);
}

/* ---- networks ---- */

static const char *network_label_of(void *arg, const char *key)
{
    return network_label(arg, key);
}

void api_networks_prune(struct api_call *c)
{
    static const char *const allowed[] = {"label", "label!", "until", NULL};
    struct filters f;
    struct skl_error err = {0};
    int64_t until;
    struct buf out;
    struct jw w;

    if (parse(c, allowed, &f, &until, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_array(&w, "NetworksDeleted");
    for (struct network *n = network_first(c->api->opts.engine), *next; n != NULL; n = next) {
        CLEANUP(free_p) char *name = xstrdup(n->name);
        next = network_next(n);
        if (!n->predefined && n->n_endpoints == 0 && (until == 0 || n->created <= until) &&
            filters_match_labels(&f, "label", network_label_of, n) && filters_match_labels(&f, "label!", network_label_of, n) &&
            network_remove(n, NULL) == 0)
            jw_string(&w, NULL, name);
    }
    jw_array_end(&w);
    jw_object_end(&w);
    filters_fini(&f);
    publish(c, "network", 0);
    api_reply_json(c, 200, &out);
}

/* ---- volumes: from 1.42 on anonymous ones alone, unless `all` ---- */

static const char *volume_label_of(void *arg, const char *key)
{
    return volume_label(arg, key);
}

void api_volumes_prune(struct api_call *c)
{
    static const char *const allowed[] = {"label", "label!", "all", NULL};
    struct filters f;
    struct skl_error err = {0};
    bool all = false;
    int64_t reclaimed = 0;
    struct buf out;
    struct jw w;

    if (filters_parse(api_query(c, "filters"), allowed, &f, &err) < 0 || filters_bool(&f, "all", c->version < 42, &all, &err) < 0) {
        filters_fini(&f);
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_array(&w, "VolumesDeleted");
    for (struct volume *v = volume_first(c->api->opts.engine), *next; v != NULL; v = next) {
        CLEANUP(free_p) char *name = xstrdup(v->name);
        int64_t size = volume_size(v);
        next = volume_next(v);
        if (v->n_refs == 0 && (all || v->anonymous) && filters_match_labels(&f, "label", volume_label_of, v) &&
            filters_match_labels(&f, "label!", volume_label_of, v) && volume_remove(v, NULL) == 0) {
            jw_string(&w, NULL, name);
            reclaimed += size;
        }
    }
    jw_array_end(&w);
    jw_i64(&w, "SpaceReclaimed", reclaimed);
    jw_object_end(&w);
    filters_fini(&f);
    publish(c, "volume", reclaimed);
    api_reply_json(c, 200, &out);
}

/* ---- images: untagged ones, or with dangling=false all that no container uses ---- */

static const char *image_label_of(void *arg, const char *key)
{
    struct json_object *labels = arg;

    return labels != NULL ? json_string_or(json_member(labels, key), NULL) : NULL;
}

static void on_step(void *arg, const char *what, const char *which)
{
    struct jw *w = arg;

    jw_object(w, NULL);
    jw_string(w, what, which);
    jw_object_end(w);
}

static bool image_goes(const struct image *im, const struct filters *f, bool dangling, int64_t until)
{
    JSON_CLEANUP struct json_object *config = image_config(im);
    struct json_object *labels = config != NULL ? json_member(config, "Labels") : NULL;

    return im->n_containers == 0 && (!dangling || im->n_tags == 0) && (until == 0 || im->created <= until) &&
           filters_match_labels(f, "label", image_label_of, labels) && filters_match_labels(f, "label!", image_label_of, labels);
}

void api_images_prune(struct api_call *c)
{
    static const char *const allowed[] = {"dangling", "label", "label!", "until", NULL};
    struct filters f;
    struct skl_error err = {0};
    bool dangling = true;
    int64_t until = 0;
    struct buf out;
    struct jw w;

    if (filters_parse(api_query(c, "filters"), allowed, &f, &err) < 0 || filters_bool(&f, "dangling", true, &dangling, &err) < 0 ||
        filters_until(&f, clock_wall(), &until, &err) < 0) {
        filters_fini(&f);
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_array(&w, "ImagesDeleted");
    for (struct image *im = image_first(c->api->opts.engine), *next; im != NULL; im = next) {
        char id[IMAGE_ID_SIZE];
        next = image_next(im);
        memcpy(id, im->id, sizeof(id));
        if (image_goes(im, &f, dangling, until))
            (void)image_remove(c->api->opts.engine, id, true, on_step, &w, NULL);
    }
    jw_array_end(&w);
    jw_i64(&w, "SpaceReclaimed", 0);
    jw_object_end(&w);
    filters_fini(&f);
    publish(c, "image", 0);
    api_reply_json(c, 200, &out);
}

/* There never is a cache; what is no filter or no number is still a mistake. */
void api_build_prune(struct api_call *c)
{
    static const char *const allowed[] = {"until", "id", "parent", "type", "description", "inuse", "shared", "private", "unused-for",
                                          "label", "label!", NULL}; /* docker system prune hands its own on */
    struct skl_error err = {0};
    struct filters f;
    int64_t keep;
    struct buf out;

    if (api_query_i64(c, "keep-storage", INT64_MIN, INT64_MAX, 0, &keep, &err) < 0 ||
        filters_parse(api_query(c, "filters"), allowed, &f, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    filters_fini(&f);
    buf_init(&out, 256);
    buf_puts(&out, "{\"CachesDeleted\":[],\"SpaceReclaimed\":0}");
    api_reply_json(c, 200, &out);
}
