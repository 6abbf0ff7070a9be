/*
 * gcp/client.h - calls to Google's REST APIs: base URL, token, retries with jitter, rate gates, one deadline.
 *
 * One client per driver instance. A call ends in exactly one callback, later, on the loop; a cancelled call
 * has none. What may be repeated is the call's policy (fault.h); a call that has a reply keeps nothing.
 *
 * Gates: requests of one kind share a quota per minute. What it is, only the server knows; so a gate is open
 * until a request is told RESOURCE_EXHAUSTED. Then all wait as long as that one, and go on one after another:
 * at twice the distance with each further refusal, up to the quota's documented pace, and a little closer
 * with each success. So N parallel callers do not beat on a closed door N times, and one odd refusal costs
 * little. A gate with a burst keeps to the quota from the start.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_CLIENT_H
#define SKL_GCP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gcp/fault.h"
#include "sockerless/driver.h"

struct gcp_auth;
struct gcp_call;
struct json_object;

enum gcp_service { GCP_FUNCTIONS, GCP_RUN, GCP_LOGGING };

struct gcp_gate {
    int64_t pace;         /* the quota: one request in so many ns */
    int64_t burst;        /* so many may go at once; 0: any number, until a refusal */
    int64_t distance;     /* between requests, after refusals; 0: none */
    int64_t closed_until; /* nothing goes before (monotonic ns) */
    int64_t theoretical;  /* when the next request is due at the pace that holds */
};

struct gcp_client {
    const struct skl_host *host;
    struct gcp_auth *auth; /* NULL: no authentication */
    const char *endpoint;  /* base URL for every service, without a slash at the end; NULL: Google's */
    const char *universe;  /* "googleapis.com" */
    const char *user_agent;
    struct gcp_gate writes;    /* create, change, delete: 60 a minute and region */
    struct gcp_gate reads;     /* get, list: 1200 a minute */
    struct gcp_gate log_reads; /* entries:list: 60 a minute and project */
    struct gcp_call *calls;    /* in progress */
};

struct gcp_request {
    const char *method;
    const char *url;  /* copied, like all below */
    const char *body; /* NULL: none */
    size_t body_len;
    const char *content_type;              /* NULL: application/json */
    const struct skl_http_header *headers; /* further ones; may be NULL */
    const char *what;                      /* begins error messages: "create function skls-..." */
    enum gcp_policy policy;
    struct gcp_gate *gate;   /* may be NULL */
    int64_t deadline;        /* monotonic; 0: GCP_CALL_TIMEOUT from now */
    bool gate_taken;         /* the turn at the gate was taken (gcp_gate_take) and waited for */
    int64_t attempt_timeout; /* 0: GCP_ATTEMPT_TIMEOUT */
    size_t max_response;     /* 0: 4 MiB */
    bool no_auth;
    bool object; /* a JSON object is expected: a 2xx answer that is none is tried again a few times, then a fault */
};
#define GCP_CALL_TIMEOUT    (INT64_C(120) * 1000000000)
#define GCP_ATTEMPT_TIMEOUT (INT64_C(60) * 1000000000)

/* Borrowed until the callback returns. */
struct gcp_reply {
    const struct skl_error *error; /* NULL: a 2xx answer */
    const struct gcp_fault *fault; /* with error: what it was */
    const char *body;              /* NUL-terminated; "" when there is none */
    size_t body_len;
    struct json_object *json;                 /* the body, when it is JSON */
    bool ambiguous;                           /* an earlier try may have had its effect */
    const char *location;                     /* with error: where a redirect (3xx) points, or NULL */
    int64_t server_time;                      /* wall ns by the answer's Date; 0: unknown */
    const struct skl_http_response *response; /* for headers; set when error is NULL */
};
typedef void (*gcp_reply_fn)(void *arg, const struct gcp_reply *reply);

/* How long a request has to wait from now: takes the turn, or just looks. */
int64_t gcp_gate_take(struct gcp_gate *g, int64_t now);
int64_t gcp_gate_peek(const struct gcp_gate *g, int64_t now);

/* Sets up a zeroed client: gates, universe. */
void gcp_client_init(struct gcp_client *c, const struct skl_host *host);

/* NULL only when memory is out (no callback then). */
struct gcp_call *gcp_call_start(struct gcp_client *c, const struct gcp_request *req, gcp_reply_fn fn,
                                void *arg);
/* Takes NULL. No callback follows. */
void gcp_call_cancel(struct gcp_call *call);

/* "https://cloudfunctions.googleapis.com" + path, or the endpoint override's. New string. */
char *gcp_client_url(const struct gcp_client *c, enum gcp_service service, const char *path);

/* Cancels what is in progress. */
void gcp_client_fini(struct gcp_client *c);

/* Uniform in [0, 1). */
double gcp_random(const struct skl_host *host);

#endif
