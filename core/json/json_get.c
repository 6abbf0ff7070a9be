/*
 * json/json_get.c - typed reading: see json.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <strings.h>
#include "json/json.h"

#define NAME_MAX_LEN 256u

const char *json_type_text(struct json_object *v)
{
    switch (json_object_get_type(v)) {
    case json_type_boolean:
        return "a boolean";
    case json_type_int:
    case json_type_double:
        return "a number";
    case json_type_string:
        return "a string";
    case json_type_array:
        return "an array";
    case json_type_object:
        return "an object";
    case json_type_null:
        break;
    }
    return "null";
}

/* One member, exactly, else ignoring case; false when absent. */
static bool lookup(struct json_object *obj, const char *name, size_t n, struct json_object **ret)
{
    char key[NAME_MAX_LEN];

    if (n >= sizeof(key))
        return false;
    memcpy(key, name, n);
    key[n] = '\0';
    if (json_object_object_get_ex(obj, key, ret))
        return true;
    json_object_object_foreach(obj, other, v)
    {
        if (strcasecmp(other, key) == 0) {
            *ret = v;
            return true;
        }
    }
    return false;
}

int json_get_any(struct json_object *obj, const char *path, struct json_object **ret, struct skl_error *err)
{
    struct json_object *v = obj;
    const char *name = path;

    for (;;) {
        size_t n = strcspn(name, ".");
        if (v == NULL)
            return JSON_ABSENT;
        if (!json_object_is_type(v, json_type_object))
            return error_set(err, SKL_ERR_INVALID, "%.*s must be an object, not %s",
                             name > path ? (int)(name - path - 1) : 8, name > path ? path : "the body",
                             json_type_text(v));
        if (!lookup(v, name, n, &v))
            return JSON_ABSENT;
        if (name[n] == '\0')
            break;
        name += n + 1;
    }
    *ret = v;
    return v != NULL ? JSON_FOUND : JSON_NULL;
}

/* Of that type; *ret only when found. */
static int get_typed(struct json_object *obj, const char *path, enum json_type type, const char *wanted,
                     struct json_object **ret, struct skl_error *err)
{
    struct json_object *v = NULL;
    int rc = json_get_any(obj, path, &v, err);

    if (rc != JSON_FOUND)
        return rc;
    if (!json_object_is_type(v, type))
        return error_set(err, SKL_ERR_INVALID, "%s must be %s, not %s", path, wanted, json_type_text(v));
    *ret = v;
    return JSON_FOUND;
}

int json_get_bytes(struct json_object *obj, const char *path, const char **ret, size_t *ret_len,
                   struct skl_error *err)
{
    struct json_object *v;
    int rc = get_typed(obj, path, json_type_string, "a string", &v, err);

    if (rc == JSON_FOUND) {
        *ret = json_object_get_string(v);
        *ret_len = (size_t)json_object_get_string_len(v);
    }
    return rc;
}

int json_get_string(struct json_object *obj, const char *path, const char **ret, struct skl_error *err)
{
    const char *s;
    size_t n;
    int rc = json_get_bytes(obj, path, &s, &n, err);

    if (rc != JSON_FOUND)
        return rc;
    if (strlen(s) != n)
        return error_set(err, SKL_ERR_INVALID, "%s must not hold a NUL character", path);
    *ret = s;
    return JSON_FOUND;
}

int json_get_bool(struct json_object *obj, const char *path, bool *ret, struct skl_error *err)
{
    struct json_object *v;
    int rc = get_typed(obj, path, json_type_boolean, "a boolean", &v, err);

    if (rc == JSON_FOUND)
        *ret = json_object_get_boolean(v);
    return rc;
}

/* json-c keeps what is beyond int64 as uint64, and saturates when asked for the other. */
static bool is_beyond_i64(struct json_object *v)
{
    return json_object_get_int64(v) == INT64_MAX && json_object_get_uint64(v) > INT64_MAX;
}

int json_get_i64(struct json_object *obj, const char *path, int64_t *ret, struct skl_error *err)
{
    struct json_object *v;
    int rc = get_typed(obj, path, json_type_int, "an integer", &v, err);

    if (rc != JSON_FOUND)
        return rc;
    if (is_beyond_i64(v))
        return error_set(err, SKL_ERR_INVALID, "%s is out of range", path);
    *ret = json_object_get_int64(v);
    return JSON_FOUND;
}

int json_get_i64_range(struct json_object *obj, const char *path, int64_t min, int64_t max, int64_t *ret,
                       struct skl_error *err)
{
    int64_t n;
    int rc = json_get_i64(obj, path, &n, err);

    if (rc != JSON_FOUND)
        return rc;
    if (n < min || n > max)
        return error_set(err, SKL_ERR_INVALID, "%s is out of range (%lld to %lld)", path, (long long)min, (long long)max);
    *ret = n;
    return JSON_FOUND;
}

int json_get_u64(struct json_object *obj, const char *path, uint64_t *ret, struct skl_error *err)
{
    struct json_object *v;
    int rc = get_typed(obj, path, json_type_int, "an integer", &v, err);

    if (rc != JSON_FOUND)
        return rc;
    if (json_object_get_int64(v) < 0)
        return error_set(err, SKL_ERR_INVALID, "%s must not be negative", path);
    *ret = json_object_get_uint64(v);
    return JSON_FOUND;
}

int json_get_double(struct json_object *obj, const char *path, double *ret, struct skl_error *err)
{
    struct json_object *v = NULL;
    int rc = json_get_any(obj, path, &v, err);

    if (rc != JSON_FOUND)
        return rc;
    if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
        return error_set(err, SKL_ERR_INVALID, "%s must be a number, not %s", path, json_type_text(v));
    *ret = json_object_get_double(v);
    return JSON_FOUND;
}

int json_get_object(struct json_object *obj, const char *path, struct json_object **ret, struct skl_error *err)
{
    return get_typed(obj, path, json_type_object, "an object", ret, err);
}

int json_get_array(struct json_object *obj, const char *path, struct json_object **ret, struct skl_error *err)
{
    return get_typed(obj, path, json_type_array, "an array", ret, err);
}

static int check_strings(struct json_object *array, const char *path, size_t *ret_bytes, struct skl_error *err)
{
    *ret_bytes = 0;
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        struct json_object *v = json_object_array_get_idx(array, i);
        if (!json_object_is_type(v, json_type_string))
            return error_set(err, SKL_ERR_INVALID, "%s[%zu] must be a string, not %s", path, i, json_type_text(v));
        if (strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
            return error_set(err, SKL_ERR_INVALID, "%s[%zu] must not hold a NUL character", path, i);
        *ret_bytes += (size_t)json_object_get_string_len(v) + 1;
    }
    return 0;
}

int json_get_strings(struct json_object *obj, const char *path, char ***ret, size_t *ret_n, struct skl_error *err)
{
    struct json_object *array;
    size_t n, bytes;
    char **strs, *text;
    int rc = get_typed(obj, path, json_type_array, "an array of strings", &array, err);

    if (rc != JSON_FOUND)
        return rc;
    if (check_strings(array, path, &bytes, err) < 0)
        return -1;
    n = json_object_array_length(array);
    strs = xmalloc((n + 1) * sizeof(*strs) + bytes);
    text = (char *)(strs + n + 1);
    for (size_t i = 0; i < n; i++) {
        struct json_object *v = json_object_array_get_idx(array, i);
        size_t len = (size_t)json_object_get_string_len(v) + 1;
        strs[i] = memcpy(text, json_object_get_string(v), len);
        text += len;
    }
    strs[n] = NULL;
    *ret = strs;
    if (ret_n != NULL)
        *ret_n = n;
    return JSON_FOUND;
}

int json_get_string_map(struct json_object *obj, const char *path, struct json_object **ret, struct skl_error *err)
{
    struct json_object *map;
    int rc = json_get_object(obj, path, &map, err);

    if (rc != JSON_FOUND)
        return rc;
    json_object_object_foreach(map, key, v)
    {
        if (!json_object_is_type(v, json_type_string))
            return error_set(err, SKL_ERR_INVALID, "%s.%s must be a string, not %s", path, key, json_type_text(v));
    }
    *ret = map;
    return JSON_FOUND;
}

struct json_object *json_member(struct json_object *obj, const char *key)
{
    struct json_object *v = NULL;

    if (json_object_is_type(obj, json_type_object))
        json_object_object_get_ex(obj, key, &v);
    return v;
}

const char *json_string_or(struct json_object *v, const char *if_not)
{
    return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : if_not;
}
