/*
 * simulator/functions.c - the functions resource: create, get, update, delete.
 *
 *   create -> DEPLOYING -> ACTIVE | FAILED;  update -> DEPLOYING -> ...;  delete -> DELETING -> gone
 *
 * One operation at a time on a function: a second is refused as Google refuses it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/schema.h"
#include "simulator/service.h"

static const char *state_name(enum function_state s)
{
    static const char *const names[] = {"DEPLOYING", "ACTIVE", "FAILED", "DELETING"};

    return names[s];
}

struct function *function_find(struct sim *s, const char *project, const char *location, const char *id)
{
    CLEANUP(free_p) char *name = xasprintf("projects/%s/locations/%s/functions/%s", project, location, id);
    struct function *f;

    HASH_FIND_STR(s->functions, name, f);
    return f;
}

struct json_object *function_answer(const struct function *f)
{
    struct json_object *o = json_dup(f->next != NULL && f->state == FUNCTION_DEPLOYING ? f->next : f->json);

    json_add_string(o, "state", state_name(f->state));
    return o;
}

struct function *function_new(struct sim *s, const char *project, const char *location, const char *id, struct json_object *json)
{
    struct function *f = xcalloc(1, sizeof(*f));
    CLEANUP(free_p) char *service = service_id_of(id);

    f->sim = s;
    f->project = xstrdup(project);
    f->location = xstrdup(location);
    f->id = xstrdup(id);
    f->name = xasprintf("projects/%s/locations/%s/functions/%s", project, location, id);
    f->json = json;
    f->state = FUNCTION_ACTIVE;
    f->svc = service_find(s, project, location, service);
    if (f->svc == NULL)
        f->svc = service_new(s, project, location, service);
    f->svc->f = f;
    HASH_ADD_KEYPTR(hh, s->functions, f->name, strlen(f->name), f);
    return f;
}

void function_free(struct function *f)
{
    HASH_DEL(f->sim->functions, f);
    service_free(f->svc);
    json_object_put(f->json);
    json_object_put(f->next);
    json_object_put(f->policy);
    free(f->name);
    free(f->project);
    free(f->location);
    free(f->id);
    free(f);
}

/* ---- handlers ---- */

/* The body in canonical form; NULL: answered. */
static struct json_object *read_function(struct sim_call *c)
{
    struct schema_violation bad;
    struct json_object *fn = schema_read(schema_function, c->body, "function", &bad);

    if (fn == NULL)
        call_violation(c, &bad);
    return fn;
}

static void set_name(struct json_object *fn, const struct function *f, const char *created)
{
    char when[TIME_RFC3339_SIZE];

    time_format_rfc3339(clock_wall(), when);
    json_add_string(fn, "name", f->name);
    json_add_string(fn, "environment", "GEN_2");
    json_add_string(fn, "createTime", created != NULL ? created : when);
    json_add_string(fn, "updateTime", when);
}

/* A function's service takes a name that a service of Cloud Run, or another spelling of the function's, may have. */
static bool name_is_taken(struct sim_call *c, const char *id)
{
    CLEANUP(free_p) char *service = service_id_of(id);

    if (service_find(c->sim, call_param(c, "project"), call_param(c, "location"), service) == NULL)
        return false;
    call_fail(c, 409, "ALREADY_EXISTS",
              "Could not create Cloud Run service %s. A Cloud Run service with this name already exists. Please redeploy the function "
              "with a different name.",
              service);
    return true;
}

static void handle_create(struct sim_call *c)
{
    const char *query_id = http_req_query(c->req, "functionId"), *project = call_param(c, "project"), *location = call_param(c, "location");
    CLEANUP(free_p) char *id = xstrdup(query_id != NULL ? query_id : "");
    JSON_CLEANUP struct json_object *fn = read_function(c);
    struct skl_error err = {0};
    struct function *f;

    if (fn == NULL)
        return;
    if (!sim_location_known(location)) {
        call_fail(c, 403, "PERMISSION_DENIED", "Permission denied on 'locations/%s' (or it may not exist).", location);
        return;
    }
    if (function_validate(c->sim, id, project, location, fn, &err) < 0) {
        call_error(c, &err);
        return;
    }
    if (name_is_taken(c, id))
        return;
    f = function_new(c->sim, project, location, id, json_dup(fn));
    set_name(f->json, f, NULL);
    f->next = json_dup(f->json);
    call_json(c, 200, json_object_get(deploy_function(f, true, c->fail_code)->json));
}

static struct function *find_or_fail(struct sim_call *c)
{
    struct function *f =
        function_find(c->sim, call_param(c, "project"), call_param(c, "location"), call_param(c, "function"));

    if (f == NULL)
        call_fail(c, 404, "NOT_FOUND", "Resource 'projects/%s/locations/%s/functions/%s' was not found",
                  call_param(c, "project"), call_param(c, "location"), call_param(c, "function"));
    return f;
}

/* True: answered, since something is in progress. */
static bool is_busy(struct sim_call *c, const struct function *f)
{
    if (f->deploy == NULL && f->svc->deploy == NULL)
        return false;
    call_fail(c, 409, "ABORTED", "unable to queue the operation");
    return true;
}

static void handle_get(struct sim_call *c)
{
    struct function *f = find_or_fail(c);

    if (f != NULL)
        call_json(c, 200, function_answer(f));
}

/* What the function becomes: the fields of the mask from the request, all else as it is. NULL: answered. */
static struct json_object *merge(struct sim_call *c, const struct function *f, struct json_object *fn)
{
    const char *given = http_req_query(c->req, "updateMask");
    struct skl_error err = {0};
    CLEANUP(free_p) char **mask = str_empty(given) ? mask_of(fn) : mask_parse(schema_function, given, &err);
    struct json_object *next;

    if (mask == NULL) {
        call_error(c, &err);
        return NULL;
    }
    next = json_dup(f->json);
    mask_apply(mask, next, fn);
    json_object_object_del(next, "stateMessages");
    set_name(next, f, json_string_or(json_member(f->json, "createTime"), NULL));
    return next;
}

static void handle_patch(struct sim_call *c)
{
    struct function *f = find_or_fail(c);
    JSON_CLEANUP struct json_object *fn = f != NULL ? read_function(c) : NULL;
    struct json_object *next = fn != NULL ? merge(c, f, fn) : NULL;
    struct skl_error err = {0};

    if (next == NULL)
        return;
    if (is_busy(c, f)) {
        json_object_put(next);
        return;
    }
    if (function_validate(c->sim, f->id, f->project, f->location, next, &err) < 0) {
        json_object_put(next);
        call_error(c, &err);
        return;
    }
    f->next = next;
    call_json(c, 200, json_object_get(deploy_function(f, false, c->fail_code)->json));
}

static void handle_delete(struct sim_call *c)
{
    struct function *f = find_or_fail(c);

    if (f != NULL && !is_busy(c, f))
        call_json(c, 200, json_object_get(deploy_delete_function(f, c->fail_code)->json));
}

/* Upgrades from 1st gen and the way out of Functions: there is nothing here that could be upgraded. */
static void handle_upgrade(struct sim_call *c)
{
    call_fail(c, 501, "UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled: the simulator has no functions of the 1st gen.");
}

#define FUNCTION "/v2/projects/{project}/locations/{location}/functions/{function}"
const struct sim_route functions_routes[] = {
    {"POST", "/v2/projects/{project}/locations/{location}/functions", "CreateFunction", handle_create, false},
    {"GET", FUNCTION, "GetFunction", handle_get, false},
    {"PATCH", FUNCTION, "UpdateFunction", handle_patch, false},
    {"DELETE", FUNCTION, "DeleteFunction", handle_delete, false},
    {"POST", FUNCTION ":abortFunctionUpgrade", "AbortFunctionUpgrade", handle_upgrade, false},
    {"POST", FUNCTION ":commitFunctionUpgrade", "CommitFunctionUpgrade", handle_upgrade, false},
    {"POST", FUNCTION ":detachFunction", "DetachFunction", handle_upgrade, false},
    {"POST", FUNCTION ":redirectFunctionUpgradeTraffic", "RedirectFunctionUpgradeTraffic", handle_upgrade, false},
    {"POST", FUNCTION ":rollbackFunctionUpgradeTraffic", "RollbackFunctionUpgradeTraffic", handle_upgrade, false},
    {"POST", FUNCTION ":setupFunctionUpgradeConfig", "SetupFunctionUpgradeConfig", handle_upgrade, false},
    {NULL, NULL, NULL, NULL, false},
};
