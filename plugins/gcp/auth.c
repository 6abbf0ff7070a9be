/*
 * gcp/auth.c - see auth.h. For now: no kind of credentials is known, and every token is refused with that reason.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/auth.h"
#include "gcp/client.h"
#include "gcp/str.h"

#include <stdlib.h>

struct gcp_auth {
    struct gcp_client *client;
};

struct gcp_token_wait {
    const struct skl_host *host;
    struct skl_timer *timer;
    gcp_token_fn fn;
    void *arg;
};

struct gcp_auth *gcp_auth_new(struct gcp_client *client, const struct gcp_auth_config *config)
{
    struct gcp_auth *a = calloc(1, sizeof(*a));

    (void)config;
    if (a)
        a->client = client;
    return a;
}

void gcp_auth_free(struct gcp_auth *a)
{
    free(a);
}

static void on_timer(void *arg)
{
    struct gcp_token_wait *w = arg;
    struct skl_error err;

    (void)gcp_error(&err, SKL_ERR_UNAUTHORIZED, "this build has no support for Google credentials yet");
    w->fn(w->arg, NULL, &err, false);
    free(w);
}

struct gcp_token_wait *gcp_auth_access_token(struct gcp_auth *a, gcp_token_fn fn, void *arg)
{
    struct gcp_token_wait *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->host = a->client->host;
    w->fn = fn;
    w->arg = arg;
    w->timer = w->host->timer_start(w->host->ctx, 0, on_timer, w);
    return w;
}

struct gcp_token_wait *gcp_auth_id_token(struct gcp_auth *a, const char *audience, gcp_token_fn fn, void *arg)
{
    (void)audience;
    return gcp_auth_access_token(a, fn, arg);
}

void gcp_token_wait_cancel(struct gcp_token_wait *w)
{
    if (!w)
        return;
    w->host->timer_stop(w->host->ctx, w->timer);
    free(w);
}

void gcp_auth_drop(struct gcp_auth *a, const char *token)
{
    (void)a;
    (void)token;
}

const char *gcp_auth_quota_project(const struct gcp_auth *a)
{
    (void)a;
    return NULL;
}
