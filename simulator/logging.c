/*
 * simulator/logging.c - Logging v2 entries:list for the filters that drivers send: comparisons joined by AND, and groups of
 * logName in parentheses joined by OR. Anything else is refused as Google refuses what it can't parse.
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
#include "simulator/sim.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX 1000
#define FILTER_MAX 20000
#define TERMS_MAX 64

struct term {
    char path[128];
    char op[3];
    char value[1024];
    int group;     /* terms of one group are joined by OR; groups by AND */
};

struct filter {
    struct term terms[TERMS_MAX];
    size_t n;
    int groups;
};

/* ---- parsing ---- */

static const char *skip(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

static const char *take_word(const char *p, char *out, size_t size)
{
    size_t n = 0;

    if (*p == '"') {
        for (p++; *p != '\0' && *p != '"'; p++) {
            if (*p == '\\' && p[1] != '\0')
                p++;
            if (n + 1 >= size)
                return NULL;
            out[n++] = *p;
        }
        if (*p++ != '"')
            return NULL;
    } else {
        while (isalnum((unsigned char)*p) || (*p != '\0' && strchr("_.-%/", *p) != NULL)) {
            if (n + 1 >= size)
                return NULL;
            out[n++] = *p++;
        }
        if (n == 0)
            return NULL;
    }
    out[n] = '\0';
    return p;
}

/* path op value; the path may have quoted segments. */
static const char *take_term(struct filter *f, const char *p, int group)
{
    struct term *t = &f->terms[f->n];
    size_t n = 0;

    if (f->n == TERMS_MAX)
        return NULL;
    while (isalnum((unsigned char)*p) || *p == '_' || *p == '.' || *p == '"') {
        if (n + 1 >= sizeof(t->path))
            return NULL;
        if (*p != '"')
            t->path[n++] = *p++;
        else
            for (p++; *p != '"'; p++) {
                if (*p == '\0' || n + 1 >= sizeof(t->path))
                    return NULL;
                t->path[n++] = *p;
            }
        if (*p == '"')
            p++;
    }
    t->path[n] = '\0';
    p = skip(p);
    n = strspn(p, "=<>!:");
    if (t->path[0] == '\0' || n == 0 || n > 2)
        return NULL;
    memcpy(t->op, p, n);
    t->op[n] = '\0';
    p = take_word(skip(p + n), t->value, sizeof(t->value));
    if (p != NULL) {
        t->group = group;
        f->n++;
    }
    return p;
}

static const char *take_group(struct filter *f, const char *p)
{
    int group = f->groups++;

    if (*p != '(')
        return take_term(f, p, group);
    for (p = skip(p + 1);;) {
        p = take_term(f, p, group);
        if (p == NULL)
            return NULL;
        p = skip(p);
        if (*p == ')')
            return p + 1;
        if (strncmp(p, "OR ", 3) != 0)
            return NULL;
        p = skip(p + 3);
    }
}

static bool parse(struct filter *f, const char *text, size_t *ret_column)
{
    const char *p = skip(text);

    f->n = 0;
    f->groups = 0;
    while (*p != '\0') {
        const char *next = take_group(f, p);
        if (next == NULL) {
            *ret_column = (size_t)(p - text) + 1;
            return false;
        }
        p = skip(next);
        if (strncmp(p, "AND ", 4) == 0)
            p = skip(p + 4);
    }
    return true;
}

/* ---- matching ---- */

static const char *field(const struct log_entry *e, const char *path, char *space, size_t size)
{
    if (str_eq(path, "resource.type"))
        return "cloud_run_revision";
    if (str_eq(path, "resource.labels.service_name") || str_eq(path, "resource.labels.configuration_name"))
        return e->service;
    if (str_eq(path, "resource.labels.location"))
        return e->location;
    if (str_eq(path, "resource.labels.project_id"))
        return e->project;
    if (str_eq(path, "resource.labels.revision_name"))
        return e->revision;
    if (str_eq(path, "insertId"))
        return e->insert_id;
    if (str_eq(path, "textPayload"))
        return e->text;
    if (str_eq(path, "labels.goog-managed-by"))
        return "cloudfunctions";
    if (str_eq(path, "logName")) {
        snprintf(space, size, "projects/%s/logs/%s", e->project, e->log_id);
        return space;
    }
    return NULL;
}

static bool compare_time(const struct term *t, int64_t time)
{
    int64_t v;

    if (!time_parse_rfc3339(t->value, &v))
        return false;
    if (str_eq(t->op, ">="))
        return time >= v;
    if (str_eq(t->op, ">"))
        return time > v;
    if (str_eq(t->op, "<="))
        return time <= v;
    if (str_eq(t->op, "<"))
        return time < v;
    return str_eq(t->op, "=") ? time == v : time != v;
}

static bool term_matches(const struct term *t, const struct log_entry *e)
{
    char space[512];
    const char *v;

    if (str_eq(t->path, "timestamp"))
        return compare_time(t, e->time);
    v = field(e, t->path, space, sizeof(space));
    if (v == NULL)
        return false;
    if (str_eq(t->op, ":"))
        return strcasestr(v, t->value) != NULL;
    if (str_eq(t->op, "!="))
        return !str_ieq(v, t->value);
    return str_eq(t->op, "=") && str_ieq(v, t->value);
}

static bool matches(const struct filter *f, const struct log_entry *e)
{
    for (int g = 0; g < f->groups; g++) {
        bool any = false;
        for (size_t i = 0; i < f->n && !any; i++)
            any = f->terms[i].group == g && term_matches(&f->terms[i], e);
        if (!any)
            return false;
    }
    return true;
}

static bool in_resources(struct json_object *names, const struct log_entry *e)
{
    CLEANUP(free_p) char *mine = xasprintf("projects/%s", e->project);

    for (size_t i = 0; i < json_object_array_length(names); i++)
        if (str_eq(json_string_or(json_object_array_get_idx(names, i), ""), mine))
            return true;
    return false;
}

/* ---- entries:list ---- */

struct list_request {
    const char *filter, *order, *token;
    struct json_object *names;
    int64_t size;
};

static int read_request(struct sim_call *c, struct list_request *r, struct skl_error *err)
{
    *r = (struct list_request){.filter = "", .order = "timestamp asc", .token = "", .size = PAGE_DEFAULT};
    if (json_get_string(c->body, "filter", &r->filter, err) < 0 || json_get_string(c->body, "orderBy", &r->order, err) < 0 ||
        json_get_string(c->body, "pageToken", &r->token, err) < 0 || json_get_i64(c->body, "pageSize", &r->size, err) < 0 ||
        json_get_array(c->body, "resourceNames", &r->names, err) < 0)
        return -1;
    if (r->names == NULL || json_object_array_length(r->names) == 0)
        return error_set(err, SKL_ERR_INVALID, "resource_names must be specified");
    if (r->size < 0 || r->size > PAGE_MAX)
        return error_set(err, SKL_ERR_INVALID, "page_size must be between 0 and 1000");
    if (strlen(r->filter) > FILTER_MAX)
        return error_set(err, SKL_ERR_INVALID, "filter is longer than 20000 characters");
    if (!str_eq(r->order, "timestamp asc") && !str_eq(r->order, "timestamp desc") && !str_empty(r->order))
        return error_set(err, SKL_ERR_INVALID, "order_by must be \"timestamp asc\" or \"timestamp desc\"");
    if (r->size == 0)
        r->size = PAGE_DEFAULT;
    return 0;
}

static void fill(struct sim_call *c, const struct list_request *r, const struct filter *f, uint64_t from, struct json_object *o)
{
    struct sim *s = c->sim;
    bool desc = str_eq(r->order, "timestamp desc");
    struct json_object *list = json_add_array(o, "entries");
    int64_t visible = clock_wall() - s->opts.log_delay;
    uint64_t at = 0;

    for (struct list *n = desc ? s->entries.prev : s->entries.next; n != &s->entries; n = desc ? n->prev : n->next) {
        struct log_entry *e = LIST_ENTRY(n, struct log_entry, link);
        if ((s->opts.log_delay > 0 && e->time > visible) || !in_resources(r->names, e) || !matches(f, e))
            continue;
        if (at++ < from)
            continue;
        if (json_object_array_length(list) == (size_t)r->size) {
            char token[24];
            snprintf(token, sizeof(token), "%llu", (unsigned long long)(from + (uint64_t)r->size));
            json_add_string(o, "nextPageToken", token);
            break;
        }
        json_push(list, entry_json(e));
    }
}

static void handle_list(struct sim_call *c)
{
    struct list_request r;
    struct skl_error err = {0};
    struct filter *f = xcalloc(1, sizeof(*f));
    struct json_object *o;
    uint64_t from = 0;
    size_t column = 0;

    if (read_request(c, &r, &err) < 0) {
        call_error(c, &err);
    } else if (!parse(f, r.filter, &column)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Unparseable filter: syntax error at line 1, column %zu", column);
    } else if (!str_empty(r.token) && !str_to_u64(r.token, 0, UINT32_MAX, &from)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "page_token doesn't match arguments from the request");
    } else {
        o = json_new_object();
        fill(c, &r, f, from, o);
        call_json(c, 200, o);
    }
    free(f);
}

const struct sim_route logging_routes[] = {
    {"POST", "/v2/entries:list", "ListLogEntries", handle_list, false},
    {NULL, NULL, NULL, NULL, false},
};
