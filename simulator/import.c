/*
 * simulator/import.c - images into the store: OCI layouts and archives, docker-save archives, plain root file systems.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/images.h"

#define PART_PREFIX ".part-"

/* Adds what the command line says to the image's own config. */
static void override(struct json_object *config, struct json_object *overrides)
{
    json_object_object_foreach(overrides, key, v)
        json_add(config, key, json_object_get(v));
}

static int write_text(const char *dir, const char *name, const char *text, size_t n, struct skl_error *err)
{
    CLEANUP(free_p) char *path = fs_join(dir, name);

    return fs_write_file_atomic(path, text, n, 0644, err);
}

static int write_config(const char *dir, struct json_object *config, struct skl_error *err)
{
    struct buf b;
    int rc;

    buf_init(&b, 4u * 1024 * 1024);
    rc = json_emit(&b, config) < 0 ? error_set(err, SKL_ERR_INVALID, "the image's config is too large")
                                   : write_text(dir, "config.json", b.data, b.len, err);
    buf_fini(&b);
    return rc;
}

static int from_layout(const char *layout_dir, const char *rootfs, struct json_object **ret_config, struct skl_error *err)
{
    struct layout l;
    int rc = layout_read(&l, layout_dir, err);

    for (size_t i = 0; rc == 0 && l.layers[i] != NULL; i++)
        rc = unpack_layer(l.layers[i], rootfs, err);
    if (rc == 0)
        *ret_config = json_object_get(l.config);
    layout_fini(&l);
    return rc;
}

static int from_file(const char *path, const char *part, const char *rootfs, struct json_object **ret_config, struct skl_error *err)
{
    static const char *const marks[] = {"oci-layout", "index.json", "manifest.json", NULL};
    CLEANUP(free_p) char *dir = fs_join(part, "archive");
    bool is_archive;
    int rc;

    if (unpack_find(path, marks, &is_archive, err) < 0)
        return -1;
    if (!is_archive) {
        *ret_config = json_new_object();
        return unpack_layer(path, rootfs, err);
    }
    if (fs_mkdir_p(dir, 0700, err) < 0 || unpack_archive(path, dir, err) < 0)
        return -1;
    rc = from_layout(dir, rootfs, ret_config, err);
    return rc < 0 ? rc : fs_remove_tree(dir, err);
}

static int fill(const char *part, const char *path, const char *name, struct json_object *overrides, struct skl_error *err)
{
    CLEANUP(free_p) char *rootfs = fs_join(part, "rootfs");
    struct json_object *config = NULL;
    struct stat st;
    int rc;

    if (stat(path, &st) < 0)
        return error_set_errno(err, SKL_ERR_NOT_FOUND, errno, "%s", path);
    if (fs_mkdir_p(rootfs, 0755, err) < 0)
        return -1;
    rc = S_ISDIR(st.st_mode) ? from_layout(path, rootfs, &config, err) : from_file(path, part, rootfs, &config, err);
    if (rc == 0) {
        override(config, overrides);
        rc = write_config(part, config, err);
    }
    json_object_put(config);
    if (rc == 0)
        rc = write_text(part, "name", name, strlen(name), err);
    return rc;
}

/* The new image takes the name in one step; the old one, if any, goes. */
static int put_in_place(const char *part, const char *dir, struct skl_error *err)
{
    CLEANUP(free_p) char *old = xasprintf("%s.old-%d", part, (int)getpid());
    bool had = rename(dir, old) == 0;

    if (rename(part, dir) < 0) {
        int e = errno;
        if (had)
            (void)rename(old, dir);
        return error_set_errno(err, SKL_ERR_INTERNAL, e, "putting the image in place");
    }
    return had ? fs_remove_tree(old, err) : 0;
}

int image_import(const char *images_dir, const char *ref, const char *path, struct json_object *overrides, struct skl_error *err)
{
    CLEANUP(free_p) char *name = image_normal_name(ref, err);
    CLEANUP(free_p) char *dir = NULL, *part = NULL;
    int rc;

    if (name == NULL || fs_mkdir_p(images_dir, 0755, err) < 0)
        return -1;
    dir = image_dir(images_dir, name);
    part = xasprintf("%s/" PART_PREFIX "%d-XXXXXX", images_dir, (int)getpid());
    if (mkdtemp(part) == NULL)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making %s", part);
    (void)chmod(part, 0755);
    rc = fill(part, path, name, overrides, err);
    if (rc == 0)
        rc = put_in_place(part, dir, err);
    if (rc < 0)
        (void)fs_remove_tree(part, NULL);
    return rc;
}

/* With skopeo, into a layout that is then imported. */
int image_pull(const char *images_dir, const char *ref)
{
    struct skl_error err = {0};
    CLEANUP(free_p) char *name = image_normal_name(ref, &err);
    char dir[] = "/tmp/sockerless-pull-XXXXXX";
    CLEANUP(free_p) char *from = NULL, *to = NULL;
    struct json_object *none = json_new_object();
    int status = -1;
    pid_t pid;

    if (name == NULL || mkdtemp(dir) == NULL) {
        fprintf(stderr, "sockerless-gcp-simulator: %s\n", name == NULL ? err.message : "no temporary directory");
        json_object_put(none);
        return 1;
    }
    from = xasprintf("docker://%s", name);
    to = xasprintf("oci:%s:image", dir);
    pid = fork();
    if (pid == 0) {
        execlp("skopeo", "skopeo", "copy", from, to, (char *)NULL);
        fprintf(stderr, "skopeo: %s\n", strerror(errno));
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "sockerless-gcp-simulator: pulling %s failed\n", name);
    } else if (image_import(images_dir, name, dir, none, &err) < 0) {
        fprintf(stderr, "sockerless-gcp-simulator: %s\n", err.message);
        status = 1;
    }
    json_object_put(none);
    (void)fs_remove_tree(dir, NULL);
    return status == 0 ? 0 : 1;
}
