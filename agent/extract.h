/*
 * agent/extract.h - puts a tar's entries below a directory: PUT /archive (reference 2.14.4).
 *
 * Names are cleaned; one that would leave the directory is refused. Existing links on the way are followed, as the container's own
 * programs would follow them. What stands in an entry's place goes first, unless it is a directory and the entry is one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_EXTRACT_H
#define SKL_AGENT_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/error.h"

#define EXTRACT_DIRS_MAX 65536u /* directories whose times are set at the end; beyond, at once */

struct extract;
struct extract_opts {
    const char *directory;        /* absolute, exists */
    bool no_overwrite_dir_non_dir;
    bool chown;                   /* everything gets uid and gid */
    uid_t uid;
    gid_t gid;
};

struct extract *extract_new(const struct extract_opts *opts);
void extract_free(struct extract *x); /* what is half written stays */
/* Errors: INVALID (the tar, or what it asks for), FORBIDDEN (read-only), INTERNAL. None may follow. */
int extract_feed(struct extract *x, const uint8_t *p, size_t n, struct skl_error *err);
int extract_finish(struct extract *x, struct skl_error *err);

#endif
