/*
 * logs.c - the operation "logs": what Cloud Logging has of a container.
 *
 * Strict semantics send the mapping's filter to the letter and call everything stdout. Extended ones also
 * name the location and the two logs of a container's output, so that audit and system entries stay out, and
 * tell stdout from stderr.
 *
 * Entries are collected into a batch, sorted, and pushed as the reader gives credit. A page may be short or
 * empty and still have a successor. Reading oldest first, a batch is pushed when it is large, all but the
 * entries of its last instant, since a duplicate of those may be on the next page. With `tail` the newest
 * come first until there are enough. When time is up, what was read by then is the answer; nothing at all is
 * a timeout.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/driver.h"
#include "cloud-run-functions/function.h"
#include "cloud-run-functions/log_share.h"
#include "gcp/json.h"
#include "gcp/logging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE      1000
#define PAGE_SIZE_MIN  10
#define PAGE_SIZE_TAIL 100 /* at least: not all entries are lines, and each page costs a read */
#define PAGE_BYTES_MAX ((size_t)32 << 20)
#define BATCH_BYTES    ((size_t)4 << 20)
/* More than this is not kept for one reader of a tail: the oldest lines are left out. */
#define TAIL_BYTES_MAX ((size_t)64 << 20)
#define MADE_SLACK     (60 * GCP_SECOND)

struct logs {
    struct gcf_op op;
    struct skl_stream *out;
    struct gcp_call *call;
    struct skl_timer *timer; /* the time limit */
    char *filter, *token;
    int page_size;
    int64_t tail; /* -1: all */
    struct gcp_log_batch batch;
    int64_t credit;   /* what the reader takes at least; 0: wait for more */
    size_t next, end; /* lines [next, end) of the batch are being pushed */
    bool last, any;   /* no page follows; something was read */
    char region[64];
    bool alone; /* nobody shares its region */
    struct gcf_log_member shared;
};

static void logs_get(struct logs *l);
static void on_credit(void *arg);

static void logs_destroy(struct gcf_op *op)
{
    struct logs *l = (struct logs *)op;
    const struct skl_host *host = op->inst->host;

    gcp_call_cancel(l->call);
    gcf_log_share_leave(&l->shared);
    if (l->timer)
        host->timer_stop(host->ctx, l->timer);
    if (l->out)
        host->stream_on_credit(host->ctx, l->out, NULL, NULL);
    gcp_log_batch_fini(&l->batch);
    free(l->filter);
    free(l->token);
    free(l);
}

static void logs_end(struct logs *l, const struct skl_error *err)
{
    const struct skl_host *host = l->op.inst->host;

    host->stream_on_credit(host->ctx, l->out, NULL, NULL);
    l->out = NULL;
    gcf_op_end(&l->op, err, NULL);
    logs_destroy(&l->op);
}

/* ---- out ---- */

static void logs_pushed(struct logs *l)
{
    size_t held = l->batch.n - l->end;

    if (l->last) {
        logs_end(l, NULL);
        return;
    }
    /* What was held back begins the next batch. */
    for (size_t i = 0; i < l->end; i++) {
        free(l->batch.lines[i].insert_id);
        free(l->batch.lines[i].service);
        free(l->batch.lines[i].data);
    }
    memmove(l->batch.lines, l->batch.lines + l->end, held * sizeof(*l->batch.lines));
    l->batch.n = held;
    l->batch.bytes = 0;
    l->next = l->end = 0;
    logs_get(l);
}

static void logs_push(struct logs *l)
{
    const struct skl_host *host = l->op.inst->host;
    struct skl_log_entry e = {.size = sizeof(e)};

    while (l->next < l->end && l->credit > 0) {
        const struct gcp_log_line *line = &l->batch.lines[l->next++];

        e.stream = l->op.inst->config.extended ? line->stream : 1;
        e.time = line->time;
        e.data = line->data;
        e.len = line->len > SKL_LOG_ENTRY_MAX ? SKL_LOG_ENTRY_MAX : line->len;
        l->credit = host->log_push(host->ctx, l->out, &e);
    }
    if (l->credit < 0)
        logs_end(l, NULL);
    else if (l->next < l->end)
        host->stream_on_credit(host->ctx, l->out, on_credit, l);
    else
        logs_pushed(l);
}

static void on_credit(void *arg)
{
    struct logs *l = arg;

    l->credit = 1;
    logs_push(l);
}

/* Sorts and begins to push; `last`: all of it. */
static void logs_flush(struct logs *l, bool last)
{
    struct gcp_log_batch *b = &l->batch;

    gcp_log_batch_sort(b);
    l->last = last;
    l->next = 0;
    l->end = b->n;
    if (!last)
        while (l->end && b->lines[l->end - 1].time == b->lines[b->n - 1].time)
            l->end--;
    else if (l->tail >= 0 && b->n > (uint64_t)l->tail)
        l->next = b->n - (size_t)l->tail;
    logs_push(l);
}

/* ---- in ---- */

static void on_time_up(void *arg)
{
    struct logs *l = arg;
    struct skl_error err;

    l->timer = NULL;
    if (!l->call && !l->shared.share)
        return; /* all is read; the reader takes its time */
    gcp_call_cancel(l->call);
    gcf_log_share_leave(&l->shared);
    l->call = NULL;
    if (l->any) {
        gcf_log(l->op.inst, SKL_LOG_WARN, "%s: its log was not read to its end within %lld s", l->shared.service,
                (long long)(l->op.inst->config.log_timeout / GCP_SECOND));
        logs_flush(l, true);
        return;
    }
    (void)gcp_error(&err, SKL_ERR_TIMEOUT, "Cloud Logging did not answer within %lld s",
                    (long long)(l->op.inst->config.log_timeout / GCP_SECOND));
    logs_end(l, &err);
}

static bool logs_enough(struct logs *l)
{
    if (l->tail >= 0)
        gcp_log_batch_sort(&l->batch); /* what came twice does not count twice */
    return l->tail >= 0 && (l->batch.n >= (uint64_t)l->tail || l->batch.bytes > TAIL_BYTES_MAX);
}

static void logs_page(struct logs *l, struct json_object *page)
{
    const char *next = gcp_json_str(page, "nextPageToken");
    struct skl_error err;

    l->any = true;
    free(l->token);
    l->token = gcp_dup(next);
    if (!gcp_log_batch_add(&l->batch, page) || (next && !l->token)) {
        (void)gcp_error(&err, SKL_ERR_INTERNAL, "read logs: out of memory");
        logs_end(l, &err);
    } else if (!next || logs_enough(l)) {
        logs_flush(l, true);
    } else if (l->tail < 0 && l->batch.bytes > BATCH_BYTES) {
        logs_flush(l, false);
    } else {
        logs_get(l);
    }
}

static void on_page(void *arg, const struct gcp_reply *reply)
{
    struct logs *l = arg;
    struct skl_error err;

    l->call = NULL;
    if (reply->error) {
        logs_end(l, reply->error);
    } else if (json_object_is_type(reply->json, json_type_object)) {
        logs_page(l, reply->json);
    } else if (reply->response->truncated && l->page_size > PAGE_SIZE_MIN) {
        l->page_size /= 4; /* a page of very long lines */
        logs_get(l);
    } else {
        (void)gcp_error(&err, SKL_ERR_BAD_GATEWAY, "read logs: Cloud Logging's answer is not JSON");
        logs_end(l, &err);
    }
}

static void logs_get(struct logs *l)
{
    struct skl_instance *inst = l->op.inst;
    struct gcp_request req = {.method = "POST", .what = "read logs", .policy = GCP_READ};
    char *url = gcp_client_url(&inst->client, GCP_LOGGING, "/v2/entries:list");
    char *body = gcp_log_request(inst->project, l->filter, l->tail >= 0, l->page_size, l->token);
    struct skl_error err;

    req.url = url;
    req.body = body;
    req.body_len = body ? strlen(body) : 0;
    req.gate = &inst->client.log_reads;
    req.max_response = PAGE_BYTES_MAX;
    l->call = url && body ? gcp_call_start(&inst->client, &req, on_page, l) : NULL;
    free(url);
    free(body);
    if (l->call)
        return;
    (void)gcp_error(&err, SKL_ERR_INTERNAL, "read logs: out of memory");
    logs_end(l, &err);
}

/* ---- from the host ---- */

void gcf_log_filter_begin(struct gcp_str *filter, const struct skl_instance *inst, const char *region)
{
    gcp_log_filter_add(filter, "resource.type", "=", "cloud_run_revision");
    gcp_log_filter_add(filter, "resource.labels.location", "=", region);
    gcp_str_printf(filter,
                   " AND (logName=\"projects/%s/logs/run.googleapis.com%%2Fstdout\" OR "
                   "logName=\"projects/%s/logs/run.googleapis.com%%2Fstderr\")",
                   inst->project, inst->project);
}

void gcf_log_filter_time(struct gcp_str *filter, const char *op, int64_t wall_ns)
{
    char text[GCP_TIME_MAX];

    gcp_time_format(wall_ns, text);
    gcp_log_filter_add(filter, "timestamp", op, text);
}

/* Without a lower bound the search goes through 30 days: a container has printed nothing before it was made. By
 * Google's clock, which is that of the entries. */
static int64_t since_of(const struct skl_instance *inst, const struct skl_logs_req *req)
{
    struct gcf_handle h;

    if (!inst->config.extended || !gcf_handle_read(&h, req->container->handle) ||
        h.made <= MADE_SLACK || req->since >= h.made - MADE_SLACK)
        return req->since;
    return h.made - MADE_SLACK;
}

/* Where the container's function is: another region may have been configured since. */
static void logs_region(struct logs *l, const struct skl_logs_req *req)
{
    const char *start, *region = l->op.inst->config.region;
    struct gcf_handle h;

    (void)snprintf(l->region, sizeof(l->region), "%s", region);
    start = gcf_handle_read(&h, req->container->handle) ? strstr(h.name, "/locations/") : NULL;
    if (start) {
        start += strlen("/locations/");
        (void)snprintf(l->region, sizeof(l->region), "%.*s", (int)strcspn(start, "/"), start);
    }
    l->alone = strcmp(l->region, region) != 0;
}

static char *logs_filter(const struct logs *l)
{
    const struct skl_instance *inst = l->op.inst;
    const struct gcf_log_member *m = &l->shared;
    struct gcp_str f = {0};

    if (inst->config.extended)
        gcf_log_filter_begin(&f, inst, l->region);
    else
        gcp_log_filter_add(&f, "resource.type", "=", "cloud_run_revision");
    gcp_log_filter_add(&f, "resource.labels.service_name", "=", m->service);
    if (m->since > 0)
        gcf_log_filter_time(&f, ">=", m->since);
    if (m->until > 0)
        gcf_log_filter_time(&f, "<=", m->until);
    return gcp_str_take(&f);
}

static void on_shared(void *arg, const struct skl_error *err)
{
    struct logs *l = arg;

    l->any = true;
    if (!err) {
        logs_flush(l, true);
    } else if (err->kind == SKL_ERR_TOO_LARGE) {
        gcp_log_batch_fini(&l->batch);
        l->any = false;
        logs_get(l);
    } else {
        logs_end(l, err);
    }
}

static bool logs_begin(struct logs *l)
{
    struct skl_instance *inst = l->op.inst;

    l->filter = logs_filter(l);
    if (!l->filter)
        return false;
    l->timer = inst->host->timer_start(inst->host->ctx, inst->config.log_timeout, on_time_up, l);
    if (inst->config.extended && l->tail < 0 && !l->alone && gcf_log_share_wanted(inst))
        return gcf_log_share_join(inst, &l->shared);
    logs_get(l);
    return true;
}

void gcf_logs(struct skl_instance *inst, struct skl_call *call, const struct skl_logs_req *req)
{
    struct logs *l;
    struct skl_error err;

    if (req->tail == 0) {
        inst->host->complete(inst->host->ctx, call, NULL, NULL);
        return;
    }
    l = calloc(1, sizeof(*l));
    if (!l) {
        gcf_refuse(inst, call, SKL_ERR_INTERNAL, "out of memory");
        return;
    }
    l->out = req->out;
    l->credit = 1; /* the first push tells how much there really is */
    l->tail = req->tail;
    l->page_size = req->tail < 0 || req->tail > PAGE_SIZE ? PAGE_SIZE
                   : req->tail < PAGE_SIZE_TAIL           ? PAGE_SIZE_TAIL
                                                          : (int)req->tail;
    l->shared.since = since_of(inst, req);
    l->shared.until = req->until;
    l->shared.batch = &l->batch;
    l->shared.done = on_shared;
    l->shared.arg = l;
    gcf_function_id(req->container->id, l->shared.service);
    gcf_op_begin(&l->op, inst, call, logs_destroy);
    logs_region(l, req);
    if (logs_begin(l))
        return;
    (void)gcp_error(&err, SKL_ERR_INTERNAL, "read logs: out of memory");
    logs_end(l, &err);
}
