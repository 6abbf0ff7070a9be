/*
 * simulator/registry/manifests.c - manifests and indexes, by tag and by digest; referrers.
 *
 * A manifest is taken when all that it names is in its repository.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/registry/registry.h"
#include "simulator/storage.h"

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"

static void handle_get(struct sim_call *c)
{
    const char *repo = registry_repo(c);
    CLEANUP(free_p) char *hex = repo != NULL ? registry_resolve(c->sim, repo, call_param(c, "reference")) : NULL;
    CLEANUP(free_p) char *type = hex != NULL ? registry_get(c->sim, "manifests", repo, hex) : NULL, *path = NULL;

    if (repo == NULL)
        return;
    if (type == NULL) {
        registry_fail(c, 404, "MANIFEST_UNKNOWN", "manifest unknown");
        return;
    }
    path = registry_blob_path(c->sim, hex);
    http_res_header(c->req, "Docker-Content-Digest", "sha256:%s", hex);
    http_res_header(c->req, "ETag", "\"sha256:%s\"", hex);
    send_file(c, path, type);
}

/* ---- put ---- */

/* What the descriptor names must be here; a layer that lies elsewhere says where. */
static const char *missing(struct sim *s, const char *kind, const char *repo, struct json_object *d)
{
    const char *digest = json_string_or(d != NULL ? json_member(d, "digest") : NULL, "(none)"), *hex = registry_hex(digest);

    if (d != NULL && json_member(d, "urls") != NULL)
        return NULL;
    return hex != NULL && registry_has(s, kind, repo, hex) ? NULL : digest;
}

static const char *missing_any(struct sim *s, const char *kind, const char *repo, struct json_object *list)
{
    const char *what = NULL;

    for (size_t i = 0; what == NULL && json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++)
        what = missing(s, kind, repo, json_object_array_get_idx(list, i));
    return what;
}

static bool complete(struct sim_call *c, const char *repo, struct json_object *m)
{
    const char *what = json_member(m, "manifests") != NULL ? missing_any(c->sim, "manifests", repo, json_member(m, "manifests"))
                       : json_member(m, "config") == NULL  ? "config"
                                                           : missing(c->sim, "blobs", repo, json_member(m, "config"));

    if (what == NULL)
        what = missing_any(c->sim, "blobs", repo, json_member(m, "layers"));
    if (what != NULL)
        registry_fail(c, 404, "MANIFEST_BLOB_UNKNOWN", "manifest references %s, which is unknown to the repository", what);
    return what == NULL;
}

static const char *type_of(struct sim_call *c, struct json_object *m)
{
    const char *given = http_req_header(c->req, "Content-Type"), *own = json_string_or(json_member(m, "mediaType"), NULL);

    if (own != NULL)
        return own;
    if (given != NULL && strstr(given, "application/vnd.") == given)
        return given;
    return json_member(m, "manifests") != NULL ? OCI_INDEX : OCI_MANIFEST;
}

static int keep(struct sim_call *c, const char *repo, const char *hex, const char *data, size_t n, const char *type, struct skl_error *err)
{
    CLEANUP(free_p) char *path = registry_blob_path(c->sim, hex), *dir = xasprintf("%s/registry/blobs/sha256", c->sim->opts.state_dir);
    const char *reference = call_param(c, "reference");

    if (fs_mkdir_p(dir, 0700, err) < 0 || fs_write_file_atomic(path, data, n, 0600, err) < 0 ||
        registry_put(c->sim, "manifests", repo, hex, type, err) < 0)
        return -1;
    return registry_hex(reference) != NULL ? 0 : registry_put(c->sim, "tags", repo, reference, hex, err);
}

static void put(struct sim_call *c, const char *repo, const char *data, size_t n)
{
    const char *reference = call_param(c, "reference"), *subject = NULL;
    struct skl_error err = {0};
    JSON_CLEANUP struct json_object *m = json_parse_object(data, n, REGISTRY_MANIFEST_MAX, &err);
    int64_t version = 0;
    char hex[65];

    registry_digest(data, n, hex);
    (void)json_get_i64(m, "schemaVersion", &version, NULL);
    if (m == NULL || version != 2) {
        registry_fail(c, 400, "MANIFEST_INVALID", "%s", m == NULL ? err.message : "schemaVersion must be 2");
    } else if (registry_hex(reference) != NULL ? !str_eq(registry_hex(reference), hex) : !registry_legal_tag(reference)) {
        registry_fail(c, 400, registry_hex(reference) != NULL ? "DIGEST_INVALID" : "TAG_INVALID", "the reference does not fit the manifest");
    } else if (complete(c, repo, m)) {
        if (keep(c, repo, hex, data, n, type_of(c, m), &err) < 0) {
            registry_fail(c, 500, "UNKNOWN", "%s", err.message);
            return;
        }
        if (json_get_string(m, "subject.digest", &subject, NULL) == JSON_FOUND)
            http_res_header(c->req, "OCI-Subject", "%s", subject);
        http_res_header(c->req, "Location", "/v2/%s/manifests/sha256:%s", repo, hex);
        http_res_header(c->req, "Docker-Content-Digest", "sha256:%s", hex);
        registry_end(c, 201);
    }
}

static void on_manifest(void *arg, const char *data, size_t n, const struct skl_error *err)
{
    struct sim_call *c = arg;

    if (err != NULL)
        registry_fail(c, err->kind == SKL_ERR_TOO_LARGE ? 413 : 400, "MANIFEST_INVALID", "%s", err->message);
    else
        put(c, call_param(c, "name"), data, n);
}

static void handle_put(struct sim_call *c)
{
    if (registry_repo(c) != NULL)
        http_req_read_all(c->req, REGISTRY_MANIFEST_MAX, on_manifest, c);
}

/* ---- delete ---- */

static void drop_tags_of(struct sim *s, const char *repo, const char *hex)
{
    JSON_CLEANUP struct json_object *tags = registry_list(s, "tags", repo);

    for (size_t i = 0; i < json_object_array_length(tags); i++) {
        const char *tag = json_object_get_string(json_object_array_get_idx(tags, i));
        CLEANUP(free_p) char *at = registry_get(s, "tags", repo, tag);
        if (str_eq(at, hex))
            (void)registry_remove(s, "tags", repo, tag);
    }
}

static void handle_delete(struct sim_call *c)
{
    const char *reference = call_param(c, "reference"), *hex = registry_hex(reference), *repo = registry_repo(c);

    if (repo == NULL)
        return;
    if (hex != NULL)
        drop_tags_of(c->sim, repo, hex);
    if (hex != NULL ? registry_remove(c->sim, "manifests", repo, hex) < 0
                    : !registry_legal_tag(reference) || registry_remove(c->sim, "tags", repo, reference) < 0)
        registry_fail(c, 404, "MANIFEST_UNKNOWN", "manifest unknown");
    else
        registry_end(c, 202);
}

/* ---- referrers ---- */

static struct json_object *read_manifest(struct sim *s, const char *hex)
{
    CLEANUP(free_p) char *path = registry_blob_path(s, hex);
    struct json_object *m = NULL;
    struct buf b;

    buf_init(&b, REGISTRY_MANIFEST_MAX);
    if (fs_read_file(path, &b, NULL) == 0) {
        m = json_parse_object(buf_str(&b), b.len, REGISTRY_MANIFEST_MAX, NULL);
        if (m != NULL)
            json_add_u64(m, "size", b.len);
    }
    buf_fini(&b);
    return m;
}

static struct json_object *descriptor(struct sim *s, const char *repo, const char *hex, struct json_object *m)
{
    CLEANUP(free_p) char *type = registry_get(s, "manifests", repo, hex), *digest = xasprintf("sha256:%s", hex);
    const char *config = NULL, *artifact = json_string_or(json_member(m, "artifactType"), NULL);
    struct json_object *d = json_new_object();

    (void)json_get_string(m, "config.mediaType", &config, NULL);
    json_add_string(d, "mediaType", type);
    json_add_string(d, "digest", digest);
    json_add(d, "size", json_object_get(json_member(m, "size")));
    if (artifact != NULL || config != NULL)
        json_add_string(d, "artifactType", artifact != NULL ? artifact : config);
    if (json_member(m, "annotations") != NULL)
        json_add(d, "annotations", json_object_get(json_member(m, "annotations")));
    return d;
}

static void handle_referrers(struct sim_call *c)
{
    const char *wanted = http_req_query(c->req, "artifactType"), *repo = registry_repo(c);
    struct json_object *o, *list, *all;
    struct http_req *req = c->req;
    struct buf b;

    if (repo == NULL)
        return;
    if (registry_hex(call_param(c, "digest")) == NULL) {
        registry_fail(c, 400, "DIGEST_INVALID", "invalid digest");
        return;
    }
    o = json_new_object();
    json_add_i64(o, "schemaVersion", 2);
    json_add_string(o, "mediaType", OCI_INDEX);
    list = json_add_array(o, "manifests");
    all = registry_list(c->sim, "manifests", repo);
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        const char *hex = json_object_get_string(json_object_array_get_idx(all, i)), *subject = NULL;
        JSON_CLEANUP struct json_object *m = read_manifest(c->sim, hex);
        struct json_object *d;
        if (m == NULL || json_get_string(m, "subject.digest", &subject, NULL) != JSON_FOUND || !str_eq(subject, call_param(c, "digest")))
            continue;
        d = descriptor(c->sim, repo, hex, m);
        if (wanted == NULL || str_eq(json_string_or(json_member(d, "artifactType"), ""), wanted))
            json_push(list, d);
        else
            json_object_put(d);
    }
    json_object_put(all);
    if (wanted != NULL)
        http_res_header(req, "OCI-Filters-Applied", "artifactType");
    buf_init(&b, SIM_BODY_MAX);
    (void)json_emit(&b, o);
    json_object_put(o);
    call_end(c, 200);
    http_res_send(req, 200, OCI_INDEX, b.data, b.len);
    buf_fini(&b);
}

#define MANIFEST "/v2/{name*}/manifests/{reference}"
const struct sim_route registry_manifest_routes[] = {
    {"GET", MANIFEST, "RegistryGetManifest", handle_get, true},
    {"HEAD", MANIFEST, "RegistryHeadManifest", handle_get, true},
    {"PUT", MANIFEST, "RegistryPutManifest", handle_put, true},
    {"DELETE", MANIFEST, "RegistryDeleteManifest", handle_delete, true},
    {"GET", "/v2/{name*}/referrers/{digest}", "RegistryReferrers", handle_referrers, true},
    {NULL, NULL, NULL, NULL, false},
};
