/*
 * simulator/iam.c - policies of functions and of Cloud Run services.
 *
 * A policy's etag is a hash of its bindings: who writes with an etag that is not the present one is told to read again. The invoker role on
 * a service decides who may call its URL when authentication is required (invoke.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/schema.h"
#include "simulator/service.h"

#define POLICY_MAX (64u * 1024)
#define MEMBERS_MAX 1500u

static const unsigned char etag_key[16] = "simulator etags";

bool iam_grants(struct json_object *policy, const char *role, const char *member)
{
    struct json_object *bindings = policy != NULL ? json_member(policy, "bindings") : NULL;

    for (size_t i = 0; bindings != NULL && i < json_object_array_length(bindings); i++) {
        struct json_object *b = json_object_array_get_idx(bindings, i), *members = json_member(b, "members");
        for (size_t k = 0; members != NULL && str_eq(json_string_or(json_member(b, "role"), ""), role) && k < json_object_array_length(members); k++)
            if (str_eq(json_string_or(json_object_array_get_idx(members, k), ""), member))
                return true;
    }
    return false;
}

/* What a policy is answered as: with its version and etag. */
static struct json_object *answer(struct json_object *policy)
{
    struct json_object *o = json_new_object(), *bindings = policy != NULL ? json_member(policy, "bindings") : NULL;
    struct buf text, b;
    unsigned char h[8];
    uint64_t hash;

    buf_init(&text, POLICY_MAX);
    buf_init(&b, 64);
    if (bindings != NULL)
        (void)json_emit(&text, bindings);
    hash = hash_siphash24(etag_key, buf_str(&text), text.len);
    memcpy(h, &hash, sizeof(h));
    (void)base64_encode(&b, h, sizeof(h), false, true);
    json_add_i64(o, "version", policy != NULL ? json_number(policy, "version", 1) : 1);
    json_add_string(o, "etag", buf_str(&b));
    if (bindings != NULL)
        json_add(o, "bindings", json_object_get(bindings));
    buf_fini(&text);
    buf_fini(&b);
    return o;
}

/* The policy that the path is about; NULL: answered with 404. */
static struct json_object **policy_of(struct sim_call *c)
{
    const char *project = call_param(c, "project"), *location = call_param(c, "location");
    struct function *f = function_find(c->sim, project, location, call_param(c, "function"));
    struct service *svc = service_find(c->sim, project, location, call_param(c, "service"));
    bool is_function = route_param(&c->match, "function") != NULL;

    if (is_function ? f != NULL : svc != NULL && svc->json != NULL)
        return is_function ? &f->policy : &svc->policy;
    call_fail(c, 404, "NOT_FOUND", "Resource 'projects/%s/locations/%s/%s/%s' was not found", project, location,
              is_function ? "functions" : "services", call_param(c, is_function ? "function" : "service"));
    return NULL;
}

static void persist(struct sim_call *c)
{
    const char *project = call_param(c, "project"), *location = call_param(c, "location");

    if (route_param(&c->match, "function") != NULL)
        persist_function(function_find(c->sim, project, location, call_param(c, "function")), NULL);
    else
        persist_service(service_find(c->sim, project, location, call_param(c, "service")));
}

static void handle_get(struct sim_call *c)
{
    struct json_object **policy = policy_of(c);

    if (policy != NULL)
        call_json(c, 200, answer(*policy));
}

static bool known_member(const char *m)
{
    static const char *const kinds[] = {"user:", "serviceAccount:", "group:", "domain:", "principal://", "principalSet://", "deleted:", "projectOwner:",
                                        "projectEditor:", "projectViewer:"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_starts(m, kinds[i]) && m[strlen(kinds[i])] != '\0')
            return true;
    return str_eq(m, "allUsers") || str_eq(m, "allAuthenticatedUsers");
}

static int check_binding(struct json_object *b, size_t *members, struct skl_error *err)
{
    const char *role = json_string_or(json_member(b, "role"), "");
    struct json_object *list = json_member(b, "members");

    if (!str_starts(role, "roles/") && strstr(role, "/roles/") == NULL)
        return error_set(err, SKL_ERR_INVALID, "Role (%s) does not exist in the resource's hierarchy.", role);
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
        const char *m = json_string_or(json_object_array_get_idx(list, i), "");
        if (!known_member(m))
            return error_set(err, SKL_ERR_INVALID, "Invalid argument: '%.200s' is not a valid member.", m);
        if (++*members > MEMBERS_MAX)
            return error_set(err, SKL_ERR_INVALID, "A policy has at most %u members.", MEMBERS_MAX);
    }
    return 0;
}

static int check_policy(struct json_object *policy, struct skl_error *err)
{
    struct json_object *bindings = json_member(policy, "bindings");
    int64_t version = json_number(policy, "version", 1);
    size_t members = 0;

    if (version != 1 && version != 3)
        return error_set(err, SKL_ERR_INVALID, "Invalid policy version: %lld.", (long long)version);
    for (size_t i = 0; bindings != NULL && i < json_object_array_length(bindings); i++)
        if (check_binding(json_object_array_get_idx(bindings, i), &members, err) < 0)
            return -1;
    return 0;
}

static void handle_set(struct sim_call *c)
{
    struct json_object **policy = policy_of(c), *now, *given;
    struct schema_violation bad;
    struct skl_error err = {0};
    JSON_CLEANUP struct json_object *body = policy != NULL ? schema_read(schema_set_iam_policy_request, c->body, "", &bad) : NULL;
    const char *etag;

    if (policy == NULL)
        return;
    if (body == NULL) {
        call_violation(c, &bad);
        return;
    }
    given = json_member(body, "policy");
    if (given == NULL || check_policy(given, &err) < 0) {
        if (given == NULL)
            error_set(&err, SKL_ERR_INVALID, "Request contains an invalid argument.");
        call_error(c, &err);
        return;
    }
    etag = json_string_or(json_member(given, "etag"), NULL);
    now = answer(*policy);
    if (etag != NULL && !str_eq(etag, "ACAB") && !str_eq(etag, json_string_or(json_member(now, "etag"), ""))) {
        json_object_put(now);
        call_fail(c, 409, "ABORTED",
                  "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.");
        return;
    }
    json_object_put(now);
    json_object_put(*policy);
    *policy = json_object_get(given);
    persist(c);
    call_json(c, 200, answer(*policy));
}

/* Whoever gets this far may do everything here. */
static void handle_test(struct sim_call *c)
{
    struct json_object **policy = policy_of(c), *o, *list;
    struct schema_violation bad;
    struct json_object *body = policy != NULL ? schema_read(schema_test_iam_permissions_request, c->body, "", &bad) : NULL;

    if (policy == NULL)
        return;
    if (body == NULL) {
        call_violation(c, &bad);
        return;
    }
    list = json_member(body, "permissions");
    for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++)
        if (strchr(json_string_or(json_object_array_get_idx(list, i), ""), '*') != NULL) {
            json_object_put(body);
            call_fail(c, 400, "INVALID_ARGUMENT", "Permissions with wildcards are not allowed.");
            return;
        }
    o = json_new_object();
    if (list != NULL)
        json_add(o, "permissions", json_object_get(list));
    json_object_put(body);
    call_json(c, 200, o);
}

/* Node's functions client asks /v1 of functions, gcloud /v1 of services. */
#define ROUTES(version, what, name)                                                                                                             \
    {"GET", version "/projects/{project}/locations/{location}/" what ":getIamPolicy", name "GetIamPolicy", handle_get, false},                  \
        {"POST", version "/projects/{project}/locations/{location}/" what ":getIamPolicy", name "GetIamPolicy", handle_get, false},             \
        {"POST", version "/projects/{project}/locations/{location}/" what ":setIamPolicy", name "SetIamPolicy", handle_set, false},             \
    {                                                                                                                                           \
        "POST", version "/projects/{project}/locations/{location}/" what ":testIamPermissions", name "TestIamPermissions", handle_test, false   \
    }
const struct sim_route iam_routes[] = {
    ROUTES("/v2", "functions/{function}", "Function"), ROUTES("/v1", "functions/{function}", "Function"),
    ROUTES("/v2", "services/{service}", "Service"),    ROUTES("/v1", "services/{service}", "Service"),
    {NULL, NULL, NULL, NULL, false},
};
