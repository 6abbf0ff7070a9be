/*
 * state/image.c - the table of images. See image.h.
 *
 * Two indexes: images by ID, and references (normalised, "docker.io/library/alpine:latest" or "...@sha256:...") to
 * images. An image's own lists of tags and digests are made from the references that point to it, in familiar form.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/internal.h"

struct image_ref {
    char *ref;           /* normalised */
    struct image *image;
    UT_hash_handle hh;
};

/* ---- the lists of an image ---- */

static void list_drop(char ***list, size_t *n)
{
    strv_free(*list);
    *list = xcalloc(1, sizeof(char *));
    *n = 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_put(char ***list, size_t *n, const char *text)
{
    *list = xrealloc(*list, (*n + 2) * sizeof(char *));
    (*list)[(*n)++] = xstrdup(text);
    (*list)[*n] = NULL;
    qsort(*list, *n, sizeof(char *), by_text);
}

static char *familiar(const char *ref)
{
    struct reference r;
    char *ret;

    if (reference_parse(ref, &r, NULL) < 0)
        return xstrdup(ref);
    ret = reference_familiar(&r);
    reference_fini(&r);
    return ret;
}

static void lists_rebuild(struct image *i)
{
    struct image_ref *r, *tmp;

    list_drop(&i->tags, &i->n_tags);
    list_drop(&i->digests, &i->n_digests);
    HASH_ITER(hh, i->engine->image_refs, r, tmp) {
        CLEANUP(free_p) char *text = NULL;

        if (r->image != i)
            continue;
        text = familiar(r->ref);
        if (strchr(text, '@') != NULL)
            list_put(&i->digests, &i->n_digests, text);
        else
            list_put(&i->tags, &i->n_tags, text);
    }
    i->generation = engine_touch(i->engine);
}

/* ---- tables ---- */

struct image *image_by_id(const struct engine *e, const char *id)
{
    struct image_hash *h;

    HASH_FIND_STR(e->image_ids, id, h);
    return h != NULL ? h->i : NULL;
}

static struct image_ref *ref_find(const struct engine *e, const char *ref)
{
    struct image_ref *r;

    HASH_FIND_STR(e->image_refs, ref, r);
    return r;
}

static void ref_set(struct engine *e, const char *ref, struct image *i)
{
    struct image_ref *r = ref_find(e, ref);
    struct image *old = NULL;

    if (r == NULL) {
        r = xcalloc(1, sizeof(*r));
        r->ref = xstrdup(ref);
        HASH_ADD_KEYPTR(hh, e->image_refs, r->ref, strlen(r->ref), r);
    } else {
        old = r->image;
    }
    r->image = i;
    lists_rebuild(i);
    if (old != NULL && old != i)
        lists_rebuild(old);
}

static void ref_drop(struct engine *e, struct image_ref *r)
{
    struct image *i = r->image;

    HASH_DEL(e->image_refs, r);
    free(r->ref);
    free(r);
    lists_rebuild(i);
}

static struct image *image_new(struct engine *e, const char *id)
{
    struct image *i = xcalloc(1, sizeof(*i));

    i->engine = e;
    memcpy(i->id, id, strlen(id) < sizeof(i->id) ? strlen(id) : sizeof(i->id) - 1);
    list_init(&i->containers);
    i->tags = xcalloc(1, sizeof(char *));
    i->digests = xcalloc(1, sizeof(char *));
    i->hash = xcalloc(1, sizeof(*i->hash));
    i->hash->i = i;
    HASH_ADD_KEYPTR(hh, e->image_ids, i->id, strlen(i->id), i->hash);
    list_push_front(&e->images, &i->in_all);
    e->n_images++;
    return i;
}

static void image_free(struct image *i)
{
    struct engine *e = i->engine;

    LIST_FOREACH_SAFE(node, tmp, &i->containers)
        list_remove(node);
    HASH_DEL(e->image_ids, i->hash);
    list_remove(&i->in_all);
    e->n_images--;
    strv_free(i->tags);
    strv_free(i->digests);
    free(i->architecture);
    free(i->os);
    free(i->variant);
    free(i->author);
    free(i->comment);
    free(i->origin);
    free(i->config);
    free(i->rootfs);
    free(i->history);
    free(i->hash);
    free(i);
    engine_touch(e);
}

struct image *image_first(struct engine *e)
{
    return list_empty(&e->images) ? NULL : LIST_ENTRY(e->images.next, struct image, in_all);
}

struct image *image_next(const struct image *i)
{
    return i->in_all.next == &i->engine->images ? NULL : LIST_ENTRY(i->in_all.next, struct image, in_all);
}

size_t image_count(const struct engine *e)
{
    return e->n_images;
}

struct json_object *image_config(const struct image *i)
{
    return json_from_text(i->config);
}

/* ---- containers of an image ---- */

void image_attach(struct container *c)
{
    struct image *i = image_by_id(c->engine, c->image_id);

    if (i == NULL || list_linked(&c->in_image))
        return;
    list_push_back(&i->containers, &c->in_image);
    i->n_containers++;
}

void image_detach(struct container *c)
{
    struct image *i;

    if (!list_linked(&c->in_image))
        return;
    list_remove(&c->in_image);
    i = image_by_id(c->engine, c->image_id);
    if (i != NULL)
        i->n_containers--;
}

/* ---- finding ---- */

static int not_found(const char *name, struct skl_error *err)
{
    CLEANUP(free_p) char *text = NULL;
    struct reference r;

    if (reference_parse(name, &r, NULL) == 0) {
        reference_default_tag(&r);
        text = reference_familiar(&r);
        reference_fini(&r);
    }
    return error_set(err, SKL_ERR_NOT_FOUND, "No such image: %s", text != NULL ? text : name);
}

/* IDs and prefixes of IDs. NULL without an error: it isn't one. */
static struct image *find_by_prefix(struct engine *e, const char *name, bool *ret_ambiguous)
{
    bool explicit = str_starts(name, "sha256:");
    const char *hex = explicit ? name + 7 : name;
    size_t n = strlen(hex);
    struct image *found = NULL;

    *ret_ambiguous = false;
    if (!str_is_hex(hex) || n > 64)
        return NULL;
    for (struct image *i = image_first(e); i != NULL; i = image_next(i)) {
        if (strncmp(i->id + 7, hex, n) != 0)
            continue;
        *ret_ambiguous = found != NULL;
        if (*ret_ambiguous)
            return NULL;
        found = i;
    }
    return found;
}

/* A tag, or a digest: with a digest the tag doesn't count. */
static struct image_ref *find_by_ref(struct engine *e, const char *name, struct skl_error *err)
{
    CLEANUP(free_p) char *full = NULL;
    struct reference r;

    if (reference_parse(name, &r, err) < 0)
        return NULL;
    reference_default_tag(&r);
    if (r.digest != NULL) {
        free(r.tag);
        r.tag = NULL;
    }
    full = reference_full(&r);
    reference_fini(&r);
    error_set(err, SKL_ERR_NONE, "%s", "");
    return ref_find(e, full);
}

static struct image *find(struct engine *e, const char *name, bool *ret_by_id, struct skl_error *err)
{
    struct skl_error why = {0};
    struct image_ref *r = NULL;
    struct image *i;
    bool ambiguous;

    *ret_by_id = false;
    if (!str_starts(name, "sha256:"))
        r = find_by_ref(e, name, &why);
    if (r != NULL)
        return r->image;
    i = find_by_prefix(e, name, &ambiguous);
    if (i != NULL) {
        *ret_by_id = true;
        return i;
    }
    if (ambiguous)
        error_set(err, SKL_ERR_INVALID, "multiple IDs found with provided prefix: %s", name);
    else if (why.kind == SKL_ERR_INVALID && !(strlen(name) == 64 && str_is_hex(name)))
        error_copy(err, &why);
    else
        not_found(name, err);
    return NULL;
}

struct image *image_find(struct engine *e, const char *name, struct skl_error *err)
{
    bool by;

    return find(e, name, &by, err);
}

/* ---- storing ---- */

static int image_put(struct image *i, struct skl_error *err)
{
    return store_run(i->engine->store, SQL_IMAGE_PUT, err, "siiiisssssssss", i->id, (int64_t)i->synthetic, i->created,
                     i->tagged, i->size, i->architecture, i->os, i->variant, i->author, i->comment, i->config, i->rootfs,
                     i->history, i->origin);
}

/* A pull's event is the reference's, and its name the repository's. */
static char *repository_of(const char *ref)
{
    struct reference r;
    char *repo;

    if (reference_parse(ref, &r, NULL) < 0)
        return xstrdup(ref);
    repo = reference_familiar_repo(&r);
    reference_fini(&r);
    return repo;
}

void image_event(struct image *i, const char *action, const char *ref)
{
    bool pull = strcmp(action, "pull") == 0 && ref != NULL;
    CLEANUP(free_p) struct event_attr *attrs = NULL;
    CLEANUP(free_p) char *repo = pull ? repository_of(ref) : NULL;
    JSON_CLEANUP struct json_object *config = image_config(i);
    struct json_object *labels_json = NULL;
    struct label *labels;
    size_t n;

    json_get_any(config, "Labels", &labels_json, NULL);
    labels = labels_from_json(labels_json, &n);
    attrs = xcalloc(n + 1, sizeof(*attrs));
    for (size_t k = 0; k < n; k++)
        attrs[k] = (struct event_attr){labels[k].key, labels[k].value};
    if (ref != NULL)
        attrs[n] = (struct event_attr){"name", pull ? repo : ref};
    events_publish(i->engine, "image", action, pull ? ref : i->id, attrs, n + (ref != NULL));
    labels_free(labels);
}

/* ---- adding ---- */

static void synthetic_id(const char *full, char out[IMAGE_ID_SIZE])
{
    unsigned char md[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)full, strlen(full), md);
    memcpy(out, "sha256:", 7);
    hex_encode(md, sizeof(md), out + 7);
}

static void set_text(char **at, const char *s)
{
    free(*at);
    *at = xstrdup(s != NULL ? s : "");
}

static void set_json(char **at, struct json_object *o, const char *if_null)
{
    free(*at);
    *at = json_text(o, if_null);
}

static void image_fill(struct image *i, const struct image_spec *spec)
{
    i->synthetic = spec->id == NULL;
    i->created = spec->created;
    i->size = spec->size;
    set_text(&i->architecture, spec->architecture);
    set_text(&i->os, str_empty(spec->os) ? "linux" : spec->os);
    set_text(&i->variant, spec->variant);
    set_text(&i->author, spec->author);
    set_text(&i->comment, spec->comment);
    set_json(&i->config, spec->config, "{}");
    set_json(&i->rootfs, spec->rootfs, "{\"Type\":\"layers\",\"Layers\":[]}");
    set_json(&i->history, spec->history, "[]");
}

/* What an image of this spec is pointed to by: the tag (if the reference has one) and the digest. */
struct names {
    char *tag, *digest;
    char *shown;  /* familiar, for events */
};

static int names_of(const struct image_spec *spec, struct names *ret, struct skl_error *err)
{
    struct reference r;

    *ret = (struct names){0};
    if (reference_parse(spec->ref, &r, err) < 0)
        return -1;
    reference_default_tag(&r);
    ret->shown = reference_familiar(&r);
    if (r.digest == NULL && spec->digest != NULL)
        r.digest = xstrdup(spec->digest);
    if (r.digest != NULL) {
        char *tag = STEAL(r.tag);

        ret->digest = reference_full(&r);
        r.tag = tag;
        /* name:tag@digest makes no tag, as in Docker */
        if (strchr(spec->ref, '@') != NULL) {
            free(r.tag);
            r.tag = NULL;
        }
        free(r.digest);
        r.digest = NULL;
    }
    if (r.tag != NULL)
        ret->tag = reference_full(&r);
    reference_fini(&r);
    return 0;
}

static void names_fini(struct names *n)
{
    free(n->tag);
    free(n->digest);
    free(n->shown);
}

static int store_names(struct image *i, const struct names *n, struct skl_error *err)
{
    struct store *s = i->engine->store;

    if (image_put(i, err) < 0 || (n->tag != NULL && store_run(s, SQL_REF_PUT, err, "ss", n->tag, i->id) < 0) ||
        (n->digest != NULL && store_run(s, SQL_REF_PUT, err, "ss", n->digest, i->id) < 0))
        return -1;
    return 0;
}

static bool points_to(struct engine *e, const char *ref, const struct image *i)
{
    struct image_ref *r = ref != NULL ? ref_find(e, ref) : NULL;

    return ref == NULL || (r != NULL && r->image == i);
}

int image_add(struct engine *e, const struct image_spec *spec, struct image **ret, bool *ret_new,
              struct skl_error *err)
{
    char id[IMAGE_ID_SIZE] = "";
    struct names names;
    struct image *i;
    bool made, same;
    int rc;

    if (names_of(spec, &names, err) < 0)
        return -1;
    if (spec->id != NULL)
        memcpy(id, spec->id, strlen(spec->id) < sizeof(id) ? strlen(spec->id) : sizeof(id) - 1);
    else
        synthetic_id(names.digest != NULL ? names.digest : names.tag, id);
    i = image_by_id(e, id);
    made = i == NULL;
    same = !made && points_to(e, names.tag, i) && points_to(e, names.digest, i);
    if (made) {
        i = image_new(e, id);
        image_fill(i, spec);
    }
    set_text(&i->origin, names.shown);
    i->tagged = clock_wall();
    rc = store_begin(e->store, err);
    if (rc == 0) {
        rc = store_names(i, &names, err);
        if (rc < 0)
            store_rollback(e->store);
        else
            rc = store_commit(e->store, err);
    }
    if (rc < 0) {
        if (made)
            image_free(i);
        names_fini(&names);
        return -1;
    }
    if (names.tag != NULL)
        ref_set(e, names.tag, i);
    if (names.digest != NULL)
        ref_set(e, names.digest, i);
    for (struct container *c = made ? container_first(e) : NULL; c != NULL; c = container_next(c))
        if (strcmp(c->image_id, id) == 0)
            image_attach(c);
    image_event(i, "pull", names.shown);
    names_fini(&names);
    if (ret != NULL)
        *ret = i;
    if (ret_new != NULL)
        *ret_new = !same;
    return 0;
}

int image_tag(struct image *i, const char *ref, struct skl_error *err)
{
    CLEANUP(free_p) char *full = NULL;
    CLEANUP(free_p) char *shown = NULL;
    struct reference r;

    if (reference_parse(ref, &r, err) < 0)
        return -1;
    if (r.digest != NULL) {
        reference_fini(&r);
        return error_set(err, SKL_ERR_INVALID, "refusing to create a tag with a digest reference");
    }
    reference_default_tag(&r);
    full = reference_full(&r);
    shown = reference_familiar(&r);
    reference_fini(&r);
    i->tagged = clock_wall();
    if (store_run(i->engine->store, SQL_REF_PUT, err, "ss", full, i->id) < 0 || image_put(i, err) < 0)
        return -1;
    ref_set(i->engine, full, i);
    image_event(i, "tag", shown);
    return 0;
}

/* ---- removing ---- */

struct removal_steps {
    struct engine *e;
    void (*on_step)(void *arg, const char *what, const char *which);
    void *arg;
};

static void step(const struct removal_steps *s, const char *what, const char *which)
{
    if (s->on_step != NULL)
        s->on_step(s->arg, what, which);
}

static int untag(const struct removal_steps *s, struct image_ref *r, struct skl_error *err)
{
    CLEANUP(free_p) char *shown = familiar(r->ref);
    struct image *i = r->image;

    if (store_run(s->e->store, SQL_REF_DELETE, err, "s", r->ref) < 0)
        return -1;
    ref_drop(s->e, r);
    step(s, "Untagged", shown);
    image_event(i, "untag", i->id);
    return 0;
}

static struct image_ref *any_ref(struct image *i, bool digests_only)
{
    struct image_ref *r, *tmp;

    HASH_ITER(hh, i->engine->image_refs, r, tmp)
        if (r->image == i && (!digests_only || strchr(r->ref, '@') != NULL))
            return r;
    return NULL;
}

static int delete_image(const struct removal_steps *s, struct image *i, struct skl_error *err)
{
    CLEANUP(free_p) char *id = xstrdup(i->id);

    for (struct image_ref *r = any_ref(i, false); r != NULL; r = any_ref(i, false))
        if (untag(s, r, err) < 0)
            return -1;
    if (store_run(s->e->store, SQL_IMAGE_DELETE, err, "s", i->id) < 0)
        return -1;
    image_event(i, "delete", i->id);
    image_free(i);
    step(s, "Deleted", id);
    return 0;
}

static struct container *user_of(struct image *i, bool live)
{
    LIST_FOREACH_SAFE(node, tmp, &i->containers) {
        struct container *c = LIST_ENTRY(node, struct container, in_image);

        if (!live || container_is_running(c))
            return c;
    }
    return NULL;
}

static int conflict_id(const struct image *i, const struct container *c, bool live, struct skl_error *err)
{
    return error_set(err, SKL_ERR_CONFLICT, "conflict: unable to delete %.12s (%s) - image is being used by %s container %.12s",
                     i->id + 7, live ? "cannot be forced" : "must be forced", live ? "running" : "stopped", c->id);
}

/* By reference: the tag goes; the image too when it was the last. */
static int remove_ref(const struct removal_steps *s, struct image_ref *r, const char *name, bool force,
                      struct skl_error *err)
{
    struct image *i = r->image;
    bool last = i->n_tags + i->n_digests == 1 || (strchr(r->ref, '@') == NULL && i->n_tags == 1);
    struct container *user = user_of(i, !last ? true : force);

    if (!last)
        return untag(s, r, err);
    if (user != NULL && !force)
        return error_set(err, SKL_ERR_CONFLICT,
                         "conflict: unable to remove repository reference \"%s\" (must force) - container %.12s is using its "
                         "referenced image %.12s", name, user->id, i->id + 7);
    if (user != NULL)
        return conflict_id(i, user, true, err);
    if (untag(s, r, err) < 0)
        return -1;
    if (user_of(i, false) != NULL) /* forced, and stopped containers use it: it stays, untagged */
        return 0;
    return delete_image(s, i, err);
}

static int remove_id(const struct removal_steps *s, struct image *i, bool force, struct skl_error *err)
{
    struct container *live = user_of(i, true);
    struct container *any = user_of(i, false);

    if (live != NULL)
        return conflict_id(i, live, true, err);
    if (any != NULL && !force)
        return conflict_id(i, any, false, err);
    if (i->n_tags > 1 && !force)
        return error_set(err, SKL_ERR_CONFLICT,
                         "conflict: unable to delete %.12s (must be forced) - image is referenced in multiple repositories",
                         i->id + 7);
    return delete_image(s, i, err);
}

int image_remove(struct engine *e, const char *name, bool force,
                 void (*on_step)(void *arg, const char *what, const char *which), void *arg, struct skl_error *err)
{
    struct removal_steps s = {e, on_step, arg};
    bool by;
    struct image *i = find(e, name, &by, err);
    struct image_ref *r;

    if (i == NULL)
        return -1;
    if (by)
        return remove_id(&s, i, force, err);
    r = find_by_ref(e, name, err);
    return remove_ref(&s, r, name, force, err);
}

/* ---- loading ---- */

static int on_image(void *arg, struct sqlite3_stmt *row, struct skl_error *err)
{
    struct image *i;

    if (strlen(row_text(row, 0)) != IMAGE_ID_SIZE - 1)
        return error_set(err, SKL_ERR_INTERNAL, "the state store holds an image with a bad ID");
    i = image_new(arg, row_text(row, 0));
    i->synthetic = row_i64(row, 1) != 0;
    i->created = row_i64(row, 2);
    i->tagged = row_i64(row, 3);
    i->size = row_i64(row, 4);
    i->architecture = xstrdup(row_text(row, 5));
    i->os = xstrdup(row_text(row, 6));
    i->variant = xstrdup(row_text(row, 7));
    i->author = xstrdup(row_text(row, 8));
    i->comment = xstrdup(row_text(row, 9));
    i->config = xstrdup(row_text(row, 10));
    i->rootfs = xstrdup(row_text(row, 11));
    i->history = xstrdup(row_text(row, 12));
    i->origin = xstrdup(row_text(row, 13));
    return 0;
}

static int on_ref(void *arg, struct sqlite3_stmt *row, struct skl_error *err)
{
    struct engine *e = arg;
    struct image *i = image_by_id(e, row_text(row, 1));

    (void)err;
    if (i != NULL)
        ref_set(e, row_text(row, 0), i);
    else
        log_warn("state", "reference %s points to an image that is not there", row_text(row, 0));
    return 0;
}

int images_load(struct engine *e, struct skl_error *err)
{
    if (store_query(e->store, SQL_IMAGE_ALL, on_image, e, err, "") < 0)
        return -1;
    return store_query(e->store, SQL_REF_ALL, on_ref, e, err, "");
}

void images_free(struct engine *e)
{
    struct image_ref *r, *tmp;

    HASH_ITER(hh, e->image_refs, r, tmp) {
        HASH_DEL(e->image_refs, r);
        free(r->ref);
        free(r);
    }
    while (image_first(e) != NULL)
        image_free(image_first(e));
}
