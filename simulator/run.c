/*
 * simulator/run.c - Cloud Run v2: services and their revisions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/page.h"
#include "simulator/schema.h"
#include "simulator/service.h"

#define PAGE_MAX 1000
#define ID_LENGTH_MAX 49
#define TIMEOUT_MAX_NS (INT64_C(3600) * 1000000000)

static struct service *find_or_fail(struct sim_call *c)
{
    struct service *svc = service_find(c->sim, call_param(c, "project"), call_param(c, "location"), call_param(c, "service"));

    if (svc != NULL && svc->json != NULL)
        return svc;
    call_fail(c, 404, "NOT_FOUND", "Resource '%s' of kind 'SERVICE' in region '%s' in project '%s' does not exist.",
              call_param(c, "service"), call_param(c, "location"), call_param(c, "project"));
    return NULL;
}

static void handle_get(struct sim_call *c)
{
    struct service *svc = find_or_fail(c);

    if (svc != NULL)
        call_json(c, 200, service_answer(svc));
}

static void handle_list(struct sim_call *c)
{
    const char *project = call_param(c, "project"), *location = call_param(c, "location");
    JSON_CLEANUP struct json_object *all = json_new_array();
    struct service *svc, *tmp;
    struct json_object *o;
    struct page page;

    if (str_eq(location, "-")) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Location '-' is not supported: services are listed by location.");
        return;
    }
    if (!page_read(c, PAGE_MAX, PAGE_MAX, &page))
        return;
    HASH_ITER(hh, c->sim->services, svc, tmp)
        if (svc->json != NULL && str_eq(svc->project, project) && str_eq(svc->location, location))
            json_push(all, service_answer(svc));
    page.newest = true;
    o = json_new_object();
    if (page_cut(c, &page, all, o, "services"))
        call_json(c, 200, o);
    else
        json_object_put(o);
}

/* The body in canonical form; NULL: answered. */
static struct json_object *read_service(struct sim_call *c)
{
    struct schema_violation bad;
    struct json_object *o = schema_read(schema_service, c->body, "service", &bad);

    if (o == NULL)
        call_violation(c, &bad);
    return o;
}

static int check_env(struct json_object *container, struct skl_error *err)
{
    struct json_object *env = json_member(container, "env");
    size_t n = env != NULL ? json_object_array_length(env) : 0;

    if (n > 1000)
        return error_set(err, SKL_ERR_INVALID, "template.containers[0].env: at most 1000 environment variables");
    for (size_t i = 0; i < n; i++) {
        struct json_object *e = json_object_array_get_idx(env, i);
        const char *name = json_string_or(json_member(e, "name"), "");
        if (name[0] == '\0' || strchr(name, '=') != NULL || strlen(name) > 32768 || strlen(json_string_or(json_member(e, "value"), "")) > 32768)
            return error_set(err, SKL_ERR_INVALID, "template.containers[0].env[%zu].name: invalid environment variable name \"%.100s\"", i, name);
        if (str_eq(name, "PORT") || str_eq(name, "K_SERVICE") || str_eq(name, "K_REVISION") || str_eq(name, "K_CONFIGURATION"))
            return error_set(err, SKL_ERR_INVALID, "spec.template.spec.containers[0].env: The following reserved env names were provided: %s. "
                             "These values are automatically set by the system.", name);
    }
    return 0;
}

/* "0.5", "500m", "2"; the memory a size. */
static int check_limits(struct json_object *container, struct skl_error *err)
{
    const char *memory = NULL, *cpu = NULL;
    CLEANUP(free_p) char *milli = NULL;
    double cpus = 0;

    (void)json_get_string(container, "resources.limits.memory", &memory, NULL);
    (void)json_get_string(container, "resources.limits.cpu", &cpu, NULL);
    if (memory != NULL && (memory_bytes(memory) < INT64_C(128) * 1000000 || memory_bytes(memory) > INT64_C(32) << 30))
        return error_set(err, SKL_ERR_INVALID, "spec.template.spec.containers[0].resources.limits.memory: Invalid value specified for memory: %.100s", memory);
    milli = cpu != NULL && str_ends(cpu, "m") ? xstrndup(cpu, strlen(cpu) - 1) : NULL;
    if (cpu != NULL && (!str_to_double(milli != NULL ? milli : cpu, &cpus) || (cpus = milli != NULL ? cpus / 1000 : cpus) < 0.08 || cpus > 8))
        return error_set(err, SKL_ERR_INVALID, "spec.template.spec.containers[0].resources.limits.cpu: Invalid value specified for cpu: %.100s", cpu);
    return 0;
}

/* What is a number somewhere must be one that can be kept to. */
static int check_numbers(struct json_object *settings, struct json_object *container, struct skl_error *err)
{
    const char *timeout = NULL;
    struct json_object *ports = json_member(container, "ports"), *t = json_member(settings, "template");
    int64_t ns = TIMEOUT_MAX_NS, port = ports != NULL && json_object_array_length(ports) > 0 ? json_number(json_object_array_get_idx(ports, 0), "containerPort", 8080) : 8080;
    int64_t concurrency = json_number(t, "maxInstanceRequestConcurrency", 0), max = json_number(t, "scaling.maxInstanceCount", 0);

    (void)json_get_string(t, "timeout", &timeout, NULL);
    if (timeout != NULL && (!duration_parse(timeout, &ns) || ns <= 0 || ns > TIMEOUT_MAX_NS))
        return error_set(err, SKL_ERR_INVALID, "spec.template.spec.timeoutSeconds: should be between 1 and 3600, got %.40s", timeout);
    if (concurrency < 0 || concurrency > 1000)
        return error_set(err, SKL_ERR_INVALID, "spec.template.spec.containerConcurrency: should be between 0 and 1000, got %lld", (long long)concurrency);
    if (max < 0)
        return error_set(err, SKL_ERR_INVALID, "autoscaling.knative.dev/maxScale should be at least 1, got %lld", (long long)max);
    if (port < 1 || port > 65535)
        return error_set(err, SKL_ERR_INVALID, "spec.template.spec.containers[0].ports[0].containerPort: should be between 1 and 65535, got %lld", (long long)port);
    return check_limits(container, err);
}

static int check_template(const struct service *svc, struct json_object *settings, struct skl_error *err)
{
    struct json_object *list = NULL, *first;
    const char *revision = NULL;

    (void)json_get_array(settings, "template.containers", &list, NULL);
    (void)json_get_string(settings, "template.revision", &revision, NULL);
    if (list == NULL)
        return error_set(err, SKL_ERR_INVALID, "Violation in Service.template.containers: should have at least one container.");
    if (json_object_array_length(list) > 1)
        return error_set(err, SKL_ERR_INVALID, "The simulator runs one container of a service; sidecars are not supported.");
    first = json_object_array_get_idx(list, 0);
    if (str_empty(json_string_or(json_member(first, "image"), "")))
        return error_set(err, SKL_ERR_INVALID, "spec.template.spec.containers[0].image: must be a container image path.");
    if (revision != NULL && !str_starts(revision, svc->id))
        return error_set(err, SKL_ERR_INVALID, "metadata.name: Revision name '%s' must be prefixed by the service name '%s'.", revision, svc->id);
    return check_env(first, err) < 0 ? -1 : check_numbers(settings, first, err);
}

/* A revision's name is taken once and for all. */
static bool revision_exists(const struct service *svc, const char *id)
{
    LIST_FOREACH_SAFE(n, tmp, &svc->revisions)
        if (str_eq(LIST_ENTRY(n, struct revision, link)->id, id))
            return true;
    return false;
}

static bool etag_stale(struct sim_call *c, const struct service *svc, const char *given)
{
    char etag[40];

    service_etag(svc, etag);
    if (str_empty(given) || str_eq(given, etag))
        return false;
    call_fail(c, 409, "ABORTED", "Conflict for resource '%s': version '%s' was specified but current version is '%s'.", svc->id, given, etag);
    return true;
}

static bool validate_only(struct sim_call *c)
{
    return str_eq(http_req_query(c->req, "validateOnly"), "true");
}

/* Whether anything of it that a revision has differs. */
static bool template_changed(const struct service *svc, struct json_object *settings)
{
    return !json_equal(json_member(svc->json, "template"), json_member(settings, "template"));
}

/* Answers with an operation that is done, for changes without a new revision and for validateOnly. */
static void answer_done(struct sim_call *c, struct service *svc, struct json_object *o)
{
    struct operation *op = operation_new_run(c->sim, svc->project, svc->location);

    operation_metadata(op, TYPE_SERVICE, json_object_get(o));
    operation_done(op, TYPE_SERVICE, o);
    call_json(c, 200, json_object_get(op->json));
}

static void change(struct sim_call *c, struct service *svc, struct json_object *settings)
{
    const char *revision = NULL;
    struct skl_error err = {0};

    if (check_template(svc, settings, &err) < 0) {
        call_error(c, &err);
    } else if (validate_only(c)) {
        answer_done(c, svc, service_answer(svc));
    } else if (!template_changed(svc, settings)) {
        service_settle(svc, json_object_get(settings));
        persist_service(svc);
        answer_done(c, svc, service_answer(svc));
    } else if (json_get_string(settings, "template.revision", &revision, NULL) == JSON_FOUND && revision_exists(svc, revision)) {
        call_fail(c, 409, "ALREADY_EXISTS", "Revision named '%s' with different configuration already exists.", revision);
    } else {
        call_json(c, 200, json_object_get(deploy_service(svc, json_object_get(settings), c->fail_code)->json));
    }
}

static void patch_existing(struct sim_call *c, struct service *svc, struct json_object *body)
{
    const char *given = http_req_query(c->req, "updateMask"), *etag = NULL;
    struct skl_error err = {0};
    CLEANUP(free_p) char **mask = NULL;
    struct json_object *settings;

    (void)json_get_string(c->body, "etag", &etag, NULL); /* output-only for the reader, but a condition */
    if (etag_stale(c, svc, etag))
        return;
    if (svc->deploy != NULL) {
        call_fail(c, 409, "ABORTED", "Conflict for resource '%s': an operation on it is in progress.", svc->id);
        return;
    }
    mask = str_empty(given) ? mask_parse(schema_service, "*", &err) : mask_parse(schema_service, given, &err);
    if (mask == NULL) {
        call_error(c, &err);
        return;
    }
    settings = json_dup(svc->json);
    mask_apply(mask, settings, body);
    change(c, svc, settings);
    json_object_put(settings);
}

static bool legal_id(const char *id)
{
    size_t n = strlen(id);

    return n > 0 && n <= ID_LENGTH_MAX && id[0] >= 'a' && id[0] <= 'z' && id[n - 1] != '-' &&
           strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static void create(struct sim_call *c, const char *id, struct json_object *body)
{
    const char *project = call_param(c, "project"), *location = call_param(c, "location");
    struct skl_error err = {0};
    struct service *svc;
    struct operation *op;

    if (!legal_id(id)) {
        call_fail(c, 400, "INVALID_ARGUMENT",
                  "Invalid resource name \"%s\". A service name is lower case letters, digits and hyphens, begins with a letter, and has less than 50 characters.", id);
        return;
    }
    if (!sim_location_known(location)) {
        call_fail(c, 403, "PERMISSION_DENIED", "Permission denied on 'locations/%s' (or it may not exist).", location);
        return;
    }
    if (service_find(c->sim, project, location, id) != NULL) {
        call_fail(c, 409, "ALREADY_EXISTS", "Resource '%s' already exists.", id);
        return;
    }
    svc = service_new(c->sim, project, location, id);
    if (check_template(svc, body, &err) < 0) {
        service_free(svc);
        call_error(c, &err);
        return;
    }
    op = deploy_service(svc, json_object_get(body), c->fail_code);
    call_json(c, 200, json_object_get(op->json));
}

static void handle_create(struct sim_call *c)
{
    JSON_CLEANUP struct json_object *body = read_service(c);
    const char *id = http_req_query(c->req, "serviceId");

    if (body != NULL)
        create(c, id != NULL ? id : "", body);
}

static void handle_patch(struct sim_call *c)
{
    bool may_create = str_eq(http_req_query(c->req, "allowMissing"), "true");
    struct service *svc = service_find(c->sim, call_param(c, "project"), call_param(c, "location"), call_param(c, "service"));
    JSON_CLEANUP struct json_object *body = NULL;

    if (svc == NULL && may_create) {
        body = read_service(c);
        if (body != NULL)
            create(c, call_param(c, "service"), body);
        return;
    }
    svc = find_or_fail(c);
    body = svc != NULL ? read_service(c) : NULL;
    if (body != NULL)
        patch_existing(c, svc, body);
}

static void handle_delete(struct sim_call *c)
{
    struct service *svc = find_or_fail(c);

    if (svc == NULL || etag_stale(c, svc, http_req_query(c->req, "etag")))
        return;
    if (svc->f != NULL)
        call_fail(c, 400, "FAILED_PRECONDITION", "Service '%s' belongs to the function '%s': delete that.", svc->id, svc->f->name);
    else if (svc->deploy != NULL)
        call_fail(c, 409, "ABORTED", "Conflict for resource '%s': an operation on it is in progress.", svc->id);
    else if (validate_only(c))
        answer_done(c, svc, service_answer(svc));
    else
        call_json(c, 200, json_object_get(deploy_delete_service(svc, c->fail_code)->json));
}

/* ---- revisions ---- */

static struct revision *find_revision(struct sim_call *c, const struct service *svc)
{
    LIST_FOREACH_SAFE(n, tmp, &svc->revisions) {
        struct revision *r = LIST_ENTRY(n, struct revision, link);
        if (str_eq(r->id, call_param(c, "revision")))
            return r;
    }
    call_fail(c, 404, "NOT_FOUND", "Resource '%s' of kind 'REVISION' in region '%s' in project '%s' does not exist.", call_param(c, "revision"),
              svc->location, svc->project);
    return NULL;
}

static void handle_revision_get(struct sim_call *c)
{
    struct service *svc = find_or_fail(c);
    struct revision *r = svc != NULL ? find_revision(c, svc) : NULL;

    if (r != NULL)
        call_json(c, 200, revision_answer(svc, r));
}

static void handle_revision_list(struct sim_call *c)
{
    JSON_CLEANUP struct json_object *all = json_new_array();
    struct service *svc = find_or_fail(c);
    struct json_object *o;
    struct page page;

    if (svc == NULL || !page_read(c, PAGE_MAX, PAGE_MAX, &page))
        return;
    LIST_FOREACH_SAFE(n, tmp, &svc->revisions)
        json_push(all, revision_answer(svc, LIST_ENTRY(n, struct revision, link)));
    page.newest = true;
    o = json_new_object();
    if (page_cut(c, &page, all, o, "revisions"))
        call_json(c, 200, o);
    else
        json_object_put(o);
}

static void handle_revision_delete(struct sim_call *c)
{
    struct service *svc = find_or_fail(c);
    struct revision *r = svc != NULL ? find_revision(c, svc) : NULL;
    struct operation *op;

    if (r == NULL)
        return;
    if (r == svc->serving || r->link.prev == &svc->revisions) {
        call_fail(c, 400, "FAILED_PRECONDITION", "The revision '%s' cannot be deleted: it is the latest, or serves traffic.", r->id);
        return;
    }
    op = operation_new_run(c->sim, svc->project, svc->location);
    operation_done(op, "type.googleapis.com/google.cloud.run.v2.Revision", revision_answer(svc, r));
    list_remove(&r->link);
    revision_unref(r);
    persist_service(svc);
    call_json(c, 200, json_object_get(op->json));
}

#define SERVICES "/v2/projects/{project}/locations/{location}/services"
const struct sim_route run_routes[] = {
    {"POST", SERVICES, "CreateService", handle_create, false},
    {"GET", SERVICES, "ListServices", handle_list, false},
    {"GET", SERVICES "/{service}", "GetService", handle_get, false},
    {"PATCH", SERVICES "/{service}", "UpdateService", handle_patch, false},
    {"DELETE", SERVICES "/{service}", "DeleteService", handle_delete, false},
    {"GET", SERVICES "/{service}/revisions", "ListRevisions", handle_revision_list, false},
    {"GET", SERVICES "/{service}/revisions/{revision}", "GetRevision", handle_revision_get, false},
    {"DELETE", SERVICES "/{service}/revisions/{revision}", "DeleteRevision", handle_revision_delete, false},
    {NULL, NULL, NULL, NULL, false},
};
