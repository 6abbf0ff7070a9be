/*
 * simulator/registry/store.c - see registry.h.
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
#include "base/mem.h"
#include "base/str.h"
#include "simulator/registry/registry.h"

#define TEXT_MAX 4096

static bool alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Components of lower-case letters and digits, joined within by . _ - (several - or two _), between by a slash. */
bool registry_legal_name(const char *name)
{
    size_t n = strlen(name);
    char last = '/';

    if (n == 0 || n > REGISTRY_NAME_MAX)
        return false;
    for (const char *p = name; *p != '\0'; last = *p++) {
        bool separator = *p == '.' || *p == '_' || *p == '-' || *p == '/';
        if (!alnum(*p) && !separator)
            return false;
        if (separator && !alnum(last) && !(last == *p && (*p == '-' || *p == '_')))
            return false;
    }
    return alnum(last);
}

bool registry_legal_tag(const char *tag)
{
    size_t n = strlen(tag);

    return n > 0 && n <= 128 && tag[0] != '.' && tag[0] != '-' &&
           strspn(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

const char *registry_hex(const char *digest)
{
    const char *hex = digest != NULL && str_starts(digest, "sha256:") ? digest + 7 : NULL;

    return hex != NULL && strlen(hex) == 64 && str_is_hex(hex) ? hex : NULL;
}

char *registry_path(struct sim *s, const char *kind, const char *repo, const char *name)
{
    CLEANUP(free_p) char *flat = xstrdup(repo);

    for (char *p = flat; *p != '\0'; p++)
        *p = *p == '/' ? '+' : *p;
    return xasprintf("%s/registry/repos/%s/%s/%s", s->opts.state_dir, flat, kind, name);
}

char *registry_blob_path(struct sim *s, const char *hex)
{
    return xasprintf("%s/registry/blobs/sha256/%s", s->opts.state_dir, hex);
}

bool registry_has(struct sim *s, const char *kind, const char *repo, const char *name)
{
    CLEANUP(free_p) char *path = registry_path(s, kind, repo, name);

    return access(path, F_OK) == 0;
}

bool registry_repo_exists(struct sim *s, const char *repo)
{
    return registry_has(s, "manifests", repo, "");
}

int registry_put(struct sim *s, const char *kind, const char *repo, const char *name, const char *text, struct skl_error *err)
{
    CLEANUP(free_p) char *dir = registry_path(s, kind, repo, ""), *path = registry_path(s, kind, repo, name);

    return fs_mkdir_p(dir, 0700, err) < 0 ? -1 : fs_write_file_atomic(path, text, strlen(text), 0600, err);
}

char *registry_get(struct sim *s, const char *kind, const char *repo, const char *name)
{
    CLEANUP(free_p) char *path = registry_path(s, kind, repo, name);
    char *text = NULL;
    struct buf b;

    buf_init(&b, TEXT_MAX);
    if (fs_read_file(path, &b, NULL) == 0)
        text = buf_steal(&b, NULL);
    buf_fini(&b);
    return text;
}

int registry_remove(struct sim *s, const char *kind, const char *repo, const char *name)
{
    CLEANUP(free_p) char *path = registry_path(s, kind, repo, name);

    return unlink(path);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(json_object_get_string(*(struct json_object *const *)a), json_object_get_string(*(struct json_object *const *)b));
}

struct json_object *registry_list(struct sim *s, const char *kind, const char *repo)
{
    CLEANUP(free_p) char *dir = registry_path(s, kind, repo, "");
    struct json_object *all = json_new_array();
    DIR *d = opendir(dir);

    for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;)
        if (de->d_name[0] != '.' && strchr(de->d_name, '~') == NULL)
            json_push_string(all, de->d_name);
    if (d != NULL)
        closedir(d);
    json_object_array_sort(all, by_text);
    return all;
}

char *registry_resolve(struct sim *s, const char *repo, const char *reference)
{
    const char *hex = registry_hex(reference);

    if (hex != NULL)
        return registry_has(s, "manifests", repo, hex) ? xstrdup(hex) : NULL;
    return registry_legal_tag(reference) ? registry_get(s, "tags", repo, reference) : NULL;
}

void registry_digest(const void *p, size_t n, char hex[65])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    EVP_Digest(p, n, hash, &len, EVP_sha256(), NULL);
    hex_encode(hash, 32, hex);
}
