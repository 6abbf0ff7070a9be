/*
 * simulator/layout.c - finds an image's layers and config in an OCI layout or in what `docker save` writes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/images.h"

#define FILE_MAX (16u * 1024 * 1024)
#define LAYERS_MAX 512
#define INDEX_DEPTH_MAX 4

/* Paths in these files come from outside: no way out of the directory. */
static char *safe_path(const char *dir, const char *name, struct skl_error *err)
{
    if (name[0] == '/' || strstr(name, "..") != NULL || name[0] == '\0') {
        error_set(err, SKL_ERR_INVALID, "the image names the file \"%s\"", name);
        return NULL;
    }
    return fs_join(dir, name);
}

static struct json_object *read_json(const char *path, struct skl_error *err)
{
    struct buf text;
    struct json_object *o = NULL;

    buf_init(&text, FILE_MAX);
    if (path != NULL && fs_read_file(path, &text, err) == 0)
        o = json_parse(buf_str(&text), text.len, FILE_MAX, 0, NULL, err);
    buf_fini(&text);
    return o;
}

/* "sha256:abc" -> blobs/sha256/abc */
static char *blob_path(const char *dir, const char *digest, struct skl_error *err)
{
    const char *colon = strchr(digest, ':');
    CLEANUP(free_p) char *name = NULL;

    if (colon == NULL || strspn(digest, "abcdefghijklmnopqrstuvwxyz0123456789:") != strlen(digest)) {
        error_set(err, SKL_ERR_INVALID, "malformed digest \"%s\"", digest);
        return NULL;
    }
    name = xasprintf("blobs/%.*s/%s", (int)(colon - digest), digest, colon + 1);
    return safe_path(dir, name, err);
}

static int take_config(struct layout *l, const char *path, struct skl_error *err)
{
    struct json_object *image = read_json(path, err), *config;

    if (image == NULL)
        return -1;
    config = json_member(image, "config");
    l->config = json_object_is_type(config, json_type_object) ? json_object_get(config) : json_new_object();
    json_object_put(image);
    return 0;
}

static int read_manifest(struct layout *l, const char *dir, const char *digest, int depth, struct skl_error *err);

static const char *digest_of(struct json_object *descriptor)
{
    return json_string_or(descriptor != NULL ? json_member(descriptor, "digest") : NULL, "");
}

static bool is_ours(struct json_object *descriptor)
{
    struct json_object *p = json_member(descriptor, "platform");

    return p == NULL || (str_eq(json_string_or(json_member(p, "os"), "linux"), "linux") &&
                         str_eq(json_string_or(json_member(p, "architecture"), "amd64"), "amd64"));
}

static int read_index(struct layout *l, const char *dir, struct json_object *index, int depth, struct skl_error *err)
{
    struct json_object *list = NULL;

    if (json_get_array(index, "manifests", &list, err) < 0)
        return -1;
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
        struct json_object *d = json_object_array_get_idx(list, i);
        if (is_ours(d))
            return read_manifest(l, dir, digest_of(d), depth + 1, err);
    }
    return error_set(err, SKL_ERR_INVALID, "the image has no manifest for linux/amd64");
}

static int take_layers(struct layout *l, const char *dir, struct json_object *layers, bool digests, struct skl_error *err)
{
    size_t n = layers != NULL ? json_object_array_length(layers) : 0;

    if (n > LAYERS_MAX)
        return error_set(err, SKL_ERR_INVALID, "more than %d layers", LAYERS_MAX);
    l->layers = xcalloc(n + 1, sizeof(*l->layers));
    for (size_t i = 0; i < n; i++) {
        struct json_object *v = json_object_array_get_idx(layers, i);
        l->layers[i] = digests ? blob_path(dir, digest_of(v), err) : safe_path(dir, json_string_or(v, ""), err);
        if (l->layers[i] == NULL)
            return -1;
    }
    return 0;
}

static int read_manifest(struct layout *l, const char *dir, const char *digest, int depth, struct skl_error *err)
{
    CLEANUP(free_p) char *path = blob_path(dir, digest, err);
    JSON_CLEANUP struct json_object *m = read_json(path, err);
    CLEANUP(free_p) char *config = NULL;

    if (m == NULL || depth > INDEX_DEPTH_MAX)
        return m == NULL ? -1 : error_set(err, SKL_ERR_INVALID, "indexes nested too deep");
    if (json_member(m, "manifests") != NULL)
        return read_index(l, dir, m, depth, err);
    config = blob_path(dir, digest_of(json_member(m, "config")), err);
    if (config == NULL || take_config(l, config, err) < 0)
        return -1;
    return take_layers(l, dir, json_member(m, "layers"), true, err);
}

static int read_docker_save(struct layout *l, const char *dir, const char *path, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *list = read_json(path, err);
    struct json_object *m;
    CLEANUP(free_p) char *config = NULL;

    if (list == NULL)
        return -1;
    m = json_object_is_type(list, json_type_array) ? json_object_array_get_idx(list, 0) : NULL;
    if (m == NULL)
        return error_set(err, SKL_ERR_INVALID, "manifest.json names no image");
    config = safe_path(dir, json_string_or(json_member(m, "Config"), ""), err);
    if (config == NULL || take_config(l, config, err) < 0)
        return -1;
    return take_layers(l, dir, json_member(m, "Layers"), false, err);
}

int layout_read(struct layout *l, const char *dir, struct skl_error *err)
{
    CLEANUP(free_p) char *index_path = fs_join(dir, "index.json");
    CLEANUP(free_p) char *manifest_path = fs_join(dir, "manifest.json");
    struct json_object *index;
    int rc;

    memset(l, 0, sizeof(*l));
    if (access(index_path, R_OK) < 0)
        return read_docker_save(l, dir, manifest_path, err);
    index = read_json(index_path, err);
    if (index == NULL)
        return -1;
    rc = read_index(l, dir, index, 0, err);
    json_object_put(index);
    return rc;
}

int layout_read_digest(struct layout *l, const char *dir, const char *digest, struct skl_error *err)
{
    memset(l, 0, sizeof(*l));
    return read_manifest(l, dir, digest, 0, err);
}

void layout_fini(struct layout *l)
{
    for (size_t i = 0; l->layers != NULL && l->layers[i] != NULL; i++)
        free(l->layers[i]);
    free(l->layers);
    json_object_put(l->config);
}
