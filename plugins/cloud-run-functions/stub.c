/*
 * stub.c - see stub.h: generateUploadUrl, then one PUT of a zip. The URL is good for one upload, and the
 * build takes the object away, so each create has its own.
 *
 * A function that still is the placeholder (its image was not deployed, or Google put the build's result
 * back) must not pass for a run of the container: it answers as an agent does that can't run it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/stub.h"
#include "gcp/archive.h"
#include "gcp/json.h"

#include <stdlib.h>
#include <string.h>

static const char index_js[] =
    "exports." GCF_STUB_ENTRY_POINT " = (req, res) => {\n"
    "  res.status(503).json({message: 'the function is still the placeholder that it was made from: '\n"
    "    + 'the image of the container is not deployed'});\n"
    "};\n";
static const char package_json[] =
    "{\"name\": \"sockerless-stub\", \"version\": \"1.0.0\", \"main\": \"index.js\"}\n";

struct gcf_stub {
    struct skl_instance *inst;
    struct json_object *source;
    struct gcp_call *call;
    gcf_stub_fn fn;
    void *arg;
};

static void stub_free(struct gcf_stub *s)
{
    json_object_put(s->source);
    free(s);
}

void gcf_stub_cancel(struct gcf_stub *s)
{
    if (!s)
        return;
    gcp_call_cancel(s->call);
    stub_free(s);
}

static void stub_end(struct gcf_stub *s, const struct skl_error *err)
{
    s->fn(s->arg, err, err ? NULL : s->source);
    stub_free(s);
}

static void stub_fail(struct gcf_stub *s, int kind, const char *why)
{
    struct skl_error err;

    (void)gcp_error(&err, kind, "upload the function's source: %s", why);
    stub_end(s, &err);
}

static void on_uploaded(void *arg, const struct gcp_reply *reply)
{
    struct gcf_stub *s = arg;

    s->call = NULL;
    stub_end(s, reply->error);
}

static void stub_upload(struct gcf_stub *s, const char *url)
{
    static const struct gcp_archive_file files[] = {
        {"index.js", index_js, sizeof(index_js) - 1, 0644},
        {"package.json", package_json, sizeof(package_json) - 1, 0644},
        {NULL, NULL, 0, 0}};
    struct gcp_request req = {
        .method = "PUT", .url = url, .content_type = "application/zip", .policy = GCP_WRITE};
    struct gcp_str zip = {0};

    gcp_zip_write(&zip, files);
    req.body = gcp_str_get(&zip);
    req.body_len = zip.len;
    req.what = "upload the function's source";
    req.no_auth = true; /* the URL is signed; a token beside it is refused */
    s->call = req.body ? gcp_call_start(&s->inst->client, &req, on_uploaded, s) : NULL;
    gcp_str_fini(&zip);
    if (!s->call)
        stub_fail(s, SKL_ERR_INTERNAL, "out of memory");
}

static void on_url(void *arg, const struct gcp_reply *reply)
{
    struct gcf_stub *s = arg;
    const char *url = gcp_json_str(reply->json, "uploadUrl");

    s->call = NULL;
    if (reply->error) {
        stub_end(s, reply->error);
        return;
    }
    s->source = json_object_get(gcp_json_get(reply->json, "storageSource"));
    if (url && s->source)
        stub_upload(s, url);
    else
        stub_fail(s, SKL_ERR_BAD_GATEWAY, "the answer names no place for it");
}

struct gcf_stub *gcf_stub_start(struct skl_instance *inst, gcf_stub_fn fn, void *arg)
{
    struct gcf_stub *s = calloc(1, sizeof(*s));
    char *path = gcp_format("/v2/projects/%s/locations/%s/functions:generateUploadUrl", inst->project,
                            inst->config.region);
    char *url = path ? gcp_client_url(&inst->client, GCP_FUNCTIONS, path) : NULL;
    struct gcp_request req = {.method = "POST", .url = url, .body = "{}", .body_len = 2, .policy = GCP_WRITE};

    req.what = "upload the function's source";
    req.object = true;
    req.gate = &inst->client.reads;
    if (s && url) {
        s->inst = inst;
        s->fn = fn;
        s->arg = arg;
        s->call = gcp_call_start(&inst->client, &req, on_url, s);
    }
    free(path);
    free(url);
    if (s && s->call)
        return s;
    free(s);
    return NULL;
}
