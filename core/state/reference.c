/*
 * state/reference.c - see reference.h. The grammar is that of distribution/reference:
 *
 *     reference := name [":" tag] ["@" digest]
 *     name      := [domain "/"] component {"/" component}
 *     domain    := host [":" port]; only when it has a dot, a colon, an upper-case letter, or is "localhost"
 *     component := alnum {("." | "_" | "__" | "-"...) alnum}, lower case
 *     tag       := word {word | "." | "-"}, at most 128
 *     digest    := algorithm ":" hex
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "state/reference.h"

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool component_ok(const char *s, size_t n)
{
    size_t i = 0;

    for (;;) {
        size_t begin = i;

        while (i < n && is_lower_alnum(s[i]))
            i++;
        if (i == begin)
            return false;
        if (i == n)
            return true;
        if (s[i] == '-') {
            while (i < n && s[i] == '-')
                i++;
        } else if (s[i] == '_') {
            i += i + 1 < n && s[i + 1] == '_' ? 2 : 1;
        } else if (s[i] == '.') {
            i++;
        } else {
            return false;
        }
    }
}

static bool path_ok(const char *s)
{
    for (;;) {
        size_t n = strcspn(s, "/");

        if (!component_ok(s, n))
            return false;
        if (s[n] == '\0')
            return true;
        s += n + 1;
    }
}

static bool host_ok(const char *s, size_t n)
{
    bool dot = true; /* at the beginning of a label */

    if (n > 2 && s[0] == '[' && s[n - 1] == ']') {
        for (size_t i = 1; i < n - 1; i++)
            if (!is_hex(s[i]) && !(s[i] >= 'A' && s[i] <= 'F') && s[i] != ':')
                return false;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        bool label_end = i + 1 == n || s[i + 1] == '.';

        if (s[i] == '.') {
            if (dot)
                return false;
            dot = true;
            continue;
        }
        if (!is_alnum(s[i]) && (s[i] != '-' || dot || label_end))
            return false;
        dot = false;
    }
    return n > 0 && !dot;
}

static bool domain_ok(const char *s)
{
    const char *port = strrchr(s, ':');
    size_t n = strlen(s);

    if (port != NULL && strchr(port, ']') == NULL) {
        if (port[1] == '\0' || strspn(port + 1, "0123456789") != strlen(port + 1))
            return false;
        n = (size_t)(port - s);
    }
    return host_ok(s, n);
}

static bool tag_ok(const char *s)
{
    size_t n = strlen(s);

    if (n == 0 || n > REFERENCE_TAG_MAX || (!is_alnum(s[0]) && s[0] != '_'))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_alnum(s[i]) && strchr("_.-", s[i]) == NULL)
            return false;
    return true;
}

static bool digest_ok(const char *s)
{
    const char *hex = strchr(s, ':');
    size_t want;

    if (hex == NULL)
        return false;
    hex++;
    want = str_starts(s, "sha256:") ? 64 : str_starts(s, "sha512:") ? 128 : 0;
    if (want == 0 || strlen(hex) != want)
        return false;
    for (size_t i = 0; i < want; i++)
        if (!is_hex(hex[i]))
            return false;
    return true;
}

/* The first component names a registry? */
static bool looks_like_domain(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] == '.' || s[i] == ':' || (s[i] >= 'A' && s[i] <= 'Z'))
            return true;
    return n == 9 && memcmp(s, "localhost", 9) == 0;
}

static void split_name(const char *name, struct reference *ret)
{
    size_t n = strcspn(name, "/");

    if (name[n] == '/' && looks_like_domain(name, n)) {
        ret->domain = xstrndup(name, n);
        ret->path = xstrdup(name + n + 1);
    } else {
        ret->domain = xstrdup("docker.io");
        ret->path = xstrdup(name);
    }
    if (strcmp(ret->domain, "index.docker.io") == 0) {
        free(ret->domain);
        ret->domain = xstrdup("docker.io");
    }
    if (strcmp(ret->domain, "docker.io") == 0 && strchr(ret->path, '/') == NULL) {
        char *path = xasprintf("library/%s", ret->path);

        free(ret->path);
        ret->path = path;
    }
}

static int bad(struct skl_error *err)
{
    return error_set(err, SKL_ERR_INVALID, "invalid reference format");
}

static int check(const struct reference *r, const char *name, struct skl_error *err)
{
    if (!path_ok(r->path)) {
        CLEANUP(free_p) char *lower = xstrdup(r->path);

        str_lower(lower);
        if (path_ok(lower))
            return error_set(err, SKL_ERR_INVALID, "invalid reference format: repository name (%s) must be lowercase",
                             r->path);
        return bad(err);
    }
    if (!domain_ok(r->domain) || (r->tag != NULL && !tag_ok(r->tag)) || (r->digest != NULL && !digest_ok(r->digest)))
        return bad(err);
    if (strlen(r->domain) + strlen(r->path) + 1 > REFERENCE_NAME_MAX)
        return error_set(err, SKL_ERR_INVALID, "repository name must not be more than %u characters",
                         REFERENCE_NAME_MAX);
    if (strlen(name) == 64 && str_is_hex(name) && r->tag == NULL && r->digest == NULL)
        return error_set(err, SKL_ERR_INVALID,
                         "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", name);
    return 0;
}

int reference_parse(const char *s, struct reference *ret, struct skl_error *err)
{
    CLEANUP(free_p) char *name = NULL;
    char *at, *colon;

    *ret = (struct reference){0};
    if (str_empty(s) || strlen(s) > REFERENCE_MAX)
        return bad(err);
    name = xstrdup(s);
    at = strchr(name, '@');
    if (at != NULL) {
        *at = '\0';
        ret->digest = xstrdup(at + 1);
    }
    colon = strrchr(name, ':');
    if (colon != NULL && strchr(colon, '/') == NULL) {
        *colon = '\0';
        ret->tag = xstrdup(colon + 1);
    }
    split_name(name, ret);
    if (check(ret, name, err) < 0) {
        reference_fini(ret);
        return -1;
    }
    return 0;
}

void reference_fini(struct reference *r)
{
    free(r->domain);
    free(r->path);
    free(r->tag);
    free(r->digest);
    *r = (struct reference){0};
}

void reference_default_tag(struct reference *r)
{
    if (r->tag == NULL && r->digest == NULL)
        r->tag = xstrdup("latest");
}

static char *join(const char *repo, const struct reference *r)
{
    return xasprintf("%s%s%s%s%s", repo, r->tag != NULL ? ":" : "", r->tag != NULL ? r->tag : "",
                     r->digest != NULL ? "@" : "", r->digest != NULL ? r->digest : "");
}

char *reference_repo(const struct reference *r)
{
    return xasprintf("%s/%s", r->domain, r->path);
}

/* What would not be read back as the same repository stays as it is: a path that looks like a registry, a name that looks
 * like an ID. */
char *reference_familiar_repo(const struct reference *r)
{
    const char *path = r->path;
    size_t first;

    if (strcmp(r->domain, "docker.io") != 0)
        return reference_repo(r);
    if (str_starts(path, "library/") && strchr(path + 8, '/') == NULL)
        path += 8;
    first = strcspn(path, "/");
    if ((path[first] == '/' && looks_like_domain(path, first)) || (strlen(path) == 64 && str_is_hex(path)))
        return reference_repo(r);
    return xstrdup(path);
}

char *reference_full(const struct reference *r)
{
    CLEANUP(free_p) char *repo = reference_repo(r);

    return join(repo, r);
}

char *reference_familiar(const struct reference *r)
{
    CLEANUP(free_p) char *repo = reference_familiar_repo(r);

    return join(repo, r);
}

char *reference_normalise(const char *s, struct skl_error *err)
{
    struct reference r;
    char *full;

    if (reference_parse(s, &r, err) < 0)
        return NULL;
    reference_default_tag(&r);
    full = reference_full(&r);
    reference_fini(&r);
    return full;
}
