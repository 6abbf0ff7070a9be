/*
 * gcp/cred.h - credential files, and where to look for one: Application Default Credentials.
 *
 * Order: GOOGLE_APPLICATION_CREDENTIALS (or the driver's own option): a file that is named must be there and
 * good. Then gcloud's well-known file, if it exists. Then the metadata server. What a credential is comes
 * down to a base (how a first access token is had) and, perhaps, a service account to impersonate with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_CRED_H
#define SKL_GCP_CRED_H

#include <stdbool.h>
#include <stddef.h>
#include "sockerless/error.h"

struct gcp_key;
struct json_object;

enum gcp_cred_kind {
    GCP_CRED_METADATA,        /* no file: the machine's own account */
    GCP_CRED_SERVICE_ACCOUNT, /* a key */
    GCP_CRED_USER,            /* gcloud auth application-default login */
    GCP_CRED_EXTERNAL         /* workload identity federation */
};

struct gcp_cred {
    enum gcp_cred_kind kind;
    char *where;                              /* the file, for messages; "the metadata server" */
    char *project, *quota_project, *universe; /* NULL when the file does not say */
    /* SERVICE_ACCOUNT */
    char *email, *key_id, *token_uri;
    struct gcp_key *key;
    /* USER */
    char *client_id, *client_secret, *refresh_token;
    /* EXTERNAL */
    char *audience, *subject_type, *sts_url, *workforce_project;
    char *source_file, *source_url, *source_field; /* field: the token is inside JSON */
    struct json_object *source_headers;
    /* Any: act as this service account. The URL ends in ":generateAccessToken". */
    char *impersonate_url;
    struct json_object *delegates;
    long lifetime_s; /* of impersonated tokens */
};

/*
 * Finds and reads credentials. `file`: the one to use, or NULL to search. `impersonate`: a service account's
 * address or NULL. NULL: err tells, naming the file and nothing secret.
 */
struct gcp_cred *gcp_cred_load(const char *file, const char *impersonate, struct skl_error *err);
/* From the text of a file; `where` names it. Pure. */
struct gcp_cred *gcp_cred_parse(const char *text, size_t n, const char *where, struct skl_error *err);
void gcp_cred_free(struct gcp_cred *c); /* takes NULL */

/* A small file's bytes, NUL-terminated. New; NULL: err tells. */
char *gcp_file_read(const char *path, size_t max, size_t *ret_len, struct skl_error *err);

/* Tokens may be sent to it: https on Google's hosts, or any scheme on loopback. */
bool gcp_url_trusted(const char *url, const char *universe);

#endif
