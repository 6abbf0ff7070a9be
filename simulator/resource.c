/*
 * simulator/resource.c - the fields that the server fills in, and the Cloud Run service that a function becomes (reference 1.3, 3.1).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/service.h"
#include "simulator/storage.h"

/* Of runtime "docker", which Google does not have: containers may well listen on 8080 themselves. */
#define DOCKER_PORT 61080

#define DEFAULT_ACCOUNT SIM_PROJECT_NUMBER "-compute@developer.gserviceaccount.com"

int64_t json_number(struct json_object *o, const char *path, int64_t if_absent)
{
    (void)json_get_i64(o, path, &if_absent, NULL);
    return if_absent;
}

static const char *text_of(struct json_object *o, const char *path, const char *if_absent)
{
    const char *v = NULL;

    (void)json_get_string(o, path, &v, NULL);
    return v != NULL ? v : if_absent;
}

static struct json_object *object_at(struct json_object *o, const char *key)
{
    struct json_object *v = json_member(o, key);

    return v != NULL ? v : json_add_object(o, key);
}

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

char *service_id_of(const char *function_id)
{
    char *id = xstrdup(function_id);

    for (char *p = id; *p != '\0'; p++)
        *p = *p == '_' ? '-' : (char)tolower((unsigned char)*p);
    return id;
}

char *service_uri(const struct service *svc)
{
    return xasprintf("http://127.0.0.1:%u" INVOKE_PREFIX "%s/%s/%s", svc->sim->port, svc->project, svc->location, svc->id);
}

/* What a function gets by its memory where it does not say (reference 6). */
static const char *cpu_of_memory(const char *memory)
{
    static const struct {
        int64_t bytes;
        const char *cpu;
    } table[] = {{INT64_C(128) << 20, "0.083"}, {INT64_C(256) << 20, "0.1666"}, {INT64_C(512) << 20, "0.3333"}, {INT64_C(1) << 30, "0.5833"},
                 {INT64_C(2) << 30, "1"},       {INT64_C(8) << 30, "2"},        {INT64_C(16) << 30, "4"},       {INT64_C(32) << 30, "8"}};
    int64_t bytes = memory_bytes(memory);

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (bytes <= table[i].bytes)
            return table[i].cpu;
    return "8";
}

void function_fill(struct function *f, struct json_object *fn)
{
    struct json_object *sc = object_at(fn, "serviceConfig");
    CLEANUP(free_p) char *uri = service_uri(f->svc);

    set_default_string(sc, "availableMemory", "256M");
    set_default_string(sc, "availableCpu", cpu_of_memory(text_of(sc, "availableMemory", "256M")));
    set_default_int(sc, "timeoutSeconds", 60);
    set_default_int(sc, "maxInstanceCount", 100);
    set_default_int(sc, "maxInstanceRequestConcurrency", 1);
    set_default_string(sc, "ingressSettings", "ALLOW_ALL");
    set_default_string(sc, "serviceAccountEmail", DEFAULT_ACCOUNT);
    json_add_bool(sc, "allTrafficOnLatestRevision", true);
    json_add_string(sc, "service", f->svc->name);
    json_add_string(sc, "uri", uri);
    if (f->svc->serving != NULL)
        json_add_string(sc, "revision", f->svc->serving->id);
    json_add_string(fn, "url", uri);
}

/* The source lies in the project's own bucket after a build, by the name of the function. */
static void fill_source(const struct function *f, struct json_object *bc)
{
    struct json_object *given = NULL, *copy, *resolved;
    struct skl_error err = {0};
    CLEANUP(free_p) char *bucket = xasprintf("gcf-v2-sources-" SIM_PROJECT_NUMBER "-%s", f->location);
    CLEANUP(free_p) char *object = xasprintf("%s/function-source.zip", f->id);

    (void)json_get_object(bc, "source.storageSource", &given, NULL);
    if (given == NULL)
        return;
    if (storage_copy(f->sim, text_of(given, "bucket", ""), text_of(given, "object", ""), bucket, object, &err) < 0)
        log_warn("deploy", "%s", err.message);
    copy = json_new_object();
    json_add_string(copy, "bucket", bucket);
    json_add_string(copy, "object", object);
    if (json_member(given, "generation") != NULL)
        json_add(copy, "generation", json_object_get(json_member(given, "generation")));
    resolved = json_dup(copy);
    json_add(object_at(bc, "source"), "storageSource", copy);
    json_add(json_add_object(bc, "sourceProvenance"), "resolvedStorageSource", resolved);
}

void function_fill_build(const struct function *f, struct json_object *fn)
{
    struct json_object *bc = object_at(fn, "buildConfig");
    CLEANUP(free_p) char *repo = xasprintf("projects/%s/locations/%s/repositories/gcf-artifacts", f->project, f->location);
    char id[ID_SIZE];
    CLEANUP(free_p) char *build = NULL;

    id_new(id);
    build = xasprintf("projects/" SIM_PROJECT_NUMBER "/locations/%s/builds/%.8s-%.4s-%.4s-%.4s-%.12s", f->location, id, id + 8, id + 12, id + 16, id + 20);
    json_add_string(bc, "build", build);
    json_add_string(bc, "dockerRegistry", "ARTIFACT_REGISTRY");
    set_default_string(bc, "dockerRepository", repo);
    if (json_member(bc, "onDeployUpdatePolicy") == NULL && json_member(bc, "automaticUpdatePolicy") == NULL)
        json_add_object(bc, "automaticUpdatePolicy");
    fill_source(f, bc);
}

/* ---- the service ---- */

static void add_marks(const struct function *f, struct json_object *fn, struct json_object *settings)
{
    struct json_object *labels = json_member(fn, "labels") != NULL ? json_dup(json_member(fn, "labels")) : json_new_object(), *notes;
    CLEANUP(free_p) char *id = service_id_of(f->id);

    json_add_string(labels, "goog-managed-by", "cloudfunctions");
    json_add_string(labels, "goog-cloudfunctions-runtime", text_of(fn, "buildConfig.runtime", ""));
    json_add_string(labels, "goog-drz-cloudfunctions-id", id);
    json_add_string(labels, "goog-drz-cloudfunctions-location", f->location);
    json_add(settings, "labels", labels);
    notes = json_add_object(settings, "annotations");
    json_add_string(notes, "cloudfunctions.googleapis.com/function-id", f->id);
    json_add_string(notes, "cloudfunctions.googleapis.com/trigger-type", "HTTP_TRIGGER");
}

static void add_env(struct json_object *list, const char *name, const char *value)
{
    struct json_object *e = json_new_object();

    json_add_string(e, "name", name);
    if (value[0] != '\0')
        json_add_string(e, "value", value);
    json_push(list, e);
}

/* The image: what the build pushed; with runtime "docker" the one that the function names. */
static void add_container(const struct function *f, struct json_object *fn, struct json_object *template)
{
    struct json_object *sc = json_member(fn, "serviceConfig"), *vars = sc != NULL ? json_member(sc, "environmentVariables") : NULL;
    struct json_object *c = json_new_object(), *env, *resources, *limits, *ports = json_new_array(), *port = json_new_object();
    bool docker = str_eq(text_of(fn, "buildConfig.runtime", ""), "docker");
    const char *named = vars != NULL ? json_string_or(json_member(vars, "SOCKERLESS_IMAGE"), "") : "";
    CLEANUP(free_p) char *built = xasprintf("gcf-artifacts/%s/%s/%s:version_%u", f->project, f->location, f->svc->id, f->svc->created + 1);

    json_add_string(c, "name", "worker");
    json_add_string(c, "image", docker ? named : built);
    env = json_add_array(c, "env");
    if (vars != NULL) {
        json_object_object_foreach(vars, key, v)
            add_env(env, key, json_object_get_string(v));
    }
    add_env(env, "FUNCTION_TARGET", text_of(fn, "buildConfig.entryPoint", f->id));
    add_env(env, "FUNCTION_SIGNATURE_TYPE", "http");
    resources = json_add_object(c, "resources");
    limits = json_add_object(resources, "limits");
    json_add_string(limits, "cpu", text_of(sc, "availableCpu", "0.1666"));
    json_add_string(limits, "memory", text_of(sc, "availableMemory", "256M"));
    json_add_bool(resources, "cpuIdle", true);
    json_add_bool(resources, "startupCpuBoost", true);
    json_add_string(port, "name", "http1");
    json_add_i64(port, "containerPort", str_eq(text_of(fn, "buildConfig.runtime", ""), "docker") ? DOCKER_PORT : 8080);
    json_push(ports, port);
    json_add(c, "ports", ports);
    json_push(json_add_array(template, "containers"), c);
}

struct json_object *function_service(const struct function *f, struct json_object *fn)
{
    static const char *const ingress[][2] = {{"ALLOW_INTERNAL_ONLY", "INGRESS_TRAFFIC_INTERNAL_ONLY"},
                                             {"ALLOW_INTERNAL_AND_GCLB", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"},
                                             {NULL, "INGRESS_TRAFFIC_ALL"}};
    struct json_object *o = json_new_object(), *template, *scaling;
    CLEANUP(free_p) char *timeout = xasprintf("%llds", (long long)json_number(fn, "serviceConfig.timeoutSeconds", 60));
    size_t i = 0;

    if (json_member(fn, "description") != NULL)
        json_add_string(o, "description", text_of(fn, "description", ""));
    add_marks(f, fn, o);
    while (ingress[i][0] != NULL && !str_eq(ingress[i][0], text_of(fn, "serviceConfig.ingressSettings", "")))
        i++;
    json_add_string(o, "ingress", ingress[i][1]);
    json_add_string(o, "launchStage", "GA");
    template = json_add_object(o, "template");
    json_add(template, "labels", json_dup(json_member(o, "labels")));
    json_object_object_del(json_member(template, "labels"), "goog-cloudfunctions-runtime"); /* is not on what it logs */
    scaling = json_add_object(template, "scaling");
    if (json_number(fn, "serviceConfig.minInstanceCount", 0) > 0)
        json_add_i64(scaling, "minInstanceCount", json_number(fn, "serviceConfig.minInstanceCount", 0));
    json_add_i64(scaling, "maxInstanceCount", json_number(fn, "serviceConfig.maxInstanceCount", 100));
    json_add_string(template, "timeout", timeout);
    json_add_string(template, "serviceAccount", text_of(fn, "serviceConfig.serviceAccountEmail", DEFAULT_ACCOUNT));
    add_container(f, fn, template);
    json_add_i64(template, "maxInstanceRequestConcurrency", json_number(fn, "serviceConfig.maxInstanceRequestConcurrency", 1));
    return o;
}
