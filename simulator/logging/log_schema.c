/*
 * simulator/logging/log_schema.c - LogEntry as a table: what clients may write, and what filters may name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "simulator/logging/logging.h"

static const struct log_field http_request[] = {
    {.name = "requestMethod"}, {.name = "requestUrl"}, {.name = "requestSize", .type = LOG_INT}, {.name = "status", .type = LOG_INT},
    {.name = "responseSize", .type = LOG_INT}, {.name = "userAgent"}, {.name = "remoteIp"}, {.name = "serverIp"}, {.name = "referer"},
    {.name = "latency", .type = LOG_DURATION}, {.name = "cacheLookup", .type = LOG_BOOL}, {.name = "cacheHit", .type = LOG_BOOL},
    {.name = "cacheValidatedWithOriginServer", .type = LOG_BOOL}, {.name = "cacheFillBytes", .type = LOG_INT}, {.name = "protocol"}, {.name = NULL}};
static const struct log_field operation[] = {
    {.name = "id"}, {.name = "producer"}, {.name = "first", .type = LOG_BOOL}, {.name = "last", .type = LOG_BOOL}, {.name = NULL}};
static const struct log_field source_location[] = {{.name = "file"}, {.name = "line", .type = LOG_INT}, {.name = "function"}, {.name = NULL}};
static const struct log_field split[] = {
    {.name = "uid"}, {.name = "index", .type = LOG_INT}, {.name = "totalSplits", .type = LOG_INT}, {.name = NULL}};
static const struct log_field resource[] = {{.name = "type"}, {.name = "labels", .type = LOG_MAP}, {.name = NULL}};
static const struct log_field metadata[] = {
    {.name = "systemLabels", .type = LOG_STRUCT}, {.name = "userLabels", .type = LOG_MAP}, {.name = NULL}};
static const struct log_field error_group[] = {{.name = "id"}, {.name = NULL}};

const struct log_field log_entry_fields[] = {
    {.name = "logName", .special = LOG_NAME},
    {.name = "resource", .type = LOG_MESSAGE, .fields = resource, .special = LOG_RESOURCE},
    {.name = "textPayload", .special = LOG_TEXT},
    {.name = "jsonPayload", .type = LOG_STRUCT},
    {.name = "protoPayload", .type = LOG_STRUCT},
    {.name = "timestamp", .type = LOG_TIME, .special = LOG_TIMESTAMP},
    {.name = "receiveTimestamp", .type = LOG_TIME, .special = LOG_RECEIVED, .output = true},
    {.name = "severity", .type = LOG_SEVERITY, .special = LOG_SEVERITY_OF},
    {.name = "insertId", .special = LOG_INSERT_ID},
    {.name = "httpRequest", .type = LOG_MESSAGE, .fields = http_request},
    {.name = "labels", .type = LOG_MAP, .special = LOG_LABELS},
    {.name = "metadata", .type = LOG_MESSAGE, .fields = metadata, .output = true},
    {.name = "operation", .type = LOG_MESSAGE, .fields = operation},
    {.name = "trace"},
    {.name = "spanId"},
    {.name = "traceSampled", .type = LOG_BOOL},
    {.name = "sourceLocation", .type = LOG_MESSAGE, .fields = source_location},
    {.name = "split", .type = LOG_MESSAGE, .fields = split},
    {.name = "errorGroups", .type = LOG_MESSAGE, .fields = error_group, .list = true, .output = true},
    {.name = NULL},
};

static bool same_name(const char *camel, const char *given)
{
    for (; *camel != '\0'; camel++, given++) {
        if (*camel == *given)
            continue;
        if (!isupper((unsigned char)*camel) || *given++ != '_' || *given != tolower((unsigned char)*camel))
            return false;
    }
    return *given == '\0';
}

const struct log_field *log_field_find(const struct log_field *fields, const char *name)
{
    for (; fields->name != NULL; fields++)
        if (same_name(fields->name, name))
            return fields;
    return NULL;
}

/* ---- values ---- */

static const char *const severities[] = {"DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"};

int log_severity_parse(const char *s)
{
    int64_t n;

    for (size_t i = 0; i < ARRAY_LEN(severities); i++)
        if (str_ieq(severities[i], s))
            return (int)i * 100;
    return str_to_i64(s, 0, INT32_MAX, &n) ? (int)n : -1;
}

const char *log_severity_name(int severity)
{
    return severity >= 0 && severity % 100 == 0 && (size_t)severity / 100 < ARRAY_LEN(severities) ? severities[severity / 100] : NULL;
}

bool log_duration_parse(const char *s, int64_t *ret_ns)
{
    size_t n = strlen(s);
    CLEANUP(free_p) char *number = n > 1 && s[n - 1] == 's' ? xstrndup(s, n - 1) : NULL;
    double d;

    if (number == NULL || !str_to_double(number, &d) || d > 9e9 || d < -9e9)
        return false;
    *ret_ns = (int64_t)(d * 1e9 + (d < 0 ? -0.5 : 0.5));
    return true;
}

/* ---- messages ---- */

static int bad_value(const char *where, const char *type, struct json_object *v, struct skl_error *err)
{
    return error_set(err, SKL_ERR_INVALID, "Invalid value at '%s' (%s), %.200s", where, type, json_object_to_json_string(v));
}

static int read_int(const char *where, struct json_object *v, struct json_object *to, const char *name, struct skl_error *err)
{
    int64_t n = 0;

    if (json_object_is_type(v, json_type_int))
        n = json_object_get_int64(v);
    else if (!json_object_is_type(v, json_type_string) || !str_to_i64(json_object_get_string(v), INT64_MIN, INT64_MAX, &n))
        return bad_value(where, "TYPE_INT64", v, err);
    if (n == 0)
        return 0;
    if (str_eq(name, "status") || str_eq(name, "index") || str_eq(name, "totalSplits")) { /* the int32 ones are numbers in JSON */
        json_add_i64(to, name, n);
    } else {
        char text[24];
        snprintf(text, sizeof(text), "%lld", (long long)n);
        json_add_string(to, name, text);
    }
    return 0;
}

static int read_severity(const char *where, struct json_object *v, struct json_object *to, const char *name, struct skl_error *err)
{
    int n = json_object_is_type(v, json_type_int)      ? (int)json_object_get_int(v)
            : json_object_is_type(v, json_type_string) ? log_severity_parse(json_object_get_string(v))
                                                       : -1;

    if (log_severity_name(n) == NULL)
        return bad_value(where, "type.googleapis.com/google.logging.type.LogSeverity", v, err);
    if (n > 0)
        json_add_string(to, name, log_severity_name(n));
    return 0;
}

static int read_map(const char *where, struct json_object *v, struct json_object *to, const char *name, struct skl_error *err)
{
    struct json_object *map;

    if (!json_object_is_type(v, json_type_object))
        return bad_value(where, "Map", v, err);
    json_object_object_foreach(v, probe_key, probe) {
        (void)probe_key;
        if (!json_object_is_type(probe, json_type_string))
            return bad_value(where, "TYPE_STRING", probe, err);
    }
    if (json_object_object_length(v) == 0)
        return 0;
    map = json_add_object(to, name);
    json_object_object_foreach(v, key, item)
        json_add(map, key, json_object_get(item));
    return 0;
}

static int read_string(const char *where, const struct log_field *f, struct json_object *v, struct json_object *to, struct skl_error *err)
{
    const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
    char when[TIME_RFC3339_SIZE];
    int64_t t;

    if (s == NULL)
        return bad_value(where, f->type == LOG_TIME ? "type.googleapis.com/google.protobuf.Timestamp" : "TYPE_STRING", v, err);
    if (f->type == LOG_TIME) {
        if (!time_parse_rfc3339(s, &t))
            return bad_value(where, "type.googleapis.com/google.protobuf.Timestamp", v, err);
        json_add_string(to, f->name, time_format_rfc3339(t, when));
    } else if (f->type == LOG_DURATION && !log_duration_parse(s, &t)) {
        return bad_value(where, "type.googleapis.com/google.protobuf.Duration", v, err);
    } else if (json_object_get_string_len(v) > 0) {
        json_add(to, f->name, json_object_get(v));
    }
    return 0;
}

static int read_field(const struct log_field *f, struct json_object *v, struct json_object *to, const char *where, struct skl_error *err)
{
    struct json_object *sub;

    switch (f->type) {
    case LOG_INT:
        return read_int(where, v, to, f->name, err);
    case LOG_SEVERITY:
        return read_severity(where, v, to, f->name, err);
    case LOG_MAP:
        return read_map(where, v, to, f->name, err);
    case LOG_BOOL:
        if (!json_object_is_type(v, json_type_boolean))
            return bad_value(where, "TYPE_BOOL", v, err);
        if (json_object_get_boolean(v))
            json_add_bool(to, f->name, true);
        return 0;
    case LOG_STRUCT:
        if (!json_object_is_type(v, json_type_object))
            return bad_value(where, "type.googleapis.com/google.protobuf.Struct", v, err);
        json_add(to, f->name, json_object_get(v));
        return 0;
    case LOG_MESSAGE:
        sub = log_message_read(f->fields, v, where, err);
        if (sub != NULL)
            json_add(to, f->name, sub);
        return sub != NULL ? 0 : -1;
    default:
        return read_string(where, f, v, to, err);
    }
}

struct json_object *log_message_read(const struct log_field *fields, struct json_object *from, const char *where, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *to = json_new_object();

    if (!json_object_is_type(from, json_type_object)) {
        (void)bad_value(where, "message", from, err);
        return NULL;
    }
    json_object_object_foreach(from, key, v) {
        const struct log_field *f = log_field_find(fields, key);
        CLEANUP(free_p) char *at = xasprintf("%s.%s", where, f != NULL ? f->name : key);
        if (f == NULL) {
            error_set(err, SKL_ERR_INVALID, "Invalid JSON payload received. Unknown name \"%.200s\" at '%s': Cannot find field.", key, where);
            return NULL;
        }
        if (v != NULL && !f->output && read_field(f, v, to, at, err) < 0)
            return NULL;
    }
    return STEAL(to);
}
