/*
 * drivers/staging_exit.c - what was kept of a container's files when its run ended. See staging.h for the layout.
 *
 * exit.json is replaced as a whole, and last: what it does not name is litter of a capture that was cut off, and is removed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/staging-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#define EXIT_META "exit.json"
#define EXIT_META_MAX (1024u * 1024)
#define EXIT_PREFIX "exit-"

void staging_exit_fini(struct staging_exit *x)
{
    for (size_t i = 0; i < x->n_paths; i++) {
        free(x->paths[i].path);
        free(x->paths[i].why);
    }
    for (size_t i = 0; i < x->n_tars; i++) {
        free(x->tars[i].tar);
        free(x->tars[i].dest);
    }
    free(x->paths);
    free(x->tars);
    *x = (struct staging_exit){0};
}

void staging_exit_add_path(struct staging_exit *x, const char *path)
{
    x->paths = xrealloc(x->paths, (x->n_paths + 1) * sizeof(*x->paths));
    x->paths[x->n_paths++] = (struct staging_exit_path){.path = xstrdup(path)};
}

void staging_exit_add_tar(struct staging_exit *x, const char *tar, const char *dest)
{
    x->tars = xrealloc(x->tars, (x->n_tars + 1) * sizeof(*x->tars));
    x->tars[x->n_tars++] = (struct staging_layer){.tar = xstrdup(tar), .dest = xstrdup(dest)};
}

/* ---- exit.json ---- */

static void load_paths(struct staging_exit *x, struct json_object *list)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        const char *why = json_string_or(json_member(o, "why"), "");

        staging_exit_add_path(x, json_string_or(json_member(o, "path"), ""));
        if (why[0] != '\0')
            x->paths[i].why = xstrdup(why);
    }
}

/* Directories in the container are bytes, JSON's strings are UTF-8: percent-encoded. */
static void load_tars(struct staging_exit *x, struct json_object *list)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        const char *dest = json_string_or(json_member(o, "dest"), "/");
        struct buf b;

        buf_init(&b, EXIT_META_MAX);
        if (url_decode(&b, dest, strlen(dest), false) == 0)
            staging_exit_add_tar(x, json_string_or(json_member(o, "tar"), ""), buf_str(&b));
        buf_fini(&b);
    }
}

int staging_exit_load(struct staging *st, const char *id, struct staging_exit *ret)
{
    CLEANUP(free_p) char *file = xasprintf("%s/%s/" EXIT_META, st->dir, id);
    JSON_CLEANUP struct json_object *o = NULL;
    struct json_object *paths, *tars;
    struct buf text;

    *ret = (struct staging_exit){0};
    buf_init(&text, EXIT_META_MAX);
    if (fs_read_file(file, &text, NULL) == 0)
        o = json_parse_object(buf_str(&text), text.len, EXIT_META_MAX, NULL);
    buf_fini(&text);
    paths = json_member(o, "paths");
    tars = json_member(o, "tars");
    if (!json_object_is_type(paths, json_type_array) || !json_object_is_type(tars, json_type_array))
        return -1;
    ret->run = (uint32_t)json_object_get_int64(json_member(o, "run"));
    ret->after = (uint32_t)json_object_get_int64(json_member(o, "after"));
    ret->pending = json_object_get_boolean(json_member(o, "pending"));
    load_paths(ret, paths);
    load_tars(ret, tars);
    return 0;
}

static void add_encoded(struct json_object *o, const char *key, const char *text)
{
    struct buf b;

    buf_init(&b, EXIT_META_MAX);
    (void)url_encode(&b, text, strlen(text));
    json_add_string(o, key, buf_str(&b));
    buf_fini(&b);
}

static struct json_object *to_json(const struct staging_exit *x)
{
    struct json_object *o = json_new_object(), *list, *e;

    json_add_i64(o, "run", x->run);
    json_add_i64(o, "after", x->after);
    json_add_bool(o, "pending", x->pending);
    list = json_add_array(o, "paths");
    for (size_t i = 0; i < x->n_paths; i++) {
        json_push(list, e = json_new_object());
        json_add_string(e, "path", x->paths[i].path);
        json_add_string(e, "why", x->paths[i].why != NULL ? x->paths[i].why : "");
    }
    list = json_add_array(o, "tars");
    for (size_t i = 0; i < x->n_tars; i++) {
        json_push(list, e = json_new_object());
        json_add_string(e, "tar", x->tars[i].tar);
        add_encoded(e, "dest", x->tars[i].dest);
    }
    return o;
}

static bool names_tar(const struct staging_exit *x, const char *name)
{
    for (size_t i = 0; x != NULL && i < x->n_tars; i++)
        if (str_eq(x->tars[i].tar, name))
            return true;
    return false;
}

/* Removes the tars that x does not name; x NULL: all. */
static void sweep_tars(struct staging *st, const char *id, const struct staging_exit *x)
{
    CLEANUP(free_p) char *dir = fs_join(st->dir, id);
    DIR *d = opendir(dir);

    if (d == NULL)
        return;
    for (struct dirent *de; (de = readdir(d)) != NULL;)
        if (str_starts(de->d_name, EXIT_PREFIX) && !names_tar(x, de->d_name))
            (void)unlinkat(dirfd(d), de->d_name, 0);
    closedir(d);
}

int staging_exit_store(struct staging *st, const char *id, const struct staging_exit *x, struct skl_error *err)
{
    CLEANUP(free_p) char *dir = fs_join(st->dir, id);
    CLEANUP(free_p) char *file = fs_join(dir, EXIT_META);
    JSON_CLEANUP struct json_object *o = to_json(x);
    const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);

    if (fs_mkdir_p(dir, 0700, err) < 0 || fs_write_file_atomic(file, text, strlen(text), 0600, err) < 0)
        return -1;
    sweep_tars(st, id, x);
    return 0;
}

void staging_exit_drop(struct staging *st, const char *id)
{
    CLEANUP(free_p) char *file = xasprintf("%s/%s/" EXIT_META, st->dir, id);

    if (unlink(file) == 0)
        sweep_tars(st, id, NULL);
}

int staging_exit_create(struct staging *st, const char *id, const char *tar, struct skl_error *err)
{
    CLEANUP(free_p) char *file = xasprintf("%s/%s/%s", st->dir, id, tar);
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    return fd >= 0 ? fd : error_set_errno(err, SKL_ERR_INTERNAL, errno, "creating %s", file);
}

char *staging_exit_name(const struct staging_exit *x, size_t n)
{
    return xasprintf(EXIT_PREFIX "%u-%zu.tar", x->run, n);
}

/* ---- what a path covers ---- */

bool staging_is_pattern(const char *path)
{
    return strpbrk(path, "*?[") != NULL;
}

/* Both without doubled slashes. */
static bool covers(const char *pattern, const char *path)
{
    for (;;) {
        size_t n = strcspn(pattern, "/"), m = strcspn(path, "/");
        CLEANUP(free_p) char *p = xstrndup(pattern, n);
        CLEANUP(free_p) char *q = xstrndup(path, m);

        if (staging_is_pattern(p) ? fnmatch(p, q, FNM_PERIOD) != 0 : !str_eq(p, q))
            return false;
        if (pattern[n] == '\0')
            return true;
        if (path[m] == '\0')
            return false;
        pattern += n + 1;
        path += m + 1;
    }
}

const struct staging_exit_path *staging_exit_covers(const struct staging_exit *x, const char *path)
{
    for (size_t i = 0; i < x->n_paths; i++) {
        CLEANUP(free_p) char *pattern = staging_normal_path("", x->paths[i].path);

        if (str_eq(pattern, "/") || covers(pattern, path))
            return &x->paths[i];
    }
    return NULL;
}
