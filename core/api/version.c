/*
 * api/version.c - see version.h. Reference 2.1.1 to 2.1.3.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/version.h"
#include <string.h>
#include "api/api.h"

/* The next component as a number, saturated; moves *s behind it and its dot. */
static long component(const char **s, const char *end)
{
    long n = 0;

    while (*s < end && **s != '.') {
        if (n < 100000000)
            n = n * 10 + (**s - '0');
        (*s)++;
    }
    if (*s < end)
        (*s)++;
    return n;
}

int version_compare(const char *a, size_t alen, const char *b, size_t blen)
{
    const char *aend = a + alen, *bend = b + blen;

    while (a < aend || b < bend) {
        long x = component(&a, aend), y = component(&b, bend);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static int check(const char *v, size_t n, int *ret_minor, int *ret_old, struct skl_error *err)
{
    const char *at = v;

    if (version_compare(v, n, API_VERSION_MIN, strlen(API_VERSION_MIN)) < 0) {
        *ret_old = 1;
        return error_set(err, SKL_ERR_INVALID,
                         "client version %.*s is too old. Minimum supported API version is %s, please upgrade your "
                         "client to a newer version",
                         (int)n, v, API_VERSION_MIN);
    }
    if (version_compare(v, n, API_VERSION_MAX, strlen(API_VERSION_MAX)) > 0)
        return error_set(err, SKL_ERR_INVALID,
                         "client version %.*s is too new. Maximum supported API version is %s", (int)n, v,
                         API_VERSION_MAX);
    component(&at, v + n);
    *ret_minor = (int)component(&at, v + n);
    return 0;
}

int version_split(const char *path, const char **ret_path, int *ret_minor, int *ret_old, struct skl_error *err)
{
    size_t n;

    *ret_path = path;
    *ret_minor = API_MINOR_MAX;
    *ret_old = 0;
    if (path[0] != '/' || path[1] != 'v')
        return 0;
    n = strspn(path + 2, "0123456789.");
    if (n == 0 || path[2] == '.' || path[2 + n] != '/')
        return 0;
    *ret_path = path + 2 + n;
    return check(path + 2, n < 32 ? n : 32, ret_minor, ret_old, err);
}
