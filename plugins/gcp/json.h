/*
 * gcp/json.h - reading and making Google's JSON with json-c.
 *
 * Proto3 JSON has more than one spelling for the same thing, and real servers use several: keys in camelCase
 * or snake_case, int64 as number or string, enums as name or number, null for absent, default values left
 * out. The getters take them all and never fail: what is not there, or not of the kind asked for, is the
 * default.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_JSON_H
#define SKL_GCP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>

/* NULL when it is not one JSON value (nesting at most 128). Owned by the caller: json_object_put. */
struct json_object *gcp_json_parse(const char *text, size_t n);

/* Borrowed. `key` is camelCase, or a path "a.b.c" of such. NULL when absent or null. */
struct json_object *gcp_json_get(struct json_object *o, const char *path);
const char *gcp_json_str(struct json_object *o, const char *path); /* NULL when absent, empty or no string */
int64_t gcp_json_int(struct json_object *o, const char *path, int64_t otherwise);
bool gcp_json_bool(struct json_object *o, const char *path);
struct json_object *gcp_json_array(struct json_object *o, const char *path); /* NULL unless an array */
/* An enum by name, or by number as index into `names` (NULL-terminated). NULL when absent or unknown. */
const char *gcp_json_enum(struct json_object *o, const char *path, const char *const *names);

/* Sets o[key] (taking nothing of value). Memory errors show up as a missing key in gcp_json_text. NULL value:
 * no-op. */
void gcp_json_put_str(struct json_object *o, const char *key, const char *value);
void gcp_json_put_int(struct json_object *o, const char *key, int64_t value);
void gcp_json_put_bool(struct json_object *o, const char *key, bool value);
/* Sets o[key] to a new empty object and returns it, borrowed. */
struct json_object *gcp_json_put_object(struct json_object *o, const char *key);
struct json_object *gcp_json_put_array(struct json_object *o, const char *key);
/* Compact text, borrowed from o. */
const char *gcp_json_text(struct json_object *o);

#endif
