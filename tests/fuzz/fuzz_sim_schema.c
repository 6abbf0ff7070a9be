/*
 * tests/fuzz/fuzz_sim_schema.c - what clients of the simulator send: requests in JSON, and update masks. The first line is the mask, all
 * else the JSON. What is read must read the same again: canonical form is canonical.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "json/json.h"
#include "simulator/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct schema_message *m, struct json_object *in, const char *mask)
{
    struct schema_violation bad;
    struct json_object *one = schema_read(m, in, "it", &bad), *two = one != NULL ? schema_read(m, one, "it", &bad) : NULL;
    CLEANUP(free_p) char **paths = mask_parse(m, mask, NULL), **all = one != NULL ? mask_of(one) : NULL;
    struct json_object *to = json_new_object();

    if (one != NULL && (two == NULL || !json_equal(one, two)))
        abort();
    if (one != NULL && paths != NULL)
        mask_apply(paths, to, one);
    if (all != NULL)
        mask_apply(all, to, one);
    json_object_put(to);
    json_object_put(one);
    json_object_put(two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *nl = size > 0 ? memchr(text, '\n', size) : NULL;
    CLEANUP(free_p) char *mask = nl != NULL ? xstrndup(text, (size_t)(nl - text)) : NULL;
    struct json_object *in;

    if (nl == NULL)
        return 0;
    in = json_parse(nl + 1, size - (size_t)(nl + 1 - text), 1u << 20, JSON_WANT_OBJECT, NULL, NULL);
    if (in == NULL)
        return 0;
    check(schema_function, in, mask);
    check(schema_service, in, mask);
    check(schema_set_iam_policy_request, in, mask);
    json_object_put(in);
    return 0;
}
