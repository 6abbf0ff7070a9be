/*
 * agent/glob.c - GET /glob: which paths of the container a pattern stands for.
 *
 * Component by component, as a shell does it: *, ? and [...] match within one name, a leading dot has to be written. Bounded in
 * what is found and in what is looked at, since the loop waits for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "agent/request.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#define GLOB_PATHS_MAX 1024u
#define GLOB_LOOKS_MAX 200000u  /* names of directories that were compared */
#define GLOB_DEPTH_MAX 64u

struct expansion {
    struct json_object *paths;
    size_t looks;
    struct skl_error err;
};

static int expand(struct expansion *x, const char *dir, const char *rest, unsigned depth);

static int found(struct expansion *x, const char *path)
{
    struct buf b;

    if (json_object_array_length(x->paths) >= GLOB_PATHS_MAX)
        return error_set(&x->err, SKL_ERR_TOO_LARGE, "the pattern stands for more than %u paths", GLOB_PATHS_MAX);
    buf_init(&b, AGENT_BODY_MAX);
    (void)url_encode(&b, path, strlen(path));
    json_push_string(x->paths, buf_str(&b));
    buf_fini(&b);
    return 0;
}

static int step(struct expansion *x, const char *dir, const char *name, const char *rest, unsigned depth)
{
    CLEANUP(free_p) char *full = xasprintf("%s/%s", dir, name);
    struct stat st;

    if (rest[0] != '\0')
        return expand(x, full, rest, depth + 1);
    return lstat(full, &st) == 0 ? found(x, full) : 0;
}

static int match(struct expansion *x, const char *dir, const char *pattern, const char *rest, unsigned depth)
{
    DIR *d = opendir(dir[0] != '\0' ? dir : "/");
    int rc = 0;

    if (d == NULL)
        return 0;
    for (struct dirent *de; rc == 0 && (de = readdir(d)) != NULL;) {
        if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
            continue;
        if (++x->looks > GLOB_LOOKS_MAX)
            rc = error_set(&x->err, SKL_ERR_TOO_LARGE, "the pattern has more than %u names to look at", GLOB_LOOKS_MAX);
        else if (fnmatch(pattern, de->d_name, FNM_PERIOD) == 0)
            rc = step(x, dir, de->d_name, rest, depth);
    }
    closedir(d);
    return rc;
}

static int expand(struct expansion *x, const char *dir, const char *rest, unsigned depth)
{
    size_t n;
    CLEANUP(free_p) char *part = NULL;

    rest += strspn(rest, "/");
    n = strcspn(rest, "/");
    if (n == 0)
        return found(x, dir[0] != '\0' ? dir : "/");
    if (depth > GLOB_DEPTH_MAX)
        return error_set(&x->err, SKL_ERR_INVALID, "the pattern is more than %u directories deep", GLOB_DEPTH_MAX);
    part = xstrndup(rest, n);
    rest += n;
    rest += strspn(rest, "/");
    if (strpbrk(part, "*?[") == NULL)
        return step(x, dir, part, rest, depth);
    return match(x, dir, part, rest, depth);
}

void glob_handle(struct request *r)
{
    CLEANUP(free_p) char *pattern = request_query(r, "pattern");
    struct json_object *o = json_new_object();
    struct expansion x = {.paths = json_add_array(o, "paths")};

    if (pattern == NULL || pattern[0] != '/')
        error_set(&x.err, SKL_ERR_INVALID, "the pattern has to be an absolute path");
    else
        (void)expand(&x, "", pattern, 0);
    if (x.err.kind == 0) {
        request_json(r, 200, o);
        return;
    }
    json_object_put(o);
    request_error(r, 0, &x.err);
}
