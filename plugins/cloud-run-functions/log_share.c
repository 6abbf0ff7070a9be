/*
 * log_share.c - see log_share.h.
 *
 * Nothing is handed out before the last page is there: a share either serves all its members or, when their
 * lines are more than it keeps, none, and each reads alone. The share that waits is inst->log_share; one that
 * was sent belongs to its members and is freed with its end, or when the last of them leaves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/log_share.h"
#include "gcp/json.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS_MAX    100 /* the filter may have 20,000 characters */
#define SHARE_BYTES    ((size_t)16 << 20)
#define PAGE_SIZE      1000
#define PAGE_BYTES_MAX ((size_t)32 << 20)

struct gcf_log_share {
    struct skl_instance *inst;
    struct gcf_log_member *members;
    int n;
    size_t bytes;
    char *filter, *token;
    struct skl_timer *timer;
    struct gcp_call *call;
};

static void share_get(struct gcf_log_share *s, bool first);

bool gcf_log_share_wanted(const struct skl_instance *inst)
{
    return inst->log_share || gcp_gate_peek(&inst->client.log_reads, gcf_now(inst)) > 0;
}

static void share_free(struct gcf_log_share *s)
{
    if (s->inst->log_share == s)
        s->inst->log_share = NULL;
    gcp_call_cancel(s->call);
    if (s->timer)
        s->inst->host->timer_stop(s->inst->host->ctx, s->timer);
    free(s->filter);
    free(s->token);
    free(s);
}

static void share_end(struct gcf_log_share *s, const struct skl_error *err)
{
    struct gcf_log_member *m;

    while ((m = s->members)) {
        s->members = m->next;
        m->share = NULL;
        m->done(m->arg, err);
    }
    share_free(s);
}

static void share_fail(struct gcf_log_share *s, int kind, const char *why)
{
    struct skl_error err;

    (void)gcp_error(&err, kind, "read logs: %s", why);
    share_end(s, &err);
}

/* ---- the answer ---- */

static bool wants(const struct gcf_log_member *m, const struct gcp_log_line *line)
{
    return !strcmp(m->service, line->service) && line->time >= m->since &&
           (!m->until || line->time <= m->until);
}

/* Gives each line of the page to those who want it. */
static bool distribute(struct gcf_log_share *s, const struct gcp_log_batch *page)
{
    for (size_t i = 0; i < page->n; i++)
        for (struct gcf_log_member *m = s->members; m; m = m->next)
            if (wants(m, &page->lines[i])) {
                s->bytes += page->lines[i].len;
                if (!gcp_log_batch_copy(m->batch, &page->lines[i]))
                    return false;
            }
    return true;
}

static void share_page(struct gcf_log_share *s, struct json_object *json)
{
    const char *next = gcp_json_str(json, "nextPageToken");
    struct gcp_log_batch page = {.lines = NULL};
    bool ok = gcp_log_batch_add(&page, json) && distribute(s, &page);

    gcp_log_batch_fini(&page);
    free(s->token);
    s->token = gcp_dup(next);
    if (!ok || (next && !s->token))
        share_fail(s, SKL_ERR_INTERNAL, "out of memory");
    else if (s->bytes > SHARE_BYTES)
        share_fail(s, SKL_ERR_TOO_LARGE, "too much to read for many at once");
    else if (next)
        share_get(s, false);
    else
        share_end(s, NULL);
}

static void on_page(void *arg, const struct gcp_reply *reply)
{
    struct gcf_log_share *s = arg;

    s->call = NULL;
    if (reply->error)
        share_end(s, reply->error);
    else if (json_object_is_type(reply->json, json_type_object))
        share_page(s, reply->json);
    else
        share_fail(s, reply->response->truncated ? SKL_ERR_TOO_LARGE : SKL_ERR_BAD_GATEWAY,
                   "Cloud Logging's answer is not JSON");
}

/* ---- the request ---- */

static char *share_filter(const struct gcf_log_share *s)
{
    int64_t since = INT64_MAX;
    struct gcp_str f = {0};

    gcf_log_filter_begin(&f, s->inst, s->inst->config.region);
    gcp_str_puts(&f, " AND (");
    for (const struct gcf_log_member *m = s->members; m; m = m->next) {
        gcp_str_printf(&f, "resource.labels.service_name=\"%s\"%s", m->service, m->next ? " OR " : ")");
        since = m->since < since ? m->since : since;
    }
    if (since > 0)
        gcf_log_filter_time(&f, ">=", since);
    return gcp_str_take(&f);
}

static void share_get(struct gcf_log_share *s, bool first)
{
    struct skl_instance *inst = s->inst;
    struct gcp_request req = {.method = "POST", .what = "read logs", .policy = GCP_READ};
    char *url = gcp_client_url(&inst->client, GCP_LOGGING, "/v2/entries:list");
    char *body = s->filter ? gcp_log_request(inst->project, s->filter, false, PAGE_SIZE, s->token) : NULL;

    req.url = url;
    req.body = body;
    req.body_len = body ? strlen(body) : 0;
    req.gate = &inst->client.log_reads;
    req.gate_taken = first;
    req.max_response = PAGE_BYTES_MAX;
    s->call = url && body ? gcp_call_start(&inst->client, &req, on_page, s) : NULL;
    free(url);
    free(body);
    if (!s->call)
        share_fail(s, SKL_ERR_INTERNAL, "out of memory");
}

/* Its turn has come: nobody joins any more. */
static void on_turn(void *arg)
{
    struct gcf_log_share *s = arg;

    s->timer = NULL;
    s->inst->log_share = NULL;
    s->filter = share_filter(s);
    share_get(s, true);
}

/* ---- members ---- */

static struct gcf_log_share *share_new(struct skl_instance *inst)
{
    struct gcf_log_share *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->inst = inst;
    s->timer = inst->host->timer_start(inst->host->ctx, gcp_gate_take(&inst->client.log_reads, gcf_now(inst)),
                                       on_turn, s);
    inst->log_share = s;
    return s;
}

bool gcf_log_share_join(struct skl_instance *inst, struct gcf_log_member *m)
{
    struct gcf_log_share *s = inst->log_share;

    if (!s || s->n >= MEMBERS_MAX)
        s = share_new(inst);
    if (!s)
        return false;
    m->share = s;
    m->next = s->members;
    s->members = m;
    s->n++;
    return true;
}

void gcf_log_share_leave(struct gcf_log_member *m)
{
    struct gcf_log_share *s = m->share;
    struct gcf_log_member **p;

    if (!s)
        return;
    m->share = NULL;
    for (p = &s->members; *p != m; p = &(*p)->next)
        ;
    *p = m->next;
    s->n--;
    if (!s->members)
        share_free(s);
}
