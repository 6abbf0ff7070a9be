/*
 * plugin/trust.h - whether a file may be loaded into the daemon.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_PLUGIN_TRUST_H
#define SKL_PLUGIN_TRUST_H

#include "base/error.h"

/* Opens the file for reading when nobody but root and the daemon's own user can change what the path leads to: it is
 * a regular file, owned by one of the two, writable by no others, and so is each directory above it (one with the
 * sticky bit, as /tmp, may be writable). Links are followed first; *ret_path is the path without them (caller
 * frees). An open descriptor, or negative: NOT_FOUND, FORBIDDEN or UNAVAILABLE with the reason. */
int trust_open(const char *path, char **ret_path, struct skl_error *err);

#endif
