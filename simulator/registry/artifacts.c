/*
 * simulator/registry/artifacts.c - Artifact Registry's repositories: made, looked at, listed, deleted. Images lie in them by their names
 * alone: the registry takes a push to PROJECT/REPOSITORY/... whether or not somebody made that repository first.
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
#include "simulator/registry/registry.h"
#include "simulator/service.h"

#define TYPE_REPOSITORY "type.googleapis.com/google.devtools.artifactregistry.v1.Repository"
#define TYPE_METADATA "type.googleapis.com/google.devtools.artifactregistry.v1.OperationMetadata"
#define KIND "artifacts"
#define PAGE_MAX 1000

/* Where they are noted: under PROJECT/LOCATION. Caller frees. */
static char *group_of(struct sim_call *c)
{
    return xasprintf("%s/%s", call_param(c, "project"), call_param(c, "location"));
}

static bool legal_id(const char *id)
{
    size_t n = strlen(id);

    return n > 0 && n <= 63 && id[0] >= 'a' && id[0] <= 'z' && id[n - 1] != '-' && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static bool known_format(const char *format)
{
    static const char *const formats[] = {"DOCKER", "MAVEN", "NPM", "APT", "YUM", "PYTHON", "KFP", "GO", "GENERIC"};

    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_eq(formats[i], format))
            return true;
    return false;
}

static struct json_object *find(struct sim_call *c, const char *id)
{
    CLEANUP(free_p) char *group = group_of(c), *text = legal_id(id) && registry_legal_name(group) ? registry_get(c->sim, KIND, group, id) : NULL;

    return text != NULL ? json_parse_object(text, strlen(text), SIM_BODY_MAX, NULL) : NULL;
}

static struct json_object *find_or_fail(struct sim_call *c)
{
    struct json_object *o = find(c, call_param(c, "repository"));

    if (o == NULL)
        call_fail(c, 404, "NOT_FOUND", "Requested entity was not found.");
    return o;
}

/* Takes response, which may be NULL. */
static void answer_operation(struct sim_call *c, const char *type, struct json_object *response)
{
    struct operation *op = operation_new_run(c->sim, call_param(c, "project"), call_param(c, "location"));

    operation_metadata(op, TYPE_METADATA, NULL);
    operation_done(op, type, response);
    call_json(c, 200, json_object_get(op->json));
}

static void create(struct sim_call *c, const char *id, const char *group, const char *format)
{
    CLEANUP(free_p) char *name = xasprintf("projects/%s/locations/%s/repositories/%s", call_param(c, "project"), call_param(c, "location"), id);
    const char *description = json_string_or(json_member(c->body, "description"), NULL);
    struct json_object *o = json_new_object();
    char when[TIME_RFC3339_SIZE];
    struct skl_error err = {0};
    struct buf b;

    json_add_string(o, "name", name);
    json_add_string(o, "format", format);
    json_add_string(o, "mode", "STANDARD_REPOSITORY");
    if (description != NULL)
        json_add_string(o, "description", description);
    if (json_object_is_type(json_member(c->body, "labels"), json_type_object))
        json_add(o, "labels", json_dup(json_member(c->body, "labels")));
    json_add_string(o, "createTime", time_format_rfc3339(clock_wall(), when));
    json_add_string(o, "updateTime", when);
    buf_init(&b, 4096); /* what registry_get() reads */
    if (json_emit(&b, o) < 0)
        error_set(&err, SKL_ERR_INVALID, "The repository's description and labels are too long.");
    else
        (void)registry_put(c->sim, KIND, group, id, buf_str(&b), &err);
    buf_fini(&b);
    if (err.kind == 0) {
        answer_operation(c, TYPE_REPOSITORY, o);
        return;
    }
    json_object_put(o);
    call_error(c, &err);
}

static void handle_create(struct sim_call *c)
{
    const char *given = http_req_query(c->req, "repositoryId"), *format = json_string_or(json_member(c->body, "format"), "");
    CLEANUP(free_p) char *id = xstrdup(given != NULL ? given : ""), *group = group_of(c);
    JSON_CLEANUP struct json_object *there = find(c, id);

    if (!legal_id(id) || !registry_legal_name(group))
        call_fail(c, 400, "INVALID_ARGUMENT", "repository_id must contain only lowercase letters, numbers, and hyphens, begin with a letter, and be at most 63 characters: \"%s\"", id);
    else if (!known_format(format))
        call_fail(c, 400, "INVALID_ARGUMENT", "Invalid value at 'repository.format' (type.googleapis.com/google.devtools.artifactregistry.v1.Repository.Format), \"%s\"", format);
    else if (there != NULL)
        call_fail(c, 409, "ALREADY_EXISTS", "the repository already exists");
    else
        create(c, id, group, format);
}

static void handle_get(struct sim_call *c)
{
    struct json_object *o = find_or_fail(c);

    if (o != NULL)
        call_json(c, 200, o);
}

static void handle_list(struct sim_call *c)
{
    CLEANUP(free_p) char *group = group_of(c);
    JSON_CLEANUP struct json_object *names = registry_legal_name(group) ? registry_list(c->sim, KIND, group) : json_new_array(), *all = json_new_array();
    struct json_object *o;
    struct page page;

    if (!page_read(c, PAGE_MAX, PAGE_MAX, &page))
        return;
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        struct json_object *one = find(c, json_object_get_string(json_object_array_get_idx(names, i)));
        if (one != NULL)
            json_push(all, one);
    }
    o = json_new_object();
    if (page_cut(c, &page, all, o, "repositories"))
        call_json(c, 200, o);
    else
        json_object_put(o);
}

static void handle_delete(struct sim_call *c)
{
    CLEANUP(free_p) char *group = group_of(c);
    struct json_object *o = find_or_fail(c);

    if (o == NULL)
        return;
    json_object_put(o);
    (void)registry_remove(c->sim, KIND, group, call_param(c, "repository"));
    answer_operation(c, TYPE_EMPTY, NULL);
}

/* Operations have one collection; this API asks for them under its own version. */
static void handle_operation(struct sim_call *c)
{
    CLEANUP(free_p) char *name = xasprintf("projects/%s/locations/%s/operations/%s", call_param(c, "project"), call_param(c, "location"), call_param(c, "operation"));
    struct operation *op;

    HASH_FIND_STR(c->sim->operations, name, op);
    if (op == NULL)
        call_fail(c, 404, "NOT_FOUND", "Requested entity was not found.");
    else
        call_json(c, 200, json_object_get(op->json));
}

#define LOCATION "/v1/projects/{project}/locations/{location}"
const struct sim_route artifacts_routes[] = {
    {"POST", LOCATION "/repositories", "CreateRepository", handle_create, false},
    {"GET", LOCATION "/repositories", "ListRepositories", handle_list, false},
    {"GET", LOCATION "/repositories/{repository}", "GetRepository", handle_get, false},
    {"DELETE", LOCATION "/repositories/{repository}", "DeleteRepository", handle_delete, false},
    {"GET", LOCATION "/operations/{operation}", "GetOperationV1", handle_operation, false},
    {NULL, NULL, NULL, NULL, false},
};
