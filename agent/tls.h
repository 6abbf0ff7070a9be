/*
 * agent/tls.h - TLS of the dial: OpenSSL as a client on a non-blocking socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_TLS_H
#define SKL_AGENT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/error.h"

struct tls;

/* ca_file NULL: the bundles of the usual distributions. The server's certificate must be host's. */
struct tls *tlsc_new(int fd, const char *host, const char *ca_file, const char *ca_pem, struct skl_error *err);
void tlsc_free(struct tls *t);                            /* NULL is fine */
int tlsc_handshake(struct tls *t, struct skl_error *err); /* 1 done, 0 not yet, -1 failed */
ssize_t tlsc_read(struct tls *t, void *p, size_t n);      /* bytes, 0 end, -errno */
ssize_t tlsc_write(struct tls *t, const void *p, size_t n);
bool tlsc_wants_write(const struct tls *t);               /* NULL: false */

#endif
