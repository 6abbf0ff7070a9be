/*
 * api/port.c - see port.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/port.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

static bool parse_number(const char *s, size_t n, uint16_t *ret)
{
    char text[8];
    int64_t v;

    if (n == 0 || n >= sizeof(text))
        return false;
    memcpy(text, s, n);
    text[n] = '\0';
    if (!str_to_i64(text, 0, 65535, &v))
        return false;
    *ret = (uint16_t)v;
    return true;
}

/* "80" or "80-90" */
static bool parse_range(const char *s, size_t n, uint16_t *ret_first, uint16_t *ret_last)
{
    const char *dash = memchr(s, '-', n);

    if (dash == NULL) {
        if (!parse_number(s, n, ret_first))
            return false;
        *ret_last = *ret_first;
        return true;
    }
    return parse_number(s, (size_t)(dash - s), ret_first) &&
           parse_number(dash + 1, n - (size_t)(dash - s) - 1, ret_last) && *ret_first <= *ret_last;
}

int port_parse(const char *s, struct port *ret, struct skl_error *err)
{
    size_t n = strcspn(s, "/");
    const char *proto = s[n] == '/' ? s + n + 1 : "tcp";

    if (!parse_range(s, n, &ret->first, &ret->last) || ret->first == 0)
        return error_set(err, SKL_ERR_INVALID, "invalid port specification: \"%s\"", s);
    if (!str_ieq(proto, "tcp") && !str_ieq(proto, "udp") && !str_ieq(proto, "sctp"))
        return error_set(err, SKL_ERR_INVALID, "invalid protocol in port specification: \"%s\"", s);
    memcpy(ret->proto, proto, strlen(proto) + 1);
    str_lower(ret->proto);
    return 0;
}

int port_parse_host(const char *s, uint16_t *ret_first, uint16_t *ret_last, struct skl_error *err)
{
    *ret_first = *ret_last = 0;
    if (str_empty(s) || parse_range(s, strlen(s), ret_first, ret_last))
        return 0;
    return error_set(err, SKL_ERR_INVALID, "invalid port specification: \"%s\"", s);
}

bool name_is_valid(const char *s)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    return s[0] != '\0' && strchr(first, s[0]) != NULL && s[1] != '\0' && s[strspn(s, rest)] == '\0';
}

/* ---- binds ---- */
static int invalid(const char *s, struct skl_error *err)
{
    return error_set(err, SKL_ERR_INVALID, "invalid volume specification: '%s'", s);
}

static int apply_mode(struct bind *b, const char *s, struct skl_error *err)
{
    static const char *const known[] = {"rw",     "z",        "Z",       "shared",  "rshared",    "slave",
                                        "rslave", "private",  "rprivate", "consistent", "cached", "delegated"};
    CLEANUP(free_p) char **words = str_split(b->mode, ',', NULL);

    for (char **w = words; *w != NULL; w++) {
        bool ok = false;
        if (strcmp(*w, "ro") == 0)
            ok = b->read_only = true;
        if (strcmp(*w, "nocopy") == 0 && b->kind == BIND_VOLUME)
            ok = b->no_copy = true;
        for (size_t i = 0; !ok && i < ARRAY_LEN(known); i++)
            ok = strcmp(*w, known[i]) == 0;
        if (!ok)
            return error_set(err, SKL_ERR_INVALID, "invalid volume specification: '%s': invalid mode: %s", s, *w);
    }
    return 0;
}

static int parse_bind(const char *s, struct bind *ret, struct skl_error *err)
{
    const char *colon = strchr(s, ':');
    const char *second = colon != NULL ? strchr(colon + 1, ':') : NULL;

    if (s[0] == '\0' || colon == s || (second != NULL && strchr(second + 1, ':') != NULL))
        return invalid(s, err);
    ret->source = colon != NULL ? xstrndup(s, (size_t)(colon - s)) : xstrdup("");
    ret->target = colon == NULL ? xstrdup(s) : second != NULL ? xstrndup(colon + 1, (size_t)(second - colon - 1)) : xstrdup(colon + 1);
    ret->mode = xstrdup(second != NULL ? second + 1 : "");
    ret->kind = ret->source[0] == '/' ? BIND_HOST : BIND_VOLUME;
    if (ret->target[0] != '/')
        return error_set(err, SKL_ERR_INVALID,
                         "invalid volume specification: '%s': invalid mount config for type \"%s\": invalid mount path: '%s' "
                         "mount path must be absolute", s, ret->kind == BIND_HOST ? "bind" : "volume", ret->target);
    if (strspn(ret->target, "/") == strlen(ret->target))
        return error_set(err, SKL_ERR_INVALID, "invalid volume specification: '%s': invalid specification: destination "
                         "can't be '/'", s);
    if (ret->kind == BIND_VOLUME && colon != NULL && !name_is_valid(ret->source))
        return error_set(err, SKL_ERR_INVALID,
                         "create %s: \"%s\" includes invalid characters for a local volume name, only "
                         "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute "
                         "path", ret->source, ret->source);
    return apply_mode(ret, s, err);
}

int bind_parse(const char *s, struct bind *ret, struct skl_error *err)
{
    *ret = (struct bind){0};
    if (parse_bind(s, ret, err) == 0)
        return 0;
    bind_fini(ret);
    return -1;
}

void bind_fini(struct bind *b)
{
    free(b->source);
    free(b->target);
    free(b->mode);
    *b = (struct bind){0};
}
