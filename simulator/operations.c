/*
 * simulator/operations.c - long-running operations of Functions v2.
 *
 * Metadata carries its @type in every answer, the complete list of stages from the first one on; `done` is there only
 * when true (proto3 omits defaults).
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
#include "simulator/sim.h"

#define OPERATIONS_MAX 20000u

static void operation_free(struct sim *s, struct operation *op)
{
    HASH_DEL(s->operations, op);
    list_remove(&op->link);
    s->n_operations--;
    json_object_put(op->json);
    free(op->name);
    free(op);
}

static void add_stages(struct json_object *meta, const char *verb)
{
    static const char *const names[] = {"ARTIFACT_REGISTRY", "BUILD", "SERVICE"};
    struct json_object *stages;

    if (str_eq(verb, "delete"))
        return;
    stages = json_add_array(meta, "stages");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct json_object *st = json_new_object();
        json_add_string(st, "name", names[i]);
        json_add_string(st, "state", "NOT_STARTED");
        json_push(stages, st);
    }
}

static void finish_stages(struct json_object *meta)
{
    struct json_object *stages = json_member(meta, "stages");

    for (size_t i = 0; stages != NULL && i < json_object_array_length(stages); i++)
        json_add_string(json_object_array_get_idx(stages, i), "state", "COMPLETE");
}

struct operation *operation_new(struct sim *s, const char *project, const char *location, const char *target, const char *verb,
                                const char *kind, struct json_object *request)
{
    struct operation *op = xcalloc(1, sizeof(*op));
    char when[TIME_RFC3339_SIZE];
    struct json_object *meta;
    uint64_t r = random_u64();

    op->name = xasprintf("projects/%s/locations/%s/operations/operation-%lld-%013llx-%08x-%08x", project, location,
                         (long long)(clock_wall() / NS_PER_MS), (unsigned long long)(random_u64() & 0xfffffffffffffULL),
                         (unsigned)(r >> 32), (unsigned)r);
    op->json = json_new_object();
    json_add_string(op->json, "name", op->name);
    meta = json_add_object(op->json, "metadata");
    json_add_string(meta, "@type", "type.googleapis.com/google.cloud.functions.v2.OperationMetadata");
    json_add_string(meta, "createTime", time_format_rfc3339(clock_wall(), when));
    json_add_string(meta, "target", target);
    json_add_string(meta, "verb", verb);
    json_add_string(meta, "apiVersion", "v2");
    json_add_string(meta, "operationType", kind);
    if (request != NULL)
        json_add(meta, "requestResource", request);
    add_stages(meta, verb);
    HASH_ADD_KEYPTR(hh, s->operations, op->name, strlen(op->name), op);
    list_push_back(&s->op_order, &op->link);
    if (++s->n_operations > OPERATIONS_MAX)
        operation_free(s, LIST_ENTRY(s->op_order.next, struct operation, link));
    return op;
}

static void end(struct operation *op)
{
    struct json_object *meta = json_member(op->json, "metadata");
    char when[TIME_RFC3339_SIZE];

    json_add_string(meta, "endTime", time_format_rfc3339(clock_wall(), when));
    finish_stages(meta);
    json_add_bool(op->json, "done", true);
}

void operation_done(struct operation *op, const char *type, struct json_object *response)
{
    struct json_object *r = json_new_object();

    end(op);
    json_add_string(r, "@type", type);
    if (response != NULL) {
        json_object_object_foreach(response, key, v)
            json_add(r, key, json_object_get(v));
        json_object_put(response);
    }
    json_add(op->json, "response", r);
}

void operation_failed(struct operation *op, int grpc_code, const char *message)
{
    struct json_object *e;

    end(op);
    e = json_add_object(op->json, "error");
    json_add_i64(e, "code", grpc_code);
    json_add_string(e, "message", message);
}

static void handle_get(struct sim_call *c)
{
    CLEANUP(free_p) char *name = xasprintf("projects/%s/locations/%s/operations/%s", call_param(c, "project"),
                                           call_param(c, "location"), call_param(c, "operation"));
    struct operation *op;

    HASH_FIND_STR(c->sim->operations, name, op);
    if (op == NULL)
        call_fail(c, 404, "NOT_FOUND", "Resource '%s' was not found", name);
    else
        call_json(c, 200, json_object_get(op->json));
}

static void handle_list(struct sim_call *c)
{
    CLEANUP(free_p) char *prefix = xasprintf("projects/%s/locations/%s/", call_param(c, "project"), call_param(c, "location"));
    struct json_object *o = json_new_object(), *list = json_add_array(o, "operations");

    LIST_FOREACH_SAFE(n, tmp, &c->sim->op_order) {
        struct operation *op = LIST_ENTRY(n, struct operation, link);
        if (str_starts(op->name, prefix))
            json_push(list, json_object_get(op->json));
    }
    call_json(c, 200, o);
}

const struct sim_route operations_routes[] = {
    {"GET", "/v2/projects/{project}/locations/{location}/operations/{operation}", "GetOperation", handle_get, false},
    {"GET", "/v2/projects/{project}/locations/{location}/operations", "ListOperations", handle_list, false},
    {NULL, NULL, NULL, NULL, false},
};
