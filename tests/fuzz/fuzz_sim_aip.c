/*
 * tests/fuzz/fuzz_sim_aip.c - filters of list requests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include "base/mem.h"
#include "json/json.h"
#include "simulator/aip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char resource[] = "{\"name\":\"f-one\",\"state\":\"ACTIVE\",\"labels\":{\"a\":\"b\",\"c.d\":\"e\"},\"serviceConfig\":{\"timeoutSeconds\":60},"
                                   "\"updateTime\":\"2026-01-02T03:04:05Z\"}";
    CLEANUP(free_p) char *text = xstrndup((const char *)data, size);
    struct json_object *o = json_parse_object(resource, sizeof(resource) - 1, sizeof(resource), NULL);
    struct aip *f = aip_parse(text, NULL);

    if (f != NULL)
        (void)aip_match(f, o);
    aip_free(f);
    json_object_put(o);
    return 0;
}
