/*
 * api/auth_config.h - registry credentials as clients send them: X-Registry-Auth (base64 of JSON, in any of the four
 * spellings) and the body of POST /auth.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_AUTH_CONFIG_H
#define SKL_API_AUTH_CONFIG_H

#include <json-c/json.h>
#include "base/error.h"

struct auth_config {
    char *username;       /* each may be NULL */
    char *password;       /* secret */
    char *identity_token; /* secret: an OAuth2 refresh token */
    char *registry_token; /* secret: a bearer token as it is */
    char *server_address;
};

#define AUTH_HEADER_MAX 16384u

/* header NULL or "": empty credentials. */
int auth_config_parse_header(const char *header, struct auth_config *ret, struct skl_error *err);
int auth_config_parse_json(struct json_object *obj, struct auth_config *ret, struct skl_error *err);
void auth_config_fini(struct auth_config *a); /* wipes */

#endif
