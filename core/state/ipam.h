/*
 * state/ipam.h - IPv4 pools and addresses of networks. Internal to core/state.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_IPAM_H
#define SKL_STATE_IPAM_H

#include "state/internal.h"

/* "a.b.c.d/n" -> network address and length. The address may have host bits (they are cleared). */
bool cidr_parse(const char *s, uint32_t *ret_ip, unsigned *ret_len);
uint32_t prefix_mask(unsigned len);

/* Gives n its pool: from ipam_config (Docker's array, or NULL: a default pool). Writes n->ipam_config. */
int ipam_pool(struct network *n, struct json_object *config, struct skl_error *err);
/* From n->ipam_config as stored. */
int ipam_pool_restore(struct network *n, struct skl_error *err);

/* An address for ep (asked: as text, or NULL for any), and the MAC address that goes with it. */
int ipam_address(struct network *n, struct endpoint *ep, const char *asked, struct skl_error *err);

bool mac_parse(const char *s, uint8_t ret[6]);

#endif
