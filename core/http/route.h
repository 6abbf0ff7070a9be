/*
 * http/route.h - matching of raw paths against patterns, for any API.
 *
 * Patterns: "/containers/{id}/json"; {name} takes one raw segment, {name*} takes one or more segments (image
 * references hold '/'); a literal may follow it. Matching is on the RAW path, values are percent-decoded
 * afterwards (Cloud Logging's log ids hold %2F). Doubled slashes are squeezed; never a redirect (reference 2.1.12).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_HTTP_ROUTE_H
#define SKL_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#define ROUTE_PARAMS_MAX 6

struct route_match {
    size_t n;
    const char *names[ROUTE_PARAMS_MAX];  /* borrowed from the pattern; not NUL-terminated at '}' */
    size_t name_lens[ROUTE_PARAMS_MAX];
    char *values[ROUTE_PARAMS_MAX];       /* decoded; owned: route_match_fini */
};

/* false when it does not match or a value's escapes are malformed. */
bool route_match(const char *pattern, const char *raw_path, struct route_match *ret);
const char *route_param(const struct route_match *m, const char *name); /* or NULL */
void route_match_fini(struct route_match *m);

#endif
