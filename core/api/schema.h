/*
 * api/schema.h - tables of a request body's fields: type check and canonical form in one pass.
 *
 * A table lists every documented field of an object in Docker's order. schema_write() checks the types of what the
 * client sent and writes the object again with all of its fields, defaults included: what inspect echoes. Names are
 * matched as Go's decoder does (exactly, else ignoring case); unknown members are ignored, as Docker does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_SCHEMA_H
#define SKL_API_SCHEMA_H

#include <stdbool.h>
#include <json-c/json.h>
#include "base/error.h"
#include "json/jw.h"

enum schema_type {
    SCHEMA_STRING,
    SCHEMA_BOOL,
    SCHEMA_INT,
    SCHEMA_STRINGS,     /* array of strings, or null */
    SCHEMA_WORDS,       /* the same, or one string: Cmd, Entrypoint */
    SCHEMA_STRING_MAP,  /* object with string members */
    SCHEMA_SET,         /* object whose members are objects, written as {}: ExposedPorts, Volumes */
    SCHEMA_OBJECT,      /* with a table of its own */
    SCHEMA_OBJECTS,     /* array of such */
    SCHEMA_OBJECT_MAP,  /* object whose members are such */
    SCHEMA_SIZE,        /* [rows, columns] */
    SCHEMA_STRING_LISTS,/* array of arrays of strings */
    SCHEMA_LIST_MAP     /* object whose members are arrays of objects, or null: PortBindings */
};

struct schema_field {
    const char *name; /* NULL ends a table */
    enum schema_type type;
    /* Written when the field is absent or null. NULL: then it is left out, and so it is when "empty" (Go's omitempty:
     * false, 0, "", [] and {}), unless KEEP_EMPTY. */
    const char *def;
    const struct schema_field *sub;
    unsigned flags;
};
#define SCHEMA_KEEP_EMPTY 1u       /* Go's pointer with omitempty: left out only when absent */
#define SCHEMA_EMPTY_IS_DEFAULT 2u /* "" and 0 mean the default */
#define SCHEMA_SUB_DEFAULTS "{...}" /* as def of an object: the defaults of its own fields */

/* obj NULL: all defaults. path is put in front of names in errors ("HostConfig"); NULL at the top. */
int schema_write(struct jw *w, const char *key, const struct schema_field *fields, struct json_object *obj,
                 const char *path, struct skl_error *err);
/* The same, checking alone. */
int schema_check(const struct schema_field *fields, struct json_object *obj, const char *path, struct skl_error *err);

extern const struct schema_field schema_config[];        /* ContainerConfig */
extern const struct schema_field schema_host_config[];   /* HostConfig */
extern const struct schema_field schema_networking[];    /* NetworkingConfig */
extern const struct schema_field schema_endpoint[];      /* EndpointSettings as a request has it */
extern const struct schema_field schema_health[];        /* HealthConfig */

#endif
