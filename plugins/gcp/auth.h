/*
 * gcp/auth.h - Google credentials: where they come from, and tokens from them.
 *
 * One object per driver instance. Nothing is read before the first token is asked for (a driver's open() does
 * no I/O). Tokens are cached and refreshed ahead of their end, with one refresh at a time however many wait;
 * a refresh that fails leaves the present token in use while it is good. Times are measured on the monotonic
 * clock from the lifetime the server gave, so a wrong or jumping wall clock ends no token.
 *
 * No token, key or secret is ever part of a message.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_AUTH_H
#define SKL_GCP_AUTH_H

#include <stdbool.h>
#include "sockerless/driver.h"

struct gcp_auth;
struct gcp_client;
struct gcp_token_wait;

struct gcp_auth_config {
    const char *credentials; /* a file; NULL: the search order of Application Default Credentials */
    const char *impersonate; /* a service account's address; NULL: none */
};

/* Borrows client and config's strings for its life. NULL: out of memory. */
struct gcp_auth *gcp_auth_new(struct gcp_client *client, const struct gcp_auth_config *config);
void gcp_auth_free(struct gcp_auth *auth); /* takes NULL; pending waits get no callback */

/* Reads the credentials, once; a failure is tried again by the next. Small local files only. */
int gcp_auth_load(struct gcp_auth *auth, struct skl_error *err);
/* Once loaded: the project that the credential file names, or NULL. */
const char *gcp_auth_project(const struct gcp_auth *auth);
/* Once loaded: there is no file, so the metadata server is to be asked. */
bool gcp_auth_on_google(const struct gcp_auth *auth);

/* error NULL: token is borrowed until the callback returns. transient: worth another try later. */
typedef void (*gcp_token_fn)(void *arg, const char *token, const struct skl_error *error, bool transient);

/* For Google's APIs. The callback runs later, never inside. NULL: out of memory, no callback. */
struct gcp_token_wait *gcp_auth_access_token(struct gcp_auth *auth, gcp_token_fn fn, void *arg);
/* For a private function: audience is its URL's scheme and host. */
struct gcp_token_wait *gcp_auth_id_token(struct gcp_auth *auth, const char *audience, gcp_token_fn fn,
                                         void *arg);
void gcp_token_wait_cancel(struct gcp_token_wait *w); /* takes NULL; no callback follows */

/* The server refused this token: it is not handed out again. */
void gcp_auth_drop(struct gcp_auth *auth, const char *token);
/* For the header x-goog-user-project, or NULL. */
const char *gcp_auth_quota_project(const struct gcp_auth *auth);

#endif
