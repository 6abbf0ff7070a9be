/*
 * gcp/fault.h - what went wrong in an exchange with Google, in one form.
 *
 * A failure comes in many shapes: an error body (object, or wrapped in an array), an OAuth error, HTML of a
 * front end, nothing readable, no answer at all, or the `error` of a long-running operation, whose code is
 * gRPC's and not HTTP's. A fault holds what they have in common; what to do about it is decided here in one
 * table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_FAULT_H
#define SKL_GCP_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sockerless/driver.h"

struct json_object;

/* gRPC status codes. */
enum gcp_code {
    GCP_OK = 0,
    GCP_CANCELLED = 1,
    GCP_UNKNOWN = 2,
    GCP_INVALID_ARGUMENT = 3,
    GCP_DEADLINE_EXCEEDED = 4,
    GCP_NOT_FOUND = 5,
    GCP_ALREADY_EXISTS = 6,
    GCP_PERMISSION_DENIED = 7,
    GCP_RESOURCE_EXHAUSTED = 8,
    GCP_FAILED_PRECONDITION = 9,
    GCP_ABORTED = 10,
    GCP_OUT_OF_RANGE = 11,
    GCP_UNIMPLEMENTED = 12,
    GCP_INTERNAL = 13,
    GCP_UNAVAILABLE = 14,
    GCP_DATA_LOSS = 15,
    GCP_UNAUTHENTICATED = 16
};

#define GCP_FAULT_TEXT_MAX 800

struct gcp_fault {
    int http;                      /* status of the answer; 0: no answer, or the fault of an operation */
    int code;                      /* enum gcp_code; GCP_OK: no fault */
    bool no_answer;                /* the connection failed or broke */
    bool sent;                     /* with no_answer: bytes of the request may have reached the server */
    bool canceled;                 /* the request was cancelled by us */
    bool html;                     /* a front end's page or the like, not the API's answer */
    int64_t retry_after_ns;        /* from RetryInfo or Retry-After; -1: none */
    char reason[64];               /* ErrorInfo.reason or the OAuth error's name; "" */
    char service[96];              /* ErrorInfo.metadata.service; "" */
    char text[GCP_FAULT_TEXT_MAX]; /* the cloud's own words, one line */
};

/* From an HTTP answer's parts; pure, for any bytes. Status 2xx gives GCP_OK. */
void gcp_fault_from_body(struct gcp_fault *f, int status, const char *body, size_t n);
/* From what the host's HTTP client gave; reads Retry-After too. */
void gcp_fault_from_response(struct gcp_fault *f, const struct skl_http_response *res, int64_t wall_now);
/* From a 2xx answer that is not what the API says: of use to nobody, but it tells who answered. */
void gcp_fault_garbled(struct gcp_fault *f, const struct skl_http_response *res);
/* From google.rpc.Status ({code, message, details}), as operations carry it. */
void gcp_fault_from_status(struct gcp_fault *f, struct json_object *status);

/* The Docker-side error: "what: the cloud's words", and the next step where there is one. */
void gcp_fault_to_error(const struct gcp_fault *f, const char *what, struct skl_error *err);

/* How a method may be repeated. */
enum gcp_policy {
    GCP_READ,   /* GET, list, search: any number of times */
    GCP_DELETE, /* as READ, and 409 ABORTED ("unable to queue the operation") waits for its turn */
    GCP_CREATE, /* the resource's name makes it safe: a repeat that meets its own earlier try is told
                   ALREADY_EXISTS */
    GCP_WRITE,  /* with an etag or naturally repeatable; like DELETE */
    GCP_TOKEN,  /* token endpoints: few, short tries */
    GCP_ONCE    /* never repeated */
};
enum gcp_verdict {
    GCP_FAIL,
    GCP_RETRY, /* after a delay */
    GCP_REAUTH /* drop the token, once */
};
enum gcp_verdict gcp_fault_verdict(const struct gcp_fault *f, enum gcp_policy policy);

/* The words for a gRPC code ("NOT_FOUND"), and back (-1 when unknown). */
const char *gcp_code_name(int code);
int gcp_code_from_name(const char *name);
int gcp_code_from_http(int status);

#endif
