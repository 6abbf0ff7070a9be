/*
 * api/containers_list.c - GET /containers/json (reference 2.8).
 *
 * A rendered list is kept for a query as long as nothing changed and the second is the same (the Status texts tell
 * durations in seconds): monitoring clients ask for the same list over and over.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/containers_text.h"
#include "api/filters.h"
#include "api/internal.h"
#include "api/port.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

#define CACHE_ENTRIES 8u
#define CACHE_BODY_MAX (16u * 1024 * 1024)
#define STATUS_MAX 256

/* ---- rendered lists ---- */

struct list_cached {
    char *query;
    int version;
    uint64_t generation;
    int64_t second;
    char *body;
    size_t len;
};
struct lists_cache {
    struct list_cached entries[CACHE_ENTRIES];
    size_t next;
};

struct lists_cache *lists_cache_new(void)
{
    return xcalloc(1, sizeof(struct lists_cache));
}

void lists_cache_free(struct lists_cache *lc)
{
    for (size_t i = 0; lc != NULL && i < CACHE_ENTRIES; i++) {
        free(lc->entries[i].query);
        free(lc->entries[i].body);
    }
    free(lc);
}

static const struct list_cached *cache_find(struct api_call *c, int64_t second)
{
    struct lists_cache *lc = c->api->lists;
    uint64_t generation = engine_generation(c->api->opts.engine);

    for (size_t i = 0; i < CACHE_ENTRIES; i++) {
        struct list_cached *e = &lc->entries[i];
        if (e->query != NULL && e->version == c->version && e->generation == generation && e->second == second &&
            str_eq(e->query, http_req_query_raw(c->req)))
            return e;
    }
    return NULL;
}

static void cache_put(struct api_call *c, int64_t second, const struct buf *body)
{
    struct lists_cache *lc = c->api->lists;
    struct list_cached *e = NULL;

    if (body->overflow || body->len > CACHE_BODY_MAX)
        return;
    for (size_t i = 0; i < CACHE_ENTRIES && e == NULL; i++)
        if (lc->entries[i].query != NULL && lc->entries[i].version == c->version &&
            str_eq(lc->entries[i].query, http_req_query_raw(c->req)))
            e = &lc->entries[i];
    if (e == NULL)
        e = &lc->entries[lc->next++ % CACHE_ENTRIES];
    free(e->query);
    free(e->body);
    *e = (struct list_cached){.query = xstrdup(http_req_query_raw(c->req)), .version = c->version,
                              .generation = engine_generation(c->api->opts.engine), .second = second,
                              .body = xmemdup(body->data, body->len), .len = body->len};
}

/* ---- filters ---- */

static const char *const allowed[] = {"ancestor", "before",  "expose", "exited", "health", "id",     "is-task", "isolation", "label",
                                      "name",     "network", "publish", "since", "status", "volume", NULL};

struct selection {
    struct filters f;
    struct filter_patterns *names;
    const struct container *before, *since;
    bool all;
    bool size;
    int64_t limit;
};

static void selection_fini(struct selection *s)
{
    filters_fini(&s->f);
    filter_patterns_free(s->names);
}

static int check_values(const struct filters *f, struct skl_error *err)
{
    const struct filter *status = filters_get(f, "status"), *exited = filters_get(f, "exited"), *health = filters_get(f, "health");
    enum container_status st;
    int64_t n;

    for (size_t i = 0; status != NULL && i < status->n; i++)
        if (!container_status_parse(status->values[i], &st))
            return error_set(err, SKL_ERR_INVALID, "invalid filter 'status=%s'", status->values[i]);
    for (size_t i = 0; exited != NULL && i < exited->n; i++)
        if (!str_to_i64(exited->values[i], INT32_MIN, INT32_MAX, &n))
            return error_set(err, SKL_ERR_INVALID, "invalid filter 'exited=%s'", exited->values[i]);
    for (size_t i = 0; health != NULL && i < health->n; i++)
        if (!str_eq(health->values[i], "none") && !str_eq(health->values[i], "starting") && !str_eq(health->values[i], "healthy") &&
            !str_eq(health->values[i], "unhealthy"))
            return error_set(err, SKL_ERR_INVALID, "invalid filter 'health=%s'", health->values[i]);
    return 0;
}

static int check_ports(const struct filters *f, const char *key, struct skl_error *err)
{
    const struct filter *ports = filters_get(f, key);
    struct port p;

    for (size_t i = 0; ports != NULL && i < ports->n; i++)
        if (port_parse(ports->values[i], &p, NULL) < 0)
            return error_set(err, SKL_ERR_INVALID, "invalid filter '%s=%s'", key, ports->values[i]);
    return 0;
}

static int find_marker(struct api_call *c, const struct filters *f, const char *key, const struct container **ret, struct skl_error *err)
{
    const struct filter *m = filters_get(f, key);
    const char *name = m != NULL && m->n > 0 ? m->values[0] : NULL;

    if (name == NULL)
        return 0;
    if (m->n > 1)
        return error_set(err, SKL_ERR_INVALID, "invalid filter '%s': only one value is allowed", key);
    *ret = container_by_id(c->api->opts.engine, name);
    if (*ret == NULL)
        *ret = container_by_name(c->api->opts.engine, name[0] == '/' ? name + 1 : name);
    return *ret != NULL ? 0 : error_set(err, SKL_ERR_NOT_FOUND, "No such container: %s", name);
}

static int select_init(struct api_call *c, struct selection *s, struct skl_error *err)
{
    memset(s, 0, sizeof(*s));
    if (filters_parse(api_query(c, "filters"), allowed, &s->f, err) < 0 || check_values(&s->f, err) < 0 ||
        check_ports(&s->f, "expose", err) < 0 || check_ports(&s->f, "publish", err) < 0 ||
        find_marker(c, &s->f, "before", &s->before, err) < 0 || find_marker(c, &s->f, "since", &s->since, err) < 0 ||
        api_query_i64(c, "limit", INT32_MIN, INT32_MAX, 0, &s->limit, err) < 0)
        return -1;
    s->all = api_query_bool(c, "all", false) || s->limit > 0 || filters_has(&s->f, "status") || filters_has(&s->f, "exited") ||
             s->before != NULL || s->since != NULL;
    s->size = api_query_bool(c, "size", false);
    s->names = filter_patterns_new(filters_get(&s->f, "name"));
    return 0;
}

static const char *label_of(void *arg, const char *key)
{
    return container_label(arg, key);
}

static bool match_status(const struct filters *f, const struct container *c)
{
    return filters_match_exact(f, "status", container_status_name(c->status)) &&
           filters_match_exact(f, "health", c->health != NULL ? health_status_name(c->health->status) : "none");
}

static bool match_exited(const struct filters *f, const struct container *c)
{
    const struct filter *e = filters_get(f, "exited");
    int64_t n;

    if (e == NULL)
        return true;
    for (size_t i = 0; i < e->n; i++)
        if (c->status == CONTAINER_EXITED && str_to_i64(e->values[i], INT32_MIN, INT32_MAX, &n) && n == c->exit_code)
            return true;
    return false;
}

static bool match_ancestor(struct engine *e, const struct filters *f, const struct container *c)
{
    const struct filter *a = filters_get(f, "ancestor");

    if (a == NULL)
        return true;
    for (size_t i = 0; i < a->n; i++) {
        struct image *im = image_find(e, a->values[i], NULL);
        if ((im != NULL && str_eq(im->id, c->image_id)) || str_eq(a->values[i], c->image_ref))
            return true;
    }
    return false;
}

static bool match_volume(const struct filters *f, const struct container *c)
{
    if (!filters_has(f, "volume"))
        return true;
    for (size_t i = 0; i < c->n_mounts; i++)
        if ((!str_empty(c->mounts[i].name) && filters_match_exact(f, "volume", c->mounts[i].name)) ||
            filters_match_exact(f, "volume", c->mounts[i].destination))
            return true;
    return false;
}

static bool match_network(const struct filters *f, const struct container *c)
{
    if (!filters_has(f, "network"))
        return true;
    for (size_t i = 0; i < c->n_endpoints; i++)
        if (filters_match_exact(f, "network", c->endpoints[i]->network->name) ||
            filters_match_prefix(f, "network", c->endpoints[i]->network->id))
            return true;
    return false;
}

struct port_query {
    const struct filter *expose, *publish;
    bool exposed, published;
};

/* With and without the slash: clients send both. */
static bool match_name(const struct selection *s, const char *name)
{
    CLEANUP(free_p) char *slashed = s->names != NULL ? xasprintf("/%s", name) : NULL;

    return s->names == NULL || filter_patterns_match(s->names, name) || filter_patterns_match(s->names, slashed);
}

static bool port_in(const struct filter *f, const char *port)
{
    struct port p, want;

    if (f == NULL || port_parse(port, &p, NULL) < 0)
        return false;
    for (size_t i = 0; i < f->n; i++)
        if (port_parse(f->values[i], &want, NULL) == 0 && str_eq(p.proto, want.proto) && p.first >= want.first && p.last <= want.last)
            return true;
    return false;
}

static void see_port(void *arg, const char *port, const char *ip, const char *host_port)
{
    struct port_query *q = arg;

    (void)ip;
    q->exposed |= port_in(q->expose, port);
    q->published |= host_port != NULL && port_in(q->publish, port);
}

static bool match_ports(const struct filters *f, const struct container *c)
{
    struct port_query q = {.expose = filters_get(f, "expose"), .publish = filters_get(f, "publish")};

    if (q.expose == NULL && q.publish == NULL)
        return true;
    container_each_port(c, see_port, &q);
    return (q.expose == NULL || q.exposed) && (q.publish == NULL || q.published);
}

static bool selected(struct api_call *c, const struct selection *s, const struct container *k)
{
    const struct filters *f = &s->f;

    if (!s->all && !container_is_running(k))
        return false;
    if (f->n == 0)
        return true;
    if (s->before != NULL && (k == s->before || k->created > s->before->created))
        return false;
    if (s->since != NULL && (k == s->since || k->created < s->since->created))
        return false;
    if (filters_has(f, "is-task") && filters_match_exact(f, "is-task", "true"))
        return false;
    return filters_match_prefix(f, "id", k->id) && match_name(s, k->name) &&
           filters_match_labels(f, "label", label_of, (void *)(uintptr_t)k) && match_status(f, k) && match_exited(f, k) &&
           match_volume(f, k) && match_network(f, k) && match_ports(f, k) && match_ancestor(c->api->opts.engine, f, k);
}

/* ---- rendering ---- */

static void write_command(struct jw *w, const struct container *c)
{
    struct buf b;

    buf_init(&b, 1024 * 1024);
    for (char **a = c->argv; a != NULL && *a != NULL; a++)
        buf_printf(&b, "%s%s", a == c->argv ? "" : " ", *a);
    jw_string(w, "Command", buf_str(&b));
    buf_fini(&b);
}

/* A tag that moved to another image no longer names this one's (reference 2.8.7). */
static const char *image_text(struct api_call *c, const struct container *k)
{
    struct image *im = image_find(c->api->opts.engine, k->image_ref, NULL);

    return im != NULL && str_eq(im->id, k->image_id) ? k->image_ref : k->image_id;
}

void container_write_item(struct api_call *c, struct jw *w, const struct container *k, int64_t now, bool size)
{
    struct buf status;

    buf_init(&status, STATUS_MAX);
    container_status_text(k, now, &status);
    jw_object(w, NULL);
    jw_string(w, "Id", k->id);
    jw_array(w, "Names");
    jw_printf(w, NULL, "/%s", k->name);
    jw_array_end(w);
    jw_string(w, "Image", image_text(c, k));
    jw_string(w, "ImageID", k->image_id);
    write_command(w, k);
    jw_i64(w, "Created", k->created / NS_PER_S);
    container_write_port_list(w, "Ports", k);
    if (size) {
        jw_i64(w, "SizeRw", 0);
        jw_i64(w, "SizeRootFs", 0);
    }
    jw_object(w, "Labels");
    for (size_t i = 0; i < k->n_labels; i++)
        jw_key_string(w, k->labels[i].key, k->labels[i].value);
    jw_object_end(w);
    jw_string(w, "State", container_status_name(k->status));
    jw_string(w, "Status", buf_str(&status));
    jw_object(w, "HostConfig");
    jw_string(w, "NetworkMode", k->network_mode);
    jw_object_end(w);
    jw_object(w, "NetworkSettings");
    container_write_networks(w, "Networks", k);
    jw_object_end(w);
    container_write_mounts(w, "Mounts", k);
    jw_object_end(w);
    buf_fini(&status);
}

void api_containers_list(struct api_call *c)
{
    int64_t now = clock_wall(), count = 0;
    const struct list_cached *cached = cache_find(c, now / NS_PER_S);
    struct selection s;
    struct skl_error err = {0};
    struct buf out;
    struct jw w;

    if (cached != NULL) {
        http_res_send(c->req, 200, "application/json", cached->body, cached->len);
        api_call_free(c);
        return;
    }
    if (select_init(c, &s, &err) < 0) {
        selection_fini(&s);
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_array(&w, NULL);
    CONTAINER_FOREACH(k, c->api->opts.engine) {
        if (s.limit > 0 && count == s.limit)
            break;
        if (!k->visible || !selected(c, &s, k))
            continue;
        container_write_item(c, &w, k, now, s.size);
        count++;
    }
    jw_array_end(&w);
    selection_fini(&s);
    buf_putc(&out, '\n');
    cache_put(c, now / NS_PER_S, &out);
    if (out.overflow) {
        buf_fini(&out);
        api_reply_fail(c, SKL_ERR_INTERNAL, "the answer is larger than %u bytes", API_REPLY_MAX);
        return;
    }
    http_res_send(c->req, 200, "application/json", out.data, out.len);
    buf_fini(&out);
    api_call_free(c);
}
