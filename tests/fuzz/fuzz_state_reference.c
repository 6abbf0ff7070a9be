/*
 * tests/fuzz/fuzz_state_reference.c - image references: what parses has one normal form, and that parses to itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "state/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(free_p) char *text = xstrndup((const char *)data, size);
    CLEANUP(free_p) char *full = reference_normalise(text, NULL);
    CLEANUP(free_p) char *again = NULL;
    CLEANUP(free_p) char *familiar = NULL;
    CLEANUP(free_p) char *back = NULL;
    struct reference r;

    if (full == NULL)
        return 0;
    again = reference_normalise(full, NULL);
    if (again == NULL || strcmp(full, again) != 0 || reference_parse(full, &r, NULL) < 0)
        abort();
    familiar = reference_familiar(&r);
    reference_fini(&r);
    back = reference_normalise(familiar, NULL);
    if (back == NULL || strcmp(full, back) != 0)
        abort();
    return 0;
}
