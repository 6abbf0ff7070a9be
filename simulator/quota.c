/*
 * simulator/quota.c - the answer to one request too many, as Google's front end gives it: which quota, of which service, with the details that
 * clients tell it from other 429s by.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/sim.h"

struct quota {
    const char *metric, *limit;       /* for people */
    const char *name, *id, *value;    /* for programs: the metric, the limit, how much it is */
    const char *service;
};

/* By what the request does; see reference/gcp-api.md 5.2 and 5.3. */
static const struct quota log_reads = {"Read requests", "Read requests per minute", "logging.googleapis.com/read_requests", "ReadRequestsPerMinutePerProject", "60",
                                       "logging.googleapis.com"};
static const struct quota log_writes = {"Write requests", "Write requests per minute", "logging.googleapis.com/write_requests", "WriteRequestsPerMinutePerProject", "120000",
                                        "logging.googleapis.com"};
static const struct quota reads = {"Read requests", "Read requests per minute per region", "cloudfunctions.googleapis.com/regional_read_requests",
                                   "ReadRequestsPerMinutePerProjectPerRegion", "1200", "cloudfunctions.googleapis.com"};
static const struct quota mutations = {"Per project mutation requests", "Per project mutation requests per minute per region",
                                       "cloudfunctions.googleapis.com/per_project_mutation_requests", "PerProjectMutationRequestsPerMinutePerProjectPerRegion", "60",
                                       "cloudfunctions.googleapis.com"};

static const struct quota *quota_of(const struct sim_call *c)
{
    if (str_starts(c->rpc, "WriteLog"))
        return &log_writes;
    if (strstr(c->rpc, "Log") != NULL)
        return &log_reads;
    return str_eq(http_req_method(c->req), "GET") ? &reads : &mutations;
}

void call_fail_quota(struct sim_call *c)
{
    const struct quota *q = quota_of(c);
    CLEANUP(free_p) char *message = xasprintf("Quota exceeded for quota metric '%s' and limit '%s' of service '%s' for consumer 'project_number:" SIM_PROJECT_NUMBER "'.",
                                              q->metric, q->limit, q->service);
    struct json_object *o = json_new_object(), *e = json_add_object(o, "error"), *d = json_new_object(), *m;

    json_add_i64(e, "code", 429);
    json_add_string(e, "message", message);
    json_add_string(e, "status", "RESOURCE_EXHAUSTED");
    json_add_string(d, "@type", "type.googleapis.com/google.rpc.ErrorInfo");
    json_add_string(d, "reason", "RATE_LIMIT_EXCEEDED");
    json_add_string(d, "domain", "googleapis.com");
    m = json_add_object(d, "metadata");
    json_add_string(m, "consumer", "projects/" SIM_PROJECT_NUMBER);
    json_add_string(m, "quota_limit", q->id);
    json_add_string(m, "quota_limit_value", q->value);
    json_add_string(m, "quota_location", q->service == log_reads.service ? "global" : "us-central1");
    json_add_string(m, "quota_metric", q->name);
    json_add_string(m, "quota_unit", "1/min/{project}");
    json_add_string(m, "service", q->service);
    json_push(json_add_array(e, "details"), d);
    call_json(c, 429, o);
}
