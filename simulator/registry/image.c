/*
 * simulator/registry/image.c - images that functions run, found by name: in the simulator's own registry, else in the store, else (--pull)
 * where the name says.
 *
 * A name with another host than the standard one is looked for in the registry by its path: the host is whatever Google's registries are
 * called where the client thinks it is. An image is unpacked once, by its manifest's digest, in a worker thread; until it has its final
 * name it is nobody's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/images.h"
#include "simulator/pull.h"
#include "simulator/registry/registry.h"

#define CONFIG_MAX (4u * 1024 * 1024)
#define STANDARD_HOST "docker.io/"

struct image_wait {
    struct sim *sim;
    char *name, *digest, *layout, *dir, *part;
    struct skl_error err;
    void (*done)(void *arg, struct image *im, const struct skl_error *err); /* NULL: nobody waits any more */
    void *arg;
};

static void wait_free(struct image_wait *w)
{
    free(w->name);
    free(w->digest);
    free(w->layout);
    free(w->dir);
    free(w->part);
    free(w);
}

void image_wait_cancel(struct image_wait *w)
{
    if (w != NULL)
        w->done = NULL;
}

/* ---- in the thread ---- */

static int write_config(const char *dir, struct json_object *config, struct skl_error *err)
{
    CLEANUP(free_p) char *path = fs_join(dir, "config.json");
    struct buf b;
    int rc;

    buf_init(&b, CONFIG_MAX);
    rc = json_emit(&b, config) < 0 ? error_set(err, SKL_ERR_INVALID, "the image's config is too large") : fs_write_file_atomic(path, b.data, b.len, 0600, err);
    buf_fini(&b);
    return rc;
}

static int unpack(struct image_wait *w)
{
    CLEANUP(free_p) char *rootfs = fs_join(w->part, "rootfs");
    struct layout l;
    int rc;

    rc = layout_read_digest(&l, w->layout, w->digest, &w->err);

    if (rc == 0)
        rc = fs_mkdir_p(rootfs, 0755, &w->err);
    for (size_t i = 0; rc == 0 && l.layers[i] != NULL; i++)
        rc = unpack_layer(l.layers[i], rootfs, &w->err);
    if (rc == 0)
        rc = write_config(w->part, l.config, &w->err);
    layout_fini(&l);
    return rc;
}

static void work(void *arg)
{
    struct image_wait *w = arg;
    int rc = unpack(w);

    if (rc == 0 && rename(w->part, w->dir) < 0 && access(w->dir, F_OK) < 0) /* another may have been quicker */
        rc = error_set_errno(&w->err, SKL_ERR_INTERNAL, errno, "putting image %s in place", w->name);
    if (access(w->part, F_OK) == 0)
        (void)fs_remove_tree(w->part, NULL);
    if (rc < 0)
        error_prefix(&w->err, "image %s", w->name);
}

static void work_done(void *arg)
{
    struct image_wait *w = arg;
    struct image *im = NULL;

    if (w->done != NULL && w->err.kind == 0)
        im = image_open_dir(w->dir, w->name, &w->err);
    if (w->done != NULL)
        w->done(w->arg, im, im == NULL ? &w->err : NULL);
    wait_free(w);
}

/* ---- finding ---- */

/* "host/a/b:tag", "host/a/b@sha256:..." -> the repository and what to ask for in it. */
static bool split(const char *name, char **ret_repo, char **ret_reference)
{
    const char *path = strchr(name, '/') != NULL ? strchr(name, '/') + 1 : name, *at = strchr(path, '@'), *colon = strrchr(path, ':');
    size_t n = at != NULL ? (size_t)(at - path) : colon != NULL ? (size_t)(colon - path) : strlen(path);
    const char *tag;

    *ret_reference = xstrdup(at != NULL ? at + 1 : colon != NULL ? colon + 1 : "latest");
    *ret_repo = xstrndup(path, n);
    tag = at != NULL ? strchr(*ret_repo, ':') : NULL; /* a:tag@digest */
    if (tag != NULL)
        (*ret_repo)[tag - *ret_repo] = '\0';
    return registry_legal_name(*ret_repo);
}

/* The manifest's hex, when it is an image of the registry's. Caller frees. */
static char *find(struct sim *s, const char *name)
{
    CLEANUP(free_p) char *repo = NULL, *reference = NULL;

    if (str_starts(name, STANDARD_HOST) || !split(name, &repo, &reference))
        return NULL;
    return registry_resolve(s, repo, reference);
}

static struct image_wait *begin(struct sim *s, const char *name, const char *hex, const char *dir)
{
    struct image_wait *w = xcalloc(1, sizeof(*w));

    w->name = xstrdup(name);
    w->digest = xasprintf("sha256:%s", hex);
    w->layout = fs_join(s->opts.state_dir, "registry");
    w->dir = xstrdup(dir);
    w->part = xasprintf("%s.part-%016llx", dir, (unsigned long long)random_u64());
    loop_work(s->loop, work, work_done, w);
    return w;
}

/* ---- from elsewhere ---- */

static void on_pulled(void *arg, const struct skl_error *err)
{
    struct image_wait *w = arg;
    struct image *im = NULL;

    if (err != NULL)
        w->err = *err;
    if (w->done != NULL && err == NULL)
        im = image_open(w->sim->opts.images_dir, w->name, &w->err);
    if (w->done != NULL)
        w->done(w->arg, im, im == NULL ? &w->err : NULL);
    wait_free(w);
}

static struct image_wait *pull(struct sim *s, const char *name, struct skl_error *err)
{
    struct image_wait *w = xcalloc(1, sizeof(*w));

    w->sim = s;
    w->name = xstrdup(name);
    if (pull_begin(s, name, on_pulled, w, err) == 0)
        return w;
    wait_free(w);
    return NULL;
}

/* From the store; when it is not there and may be got, that begins. */
static struct image *from_store(struct sim *s, const char *name, struct image_wait **ret_wait, struct skl_error *err)
{
    struct image *im = image_open(s->opts.images_dir, name, err);

    if (im == NULL && err->kind == SKL_ERR_NOT_FOUND && s->opts.pull) {
        memset(err, 0, sizeof(*err));
        *ret_wait = pull(s, name, err);
    }
    return im;
}

struct image *image_get(struct sim *s, const char *ref, struct image_wait **ret_wait,
                        void (*done)(void *arg, struct image *im, const struct skl_error *err), void *arg, struct skl_error *err)
{
    CLEANUP(free_p) char *name = image_normal_name(ref, err), *hex = NULL, *dir = NULL;

    struct image *im = NULL;

    *ret_wait = NULL;
    if (name == NULL)
        return NULL;
    hex = find(s, name);
    dir = hex != NULL ? xasprintf("%s/registry/roots/%s", s->opts.state_dir, hex) : NULL;
    if (hex == NULL)
        im = from_store(s, name, ret_wait, err);
    else if (access(dir, F_OK) == 0)
        im = image_open_dir(dir, name, err);
    else
        *ret_wait = begin(s, name, hex, dir);
    if (*ret_wait != NULL) {
        (*ret_wait)->done = done;
        (*ret_wait)->arg = arg;
    }
    return im;
}
