/*
 * tests/fuzz/fuzz_sim_jwt.c - tokens that clients bring: anything may come, and none of it is signed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/mem.h"
#include "simulator/auth/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static EVP_PKEY *key;
    CLEANUP(free_p) char *text = xstrndup((const char *)data, size);
    struct jwt *j = jwt_read(text);

    if (key == NULL)
        key = EVP_RSA_gen(2048);
    if (j == NULL)
        return 0;
    (void)jwt_has_audience(j, "https://oauth2.googleapis.com/token");
    (void)jwt_timely(j);
    (void)jwt_text(j, "iss");
    if (jwt_verify(j, key))
        abort();
    jwt_free(j);
    return 0;
}
