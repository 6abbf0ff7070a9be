/*
 * simulator/functions.c - the functions resource: create, get, list, delete.
 *
 *   create -> DEPLOYING -> ACTIVE | FAILED;  delete -> DELETING -> gone
 *
 * With no delays configured a deployment ends inside the create call: the answer is an operation that is done.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/sim.h"

#define TYPE_FUNCTION "type.googleapis.com/google.cloud.functions.v2.Function"
#define TYPE_EMPTY "type.googleapis.com/google.protobuf.Empty"
#define GRPC_INVALID_ARGUMENT 3
#define PAGE_MAX 1000

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

const char *function_env(const struct function *f, const char *name)
{
    struct json_object *sc = json_member(f->json, "serviceConfig"), *env = sc ? json_member(sc, "environmentVariables") : NULL;

    return env != NULL ? json_string_or(json_member(env, name), NULL) : NULL;
}

static struct json_object *answer(const struct function *f)
{
    json_add_string(f->json, "state", state_name(f->state));
    return json_object_get(f->json);
}

static struct json_object *answer_copy(const struct function *f)
{
    json_add_string(f->json, "state", state_name(f->state));
    return json_dup(f->json);
}

/* ---- output-only fields ---- */

static void set_default_string(struct json_object *o, const char *key, const char *v)
{
    if (json_member(o, key) == NULL)
        json_add_string(o, key, v);
}

static void set_default_int(struct json_object *o, const char *key, int64_t v)
{
    if (json_member(o, key) == NULL)
        json_add_i64(o, key, v);
}

static int64_t number(struct json_object *o, const char *key, int64_t if_absent)
{
    (void)json_get_i64(o, key, &if_absent, NULL);
    return if_absent;
}

static struct json_object *member_object(struct json_object *o, const char *key)
{
    struct json_object *v = json_member(o, key);

    return v != NULL ? v : json_add_object(o, key);
}

static void fill_service(struct function *f)
{
    struct json_object *sc = member_object(f->json, "serviceConfig");
    CLEANUP(free_p) char *service = xasprintf("projects/%s/locations/%s/services/%s", f->project, f->location, f->id);
    CLEANUP(free_p) char *uri = xasprintf("http://127.0.0.1:%u" INVOKE_PREFIX "%s/%s/%s", f->sim->port, f->project,
                                          f->location, f->id);
    CLEANUP(free_p) char *revision = xasprintf("%s-%05u-sim", f->id, f->revision);

    set_default_string(sc, "availableMemory", "256M");
    set_default_string(sc, "availableCpu", "0.1666");
    set_default_int(sc, "timeoutSeconds", 60);
    set_default_int(sc, "maxInstanceCount", 100);
    set_default_int(sc, "maxInstanceRequestConcurrency", 1);
    set_default_string(sc, "ingressSettings", "ALLOW_ALL");
    set_default_string(sc, "serviceAccountEmail", SIM_PROJECT_NUMBER "-compute@developer.gserviceaccount.com");
    json_add_bool(sc, "allTrafficOnLatestRevision", true);
    json_add_string(sc, "service", service);
    json_add_string(sc, "uri", uri);
    json_add_string(sc, "revision", revision);
    json_add_string(f->json, "url", uri);
    f->timeout_s = number(sc, "timeoutSeconds", 60);
    f->max_instances = (unsigned)number(sc, "maxInstanceCount", 100);
    f->concurrency = (unsigned)number(sc, "maxInstanceRequestConcurrency", 1);
}

static void fill_build(struct function *f)
{
    struct json_object *bc = member_object(f->json, "buildConfig");
    CLEANUP(free_p) char *repo = xasprintf("projects/%s/locations/%s/repositories/gcf-artifacts", f->project, f->location);

    json_add_string(bc, "dockerRegistry", "ARTIFACT_REGISTRY");
    json_add_string(bc, "dockerRepository", repo);
}

static void touch(struct function *f)
{
    char when[TIME_RFC3339_SIZE];

    json_add_string(f->json, "updateTime", time_format_rfc3339(clock_wall(), when));
}

/* ---- deployment ---- */

static bool is_docker(const struct function *f)
{
    struct json_object *bc = json_member(f->json, "buildConfig");

    return bc != NULL && str_eq(json_string_or(json_member(bc, "runtime"), ""), "docker");
}

static void deployed(struct function *f)
{
    struct operation *op = STEAL(f->op);
    struct skl_error err = {0};

    if (f->fail_code != 0) {
        f->state = FUNCTION_FAILED;
        touch(f);
        operation_failed(op, f->fail_code, "Build failed: a fault that was asked for.");
        return;
    }
    if (is_docker(f)) {
        const char *name = function_env(f, "SOCKERLESS_IMAGE");
        if (name == NULL)
            error_set(&err, SKL_ERR_INVALID, "runtime docker: the environment variable SOCKERLESS_IMAGE names no image");
        else
            f->image = image_open(f->sim->opts.images_dir, name, &err);
    }
    f->state = err.kind ? FUNCTION_FAILED : FUNCTION_ACTIVE;
    if (!err.kind)
        fill_service(f);
    touch(f);
    if (err.kind)
        operation_failed(op, GRPC_INVALID_ARGUMENT, err.message);
    else
        operation_done(op, TYPE_FUNCTION, answer_copy(f));
}

static void function_free(struct function *f)
{
    HASH_DEL(f->sim->functions, f);
    LIST_FOREACH_SAFE(n, tmp, &f->instances) {
        struct instance *in = LIST_ENTRY(n, struct instance, link);
        list_remove(&in->link);
        in->f = NULL;
        instance_stop(in);
    }
    image_unref(f->image);
    timer_fini(&f->timer);
    json_object_put(f->json);
    free(f->name);
    free(f->project);
    free(f->location);
    free(f->id);
    free(f);
}

void functions_free(struct sim *s)
{
    struct function *f, *tmp;

    HASH_ITER(hh, s->functions, f, tmp)
        function_free(f);
}

static void deleted(struct function *f)
{
    struct operation *op = STEAL(f->op);

    if (f->fail_code != 0) { /* it stays, and can be deleted again */
        f->state = FUNCTION_ACTIVE;
        touch(f);
        operation_failed(op, f->fail_code, "The deletion failed: a fault that was asked for.");
        return;
    }
    function_free(f);
    operation_done(op, TYPE_EMPTY, NULL);
}

static void on_timer(void *arg)
{
    struct function *f = arg;

    if (f->state == FUNCTION_DELETING)
        deleted(f);
    else
        deployed(f);
}

static struct function *function_new(struct sim_call *c, const char *id)
{
    struct function *f = xcalloc(1, sizeof(*f));
    char when[TIME_RFC3339_SIZE];

    f->sim = c->sim;
    f->project = xstrdup(call_param(c, "project"));
    f->location = xstrdup(call_param(c, "location"));
    f->id = xstrdup(id);
    f->name = xasprintf("projects/%s/locations/%s/functions/%s", f->project, f->location, id);
    f->json = json_dup(c->body);
    f->revision = 1;
    list_init(&f->instances);
    timer_init(c->sim->loop, &f->timer, on_timer, f);
    json_add_string(f->json, "name", f->name);
    json_add_string(f->json, "environment", "GEN_2");
    json_add_string(f->json, "createTime", time_format_rfc3339(clock_wall(), when));
    touch(f);
    fill_build(f);
    HASH_ADD_KEYPTR(hh, c->sim->functions, f->name, strlen(f->name), f);
    return f;
}

/* ---- handlers ---- */

static void handle_create(struct sim_call *c)
{
    const char *query_id = http_req_query(c->req, "functionId");
    CLEANUP(free_p) char *id = xstrdup(query_id != NULL ? query_id : "");
    struct skl_error err = {0};
    struct function *f;
    struct operation *op;
    int64_t delay = c->sim->opts.operation_delay + c->sim->opts.build_delay;

    if (function_validate(c->sim, id, c->body, &err) < 0) {
        call_error(c, &err);
        return;
    }
    if (function_find(c->sim, call_param(c, "project"), call_param(c, "location"), id) != NULL) {
        call_fail(c, 409, "ALREADY_EXISTS",
                  "Could not create Cloud Run service %s. A Cloud Run service with this name already exists. Please "
                  "redeploy the function with a different name.",
                  id);
        return;
    }
    f = function_new(c, id);
    f->fail_code = c->fail_code;
    op = f->op = operation_new(c->sim, f->project, f->location, f->name, "create", "CREATE_FUNCTION", json_dup(c->body));
    if (delay > 0)
        timer_start(&f->timer, delay);
    else
        deployed(f);
    call_json(c, 200, json_object_get(op->json));
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

static void handle_get(struct sim_call *c)
{
    struct function *f = find_or_fail(c);

    if (f != NULL)
        call_json(c, 200, answer(f));
}

static void handle_delete(struct sim_call *c)
{
    struct function *f = find_or_fail(c);
    struct operation *op;

    if (f == NULL)
        return;
    if (f->op != NULL) {
        call_fail(c, 409, "ABORTED", "unable to queue the operation");
        return;
    }
    f->fail_code = c->fail_code;
    op = f->op = operation_new(c->sim, f->project, f->location, f->name, "delete", "DELETE_FUNCTION", NULL);
    f->state = FUNCTION_DELETING;
    if (c->sim->opts.operation_delay > 0)
        timer_start(&f->timer, c->sim->opts.operation_delay);
    else
        deleted(f);
    call_json(c, 200, json_object_get(op->json));
}

static int by_name(const void *a, const void *b)
{
    const struct function *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static bool label_matches(struct json_object *labels, const char *key, const char *value)
{
    const char *v = labels != NULL ? json_string_or(json_member(labels, key), NULL) : NULL;

    return v != NULL && (str_eq(value, "*") || str_ieq(v, value));
}

/* The part of AIP-160 that the driver uses: labels.k="v" and labels.k:* joined by AND. false: not understood. */
static bool filter_function(const struct function *f, const char *filter, bool *ret)
{
    CLEANUP(free_p) char *text = xstrdup(filter);
    char *save = NULL;

    *ret = true;
    for (char *part = text; part != NULL;) {
        char *next = strstr(part, " AND "), *op, *key, *value;
        size_t n;
        if (next != NULL) {
            *next = '\0';
            next += 5;
        }
        key = str_trim(part);
        op = strpbrk(key, "=:");
        if (!str_starts(key, "labels.") || op == NULL)
            return false;
        value = str_trim(op + 1);
        *op = '\0';
        n = strlen(value);
        if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
            value[n - 1] = '\0';
            value++;
        }
        *ret &= label_matches(json_member(f->json, "labels"), str_trim(key + strlen("labels.")), value);
        part = next;
    }
    (void)save;
    return true;
}

static bool listed(struct sim_call *c, const struct function *f, const char *filter, bool *ret_bad)
{
    const char *location = call_param(c, "location");
    bool keep = true;

    if (!str_eq(f->project, call_param(c, "project")) || (!str_eq(location, "-") && !str_eq(f->location, location)))
        return false;
    if (!str_empty(filter) && !filter_function(f, filter, &keep))
        *ret_bad = true;
    return keep;
}

static void handle_list(struct sim_call *c)
{
    const char *filter = http_req_query(c->req, "filter"), *token = http_req_query(c->req, "pageToken");
    const char *size = http_req_query(c->req, "pageSize");
    size_t n = 0, count = HASH_COUNT(c->sim->functions);
    struct function **all = xcalloc(count + 1, sizeof(*all)), *f, *tmp;
    struct json_object *o, *list;
    uint64_t from = 0, page = 0;
    bool bad = false;

    HASH_ITER(hh, c->sim->functions, f, tmp)
        if (listed(c, f, filter, &bad))
            all[n++] = f;
    if (bad || (size != NULL && !str_to_u64(size, 0, INT32_MAX, &page)) || (token != NULL && !str_to_u64(token, 0, UINT32_MAX, &from))) {
        free(all);
        call_fail(c, 400, "INVALID_ARGUMENT", "Request contains an invalid argument.");
        return;
    }
    qsort(all, n, sizeof(*all), by_name);
    page = page == 0 || page > PAGE_MAX ? PAGE_MAX : page;
    o = json_new_object();
    list = json_add_array(o, "functions");
    for (uint64_t i = from; i < n && i < from + page; i++)
        json_push(list, answer(all[i]));
    if (from + page < n) {
        char next[24];
        snprintf(next, sizeof(next), "%llu", (unsigned long long)(from + page));
        json_add_string(o, "nextPageToken", next);
    }
    free(all);
    call_json(c, 200, o);
}

const struct sim_route functions_routes[] = {
    {"POST", "/v2/projects/{project}/locations/{location}/functions", "CreateFunction", handle_create, false},
    {"GET", "/v2/projects/{project}/locations/{location}/functions", "ListFunctions", handle_list, false},
    {"GET", "/v2/projects/{project}/locations/{location}/functions/{function}", "GetFunction", handle_get, false},
    {"DELETE", "/v2/projects/{project}/locations/{location}/functions/{function}", "DeleteFunction", handle_delete, false},
    {NULL, NULL, NULL, NULL, false},
};
