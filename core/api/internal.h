/*
 * api/internal.h - the handlers of all resources, and what they share. Internal to core/api.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_INTERNAL_H
#define SKL_API_INTERNAL_H

#include "api/call.h"
#include "json/jw.h"

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

/* archive.c */
void api_archive_get(struct api_call *c);
void api_archive_put(struct api_call *c);
void api_archive_stat(struct api_call *c);
void api_containers_changes(struct api_call *c);
void api_containers_export(struct api_call *c);
void api_containers_top(struct api_call *c);

/* attach.c */
void api_containers_attach(struct api_call *c);
void api_containers_attach_ws(struct api_call *c);

/* auth.c */
void api_auth(struct api_call *c);
void api_distribution(struct api_call *c);

/* call.c */
void api_call_free(struct api_call *c);

/* containers_create.c */
void api_containers_create(struct api_call *c);

/* containers_inspect.c */
void api_containers_inspect(struct api_call *c);

/* containers_list.c */
void api_containers_list(struct api_call *c);

/* containers_ops.c */
void api_containers_kill(struct api_call *c);
void api_containers_pause(struct api_call *c);
void api_containers_remove(struct api_call *c);
void api_containers_rename(struct api_call *c);
void api_containers_resize(struct api_call *c);
void api_containers_restart(struct api_call *c);
void api_containers_start(struct api_call *c);
void api_containers_stop(struct api_call *c);
void api_containers_unpause(struct api_call *c);
void api_containers_update(struct api_call *c);
void api_containers_wait(struct api_call *c);

/* df.c */
void api_system_df(struct api_call *c);

/* events.c */
void api_events(struct api_call *c);

/* exec.c */
void api_exec_create(struct api_call *c);
void api_exec_inspect(struct api_call *c);
void api_exec_resize(struct api_call *c);
void api_exec_start(struct api_call *c);

/* images.c */
void api_images_history(struct api_call *c);
void api_images_inspect(struct api_call *c);
void api_images_list(struct api_call *c);
void api_images_remove(struct api_call *c);
void api_images_tag(struct api_call *c);

/* images_pull.c */
void api_images_create(struct api_call *c);

/* info.c */
void api_info(struct api_call *c);

/* logs.c */
void api_containers_logs(struct api_call *c);

/* networks.c */
void api_networks_connect(struct api_call *c);
void api_networks_create(struct api_call *c);
void api_networks_disconnect(struct api_call *c);
void api_networks_inspect(struct api_call *c);
void api_networks_list(struct api_call *c);
void api_networks_remove(struct api_call *c);

/* prune.c */
void api_build_prune(struct api_call *c);
void api_containers_prune(struct api_call *c);
void api_images_prune(struct api_call *c);
void api_networks_prune(struct api_call *c);
void api_volumes_prune(struct api_call *c);

/* stats.c */
void api_containers_stats(struct api_call *c);

/* unsupported.c */
void api_build(struct api_call *c);
void api_build_cancel(struct api_call *c);
void api_buildkit(struct api_call *c);
void api_commit(struct api_call *c);
void api_images_import(struct api_call *c);
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

/* volumes.c */
void api_volumes_create(struct api_call *c);
void api_volumes_inspect(struct api_call *c);
void api_volumes_list(struct api_call *c);
void api_volumes_update(struct api_call *c);
void api_volumes_remove(struct api_call *c);

/* ---- shared pieces ---- */
struct lists_cache *lists_cache_new(void);
void lists_cache_free(struct lists_cache *lc);
struct api_prune_locks *prune_locks_new(void);
void prune_locks_free(struct api_prune_locks *l);
/* h and w of a resize. */
int api_query_size(struct api_call *c, unsigned *ret_h, unsigned *ret_w, struct skl_error *err);

struct container;
struct filter;
struct image;
struct volume;
void container_write_item(struct api_call *c, struct jw *w, const struct container *k, int64_t now, bool size);
/* images_pull.c. "linux[/arch[/variant]]": its system is linux; its architecture, under whatever name, is that one. */
int api_platform_check(const char *platform, struct skl_error *err);
bool api_platform_is(const char *platform, const char *arch);
#define API_NO_IPV6 "user specified IP address is supported only when connecting to networks with user configured subnets"
/* What costs Docker time and is told only when asked for. */
#define IMAGE_CONTAINERS 1u
#define IMAGE_SHARED_SIZE 2u
void image_write_item(struct jw *w, const struct image *im, const struct filter *reference, int version, unsigned counts);
void volume_write(struct jw *w, const struct volume *v, bool usage);

#endif
