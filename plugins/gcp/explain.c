/*
 * gcp/explain.c - what to do about a fault: repeat or not, and what to tell the user (declared in fault.h).
 *
 * The table is reference/gcp-api.md 5.1. A message keeps the cloud's own words and adds one next step where
 * the words alone leave a newcomer stuck.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/fault.h"
#include "gcp/str.h"

#include <stdio.h>
#include <string.h>

static bool is_rate_limit(const struct gcp_fault *f)
{
    return !strcmp(f->reason, "RATE_LIMIT_EXCEEDED") || !strcmp(f->reason, "rateLimitExceeded") ||
           !strcmp(f->reason, "userRateLimitExceeded") || strstr(f->text, "per minute");
}

/* Faults of the moment, whatever the method: the server did nothing, or asks for patience. */
static bool is_transient(const struct gcp_fault *f)
{
    switch (f->code) {
    case GCP_UNAVAILABLE:
    case GCP_INTERNAL:
    case GCP_UNKNOWN:
    case GCP_DEADLINE_EXCEEDED:
        return f->http < 300 || f->http == 408 || f->http >= 500;
    case GCP_RESOURCE_EXHAUSTED:
        return true;
    case GCP_PERMISSION_DENIED:
        return is_rate_limit(f);
    default:
        return false;
    }
}

static bool token_transient(const struct gcp_fault *f)
{
    return f->no_answer || f->http == 500 || f->http == 502 || f->http == 503 || f->http == 504 ||
           f->http == 408 || f->http == 429 || !strcmp(f->reason, "internal_failure") ||
           !strcmp(f->reason, "server_error") || !strcmp(f->reason, "temporarily_unavailable");
}

enum gcp_verdict gcp_fault_verdict(const struct gcp_fault *f, enum gcp_policy policy)
{
    if (f->code == GCP_OK || f->canceled || policy == GCP_ONCE)
        return GCP_FAIL;
    if (policy == GCP_TOKEN)
        return token_transient(f) ? GCP_RETRY : GCP_FAIL;
    if (f->code == GCP_UNAUTHENTICATED)
        return GCP_REAUTH;
    if (f->code == GCP_ABORTED && (policy == GCP_DELETE || policy == GCP_WRITE || policy == GCP_CREATE))
        return GCP_RETRY;
    return is_transient(f) ? GCP_RETRY : GCP_FAIL;
}

/* SKL_ERR_* by gRPC code. NOT_FOUND is the cloud's, not Docker's: a 404 would make the CLI pull the image. */
static int error_kind(const struct gcp_fault *f)
{
    static const int kinds[] = {
        [GCP_OK] = SKL_ERR_INTERNAL,
        [GCP_CANCELLED] = SKL_ERR_CANCELED,
        [GCP_UNKNOWN] = SKL_ERR_INTERNAL,
        [GCP_INVALID_ARGUMENT] = SKL_ERR_INVALID,
        [GCP_DEADLINE_EXCEEDED] = SKL_ERR_TIMEOUT,
        [GCP_NOT_FOUND] = SKL_ERR_INTERNAL,
        [GCP_ALREADY_EXISTS] = SKL_ERR_CONFLICT,
        [GCP_PERMISSION_DENIED] = SKL_ERR_FORBIDDEN,
        [GCP_RESOURCE_EXHAUSTED] = SKL_ERR_EXHAUSTED,
        [GCP_FAILED_PRECONDITION] = SKL_ERR_INVALID,
        [GCP_ABORTED] = SKL_ERR_CONFLICT,
        [GCP_OUT_OF_RANGE] = SKL_ERR_INVALID,
        [GCP_UNIMPLEMENTED] = SKL_ERR_UNIMPLEMENTED,
        [GCP_INTERNAL] = SKL_ERR_INTERNAL,
        [GCP_UNAVAILABLE] = SKL_ERR_UNAVAILABLE,
        [GCP_DATA_LOSS] = SKL_ERR_INTERNAL,
        [GCP_UNAUTHENTICATED] = SKL_ERR_UNAUTHORIZED,
    };

    if (f->canceled)
        return SKL_ERR_CANCELED;
    if (f->html && f->code != GCP_PERMISSION_DENIED && f->code != GCP_UNAVAILABLE)
        return SKL_ERR_BAD_GATEWAY;
    return kinds[f->code];
}

/* One line that says what to do, or "". */
static const char *next_step(const struct gcp_fault *f, char *room, size_t size)
{
    if (!strcmp(f->reason, "SERVICE_DISABLED") || strstr(f->text, "it is disabled")) {
        (void)snprintf(room, size, "Enable the API: gcloud services enable %s",
                       *f->service ? f->service : "cloudfunctions.googleapis.com run.googleapis.com");
        return room;
    }
    if (strstr(f->text, "iam.serviceaccounts.actAs") || strstr(f->text, "iam.serviceAccounts.actAs"))
        return "Grant the daemon's account roles/iam.serviceAccountUser on that service account";
    if (strstr(f->text, "INVALID_RUNTIME") || strstr(f->text, "not a supported runtime"))
        return "Google does not offer the runtime \"docker\": set \"deploy\": \"image\" for "
               "drivers.cloud-run-functions";
    if (strstr(f->text, "Quota exceeded for total allowable CPU") ||
        strstr(f->text, "maxScale may not exceed"))
        return "Remove containers that are not needed, or ask for more Cloud Run CPU quota in this region";
    if (f->code == GCP_RESOURCE_EXHAUSTED && is_rate_limit(f))
        return "The project's requests per minute are used up: it works again in a minute";
    if (!strcmp(f->reason, "invalid_grant"))
        return "The credentials are expired, revoked or the clock is wrong: log in again, or make a new key";
    if (f->code == GCP_UNAUTHENTICATED)
        return "Check the daemon's Google credentials (docs/google.md)";
    if (strstr(f->text, "failed to start and listen on the port"))
        return "The function's log tells why its process did not start";
    return "";
}

void gcp_fault_to_error(const struct gcp_fault *f, const char *what, struct skl_error *err)
{
    char room[200];
    const char *step = next_step(f, room, sizeof(room));
    char status[48] = "";

    if (f->http)
        (void)snprintf(status, sizeof(status),
                       "%s (HTTP %d): ", f->html ? "not the API's answer" : gcp_code_name(f->code), f->http);
    (void)gcp_error(err, error_kind(f), "%s: %s%s%s%s", what, status, f->text, *step ? ". " : "", step);
    err->detail = f->http ? f->http : f->code;
}
