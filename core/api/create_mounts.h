/*
 * api/create_mounts.h - the mounts of POST /containers/create; internal to core/api.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_CREATE_MOUNTS_H
#define SKL_API_CREATE_MOUNTS_H

#include <json-c/json.h>
#include "base/error.h"
#include "state/container.h"

#define CREATE_MOUNTS_MAX 256u

struct create_mounts {
    struct container_mount list[CREATE_MOUNTS_MAX];
    size_t n;
};
/* config, host: canonical; what is taken borrows from them. To be ended with fini() also when it fails. */
int create_mounts_take(struct create_mounts *ms, struct engine *e, struct json_object *config, struct json_object *host,
                       struct skl_error *err);
void create_mounts_fini(struct create_mounts *ms);

#endif
