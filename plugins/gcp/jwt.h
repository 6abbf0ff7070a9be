/*
 * gcp/jwt.h - JSON Web Tokens: signing with a service account's key (RS256), and reading one's lifetime.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_JWT_H
#define SKL_GCP_JWT_H

#include <stdbool.h>
#include <stdint.h>
#include "sockerless/error.h"

struct gcp_key;

/* From PEM (PKCS#8 or PKCS#1). NULL: err tells, without any of the key in it. */
struct gcp_key *gcp_key_new(const char *pem, struct skl_error *err);
void gcp_key_free(struct gcp_key *key); /* takes NULL */

/* "header.claims.signature" over the claims' JSON text. New string; NULL: err tells. */
char *gcp_jwt_sign(const struct gcp_key *key, const char *key_id, const char *claims, struct skl_error *err);

/* Seconds until the end of a token, by the server's clock (now: Unix seconds; 0: unknown, then it is a new one);
 * nothing is verified. False when it is not a JWT with iat and exp, or has ended. */
bool gcp_jwt_lifetime(const char *token, int64_t now, int64_t *ret_seconds);

#endif
