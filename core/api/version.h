/*
 * api/version.h - the "/v1.41" in front of a path.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_VERSION_H
#define SKL_API_VERSION_H

#include <stddef.h>
#include "base/error.h"

/* Compares dotted numbers component by component ("1.9" < "1.24", "1.44" == "1.44.0"). */
int version_compare(const char *a, size_t alen, const char *b, size_t blen);

/* Splits "/v1.41/containers/json": *ret_path points to "/containers/json", *ret_minor is 41. Without a prefix the
 * whole path and the newest version. An unsupported version is an error with Docker's text; *ret_old then tells
 * whether it is one whose errors were plain text (below 1.24). */
int version_split(const char *path, const char **ret_path, int *ret_minor, int *ret_old, struct skl_error *err);

#endif
