/*
 * json/json_build.c - building, emitting, copying and comparing: see json.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <string.h>
#include "json/json.h"

struct json_object *json_new_object(void)
{
    return json_object_new_object();
}

struct json_object *json_new_array(void)
{
    return json_object_new_array();
}

void json_add(struct json_object *obj, const char *key, struct json_object *v)
{
    json_object_object_add(obj, key, v);
}

void json_add_string(struct json_object *obj, const char *key, const char *s)
{
    json_add(obj, key, s != NULL ? json_object_new_string(s) : NULL);
}

void json_add_stringn(struct json_object *obj, const char *key, const char *s, size_t n)
{
    json_add(obj, key, json_object_new_string_len(s, (int)n));
}

void json_add_i64(struct json_object *obj, const char *key, int64_t n)
{
    json_add(obj, key, json_object_new_int64(n));
}

void json_add_u64(struct json_object *obj, const char *key, uint64_t n)
{
    json_add(obj, key, json_object_new_uint64(n));
}

void json_add_double(struct json_object *obj, const char *key, double d)
{
    json_add(obj, key, json_object_new_double(d));
}

void json_add_bool(struct json_object *obj, const char *key, bool b)
{
    json_add(obj, key, json_object_new_boolean(b));
}

void json_add_null(struct json_object *obj, const char *key)
{
    json_add(obj, key, NULL);
}

void json_add_strings(struct json_object *obj, const char *key, const char *const *strs)
{
    struct json_object *array;

    if (strs == NULL) {
        json_add_null(obj, key);
        return;
    }
    array = json_add_array(obj, key);
    for (; *strs != NULL; strs++)
        json_push_string(array, *strs);
}

struct json_object *json_add_object(struct json_object *obj, const char *key)
{
    struct json_object *child = json_object_new_object();

    json_add(obj, key, child);
    return child;
}

struct json_object *json_add_array(struct json_object *obj, const char *key)
{
    struct json_object *child = json_object_new_array();

    json_add(obj, key, child);
    return child;
}

void json_push(struct json_object *array, struct json_object *v)
{
    json_object_array_add(array, v);
}

void json_push_string(struct json_object *array, const char *s)
{
    json_push(array, json_object_new_string(s));
}

/* ---- emitting ---- */
static void emit(struct buf *out, struct json_object *v);

static void emit_object(struct buf *out, struct json_object *v)
{
    bool first = true;

    buf_putc(out, '{');
    json_object_object_foreach(v, key, member)
    {
        if (!first)
            buf_putc(out, ',');
        first = false;
        buf_json_string(out, key, strlen(key));
        buf_putc(out, ':');
        emit(out, member);
    }
    buf_putc(out, '}');
}

static void emit_array(struct buf *out, struct json_object *v)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        if (i > 0)
            buf_putc(out, ',');
        emit(out, json_object_array_get_idx(v, i));
    }
    buf_putc(out, ']');
}

static void emit_int(struct buf *out, struct json_object *v)
{
    if (json_object_get_int64(v) < 0)
        buf_printf(out, "%" PRId64, json_object_get_int64(v));
    else
        buf_printf(out, "%" PRIu64, json_object_get_uint64(v));
}

static void emit(struct buf *out, struct json_object *v)
{
    switch (json_object_get_type(v)) {
    case json_type_null:
        buf_puts(out, "null");
        break;
    case json_type_boolean:
        buf_puts(out, json_object_get_boolean(v) ? "true" : "false");
        break;
    case json_type_int:
        emit_int(out, v);
        break;
    case json_type_double: /* json-c writes the text it was parsed from, or 17 digits */
        buf_puts(out, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN));
        break;
    case json_type_string:
        buf_json_string(out, json_object_get_string(v), (size_t)json_object_get_string_len(v));
        break;
    case json_type_array:
        emit_array(out, v);
        break;
    case json_type_object:
        emit_object(out, v);
        break;
    }
}

int json_emit(struct buf *out, struct json_object *v)
{
    emit(out, v);
    return out->overflow ? -1 : 0;
}

struct json_object *json_dup(struct json_object *v)
{
    struct json_object *copy = NULL;

    if (v != NULL)
        json_object_deep_copy(v, &copy, NULL);
    return copy;
}

bool json_equal(struct json_object *a, struct json_object *b)
{
    return json_object_equal(a, b);
}

void json_put_p(struct json_object **v)
{
    if (*v != NULL)
        json_object_put(*v);
    *v = NULL;
}
