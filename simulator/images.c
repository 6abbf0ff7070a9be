/*
 * simulator/images.c - the image store: one directory an image, <store>/<32 hex of SHA-256 of the name>/ with rootfs/,
 * config.json (the OCI image config's "config" object) and name. An image is complete when it has its final name
 * (rename); half an import lies under a temporary one and is removed by the next.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/images.h"

#define CONFIG_MAX (4u * 1024 * 1024)
#define KEY_LEN 32

char *image_normal_name(const char *ref, struct skl_error *err)
{
    const char *slash = strchr(ref, '/'), *rest = ref, *colon;
    CLEANUP(free_p) char *domain = NULL;
    bool has_domain = slash != NULL && (memchr(ref, '.', (size_t)(slash - ref)) != NULL ||
                                        memchr(ref, ':', (size_t)(slash - ref)) != NULL || strncmp(ref, "localhost/", 10) == 0);

    if (ref[0] == '\0' || strpbrk(ref, " \t\r\n\"\\") != NULL || strstr(ref, "..") != NULL || strlen(ref) > 255) {
        error_set(err, SKL_ERR_INVALID, "invalid reference format: %.255s", ref);
        return NULL;
    }
    if (has_domain) {
        domain = xstrndup(ref, (size_t)(slash - ref));
        rest = slash + 1;
        if (str_eq(domain, "index.docker.io")) {
            free(domain);
            domain = xstrdup("docker.io");
        }
    } else {
        domain = xstrdup("docker.io");
    }
    colon = strrchr(rest, ':');
    return xasprintf("%s/%s%s%s", domain, str_eq(domain, "docker.io") && strchr(rest, '/') == NULL ? "library/" : "", rest,
                     strchr(rest, '@') != NULL || (colon != NULL && strchr(colon, '/') == NULL) ? "" : ":latest");
}

char *image_dir(const char *images_dir, const char *name)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;

    EVP_Digest(name, strlen(name), hash, &n, EVP_sha256(), NULL);
    hex_encode(hash, n, hex);
    hex[KEY_LEN] = '\0';
    return fs_join(images_dir, hex);
}

static struct json_object *read_config(const char *dir, struct skl_error *err)
{
    CLEANUP(free_p) char *path = fs_join(dir, "config.json");
    struct json_object *o = NULL;
    struct buf text;

    buf_init(&text, CONFIG_MAX);
    if (fs_read_file(path, &text, err) == 0)
        o = json_parse_object(buf_str(&text), text.len, CONFIG_MAX, err);
    buf_fini(&text);
    return o;
}

struct image *image_open_dir(const char *dir, const char *name, struct skl_error *err)
{
    struct json_object *config = read_config(dir, err);
    struct image *im;

    if (config == NULL)
        return NULL;
    im = xcalloc(1, sizeof(*im));
    im->rootfs = fs_join(dir, "rootfs");
    im->name = xstrdup(name);
    im->dir = xstrdup(dir);
    im->config = config;
    im->refs = 1;
    return im;
}

struct image *image_open(const char *images_dir, const char *ref, struct skl_error *err)
{
    CLEANUP(free_p) char *name = image_normal_name(ref, err);
    CLEANUP(free_p) char *dir = NULL;

    if (name == NULL)
        return NULL;
    dir = image_dir(images_dir, name);
    if (access(dir, F_OK) < 0) {
        error_set(err, SKL_ERR_NOT_FOUND,
                  "image %s is not in the simulator's store (%s) and there is no registry to pull it from (see --pull); "
                  "\"sockerless-gcp-simulator image import\" puts it there",
                  name, images_dir);
        return NULL;
    }
    return image_open_dir(dir, name, err);
}

void image_unref(struct image *im)
{
    if (im == NULL || --im->refs > 0)
        return;
    free(im->name);
    free(im->dir);
    free(im->rootfs);
    json_object_put(im->config);
    free(im);
}

/* ---- the command line ---- */

static int complain(const struct skl_error *err)
{
    fprintf(stderr, "sockerless-gcp-simulator: %s\n", err->message);
    return 1;
}

static int list_images(const char *images_dir)
{
    DIR *d = opendir(images_dir);

    for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
        CLEANUP(free_p) char *path = xasprintf("%s/%s/name", images_dir, de->d_name);
        struct buf name;
        buf_init(&name, 1024);
        if (strlen(de->d_name) == KEY_LEN && fs_read_file(path, &name, NULL) == 0)
            puts(buf_str(&name));
        buf_fini(&name);
    }
    if (d != NULL)
        closedir(d);
    return 0;
}

static int remove_image(const char *images_dir, const char *ref)
{
    struct skl_error err = {0};
    CLEANUP(free_p) char *name = image_normal_name(ref, &err);
    CLEANUP(free_p) char *dir = name != NULL ? image_dir(images_dir, name) : NULL;

    if (dir == NULL)
        return complain(&err);
    if (access(dir, F_OK) < 0) {
        fprintf(stderr, "sockerless-gcp-simulator: no image %s in %s\n", name, images_dir);
        return 1;
    }
    return fs_remove_tree(dir, &err) < 0 ? complain(&err) : 0;
}

static void add_override(struct json_object *o, const char *key, const char *value, bool list)
{
    struct json_object *a;

    if (!list) {
        json_add_string(o, key, value);
        return;
    }
    a = json_member(o, key);
    if (a == NULL)
        a = json_add_array(o, key);
    json_push_string(a, value);
}

static int parse_overrides(struct json_object *o, int argc, char **argv)
{
    static const struct {
        const char *flag, *key;
        bool list;
    } flags[] = {{"--cmd", "Cmd", true}, {"--entrypoint", "Entrypoint", true}, {"--env", "Env", true}, {"--user", "User", false}, {"--workdir", "WorkingDir", false}};

    for (int i = 0; i < argc; i += 2) {
        size_t k = 0;
        while (k < ARRAY_LEN(flags) && !str_eq(flags[k].flag, argv[i]))
            k++;
        if (k == ARRAY_LEN(flags) || i + 1 >= argc) {
            fprintf(stderr, "sockerless-gcp-simulator: image import: unknown or incomplete option %s\n", argv[i]);
            return -1;
        }
        add_override(o, flags[k].key, argv[i + 1], flags[k].list);
    }
    return 0;
}

static int import_command(const char *images_dir, int argc, char **argv)
{
    struct json_object *overrides = json_new_object();
    struct skl_error err = {0};
    int rc;

    rc = parse_overrides(overrides, argc - 2, argv + 2) < 0 ? 2 : image_import(images_dir, argv[0], argv[1], overrides, &err) < 0 ? complain(&err) : 0;
    json_object_put(overrides);
    return rc;
}

static int usage(void)
{
    fputs("usage: sockerless-gcp-simulator image [--images DIR] import NAME PATH [options] | list | remove NAME | pull NAME\n", stderr);
    return 2;
}

int sim_image_command(int argc, char **argv)
{
    CLEANUP(free_p) char *images_dir = NULL;

    if (argc >= 2 && str_eq(argv[0], "--images")) {
        images_dir = xstrdup(argv[1]);
        argc -= 2;
        argv += 2;
    } else {
        images_dir = sim_default_images_dir();
    }
    if (argc >= 3 && str_eq(argv[0], "import"))
        return import_command(images_dir, argc - 1, argv + 1);
    if (argc == 1 && str_eq(argv[0], "list"))
        return list_images(images_dir);
    if (argc == 2 && str_eq(argv[0], "remove"))
        return remove_image(images_dir, argv[1]);
    if (argc == 2 && str_eq(argv[0], "pull"))
        return image_pull(images_dir, argv[1]);
    return usage();
}
