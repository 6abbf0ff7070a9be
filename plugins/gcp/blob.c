/*
 * gcp/blob.c - see blob.h.
 *
 *   put:    HEAD --there--> done;  else POST uploads/ --202--> PUT
 *
 *   mount:  HEAD --there--> done;  else POST uploads/?mount&from --201--> done
 *                                                               \--202 (not granted)--> GET, PUT
 *   get:    GET --307--> GET there;  the digest must fit
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/blob.h"
#include "gcp/str.h"

#include <stdlib.h>
#include <string.h>

struct gcp_blob {
    struct gcp_client *client;
    char *host, *repo, *from, *what;
    char digest[GCP_DIGEST_MAX];
    char *data; /* to put */
    size_t len, max;
    char *location; /* where to put */
    bool want_data, redirected;
    struct gcp_call *call;
    gcp_blob_fn fn;
    void *arg;
};

static void blob_fetch(struct gcp_blob *b);

static void blob_free(struct gcp_blob *b)
{
    free(b->host);
    free(b->repo);
    free(b->from);
    free(b->what);
    free(b->data);
    free(b->location);
    free(b);
}

void gcp_blob_cancel(struct gcp_blob *b)
{
    if (!b)
        return;
    gcp_call_cancel(b->call);
    blob_free(b);
}

static void blob_end(struct gcp_blob *b, const struct skl_error *err, const char *data, size_t len)
{
    b->fn(b->arg, err, data, len);
    blob_free(b);
}

static void blob_fail(struct gcp_blob *b, int kind, const char *why)
{
    struct skl_error err;

    (void)gcp_error(&err, kind, "%s: blob %s: %s", b->what, b->digest, why);
    blob_end(b, &err, NULL, 0);
}

/* Sends; path NULL: to `location`. */
static void blob_send(struct gcp_blob *b, struct gcp_registry_request *r, char *path, const char *location,
                      gcp_reply_fn fn)
{
    r->host = b->host;
    r->what = b->what;
    r->path = path;
    b->call = location ? gcp_registry_follow(b->client, r, location, fn, b)
              : path   ? gcp_registry_call(b->client, r, fn, b)
                       : NULL;
    free(path);
    if (!b->call)
        blob_fail(b, SKL_ERR_INTERNAL, "out of memory");
}

/* ---- put ---- */

static void on_put(void *arg, const struct gcp_reply *reply)
{
    struct gcp_blob *b = arg;

    b->call = NULL;
    blob_end(b, reply->error, NULL, 0);
}

static void blob_upload(struct gcp_blob *b)
{
    struct gcp_registry_request r = {.method = "PUT", .content_type = "application/octet-stream"};
    struct gcp_str url = {0};

    gcp_str_puts(&url, b->location);
    gcp_str_puts(&url, strchr(b->location, '?') ? "&" : "?");
    gcp_str_puts(&url, "digest=");
    gcp_str_put_encoded(&url, b->digest);
    r.body = b->data;
    r.body_len = b->len;
    if (url.failed)
        blob_fail(b, SKL_ERR_INTERNAL, "out of memory");
    else
        blob_send(b, &r, NULL, gcp_str_get(&url), on_put);
    gcp_str_fini(&url);
}

static void on_upload_started(void *arg, const struct gcp_reply *reply)
{
    struct gcp_blob *b = arg;
    const char *location;

    b->call = NULL;
    if (reply->error) {
        blob_end(b, reply->error, NULL, 0);
        return;
    }
    if (b->from && reply->response->status == 201) { /* mounted */
        blob_end(b, NULL, NULL, 0);
        return;
    }
    location = reply->response->header(reply->response, "Location");
    free(b->location);
    b->location = gcp_dup(location);
    if (!b->location)
        blob_fail(b, SKL_ERR_BAD_GATEWAY, "the registry does not say where to upload it");
    else if (b->from)
        blob_fetch(b);
    else
        blob_upload(b);
}

static void on_head(void *arg, const struct gcp_reply *reply)
{
    struct gcp_blob *b = arg;
    struct gcp_registry_request r = {
        .method = "POST", .body = "", .content_type = "application/octet-stream"};

    b->call = NULL;
    if (!reply->error)
        blob_end(b, NULL, NULL, 0);
    else if (reply->fault->http != 404)
        blob_end(b, reply->error, NULL, 0);
    else
        blob_send(b, &r,
                  b->from ? gcp_format("%s/blobs/uploads/?mount=%s&from=%s", b->repo, b->digest, b->from)
                          : gcp_format("%s/blobs/uploads/", b->repo),
                  NULL, on_upload_started);
}

/* ---- get ---- */

static void blob_arrived(struct gcp_blob *b, const struct gcp_reply *reply)
{
    char digest[GCP_DIGEST_MAX];

    if (reply->response->truncated) {
        blob_fail(b, SKL_ERR_TOO_LARGE,
                  b->from
                      ? "the registry does not mount it and it is too large to copy; push the image into the "
                        "repository of the option \"repository\""
                      : "it is too large");
        return;
    }
    gcp_digest(reply->body, reply->body_len, digest);
    if (strcmp(digest, b->digest)) {
        blob_fail(b, SKL_ERR_BAD_GATEWAY, "what the registry gave has another digest");
        return;
    }
    if (b->want_data) {
        blob_end(b, NULL, reply->body, reply->body_len);
        return;
    }
    b->data = malloc(reply->body_len + 1);
    if (!b->data) {
        blob_fail(b, SKL_ERR_INTERNAL, "out of memory");
        return;
    }
    memcpy(b->data, reply->body, reply->body_len);
    b->len = reply->body_len;
    blob_upload(b);
}

static void on_get(void *arg, const struct gcp_reply *reply)
{
    struct gcp_blob *b = arg;
    struct gcp_registry_request r = {.method = "GET", .max_response = b->max};

    b->call = NULL;
    if (reply->error && reply->location && !b->redirected) {
        b->redirected = true;
        blob_send(b, &r, NULL, reply->location, on_get);
    } else if (reply->error) {
        blob_end(b, reply->error, NULL, 0);
    } else {
        blob_arrived(b, reply);
    }
}

static void blob_fetch(struct gcp_blob *b)
{
    struct gcp_registry_request r = {.method = "GET", .max_response = b->max};

    blob_send(b, &r, gcp_format("%s/blobs/%s", b->from ? b->from : b->repo, b->digest), NULL, on_get);
}

/* ---- from outside ---- */

static struct gcp_blob *blob_new(const struct gcp_blob_spec *spec, const char *from, gcp_blob_fn fn,
                                 void *arg)
{
    struct gcp_blob *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->client = spec->client;
    b->host = gcp_dup(spec->host);
    b->repo = gcp_dup(spec->repo);
    b->from = gcp_dup(from);
    b->what = gcp_dup(spec->what);
    memcpy(b->digest, spec->digest, strlen(spec->digest) + 1);
    b->max = GCP_BLOB_COPY_MAX;
    b->fn = fn;
    b->arg = arg;
    if (b->host && b->repo && b->what && (b->from || !from))
        return b;
    blob_free(b);
    return NULL;
}

/* Begins with a request; the starter must not call back, so a failure to begin is told by NULL. */
static struct gcp_blob *blob_begin(struct gcp_blob *b, const char *method, const char *repo, gcp_reply_fn fn)
{
    struct gcp_registry_request r = {
        .method = method, .host = b->host, .what = b->what, .max_response = b->max};
    char *path = gcp_format("%s/blobs/%s", repo, b->digest);

    r.path = path;
    b->call = path ? gcp_registry_call(b->client, &r, fn, b) : NULL;
    free(path);
    if (b->call)
        return b;
    blob_free(b);
    return NULL;
}

struct gcp_blob *gcp_blob_get(const struct gcp_blob_spec *spec, size_t max, gcp_blob_fn fn, void *arg)
{
    struct gcp_blob *b = blob_new(spec, NULL, fn, arg);

    if (!b)
        return NULL;
    b->max = max;
    b->want_data = true;
    return blob_begin(b, "GET", b->repo, on_get);
}

struct gcp_blob *gcp_blob_put(const struct gcp_blob_spec *spec, const void *data, size_t len, gcp_blob_fn fn,
                              void *arg)
{
    struct gcp_blob *b = blob_new(spec, NULL, fn, arg);

    if (!b)
        return NULL;
    b->data = malloc(len + 1);
    if (!b->data) {
        blob_free(b);
        return NULL;
    }
    memcpy(b->data, data, len);
    b->len = len;
    return blob_begin(b, "HEAD", b->repo, on_head);
}

struct gcp_blob *gcp_blob_mount(const struct gcp_blob_spec *spec, const char *from, gcp_blob_fn fn, void *arg)
{
    struct gcp_blob *b = blob_new(spec, from, fn, arg);

    return b ? blob_begin(b, "HEAD", b->repo, on_head) : NULL;
}
