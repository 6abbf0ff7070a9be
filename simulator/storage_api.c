/*
 * simulator/storage_api.c - Cloud Storage's JSON API: objects get, list, delete, and the three ways of uploading (media, multipart,
 * resumable); buckets exist once something is in them, or once they were made.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/page.h"
#include "simulator/parse.h"
#include "simulator/storage.h"

#define MULTIPART_MAX (64u * 1024 * 1024)
#define SESSIONS_MAX 64u
#define LIST_PAGE 1000
#define BUCKET_MARK ".bucket" /* an object that says that an empty bucket exists; never listed */

struct session {
    struct list link;
    char id[33];
    char *bucket, *name, *type;
    struct storage_write *w;
    bool busy;
};

struct put {
    struct sim_call *call;
    struct storage_write *w;
    struct session *session;      /* or NULL */
    char *bucket, *name, *type;
    uint64_t total;               /* of a resumable upload, once known; UINT64_MAX: not */
    struct skl_error err;
};

static struct list sessions = {&sessions, &sessions};
static size_t n_sessions;

static void not_found(struct sim_call *c, const char *bucket, const char *name)
{
    call_fail(c, 404, "NOT_FOUND", "No such object: %s/%s", bucket, name);
}

static void answer_object(struct sim_call *c, struct json_object *o)
{
    struct http_req *req = c->req;

    http_res_header(req, "ETag", "%s", json_string_or(json_member(o, "etag"), ""));
    call_json(c, 200, o);
}

/* ---- reading ---- */

static void send_media(struct sim_call *c, struct json_object *o)
{
    CLEANUP(free_p) char *path = storage_path(c->sim, call_param(c, "bucket"), call_param(c, "object"));
    CLEANUP(free_p) char *type = xstrdup(json_string_or(json_member(o, "contentType"), "application/octet-stream"));

    http_res_header(c->req, "x-goog-hash", "crc32c=%s,md5=%s", json_string_or(json_member(o, "crc32c"), ""), json_string_or(json_member(o, "md5Hash"), ""));
    http_res_header(c->req, "x-goog-generation", "%s", json_string_or(json_member(o, "generation"), ""));
    send_file(c, path, type);
}

static void handle_get(struct sim_call *c)
{
    struct json_object *o = storage_find(c->sim, call_param(c, "bucket"), call_param(c, "object"));
    const char *alt = http_req_query(c->req, "alt");

    if (o == NULL) {
        not_found(c, call_param(c, "bucket"), call_param(c, "object"));
    } else if (str_eq(alt, "media") || str_starts(http_req_path(c->req), "/download/")) {
        send_media(c, o);
        json_object_put(o);
    } else {
        answer_object(c, o);
    }
}

static void handle_delete(struct sim_call *c)
{
    struct http_req *req = c->req;
    struct skl_error err = {0};

    if (storage_remove(c->sim, call_param(c, "bucket"), call_param(c, "object"), &err) < 0) {
        call_error(c, &err);
        return;
    }
    call_end(c, 204);
    http_res_send(req, 204, NULL, NULL, 0);
}

static bool bucket_exists(struct sim *s, const char *bucket)
{
    struct json_object *all = storage_list(s, bucket, "");
    bool any = json_object_array_length(all) > 0;

    json_object_put(all);
    return any;
}

static void handle_list(struct sim_call *c)
{
    const char *prefix = http_req_query(c->req, "prefix");
    JSON_CLEANUP struct json_object *all = storage_list(c->sim, call_param(c, "bucket"), prefix != NULL ? prefix : ""), *shown = json_new_array();
    struct json_object *o;
    struct page page;

    if (json_object_array_length(all) == 0 && !bucket_exists(c->sim, call_param(c, "bucket"))) {
        call_fail(c, 404, "NOT_FOUND", "The specified bucket does not exist.");
        return;
    }
    if (!page_read(c, LIST_PAGE, LIST_PAGE, &page))
        return;
    for (size_t i = 0; i < json_object_array_length(all); i++)
        if (!str_eq(json_string_or(json_member(json_object_array_get_idx(all, i), "name"), ""), BUCKET_MARK))
            json_push(shown, json_object_get(json_object_array_get_idx(all, i)));
    o = json_new_object();
    json_add_string(o, "kind", "storage#objects");
    if (page_cut(c, &page, shown, o, "items"))
        call_json(c, 200, o);
    else
        json_object_put(o);
}

/* ---- buckets ---- */

static struct json_object *bucket_json(const char *name)
{
    struct json_object *o = json_new_object();

    json_add_string(o, "kind", "storage#bucket");
    json_add_string(o, "id", name);
    json_add_string(o, "name", name);
    json_add_string(o, "projectNumber", SIM_PROJECT_NUMBER);
    json_add_string(o, "location", "US");
    json_add_string(o, "storageClass", "STANDARD");
    return o;
}

static void handle_bucket_get(struct sim_call *c)
{
    if (bucket_exists(c->sim, call_param(c, "bucket")))
        call_json(c, 200, bucket_json(call_param(c, "bucket")));
    else
        call_fail(c, 404, "NOT_FOUND", "The specified bucket does not exist.");
}

static bool legal_bucket(const char *name)
{
    size_t n = strlen(name);

    return n >= 3 && n <= 222 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == n && name[0] != '.' && name[0] != '-';
}

static void handle_bucket_create(struct sim_call *c)
{
    const char *name = NULL;
    struct skl_error err = {0};
    struct storage_write *w;
    struct json_object *o;

    (void)json_get_string(c->body, "name", &name, NULL);
    if (name == NULL || !legal_bucket(name)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Invalid bucket name: '%s'", name != NULL ? name : "");
        return;
    }
    if (bucket_exists(c->sim, name)) {
        call_fail(c, 409, "ALREADY_EXISTS", "Your previous request to create the named bucket succeeded and you already own it.");
        return;
    }
    w = storage_write_begin(c->sim, 0, &err);
    o = w != NULL ? storage_write_end(w, name, BUCKET_MARK, NULL, &err) : NULL;
    if (o == NULL)
        call_error(c, &err);
    else
        call_json(c, 200, bucket_json(name));
    json_object_put(o);
}

/* ---- uploading: what all three share ---- */

static void put_free(struct put *p)
{
    free(p->bucket);
    free(p->name);
    free(p->type);
    free(p);
}

static void put_done(struct put *p)
{
    struct sim_call *c = p->call;
    struct json_object *o = p->err.kind == 0 ? storage_write_end(STEAL(p->w), p->bucket, p->name, p->type, &p->err) : NULL;

    storage_write_abort(p->w);
    if (o != NULL)
        answer_object(c, o);
    else
        call_error(c, &p->err);
    put_free(p);
}

static bool on_data(void *arg, const char *data, size_t n)
{
    struct put *p = arg;

    if (p->err.kind == 0)
        (void)storage_write(p->w, data, n, &p->err);
    return true;
}

static void on_media_end(void *arg, const struct skl_error *err)
{
    struct put *p = arg;

    if (err != NULL && p->err.kind == 0)
        p->err = *err;
    put_done(p);
}

static const struct http_body_reader media_reader = {.on_data = on_data, .on_end = on_media_end};

static struct put *put_new(struct sim_call *c, const char *name, const char *type)
{
    struct put *p = xcalloc(1, sizeof(*p));

    p->call = c;
    p->bucket = xstrdup(call_param(c, "bucket"));
    p->name = xstrdup(name);
    p->type = xstrdup(type);
    p->w = storage_write_begin(c->sim, STORAGE_OBJECT_MAX, &p->err);
    return p;
}

/* ---- multipart: a resource in JSON, then the bytes ---- */

static void on_multipart(void *arg, const char *data, size_t n, const struct skl_error *err)
{
    struct put *p = arg;
    const char *type = http_req_header(p->call->req, "Content-Type"), *mark = strstr(type, "boundary=");
    CLEANUP(free_p) char *copy = xmalloc(n + 1), *boundary = NULL, *ignored = NULL;
    char *at = copy, *part, *part_type = NULL;
    struct json_object *meta = NULL;
    size_t len = 0;

    memcpy(copy, data, n);
    copy[n] = '\0';
    mark = mark != NULL ? mark + 9 + (mark[9] == '"' || mark[9] == '\'') : "";
    boundary = xasprintf("--%.*s", (int)strcspn(mark, "\"';"), mark);
    if (err != NULL)
        p->err = *err;
    part = p->err.kind == 0 ? multipart_next(&at, copy + n, boundary, &len, &ignored) : NULL;
    if (part != NULL)
        meta = json_parse_object(part, len, SIM_BODY_MAX, &p->err);
    part = meta != NULL ? multipart_next(&at, copy + n, boundary, &len, &part_type) : NULL;
    if (part != NULL) {
        if (p->name[0] == '\0') {
            free(p->name);
            p->name = xstrdup(json_string_or(json_member(meta, "name"), ""));
        }
        p->type = part_type;
        (void)storage_write(p->w, part, len, &p->err);
    } else if (p->err.kind == 0) {
        error_set(&p->err, SKL_ERR_INVALID, "Malformed multipart body.");
    }
    if (p->err.kind == 0 && p->name[0] == '\0')
        error_set(&p->err, SKL_ERR_INVALID, "Required parameter: name");
    json_object_put(meta);
    put_done(p);
}

/* ---- resumable ---- */

static void session_free(struct session *s)
{
    list_remove(&s->link);
    n_sessions--;
    storage_write_abort(s->w);
    free(s->bucket);
    free(s->name);
    free(s->type);
    free(s);
}

static void on_session_body(void *arg, const char *data, size_t n, const struct skl_error *err)
{
    struct put *p = arg;
    struct sim_call *c = p->call;
    struct http_req *req = c->req;
    struct session *s;
    const char *name = p->name, *type = http_req_header(req, "X-Upload-Content-Type"), *host = http_req_header(req, "Host");
    struct json_object *meta = NULL;

    if (err != NULL)
        p->err = *err;
    else if (n > 0)
        meta = json_parse_object(data, n, SIM_BODY_MAX, &p->err);
    if (meta != NULL && name[0] == '\0')
        name = json_string_or(json_member(meta, "name"), "");
    if (meta != NULL && type == NULL)
        type = json_string_or(json_member(meta, "contentType"), NULL);
    if (p->err.kind == 0 && name[0] == '\0')
        error_set(&p->err, SKL_ERR_INVALID, "Required parameter: name");
    if (p->err.kind != 0) {
        call_error(c, &p->err);
        storage_write_abort(p->w);
    } else {
        char id[ID_SIZE];
        if (n_sessions == SESSIONS_MAX) /* the one that nobody went on with the longest */
            session_free(LIST_ENTRY(sessions.next, struct session, link));
        s = xcalloc(1, sizeof(*s));
        id_new(id);
        snprintf(s->id, sizeof(s->id), "%.32s", id);
        s->bucket = xstrdup(p->bucket);
        s->name = xstrdup(name);
        s->type = xstrdup(type);
        s->w = p->w;
        list_push_back(&sessions, &s->link);
        n_sessions++;
        http_res_header(req, "Location", "http://%s/upload/storage/v1/b/%s/o?uploadType=resumable&upload_id=%s", host != NULL ? host : "127.0.0.1", s->bucket, s->id);
        http_res_header(req, "X-GUploader-UploadID", "%s", s->id);
        call_end(c, 200);
        http_res_send(req, 200, "text/plain; charset=utf-8", "", 0);
    }
    json_object_put(meta);
    put_free(p);
}

/* How much there is, and that more is to come. */
static void answer_incomplete(struct sim_call *c, const struct session *s)
{
    struct http_req *req = c->req;

    if (storage_written(s->w) > 0)
        http_res_header(req, "Range", "bytes=0-%" PRIu64, storage_written(s->w) - 1);
    call_end(c, 308);
    http_res_send(req, 308, NULL, "", 0);
}

static void on_piece_end(void *arg, const struct skl_error *err)
{
    struct put *p = arg;
    struct session *s = p->session;

    s->busy = false;
    if (err != NULL && p->err.kind == 0)
        p->err = *err;
    if (p->err.kind == 0 && storage_written(s->w) != p->total) {
        answer_incomplete(p->call, s);
        put_free(p);
        return;
    }
    if (p->err.kind == SKL_ERR_CANCELED) { /* a broken connection is what these uploads are for */
        call_error(p->call, &p->err);
        put_free(p);
        return;
    }
    p->w = STEAL(s->w);
    p->bucket = STEAL(s->bucket);
    p->name = STEAL(s->name);
    p->type = STEAL(s->type);
    session_free(s);
    put_done(p);
}

static bool on_piece(void *arg, const char *data, size_t n)
{
    struct put *p = arg;

    if (p->err.kind == 0)
        (void)storage_write(p->session->w, data, n, &p->err);
    return true;
}

static const struct http_body_reader piece_reader = {.on_data = on_piece, .on_end = on_piece_end};

static void handle_resume(struct sim_call *c)
{
    const char *id = http_req_query(c->req, "upload_id"), *range = http_req_header(c->req, "Content-Range");
    struct session *s = NULL;
    struct put *p;
    uint64_t total;

    LIST_FOREACH_SAFE(n, tmp, &sessions)
        if (str_eq(LIST_ENTRY(n, struct session, link)->id, id))
            s = LIST_ENTRY(n, struct session, link);
    if (s == NULL || s->busy) {
        call_fail(c, s == NULL ? 404 : 409, s == NULL ? "NOT_FOUND" : "ABORTED", "No such upload session.");
        return;
    }
    if (!content_range_read(range, storage_written(s->w), &total)) {
        answer_incomplete(c, s);
        return;
    }
    if (range == NULL) {
        int64_t length = http_req_content_length(c->req);
        total = length >= 0 ? (uint64_t)length : UINT64_MAX;
    }
    p = xcalloc(1, sizeof(*p));
    p->call = c;
    p->session = s;
    p->total = total;
    s->busy = true;
    http_req_read_stream(c->req, &piece_reader, p);
}

static void handle_upload(struct sim_call *c)
{
    const char *how = http_req_query(c->req, "uploadType"), *name = http_req_query(c->req, "name"), *type = http_req_header(c->req, "Content-Type");
    struct put *p;

    if (!str_eq(how, "media") && !str_eq(how, "multipart") && !str_eq(how, "resumable")) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Invalid uploadType: %s", how != NULL ? how : "");
        return;
    }
    if ((str_eq(how, "media") && str_empty(name)) || (str_eq(how, "multipart") && type == NULL)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Required parameter: %s", type == NULL ? "Content-Type" : "name");
        return;
    }
    p = put_new(c, name != NULL ? name : "", str_eq(how, "media") ? type : NULL);
    if (p->w == NULL) {
        call_error(c, &p->err);
        put_free(p);
    } else if (str_eq(how, "media")) {
        http_req_read_stream(c->req, &media_reader, p);
    } else if (str_eq(how, "multipart")) {
        http_req_read_all(c->req, MULTIPART_MAX, on_multipart, p);
    } else {
        http_req_read_all(c->req, SIM_BODY_MAX, on_session_body, p);
    }
}

const struct sim_route storage_routes[] = {
    {"GET", "/storage/v1/b/{bucket}/o/{object}", "GetObject", handle_get, true},
    {"GET", "/download/storage/v1/b/{bucket}/o/{object}", "GetObject", handle_get, true},
    {"DELETE", "/storage/v1/b/{bucket}/o/{object}", "DeleteObject", handle_delete, false},
    {"GET", "/storage/v1/b/{bucket}/o", "ListObjects", handle_list, false},
    {"GET", "/storage/v1/b/{bucket}", "GetBucket", handle_bucket_get, false},
    {"POST", "/storage/v1/b", "CreateBucket", handle_bucket_create, false},
    {"POST", "/upload/storage/v1/b/{bucket}/o", "UploadObject", handle_upload, true},
    {"PUT", "/upload/storage/v1/b/{bucket}/o", "ResumeUpload", handle_resume, true},
    {NULL, NULL, NULL, NULL, false},
};
