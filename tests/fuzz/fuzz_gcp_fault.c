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
    free(body);
    return 0;
}
