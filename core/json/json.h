/*
 * json/json.h - helpers over json-c: strict parsing, typed reading, building, emitting.
 *
 * Values are json-c's `struct json_object *` (reference counted; the owner calls json_object_put, or uses
 * JSON_CLEANUP). json-c's own functions may be used beside these for walking (json_object_object_foreach,
 * json_object_array_length, json_object_array_get_idx).
 *
 * Parsing is strict RFC 8259 with caps on size and depth, valid UTF-8 only, nothing after the value.
 * Duplicate keys are allowed and the last one wins, as in Go. Integers are exact over the whole of int64
 * (and uint64); one that fits neither is an error, not a saturated value.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_JSON_JSON_H
#define SKL_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"

#define JSON_DEPTH_MAX 32
#define JSON_SIZE_MAX ((size_t)64 * 1024 * 1024)   /* for callers with no cap of their own */

/* ---- parsing ---- */
#define JSON_COMMENTS 1u       /* slash-slash and slash-star comments count as white space (configuration) */
#define JSON_WANT_OBJECT 2u    /* anything but an object at the top is an error */

/* Parses exactly n bytes. NULL with err (SKL_ERR_INVALID, "line L, column C: why"; SKL_ERR_TOO_LARGE when
 * n > max). The JSON text `null` is NULL without an error: *ret_null tells the two apart; with ret_null NULL
 * a top-level null is an error too. */
struct json_object *json_parse(const char *s, size_t n, size_t max, unsigned flags, bool *ret_null,
                               struct skl_error *err);
/* The usual case: an object, or an error. */
struct json_object *json_parse_object(const char *s, size_t n, size_t max, struct skl_error *err);

/* ---- typed reading ----
 * `path` names a member, or members of members: "HostConfig.RestartPolicy.Name". A missing or null object
 * on the way makes the whole path absent. Each name is looked up exactly first, then ignoring ASCII case
 * as Go's decoder does. A key that itself holds a dot can't be named this way: json_member() takes one key
 * literally.
 *
 * *ret is written only on JSON_FOUND, so set the default first and look only for < 0:
 *     int64_t memory = 0;
 *     if (json_get_i64(body, "HostConfig.Memory", &memory, err) < 0)
 *         return -1;
 * A wrong type or a number out of range is an error (-1, SKL_ERR_INVALID) that names the path. `obj` NULL is
 * an empty object. Results are borrowed from obj. */
enum {
    JSON_ABSENT = 0,
    JSON_FOUND = 1,
    JSON_NULL = 2 /* present with the value null */
};

int json_get_string(struct json_object *obj, const char *path, const char **ret, struct skl_error *err);
/* The string getters refuse a string with an embedded NUL; this one returns it with its length. */
int json_get_bytes(struct json_object *obj, const char *path, const char **ret, size_t *ret_len,
                   struct skl_error *err);
int json_get_bool(struct json_object *obj, const char *path, bool *ret, struct skl_error *err);
int json_get_i64(struct json_object *obj, const char *path, int64_t *ret, struct skl_error *err);
int json_get_i64_range(struct json_object *obj, const char *path, int64_t min, int64_t max, int64_t *ret,
                       struct skl_error *err);
int json_get_u64(struct json_object *obj, const char *path, uint64_t *ret, struct skl_error *err);
int json_get_double(struct json_object *obj, const char *path, double *ret, struct skl_error *err);
int json_get_object(struct json_object *obj, const char *path, struct json_object **ret, struct skl_error *err);
int json_get_array(struct json_object *obj, const char *path, struct json_object **ret, struct skl_error *err);
/* Any type. *ret is NULL on JSON_NULL. */
int json_get_any(struct json_object *obj, const char *path, struct json_object **ret, struct skl_error *err);
/* An array of strings: NULL-terminated array with its text in one block, free() it. */
int json_get_strings(struct json_object *obj, const char *path, char ***ret, size_t *ret_n,
                     struct skl_error *err);
/* Checks that the value at path is an object whose members are all strings (labels and the like). */
int json_get_string_map(struct json_object *obj, const char *path, struct json_object **ret,
                        struct skl_error *err);

/* One key, taken literally and exactly; NULL when absent or null. */
struct json_object *json_member(struct json_object *obj, const char *key);
/* The string of a value, or if_not when v is NULL or not a string. */
const char *json_string_or(struct json_object *v, const char *if_not);
/* "null", "a boolean", "a number", "a string", "an array", "an object": for messages. */
const char *json_type_text(struct json_object *v);

/* ---- building: obj takes the new value ---- */
struct json_object *json_new_object(void);
struct json_object *json_new_array(void);
void json_add(struct json_object *obj, const char *key, struct json_object *v);  /* takes v; NULL: null */
void json_add_string(struct json_object *obj, const char *key, const char *s);   /* NULL: null */
void json_add_stringn(struct json_object *obj, const char *key, const char *s, size_t n);
void json_add_i64(struct json_object *obj, const char *key, int64_t n);
void json_add_u64(struct json_object *obj, const char *key, uint64_t n);
void json_add_double(struct json_object *obj, const char *key, double d);
void json_add_bool(struct json_object *obj, const char *key, bool b);
void json_add_null(struct json_object *obj, const char *key);
/* A NULL-terminated array of strings; strs NULL: null. */
void json_add_strings(struct json_object *obj, const char *key, const char *const *strs);
struct json_object *json_add_object(struct json_object *obj, const char *key);   /* returns the new child */
struct json_object *json_add_array(struct json_object *obj, const char *key);
void json_push(struct json_object *array, struct json_object *v);                /* takes v */
void json_push_string(struct json_object *array, const char *s);

/* ---- whole values ---- */
/* Compact, members in insertion order, neither '/' nor HTML characters escaped. v NULL: null.
 * 0, or -1 when the buffer's limit was reached. */
int json_emit(struct buf *out, struct json_object *v);
struct json_object *json_dup(struct json_object *v);     /* deep copy; NULL in, NULL out */
bool json_equal(struct json_object *a, struct json_object *b);

void json_put_p(struct json_object **v);
#define JSON_CLEANUP CLEANUP(json_put_p)

#endif
