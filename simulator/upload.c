/*
 * simulator/upload.c - URLs that carry their own permission: where a function's source is put, and where it is fetched from.
 *
 *     generateUploadUrl -> PUT <url> (application/zip, no token) -> create or update with the storageSource
 *
 * The URL names method, bucket, object and an end, under a keyed hash: it is good for that alone. The key is made anew with each start.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/schema.h"
#include "simulator/service.h"
#include "simulator/storage.h"

#define URL_LIFE_S 1800
#define SIGNED_PREFIX "/_storage/"

static void sign(const char *method, const char *bucket, const char *name, int64_t expires, char out[65])
{
    static unsigned char key[32];
    static bool have_key;
    CLEANUP(free_p) char *text = xasprintf("%s\n%s\n%s\n%lld", method, bucket, name, (long long)expires);
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (!have_key)
        random_bytes(key, sizeof(key));
    have_key = true;
    HMAC(EVP_sha256(), key, sizeof(key), (const unsigned char *)text, strlen(text), hash, &n);
    hex_encode(hash, 32, out);
}

char *storage_sign(struct sim *s, const char *method, const char *bucket, const char *name)
{
    int64_t expires = clock_wall() / NS_PER_S + URL_LIFE_S;
    char signature[65], *url;
    struct buf path;

    sign(method, bucket, name, expires, signature);
    buf_init(&path, 64u * 1024);
    for (const char *p = name; *p != '\0'; p += strcspn(p, "/"), p += *p == '/') {
        if (path.len > 0)
            buf_putc(&path, '/');
        (void)url_encode(&path, p, strcspn(p, "/"));
    }
    url = xasprintf("http://127.0.0.1:%u" SIGNED_PREFIX "%s/%s?X-Goog-Algorithm=GOOG4-HMAC-SHA256&X-Goog-Expires=%d&X-Goog-Date=%lld&X-Goog-Signature=%s",
                    s->port, bucket, buf_str(&path), URL_LIFE_S, (long long)expires, signature);
    buf_fini(&path);
    return url;
}

/* Storage's XML API, which these URLs belong to, answers with XML. */
static void xml_fail(struct sim_call *c, int status, const char *code, const char *text)
{
    CLEANUP(free_p) char *xml = xasprintf("<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>%s</Message></Error>", code, text);
    struct http_req *req = c->req;

    call_end(c, status);
    http_res_send(req, status, "application/xml; charset=UTF-8", xml, strlen(xml));
}

static bool permitted(struct sim_call *c)
{
    const char *date = http_req_query(c->req, "X-Goog-Date"), *given = http_req_query(c->req, "X-Goog-Signature");
    char signature[65];
    int64_t expires = 0;

    if (date == NULL || given == NULL || !str_to_i64(date, 0, INT64_MAX, &expires) || strlen(given) != 64) {
        xml_fail(c, 403, "AccessDenied", "Anonymous caller does not have access to the object.");
        return false;
    }
    sign(http_req_method(c->req), call_param(c, "bucket"), call_param(c, "object"), expires, signature);
    if (!mem_eq_const_time(signature, given, 64)) {
        xml_fail(c, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.");
        return false;
    }
    if (expires < clock_wall() / NS_PER_S) {
        xml_fail(c, 400, "ExpiredToken", "The provided token has expired.");
        return false;
    }
    return true;
}

/* ---- the upload ---- */

struct upload {
    struct sim_call *call;
    struct storage_write *w;
    struct skl_error err;
};

static bool on_data(void *arg, const char *p, size_t n)
{
    struct upload *u = arg;

    if (u->err.kind == 0)
        (void)storage_write(u->w, p, n, &u->err);
    return true;
}

static void on_end(void *arg, const struct skl_error *err)
{
    struct upload *u = arg;
    struct sim_call *c = u->call;
    const char *type = http_req_header(c->req, "Content-Type");
    struct json_object *o = NULL;
    struct http_req *req = c->req;

    if (err != NULL && u->err.kind == 0)
        u->err = *err;
    if (u->err.kind != 0)
        storage_write_abort(u->w);
    else
        o = storage_write_end(u->w, call_param(c, "bucket"), call_param(c, "object"), type, &u->err);
    if (o == NULL) {
        xml_fail(c, u->err.kind == SKL_ERR_TOO_LARGE ? 400 : 500, u->err.kind == SKL_ERR_TOO_LARGE ? "EntityTooLarge" : "InternalError",
                 u->err.kind == SKL_ERR_TOO_LARGE ? "Your proposed upload exceeds the maximum allowed object size." : "We encountered an internal error. Please try again.");
    } else {
        http_res_header(req, "ETag", "\"%s\"", json_string_or(json_member(o, "etag"), ""));
        http_res_header(req, "x-goog-generation", "%s", json_string_or(json_member(o, "generation"), ""));
        call_end(c, 200);
        http_res_send(req, 200, "text/html; charset=UTF-8", "", 0);
    }
    json_object_put(o);
    free(u);
}

static const struct http_body_reader reader = {.on_data = on_data, .on_end = on_end};

static void handle_put(struct sim_call *c)
{
    const char *type = http_req_header(c->req, "Content-Type");
    struct upload *u;

    if (!permitted(c))
        return;
    if (type == NULL || strcasecmp(type, "application/zip") != 0) { /* signed along with the rest */
        xml_fail(c, 403, "SignatureDoesNotMatch", "The URL was signed for the content type application/zip.");
        return;
    }
    u = xcalloc(1, sizeof(*u));
    u->call = c;
    u->w = storage_write_begin(c->sim, STORAGE_SOURCE_MAX, &u->err);
    if (u->w != NULL) {
        http_req_read_stream(c->req, &reader, u);
        return;
    }
    xml_fail(c, 500, "InternalError", "We encountered an internal error. Please try again.");
    free(u);
}

static void handle_get(struct sim_call *c)
{
    CLEANUP(free_p) char *path = NULL;

    if (!permitted(c))
        return;
    if (!storage_has(c->sim, call_param(c, "bucket"), call_param(c, "object"))) {
        xml_fail(c, 404, "NoSuchKey", "The specified key does not exist.");
        return;
    }
    path = storage_path(c->sim, call_param(c, "bucket"), call_param(c, "object"));
    send_file(c, path, "application/zip");
}

/* ---- Functions' side ---- */

static void handle_upload_url(struct sim_call *c)
{
    struct schema_violation bad;
    struct json_object *body = schema_read(schema_generate_upload_url_request, c->body, "", &bad), *o, *source;
    CLEANUP(free_p) char *bucket = NULL, *object = NULL, *url = NULL;
    char id[ID_SIZE];

    if (body == NULL) {
        call_violation(c, &bad);
        return;
    }
    json_object_put(body);
    if (!sim_location_known(call_param(c, "location"))) {
        call_fail(c, 403, "PERMISSION_DENIED", "Permission denied on 'locations/%s' (or it may not exist).", call_param(c, "location"));
        return;
    }
    id_new(id);
    bucket = xasprintf("gcf-v2-uploads-" SIM_PROJECT_NUMBER ".%s.cloudfunctions.appspot.com", call_param(c, "location"));
    object = xasprintf("%.8s-%.4s-%.4s-%.4s-%.12s.zip", id, id + 8, id + 12, id + 16, id + 20);
    url = storage_sign(c->sim, "PUT", bucket, object);
    o = json_new_object();
    json_add_string(o, "uploadUrl", url);
    source = json_add_object(o, "storageSource");
    json_add_string(source, "bucket", bucket);
    json_add_string(source, "object", object);
    call_json(c, 200, o);
}

static void handle_download_url(struct sim_call *c)
{
    struct function *f = function_find(c->sim, call_param(c, "project"), call_param(c, "location"), call_param(c, "function"));
    const char *bucket = NULL, *object = NULL;
    CLEANUP(free_p) char *url = NULL;
    struct json_object *o;

    if (f == NULL) {
        call_fail(c, 404, "NOT_FOUND", "Resource 'projects/%s/locations/%s/functions/%s' was not found", call_param(c, "project"),
                  call_param(c, "location"), call_param(c, "function"));
        return;
    }
    (void)json_get_string(f->json, "buildConfig.source.storageSource.bucket", &bucket, NULL);
    (void)json_get_string(f->json, "buildConfig.source.storageSource.object", &object, NULL);
    if (bucket == NULL || object == NULL || !storage_has(c->sim, bucket, object)) {
        call_fail(c, 400, "FAILED_PRECONDITION", "The function's source is not in Cloud Storage.");
        return;
    }
    url = storage_sign(c->sim, "GET", bucket, object);
    o = json_new_object();
    json_add_string(o, "downloadUrl", url);
    call_json(c, 200, o);
}

#define LOCATION "/v2/projects/{project}/locations/{location}"
const struct sim_route upload_routes[] = {
    {"POST", LOCATION "/functions:generateUploadUrl", "GenerateUploadUrl", handle_upload_url, false},
    {"POST", LOCATION "/functions/{function}:generateDownloadUrl", "GenerateDownloadUrl", handle_download_url, false},
    {"PUT", SIGNED_PREFIX "{bucket}/{object*}", "PutSignedObject", handle_put, true},
    {"GET", SIGNED_PREFIX "{bucket}/{object*}", "GetSignedObject", handle_get, true},
    {NULL, NULL, NULL, NULL, false},
};
