/*
 * bake.c - see bake.h.
 *
 *   manifest (of an index: again, for linux/amd64) -> configuration -> the agent's layer, uploaded once
 *   -> the image's layers, mounted from its repository -> new configuration -> new manifest
 *
 * The registry's API alone: no Docker daemon, no build. Everything is content-addressed, so a try that broke
 * off leaves nothing that the next does not use. What a manifest was made into is remembered, so that a
 * second container of the same image costs one request (tags move: the manifest is asked for each time).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/bake.h"
#include "gcp/blob.h"
#include "gcp/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANIFEST_MAX    ((size_t)4 << 20)
#define CONFIG_MAX      ((size_t)8 << 20)
#define LAYERS_MAX      256
#define TARGET_NAME     "sockerless"
#define OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define ACCEPT          OCI_MANIFEST ", " DOCKER_MANIFEST ", " OCI_INDEX ", " DOCKER_LIST
#define KNOWN_MAX       256

/* What was made of a manifest. */
struct gcf_baked {
    struct gcf_baked *next;
    char source[GCP_DIGEST_MAX];
    bool as_root;
    char digest[GCP_DIGEST_MAX];
};

struct gcf_bake {
    struct skl_instance *inst;
    struct gcp_ref ref;
    bool as_root, from_index;
    char *what, *target;
    char *manifest; /* the image's */
    size_t manifest_len;
    char manifest_digest[GCP_DIGEST_MAX];
    struct json_object *parsed;
    char *config, *made;         /* the new configuration, the new manifest */
    char digest[GCP_DIGEST_MAX]; /* of the new manifest */
    size_t layer;                /* the next to mount */
    struct gcp_call *call;
    struct gcp_blob *blob;
    gcf_bake_fn fn;
    void *arg;
};

static bool bake_manifest(struct gcf_bake *b);

static void bake_free(struct gcf_bake *b)
{
    free(b->what);
    free(b->target);
    free(b->manifest);
    json_object_put(b->parsed);
    free(b->config);
    free(b->made);
    free(b);
}

void gcf_bake_cancel(struct gcf_bake *b)
{
    if (!b)
        return;
    gcp_call_cancel(b->call);
    gcp_blob_cancel(b->blob);
    bake_free(b);
}

void gcf_bake_forget_all(struct skl_instance *inst)
{
    struct gcf_baked *k;

    while ((k = inst->baked)) {
        inst->baked = k->next;
        free(k);
    }
}

static void bake_fail(struct gcf_bake *b, const struct skl_error *err)
{
    b->fn(b->arg, err, NULL);
    bake_free(b);
}

static void bake_no_memory(struct gcf_bake *b)
{
    struct skl_error err;

    (void)gcp_error(&err, SKL_ERR_INTERNAL, "%s: out of memory", b->what);
    bake_fail(b, &err);
}

static void bake_done(struct gcf_bake *b, const char *digest)
{
    char *image = gcp_format("%s/%s@%s", b->inst->config.repository.host, b->target, digest);

    if (!image) {
        bake_no_memory(b);
        return;
    }
    b->fn(b->arg, NULL, image);
    free(image);
    bake_free(b);
}

static struct gcp_blob_spec blob_spec(const struct gcf_bake *b, const char *repo, const char *digest)
{
    struct gcp_blob_spec s = {
        .client = &b->inst->client, .host = b->inst->config.repository.host, .repo = repo};

    s.digest = digest;
    s.what = b->what;
    return s;
}

/* ---- the new manifest ---- */

static void remember(struct gcf_bake *b)
{
    struct gcf_baked *k = calloc(1, sizeof(*k)), **p = &b->inst->baked;
    int n = 0;

    if (!k)
        return;
    memcpy(k->source, b->manifest_digest, sizeof(k->source));
    memcpy(k->digest, b->digest, sizeof(k->digest));
    k->as_root = b->as_root;
    k->next = *p;
    *p = k;
    while (*p && ++n <= KNOWN_MAX)
        p = &(*p)->next;
    if (*p) { /* the oldest */
        free(*p);
        *p = NULL;
    }
}

static void on_manifest_put(void *arg, const struct gcp_reply *reply)
{
    struct gcf_bake *b = arg;

    b->call = NULL;
    if (reply->error) {
        bake_fail(b, reply->error);
        return;
    }
    remember(b);
    bake_done(b, b->digest);
}

static void bake_put_manifest(struct gcf_bake *b)
{
    struct gcp_registry_request r = {
        .method = "PUT", .host = b->inst->config.repository.host, .what = b->what};
    struct json_object *type = NULL;
    char *path;

    gcp_digest(b->made, strlen(b->made), b->digest);
    (void)json_object_object_get_ex(b->parsed, "mediaType", &type);
    r.content_type =
        json_object_is_type(type, json_type_string) ? json_object_get_string(type) : OCI_MANIFEST;
    r.body = b->made;
    r.body_len = strlen(b->made);
    path = gcp_format("%s/manifests/sockerless-%.40s", b->target, b->digest + strlen("sha256:"));
    r.path = path;
    b->call = path ? gcp_registry_call(&b->inst->client, &r, on_manifest_put, b) : NULL;
    free(path);
    if (!b->call)
        bake_no_memory(b);
}

static void on_config_put(void *arg, const struct skl_error *err, const char *data, size_t len)
{
    struct gcf_bake *b = arg;

    (void)data;
    (void)len;
    b->blob = NULL;
    if (err)
        bake_fail(b, err);
    else
        bake_put_manifest(b);
}

static void bake_put_config(struct gcf_bake *b)
{
    char digest[GCP_DIGEST_MAX];
    struct gcp_blob_spec spec = blob_spec(b, b->target, digest);
    struct skl_error err;

    gcp_digest(b->config, strlen(b->config), digest);
    b->made =
        gcf_bake_manifest(b->manifest, b->manifest_len, &b->inst->layer, digest, strlen(b->config), &err);
    if (!b->made) {
        bake_fail(b, &err);
        return;
    }
    b->blob = gcp_blob_put(&spec, b->config, strlen(b->config), on_config_put, b);
    if (!b->blob)
        bake_no_memory(b);
}

/* ---- layers ---- */

static void bake_next_layer(struct gcf_bake *b);

static void on_layer(void *arg, const struct skl_error *err, const char *data, size_t len)
{
    struct gcf_bake *b = arg;

    (void)data;
    (void)len;
    b->blob = NULL;
    if (err)
        bake_fail(b, err);
    else
        bake_next_layer(b);
}

static void bake_next_layer(struct gcf_bake *b)
{
    struct json_object *layers = gcp_json_array(b->parsed, "layers");
    const char *digest;
    struct gcp_blob_spec spec;
    struct skl_error err;

    if (b->layer >= json_object_array_length(layers)) {
        bake_put_config(b);
        return;
    }
    digest = gcp_json_str(json_object_array_get_idx(layers, b->layer++), "digest");
    if (!digest || !gcp_digest_valid(digest)) {
        (void)gcp_error(&err, SKL_ERR_BAD_GATEWAY, "%s: a layer of the image has no digest", b->what);
        bake_fail(b, &err);
        return;
    }
    spec = blob_spec(b, b->target, digest);
    b->blob = gcp_blob_mount(&spec, b->ref.repo, on_layer, b);
    if (!b->blob)
        bake_no_memory(b);
}

static void bake_agent(struct gcf_bake *b)
{
    struct gcf_layer *l = &b->inst->layer;
    struct gcp_blob_spec spec = blob_spec(b, b->target, l->digest);

    b->blob = gcp_blob_put(&spec, l->blob, l->len, on_layer, b);
    if (!b->blob)
        bake_no_memory(b);
}

/* ---- the image ---- */

static void on_config(void *arg, const struct skl_error *err, const char *data, size_t len)
{
    struct gcf_bake *b = arg;
    struct skl_error why;

    b->blob = NULL;
    if (err) {
        bake_fail(b, err);
        return;
    }
    b->config = gcf_bake_config(data, len, &b->inst->layer, b->as_root, &why);
    if (b->config)
        bake_agent(b);
    else
        bake_fail(b, &why);
}

static void bake_read_config(struct gcf_bake *b)
{
    const char *digest = gcp_json_str(b->parsed, "config.digest");
    struct json_object *layers = gcp_json_array(b->parsed, "layers");
    struct gcp_blob_spec spec;
    struct skl_error err;

    if (!digest || !gcp_digest_valid(digest) || !layers || json_object_array_length(layers) > LAYERS_MAX) {
        (void)gcp_error(&err, SKL_ERR_BAD_GATEWAY, "%s: the registry's manifest is none of an image",
                        b->what);
        bake_fail(b, &err);
        return;
    }
    spec = blob_spec(b, b->ref.repo, digest);
    b->blob = gcp_blob_get(&spec, CONFIG_MAX, on_config, b);
    if (!b->blob)
        bake_no_memory(b);
}

/* The entry for linux/amd64 of an index. */
static const char *choose_platform(struct json_object *index)
{
    struct json_object *list = gcp_json_array(index, "manifests");
    size_t n = list ? json_object_array_length(list) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *m = json_object_array_get_idx(list, i);
        const char *os = gcp_json_str(m, "platform.os"), *arch = gcp_json_str(m, "platform.architecture");
        const char *digest = gcp_json_str(m, "digest");

        if (os && arch && digest && !strcmp(os, "linux") && !strcmp(arch, "amd64") &&
            gcp_digest_valid(digest))
            return digest;
    }
    return NULL;
}

static void bake_index(struct gcf_bake *b, struct json_object *index)
{
    const char *digest = choose_platform(index);
    struct skl_error err;

    if (!digest || b->from_index) {
        (void)gcp_error(&err, SKL_ERR_INVALID, "%s: there is none for linux/amd64", b->what);
        bake_fail(b, &err);
        return;
    }
    b->from_index = true;
    memcpy(b->ref.digest, digest, strlen(digest) + 1);
    if (!bake_manifest(b))
        bake_no_memory(b);
}

static const struct gcf_baked *known(const struct gcf_bake *b)
{
    for (const struct gcf_baked *k = b->inst->baked; k; k = k->next)
        if (!strcmp(k->source, b->manifest_digest) && k->as_root == b->as_root)
            return k;
    return NULL;
}

static void on_manifest(void *arg, const struct gcp_reply *reply)
{
    struct gcf_bake *b = arg;
    const struct gcf_baked *k;
    struct skl_error err;

    b->call = NULL;
    if (reply->error) {
        err = *reply->error;
        if (reply->fault->http == 404)
            (void)gcp_error(&err, SKL_ERR_INVALID, "%s: there is no such image", b->what);
        bake_fail(b, &err);
        return;
    }
    if (gcp_json_array(reply->json, "manifests")) {
        bake_index(b, reply->json);
        return;
    }
    gcp_digest(reply->body, reply->body_len, b->manifest_digest);
    if (*b->ref.digest && strcmp(b->ref.digest, b->manifest_digest)) {
        (void)gcp_error(&err, SKL_ERR_BAD_GATEWAY, "%s: the registry's manifest has another digest", b->what);
        bake_fail(b, &err);
        return;
    }
    k = known(b);
    if (k) {
        bake_done(b, k->digest);
        return;
    }
    b->manifest = malloc(reply->body_len + 1);
    if (!b->manifest) {
        bake_no_memory(b);
        return;
    }
    memcpy(b->manifest, reply->body, reply->body_len);
    b->manifest_len = reply->body_len;
    b->parsed = json_object_get(reply->json);
    bake_read_config(b);
}

static bool bake_manifest(struct gcf_bake *b)
{
    struct gcp_registry_request r = {.method = "GET", .host = b->ref.host, .accept = ACCEPT, .what = b->what};
    char *path = gcp_format("%s/manifests/%s", b->ref.repo, gcp_ref_version(&b->ref));

    r.path = path;
    r.max_response = MANIFEST_MAX;
    b->call = path ? gcp_registry_call(&b->inst->client, &r, on_manifest, b) : NULL;
    free(path);
    return b->call != NULL;
}

struct gcf_bake *gcf_bake_start(struct skl_instance *inst, const char *image, bool as_root, gcf_bake_fn fn,
                                void *arg, struct skl_error *err)
{
    struct gcf_bake *b;
    struct gcp_ref ref;

    if (gcf_bake_source(&inst->config, image, &ref, err) < 0 ||
        (!inst->layer.blob && gcf_layer_make(&inst->layer, inst->config.agent_binary, err) < 0))
        return NULL;
    b = calloc(1, sizeof(*b));
    if (b) {
        b->inst = inst;
        b->ref = ref;
        b->as_root = as_root;
        b->what = gcp_format("image %s", image);
        b->target = gcp_format("%s/%s", inst->config.repository.repo, TARGET_NAME);
        b->fn = fn;
        b->arg = arg;
    }
    if (b && b->what && b->target && bake_manifest(b))
        return b;
    (void)gcp_error(err, SKL_ERR_INTERNAL, "out of memory");
    gcf_bake_cancel(b);
    return NULL;
}
