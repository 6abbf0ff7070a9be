/*
 * tests/fuzz/fuzz_api_filters.c - the filters parameter, patterns included.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include "api/filters.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *label(void *arg, const char *name)
{
    (void)arg;
    return name[0] == 'a' ? "v" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(free_p) char *s = xstrndup((const char *)data, size);
    struct filters f;
    struct filter_patterns *p;
    int64_t t;
    bool b;

    if (filters_parse(s, NULL, &f, NULL) < 0)
        return 0;
    p = filter_patterns_new(filters_get(&f, "name"));
    filter_patterns_match(p, "web-1");
    filter_patterns_free(p);
    filters_match_labels(&f, "label", label, NULL);
    filters_match_exact(&f, "status", "running");
    filters_bool(&f, "dangling", true, &b, NULL);
    filters_until(&f, 1, &t, NULL);
    filters_fini(&f);
    return 0;
}
