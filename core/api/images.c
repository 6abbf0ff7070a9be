/*
 * api/images.c - list, inspect, history, tag, remove (reference 2.9).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "api/filters.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

static struct image *find(struct api_call *c)
{
    struct skl_error err = {0};
    struct image *im = image_find(c->api->opts.engine, api_param(c, "name"), &err);

    if (im == NULL)
        api_reply_error(c, &err);
    return im;
}

/* ---- inspect ---- */

static void write_config(struct jw *w, const struct image *im)
{
    /* Clients read these members without asking whether they are there. */
    if (str_eq(im->config, "{}") || str_empty(im->config))
        jw_raw(w, "Config",
               "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false,"
               "\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":null,\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,"
               "\"WorkingDir\":\"\",\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":null}");
    else
        jw_raw(w, "Config", im->config);
}

void api_images_inspect(struct api_call *c)
{
    struct image *im = find(c);
    struct buf out;
    struct jw w;

    if (im == NULL)
        return;
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_string(&w, "Id", im->id);
    jw_strings(&w, "RepoTags", (const char *const *)im->tags);
    jw_strings(&w, "RepoDigests", (const char *const *)im->digests);
    jw_string(&w, "Parent", "");
    jw_string(&w, "Comment", im->comment);
    jw_time(&w, "Created", im->created);
    jw_string(&w, "Container", "");
    jw_raw(&w, "ContainerConfig", "{}"); /* up to API 1.44, and compose 1.29 looks into it; there is nothing to say */
    jw_string(&w, "DockerVersion", "");
    jw_string(&w, "Author", im->author);
    write_config(&w, im);
    jw_string(&w, "Architecture", str_empty(im->architecture) ? api_architecture() : im->architecture);
    if (!str_empty(im->variant))
        jw_string(&w, "Variant", im->variant);
    jw_string(&w, "Os", str_empty(im->os) ? "linux" : im->os);
    jw_i64(&w, "Size", im->size);
    if (c->version < 44)
        jw_i64(&w, "VirtualSize", im->size);
    jw_raw(&w, "GraphDriver", "{\"Data\":null,\"Name\":\"sockerless\"}");
    jw_raw(&w, "RootFS", str_empty(im->rootfs) ? "{\"Type\":\"layers\",\"Layers\":[]}" : im->rootfs);
    jw_object(&w, "Metadata");
    jw_time(&w, "LastTagTime", im->tagged);
    jw_object_end(&w);
    jw_object_end(&w);
    api_reply_json(c, 200, &out);
}

/* ---- history ---- */

static void write_history_item(struct jw *w, const struct image *im, int64_t created, const char *by, int64_t size, const char *comment,
                               bool top)
{
    jw_object(w, NULL);
    jw_string(w, "Comment", comment);
    jw_i64(w, "Created", created / NS_PER_S);
    jw_string(w, "CreatedBy", by);
    jw_string(w, "Id", top ? im->id : "<missing>");
    jw_i64(w, "Size", size);
    if (top)
        jw_strings(w, "Tags", (const char *const *)im->tags);
    else
        jw_null(w, "Tags");
    jw_object_end(w);
}

void api_images_history(struct api_call *c)
{
    struct image *im = find(c);
    struct json_object *list;
    struct buf out;
    struct jw w;
    size_t n;

    if (im == NULL)
        return;
    list = str_empty(im->history) ? NULL : json_parse(im->history, strlen(im->history), API_JSON_BODY_MAX, 0, NULL, NULL);
    n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_array(&w, NULL);
    for (size_t i = n; i-- > 0;) {
        struct json_object *h = json_object_array_get_idx(list, i);
        int64_t created = im->created, size = 0;
        const char *when = json_string_or(json_member(h, "created"), "");
        (void)time_parse_rfc3339(when, &created);
        (void)json_get_i64(h, "size", &size, NULL);
        write_history_item(&w, im, created, json_string_or(json_member(h, "created_by"), ""), size,
                           json_string_or(json_member(h, "comment"), ""), i == n - 1);
    }
    if (n == 0)
        write_history_item(&w, im, im->created, "", im->size, im->comment, true);
    jw_array_end(&w);
    json_object_put(list);
    api_reply_json(c, 200, &out);
}

/* ---- list ---- */

static const char *const allowed[] = {"before", "dangling", "label", "reference", "since", "until", NULL};

struct image_labels {
    struct json_object *labels;
};

static const char *label_of(void *arg, const char *key)
{
    struct json_object *labels = arg;

    return labels != NULL ? json_string_or(json_member(labels, key), NULL) : NULL;
}

/* A glob over "name", "name:tag" and the path's last part, as path.Match in Docker's reference filter. */
static bool match_reference(const struct filter *f, const char *tag)
{
    const char *colon = strrchr(tag, ':');
    CLEANUP(free_p) char *repo = colon != NULL && strchr(colon, '/') == NULL ? xstrndup(tag, (size_t)(colon - tag)) : xstrdup(tag);

    for (size_t i = 0; i < f->n; i++)
        if (fnmatch(f->values[i], tag, FNM_PATHNAME) == 0 || fnmatch(f->values[i], repo, FNM_PATHNAME) == 0)
            return true;
    return false;
}

struct image_selection {
    struct filters f;
    const struct image *before, *since;
    bool dangling, has_dangling;
    int64_t until;
};

static int select_images(struct api_call *c, struct image_selection *s, struct skl_error *err)
{
    const struct filter *f;

    memset(s, 0, sizeof(*s));
    if (filters_parse(api_query(c, "filters"), allowed, &s->f, err) < 0 ||
        filters_bool(&s->f, "dangling", false, &s->dangling, err) < 0 || filters_until(&s->f, clock_wall(), &s->until, err) < 0)
        return -1;
    s->has_dangling = filters_has(&s->f, "dangling");
    f = filters_get(&s->f, "before");
    if (f != NULL && (s->before = image_find(c->api->opts.engine, f->values[0], err)) == NULL)
        return -1;
    f = filters_get(&s->f, "since");
    return f != NULL && (s->since = image_find(c->api->opts.engine, f->values[0], err)) == NULL ? -1 : 0;
}

static bool selected(const struct image_selection *s, const struct image *im)
{
    JSON_CLEANUP struct json_object *config = filters_has(&s->f, "label") ? image_config(im) : NULL;

    if (s->has_dangling && s->dangling != (im->n_tags == 0))
        return false;
    if ((s->before != NULL && im->created >= s->before->created) || (s->since != NULL && im->created <= s->since->created) ||
        (s->until != 0 && im->created >= s->until))
        return false;
    return filters_match_labels(&s->f, "label", label_of, config != NULL ? json_member(config, "Labels") : NULL);
}

static void write_tags(struct jw *w, const struct image *im, const struct filter *reference, int version)
{
    bool any = false;

    jw_array(w, "RepoTags");
    for (char **t = im->tags; t != NULL && *t != NULL; t++)
        if (reference == NULL || match_reference(reference, *t)) {
            jw_string(w, NULL, *t);
            any = true;
        }
    if (!any && version < 43)
        jw_string(w, NULL, "<none>:<none>");
    jw_array_end(w);
}

static bool any_tag_matches(const struct image *im, const struct filter *reference)
{
    if (reference == NULL)
        return true;
    for (char **t = im->tags; t != NULL && *t != NULL; t++)
        if (match_reference(reference, *t))
            return true;
    return false;
}

void image_write_item(struct jw *w, const struct image *im, const struct filter *reference, int version, unsigned counts)
{
    JSON_CLEANUP struct json_object *config = image_config(im);
    struct json_object *labels = config != NULL ? json_member(config, "Labels") : NULL;

    jw_object(w, NULL);
    jw_i64(w, "Containers", (counts & IMAGE_CONTAINERS) != 0 ? (int64_t)im->n_containers : -1);
    jw_i64(w, "Created", im->created / NS_PER_S);
    jw_string(w, "Id", im->id);
    jw_raw(w, "Labels", labels != NULL ? json_object_to_json_string_ext(labels, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                                       : version < 43 ? "null" : "{}");
    jw_string(w, "ParentId", "");
    jw_strings(w, "RepoDigests", (const char *const *)im->digests);
    write_tags(w, im, reference, version);
    jw_i64(w, "SharedSize", (counts & IMAGE_SHARED_SIZE) != 0 ? 0 : -1); /* no layer is here to be shared */
    jw_i64(w, "Size", im->size);
    if (version < 44)
        jw_i64(w, "VirtualSize", im->size);
    jw_object_end(w);
}

static int newest_first(const void *a, const void *b)
{
    const struct image *const *x = a, *const *y = b;

    return (*x)->created > (*y)->created ? -1 : (*x)->created < (*y)->created;
}

void api_images_list(struct api_call *c)
{
    struct image_selection s;
    struct skl_error err = {0};
    const struct filter *reference;
    bool shared = api_query_bool(c, "shared-size", false);
    struct image **all;
    size_t n = 0;
    struct buf out;
    struct jw w;

    if (select_images(c, &s, &err) < 0) {
        filters_fini(&s.f);
        api_reply_error(c, &err);
        return;
    }
    reference = filters_get(&s.f, "reference");
    all = xcalloc(image_count(c->api->opts.engine) + 1, sizeof(*all));
    for (struct image *im = image_first(c->api->opts.engine); im != NULL; im = image_next(im))
        if (selected(&s, im) && any_tag_matches(im, reference))
            all[n++] = im;
    qsort(all, n, sizeof(*all), newest_first);
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_array(&w, NULL);
    for (size_t i = 0; i < n; i++)
        image_write_item(&w, all[i], reference, c->version, shared ? IMAGE_SHARED_SIZE : 0);
    jw_array_end(&w);
    free(all);
    filters_fini(&s.f);
    api_reply_json(c, 200, &out);
}

/* ---- tag, remove ---- */

void api_images_tag(struct api_call *c)
{
    const char *repo = api_query(c, "repo"), *tag = api_query(c, "tag");
    struct skl_error err = {0};
    struct image *im = find(c);
    CLEANUP(free_p) char *ref = NULL;

    if (im == NULL)
        return;
    if (str_empty(repo)) {
        api_reply_fail(c, SKL_ERR_INVALID, "invalid reference format");
        return;
    }
    ref = str_empty(tag) ? xstrdup(repo) : xasprintf("%s:%s", repo, tag);
    if (image_tag(im, ref, &err) < 0)
        api_reply_error(c, &err);
    else
        api_reply_empty(c, 201);
}

static void on_step(void *arg, const char *what, const char *which)
{
    struct jw *w = arg;

    jw_object(w, NULL);
    jw_string(w, what, which);
    jw_object_end(w);
}

void api_images_remove(struct api_call *c)
{
    struct skl_error err = {0};
    struct buf out;
    struct jw w;

    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_array(&w, NULL);
    if (image_remove(c->api->opts.engine, api_param(c, "name"), api_query_bool(c, "force", false), on_step, &w, &err) < 0) {
        buf_fini(&out);
        api_reply_error(c, &err);
        return;
    }
    jw_array_end(&w);
    api_reply_json(c, 200, &out);
}
