/*
 * simulator/logging/logs.c - logs by their names, monitored resources, what is not to be had over REST; the routes of Logging v2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/logging/logging.h"
#include "simulator/sim.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX 1000

void log_take(struct sim *s, struct log_entry *e)
{
    struct fault_hit hit = faults_strike(s->faults, FAULTS_ENTRY);

    e->late = hit.kind == FAULT_LATE ? hit.delay : 0;
    e->twice = hit.kind == FAULT_TWICE;
    log_store_add(&s->logs, e);
}

static const struct log_field *find_parameter(const char *const *names, const char *given, struct log_field *space)
{
    space[1] = (struct log_field){.name = NULL};
    for (; *names != NULL; names++) {
        space[0] = (struct log_field){.name = *names};
        if (log_field_find(space, given) != NULL)
            return space;
    }
    return NULL;
}

struct json_object *log_request_read(struct json_object *body, const char *const *names, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *o = json_new_object();
    struct log_field space[2];
    int64_t n;

    json_object_object_foreach(body, key, v) {
        const struct log_field *f = find_parameter(names, key, space);
        if (f == NULL) {
            error_set(err, SKL_ERR_INVALID, "Invalid JSON payload received. Unknown name \"%.200s\": Cannot find field.", key);
            return NULL;
        }
        if (v == NULL)
            continue;
        if (str_eq(f->name, "pageSize") && json_object_is_type(v, json_type_string) && str_to_i64(json_object_get_string(v), INT32_MIN, INT32_MAX, &n))
            json_add_i64(o, f->name, n);
        else
            json_add(o, f->name, json_object_get(v));
    }
    return STEAL(o);
}

/* ---- paging over query parameters ---- */

static bool read_page(struct sim_call *c, size_t *ret_from, size_t *ret_size)
{
    const char *size = http_req_query(c->req, "pageSize"), *token = http_req_query(c->req, "pageToken");
    int64_t n = 0;
    uint64_t from = 0;

    if (!str_empty(size) && (!str_to_i64(size, INT32_MIN, INT32_MAX, &n) || n < 0)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "page_size must not be negative");
        return false;
    }
    if (!str_empty(token) && !str_to_u64(token, 0, UINT32_MAX, &from)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "page_token is invalid");
        return false;
    }
    *ret_size = n == 0 ? PAGE_DEFAULT : n > PAGE_MAX ? PAGE_MAX : (size_t)n;
    *ret_from = (size_t)from;
    return true;
}

/* ---- logs ---- */

struct name {
    UT_hash_handle hh;
    const char *s;
};

static int by_name(const void *a, const void *b)
{
    const struct name *const *x = a, *const *y = b;

    return strcmp((*x)->s, (*y)->s);
}

/* The names of a parent's logs, sorted; borrowed from the entries. Free the array. */
static const char **names_of(struct sim *s, const char *parent, size_t *ret_n)
{
    struct name *all = NULL, *nm, *tmp, **sorted;
    size_t n = 0, parent_len = strlen(parent);
    const char **v;

    for (size_t i = 0; i < log_store_count(&s->logs); i++) {
        const struct log_entry *e = log_store_at(&s->logs, i);
        if (e->parent_len != parent_len || memcmp(e->log_name, parent, parent_len) != 0)
            continue;
        HASH_FIND_STR(all, e->log_name, nm);
        if (nm != NULL)
            continue;
        nm = xcalloc(1, sizeof(*nm));
        nm->s = e->log_name;
        HASH_ADD_KEYPTR(hh, all, nm->s, strlen(nm->s), nm);
        n++;
    }
    sorted = xcalloc(n + 1, sizeof(struct name *));
    v = xcalloc(n + 1, sizeof(char *));
    n = 0;
    for (nm = all; nm != NULL; nm = nm->hh.next)
        sorted[n++] = nm;
    qsort(sorted, n, sizeof(struct name *), by_name);
    for (size_t i = 0; i < n; i++)
        v[i] = sorted[i]->s;
    HASH_ITER(hh, all, nm, tmp) {
        HASH_DEL(all, nm);
        free(nm);
    }
    free(sorted);
    *ret_n = n;
    return v;
}

static char *parent_of(const struct sim_call *c)
{
    return xasprintf("%s/%s", call_param(c, "kind"), call_param(c, "parent"));
}

static void list_logs(struct sim_call *c)
{
    CLEANUP(free_p) char *parent = parent_of(c);
    struct json_object *o, *list;
    size_t from, size, n, i;
    const char **names;
    char token[24];

    if (!log_parent_valid(parent, strlen(parent))) {
        call_fail(c, 404, "NOT_FOUND", "Requested entity was not found.");
        return;
    }
    if (!read_page(c, &from, &size))
        return;
    names = names_of(c->sim, parent, &n);
    o = json_new_object();
    list = json_new_array();
    for (i = from; i < n && i - from < size; i++)
        json_push_string(list, names[i]);
    free(names);
    if (json_object_array_length(list) > 0)
        json_add(o, "logNames", list);
    else
        json_object_put(list);
    if (i < n) {
        snprintf(token, sizeof(token), "%zu", i);
        json_add_string(o, "nextPageToken", token);
    }
    call_json(c, 200, o);
}

static bool of_log(void *arg, const struct log_entry *e)
{
    return str_eq(e->log_name, arg);
}

/* The name holds the ID escaped, and clients put the name into the path as it is or escaped once more: an ID itself has no percent sign. */
static void delete_log(struct sim_call *c)
{
    CLEANUP(free_p) char *parent = parent_of(c), *name = NULL;
    const char *given = call_param(c, "log");
    struct buf id;

    buf_init(&id, 4096);
    if (url_decode(&id, given, strlen(given), false) == 0)
        name = log_name_new(parent, strlen(parent), buf_str(&id));
    buf_fini(&id);
    if (name == NULL) {
        call_fail(c, 400, "INVALID_ARGUMENT", "The log ID \"%.200s\" is invalid.", given);
        return;
    }
    if (log_store_remove(&c->sim->logs, of_log, name) == 0)
        call_fail(c, 404, "NOT_FOUND", "Log %s does not exist", name);
    else
        call_json(c, 200, json_new_object());
}

/* ---- monitored resources ---- */

/* Those that a simulated project has entries of, and what clients write with. */
static const struct {
    const char *type, *name, *description;
    const char *labels[8];
} descriptors[] = {
    {"cloud_run_revision", "Cloud Run Revision", "A revision in Cloud Run (fully managed).",
     {"project_id", "service_name", "revision_name", "location", "configuration_name"}},
    {"cloud_run_job", "Cloud Run Job", "A Cloud Run job.", {"project_id", "job_name", "location"}},
    {"cloud_function", "Cloud Function", "A function in Google Cloud Functions.", {"project_id", "function_name", "region"}},
    {"global", "Global", "A resource type that is not associated with any specific resource.", {"project_id"}},
    {"project", "Google Project", "Represents a Google project.", {"project_id"}},
    {"audited_resource", "Audited Resource", "A Google Cloud resource that produces audit logs.", {"project_id", "service", "method"}},
    {"build", "Cloud Build", "A build in Cloud Build.", {"project_id", "build_id", "build_trigger_id"}},
    {"generic_node", "Generic Node", "A generic node identifies a machine or other computational resource.", {"project_id", "location", "namespace", "node_id"}},
    {"generic_task", "Generic Task", "A generic task identifies an application process.", {"project_id", "location", "namespace", "job", "task_id"}},
};

static struct json_object *descriptor_json(size_t i)
{
    struct json_object *o = json_new_object(), *labels;

    json_add_string(o, "type", descriptors[i].type);
    json_add_string(o, "displayName", descriptors[i].name);
    json_add_string(o, "description", descriptors[i].description);
    labels = json_add_array(o, "labels");
    for (size_t k = 0; descriptors[i].labels[k] != NULL; k++) {
        struct json_object *l = json_new_object();
        json_add_string(l, "key", descriptors[i].labels[k]);
        json_push(labels, l);
    }
    json_add_string(o, "launchStage", "GA");
    return o;
}

static void list_descriptors(struct sim_call *c)
{
    struct json_object *o, *list;
    size_t from, size, i;
    char token[24];

    if (!read_page(c, &from, &size))
        return;
    o = json_new_object();
    list = json_add_array(o, "resourceDescriptors");
    for (i = from; i < ARRAY_LEN(descriptors) && i - from < size; i++)
        json_push(list, descriptor_json(i));
    if (i < ARRAY_LEN(descriptors)) {
        snprintf(token, sizeof(token), "%zu", i);
        json_add_string(o, "nextPageToken", token);
    }
    call_json(c, 200, o);
}

/* ---- what there is not ---- */

/* A stream in both directions: over REST Google answers an object with an error, in an array. */
static void tail_entries(struct sim_call *c)
{
    struct json_object *all = json_new_array(), *o = json_new_object(), *e = json_add_object(o, "error");

    json_add_i64(e, "code", 400);
    json_add_string(e, "message", "Invalid value (Object), ");
    json_add_string(e, "status", "INVALID_ARGUMENT");
    json_push(all, o);
    call_json(c, 400, all);
}

static void copy_entries(struct sim_call *c)
{
    call_fail(c, 501, "UNIMPLEMENTED", "The simulator has no buckets to copy log entries to.");
}

const struct sim_route logging_routes[] = {
    {"POST", "/v2/entries:list", "ListLogEntries", logging_list_entries, false},
    {"POST", "/v2/entries:write", "WriteLogEntries", logging_write_entries, false},
    {"POST", "/v2/entries:tail", "TailLogEntries", tail_entries, false},
    {"POST", "/v2/entries:copy", "CopyLogEntries", copy_entries, false},
    {"GET", "/v2/{kind}/{parent}/logs", "ListLogs", list_logs, false},
    {"DELETE", "/v2/{kind}/{parent}/logs/{log}", "DeleteLog", delete_log, false},
    {"GET", "/v2/monitoredResourceDescriptors", "ListMonitoredResourceDescriptors", list_descriptors, false},
    {NULL, NULL, NULL, NULL, false},
};
