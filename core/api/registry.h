/*
 * api/registry.h - a client of the OCI distribution API: manifests and configurations, never layers.
 *
 * Asks mirrors first (Docker Hub images only), then the registry itself; follows bearer and basic challenges; picks the
 * platform out of an index; checks every digest it was given. Everything is on the loop; one result per call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_REGISTRY_H
#define SKL_API_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "api/auth_config.h"
#include "base/error.h"

struct http_client;
struct loop;
struct registry_call;

#define REGISTRY_HUB "docker.io"                   /* the domain of references without one */
#define REGISTRY_HUB_HOST "registry-1.docker.io"   /* who answers for it */
#define REGISTRY_MANIFEST_MAX (4u * 1024 * 1024)
#define REGISTRY_CONFIG_MAX (8u * 1024 * 1024)
#define REGISTRY_TIMEOUT_NS (INT64_C(60) * 1000000000) /* one request */
#define REGISTRY_REDIRECTS_MAX 5u
#define REGISTRY_ENDPOINTS_MAX 16u
#define REGISTRY_DIGEST_SIZE 72 /* "sha256:" + 64 + NUL */

struct registry_query {
    struct loop *loop;
    struct http_client *http;
    const char *const *mirrors;  /* base URLs; NULL-terminated or NULL */
    const char *const *insecure; /* hosts; NULL-terminated or NULL */
    const char *domain;          /* "docker.io", "localhost:5000" */
    const char *path;            /* "library/alpine" */
    const char *reference;       /* a tag or a digest */
    const char *display;         /* as the user wrote it, for texts: "alpine:3" */
    const char *os, *arch, *variant; /* which entry of an index; variant may be "" */
    const struct auth_config *auth;  /* may be NULL; copied */
    bool describe_only;          /* the top manifest alone: no config (distribution, auth check) */
};

struct registry_layer {
    char digest[REGISTRY_DIGEST_SIZE];
    int64_t size;
};
struct registry_result {
    const char *digest;         /* of what the reference names (an index, if it is one) */
    const char *media_type;
    int64_t manifest_size;
    struct json_object *top;    /* that manifest or index, parsed */
    const char *image_digest;   /* of the platform's manifest */
    const char *config_digest;  /* the image's ID */
    const char *config;         /* its JSON text; NULL with describe_only */
    size_t config_len;
    const struct registry_layer *layers;
    size_t n_layers;
};

/* done(arg, err, res) once, later; res is borrowed and NULL exactly when err is not. */
struct registry_call *registry_resolve(const struct registry_query *q,
                                       void (*done)(void *arg, const struct skl_error *err,
                                                    const struct registry_result *res),
                                       void *arg);
void registry_cancel(struct registry_call *r); /* done does not follow */

/* POST /auth: whether the registry takes these credentials. token (may be NULL in done): nothing to keep. */
struct registry_call *registry_check_auth(const struct registry_query *q,
                                          void (*done)(void *arg, const struct skl_error *err,
                                                       const struct registry_result *res),
                                          void *arg);

/* ---- internal, for tests and fuzzing ---- */
struct registry_challenge {
    bool bearer; /* else basic */
    char *realm, *service, *scope;
};
/* A WWW-Authenticate value. -1: neither kind. */
int registry_challenge_parse(const char *header, struct registry_challenge *ret);
void registry_challenge_fini(struct registry_challenge *c);

#endif
