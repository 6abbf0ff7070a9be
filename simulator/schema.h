/*
 * simulator/schema.h - what a request's JSON may hold, read as Google's front end reads it.
 *
 * Keys in camelCase or snake_case, enums by name or number, int64 as number or string, null as unset; what is unknown or of the wrong
 * type is refused in Google's words. What comes out is canonical: camelCase, names, int64 as strings, defaults and output-only fields left
 * out. So all behind it knows one spelling.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_SCHEMA_H
#define SKL_SIM_SCHEMA_H

#include <json-c/json.h>
#include <stdbool.h>
#include "base/error.h"

enum schema_kind {
    SCHEMA_STRING, SCHEMA_BOOL, SCHEMA_INT32, SCHEMA_INT64, SCHEMA_DOUBLE, SCHEMA_BYTES, SCHEMA_TIME, SCHEMA_DURATION, SCHEMA_ENUM,
    SCHEMA_MESSAGE, SCHEMA_ANY
};
enum schema_shape { SCHEMA_ONE, SCHEMA_LIST, SCHEMA_MAP };

struct schema_enum {
    const char *type;
    const char *const *names; /* by number; NULL-terminated */
};
struct schema_field {
    const char *name;         /* NULL ends a table */
    unsigned char kind, shape;
    bool output;              /* clients may send it back; it is not theirs to set */
    const void *type;         /* schema_enum or schema_message */
};
struct schema_message {
    const char *name;
    const struct schema_field *fields;
};

extern const struct schema_message *const schema_function, *const schema_set_iam_policy_request,
    *const schema_test_iam_permissions_request, *const schema_generate_upload_url_request, *const schema_service;

/* Where it went wrong: for google.rpc.BadRequest. */
struct schema_violation {
    char field[256];
    char text[1024];
};

/* `path` names the message in errors ("function"; "" for the top). New object; NULL with what is wrong. */
struct json_object *schema_read(const struct schema_message *m, struct json_object *in, const char *path, struct schema_violation *bad);

#define MASK_PATHS_MAX 200u

/* A parsed update mask: canonical paths ("serviceConfig.timeoutSeconds"), NULL-terminated, in one block; free() it. "*" stands for all that
 * may be set. NULL with err: unknown path. */
char **mask_parse(const struct schema_message *m, const char *mask, struct skl_error *err);
/* The mask of all that `from` holds, for requests without one. */
char **mask_of(struct json_object *from);
/* Takes the named fields over from `from`; what is not there is cleared. */
void mask_apply(char *const *paths, struct json_object *to, struct json_object *from);

#endif
