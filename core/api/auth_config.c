/*
 * api/auth_config.c - see auth_config.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/auth_config.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

static void wipe(char **s)
{
    if (*s != NULL)
        mem_wipe(*s, strlen(*s));
    free(*s);
    *s = NULL;
}

void auth_config_fini(struct auth_config *a)
{
    wipe(&a->username);
    wipe(&a->password);
    wipe(&a->identity_token);
    wipe(&a->registry_token);
    free(a->server_address);
    a->server_address = NULL;
}

static int take(struct json_object *obj, const char *name, char **ret, struct skl_error *err)
{
    const char *v = NULL;

    if (json_get_string(obj, name, &v, err) < 0)
        return -1;
    if (!str_empty(v))
        *ret = xstrdup(v);
    return 0;
}

/* "auth": base64 of user:password, as in the command line's configuration file. */
static int split_auth(struct json_object *obj, struct auth_config *ret, struct skl_error *err)
{
    const char *auth = NULL;
    struct buf text;
    char *colon;

    if (ret->username != NULL || json_get_string(obj, "auth", &auth, err) < 0 || str_empty(auth))
        return 0;
    buf_init(&text, AUTH_HEADER_MAX);
    colon = base64_decode(&text, auth, strlen(auth)) == 0 && text.len > 0 ? strchr(text.data, ':') : NULL;
    if (colon != NULL) {
        ret->username = xstrndup(text.data, (size_t)(colon - text.data));
        if (ret->password == NULL)
            ret->password = xstrdup(colon + 1);
    }
    if (text.data != NULL)
        mem_wipe(text.data, text.len);
    buf_fini(&text);
    return 0;
}

int auth_config_parse_json(struct json_object *obj, struct auth_config *ret, struct skl_error *err)
{
    *ret = (struct auth_config){0};
    if (take(obj, "username", &ret->username, err) == 0 && take(obj, "password", &ret->password, err) == 0 &&
        take(obj, "identitytoken", &ret->identity_token, err) == 0 &&
        take(obj, "registrytoken", &ret->registry_token, err) == 0 &&
        take(obj, "serveraddress", &ret->server_address, err) == 0 && split_auth(obj, ret, err) == 0)
        return 0;
    auth_config_fini(ret);
    return -1;
}

int auth_config_parse_header(const char *header, struct auth_config *ret, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *obj = NULL;
    struct buf text;
    bool was_null = false;
    int rc;

    *ret = (struct auth_config){0};
    if (str_empty(header))
        return 0;
    buf_init(&text, AUTH_HEADER_MAX);
    rc = base64_decode(&text, header, strlen(header));
    if (rc == 0 && text.len > 0)
        obj = json_parse(text.data, text.len, AUTH_HEADER_MAX, JSON_WANT_OBJECT, &was_null, NULL);
    if (text.data != NULL)
        mem_wipe(text.data, text.len);
    buf_fini(&text);
    if (was_null)
        return 0;
    if (obj == NULL) /* the parser's text could quote the secret */
        return error_set(err, SKL_ERR_INVALID, "invalid X-Registry-Auth header: %s",
                         rc < 0 ? "not base64" : "not a JSON object");
    if (auth_config_parse_json(obj, ret, err) < 0)
        return error_prefix(err, "invalid X-Registry-Auth header");
    return 0;
}
