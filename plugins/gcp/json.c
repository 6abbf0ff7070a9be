/*
 * gcp/json.c - see json.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/json.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Protobuf's own limit is 100 messages, of which a value of free form (jsonPayload) takes one a level. */
#define JSON_DEPTH_MAX 128
#define JSON_KEY_MAX   64

struct json_object *gcp_json_parse(const char *text, size_t n)
{
    struct json_tokener *tok;
    struct json_object *o = NULL;

    if (!text || !n || n > INT32_MAX)
        return NULL;
    tok = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (!tok)
        return NULL;
    /* STRICT refuses trailing bytes; invalid UTF-8 is let through: messages are cleaned where they are shown.
     */
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
    o = json_tokener_parse_ex(tok, text, (int)n);
    if (json_tokener_get_error(tok) == json_tokener_continue) /* a lone number or literal at the very end */
        o = json_tokener_parse_ex(tok, "", 1);
    if (json_tokener_get_error(tok) != json_tokener_success) {
        json_object_put(o);
        o = NULL;
    }
    json_tokener_free(tok);
    return o;
}

/* "buildConfig" -> "build_config". */
static bool snake_case(const char *key, char out[JSON_KEY_MAX])
{
    size_t n = 0;

    for (; *key; key++) {
        if (n + 3 > JSON_KEY_MAX)
            return false;
        if (isupper((unsigned char)*key))
            out[n++] = '_';
        out[n++] = (char)tolower((unsigned char)*key);
    }
    out[n] = '\0';
    return true;
}

static struct json_object *get_one(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    char snake[JSON_KEY_MAX];

    if (!json_object_is_type(o, json_type_object))
        return NULL;
    if (json_object_object_get_ex(o, key, &v) && v)
        return v;
    if (snake_case(key, snake) && json_object_object_get_ex(o, snake, &v))
        return v;
    return NULL;
}

struct json_object *gcp_json_get(struct json_object *o, const char *path)
{
    char key[JSON_KEY_MAX];

    while (o) {
        size_t n = strcspn(path, ".");

        if (n >= sizeof(key))
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        o = get_one(o, key);
        if (!path[n])
            return o;
        path += n + 1;
    }
    return NULL;
}

const char *gcp_json_str(struct json_object *o, const char *path)
{
    struct json_object *v = gcp_json_get(o, path);

    if (!json_object_is_type(v, json_type_string) || !json_object_get_string_len(v))
        return NULL;
    return json_object_get_string(v);
}

int64_t gcp_json_int(struct json_object *o, const char *path, int64_t otherwise)
{
    struct json_object *v = gcp_json_get(o, path);
    const char *text;
    char *end;
    long long n;

    if (json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double))
        return json_object_get_int64(v);
    if (!json_object_is_type(v, json_type_string))
        return otherwise;
    text = json_object_get_string(v);
    errno = 0;
    n = strtoll(text, &end, 10);
    return end == text || *end || errno ? otherwise : n;
}

bool gcp_json_bool(struct json_object *o, const char *path)
{
    struct json_object *v = gcp_json_get(o, path);

    return json_object_is_type(v, json_type_boolean) && json_object_get_boolean(v);
}

struct json_object *gcp_json_array(struct json_object *o, const char *path)
{
    struct json_object *v = gcp_json_get(o, path);

    return json_object_is_type(v, json_type_array) ? v : NULL;
}

const char *gcp_json_enum(struct json_object *o, const char *path, const char *const *names)
{
    struct json_object *v = gcp_json_get(o, path);

    if (json_object_is_type(v, json_type_string))
        return json_object_get_string(v);
    if (!json_object_is_type(v, json_type_int))
        return NULL;
    for (int i = 0; names[i]; i++)
        if (json_object_get_int64(v) == i)
            return names[i];
    return NULL;
}

static void put(struct json_object *o, const char *key, struct json_object *v)
{
    if (o && v && json_object_object_add(o, key, v))
        json_object_put(v);
}

void gcp_json_put_str(struct json_object *o, const char *key, const char *value)
{
    if (value)
        put(o, key, json_object_new_string(value));
}

void gcp_json_put_int(struct json_object *o, const char *key, int64_t value)
{
    put(o, key, json_object_new_int64(value));
}

void gcp_json_put_bool(struct json_object *o, const char *key, bool value)
{
    put(o, key, json_object_new_boolean(value));
}

struct json_object *gcp_json_put_object(struct json_object *o, const char *key)
{
    put(o, key, json_object_new_object());
    return gcp_json_get(o, key);
}

struct json_object *gcp_json_put_array(struct json_object *o, const char *key)
{
    put(o, key, json_object_new_array());
    return gcp_json_get(o, key);
}

const char *gcp_json_text(struct json_object *o)
{
    return o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
             : NULL;
}
