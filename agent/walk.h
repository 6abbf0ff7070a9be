/*
 * agent/walk.h - a file or a tree as a pax tar, pulled piece by piece: GET /archive and /export.
 *
 * Names are resolved by the kernel, level by level from open directories, so nothing that moves meanwhile leads astray.
 * What vanishes before its turn is left out; a file that shrinks while it is sent ends the stream with an error, since its size
 * is out already. Sockets have no place in a tar. /proc and the like, and the agent's own directory, are not entered.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_WALK_H
#define SKL_AGENT_WALK_H

#include "base/error.h"
#include "wire/h2.h"

#define WALK_DEPTH_MAX 256u     /* directories open at once */
#define WALK_LINKS_MAX 65536u   /* files with several names that are remembered; beyond, each name gets a copy */

struct walk;
struct walk_opts {
    const char *path;           /* absolute */
    bool follow;                /* a link at the end of path is followed */
    const char *name;           /* of the top entry: "dir", ".", "/"; its children are below it. "": a directory without an entry */
    bool one_file_system;
};

/* NOT_FOUND when there is nothing. */
struct walk *walk_new(const struct walk_opts *opts, struct skl_error *err);
void walk_free(struct walk *w);
/* As struct h2_body.pull; arg is the walk. */
ssize_t walk_pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof);
/* Why the last pull was an abort. */
const char *walk_failure(const struct walk *w);

#endif
