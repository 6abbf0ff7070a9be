/*
 * http/tls.h - TLS contexts for listeners, with dockerd's flags (--tls, --tlsverify, --tlscacert, --tlscert,
 * --tlskey): TLS 1.2 and up; with `verify` a client certificate signed by ca_file is demanded.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_HTTP_TLS_H
#define SKL_HTTP_TLS_H

#include <stdbool.h>
#include "base/error.h"

struct ssl_ctx_st;

/* NULL on failure; the error names the file and OpenSSL's reason, never key material. */
struct ssl_ctx_st *tls_server_ctx_new(const char *cert_file, const char *key_file, const char *ca_file,
                                      bool verify, struct skl_error *err);
void tls_ctx_free(struct ssl_ctx_st *ctx);
struct ssl_ctx_st *tls_ctx_ref(struct ssl_ctx_st *ctx); /* one more owner; NULL in, NULL out */

#endif
