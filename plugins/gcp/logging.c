/*
 * gcp/logging.c - see logging.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/logging.h"
#include "gcp/json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Lines of one entry that are told apart; what follows stays one piece. A line is much larger here than there. */
#define PARTS_MAX 100

static void line_fini(struct gcp_log_line *l)
{
    free(l->insert_id);
    free(l->service);
    free(l->data);
    memset(l, 0, sizeof(*l));
}

void gcp_log_batch_fini(struct gcp_log_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        line_fini(&b->lines[i]);
    free(b->lines);
    memset(b, 0, sizeof(*b));
}

/* What the program printed, as far as the entry still tells: a line that was JSON has lost its exact bytes.
 */
static const char *entry_text(struct json_object *e, size_t *ret_len)
{
    struct json_object *text = gcp_json_get(e, "textPayload"), *json = gcp_json_get(e, "jsonPayload");
    struct json_object *message = gcp_json_get(json, "message");
    const char *s;

    if (json && json_object_is_type(message, json_type_string) && json_object_object_length(json) == 1)
        text = message;
    if (json_object_is_type(text, json_type_string)) {
        *ret_len = (size_t)json_object_get_string_len(text);
        return json_object_get_string(text);
    }
    if (!json)
        return NULL;
    s = gcp_json_text(json);
    *ret_len = s ? strlen(s) : 0;
    return s;
}

static bool is_stderr(const char *log_name)
{
    const char *end = log_name ? log_name + strlen(log_name) : NULL;

    return end && end - log_name >= 6 && !strcmp(end - 6, "stderr") &&
           (end - log_name == 6 || end[-7] == '/' ||
            (end - log_name >= 9 && !strncasecmp(end - 9, "%2F", 3)));
}

static bool line_init(struct gcp_log_line *l, struct json_object *e, const char *text, size_t len,
                      int64_t time)
{
    const char *id = gcp_json_str(e, "insertId"), *service = gcp_json_str(e, "resource.labels.service_name");

    memset(l, 0, sizeof(*l));
    l->time = time;
    l->stream = is_stderr(gcp_json_str(e, "logName")) ? 2 : 1;
    l->insert_id = strdup(id ? id : "");
    l->service = strdup(service ? service : "");
    l->data = malloc(len + 2);
    if (!l->insert_id || !l->service || !l->data) {
        line_fini(l);
        return false;
    }
    memcpy(l->data, text, len);
    l->len = len;
    if (!len || text[len - 1] != '\n')
        l->data[l->len++] = '\n';
    l->data[l->len] = '\0';
    return true;
}

static bool batch_grow(struct gcp_log_batch *b)
{
    size_t cap = b->cap ? b->cap * 2 : 64;
    void *p;

    if (b->n < b->cap)
        return true;
    p = realloc(b->lines, cap * sizeof(*b->lines));
    if (!p)
        return false;
    b->lines = p;
    b->cap = cap;
    return true;
}

/* An entry's lines; at least one. */
static bool batch_add_lines(struct gcp_log_batch *b, struct json_object *e, const char *text, size_t len,
                            int64_t time)
{
    const char *end = text + len, *newline;

    for (uint32_t part = 0; part == 0 || text < end; part++) {
        newline = text < end && part + 1 < PARTS_MAX ? memchr(text, '\n', (size_t)(end - text)) : NULL;
        len = (size_t)((newline ? newline : end) - text);
        if (!batch_grow(b) || !line_init(&b->lines[b->n], e, text, len, time))
            return false;
        b->lines[b->n].part = part;
        b->bytes += b->lines[b->n++].len;
        text += len + (newline ? 1 : 0);
    }
    return true;
}

static bool batch_add_entry(struct gcp_log_batch *b, struct json_object *e)
{
    const char *when = gcp_json_str(e, "timestamp");
    size_t len;
    const char *text = entry_text(e, &len);
    int64_t time;

    if (!when)
        when = gcp_json_str(e, "receiveTimestamp");
    return !text || !when || !gcp_time_parse(when, &time) || batch_add_lines(b, e, text, len, time);
}

bool gcp_log_batch_copy(struct gcp_log_batch *b, const struct gcp_log_line *line)
{
    struct gcp_log_line copy = {.time = line->time, .stream = line->stream, .part = line->part, .len = line->len};

    copy.insert_id = strdup(line->insert_id);
    copy.service = strdup(line->service);
    copy.data = malloc(line->len + 1);
    if (!copy.insert_id || !copy.service || !copy.data || !batch_grow(b)) {
        line_fini(&copy);
        return false;
    }
    memcpy(copy.data, line->data, line->len + 1);
    b->lines[b->n++] = copy;
    b->bytes += copy.len;
    return true;
}

bool gcp_log_batch_add(struct gcp_log_batch *b, struct json_object *page)
{
    struct json_object *entries = gcp_json_array(page, "entries");
    size_t n = entries ? json_object_array_length(entries) : 0;

    for (size_t i = 0; i < n; i++)
        if (!batch_add_entry(b, json_object_array_get_idx(entries, i)))
            return false;
    return true;
}

static int line_compare(const void *a, const void *b)
{
    const struct gcp_log_line *x = a, *y = b;
    int order = x->time != y->time ? (x->time < y->time ? -1 : 1) : strcmp(x->insert_id, y->insert_id);

    return order ? order : (x->part > y->part) - (x->part < y->part);
}

void gcp_log_batch_sort(struct gcp_log_batch *b)
{
    size_t n = 0;

    if (b->n)
        qsort(b->lines, b->n, sizeof(*b->lines), line_compare);
    for (size_t i = 0; i < b->n; i++) {
        if (n && *b->lines[i].insert_id && !line_compare(&b->lines[n - 1], &b->lines[i])) {
            b->bytes -= b->lines[i].len;
            line_fini(&b->lines[i]);
        } else {
            b->lines[n++] = b->lines[i];
        }
    }
    b->n = n;
}

void gcp_log_filter_add(struct gcp_str *filter, const char *key, const char *op, const char *value)
{
    gcp_str_printf(filter, "%s%s%s\"", filter->len ? " AND " : "", key, op);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            gcp_str_append(filter, "\\", 1);
        gcp_str_append(filter, value, 1);
    }
    gcp_str_append(filter, "\"", 1);
}

char *gcp_log_request(const char *project, const char *filter, bool newest_first, int page_size,
                      const char *token)
{
    struct json_object *o = json_object_new_object(), *names = gcp_json_put_array(o, "resourceNames");
    char *name = gcp_format("projects/%s", project), *text;

    if (names && name)
        json_object_array_add(names, json_object_new_string(name));
    gcp_json_put_str(o, "filter", filter);
    gcp_json_put_str(o, "orderBy", newest_first ? "timestamp desc" : "timestamp asc");
    gcp_json_put_int(o, "pageSize", page_size);
    gcp_json_put_str(o, "pageToken", token);
    text = gcp_dup(gcp_json_text(o));
    json_object_put(o);
    free(name);
    return text;
}
