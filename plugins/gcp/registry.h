/*
 * gcp/registry.h - Google's container registry (OCI distribution API): references, and the requests the image
 * deployment needs.
 *
 * A registry of Google takes the same access token as its other APIs. With an endpoint override the registry
 * is reached there, too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_REGISTRY_H
#define SKL_GCP_REGISTRY_H

#include "gcp/client.h"

#define GCP_DIGEST_MAX 80 /* sha256:<64 digits> */

struct gcp_ref {
    char host[256];              /* "docker.io" when the reference names none */
    char repo[256];              /* "library/busybox" */
    char tag[132];               /* "latest" when there is neither tag nor digest; "" with a digest */
    char digest[GCP_DIGEST_MAX]; /* "" without */
};

/* By Docker's rules. Negative with err when it is no reference. */
int gcp_ref_parse(struct gcp_ref *ref, const char *text, struct skl_error *err);
/* The tag or the digest: what to ask for a manifest by. */
const char *gcp_ref_version(const struct gcp_ref *ref);

/* "sha256:..." of bytes. */
void gcp_digest(const void *p, size_t n, char out[GCP_DIGEST_MAX]);
bool gcp_digest_valid(const char *text);

struct gcp_registry_request {
    const char *host; /* with its port; ignored with an endpoint override */
    const char *method;
    const char *path;         /* after /v2/: "repo/manifests/latest" */
    const char *accept;       /* NULL: none */
    const char *content_type; /* with a body */
    const char *body;
    size_t body_len;
    size_t max_response;
    const char *what;
};
struct gcp_call *gcp_registry_call(struct gcp_client *c, const struct gcp_registry_request *r,
                                   gcp_reply_fn fn, void *arg);

/*
 * A request to where an answer pointed (Location, absolute or below the registry). The token goes along only
 * to the registry's own host.
 */
struct gcp_call *gcp_registry_follow(struct gcp_client *c, const struct gcp_registry_request *r,
                                     const char *location, gcp_reply_fn fn, void *arg);

#endif
