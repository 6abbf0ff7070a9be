/*
 * api/filters.h - the `filters` query parameter of lists, prunes and events.
 *
 * Two spellings: {"label":{"a=b":true}} (Go clients) and {"label":["a=b"]} (docker-py, dockerode). Values of one
 * key are alternatives, different keys must all match; labels must all match (reference 2.8.3, 2.8.4).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_FILTERS_H
#define SKL_API_FILTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct filter {
    char *key;
    char **values; /* NULL-terminated */
    size_t n;
};
struct filters {
    struct filter *items;
    size_t n;
};

/* text NULL or "": no filters. allowed: NULL-terminated list of keys; NULL: any. *ret is valid (empty) on failure too. */
int filters_parse(const char *text, const char *const *allowed, struct filters *ret, struct skl_error *err);
void filters_fini(struct filters *f);

const struct filter *filters_get(const struct filters *f, const char *key); /* or NULL */
bool filters_has(const struct filters *f, const char *key);
/* No such key, or one of its values is exactly v. */
bool filters_match_exact(const struct filters *f, const char *key, const char *v);
/* No such key, or v begins with one of its values. */
bool filters_match_prefix(const struct filters *f, const char *key, const char *v);
/* No such key, or one of its values is a substring of v. */
bool filters_match_substring(const struct filters *f, const char *key, const char *v);
/* "k" or "k=v"; `get` looks a label up: its value or NULL. All values must hold (or, for "label!", none). */
bool filters_match_labels(const struct filters *f, const char *key, const char *(*get)(void *arg, const char *label),
                          void *arg);
/* One value out of true, 1, false, 0. Absent: if_absent. */
int filters_bool(const struct filters *f, const char *key, bool if_absent, bool *ret, struct skl_error *err);
/* until: one time (RFC 3339, seconds, or a duration meaning "ago"). Absent: 0. */
int filters_until(const struct filters *f, int64_t now_wall, int64_t *ret_wall, struct skl_error *err);

/* Docker's container `name` filter: patterns that may match anywhere. A pattern that is no regular expression (or
 * one too costly) matches as plain text. */
struct filter_patterns;
struct filter_patterns *filter_patterns_new(const struct filter *f); /* NULL in, NULL out */
void filter_patterns_free(struct filter_patterns *p);
bool filter_patterns_match(const struct filter_patterns *p, const char *s); /* NULL p: true */

#endif
