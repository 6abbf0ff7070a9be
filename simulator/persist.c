/*
 * simulator/persist.c - functions and services in the state directory, one file each, written with each change.
 *
 * What was in progress when a simulator was killed is done again by the next: a deployment from its beginning, a deletion likewise, under the
 * operation's old name. A function's newest operation stays known, so that who polls it learns its end. Addresses are not kept: the port
 * may be another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/service.h"

#define FILE_MAX (16u * 1024 * 1024)

static char *path_of(const struct sim *s, const char *name)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;

    EVP_Digest(name, strlen(name), hash, &n, EVP_sha256(), NULL);
    hex_encode(hash, n, hex);
    return xasprintf("%s/resources/%.40s.json", s->opts.state_dir, hex);
}

/* Takes o. A directory of our own goes with us: nothing to keep. */
static void save(const struct sim *s, const char *name, struct json_object *o)
{
    CLEANUP(free_p) char *path = path_of(s, name);
    struct skl_error err = {0};
    struct buf b;

    buf_init(&b, FILE_MAX);
    if (!s->opts.own_state_dir && (json_emit(&b, o) < 0 || fs_write_file_atomic(path, b.data, b.len, 0600, &err) < 0))
        log_warn("persist", "%s can't be kept: %s", name, err.kind != 0 ? err.message : "too large");
    buf_fini(&b);
    json_object_put(o);
}

static struct json_object *record(const char *kind, const char *project, const char *location, const char *id)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "kind", kind);
    json_add_string(o, "project", project);
    json_add_string(o, "location", location);
    json_add_string(o, "id", id);
    return o;
}

static void keep(struct json_object *o, const char *key, struct json_object *v)
{
    if (v != NULL)
        json_add(o, key, json_object_get(v));
}

void persist_function(const struct function *f, struct json_object *op)
{
    struct json_object *o = record("function", f->project, f->location, f->id);

    json_add_i64(o, "state", f->state);
    keep(o, "json", f->json);
    keep(o, "next", f->next);
    keep(o, "policy", f->policy);
    keep(o, "operation", op);
    save(f->sim, f->name, o);
}

static struct json_object *revision_record(const struct revision *r)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "id", r->id);
    json_add_bool(o, "ready", r->ready);
    json_add_bool(o, "agent", r->agent);
    json_add_bool(o, "runs", r->image != NULL);
    if (r->why != NULL)
        json_add_string(o, "why", r->why);
    keep(o, "json", r->json);
    return o;
}

void persist_service(struct service *svc)
{
    struct json_object *o = record("service", svc->project, svc->location, svc->id), *list;

    keep(o, "json", svc->json);
    keep(o, "policy", svc->policy);
    json_add_u64(o, "generation", svc->generation);
    json_add_i64(o, "created", svc->created);
    json_add_string(o, "serving", svc->serving != NULL ? svc->serving->id : "");
    list = json_add_array(o, "revisions");
    LIST_FOREACH_SAFE(n, tmp, &svc->revisions)
        json_push(list, revision_record(LIST_ENTRY(n, struct revision, link)));
    save(svc->sim, svc->name, o);
}

void persist_forget(const struct sim *s, const char *name)
{
    CLEANUP(free_p) char *path = path_of(s, name);

    if (!s->opts.own_state_dir)
        (void)unlink(path);
}

/* ---- loading ---- */

static const char *text(struct json_object *o, const char *key)
{
    return json_string_or(json_member(o, key), "");
}

static void load_function(struct sim *s, struct json_object *o)
{
    int64_t state = json_number(o, "state", FUNCTION_FAILED);
    struct function *f;

    if (json_member(o, "json") == NULL || function_find(s, text(o, "project"), text(o, "location"), text(o, "id")) != NULL)
        return;
    f = function_new(s, text(o, "project"), text(o, "location"), text(o, "id"), json_object_get(json_member(o, "json")));
    f->state = state >= FUNCTION_DEPLOYING && state <= FUNCTION_DELETING ? (enum function_state)state : FUNCTION_FAILED;
    f->next = json_object_get(json_member(o, "next"));
    f->policy = json_object_get(json_member(o, "policy"));
}

struct loading {
    struct service *svc;
    struct revision *r;
};

static void on_image(void *arg, struct image *im, const struct skl_error *err)
{
    struct loading *l = arg;

    if (im == NULL)
        log_warn("persist", "%s can't run any more: %s", l->r->id, err->message);
    image_unref(l->r->image);
    l->r->image = im;
    free(l->r->why);
    l->r->why = im == NULL ? xstrdup(err->message) : NULL;
    revision_unref(l->r);
    free(l);
}

/* What the serving revision runs is looked for again. */
static void load_image(struct service *svc, struct revision *r)
{
    struct loading *l = xcalloc(1, sizeof(*l));
    struct image_wait *wait = NULL;
    struct skl_error err = {0};
    struct image *im;

    l->svc = svc;
    l->r = r;
    r->refs++;
    if (r->why == NULL)
        r->why = xstrdup("its image is being unpacked");
    im = image_get(svc->sim, json_string_or(json_member(r->container, "image"), ""), &wait, on_image, l, &err);
    if (wait == NULL)
        on_image(l, im, &err);
}

static void load_revision(struct service *svc, struct json_object *o, const char *serving)
{
    struct revision *r;
    struct json_object *json = json_member(o, "json");

    if (json == NULL)
        return;
    r = service_restore(svc, text(o, "id"), json_object_get(json));
    r->ready = json_object_get_boolean(json_member(o, "ready"));
    r->agent = json_object_get_boolean(json_member(o, "agent"));
    r->why = xstrdup(json_string_or(json_member(o, "why"), NULL));
    if (!str_eq(r->id, serving))
        return;
    svc->serving = r;
    if (json_object_get_boolean(json_member(o, "runs")))
        load_image(svc, r);
}

static void load_service(struct sim *s, struct json_object *o)
{
    struct service *svc = service_find(s, text(o, "project"), text(o, "location"), text(o, "id"));
    struct json_object *list = json_member(o, "revisions");

    if (json_member(o, "json") == NULL)
        return;
    if (svc == NULL)
        svc = service_new(s, text(o, "project"), text(o, "location"), text(o, "id"));
    svc->json = json_object_get(json_member(o, "json"));
    svc->policy = json_object_get(json_member(o, "policy"));
    svc->generation = (uint64_t)json_number(o, "generation", 1);
    svc->created = (unsigned)json_number(o, "created", 1);
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
        load_revision(svc, json_object_array_get_idx(list, i), text(o, "serving"));
}

/* What was in progress goes on; the newest operation is known by its name again. */
static void resume(struct sim *s, struct json_object *o)
{
    struct function *f = function_find(s, text(o, "project"), text(o, "location"), text(o, "id"));
    struct json_object *op = json_member(o, "operation");
    struct operation *again = NULL;

    if (f == NULL)
        return;
    if (f->state == FUNCTION_DEPLOYING && f->next != NULL)
        again = deploy_function(f, f->svc->json == NULL, 0);
    else if (f->state == FUNCTION_DELETING)
        again = deploy_delete_function(f, 0);
    else if (f->state == FUNCTION_ACTIVE)
        function_fill(f, f->json);
    if (op == NULL)
        return;
    if (again != NULL)
        operation_rename(s, again, text(op, "name"));
    else if (json_object_get_boolean(json_member(op, "done")))
        operation_restore(s, json_object_get(op));
}

static struct json_object *read_record(const char *path)
{
    struct json_object *o = NULL;
    struct skl_error err = {0};
    struct buf b;

    buf_init(&b, FILE_MAX);
    if (fs_read_file(path, &b, &err) == 0)
        o = json_parse_object(buf_str(&b), b.len, FILE_MAX, &err);
    if (o == NULL)
        log_warn("persist", "%s: %s", path, err.message);
    buf_fini(&b);
    return o;
}

void persist_load(struct sim *s)
{
    static void (*const passes[])(struct sim *s, struct json_object *o) = {load_function, load_service, resume};
    static const char *const kinds[] = {"function", "service", "function"};
    CLEANUP(free_p) char *dir = fs_join(s->opts.state_dir, "resources");
    JSON_CLEANUP struct json_object *all = json_new_array();
    DIR *d;

    if (s->opts.fresh)
        (void)fs_remove_tree(dir, NULL);
    (void)fs_mkdir_p(dir, 0700, NULL);
    d = opendir(dir);
    for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
        CLEANUP(free_p) char *path = fs_join(dir, de->d_name);
        struct json_object *o = str_ends(de->d_name, ".json") ? read_record(path) : NULL;
        if (o != NULL)
            json_push(all, o);
    }
    if (d != NULL)
        closedir(d);
    for (size_t p = 0; p < ARRAY_LEN(passes); p++)
        for (size_t i = 0; i < json_object_array_length(all); i++)
            if (str_eq(text(json_object_array_get_idx(all, i), "kind"), kinds[p]))
                passes[p](s, json_object_array_get_idx(all, i));
}
