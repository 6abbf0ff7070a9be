/*
 * simulator/registry/registry.h - a container registry (OCI distribution, version 2), for images that deployments use.
 *
 * In the state directory: registry/blobs/sha256/<hex> holds all blobs and manifests, as an OCI layout does. What a repository has is a
 * matter of small files: repos/<name>/blobs/<hex> (empty), manifests/<hex> (the media type), tags/<tag> (a hex). A repository's name has
 * "+" for "/" there. roots/<hex> are images unpacked for running.
 *
 *   store.c     the files         blobs.c      blobs: get, mount, upload      image.c   images of functions, from here
 *   api.c       errors, tags      manifests.c  manifests, referrers      artifacts.c  Artifact Registry's repositories
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_REGISTRY_H
#define SKL_SIM_REGISTRY_H

#include "simulator/sim.h"

#define REGISTRY_MANIFEST_MAX (4u * 1024 * 1024)
#define REGISTRY_BLOB_MAX (UINT64_C(16) << 30)
#define REGISTRY_UPLOADS_MAX 256u
#define REGISTRY_NAME_MAX 200u
#define REGISTRY_PAGE_MAX 1000

/* ---- store.c ---- */
bool registry_legal_name(const char *name);
bool registry_legal_tag(const char *tag);
/* "sha256:<64 hex>" -> the hex, in it; NULL: not such a digest. */
const char *registry_hex(const char *digest);
char *registry_path(struct sim *s, const char *kind, const char *repo, const char *name); /* kind: blobs, manifests, tags */
char *registry_blob_path(struct sim *s, const char *hex);
bool registry_has(struct sim *s, const char *kind, const char *repo, const char *name);
bool registry_repo_exists(struct sim *s, const char *repo);
int registry_put(struct sim *s, const char *kind, const char *repo, const char *name, const char *text, struct skl_error *err);
/* The text of such a file; caller frees; NULL: there is none. */
char *registry_get(struct sim *s, const char *kind, const char *repo, const char *name);
int registry_remove(struct sim *s, const char *kind, const char *repo, const char *name); /* 0, or -1: was not there */
/* Names of a kind in a repository, sorted. Caller frees the object. */
struct json_object *registry_list(struct sim *s, const char *kind, const char *repo);
/* The manifest's digest (hex) by tag or digest; caller frees; NULL: unknown. */
char *registry_resolve(struct sim *s, const char *repo, const char *reference);
void registry_digest(const void *p, size_t n, char hex[65]);

/* ---- api.c ---- */
void registry_fail(struct sim_call *c, int status, const char *code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void registry_end(struct sim_call *c, int status); /* no body */
const char *registry_repo(struct sim_call *c);     /* the path's repository; NULL: answered (and c gone), its name is no good */
bool registry_admits(struct sim_call *c);          /* with --require-auth */

extern const struct sim_route registry_routes[], registry_blob_routes[], registry_manifest_routes[], artifacts_routes[];

#endif
