/*
 * api/schema.c - the walker: see schema.h. The tables are in schema_tables.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/schema.h"
#include <string.h>
#include <strings.h>
#include "json/json.h"

/* Where we are, for errors: a chain of names through the stack. */
struct place {
    const struct place *up;
    const char *name;
    int index; /* >= 0: an element of an array */
};

static void write_place(struct buf *b, const struct place *p)
{
    if (p == NULL || (p->up == NULL && p->name == NULL && p->index < 0))
        return;
    write_place(b, p->up);
    if (p->index >= 0)
        buf_printf(b, "[%d]", p->index);
    else if (p->name != NULL)
        buf_printf(b, "%s%s", b->len > 0 ? "." : "", p->name);
}

static int wrong(const struct place *at, const char *wanted, struct json_object *v, struct skl_error *err)
{
    struct buf path;

    buf_init(&path, 512);
    write_place(&path, at);
    error_set(err, SKL_ERR_INVALID, "invalid JSON: %s must be %s, not %s", path.len > 0 ? buf_str(&path) : "the body",
              wanted, json_type_text(v));
    buf_fini(&path);
    return -1;
}

static int write_value(struct jw *w, const char *key, const struct schema_field *f, struct json_object *v,
                       const struct place *at, struct skl_error *err);

static struct json_object *find(struct json_object *obj, const char *name)
{
    struct json_object *v;

    if (json_object_object_get_ex(obj, name, &v))
        return v;
    json_object_object_foreach(obj, key, other)
    {
        if (strcasecmp(key, name) == 0)
            return other;
    }
    return NULL;
}

static bool is_empty(struct json_object *v)
{
    switch (json_object_get_type(v)) {
    case json_type_null:
        return true;
    case json_type_boolean:
        return !json_object_get_boolean(v);
    case json_type_int:
        return json_object_get_int64(v) == 0;
    case json_type_string:
        return json_object_get_string_len(v) == 0;
    case json_type_array:
        return json_object_array_length(v) == 0;
    case json_type_object:
        return json_object_object_length(v) == 0;
    default:
        return false;
    }
}

static int write_fields(struct jw *w, const char *key, const struct schema_field *fields, struct json_object *obj,
                        const struct place *at, struct skl_error *err);

static int write_default(struct jw *w, const struct schema_field *f, const struct place *at, struct skl_error *err)
{
    if (f->def == NULL)
        return 0;
    if (strcmp(f->def, SCHEMA_SUB_DEFAULTS) == 0)
        return write_fields(w, f->name, f->sub, NULL, at, err);
    jw_raw(w, f->name, f->def);
    return 0;
}

/* Into nowhere: a value that is left out must have the right type all the same. */
static int check_value(const struct schema_field *f, struct json_object *v, const struct place *at,
                       struct skl_error *err)
{
    struct buf scratch;
    struct jw nowhere;
    int rc;

    buf_init(&scratch, 4096);
    jw_init(&nowhere, &scratch);
    rc = write_value(&nowhere, NULL, f, v, at, err);
    buf_fini(&scratch);
    return rc;
}

static int write_field(struct jw *w, const struct schema_field *f, struct json_object *v, const struct place *at,
                       struct skl_error *err)
{
    if (v == NULL)
        return write_default(w, f, at, err);
    /* A struct that is there is there, even with nothing in it: Go's omitempty looks at the pointer. */
    if (is_empty(v) && f->type != SCHEMA_OBJECT && ((f->def == NULL && !(f->flags & SCHEMA_KEEP_EMPTY)) || (f->flags & SCHEMA_EMPTY_IS_DEFAULT)))
        return check_value(f, v, at, err) < 0 ? -1 : write_default(w, f, at, err);
    return write_value(w, f->name, f, v, at, err);
}

static int write_fields(struct jw *w, const char *key, const struct schema_field *fields, struct json_object *obj,
                        const struct place *at, struct skl_error *err)
{
    if (obj != NULL && !json_object_is_type(obj, json_type_object))
        return wrong(at, "an object", obj, err);
    jw_object(w, key);
    for (const struct schema_field *f = fields; f->name != NULL; f++) {
        struct place here = {at, f->name, -1};
        if (write_field(w, f, obj != NULL ? find(obj, f->name) : NULL, &here, err) < 0)
            return -1;
    }
    jw_object_end(w);
    return 0;
}

static int write_string(struct jw *w, const char *key, struct json_object *v, const struct place *at,
                        struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_string))
        return wrong(at, "a string", v, err);
    if (strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
        return wrong(at, "a string without NUL characters", v, err);
    jw_stringn(w, key, json_object_get_string(v), (size_t)json_object_get_string_len(v));
    return 0;
}

static int write_strings(struct jw *w, const char *key, struct json_object *v, const struct place *at,
                         struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_array))
        return wrong(at, "an array of strings", v, err);
    jw_array(w, key);
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        struct place here = {at, NULL, (int)i};
        if (write_string(w, NULL, json_object_array_get_idx(v, i), &here, err) < 0)
            return -1;
    }
    jw_array_end(w);
    return 0;
}

/* A string stands for an array of one, as in Docker's strslice. */
static int write_words(struct jw *w, const char *key, struct json_object *v, const struct place *at,
                       struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_string))
        return write_strings(w, key, v, at, err);
    jw_array(w, key);
    if (write_string(w, NULL, v, at, err) < 0)
        return -1;
    jw_array_end(w);
    return 0;
}

static int write_string_map(struct jw *w, const char *key, struct json_object *v, const struct place *at,
                            struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_object))
        return wrong(at, "an object", v, err);
    jw_object(w, key);
    json_object_object_foreach(v, name, member)
    {
        struct place here = {at, name, -1};
        jw_key(w, name);
        if (member == NULL)
            jw_string(w, NULL, "");
        else if (write_string(w, NULL, member, &here, err) < 0)
            return -1;
    }
    jw_object_end(w);
    return 0;
}

static int write_set(struct jw *w, const char *key, struct json_object *v, const struct place *at,
                     struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_object))
        return wrong(at, "an object", v, err);
    jw_object(w, key);
    json_object_object_foreach(v, name, member)
    {
        struct place here = {at, name, -1};
        if (member != NULL && !json_object_is_type(member, json_type_object))
            return wrong(&here, "an object", member, err);
        jw_key(w, name);
        jw_raw(w, NULL, "{}");
    }
    jw_object_end(w);
    return 0;
}

static int write_objects(struct jw *w, const char *key, const struct schema_field *sub, struct json_object *v,
                         const struct place *at, struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_array))
        return wrong(at, "an array of objects", v, err);
    jw_array(w, key);
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        struct place here = {at, NULL, (int)i};
        if (write_fields(w, NULL, sub, json_object_array_get_idx(v, i), &here, err) < 0)
            return -1;
    }
    jw_array_end(w);
    return 0;
}

/* Members are objects, or (lists) arrays of objects; null members are kept for lists. */
static int write_object_map(struct jw *w, const char *key, const struct schema_field *f, struct json_object *v,
                            const struct place *at, struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_object))
        return wrong(at, "an object", v, err);
    jw_object(w, key);
    json_object_object_foreach(v, name, member)
    {
        struct place here = {at, name, -1};
        int rc = 0;
        jw_key(w, name);
        if (f->type == SCHEMA_OBJECT_MAP)
            rc = write_fields(w, NULL, f->sub, member, &here, err);
        else if (member == NULL)
            jw_null(w, NULL);
        else
            rc = write_objects(w, NULL, f->sub, member, &here, err);
        if (rc < 0)
            return -1;
    }
    jw_object_end(w);
    return 0;
}

static int write_string_lists(struct jw *w, const char *key, struct json_object *v, const struct place *at,
                              struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_array))
        return wrong(at, "an array of arrays of strings", v, err);
    jw_array(w, key);
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        struct place here = {at, NULL, (int)i};
        if (write_strings(w, NULL, json_object_array_get_idx(v, i), &here, err) < 0)
            return -1;
    }
    jw_array_end(w);
    return 0;
}

static int write_size(struct jw *w, const char *key, struct json_object *v, const struct place *at,
                      struct skl_error *err)
{
    if (!json_object_is_type(v, json_type_array) || json_object_array_length(v) > 2)
        return wrong(at, "an array of two numbers", v, err);
    jw_array(w, key);
    for (size_t i = 0; i < 2; i++) {
        struct json_object *n = json_object_array_get_idx(v, i);
        if (n != NULL && (!json_object_is_type(n, json_type_int) || json_object_get_int64(n) < 0))
            return wrong(at, "an array of two numbers", n, err);
        jw_i64(w, NULL, n != NULL ? json_object_get_int64(n) : 0);
    }
    jw_array_end(w);
    return 0;
}

static int write_scalar(struct jw *w, const char *key, enum schema_type type, struct json_object *v,
                        const struct place *at, struct skl_error *err)
{
    if (type == SCHEMA_STRING)
        return write_string(w, key, v, at, err);
    if (type == SCHEMA_BOOL) {
        if (!json_object_is_type(v, json_type_boolean))
            return wrong(at, "true or false", v, err);
        jw_bool(w, key, json_object_get_boolean(v));
        return 0;
    }
    if (!json_object_is_type(v, json_type_int))
        return wrong(at, "an integer", v, err);
    jw_i64(w, key, json_object_get_int64(v));
    return 0;
}

static int write_value(struct jw *w, const char *key, const struct schema_field *f, struct json_object *v,
                       const struct place *at, struct skl_error *err)
{
    switch (f->type) {
    case SCHEMA_STRING:
    case SCHEMA_BOOL:
    case SCHEMA_INT:
        break;
    case SCHEMA_STRINGS:
        return write_strings(w, key, v, at, err);
    case SCHEMA_WORDS:
        return write_words(w, key, v, at, err);
    case SCHEMA_STRING_MAP:
        return write_string_map(w, key, v, at, err);
    case SCHEMA_SET:
        return write_set(w, key, v, at, err);
    case SCHEMA_OBJECT:
        return write_fields(w, key, f->sub, v, at, err);
    case SCHEMA_OBJECTS:
        return write_objects(w, key, f->sub, v, at, err);
    case SCHEMA_OBJECT_MAP:
    case SCHEMA_LIST_MAP:
        return write_object_map(w, key, f, v, at, err);
    case SCHEMA_SIZE:
        return write_size(w, key, v, at, err);
    case SCHEMA_STRING_LISTS:
        return write_string_lists(w, key, v, at, err);
    }
    return write_scalar(w, key, f->type, v, at, err);
}

int schema_write(struct jw *w, const char *key, const struct schema_field *fields, struct json_object *obj,
                 const char *path, struct skl_error *err)
{
    struct place top = {NULL, path, -1};

    return write_fields(w, key, fields, obj, &top, err);
}

#define SCHEMA_CHECK_MAX (16u * 1024 * 1024)
int schema_check(const struct schema_field *fields, struct json_object *obj, const char *path, struct skl_error *err)
{
    struct buf scratch;
    struct jw w;
    int rc;

    buf_init(&scratch, SCHEMA_CHECK_MAX);
    jw_init(&w, &scratch);
    rc = schema_write(&w, NULL, fields, obj, path, err);
    buf_fini(&scratch);
    return rc;
}
