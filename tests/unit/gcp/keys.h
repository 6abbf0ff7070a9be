/*
 * tests/unit/gcp/keys.h - keys, tokens and credential files for tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_TESTS_GCP_KEYS_H
#define SKL_TESTS_GCP_KEYS_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

const char *keys_pem(void);
const char *keys_encrypted(void);
const char *keys_ec(void);
/* Checks an RS256 signature made with the key. */
bool keys_verify(const char *jwt, struct json_object **ret_header, struct json_object **ret_claims);
/* Something with the shape of an ID token. */
const char *keys_id_token(int64_t lifetime_s, int serial);
const char *keys_id_token_of(int64_t issued_s, int64_t lifetime_s, int serial);
/* A service account file; members of `extra` (JSON) replace the usual ones. Caller frees. */
char *keys_file(const char *extra);
/* Writes a file into the test's directory; its path, in a static buffer of four. */
const char *keys_write(const char *name, const char *text);

#endif
