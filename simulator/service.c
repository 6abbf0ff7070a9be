/*
 * simulator/service.c - Cloud Run services: settings, revisions, and which of them serves.
 *
 * A revision that can't run leaves the one before it serving: latestCreatedRevision and latestReadyRevision then differ, and
 * terminalCondition tells why.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/service.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define TIMEOUT_STANDARD 300
#define CONCURRENCY_STANDARD 80
#define MAX_INSTANCES_STANDARD 100
#define NS INT64_C(1000000000)

struct service *service_find(struct sim *s, const char *project, const char *location, const char *id)
{
    CLEANUP(free_p) char *name = xasprintf("projects/%s/locations/%s/services/%s", project, location, id);
    struct service *svc;

    HASH_FIND_STR(s->services, name, svc);
    return svc;
}

struct service *service_new(struct sim *s, const char *project, const char *location, const char *id)
{
    struct service *svc = xcalloc(1, sizeof(*svc));

    svc->sim = s;
    svc->project = xstrdup(project);
    svc->location = xstrdup(location);
    svc->id = xstrdup(id);
    svc->name = xasprintf("projects/%s/locations/%s/services/%s", project, location, id);
    list_init(&svc->revisions);
    list_init(&svc->instances);
    HASH_ADD_KEYPTR(hh, s->services, svc->name, strlen(svc->name), svc);
    return svc;
}

void revision_unref(struct revision *r)
{
    if (r == NULL || --r->refs > 0)
        return;
    list_remove(&r->link);
    image_unref(r->image);
    json_object_put(r->json);
    free(r->id);
    free(r->why);
    free(r);
}

void service_free(struct service *svc)
{
    HASH_DEL(svc->sim->services, svc);
    deploy_cancel(svc->deploy);
    LIST_FOREACH_SAFE(n, tmp, &svc->instances) {
        struct instance *in = LIST_ENTRY(n, struct instance, link);
        list_remove(&in->link);
        in->svc = NULL;
        instance_stop(in);
    }
    LIST_FOREACH_SAFE(n, tmp, &svc->revisions) {
        struct revision *r = LIST_ENTRY(n, struct revision, link);
        list_remove(&r->link);
        revision_unref(r);
    }
    json_object_put(svc->json);
    json_object_put(svc->policy);
    free(svc->name);
    free(svc->project);
    free(svc->location);
    free(svc->id);
    free(svc);
}

/* ---- revisions ---- */

static struct json_object *first_container(struct json_object *settings)
{
    struct json_object *list = NULL;

    (void)json_get_array(settings, "template.containers", &list, NULL);
    return list != NULL && json_object_array_length(list) > 0 ? json_object_array_get_idx(list, 0) : NULL;
}

const char *service_image(struct json_object *settings)
{
    struct json_object *c = first_container(settings);

    return c != NULL ? json_string_or(json_member(c, "image"), "") : "";
}

/* As long as it is the image that the function of runtime "docker" names, and nothing says otherwise. */
bool service_runs_agent(const struct service *svc, struct json_object *settings)
{
    const char *runtime = NULL, *named = NULL;
    struct json_object *fn = svc->f == NULL ? NULL : svc->f->next != NULL ? svc->f->next : svc->f->json, *c = first_container(settings);

    if (fn == NULL || c == NULL || json_member(c, "command") != NULL)
        return false;
    (void)json_get_string(fn, "buildConfig.runtime", &runtime, NULL);
    (void)json_get_string(fn, "serviceConfig.environmentVariables.SOCKERLESS_IMAGE", &named, NULL);
    return str_eq(runtime, "docker") && named != NULL && str_eq(named, service_image(settings));
}

/* "-00003-abc" */
static char *revision_id(const struct service *svc)
{
    uint64_t r = random_u64();

    return xasprintf("%s-%05u-%c%c%c", svc->id, svc->created, 'a' + (char)(r % 26), 'a' + (char)(r / 26 % 26), 'a' + (char)(r / 676 % 26));
}

static unsigned positive(int64_t n, unsigned if_not)
{
    return n > 0 && n <= UINT32_MAX ? (unsigned)n : if_not;
}

static void read_template(struct revision *r, struct json_object *settings)
{
    struct json_object *t = json_member(settings, "template");
    const char *timeout = NULL;
    int64_t ns = TIMEOUT_STANDARD * NS;

    (void)json_get_string(t, "timeout", &timeout, NULL);
    if (timeout == NULL || !duration_parse(timeout, &ns) || ns < NS)
        ns = TIMEOUT_STANDARD * NS;
    r->timeout_s = ns / NS;
    r->max_instances = positive(json_number(t, "scaling.maxInstanceCount", 0), MAX_INSTANCES_STANDARD);
    r->concurrency = positive(json_number(t, "maxInstanceRequestConcurrency", 0), CONCURRENCY_STANDARD);
}

/* Revisions that neither serve nor run go when there are too many. */
static void drop_old(struct service *svc)
{
    size_t n = 0;

    LIST_FOREACH_SAFE(node, tmp, &svc->revisions) {
        struct revision *r = LIST_ENTRY(node, struct revision, link);
        if (++n > REVISIONS_MAX && r != svc->serving) {
            list_remove(&r->link);
            revision_unref(r);
        }
    }
}

/* Traffic moves to the new revision: what runs the old one ends when its last request does. */
static void move_traffic(struct service *svc, struct revision *to)
{
    svc->serving = to;
    LIST_FOREACH_SAFE(n, tmp, &svc->instances) {
        struct instance *in = LIST_ENTRY(n, struct instance, link);
        if (in->rev != to && in->active == 0)
            instance_stop(in);
    }
}

static struct json_object *revision_resource(const struct service *svc, const struct revision *r)
{
    static const char *const keys[] = {"labels", "annotations", "scaling", "vpcAccess", "timeout", "serviceAccount", "containers", "volumes",
                                       "executionEnvironment", "maxInstanceRequestConcurrency", "sessionAffinity"};
    struct json_object *t = json_member(svc->json, "template"), *o = json_new_object();
    char when[TIME_RFC3339_SIZE], uid[ID_SIZE];
    CLEANUP(free_p) char *name = xasprintf("%s/revisions/%s", svc->name, r->id);

    id_new(uid);
    json_add_string(o, "name", name);
    json_add_stringn(o, "uid", uid, 32);
    json_add_string(o, "generation", "1");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (json_member(t, keys[i]) != NULL)
            json_add(o, keys[i], json_dup(json_member(t, keys[i])));
    json_add_string(o, "createTime", time_format_rfc3339(clock_wall(), when));
    json_add_string(o, "updateTime", when);
    json_add_string(o, "launchStage", "GA");
    json_add_string(o, "service", svc->id);
    json_add_string(o, "observedGeneration", "1");
    return o;
}

static void set_times(struct service *svc, bool is_new)
{
    char when[TIME_RFC3339_SIZE], uid[ID_SIZE], generation[24];

    time_format_rfc3339(clock_wall(), when);
    svc->generation++;
    snprintf(generation, sizeof(generation), "%" PRIu64, svc->generation);
    if (is_new) {
        id_new(uid);
        json_add_stringn(svc->json, "uid", uid, 32);
        json_add_string(svc->json, "createTime", when);
    }
    json_add_string(svc->json, "updateTime", when);
    json_add_string(svc->json, "generation", generation);
}

/* What stays although the settings are replaced. */
static void keep_identity(struct json_object *to, struct json_object *from)
{
    static const char *const keys[] = {"uid", "createTime"};

    for (size_t i = 0; from != NULL && i < ARRAY_LEN(keys); i++)
        json_add(to, keys[i], json_object_get(json_member(from, keys[i])));
}

static struct revision *add_revision(struct service *svc, struct image *image, bool ready, const char *why)
{
    struct revision *r = xcalloc(1, sizeof(*r));
    const char *named = NULL;

    (void)json_get_string(svc->json, "template.revision", &named, NULL);
    svc->created++;
    r->id = named != NULL ? xstrdup(named) : revision_id(svc);
    r->refs = 1;
    r->image = image;
    r->ready = ready;
    r->why = image != NULL && ready ? NULL : xstrdup(why);
    r->agent = service_runs_agent(svc, svc->json);
    read_template(r, svc->json);
    r->json = revision_resource(svc, r);
    r->container = json_object_array_get_idx(json_member(r->json, "containers"), 0);
    list_push_front(&svc->revisions, &r->link);
    return r;
}

struct revision *service_restore(struct service *svc, const char *id, struct json_object *json)
{
    struct revision *r = xcalloc(1, sizeof(*r));
    struct json_object *settings = json_new_object();

    r->id = xstrdup(id);
    r->refs = 1;
    r->json = json;
    r->container = json_object_array_get_idx(json_member(json, "containers"), 0);
    json_add(settings, "template", json_object_get(json)); /* has the template's fields */
    read_template(r, settings);
    json_object_put(settings);
    list_push_back(&svc->revisions, &r->link);
    return r;
}

struct revision *service_roll(struct service *svc, struct json_object *settings, struct image *image, bool ready, const char *why)
{
    struct json_object *old = svc->json;
    struct revision *r;

    keep_identity(settings, old);
    svc->json = settings;
    set_times(svc, old == NULL);
    json_object_put(old);
    r = add_revision(svc, image, ready, why);
    if (ready)
        move_traffic(svc, r);
    drop_old(svc);
    return r;
}

void service_settle(struct service *svc, struct json_object *settings)
{
    struct json_object *old = svc->json;

    keep_identity(settings, old);
    svc->json = settings;
    set_times(svc, false);
    json_object_put(old);
}

/* ---- answers ---- */

void service_etag(const struct service *svc, char out[40])
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%.16s/%" PRIu64, json_string_or(json_member(svc->json, "uid"), ""), svc->generation);
    struct buf b;

    buf_init(&b, 128);
    (void)base64_encode(&b, text, (size_t)n, false, true);
    snprintf(out, 40, "%s", buf_str(&b));
    buf_fini(&b);
}

static struct json_object *condition(const char *type, bool good, bool pending, const char *why, const char *when)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "type", type);
    json_add_string(o, "state", pending ? "CONDITION_RECONCILING" : good ? "CONDITION_SUCCEEDED" : "CONDITION_FAILED");
    if (!good && !pending)
        json_add_string(o, "message", why);
    json_add_string(o, "lastTransitionTime", when);
    return o;
}

static void add_traffic(const struct service *svc, struct json_object *o)
{
    struct json_object *t = json_new_object();

    json_add_string(t, "type", "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST");
    json_add_i64(t, "percent", 100);
    if (json_member(svc->json, "traffic") == NULL)
        json_push(json_add_array(o, "traffic"), json_object_get(t));
    json_push(json_add_array(o, "trafficStatuses"), json_dup(t));
    json_object_put(t);
}

static const struct revision *newest(const struct service *svc)
{
    return list_empty(&svc->revisions) ? NULL : LIST_ENTRY(svc->revisions.next, const struct revision, link);
}

static void add_conditions(const struct service *svc, struct json_object *o)
{
    const struct revision *r = newest(svc);
    bool pending = svc->deploy != NULL, good = r != NULL && r == svc->serving;
    const char *when = json_string_or(json_member(svc->json, "updateTime"), ""), *why = r != NULL && r->why != NULL ? r->why : "";
    struct json_object *list;
    CLEANUP(free_p) char *text = r != NULL ? xasprintf("Revision '%s' is not ready and cannot serve traffic. %s", r->id, why) : xstrdup("");

    json_add(o, "terminalCondition", condition("Ready", good, pending, text, when));
    list = json_add_array(o, "conditions");
    json_push(list, condition("RoutesReady", good, pending, text, when));
    json_push(list, condition("ConfigurationsReady", good, pending, text, when));
    if (pending)
        json_add_bool(o, "reconciling", true);
}

struct json_object *service_answer(const struct service *svc)
{
    struct json_object *o = json_dup(svc->json);
    const struct revision *r = newest(svc);
    CLEANUP(free_p) char *uri = service_uri(svc);
    char etag[40];

    json_add_string(o, "name", svc->name);
    json_add_string(o, "observedGeneration", json_string_or(json_member(svc->json, "generation"), "1"));
    add_conditions(svc, o);
    add_traffic(svc, o);
    if (r != NULL) {
        CLEANUP(free_p) char *created = xasprintf("%s/revisions/%s", svc->name, r->id);
        json_add_string(o, "latestCreatedRevision", created);
    }
    if (svc->serving != NULL) {
        CLEANUP(free_p) char *ready = xasprintf("%s/revisions/%s", svc->name, svc->serving->id);
        json_add_string(o, "latestReadyRevision", ready);
    }
    json_add_string(o, "uri", uri);
    json_push_string(json_add_array(o, "urls"), uri);
    service_etag(svc, etag);
    json_add_string(o, "etag", etag);
    return o;
}

struct json_object *revision_answer(const struct service *svc, const struct revision *r)
{
    struct json_object *o = json_dup(r->json), *list = json_add_array(o, "conditions");
    const char *when = json_string_or(json_member(r->json, "createTime"), "");
    bool good = r->ready;

    json_push(list, condition("Ready", good, false, r->why != NULL ? r->why : "", when));
    json_push(list, condition("ContainerReady", good, false, r->why != NULL ? r->why : "", when));
    json_add_string(o, "etag", r->id);
    (void)svc;
    return o;
}
