/*
 * list.c - the operations "list" (all functions of this daemon, for recovery) and "inspect" (one).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/driver.h"
#include "cloud-run-functions/function.h"
#include "gcp/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE "1000"
#define PAGES_MAX 100
#define KV_PROJECT "project"

struct item {
    char container_id[65];
    char state[32];
    char *handle;
    char *resource;
};

struct list {
    struct gcf_op op;
    struct gcp_call *call;
    char daemon[GCF_LABEL_MAX];
    char *token;
    struct item *items;
    size_t n, cap;
    int pages;
    bool unreachable;
};

static void list_get(struct list *l);

static void list_destroy(struct gcf_op *op)
{
    struct list *l = (struct list *)op;

    gcp_call_cancel(l->call);
    for (size_t i = 0; i < l->n; i++) {
        free(l->items[i].handle);
        free(l->items[i].resource);
    }
    free(l->items);
    free(l->token);
    free(l);
}

static void list_fail(struct list *l, const struct skl_error *err)
{
    gcf_op_end(&l->op, err, NULL);
    list_destroy(&l->op);
}

/*
 * Whether this project's functions are all there can be: not when an earlier process worked in another one. Its
 * containers are still invoked and deleted there by their handles; that this list lacks them says nothing.
 */
static bool list_is_all(const struct skl_instance *inst)
{
    const struct skl_host *host = inst->host;
    size_t len;
    char *before = inst->config.endpoint ? NULL : host->kv_get(host->ctx, KV_PROJECT, &len);
    bool same = !before || !strcmp(before, inst->project);
    struct skl_error err;

    if (inst->config.endpoint) /* not Google's projects */
        return true;
    if (!same)
        gcf_log(inst, SKL_LOG_WARN, "the functions of project %.64s, used before, are not looked for", before);
    if (before)
        host->free(host->ctx, before);
    else if (host->kv_put(host->ctx, KV_PROJECT, inst->project, strlen(inst->project), &err) < 0)
        gcf_log(inst, SKL_LOG_WARN, "can't write down the project: %s", err.message);
    return same;
}

static void list_finish(struct list *l)
{
    struct skl_list_result result = {
        .size = sizeof(result), .count = (uint32_t)l->n, .complete = list_is_all(l->op.inst) && !l->unreachable};
    struct skl_list_item *items = calloc(l->n ? l->n : 1, sizeof(*items));
    struct skl_error err;

    if (!items) {
        (void)gcp_error(&err, SKL_ERR_INTERNAL, "out of memory");
        list_fail(l, &err);
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        items[i].size = sizeof(items[i]);
        items[i].container_id = *l->items[i].container_id ? l->items[i].container_id : NULL;
        items[i].handle = l->items[i].handle;
        items[i].state = l->items[i].state;
        items[i].resource = l->items[i].resource;
    }
    result.items = items;
    gcf_op_end(&l->op, NULL, &result);
    free(items);
    list_destroy(&l->op);
}

static bool list_add(struct list *l, const struct gcf_function *f)
{
    struct gcf_handle h = {.created = 0};
    struct item *it;

    if (l->n == l->cap) {
        it = realloc(l->items, (l->cap ? l->cap * 2 : 64) * sizeof(*it));
        if (!it)
            return false;
        l->items = it;
        l->cap = l->cap ? l->cap * 2 : 64;
    }
    memcpy(h.name, f->name, sizeof(h.name));
    memcpy(h.uri, f->uri, sizeof(h.uri));
    it = &l->items[l->n];
    memcpy(it->container_id, f->container_id, sizeof(it->container_id));
    memcpy(it->state, f->state_text, sizeof(it->state));
    it->handle = gcf_handle_write(&h);
    it->resource = strdup(f->name);
    l->n++;
    return it->handle && it->resource;
}

/* The filter asked for this daemon's; a server that ignores it must not make foreign functions ours. */
static bool list_page(struct list *l, struct json_object *page)
{
    struct json_object *fns = gcp_json_array(page, "functions"), *gone = gcp_json_array(page, "unreachable");
    size_t n = fns ? json_object_array_length(fns) : 0;
    struct gcf_function f;

    if (gone && json_object_array_length(gone))
        l->unreachable = true;
    for (size_t i = 0; i < n; i++) {
        gcf_function_read(&f, json_object_array_get_idx(fns, i));
        if (!*f.name || strcmp(f.daemon, l->daemon))
            continue;
        if (l->n == SKL_LIST_MAX) {
            l->unreachable = true;
            break;
        }
        if (!list_add(l, &f))
            return false;
    }
    return true;
}

static void on_page(void *arg, const struct gcp_reply *reply)
{
    struct list *l = arg;
    const char *next;
    struct skl_error err;

    l->call = NULL;
    if (reply->error) {
        list_fail(l, reply->error);
        return;
    }
    next = gcp_json_str(reply->json, "nextPageToken");
    free(l->token);
    l->token = gcp_dup(next);
    if (!reply->json)
        (void)gcp_error(&err, SKL_ERR_BAD_GATEWAY, "list functions: the answer is too large");
    else if (!list_page(l, reply->json) || (next && !l->token))
        (void)gcp_error(&err, SKL_ERR_INTERNAL, "out of memory");
    else if (next && ++l->pages < PAGES_MAX) {
        list_get(l);
        return;
    } else {
        l->unreachable = l->unreachable || next;
        list_finish(l);
        return;
    }
    list_fail(l, &err);
}

static void list_get(struct list *l)
{
    struct skl_instance *inst = l->op.inst;
    struct gcp_request req = {.method = "GET", .what = "list functions", .policy = GCP_READ, .object = true};
    struct gcp_str path = {0};
    struct skl_error err;
    char *filter, *url;

    filter = gcp_format("labels.%s=\"%s\"", GCF_LABEL_DAEMON, l->daemon);
    /* Of all regions: the one configured today need not be that of the containers made yesterday. */
    gcp_str_printf(&path, "/v2/projects/%s/locations/-/functions?", inst->project);
    gcp_str_put_pair(&path, "pageSize", PAGE_SIZE);
    gcp_str_put_pair(&path, "filter", filter ? filter : "");
    if (l->token)
        gcp_str_put_pair(&path, "pageToken", l->token);
    url = filter && !path.failed ? gcp_client_url(&inst->client, GCP_FUNCTIONS, gcp_str_get(&path)) : NULL;
    req.url = url;
    req.gate = &inst->client.reads;
    req.max_response = (size_t)64 << 20; /* 1000 functions with 32 KiB of environment each */
    l->call = url ? gcp_call_start(&inst->client, &req, on_page, l) : NULL;
    gcp_str_fini(&path);
    free(filter);
    free(url);
    if (l->call)
        return;
    (void)gcp_error(&err, SKL_ERR_INTERNAL, "out of memory");
    list_fail(l, &err);
}

void gcf_list(struct skl_instance *inst, struct skl_call *call, const struct skl_list_req *req)
{
    struct list *l = calloc(1, sizeof(*l));

    if (!l) {
        gcf_refuse(inst, call, SKL_ERR_INTERNAL, "out of memory");
        return;
    }
    gcf_op_begin(&l->op, inst, call, list_destroy);
    gcf_daemon_label(req->daemon_id, l->daemon);
    list_get(l);
}

/* ---- inspect ---- */

struct inspect {
    struct gcf_op op;
    struct gcp_call *call;
};

static void inspect_destroy(struct gcf_op *op)
{
    struct inspect *i = (struct inspect *)op;

    gcp_call_cancel(i->call);
    free(i);
}

static void on_inspect(void *arg, const struct gcp_reply *reply)
{
    struct inspect *i = arg;
    struct skl_inspect_result result = {.size = sizeof(result)};
    struct gcf_function f;

    i->call = NULL;
    if (reply->error && (reply->fault->code != GCP_NOT_FOUND || reply->fault->html)) {
        gcf_op_end(&i->op, reply->error, NULL);
    } else {
        gcf_function_read(&f, reply->json);
        result.exists = !reply->error;
        result.state = reply->error ? "" : f.state_text;
        result.resource = f.name;
        gcf_op_end(&i->op, NULL, &result);
    }
    inspect_destroy(&i->op);
}

void gcf_inspect(struct skl_instance *inst, struct skl_call *call, const struct skl_inspect_req *req)
{
    struct gcp_request r = {.method = "GET", .what = "inspect function", .policy = GCP_READ, .object = true};
    struct inspect *i = calloc(1, sizeof(*i));
    struct gcf_handle h;
    char *path, *url;

    if (!gcf_handle_read(&h, req->container->handle))
        gcf_function_name(inst->project, inst->config.region, req->container->id, h.name);
    path = gcp_format("/v2/%s", h.name);
    url = path ? gcp_client_url(&inst->client, GCP_FUNCTIONS, path) : NULL;
    r.url = url;
    r.gate = &inst->client.reads;
    if (i && url)
        i->call = gcp_call_start(&inst->client, &r, on_inspect, i);
    if (i && i->call) {
        gcf_op_begin(&i->op, inst, call, inspect_destroy);
    } else {
        free(i);
        gcf_refuse(inst, call, SKL_ERR_INTERNAL, "out of memory");
    }
    free(path);
    free(url);
}
