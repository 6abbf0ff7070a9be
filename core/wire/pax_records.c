/*
 * wire/pax_records.c - the bodies of pax and GNU extended headers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/pax_impl.h"

#define XATTR_PREFIX "SCHILY.xattr."
#define XATTRS_MAX 256

static int bad(struct skl_error *err, const char *why)
{
    return error_set(err, SKL_ERR_INVALID, "invalid tar header: %s", why);
}

/* "[-]SECONDS[.FRACTION]" to ns; more than nine digits of fraction are cut. */
static bool parse_time(const char *s, int64_t *ret)
{
    bool negative = *s == '-';
    CLEANUP(free_p) char *whole = NULL;
    size_t digits;
    int64_t seconds, fraction = 0, unit = NS_PER_S / 10;

    s += negative;
    digits = strspn(s, "0123456789");
    whole = xstrndup(s, digits);
    if (!str_to_i64(digits > 0 ? whole : "0", 0, INT64_MAX / NS_PER_S - 1, &seconds))
        return false;
    s += digits;
    if (*s == '.') {
        for (s++; *s >= '0' && *s <= '9'; s++, unit /= 10)
            fraction += (*s - '0') * unit;
    }
    if (*s != '\0')
        return false;
    *ret = seconds * NS_PER_S + fraction;
    if (negative)
        *ret = -*ret;
    return true;
}

static int add_xattr(struct pax_reader *r, const char *name, const uint8_t *value, size_t n, struct skl_error *err)
{
    if (r->n_xattrs == XATTRS_MAX)
        return bad(err, "too many extended attributes");
    r->xattrs = xrealloc(r->xattrs, (r->n_xattrs + 1) * sizeof(*r->xattrs));
    r->xattrs[r->n_xattrs++] = (struct pax_xattr){xstrdup(name), xmemdup(value, n), n};
    return 0;
}

static void replace(char **at, const char *value)
{
    free(*at);
    *at = value[0] != '\0' ? xstrdup(value) : NULL; /* an empty value takes the record back */
}

static int number(struct pax_reader *r, const char *value, unsigned bit, int64_t *at, struct skl_error *err)
{
    r->given &= ~bit;
    if (value[0] == '\0')
        return 0;
    if (!str_to_i64(value, 0, INT64_MAX, at))
        return bad(err, "a number in a pax record");
    r->given |= bit;
    return 0;
}

static int time_of(struct pax_reader *r, const char *value, unsigned bit, int64_t *at, struct skl_error *err)
{
    r->given &= ~bit;
    if (value[0] == '\0')
        return 0;
    if (!parse_time(value, at))
        return bad(err, "a time in a pax record");
    r->given |= bit;
    return 0;
}

/* key and value are NUL-terminated; n is the value's real length. */
static int take(struct pax_reader *r, const char *key, const char *value, size_t n, struct skl_error *err)
{
    if (str_starts(key, XATTR_PREFIX))
        return add_xattr(r, key + strlen(XATTR_PREFIX), (const uint8_t *)value, n, err);
    if (strlen(value) != n)
        return bad(err, "a NUL in a pax record");
    if (str_eq(key, "path"))
        replace(&r->path, value);
    else if (str_eq(key, "linkpath"))
        replace(&r->link, value);
    else if (str_eq(key, "uname"))
        replace(&r->uname, value);
    else if (str_eq(key, "gname"))
        replace(&r->gname, value);
    else if (str_eq(key, "size"))
        return number(r, value, PAX_HAS_SIZE, &r->size, err);
    else if (str_eq(key, "uid"))
        return number(r, value, PAX_HAS_UID, &r->uid, err);
    else if (str_eq(key, "gid"))
        return number(r, value, PAX_HAS_GID, &r->gid, err);
    else if (str_eq(key, "mtime"))
        return time_of(r, value, PAX_HAS_MTIME, &r->mtime, err);
    else if (str_eq(key, "atime"))
        return time_of(r, value, PAX_HAS_ATIME, &r->atime, err);
    else if (str_starts(key, "GNU.sparse."))
        return pax_sparse_record(&r->sparse, key + strlen("GNU.sparse."), value, err);
    return 0; /* comment, ctime, charset, ...: not ours */
}

/* Records may hold NULs in values, so they are walked by their lengths. */
int pax_records(struct pax_reader *r, struct skl_error *err)
{
    char *p = r->ext.data, *end = p + r->ext.len;

    while (p < end) {
        size_t digits = 0, len = 0;
        char *equals, *last;
        while (p + digits < end && p[digits] >= '0' && p[digits] <= '9' && digits < 8)
            len = len * 10 + (size_t)(p[digits++] - '0');
        if (digits == 0 || p + digits >= end || p[digits] != ' ' || len <= digits + 2 || len > (size_t)(end - p))
            return bad(err, "the length of a pax record");
        last = p + len - 1;
        equals = memchr(p + digits + 1, '=', len - digits - 2);
        if (*last != '\n' || equals == NULL)
            return bad(err, "a pax record");
        *equals = *last = '\0';
        if (strlen(p + digits + 1) != (size_t)(equals - p) - digits - 1)
            return bad(err, "a NUL in a pax record");
        if (take(r, p + digits + 1, equals + 1, (size_t)(last - equals) - 1, err) < 0)
            return -1;
        p += len;
    }
    return 0;
}

int pax_gnu_name(struct pax_reader *r, struct skl_error *err)
{
    char **at = r->ext_type == 'L' ? &r->path : &r->link;
    char *text = xstrndup(r->ext.len > 0 ? r->ext.data : "", strnlen(buf_str(&r->ext), r->ext.len));

    free(*at);
    *at = text;
    return text[0] != '\0' ? 0 : bad(err, "an empty long name");
}
