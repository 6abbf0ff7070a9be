/*
 * tests/fuzz/fuzz_gcp_cred.c - credential files and tokens, which may come from somebody else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/cred.h"
#include "gcp/jwt.h"
#include "gcp/str.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct skl_error err;
    struct gcp_cred *c;
    int64_t n;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    c = gcp_cred_parse(text, size, "file", &err);
    if (c && c->token_uri && !gcp_url_trusted(c->token_uri, c->universe ? c->universe : "googleapis.com"))
        abort();
    gcp_cred_free(c);
    (void)gcp_jwt_lifetime(text, 1, &n);
    (void)gcp_url_trusted(text, "googleapis.com");
    (void)gcp_time_parse(text, &n);
    (void)gcp_http_date_parse(text, &n);
    (void)gcp_duration_parse(text, &n);
    free(text);
    return 0;
}
