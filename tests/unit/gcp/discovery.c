/*
 * tests/unit/gcp/discovery.c - see discovery.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "discovery.h"
#include "tests/unit/harness.h"
#include "gcp/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char wrong[600];
static struct json_object *schemas;

static bool check_value(struct json_object *v, struct json_object *schema, const char *where);

static bool complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(wrong, sizeof(wrong), fmt, ap);
    va_end(ap);
    return false;
}

static struct json_object *member(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;

    return o && json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static const char *text(struct json_object *o, const char *key)
{
    struct json_object *v = member(o, key);

    return v ? json_object_get_string(v) : "";
}

static struct json_object *documents(void)
{
    static struct json_object *all;

    if (!all)
        all = json_object_from_file(unit_srcpath("tests/unit/gcp/data/discovery.json"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    return all;
}

/* ---- body ---- */

static bool check_object(struct json_object *o, struct json_object *schema, const char *where)
{
    struct json_object *properties = member(schema, "properties"),
                       *more = member(schema, "additionalProperties");
    char path[300];

    if (!json_object_is_type(o, json_type_object))
        return complain("%s is no object", where);
    json_object_object_foreach(o, key, value)
    {
        struct json_object *s = member(properties, key) ? member(properties, key) : more;

        (void)snprintf(path, sizeof(path), "%s.%s", where, key);
        if (!s)
            return complain("%s: unknown field", path);
        /* An etag is given back to say what the change is based on, though it is the server's. */
        if (json_object_get_boolean(member(s, "readOnly")) && strcmp(key, "etag"))
            return complain("%s is output only", path);
        if (!check_value(value, s, path))
            return false;
    }
    return true;
}

static bool check_string(struct json_object *v, struct json_object *schema, const char *where)
{
    struct json_object *names = member(schema, "enum");
    const char *word = json_object_get_string(v);

    /* int64 is text in proto3's JSON; a number is taken, too */
    if (!strcmp(text(schema, "format"), "int64") && json_object_is_type(v, json_type_int))
        return true;
    if (!json_object_is_type(v, json_type_string))
        return complain("%s is no string", where);
    for (size_t i = 0; names && i < json_object_array_length(names); i++)
        if (!strcmp(json_object_get_string(json_object_array_get_idx(names, i)), word))
            return true;
    return names ? complain("%s: %s is none of its values", where, word) : true;
}

static bool check_array(struct json_object *v, struct json_object *schema, const char *where)
{
    char path[300];

    if (!json_object_is_type(v, json_type_array))
        return complain("%s is no array", where);
    for (size_t i = 0; i < json_object_array_length(v); i++) {
        (void)snprintf(path, sizeof(path), "%s[%zu]", where, i);
        if (!check_value(json_object_array_get_idx(v, i), member(schema, "items"), path))
            return false;
    }
    return true;
}

static bool check_value(struct json_object *v, struct json_object *schema, const char *where)
{
    const char *ref = text(schema, "$ref"), *type;

    if (*ref)
        schema = member(schemas, ref);
    type = text(schema, "type");
    if (!strcmp(type, "object"))
        return check_object(v, schema, where);
    if (!strcmp(type, "array"))
        return check_array(v, schema, where);
    if (!strcmp(type, "string"))
        return check_string(v, schema, where);
    if (!strcmp(type, "integer"))
        return json_object_is_type(v, json_type_int) ? true : complain("%s is no integer", where);
    if (!strcmp(type, "boolean"))
        return json_object_is_type(v, json_type_boolean) ? true : complain("%s is no boolean", where);
    return complain("%s: a schema of type \"%s\"", where, type);
}

/* ---- method, path, query ---- */

/* "/v2/projects/{projectsId}/..." against a path; a variable is one non-empty part without '/' and ':'. */
static bool path_matches(const char *pattern, const char *path, size_t n)
{
    const char *end = path + n;

    while (*pattern) {
        if (*pattern == '{') {
            size_t part = strcspn(path, "/:?");

            if (path + part > end)
                part = (size_t)(end - path);
            if (!part)
                return false;
            path += part;
            pattern = strchr(pattern, '}') + 1;
        } else if (path == end || *path++ != *pattern++) {
            return false;
        }
    }
    return path == end;
}

static bool check_query(struct json_object *method, const char *query)
{
    struct json_object *names = member(method, "query");
    char name[64];

    while (query && *query) {
        size_t n = strcspn(query, "=&");
        bool found = false;

        (void)snprintf(name, sizeof(name), "%.*s", (int)n, query);
        for (size_t i = 0; i < json_object_array_length(names); i++)
            found = found || !strcmp(json_object_get_string(json_object_array_get_idx(names, i)), name);
        if (!found)
            return complain("query parameter %s is unknown", name);
        query = strchr(query, '&') ? strchr(query, '&') + 1 : NULL;
    }
    return true;
}

static bool check_body(struct json_object *method, const struct fake_request *r)
{
    const char *name = text(method, "request");
    struct json_object *body;
    bool ok;

    if (!*name)
        return r->body_len ? complain("a body where none belongs") : true;
    body = gcp_json_parse(r->body, r->body_len);
    if (!body)
        return complain("the body is no JSON");
    ok = check_object(body, member(schemas, name), name);
    json_object_put(body);
    return ok;
}

const char *discovery_check(const struct fake_request *r)
{
    static const char suffix[] = ".googleapis.com";
    const char *host = r->url + strlen("https://"), *path = strchr(host, '/'), *query = strchr(r->url, '?');
    char service[64];
    struct json_object *doc, *methods;
    size_t n;

    if (!path || (size_t)(path - host) < strlen(suffix) ||
        strncmp(path - strlen(suffix), suffix, strlen(suffix)))
        return "not a host of Google";
    (void)snprintf(service, sizeof(service), "%.*s", (int)(path - host - (ptrdiff_t)strlen(suffix)), host);
    doc = member(documents(), service);
    methods = member(doc, "methods");
    schemas = member(doc, "schemas");
    n = query ? (size_t)(query - path) : strlen(path);
    for (size_t i = 0; doc && i < json_object_array_length(methods); i++) {
        struct json_object *m = json_object_array_get_idx(methods, i);

        if (strcmp(text(m, "method"), r->method) || !path_matches(text(m, "path"), path, n))
            continue;
        return check_query(m, query ? query + 1 : NULL) && check_body(m, r) ? NULL : wrong;
    }
    return "no such method";
}
