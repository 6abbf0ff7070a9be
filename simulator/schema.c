/*
 * simulator/schema.c - see schema.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/schema.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#define NAME_MAX_LEN 128

/* "service_config" is "serviceConfig". */
static bool same_name(const char *canonical, const char *given)
{
    while (*canonical != '\0' && *given != '\0') {
        if (*given == '_' && isupper((unsigned char)*canonical)) {
            if (given[1] != tolower((unsigned char)*canonical))
                return false;
            given += 2;
        } else if (*given++ != *canonical) {
            return false;
        }
        canonical++;
    }
    return *canonical == *given;
}

static const struct schema_field *field_of(const struct schema_message *m, const char *name)
{
    for (const struct schema_field *f = m->fields; f->name != NULL; f++)
        if (same_name(f->name, name))
            return f;
    return NULL;
}

/* Google's messages name fields in snake case. */
static void snake(const char *name, char out[NAME_MAX_LEN])
{
    size_t n = 0;

    for (; *name != '\0' && n + 2 < NAME_MAX_LEN; name++) {
        if (isupper((unsigned char)*name))
            out[n++] = '_';
        out[n++] = (char)tolower((unsigned char)*name);
    }
    out[n] = '\0';
}

struct place {
    const struct place *up;
    const char *name;  /* canonical; NULL: an element */
    size_t index;
    const char *key;   /* of a map */
};

static void place_text(const struct place *p, char *out, size_t size)
{
    char name[NAME_MAX_LEN] = "";
    size_t n;

    if (p == NULL) {
        out[0] = '\0';
        return;
    }
    place_text(p->up, out, size);
    n = strlen(out);
    if (p->key != NULL) {
        snprintf(out + n, size - n, "[%.100s]", p->key);
    } else if (p->name == NULL) {
        snprintf(out + n, size - n, "[%zu]", p->index);
    } else {
        snake(p->name, name);
        snprintf(out + n, size - n, "%s%s", n > 0 ? "." : "", name);
    }
}

static struct json_object *refuse(const struct place *p, const char *type, struct json_object *v, struct schema_violation *bad)
{
    place_text(p, bad->field, sizeof(bad->field));
    snprintf(bad->text, sizeof(bad->text), "Invalid value at '%s' (%s), %.400s", bad->field, type,
             json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    return NULL;
}

static struct json_object *unknown(const struct place *p, const char *name, struct schema_violation *bad)
{
    char where[200];

    place_text(p, where, sizeof(where));
    place_text(p, bad->field, sizeof(bad->field));
    snprintf(bad->text, sizeof(bad->text), "Invalid JSON payload received. Unknown name \"%.200s\"%s%s%s: Cannot find field.", name,
             where[0] != '\0' ? " at '" : "", where, where[0] != '\0' ? "'" : "");
    return NULL;
}

/* ---- single values ---- */

static bool whole_number(struct json_object *v, int64_t min, int64_t max, int64_t *ret)
{
    double d;

    switch (json_object_get_type(v)) {
    case json_type_int: *ret = json_object_get_int64(v); break;
    case json_type_double:
        d = json_object_get_double(v);
        if (d < -9e15 || d > 9e15 || d != (double)(int64_t)d)
            return false;
        *ret = (int64_t)d;
        break;
    case json_type_string: return str_to_i64(json_object_get_string(v), min, max, ret);
    default: return false;
    }
    return *ret >= min && *ret <= max;
}

static struct json_object *read_enum(const struct schema_enum *e, struct json_object *v, const struct place *p, struct schema_violation *bad)
{
    char type[200];
    int64_t n = -1;

    for (size_t i = 0; e->names[i] != NULL; i++)
        if (json_object_is_type(v, json_type_string) ? str_eq(e->names[i], json_object_get_string(v))
                                                     : whole_number(v, (int64_t)i, (int64_t)i, &n))
            return i == 0 ? json_object_new_null() : json_object_new_string(e->names[i]);
    snprintf(type, sizeof(type), "type.googleapis.com/%s", e->type);
    return refuse(p, type, v, bad);
}

/* "3.5s" */
static bool is_duration(const char *s)
{
    size_t n = strlen(s);
    double d;
    CLEANUP(free_p) char *digits = n > 1 && s[n - 1] == 's' ? xstrndup(s, n - 1) : NULL;

    return digits != NULL && str_to_double(digits, &d) && d > -315576000000.0 && d < 315576000000.0;
}

static struct json_object *read_text(unsigned kind, struct json_object *v, const struct place *p, struct schema_violation *bad)
{
    const char *s = json_object_get_string(v);
    int64_t t;

    if (!json_object_is_type(v, json_type_string) || strlen(s) != (size_t)json_object_get_string_len(v))
        return refuse(p, kind == SCHEMA_BYTES ? "TYPE_BYTES" : "TYPE_STRING", v, bad);
    if (kind == SCHEMA_TIME && !time_parse_rfc3339(s, &t))
        return refuse(p, "type.googleapis.com/google.protobuf.Timestamp", v, bad);
    if (kind == SCHEMA_DURATION && !is_duration(s))
        return refuse(p, "type.googleapis.com/google.protobuf.Duration", v, bad);
    return s[0] == '\0' ? json_object_new_null() : json_object_get(v);
}

static struct json_object *read_number(unsigned kind, struct json_object *v, const struct place *p, struct schema_violation *bad)
{
    char text[24];
    int64_t n;

    if (kind == SCHEMA_INT32) {
        if (!whole_number(v, INT32_MIN, INT32_MAX, &n))
            return refuse(p, "TYPE_INT32", v, bad);
        return n == 0 ? json_object_new_null() : json_object_new_int64(n);
    }
    if (!whole_number(v, INT64_MIN, INT64_MAX, &n))
        return refuse(p, "TYPE_INT64", v, bad);
    snprintf(text, sizeof(text), "%" PRId64, n);
    return n == 0 ? json_object_new_null() : json_object_new_string(text);
}

static bool is_bool(struct json_object *v, bool *ret)
{
    const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";

    *ret = json_object_is_type(v, json_type_boolean) ? json_object_get_boolean(v) : str_eq(s, "true");
    return json_object_is_type(v, json_type_boolean) || str_eq(s, "true") || str_eq(s, "false");
}

static struct json_object *read_message(const struct schema_message *m, struct json_object *in, const struct place *p,
                                        struct schema_violation *bad);

/* NULL with bad->text for what is wrong; json null (also NULL, without a text) for a default. */
static struct json_object *read_one(const struct schema_field *f, struct json_object *v, const struct place *p, struct schema_violation *bad)
{
    bool yes;

    switch (f->kind) {
    case SCHEMA_BOOL:
        if (!is_bool(v, &yes))
            return refuse(p, "TYPE_BOOL", v, bad);
        return yes ? json_object_new_boolean(true) : NULL;
    case SCHEMA_INT32:
    case SCHEMA_INT64: return read_number(f->kind, v, p, bad);
    case SCHEMA_DOUBLE:
        return json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_int) ? json_object_get(v)
                                                                                                 : refuse(p, "TYPE_DOUBLE", v, bad);
    case SCHEMA_ENUM: return read_enum(f->type, v, p, bad);
    case SCHEMA_MESSAGE: return read_message(f->type, v, p, bad);
    case SCHEMA_ANY: return json_dup(v);
    default: return read_text(f->kind, v, p, bad);
    }
}

/* ---- lists, maps, messages ---- */

static struct json_object *read_list(const struct schema_field *f, struct json_object *v, const struct place *p, struct schema_violation *bad)
{
    struct json_object *out;

    if (!json_object_is_type(v, json_type_array))
        return refuse(p, "TYPE_MESSAGE", v, bad);
    out = json_new_array();
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        struct place at = {p, NULL, i, NULL};
        struct json_object *in = json_object_array_get_idx(v, i), *e = in != NULL ? read_one(f, in, &at, bad) : NULL;
        if (e == NULL && bad->text[0] == '\0' && in != NULL) /* a default is an element all the same */
            e = json_object_get(in);
        if (e == NULL) {
            json_object_put(out);
            return bad->text[0] != '\0' ? NULL : refuse(&at, "TYPE_MESSAGE", in, bad);
        }
        json_push(out, e);
    }
    if (json_object_array_length(out) > 0)
        return out;
    json_object_put(out);
    return NULL;
}

static struct json_object *read_map(struct json_object *v, const struct place *p, struct schema_violation *bad)
{
    struct json_object *out;

    if (!json_object_is_type(v, json_type_object))
        return refuse(p, "TYPE_MESSAGE", v, bad);
    out = json_new_object();
    json_object_object_foreach(v, key, e) {
        struct place at = {p, NULL, 0, key};
        if (!json_object_is_type(e, json_type_string) || strlen(json_object_get_string(e)) != (size_t)json_object_get_string_len(e)) {
            json_object_put(out);
            return refuse(&at, "TYPE_STRING", e, bad);
        }
        json_add(out, key, json_object_get(e));
    }
    if (json_object_object_length(out) > 0)
        return out;
    json_object_put(out);
    return NULL;
}

static struct json_object *read_field(const struct schema_field *f, struct json_object *v, const struct place *p, struct schema_violation *bad)
{
    return f->shape == SCHEMA_LIST ? read_list(f, v, p, bad) : f->shape == SCHEMA_MAP ? read_map(v, p, bad) : read_one(f, v, p, bad);
}

static struct json_object *read_message(const struct schema_message *m, struct json_object *in, const struct place *p,
                                        struct schema_violation *bad)
{
    struct json_object *out;

    if (!json_object_is_type(in, json_type_object))
        return refuse(p, "TYPE_MESSAGE", in, bad);
    out = json_new_object();
    json_object_object_foreach(in, key, v) {
        const struct schema_field *f = field_of(m, key);
        struct place at = {p, f != NULL ? f->name : "", 0, NULL};
        struct json_object *got;
        if (f == NULL)
            unknown(p, key, bad);
        if (f != NULL && v != NULL && !f->output && (got = read_field(f, v, &at, bad)) != NULL)
            json_add(out, f->name, got);
        if (bad->text[0] != '\0') {
            json_object_put(out);
            return NULL;
        }
    }
    return out;
}

struct json_object *schema_read(const struct schema_message *m, struct json_object *in, const char *path, struct schema_violation *bad)
{
    struct place top = {NULL, path, 0, NULL};

    memset(bad, 0, sizeof(*bad));
    return read_message(m, in, path[0] != '\0' ? &top : NULL, bad);
}

/* ---- masks ---- */

/* Canonical form of one path into out, "" for one that is not the client's to set; false when there is no such field. */
static bool mask_path(const struct schema_message *m, const char *path, char *out, size_t size)
{
    CLEANUP(free_p) char **parts = NULL;
    size_t n, used = 0;

    parts = str_split(path, '.', &n);
    for (size_t i = 0; i < n; i++) {
        const struct schema_field *f = m != NULL ? field_of(m, parts[i]) : NULL;
        if (f == NULL)
            return false;
        if (f->output) {
            out[0] = '\0';
            return true;
        }
        used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? "." : "", f->name);
        if (used >= size)
            return false;
        m = f->kind == SCHEMA_MESSAGE && f->shape == SCHEMA_ONE ? f->type : NULL;
    }
    return n > 0;
}

/* An array of n strings in one block. */
static char **pack(const char *const *strs, size_t n)
{
    size_t bytes = 0;
    char **out, *text;

    for (size_t i = 0; i < n; i++)
        bytes += strlen(strs[i]) + 1;
    out = xmalloc((n + 1) * sizeof(*out) + bytes);
    text = (char *)(out + n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(strs[i]) + 1;
        memcpy(text, strs[i], len);
        out[i] = text;
        text += len;
    }
    out[n] = NULL;
    return out;
}

static char **mask_all(const struct schema_message *m)
{
    const char *names[MASK_PATHS_MAX];
    size_t n = 0;

    for (const struct schema_field *f = m->fields; f->name != NULL && n < MASK_PATHS_MAX; f++)
        if (!f->output && !str_eq(f->name, "name"))
            names[n++] = f->name;
    return pack(names, n);
}

char **mask_parse(const struct schema_message *m, const char *mask, struct skl_error *err)
{
    size_t n, used = 0;
    CLEANUP(free_p) char **parts = str_split(mask, ',', &n), *room = NULL;
    const char *paths[MASK_PATHS_MAX];

    if (n == 1 && str_eq(parts[0], "*"))
        return mask_all(m);
    room = xmalloc((n + 1) * 256);
    if (n > MASK_PATHS_MAX) {
        error_set(err, SKL_ERR_INVALID, "Invalid field mask: more than %u paths.", MASK_PATHS_MAX);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        char *canonical = room + 256 * used;
        if (!mask_path(m, str_trim(parts[i]), canonical, 256)) {
            error_set(err, SKL_ERR_INVALID, "Invalid update_mask provided in the request: \"%.200s\" is not a field of %s.", parts[i], m->name);
            return NULL;
        }
        paths[used] = canonical;
        used += canonical[0] != '\0';
    }
    return pack(paths, used);
}

char **mask_of(struct json_object *from)
{
    const char *names[MASK_PATHS_MAX];
    size_t n = 0;

    json_object_object_foreach(from, key, v) {
        (void)v;
        if (n < MASK_PATHS_MAX && !str_eq(key, "name"))
            names[n++] = key;
    }
    return pack(names, n);
}

static void apply_one(const char *path, struct json_object *to, struct json_object *from)
{
    const char *dot = strchr(path, '.');
    CLEANUP(free_p) char *name = dot != NULL ? xstrndup(path, (size_t)(dot - path)) : xstrdup(path);
    struct json_object *theirs = from != NULL ? json_member(from, name) : NULL, *ours = json_member(to, name);

    if (dot == NULL) {
        if (theirs != NULL)
            json_add(to, name, json_dup(theirs));
        else
            json_object_object_del(to, name);
        return;
    }
    if (ours == NULL && theirs == NULL)
        return;
    apply_one(dot + 1, ours != NULL ? ours : json_add_object(to, name), theirs);
}

void mask_apply(char *const *paths, struct json_object *to, struct json_object *from)
{
    for (; *paths != NULL; paths++)
        apply_one(*paths, to, from);
}
