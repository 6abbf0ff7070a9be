/*
 * gcp/auth.c - see auth.h.
 *
 * A slot holds one token: the base's access token, the one to work with (the same without impersonation), and
 * one ID token per audience. Whoever asks waits on the slot. A good token is handed out from a timer (never
 * inside the asking); one that ends within REFRESH_AHEAD is handed out too, and a refresh begins beside it.
 * Only without a good token does anybody wait for a fetch, and there is one fetch per slot.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/auth.h"
#include "gcp/client.h"
#include "gcp/cred.h"
#include "gcp/fetch.h"
#include "gcp/json.h"
#include "gcp/str.h"

#include <stdlib.h>
#include <string.h>

#define REFRESH_AHEAD (300 * GCP_SECOND)
#define REFRESH_AGAIN (30 * GCP_SECOND)
/* A token is not handed out in its last seconds: the request has to arrive, too. */
#define TOKEN_MARGIN (10 * GCP_SECOND)
/* ID tokens that nobody has asked for since they ended go when a new one is made. */
#define ID_SLOTS_MAX 8192

struct slot {
    struct slot *next; /* ID slots */
    struct gcp_auth *auth;
    enum gcp_token_kind kind;
    char *audience;
    char *token;
    int64_t ends; /* monotonic */
    int64_t refresh_at;
    struct gcp_fetch *fetch;
    struct gcp_token_wait *base_wait; /* for the base's token, before the fetch */
    struct skl_timer *timer;          /* hands out the token, or err */
    struct skl_error err;
    struct gcp_token_wait *waits, **waits_end;
    uint64_t round;
};

struct gcp_auth {
    struct gcp_client *client;
    const struct skl_host *host;
    const char *file, *impersonate;
    struct gcp_cred *cred; /* NULL: not read yet */
    struct slot base, access;
    struct slot *ids;
    size_t n_ids;
    bool ever; /* a token was had: the credentials are good, and their server exists */
    int64_t skew;
};

struct gcp_token_wait {
    struct gcp_token_wait *next;
    struct slot *slot;
    uint64_t round;
    gcp_token_fn fn;
    void *arg;
};

static struct gcp_token_wait *slot_ask(struct slot *s, gcp_token_fn fn, void *arg);

static int64_t now(const struct gcp_auth *a)
{
    return a->host->now_mono(a->host->ctx);
}

/* ---- credentials ---- */

int gcp_auth_load(struct gcp_auth *a, struct skl_error *err)
{
    if (a->cred)
        return 0;
    a->cred = gcp_cred_load(a->file, a->impersonate, err);
    if (!a->cred)
        return -1;
    if (a->cred->universe)
        a->client->universe = a->cred->universe;
    return 0;
}

const char *gcp_auth_project(const struct gcp_auth *a)
{
    return a->cred ? a->cred->project : NULL;
}

bool gcp_auth_on_google(const struct gcp_auth *a)
{
    return a->cred && a->cred->kind == GCP_CRED_METADATA;
}

const char *gcp_auth_quota_project(const struct gcp_auth *a)
{
    return a->cred ? a->cred->quota_project : NULL;
}

/* ---- handing out ---- */

static void token_wipe(struct slot *s)
{
    if (s->token)
        explicit_bzero(s->token, strlen(s->token));
    free(s->token);
    s->token = NULL;
}

static bool slot_good(const struct slot *s)
{
    return s->token && now(s->auth) + TOKEN_MARGIN < s->ends;
}

/* To all who wait now; those who join meanwhile wait for the next round. */
static void slot_deliver(struct slot *s, const struct skl_error *err, bool transient)
{
    uint64_t round = s->round++;
    char *token = err ? NULL : s->token;
    struct gcp_token_wait *w;

    /* A callback may drop the token. */
    if (token)
        token = strdup(token);
    while ((w = s->waits) && w->round <= round) {
        s->waits = w->next;
        if (!s->waits)
            s->waits_end = &s->waits;
        w->fn(w->arg, token, err, transient);
        free(w);
    }
    if (token)
        explicit_bzero(token, strlen(token));
    free(token);
}

static void on_error_timer(void *arg)
{
    struct slot *s = arg;

    s->timer = NULL;
    slot_deliver(s, &s->err, false);
}

static void slot_fail_later(struct slot *s, const struct skl_error *err)
{
    s->err = *err;
    if (!s->timer)
        s->timer = s->auth->host->timer_start(s->auth->host->ctx, 0, on_error_timer, s);
}

/* ---- fetching ---- */

static void on_fetched(void *arg, const char *token, int64_t lifetime, const struct skl_error *err,
                       bool transient)
{
    struct slot *s = arg;

    s->fetch = NULL;
    s->refresh_at = now(s->auth) + REFRESH_AGAIN;
    if (token) {
        s->auth->ever = true;
        token_wipe(s);
        s->token = strdup(token);
        s->ends = now(s->auth) + lifetime;
        s->refresh_at = s->ends - (lifetime / 2 < REFRESH_AHEAD ? lifetime / 2 : REFRESH_AHEAD);
    } else if (slot_good(s)) {
        s->auth->host->log(s->auth->host->ctx, SKL_LOG_WARN, err->message); /* the present token goes on */
        err = NULL;
    } else if (err->kind == SKL_ERR_UNAUTHORIZED && gcp_fetch_needs_base(s->auth->cred, s->kind)) {
        token_wipe(&s->auth->base); /* perhaps that was what the server did not like */
    }
    /* No metadata server is no outage: this machine is not Google's, and waiting changes nothing. */
    slot_deliver(s, err, transient && (s->auth->ever || s->auth->cred->kind != GCP_CRED_METADATA));
}

static int slot_fetch(struct slot *s, const char *base_token, struct skl_error *err)
{
    struct gcp_fetch_spec spec = {.client = s->auth->client, .cred = s->auth->cred, .kind = s->kind};

    spec.audience = s->audience;
    spec.base_token = base_token;
    spec.skew = &s->auth->skew;
    s->fetch = gcp_fetch_start(&spec, on_fetched, s, err);
    return s->fetch ? 0 : -1;
}

static void on_base(void *arg, const char *token, const struct skl_error *err, bool transient)
{
    struct slot *s = arg;
    struct skl_error why;

    s->base_wait = NULL;
    if (err)
        on_fetched(s, NULL, 0, err, transient);
    else if (slot_fetch(s, token, &why) < 0)
        on_fetched(s, NULL, 0, &why, false);
}

/* Begins to get a new token, unless that is under way. */
static void slot_refresh(struct slot *s)
{
    struct skl_error err;

    if (s->fetch || s->base_wait)
        return;
    if (gcp_auth_load(s->auth, &err) < 0) {
        slot_fail_later(s, &err);
        return;
    }
    if (gcp_fetch_needs_base(s->auth->cred, s->kind)) {
        s->base_wait = slot_ask(&s->auth->base, on_base, s);
        if (s->base_wait)
            return;
        (void)gcp_error(&err, SKL_ERR_INTERNAL, "out of memory");
    } else if (slot_fetch(s, NULL, &err) == 0) {
        return;
    }
    if (!slot_good(s))
        slot_fail_later(s, &err);
}

static void on_good_timer(void *arg)
{
    struct slot *s = arg;

    s->timer = NULL;
    if (slot_good(s))
        slot_deliver(s, NULL, false);
    else
        slot_refresh(s); /* dropped since */
}

static struct gcp_token_wait *slot_ask(struct slot *s, gcp_token_fn fn, void *arg)
{
    struct gcp_token_wait *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    w->slot = s;
    w->fn = fn;
    w->arg = arg;
    w->round = s->round;
    *s->waits_end = w;
    s->waits_end = &w->next;
    if (!slot_good(s)) {
        slot_refresh(s);
        return w;
    }
    if (now(s->auth) >= s->refresh_at)
        slot_refresh(s);
    if (!s->timer)
        s->timer = s->auth->host->timer_start(s->auth->host->ctx, 0, on_good_timer, s);
    return w;
}

void gcp_token_wait_cancel(struct gcp_token_wait *w)
{
    struct gcp_token_wait **p;

    if (!w)
        return;
    for (p = &w->slot->waits; *p != w; p = &(*p)->next)
        ;
    *p = w->next;
    if (!*p)
        w->slot->waits_end = p;
    free(w);
}

/* ---- slots ---- */

static void slot_init(struct slot *s, struct gcp_auth *a, enum gcp_token_kind kind)
{
    s->auth = a;
    s->kind = kind;
    s->waits_end = &s->waits;
}

static void slot_fini(struct slot *s)
{
    while (s->waits)
        gcp_token_wait_cancel(s->waits);
    gcp_fetch_cancel(s->fetch);
    if (s->timer)
        s->auth->host->timer_stop(s->auth->host->ctx, s->timer);
    token_wipe(s);
    free(s->audience);
}

/* Frees ID slots that ended and that nobody uses. */
static void ids_sweep(struct gcp_auth *a)
{
    for (struct slot **p = &a->ids, *s; (s = *p);) {
        if (slot_good(s) || s->waits || s->fetch || s->base_wait || s->timer) {
            p = &s->next;
            continue;
        }
        *p = s->next;
        slot_fini(s);
        free(s);
        a->n_ids--;
    }
}

static struct slot *id_slot(struct gcp_auth *a, const char *audience)
{
    struct slot *s;

    for (s = a->ids; s; s = s->next)
        if (!strcmp(s->audience, audience))
            return s;
    ids_sweep(a);
    s = a->n_ids < ID_SLOTS_MAX ? calloc(1, sizeof(*s)) : NULL;
    if (!s)
        return NULL;
    slot_init(s, a, GCP_TOKEN_ID);
    s->audience = strdup(audience);
    if (!s->audience) {
        free(s);
        return NULL;
    }
    s->next = a->ids;
    a->ids = s;
    a->n_ids++;
    return s;
}

struct gcp_token_wait *gcp_auth_access_token(struct gcp_auth *a, gcp_token_fn fn, void *arg)
{
    struct skl_error err;

    /* Which slot it is shows in the credentials. When they can't be read, asking the base tells why. */
    if (gcp_auth_load(a, &err) == 0 && a->cred->impersonate_url)
        return slot_ask(&a->access, fn, arg);
    return slot_ask(&a->base, fn, arg);
}

struct gcp_token_wait *gcp_auth_id_token(struct gcp_auth *a, const char *audience, gcp_token_fn fn, void *arg)
{
    struct slot *s = id_slot(a, audience);

    return s ? slot_ask(s, fn, arg) : NULL;
}

static void slot_drop(struct slot *s, const char *token)
{
    if (s->token && !strcmp(s->token, token))
        token_wipe(s);
}

void gcp_auth_drop(struct gcp_auth *a, const char *token)
{
    if (!token)
        return;
    slot_drop(&a->base, token);
    slot_drop(&a->access, token);
    for (struct slot *s = a->ids; s; s = s->next)
        slot_drop(s, token);
}

/* ---- life ---- */

struct gcp_auth *gcp_auth_new(struct gcp_client *client, const struct gcp_auth_config *config)
{
    struct gcp_auth *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->client = client;
    a->host = client->host;
    a->file = config->credentials;
    a->impersonate = config->impersonate;
    slot_init(&a->base, a, GCP_TOKEN_BASE);
    slot_init(&a->access, a, GCP_TOKEN_ACCESS);
    return a;
}

void gcp_auth_free(struct gcp_auth *a)
{
    struct slot *s;

    if (!a)
        return;
    while ((s = a->ids)) {
        a->ids = s->next;
        slot_fini(s);
        free(s);
    }
    slot_fini(&a->access);
    slot_fini(&a->base);
    gcp_cred_free(a->cred);
    free(a);
}
