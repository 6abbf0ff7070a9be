/*
 * api/containers_text.h - what several answers say of a container; internal to core/api.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_CONTAINERS_TEXT_H
#define SKL_API_CONTAINERS_TEXT_H

#include "base/buf.h"
#include "json/jw.h"
#include "state/container.h"

void container_status_text(const struct container *c, int64_t now_wall, struct buf *out);
void container_each_port(const struct container *c, void (*fn)(void *arg, const char *port, const char *ip, const char *host_port),
                         void *arg);
void container_write_port_map(struct jw *w, const char *key, const struct container *c);
void container_write_port_list(struct jw *w, const char *key, const struct container *c);
void container_write_mounts(struct jw *w, const char *key, const struct container *c);
void endpoint_write(struct jw *w, const struct container *c, const struct endpoint *ep);
void container_write_networks(struct jw *w, const char *key, const struct container *c);

#endif
