/*
 * simulator/logging/output.c - entries from what functions print, as Cloud Run makes them.
 *
 * One a line, without a severity. A line that is a JSON object becomes jsonPayload, and the keys that Google reserves are lifted out of it into the entry's
 * own fields; one whose value is of the wrong type stays where it is. When only a message is left it is text after all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "simulator/logging/logging.h"
#include "simulator/sim.h"

#define RECEIVED_AFTER NS_PER_MS

/* ---- what all entries of an instance share ---- */

static struct json_object *make_resource(const struct instance *in)
{
    struct json_object *r = json_new_object(), *l;

    json_add_string(r, "type", "cloud_run_revision");
    l = json_add_object(r, "labels");
    json_add_string(l, "project_id", in->project);
    json_add_string(l, "location", in->location);
    json_add_string(l, "service_name", in->service);
    json_add_string(l, "revision_name", in->revision);
    json_add_string(l, "configuration_name", in->service);
    return r;
}

static struct json_object *make_labels(const struct instance *in)
{
    struct json_object *l = json_new_object();
    char execution[13];

    if (in->labels != NULL) {
        json_object_object_foreach(in->labels, key, v)
            json_add(l, key, json_object_get(v));
    }
    snprintf(execution, sizeof(execution), "%.12s", in->id);
    json_add_string(l, "instanceId", in->id);
    json_add_string(l, "execution_id", execution);
    json_add_string(l, "goog-managed-by", "cloudfunctions");
    json_add_string(l, "goog-drz-cloudfunctions-id", in->service);
    json_add_string(l, "goog-drz-cloudfunctions-location", in->location);
    return l;
}

/* ---- structured lines ---- */

/* The members of `line` that are an entry's own, read as fields of a LogEntry would be. */
static const struct {
    const char *key, *field;
} lifted[] = {
    {"severity", "severity"}, {"httpRequest", "httpRequest"}, {"time", "timestamp"}, {"logging.googleapis.com/insertId", "insertId"},
    {"logging.googleapis.com/labels", "labels"}, {"logging.googleapis.com/operation", "operation"},
    {"logging.googleapis.com/sourceLocation", "sourceLocation"}, {"logging.googleapis.com/spanId", "spanId"}, {"logging.googleapis.com/trace", "trace"},
    {"logging.googleapis.com/trace_sampled", "traceSampled"}};

static void lift(struct json_object *line, const char *key, const char *field, struct json_object *entry)
{
    struct json_object *v = json_member(line, key);
    JSON_CLEANUP struct json_object *one = json_new_object(), *read = NULL;
    struct skl_error ignored = {0};

    if (v == NULL)
        return;
    json_add(one, field, json_object_get(v));
    read = log_message_read(log_entry_fields, one, "line", &ignored);
    if (read == NULL)
        return;
    json_object_object_foreach(read, name, value)
        json_add(entry, name, json_object_get(value));
    json_object_object_del(line, key);
}

/* {"timestamp": {"seconds", "nanos"}}, or "timestampSeconds" and "timestampNanos". */
static void lift_seconds(struct json_object *line, struct json_object *entry)
{
    struct json_object *stamp = json_member(line, "timestamp");
    bool own = json_object_is_type(stamp, json_type_object);
    struct json_object *seconds = own ? json_member(stamp, "seconds") : json_member(line, "timestampSeconds");
    struct json_object *nanos = own ? json_member(stamp, "nanos") : json_member(line, "timestampNanos");
    int64_t s = json_object_get_int64(seconds), n = json_object_get_int64(nanos);
    char when[TIME_RFC3339_SIZE];

    if (seconds == NULL || s <= 0 || s > INT64_MAX / NS_PER_S - 1 || n < 0 || n >= NS_PER_S)
        return;
    json_add_string(entry, "timestamp", time_format_rfc3339(s * NS_PER_S + n, when));
    if (own) {
        json_object_object_del(line, "timestamp");
    } else {
        json_object_object_del(line, "timestampSeconds");
        json_object_object_del(line, "timestampNanos");
    }
}

struct json_object *log_line_read(const char *line, size_t n)
{
    JSON_CLEANUP struct json_object *o = NULL;
    struct skl_error ignored = {0};
    struct json_object *entry, *message;

    while (n > 0 && strchr(" \t\r", line[n - 1]) != NULL)
        n--;
    if (n < 2 || line[0] != '{' || line[n - 1] != '}' || (o = json_parse_object(line, n, ENTRY_SIZE_MAX, &ignored)) == NULL)
        return NULL;
    entry = json_new_object();
    for (size_t i = 0; i < ARRAY_LEN(lifted); i++)
        lift(o, lifted[i].key, lifted[i].field, entry);
    lift_seconds(o, entry);
    message = json_member(o, "message");
    if (json_object_object_length(o) == 1 && json_object_is_type(message, json_type_string))
        json_add(entry, "textPayload", json_object_get(message));
    else
        json_add(entry, "jsonPayload", json_object_get(o));
    return entry;
}

/* ---- text ---- */

/* Bytes that are no UTF-8 become U+FFFD. */
static struct json_object *text_json(const char *line, size_t n)
{
    struct buf b;
    struct json_object *v;

    if (utf8_valid(line, n))
        return json_object_new_string_len(line, (int)n);
    buf_init(&b, 3 * n + 1);
    for (size_t i = 0; i < n;) {
        size_t len = utf8_sequence(line + i, n - i);
        (void)(len > 0 ? buf_append(&b, line + i, len) : buf_puts(&b, "\xef\xbf\xbd"));
        i += len > 0 ? len : 1;
    }
    v = json_object_new_string_len(buf_str(&b), (int)b.len);
    buf_fini(&b);
    return v;
}

static void add_split(struct instance *in, int stream, bool last, struct json_object *entry)
{
    struct json_object *split = json_add_object(entry, "split");
    unsigned index = in->split[stream - 1].index++;

    if (index == 0)
        log_insert_id_new(&in->sim->logs, clock_wall(), in->split[stream - 1].uid);
    json_add_string(split, "uid", in->split[stream - 1].uid);
    if (index > 0)
        json_add_i64(split, "index", index);
    if (last) {
        json_add_i64(split, "totalSplits", index + 1);
        in->split[stream - 1].index = 0;
    }
}

/* ---- entries ---- */

static void finish(struct instance *in, struct log_entry *e)
{
    int64_t now = clock_wall();
    char id[25];

    e->time = e->time != 0 ? e->time : now;
    e->received = now + RECEIVED_AFTER;
    if (e->insert_id == NULL) {
        log_insert_id_new(&in->sim->logs, now, id);
        e->insert_id = xstrdup(id);
    }
    e->resource = json_object_get(in->log_resource);
    if (e->labels != NULL) {
        json_object_object_foreach(in->log_labels, key, v)
            json_add(e->labels, key, json_object_get(v));
    } else {
        e->shared = true;
        e->labels = json_object_get(in->log_labels);
    }
    log_take(in->sim, e);
}

void log_output(struct instance *in, int stream, const char *line, size_t n, enum log_piece piece)
{
    JSON_CLEANUP struct json_object *o = piece == LOG_WHOLE ? log_line_read(line, n) : NULL;
    CLEANUP(free_p) char *name = xasprintf("projects/%s/logs/run.googleapis.com%%2F%s", in->project, stream == 1 ? "stdout" : "stderr");
    struct skl_error err = {0};
    struct log_entry *e;

    if (in->log_resource == NULL) {
        in->log_resource = make_resource(in);
        in->log_labels = make_labels(in);
    }
    if (o == NULL) {
        o = json_new_object();
        json_add(o, "textPayload", text_json(line, n));
        if (piece != LOG_WHOLE)
            add_split(in, stream, piece == LOG_LAST_PIECE, o);
    }
    json_add_string(o, "logName", name);
    e = log_entry_read(o, &err);
    if (e != NULL)
        finish(in, e);
}

void log_output_forget(struct instance *in)
{
    json_object_put(in->log_resource);
    json_object_put(in->log_labels);
}
