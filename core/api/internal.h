/*
 * api/internal.h - the handlers of all resources, and what they share. Internal to core/api.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_INTERNAL_H
#define SKL_API_INTERNAL_H

#include "api/call.h"

/* Which source and when: reproducible builds set these from outside. */
#ifndef API_GIT_COMMIT
#define API_GIT_COMMIT PACKAGE_VERSION
#endif
#ifndef API_BUILD_TIME
#define API_BUILD_TIME "1970-01-01T00:00:00.000000000+00:00"
#endif

void api_modules_init(struct api *api);
void api_modules_fini(struct api *api);

/* system.c */
bool api_ping(struct http_req *req); /* false: not a method for it */
const char *api_architecture(void);
void api_ping_get(struct api_call *c);
void api_version(struct api_call *c);

/* unsupported.c */
void api_build(struct api_call *c);
void api_build_cancel(struct api_call *c);
void api_buildkit(struct api_call *c);
void api_commit(struct api_call *c);
void api_images_import(struct api_call *c); /* images/create?fromSrc= */
void api_images_load(struct api_call *c);
void api_images_push(struct api_call *c);
void api_images_save(struct api_call *c);
void api_images_search(struct api_call *c);
void api_plugin(struct api_call *c);
void api_plugins_add(struct api_call *c);
void api_plugins_list(struct api_call *c);
void api_swarm(struct api_call *c);
void api_swarm_join(struct api_call *c);
void api_swarm_leave(struct api_call *c);

#endif
