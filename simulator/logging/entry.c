/*
 * simulator/logging/entry.c - one log entry. What each has is held as it is; the rest stays JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "simulator/logging/logging.h"

#define LOG_ID_MAX 511
#define LOG_ID_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/"
#define JSON_WEIGHT 4 /* bytes that json-c takes for one of its text, about */

void log_entry_free(struct log_entry *e)
{
    if (e == NULL)
        return;
    free(e->log_name);
    free(e->insert_id);
    free(e->text);
    json_object_put(e->resource);
    json_object_put(e->labels);
    json_object_put(e->rest);
    free(e);
}

static size_t weight(struct json_object *o)
{
    return o != NULL ? JSON_WEIGHT * strlen(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN)) : 0;
}

void log_entry_measure(struct log_entry *e)
{
    e->size = sizeof(*e) + strlen(e->log_name) + strlen(e->insert_id) + e->text_len + 64 + weight(e->rest);
    if (!e->shared)
        e->size += weight(e->resource) + weight(e->labels);
}

static void take(struct log_entry *e, const struct log_field *f, struct json_object *v)
{
    const char *s = json_string_or(v, "");

    switch (f->special) {
    case LOG_NAME: e->log_name = xstrdup(s); break;
    case LOG_TIMESTAMP: (void)time_parse_rfc3339(s, &e->time); break;
    case LOG_RECEIVED: break;
    case LOG_INSERT_ID: e->insert_id = xstrdup(s); break;
    case LOG_SEVERITY_OF: e->severity = log_severity_parse(s); break;
    case LOG_RESOURCE: e->resource = json_object_get(v); break;
    case LOG_LABELS: e->labels = json_object_get(v); break;
    case LOG_TEXT:
        e->text_len = (size_t)json_object_get_string_len(v);
        e->text = xmemdup(s, e->text_len + 1); /* it may hold a NUL */
        break;
    default:
        if (e->rest == NULL)
            e->rest = json_new_object();
        json_add(e->rest, f->name, json_object_get(v));
    }
}

/* projects/P, and the same of organizations, billingAccounts and folders. */
bool log_parent_valid(const char *s, size_t n)
{
    static const char *const kinds[] = {"projects/", "organizations/", "billingAccounts/", "folders/"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i]);
        if (n > len && strncmp(s, kinds[i], len) == 0)
            return memchr(s + len, '/', n - len) == NULL;
    }
    return false;
}

/* projects/P/logs/ID: the ID is taken however it is escaped, and kept in one spelling. */
static bool settle_name(struct log_entry *e)
{
    const char *logs = strstr(e->log_name, "/logs/");
    struct buf id;
    bool ok;

    if (logs == NULL || !log_parent_valid(e->log_name, (size_t)(logs - e->log_name)))
        return false;
    buf_init(&id, LOG_ID_MAX);
    e->parent_len = (size_t)(logs - e->log_name);
    ok = strchr(logs + 6, '/') == NULL && url_decode(&id, logs + 6, strlen(logs + 6), false) == 0 && id.len > 0 &&
         strspn(buf_str(&id), LOG_ID_CHARS) == id.len;
    if (ok) {
        char *name = log_name_new(e->log_name, e->parent_len, buf_str(&id));
        free(e->log_name);
        e->log_name = name;
    }
    buf_fini(&id);
    return ok;
}

char *log_name_new(const char *parent, size_t parent_len, const char *id)
{
    struct buf b;

    buf_init(&b, 8192);
    (void)buf_append(&b, parent, parent_len);
    (void)buf_puts(&b, "/logs/");
    (void)url_encode(&b, id, strlen(id));
    return buf_steal(&b, NULL);
}

struct log_entry *log_entry_read(struct json_object *message, struct skl_error *err)
{
    struct log_entry *e = xcalloc(1, sizeof(*e));

    json_object_object_foreach(message, key, v)
        take(e, log_field_find(log_entry_fields, key), v);
    if (e->log_name == NULL)
        error_set(err, SKL_ERR_INVALID, "A log name must be provided in the request or with each entry.");
    else if (!settle_name(e))
        error_set(err, SKL_ERR_INVALID,
                  "The log name \"%.200s\" is invalid. It must have the form projects/[PROJECT_ID]/logs/[LOG_ID] with LOG_ID URL-encoded.", e->log_name);
    else
        return e;
    log_entry_free(e);
    return NULL;
}

/* As protobuf has it in JSON: no fraction, or one of three, six or nine digits. */
static void add_time(struct json_object *o, const char *key, int64_t time)
{
    char text[TIME_RFC3339_SIZE]; /* 2006-01-02T15:04:05.000000000Z */
    size_t n = strlen(time_format_log(time, text)) - 1;

    while (n > 20 && memcmp(text + n - 3, "000", 3) == 0)
        n -= 3;
    if (text[n - 1] == '.')
        n--;
    text[n] = 'Z';
    json_add_stringn(o, key, text, n + 1);
}

struct json_object *log_entry_json(const struct log_entry *e)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "logName", e->log_name);
    json_add(o, "resource", json_object_get(e->resource));
    if (e->text != NULL)
        json_add_stringn(o, "textPayload", e->text, e->text_len);
    add_time(o, "timestamp", e->time);
    add_time(o, "receiveTimestamp", e->received);
    if (e->severity > 0)
        json_add_string(o, "severity", log_severity_name(e->severity));
    json_add_string(o, "insertId", e->insert_id);
    if (e->labels != NULL)
        json_add(o, "labels", json_object_get(e->labels));
    if (e->rest != NULL) {
        json_object_object_foreach(e->rest, key, v)
            json_add(o, key, json_object_get(v));
    }
    return o;
}
