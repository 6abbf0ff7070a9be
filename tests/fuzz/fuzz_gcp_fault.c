/*
 * tests/fuzz/fuzz_gcp_fault.c - error answers of any shape: first byte the status, the rest the body.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/fault.h"
#include "gcp/str.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is a success by its status and something else by its body. */
static void garbled(const char *body, size_t n)
{
    struct skl_http_response res = {.size = sizeof(res), .status = 200, .body = body, .body_len = n};
    struct gcp_fault f;
    struct skl_error err;

    gcp_fault_garbled(&f, &res);
    if (strlen(f.text) >= sizeof(f.text) || !*f.text || f.code == GCP_OK)
        abort();
    gcp_fault_to_error(&f, "do something", &err);
    if (!gcp_utf8_valid(err.message))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504, 302, 418, 200};
    struct gcp_fault f;
    struct skl_error err;
    char *body; /* NUL-terminated, as the host gives it */
    int status;

    if (!size || !(body = malloc(size)))
        return 0;
    memcpy(body, data + 1, size - 1);
    body[size - 1] = '\0';
    status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
    gcp_fault_from_body(&f, status, body, size - 1);
    if (strlen(f.text) >= sizeof(f.text) || (status != 200 && !*f.text) || f.retry_after_ns < -1)
        abort();
    for (enum gcp_policy p = GCP_READ; p <= GCP_ONCE; p++)
        (void)gcp_fault_verdict(&f, p);
    gcp_fault_to_error(&f, "do something", &err);
    if (!gcp_utf8_valid(err.message))
        abort();
    garbled(body, size - 1);
    free(body);
    return 0;
}
