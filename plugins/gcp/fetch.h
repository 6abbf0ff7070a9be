/*
 * gcp/fetch.h - getting one token: the exchange that a kind of credential asks for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_FETCH_H
#define SKL_GCP_FETCH_H

#include "gcp/client.h"
#include "gcp/cred.h"

struct gcp_fetch;

enum gcp_token_kind {
    GCP_TOKEN_BASE,   /* access token of the credential itself */
    GCP_TOKEN_ACCESS, /* access token to work with: the base's, or the impersonated account's */
    GCP_TOKEN_ID      /* ID token for an audience */
};

struct gcp_fetch_spec {
    struct gcp_client *client;
    const struct gcp_cred *cred;
    enum gcp_token_kind kind;
    const char *audience;   /* ID; copied */
    const char *base_token; /* when gcp_fetch_needs_base() says so; copied */
    int64_t *skew; /* what to add to the wall clock; corrected when the server's shows ours to be wrong */
};

/* token NULL: err, and whether another try later may help. lifetime_ns as the server gave it. */
typedef void (*gcp_fetch_fn)(void *arg, const char *token, int64_t lifetime_ns, const struct skl_error *err,
                             bool transient);

/* Whether this kind of token is made with an access token of the base (impersonation). */
bool gcp_fetch_needs_base(const struct gcp_cred *cred, enum gcp_token_kind kind);
/* NULL: err tells at once; no callback. */
struct gcp_fetch *gcp_fetch_start(const struct gcp_fetch_spec *spec, gcp_fetch_fn fn, void *arg,
                                  struct skl_error *err);
void gcp_fetch_cancel(struct gcp_fetch *f); /* takes NULL; no callback follows */

/* "http://169.254.169.254" or what GCE_METADATA_HOST says, and the path. New string. */
char *gcp_metadata_url(const char *path);

#endif
