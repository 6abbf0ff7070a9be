/*
 * simulator/logging/write.c - entries:write.
 *
 * What is no LogEntry at all refuses the whole request. What is one that can't be kept (its name, its time, its size) refuses the request too,
 * or, with partialSuccess, itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/logging/logging.h"
#include "simulator/sim.h"

#define FUTURE_NS (INT64_C(24) * 3600 * NS_PER_S)
#define LABELS_MAX 64
#define LABEL_KEY_MAX 512
#define LABEL_VALUE_MAX 65536u
#define INSERT_ID_MAX 512
#define CODE_INVALID_ARGUMENT 3

struct write {
    struct sim *sim;
    const char *log_name;
    struct json_object *resource, *labels, *entries; /* of the request, as defaults */
    bool partial, dry;
    const struct log_entry *common; /* one of `kept` that has the request's resource and labels */
    struct log_entry **kept;   /* n of entries; NULL where one was refused */
    size_t n;
    struct json_object *errors; /* by index */
    struct skl_error first;
    int64_t now;
};

/* ---- one entry ---- */

static int check_payload(struct json_object *m, const char *where, struct skl_error *err)
{
    static const char *const names[] = {"textPayload", "jsonPayload", "protoPayload"};
    const char *found = NULL;
    struct json_object *proto = json_member(m, "protoPayload");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (json_member(m, names[i]) == NULL)
            continue;
        if (found != NULL)
            return error_set(err, SKL_ERR_INVALID, "Invalid value at '%s' (oneof), oneof field 'payload' is already set. Cannot set '%s'", where, names[i]);
        found = names[i];
    }
    if (proto != NULL && !json_object_is_type(json_member(proto, "@type"), json_type_string))
        return error_set(err, SKL_ERR_INVALID, "Invalid value at '%s.proto_payload' (type.googleapis.com/google.protobuf.Any), Missing @type", where);
    return 0;
}

static int add_label(struct json_object *to, const char *key, struct json_object *v, struct skl_error *err)
{
    size_t n = (size_t)json_object_get_string_len(v);
    const char *s = json_object_get_string(v);

    if (strlen(key) > LABEL_KEY_MAX)
        return error_set(err, SKL_ERR_INVALID, "Label key is longer than %d bytes: %.64s...", LABEL_KEY_MAX, key);
    if (n > LABEL_VALUE_MAX) /* cut, and not within a character */
        for (n = LABEL_VALUE_MAX; (s[n] & 0xc0) == 0x80;)
            n--;
    json_add_stringn(to, key, s, n);
    return 0;
}

/* The request's labels under the entry's own. NULL without err: there are none. */
static struct json_object *merge_labels(struct json_object *defaults, struct json_object *own, struct skl_error *err)
{
    struct json_object *from[] = {defaults, own};
    JSON_CLEANUP struct json_object *all = NULL;

    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        if (from[i] == NULL)
            continue;
        all = all != NULL ? all : json_new_object();
        json_object_object_foreach(from[i], key, v) {
            if (add_label(all, key, v, err) < 0)
                return NULL;
        }
    }
    if (all != NULL && json_object_object_length(all) > LABELS_MAX) {
        error_set(err, SKL_ERR_INVALID, "Too many labels: %d, at most %d are allowed", json_object_object_length(all), LABELS_MAX);
        return NULL;
    }
    return STEAL(all);
}

/* The project is the server's to say. */
static struct json_object *make_resource(struct json_object *given, const struct log_entry *e, struct skl_error *err)
{
    struct json_object *r = json_dup(given), *labels = json_member(r, "labels");

    if (str_empty(json_string_or(json_member(r, "type"), ""))) {
        error_set(err, SKL_ERR_INVALID, "A monitored resource with a type must be provided in the request or with each entry.");
        json_object_put(r);
        return NULL;
    }
    if (labels == NULL)
        labels = json_add_object(r, "labels");
    if (str_starts(e->log_name, "projects/") && json_member(labels, "project_id") == NULL)
        json_add_stringn(labels, "project_id", e->log_name + 9, e->parent_len - 9);
    return r;
}

/* Entries that bring neither a resource nor labels share the request's, as long as they are of one project. */
static int settle_common(struct write *w, struct log_entry *e, struct skl_error *err)
{
    struct json_object *resource, *labels;
    struct skl_error why = {0};

    e->shared = e->resource == NULL && e->labels == NULL;
    if (e->shared && w->common != NULL && w->common->parent_len == e->parent_len && memcmp(w->common->log_name, e->log_name, e->parent_len) == 0) {
        e->resource = json_object_get(w->common->resource);
        e->labels = json_object_get(w->common->labels);
        return 0;
    }
    resource = make_resource(e->resource != NULL ? e->resource : w->resource, e, &why);
    labels = resource != NULL ? merge_labels(w->labels, e->labels, &why) : NULL;
    json_object_put(e->resource);
    json_object_put(e->labels);
    e->resource = resource;
    e->labels = labels;
    if (why.kind != SKL_ERR_NONE) {
        error_copy(err, &why);
        return -1;
    }
    if (e->shared)
        w->common = e;
    return 0;
}

static int settle(struct write *w, struct log_entry *e, size_t length, struct skl_error *err)
{
    char id[25];

    e->received = w->now;
    if (e->time == 0)
        e->time = w->now;
    if (e->time > w->now + FUTURE_NS)
        return error_set(err, SKL_ERR_INVALID, "Log entry timestamp is more than 24 hours in the future.");
    if (length > ENTRY_SIZE_MAX)
        return error_set(err, SKL_ERR_INVALID, "Log entry with size %.1fK exceeds maximum size of 256.0K", (double)length / 1024);
    if (e->insert_id == NULL) {
        log_insert_id_new(&w->sim->logs, w->now, id);
        e->insert_id = xstrdup(id);
    }
    if (strlen(e->insert_id) > INSERT_ID_MAX)
        return error_set(err, SKL_ERR_INVALID, "Insert ID is longer than %d characters.", INSERT_ID_MAX);
    return settle_common(w, e, err);
}

/* message is taken. NULL with err when it can't be kept. */
static struct log_entry *keep(struct write *w, struct json_object *message, struct skl_error *err)
{
    size_t length = strlen(json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN));
    struct log_entry *e;

    if (json_member(message, "logName") == NULL && w->log_name != NULL)
        json_add_string(message, "logName", w->log_name);
    e = log_entry_read(message, err);
    json_object_put(message);
    if (e != NULL && settle(w, e, length, err) < 0) {
        log_entry_free(e);
        e = NULL;
    }
    return e;
}

/* -1: the whole request is none. */
static int take(struct write *w, size_t i, struct skl_error *err)
{
    CLEANUP(free_p) char *where = xasprintf("entries[%zu]", i);
    struct json_object *m = log_message_read(log_entry_fields, json_object_array_get_idx(w->entries, i), where, err), *status;
    struct skl_error why = {0};
    char key[24];

    if (m == NULL || check_payload(m, where, err) < 0) {
        json_object_put(m);
        return -1;
    }
    w->kept[w->n] = keep(w, m, &why);
    if (w->kept[w->n++] != NULL)
        return 0;
    if (w->first.kind == SKL_ERR_NONE)
        w->first = why;
    snprintf(key, sizeof(key), "%zu", i);
    status = json_add_object(w->errors, key);
    json_add_i64(status, "code", CODE_INVALID_ARGUMENT);
    json_add_string(status, "message", why.message);
    return 0;
}

/* ---- the request ---- */

static const char *const parameters[] = {"logName", "resource", "labels", "entries", "partialSuccess", "dryRun", NULL};

/* Defaults go through the same reader as entries do. */
static int read_defaults(struct write *w, struct json_object *body, struct json_object **ret_owner, struct skl_error *err)
{
    static const char *const names[] = {"logName", "resource", "labels"};
    JSON_CLEANUP struct json_object *o = json_new_object();

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_member(body, names[i]) != NULL)
            json_add(o, names[i], json_object_get(json_member(body, names[i])));
    *ret_owner = log_message_read(log_entry_fields, o, "request", err);
    if (*ret_owner == NULL)
        return -1;
    w->log_name = json_string_or(json_member(*ret_owner, "logName"), NULL);
    w->resource = json_member(*ret_owner, "resource");
    w->labels = json_member(*ret_owner, "labels");
    return 0;
}

static int read_request(struct write *w, struct json_object *body, struct json_object **ret_owner, struct skl_error *err)
{
    if (json_get_bool(body, "partialSuccess", &w->partial, err) < 0 || json_get_bool(body, "dryRun", &w->dry, err) < 0 ||
        json_get_array(body, "entries", &w->entries, err) < 0 || read_defaults(w, body, ret_owner, err) < 0)
        return -1;
    if (w->entries == NULL || json_object_array_length(w->entries) == 0)
        return error_set(err, SKL_ERR_INVALID, "Log entries must be provided.");
    w->kept = xcalloc(json_object_array_length(w->entries), sizeof(struct log_entry *));
    for (size_t i = 0; i < json_object_array_length(w->entries); i++)
        if (take(w, i, err) < 0)
            return -1;
    return 0;
}

/* How many were stored. */
static size_t store(struct write *w)
{
    size_t stored = 0;

    if (w->dry || (json_object_object_length(w->errors) > 0 && !w->partial))
        return 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->kept[i] == NULL)
            continue;
        log_take(w->sim, STEAL(w->kept[i]));
        stored++;
    }
    return stored;
}

static struct json_object *failure(const struct write *w, size_t stored)
{
    struct json_object *o = json_new_object(), *e = json_add_object(o, "error"), *detail;

    json_add_i64(e, "code", 400);
    json_add_string(e, "message", w->first.message);
    json_add_string(e, "status", "INVALID_ARGUMENT");
    if (stored > 0) {
        detail = json_new_object();
        json_add_string(detail, "@type", "type.googleapis.com/google.logging.v2.WriteLogEntriesPartialErrors");
        json_add(detail, "logEntryErrors", json_object_get(w->errors));
        json_push(json_add_array(e, "details"), detail);
    }
    return o;
}

void logging_write_entries(struct sim_call *c)
{
    struct write w = {.sim = c->sim, .now = clock_wall(), .errors = json_new_object()};
    struct skl_error err = {0};
    JSON_CLEANUP struct json_object *body = log_request_read(c->body, parameters, &err), *owner = NULL;
    size_t stored;

    if (body == NULL || read_request(&w, body, &owner, &err) < 0) {
        call_error(c, &err);
    } else {
        stored = store(&w);
        if (w.first.kind == SKL_ERR_NONE)
            call_json(c, 200, json_new_object());
        else
            call_json(c, 400, failure(&w, stored));
    }
    for (size_t i = 0; i < w.n; i++)
        log_entry_free(w.kept[i]);
    free(w.kept);
    json_object_put(w.errors);
}
