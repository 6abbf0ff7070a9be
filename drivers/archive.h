/*
 * drivers/archive.h - what archive.c, upload.c and download.c share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DRIVERS_ARCHIVE_H
#define SKL_DRIVERS_ARCHIVE_H

#include "drivers/internal.h"

#define ARCHIVE_WAIT_NS (INT64_C(10) * 1000000000) /* for an agent that is away for the moment */

enum archive_way {
    ARCHIVE_AGENT,    /* connected */
    ARCHIVE_STAGING,  /* the container does not run */
    ARCHIVE_WAIT,     /* running, the agent is away */
    ARCHIVE_DECLINED  /* err says why */
};
enum archive_way archive_way(struct chain *ch, struct container *c, struct peer **ret_peer, struct skl_error *err);
/* Resource path with its query; caller frees. mkdir: a missing destination is made (staged uploads: the daemon does not
 * know the image's directories, so it can't refuse at upload time as Docker does). */
char *archive_path(const char *path, const struct chain_put_opts *put, bool mkdir);
char *archive_stat_json(const char *header);
/* The answer for what no layer of the staging area has. */
void archive_not_found(struct skl_error *ret, const struct skl_error *err, const char *path, const char *id, bool ran);

#endif
