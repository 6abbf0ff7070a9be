/*
 * project.c - which project: the option, the environment, the credential file, or the machine's own (metadata
 * server).
 *
 * open() must not do I/O, so what is not said in the configuration is found out by the first operation; it
 * and those that come meanwhile are put off until then. A request is borrowed until its call is completed, so
 * putting off is remembering the pointers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/instance.h"
#include "gcp/fetch.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct put_off {
    struct gcf_op op;
    struct gcp_call *query;
    gcf_entry again;
    const void *req;
};

/* It becomes part of URLs and filters. */
static bool is_project_id(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-.:", *c))
            return false;
    return *text != '\0';
}

int gcf_project_init(struct skl_instance *inst, struct skl_error *err)
{
    const char *names[] = {"GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"};
    const char *project = inst->config.project;

    for (int i = 0; i < 2 && (!project || !*project); i++)
        project = getenv(names[i]);
    if (project && *project && !is_project_id(project))
        return gcp_error(err, SKL_ERR_INVALID, "project: \"%.200s\" is not a project's ID", project);
    if (project && *project) {
        inst->project = strdup(project);
        return inst->project ? 0 : gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    }
    if (inst->config.endpoint) /* no credentials are read then, so nothing else could tell */
        return gcp_error(
            err, SKL_ERR_INVALID,
            "project: is not set (option \"project\", or the environment variable SOCKERLESS_GCF_PROJECT)");
    return 0;
}

static void put_off_destroy(struct gcf_op *op)
{
    struct put_off *p = (struct put_off *)op;

    gcp_call_cancel(p->query);
    free(p);
}

static void put_off_fail(struct put_off *p, const struct skl_error *why)
{
    struct skl_error err;

    (void)gcp_error(&err, why->kind, "the project is not known: set the option \"project\" (%s)",
                    why->message);
    gcf_op_end(&p->op, &err, NULL);
    put_off_destroy(&p->op);
}

static void on_project(void *arg, const struct gcp_reply *reply)
{
    struct put_off *p = arg, copy = *p;
    struct skl_error err;

    p->query = NULL;
    if (reply->error || !is_project_id(reply->body)) {
        (void)gcp_error(&err, SKL_ERR_UNAUTHORIZED, "the metadata server does not tell it");
        put_off_fail(p, reply->error ? reply->error : &err);
        return;
    }
    if (!copy.op.inst->project)
        copy.op.inst->project = strdup(reply->body);
    gcf_op_leave(&p->op);
    free(p);
    if (copy.op.inst->project)
        copy.again(copy.op.inst, copy.op.call, copy.req);
    else
        gcf_refuse(copy.op.inst, copy.op.call, SKL_ERR_INTERNAL, "out of memory");
}

static void ask_metadata(struct skl_instance *inst, struct skl_call *call, gcf_entry again, const void *req)
{
    static const struct skl_http_header flavor[] = {{"Metadata-Flavor", "Google"}, {NULL, NULL}};
    struct put_off *p = calloc(1, sizeof(*p));
    char *url = gcp_metadata_url("/computeMetadata/v1/project/project-id");
    struct gcp_request r = {
        .method = "GET", .url = url, .headers = flavor, .policy = GCP_TOKEN, .no_auth = true};

    r.what = "ask the metadata server";
    r.deadline = gcf_now(inst) + 8 * GCP_SECOND;
    if (p && url)
        p->query = gcp_call_start(&inst->client, &r, on_project, p);
    free(url);
    if (p && p->query) {
        p->again = again;
        p->req = req;
        gcf_op_begin(&p->op, inst, call, put_off_destroy);
        return;
    }
    free(p);
    gcf_refuse(inst, call, SKL_ERR_INTERNAL, "out of memory");
}

bool gcf_ready(struct skl_instance *inst, struct skl_call *call, gcf_entry again, const void *req)
{
    const char *named;
    struct skl_error err;

    if (inst->auth && gcp_auth_load(inst->auth, &err) < 0) {
        inst->host->complete(inst->host->ctx, call, &err, NULL);
        return false;
    }
    named = inst->project ? NULL : gcp_auth_project(inst->auth);
    if (named && !is_project_id(named)) {
        gcf_refuse(inst, call, SKL_ERR_INVALID, "\"%.200s\", which the credential file names, is not a project's ID",
                   named);
        return false;
    }
    if (named)
        inst->project = strdup(named);
    if (inst->project)
        return true;
    if (gcp_auth_on_google(inst->auth))
        ask_metadata(inst, call, again, req);
    else
        gcf_refuse(inst, call, SKL_ERR_INVALID,
                   "the project is not known: set the option \"project\", or the environment variable "
                   "SOCKERLESS_GCF_PROJECT");
    return false;
}
