/*
 * simulator/operations.c - long-running operations of Functions v2 and of Cloud Run v2, which share one collection.
 *
 * Metadata carries its @type in every answer; a function's has the complete list of stages from the first one on, and only their states
 * change; `done` is there only when true (proto3 omits defaults). One that is done has a response or an error, always.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/page.h"
#include "simulator/sim.h"

#define OPERATIONS_MAX 20000u
#define WAIT_STANDARD (INT64_C(30) * 1000000000)
#define WAIT_MAX (INT64_C(300) * 1000000000)
#define PAGE_STANDARD 100
#define TYPE_METADATA "type.googleapis.com/google.cloud.functions.v2.OperationMetadata"

/* A call of :wait. */
struct waiter {
    struct list link;
    struct sim_call *call;
    struct operation *op;
    struct timer timer;
};

static void waiter_end(struct waiter *w)
{
    struct sim_call *c = w->call;
    struct json_object *o = json_object_get(w->op->json);

    list_remove(&w->link);
    timer_fini(&w->timer);
    free(w);
    call_json(c, 200, o);
}

static void wake(struct operation *op)
{
    LIST_FOREACH_SAFE(n, tmp, &op->waiters)
        waiter_end(LIST_ENTRY(n, struct waiter, link));
}

static void operation_free(struct sim *s, struct operation *op)
{
    wake(op);
    HASH_DEL(s->operations, op);
    list_remove(&op->link);
    s->n_operations--;
    json_object_put(op->json);
    free(op->name);
    free(op);
}

/* The oldest that is over makes room: one that is in progress belongs to a deployment. */
static void make_room(struct sim *s)
{
    LIST_FOREACH_SAFE(n, tmp, &s->op_order) {
        struct operation *op = LIST_ENTRY(n, struct operation, link);
        if (op->done) {
            operation_free(s, op);
            return;
        }
    }
}

static struct operation *add(struct sim *s, char *name)
{
    struct operation *op = xcalloc(1, sizeof(*op));

    op->name = name;
    op->json = json_new_object();
    list_init(&op->waiters);
    json_add_string(op->json, "name", op->name);
    HASH_ADD_KEYPTR(hh, s->operations, op->name, strlen(op->name), op);
    list_push_back(&s->op_order, &op->link);
    if (++s->n_operations > OPERATIONS_MAX)
        make_room(s);
    return op;
}

/* No ARTIFACT_REGISTRY: gcloud adds that one itself, and fails when it finds it in the list. */
static void add_stages(struct operation *op, struct json_object *meta, const char *verb)
{
    static const char *const names[] = {"BUILD", "SERVICE"};
    bool deleting = str_eq(verb, "delete");
    struct json_object *stages = json_add_array(meta, "stages");

    for (size_t i = deleting ? 1 : 0; i < ARRAY_LEN(names); i++) {
        struct json_object *st = json_new_object();
        json_add_string(st, "name", names[i]);
        json_add_string(st, "state", "NOT_STARTED");
        json_push(stages, st);
    }
    op->stages = stages;
}

struct operation *operation_new(struct sim *s, const char *project, const char *location, const char *target, const char *verb,
                                const char *kind, struct json_object *request)
{
    uint64_t r = random_u64();
    char when[TIME_RFC3339_SIZE];
    struct operation *op;
    struct json_object *meta;

    op = add(s, xasprintf("projects/%s/locations/%s/operations/operation-%lld-%013llx-%08x-%08x", project, location,
                          (long long)(clock_wall() / NS_PER_MS), (unsigned long long)(random_u64() & 0xfffffffffffffULL),
                          (unsigned)(r >> 32), (unsigned)r));
    op->metadata = meta = json_add_object(op->json, "metadata");
    json_add_string(meta, "@type", TYPE_METADATA);
    json_add_string(meta, "createTime", time_format_rfc3339(clock_wall(), when));
    json_add_string(meta, "target", target);
    json_add_string(meta, "verb", verb);
    json_add_string(meta, "apiVersion", "v2");
    json_add_string(meta, "operationType", kind);
    if (request != NULL) {
        struct json_object *typed = json_new_object();
        json_add_string(typed, "@type", "type.googleapis.com/google.cloud.functions.v2.Function");
        json_object_object_foreach(request, key, v)
            json_add(typed, key, json_object_get(v));
        json_object_put(request);
        json_add(meta, "requestResource", typed);
    }
    add_stages(op, meta, verb);
    return op;
}

struct operation *operation_new_run(struct sim *s, const char *project, const char *location)
{
    char id[ID_SIZE];

    id_new(id);
    return add(s, xasprintf("projects/%s/locations/%s/operations/%.8s-%.4s-%.4s-%.4s-%.12s", project, location, id, id + 8, id + 12, id + 16, id + 20));
}

void operation_rename(struct sim *s, struct operation *op, const char *name)
{
    struct operation *there;

    HASH_FIND_STR(s->operations, name, there);
    if (there != NULL)
        return;
    HASH_DEL(s->operations, op);
    free(op->name);
    op->name = xstrdup(name);
    json_add_string(op->json, "name", name);
    HASH_ADD_KEYPTR(hh, s->operations, op->name, strlen(op->name), op);
}

void operation_restore(struct sim *s, struct json_object *json)
{
    const char *name = json_string_or(json_member(json, "name"), "");
    struct operation *op;

    HASH_FIND_STR(s->operations, name, op);
    if (op != NULL || name[0] == '\0') {
        json_object_put(json);
        return;
    }
    op = add(s, xstrdup(name));
    json_object_put(op->json);
    op->json = json;
    op->done = true;
}

static void set_typed(struct operation *op, const char *key, const char *type, struct json_object *v)
{
    struct json_object *r = json_new_object();

    json_add_string(r, "@type", type);
    if (v != NULL) {
        json_object_object_foreach(v, k, e)
            json_add(r, k, json_object_get(e));
        json_object_put(v);
    }
    json_add(op->json, key, r);
}

void operation_metadata(struct operation *op, const char *type, struct json_object *metadata)
{
    set_typed(op, "metadata", type, metadata);
}

void operation_stage(struct operation *op, const char *name, const char *state)
{
    for (size_t i = 0; op->stages != NULL && i < json_object_array_length(op->stages); i++) {
        struct json_object *st = json_object_array_get_idx(op->stages, i);
        if (str_eq(json_string_or(json_member(st, "name"), ""), name))
            json_add_string(st, "state", state);
    }
}

void operation_build(struct operation *op, const char *build)
{
    struct json_object *st = json_object_array_length(op->stages) > 1 ? json_object_array_get_idx(op->stages, 0) : NULL;

    if (st == NULL)
        return;
    json_add_string(st, "resource", build);
}

static void end(struct operation *op)
{
    char when[TIME_RFC3339_SIZE];

    op->done = true;
    if (op->metadata != NULL)
        json_add_string(op->metadata, "endTime", time_format_rfc3339(clock_wall(), when));
    for (size_t i = 0; op->stages != NULL && i < json_object_array_length(op->stages); i++)
        json_add_string(json_object_array_get_idx(op->stages, i), "state", "COMPLETE");
    json_add_bool(op->json, "done", true);
}

void operation_done(struct operation *op, const char *type, struct json_object *response)
{
    end(op);
    set_typed(op, "response", type, response);
    wake(op);
}

/* What failed is said by the stage that it happened in, too. */
static void blame_stage(struct operation *op, const char *message)
{
    size_t n = op->stages != NULL ? json_object_array_length(op->stages) : 0;
    struct json_object *list, *m;

    if (n == 0)
        return;
    list = json_add_array(json_object_array_get_idx(op->stages, n - 1), "stateMessages");
    m = json_new_object();
    json_add_string(m, "severity", "ERROR");
    json_add_string(m, "type", "CloudRunServiceNotReady");
    json_add_string(m, "message", message);
    json_push(list, m);
}

void operation_failed(struct operation *op, int grpc_code, const char *message)
{
    struct json_object *e;

    end(op);
    blame_stage(op, message);
    e = json_add_object(op->json, "error");
    json_add_i64(e, "code", grpc_code);
    json_add_string(e, "message", message);
    wake(op);
}

/* ---- handlers ---- */

static struct operation *find_or_fail(struct sim_call *c)
{
    CLEANUP(free_p) char *name = xasprintf("projects/%s/locations/%s/operations/%s", call_param(c, "project"),
                                           call_param(c, "location"), call_param(c, "operation"));
    struct operation *op;

    HASH_FIND_STR(c->sim->operations, name, op);
    if (op == NULL)
        call_fail(c, 404, "NOT_FOUND", "Resource '%s' was not found", name);
    return op;
}

static void handle_get(struct sim_call *c)
{
    struct operation *op = find_or_fail(c);

    if (op != NULL)
        call_json(c, 200, json_object_get(op->json));
}

/* AIP-151's filter of operations is about "done" in practice. */
static bool filter_wants(const char *filter, const struct operation *op, bool *ret_bad)
{
    CLEANUP(free_p) char *text = xstrdup(filter != NULL ? filter : "");
    char *p = str_trim(text);

    if (p[0] == '\0')
        return true;
    if (str_ieq(p, "done=true") || str_ieq(p, "done:true") || str_ieq(p, "done"))
        return op->done;
    if (str_ieq(p, "done=false") || str_ieq(p, "done:false") || str_ieq(p, "-done") || str_ieq(p, "NOT done"))
        return !op->done;
    *ret_bad = true;
    return false;
}

static void handle_list(struct sim_call *c)
{
    CLEANUP(free_p) char *prefix = xasprintf("projects/%s/locations/%s/", call_param(c, "project"), call_param(c, "location"));
    JSON_CLEANUP struct json_object *all = json_new_array();
    const char *filter = http_req_query(c->req, "filter");
    struct json_object *o;
    struct page page;
    bool bad = false;

    if (!page_read(c, PAGE_STANDARD, PAGE_STANDARD, &page))
        return;
    LIST_FOREACH_SAFE(n, tmp, &c->sim->op_order) {
        struct operation *op = LIST_ENTRY(n, struct operation, link);
        if (str_starts(op->name, prefix) && filter_wants(filter, op, &bad))
            json_push(all, json_object_get(op->json));
    }
    if (bad) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Invalid filter: \"%s\"", filter);
        return;
    }
    o = json_new_object();
    if (page_cut(c, &page, all, o, "operations"))
        call_json(c, 200, o);
    else
        json_object_put(o);
}

static void on_wait_over(void *arg)
{
    waiter_end(arg);
}

/* Cloud Run's: answers when the operation is over or its time is. */
static void handle_wait(struct sim_call *c)
{
    struct operation *op = find_or_fail(c);
    const char *timeout = NULL;
    int64_t limit = WAIT_STANDARD;
    struct waiter *w;

    if (op == NULL)
        return;
    (void)json_get_string(c->body, "timeout", &timeout, NULL);
    if (timeout != NULL && (!duration_parse(timeout, &limit) || limit < 0)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Invalid value at 'timeout' (type.googleapis.com/google.protobuf.Duration), \"%s\"", timeout);
        return;
    }
    if (op->done) {
        call_json(c, 200, json_object_get(op->json));
        return;
    }
    w = xcalloc(1, sizeof(*w));
    w->call = c;
    w->op = op;
    list_push_back(&op->waiters, &w->link);
    timer_init(c->sim->loop, &w->timer, on_wait_over, w);
    timer_start(&w->timer, limit < WAIT_MAX ? limit : WAIT_MAX);
}

static void handle_delete(struct sim_call *c)
{
    struct operation *op = find_or_fail(c);

    if (op == NULL)
        return;
    if (!op->done) {
        call_fail(c, 400, "FAILED_PRECONDITION", "Operation %s is not done.", op->name);
        return;
    }
    operation_free(c->sim, op);
    call_json(c, 200, json_new_object());
}

#define OPERATIONS "/v2/projects/{project}/locations/{location}/operations"
const struct sim_route operations_routes[] = {
    {"GET", OPERATIONS "/{operation}", "GetOperation", handle_get, false},
    {"GET", OPERATIONS, "ListOperations", handle_list, false},
    {"POST", OPERATIONS "/{operation}:wait", "WaitOperation", handle_wait, false},
    {"DELETE", OPERATIONS "/{operation}", "DeleteOperation", handle_delete, false},
    {NULL, NULL, NULL, NULL, false},
};
