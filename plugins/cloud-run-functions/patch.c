/*
 * patch.c - see patch.h.
 *
 *   LOOK (GET) --serves the image--> done
 *              --another image--> PATCH --> operation --> LOOK
 *              --not ready yet--> LOOK
 *
 * LOOK after the operation is the judge: an operation may end well while the new revision fails and the old
 * one, the placeholder, goes on serving. The etag makes the PATCH safe against another writer; a stale one is
 * 409 ABORTED: LOOK. The revision's name must go (a new one can't have it), and so must what would let Google
 * rebuild on a newer base.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/patch.h"
#include "gcp/json.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_AGAIN  (1 * GCP_SECOND)
#define PATCHES_MAX 5
#define GCF_AGENT_PORT 61080

static const char *const condition_states[] = {"STATE_UNSPECIFIED",     "CONDITION_PENDING",
                                               "CONDITION_RECONCILING", "CONDITION_FAILED",
                                               "CONDITION_SUCCEEDED",   NULL};

struct gcf_patch {
    struct skl_instance *inst;
    char *service, *image, *what;
    int64_t deadline;
    int patches;
    struct gcp_call *call;
    struct gcp_op *op;
    struct skl_timer *timer;
    gcf_patch_fn fn;
    void *arg;
};

static void patch_look(void *arg);

static void patch_free(struct gcf_patch *p)
{
    free(p->service);
    free(p->image);
    free(p->what);
    free(p);
}

void gcf_patch_cancel(struct gcf_patch *p)
{
    if (!p)
        return;
    gcp_call_cancel(p->call);
    gcp_op_cancel(p->op);
    if (p->timer)
        p->inst->host->timer_stop(p->inst->host->ctx, p->timer);
    patch_free(p);
}

static void patch_end(struct gcf_patch *p, const struct skl_error *err)
{
    p->fn(p->arg, err);
    patch_free(p);
}

/* ---- the service ---- */

static struct json_object *first_container(struct json_object *service)
{
    struct json_object *list = gcp_json_array(service, "template.containers");

    return list && json_object_array_length(list) ? json_object_array_get_idx(list, 0) : NULL;
}

/* The agent's: Google's default is 8080, where many a container's own program listens. */
static struct json_object *agent_port(void)
{
    struct json_object *port = json_object_new_object(), *list = json_object_new_array();

    gcp_json_put_str(port, "name", "http1");
    json_object_object_add(port, "containerPort", json_object_new_int(GCF_AGENT_PORT));
    json_object_array_add(list, port);
    return list;
}

char *gcf_patch_body(struct json_object *service, const char *image)
{
    struct json_object *template = gcp_json_get(service, "template"), *container = first_container(service);
    struct json_object *body = json_object_new_object();
    char *text;

    if (!json_object_is_type(container, json_type_object)) {
        json_object_put(body);
        return NULL;
    }
    json_object_object_del(template, "revision");
    json_object_object_del(container, "baseImageUri");
    json_object_object_del(container, "buildInfo");
    json_object_object_del(container, "sourceCode");
    gcp_json_put_str(container, "image", image);
    json_object_object_add(container, "ports", agent_port());
    json_object_object_add(body, "template", json_object_get(template));
    gcp_json_put_str(body, "etag", gcp_json_str(service, "etag"));
    text = gcp_dup(gcp_json_text(body));
    json_object_put(body);
    return text;
}

enum gcf_served gcf_patch_served(struct json_object *service, const char *image)
{
    const char *now = gcp_json_str(first_container(service), "image");
    const char *state = gcp_json_enum(service, "terminalCondition.state", condition_states);
    const char *created = gcp_json_str(service, "latestCreatedRevision");
    const char *ready = gcp_json_str(service, "latestReadyRevision");

    if (!now || strcmp(now, image))
        return GCF_SERVED_OTHER;
    if (state && !strcmp(state, "CONDITION_FAILED"))
        return GCF_SERVED_FAILED;
    if (!state || strcmp(state, "CONDITION_SUCCEEDED") || gcp_json_bool(service, "reconciling"))
        return GCF_SERVED_PENDING;
    return created && ready && !strcmp(created, ready) ? GCF_SERVED_READY : GCF_SERVED_FAILED;
}

/* ---- changing it ---- */

static void patch_look_later(struct gcf_patch *p)
{
    struct skl_error err;

    if (gcf_now(p->inst) + LOOK_AGAIN < p->deadline) {
        p->timer = p->inst->host->timer_start(p->inst->host->ctx, LOOK_AGAIN, patch_look, p);
        return;
    }
    (void)gcp_error(&err, SKL_ERR_TIMEOUT, "%s: the revision with it is not ready in time", p->what);
    patch_end(p, &err);
}

static void on_operation(void *arg, const struct gcp_op_result *result)
{
    struct gcf_patch *p = arg;

    p->op = NULL;
    if (result->error && (result->failed || result->fault->code != GCP_NOT_FOUND))
        patch_end(p, result->error);
    else
        patch_look(p);
}

static void on_patched(void *arg, const struct gcp_reply *reply)
{
    struct gcf_patch *p = arg;
    struct skl_error err;

    p->call = NULL;
    if (reply->error && reply->fault->code == GCP_ABORTED && p->patches < PATCHES_MAX) {
        patch_look_later(p); /* somebody else changed it: read it again */
        return;
    }
    if (reply->error) {
        patch_end(p, reply->error);
        return;
    }
    p->op = gcp_op_wait(&p->inst->client, GCP_RUN, reply->json, p->what, p->deadline, on_operation, p);
    if (p->op)
        return;
    (void)gcp_error(&err, SKL_ERR_INTERNAL, "%s: out of memory", p->what);
    patch_end(p, &err);
}

static void patch_send(struct gcf_patch *p, struct json_object *service)
{
    char *body = gcf_patch_body(service, p->image);
    char *path = gcp_format("/v2/%s?updateMask=template", p->service);
    char *url = path ? gcp_client_url(&p->inst->client, GCP_RUN, path) : NULL;
    struct gcp_request req = {
        .method = "PATCH", .url = url, .body = body, .what = p->what, .policy = GCP_READ, .object = true};
    struct skl_error err;

    p->patches++;
    req.body_len = body ? strlen(body) : 0;
    req.gate = &p->inst->client.writes;
    req.deadline = p->deadline; /* READ: with its etag it can be repeated, but a 409 means to look again */
    p->call = body && url ? gcp_call_start(&p->inst->client, &req, on_patched, p) : NULL;
    free(path);
    free(url);
    if (!p->call) {
        (void)gcp_error(&err, body ? SKL_ERR_INTERNAL : SKL_ERR_BAD_GATEWAY, "%s: %s", p->what,
                        body ? "out of memory" : "the function's service has no container");
        patch_end(p, &err);
    }
    free(body);
}

static void patch_failed(struct gcf_patch *p, struct json_object *service)
{
    const char *why = gcp_json_str(service, "terminalCondition.message");
    struct skl_error err;

    (void)gcp_error(&err, SKL_ERR_INTERNAL, "%s: the revision with it failed: %s", p->what,
                    why ? why : "Google gives no reason; the function's log may");
    patch_end(p, &err);
}

static void on_look(void *arg, const struct gcp_reply *reply)
{
    struct gcf_patch *p = arg;
    struct skl_error err;

    p->call = NULL;
    if (reply->error) {
        patch_end(p, reply->error);
        return;
    }
    switch (gcf_patch_served(reply->json, p->image)) {
    case GCF_SERVED_READY:
        patch_end(p, NULL);
        return;
    case GCF_SERVED_PENDING:
        patch_look_later(p);
        return;
    case GCF_SERVED_FAILED:
        patch_failed(p, reply->json);
        return;
    case GCF_SERVED_OTHER:
        break;
    }
    if (p->patches < PATCHES_MAX) {
        patch_send(p, reply->json);
        return;
    }
    (void)gcp_error(&err, SKL_ERR_CONFLICT, "%s: something keeps putting another image under the function",
                    p->what);
    patch_end(p, &err);
}

static bool patch_ask(struct gcf_patch *p)
{
    char *path = gcp_format("/v2/%s", p->service),
         *url = path ? gcp_client_url(&p->inst->client, GCP_RUN, path) : NULL;
    struct gcp_request req = {.method = "GET", .url = url, .what = p->what, .policy = GCP_READ, .object = true};

    req.gate = &p->inst->client.reads;
    req.deadline = p->deadline;
    p->call = url ? gcp_call_start(&p->inst->client, &req, on_look, p) : NULL;
    free(path);
    free(url);
    return p->call != NULL;
}

static void patch_look(void *arg)
{
    struct gcf_patch *p = arg;
    struct skl_error err;

    p->timer = NULL;
    if (patch_ask(p))
        return;
    (void)gcp_error(&err, SKL_ERR_INTERNAL, "%s: out of memory", p->what);
    patch_end(p, &err);
}

struct gcf_patch *gcf_patch_start(struct skl_instance *inst, const char *service, const char *image,
                                  int64_t deadline, gcf_patch_fn fn, void *arg)
{
    struct gcf_patch *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->inst = inst;
    p->service = strdup(service);
    p->image = strdup(image);
    p->what = gcp_format("deploy image %s", image);
    p->deadline = deadline;
    p->fn = fn;
    p->arg = arg;
    if (p->service && p->image && p->what && patch_ask(p))
        return p;
    patch_free(p);
    return NULL;
}
