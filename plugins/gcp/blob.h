/*
 * gcp/blob.h - getting blobs out of a registry and into one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_BLOB_H
#define SKL_GCP_BLOB_H

#include "gcp/registry.h"

struct gcp_blob;

/* err NULL: it is done; data only of a get, borrowed until the callback returns. */
typedef void (*gcp_blob_fn)(void *arg, const struct skl_error *err, const char *data, size_t len);

struct gcp_blob_spec {
    struct gcp_client *client;
    const char *host, *repo;
    const char *digest;
    const char *what;
};

/* Fetches a blob (following the redirect to where it is stored) and checks its digest. NULL: out of memory.
 */
struct gcp_blob *gcp_blob_get(const struct gcp_blob_spec *spec, size_t max, gcp_blob_fn fn, void *arg);

/* Puts bytes (copied) as a blob, unless it is there already. */
struct gcp_blob *gcp_blob_put(const struct gcp_blob_spec *spec, const void *data, size_t len, gcp_blob_fn fn,
                              void *arg);

/* Makes a blob of repository `from` (same registry) one of spec's: by mounting it, or else by copying it. */
struct gcp_blob *gcp_blob_mount(const struct gcp_blob_spec *spec, const char *from, gcp_blob_fn fn,
                                void *arg);
/* A layer that can't be mounted and is larger than this is not copied through the daemon's memory. */
#define GCP_BLOB_COPY_MAX ((size_t)128 << 20)

void gcp_blob_cancel(struct gcp_blob *b); /* takes NULL; no callback follows */

#endif
