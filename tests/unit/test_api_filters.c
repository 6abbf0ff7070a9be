/*
 * tests/unit/test_api_filters.c - the filters parameter (reference 2.8.3, 2.8.4; cases P-43, U-55).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "api/filters.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

static const char *const allowed[] = {"label", "name", "status", "dangling", "until", NULL};

static const char *label(void *arg, const char *name)
{
    (void)arg;
    if (strcmp(name, "a") == 0)
        return "b=c";
    return strcmp(name, "empty") == 0 ? "" : NULL;
}

static void test_both_spellings(void)
{
    static const char *const texts[] = {"{\"label\":{\"a=b=c\":true}}", "{\"label\":[\"a=b=c\"]}",
                                        "{\"label\":{\"a=b=c\":false}}"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct filters f;
        UNIT_INT_EQ(filters_parse(texts[i], allowed, &f, NULL), 0);
        CU_ASSERT(filters_match_labels(&f, "label", label, NULL));
        CU_ASSERT(filters_match_exact(&f, "label", "a=b=c"));
        filters_fini(&f);
    }
}

static void test_nothing(void)
{
    static const char *const texts[] = {NULL, "", "{}", "null", "{\"label\":[]}", "{\"label\":{}}", "{\"label\":null}"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct filters f;
        UNIT_INT_EQ(filters_parse(texts[i], allowed, &f, NULL), 0);
        CU_ASSERT(!filters_has(&f, "label"));
        CU_ASSERT(filters_match_exact(&f, "label", "x"));
        filters_fini(&f);
    }
}

static void refused(const char *text, const char *message)
{
    struct skl_error err = {0};
    struct filters f;

    UNIT_INT_EQ(filters_parse(text, allowed, &f, &err), -1);
    UNIT_INT_EQ(err.kind, SKL_ERR_INVALID);
    UNIT_STR_EQ(err.message, message);
    UNIT_INT_EQ(f.n, 0);
    filters_fini(&f);
}

static void test_refused(void)
{
    refused("notjson", "invalid filter");
    refused("[]", "invalid filter");
    refused("\"x\"", "invalid filter");
    refused("{\"label\":\"x\"}", "invalid filter");
    refused("{\"label\":[1]}", "invalid filter");
    refused("{\"label\":{\"x\":1}}", "invalid filter");
    refused("{\"nope\":[\"x\"]}", "invalid filter 'nope'");
    refused("{\"label\":[\"a\\u0000b\"]}", "invalid filter 'label'");
}

static void test_labels_are_and(void)
{
    struct filters f;

    filters_parse("{\"label\":[\"a\",\"a=b=c\",\"empty\",\"empty=\"]}", allowed, &f, NULL);
    CU_ASSERT(filters_match_labels(&f, "label", label, NULL));
    filters_fini(&f);
    filters_parse("{\"label\":[\"a\",\"zz\"]}", allowed, &f, NULL);
    CU_ASSERT(!filters_match_labels(&f, "label", label, NULL));
    filters_fini(&f);
    filters_parse("{\"label!\":[\"a=b=c\"]}", NULL, &f, NULL);
    CU_ASSERT(!filters_match_labels(&f, "label!", label, NULL));
    filters_fini(&f);
    filters_parse("{\"label!\":[\"zz\"]}", NULL, &f, NULL);
    CU_ASSERT(filters_match_labels(&f, "label!", label, NULL));
    filters_fini(&f);
}

static void test_values_are_or(void)
{
    struct filters f;

    filters_parse("{\"status\":[\"exited\",\"running\"]}", allowed, &f, NULL);
    CU_ASSERT(filters_match_exact(&f, "status", "running"));
    CU_ASSERT(!filters_match_exact(&f, "status", "run"));
    CU_ASSERT(filters_match_prefix(&f, "status", "exited-x"));
    CU_ASSERT(filters_match_substring(&f, "status", "xx-exited"));
    filters_fini(&f);
}

static void test_bool(void)
{
    static const struct {
        const char *text;
        int rc;
        bool value;
    } cases[] = {
        {"{\"dangling\":[\"true\"]}", 0, true}, {"{\"dangling\":[\"0\"]}", 0, false}, {"{}", 0, true},
        {"{\"dangling\":[\"maybe\"]}", -1, true}, {"{\"dangling\":[\"true\",\"false\"]}", -1, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filters f;
        bool v = false;
        filters_parse(cases[i].text, allowed, &f, NULL);
        UNIT_INT_EQ(filters_bool(&f, "dangling", true, &v, NULL), cases[i].rc);
        UNIT_INT_EQ(v, cases[i].value);
        filters_fini(&f);
    }
}

static void test_until(void)
{
    struct filters f;
    int64_t t;

    filters_parse("{\"until\":[\"1700000000.5\"]}", allowed, &f, NULL);
    UNIT_INT_EQ(filters_until(&f, 0, &t, NULL), 0);
    UNIT_INT_EQ(t, 1700000000 * NS_PER_S + NS_PER_S / 2);
    filters_fini(&f);
    filters_parse("{\"until\":[\"24h\"]}", allowed, &f, NULL);
    UNIT_INT_EQ(filters_until(&f, 100000 * NS_PER_S, &t, NULL), 0);
    UNIT_INT_EQ(t, (100000 - 86400) * NS_PER_S);
    filters_fini(&f);
    filters_parse("{\"until\":[\"soon\"]}", allowed, &f, NULL);
    UNIT_INT_EQ(filters_until(&f, 0, &t, NULL), -1);
    filters_fini(&f);
}

static void test_patterns(void)
{
    static const struct {
        const char *pattern, *text;
        bool match;
    } cases[] = {
        {"^web$", "web", true},    {"^web$", "web2", false}, {"web", "my-web-1", true}, {"w.b", "wxb", true},
        {"web(", "a-web(", true},  {"web(", "web", false},   {"^/a", "/abc", true},     {"a{3}", "aaa", false},
        {"a{3}", "xa{3}", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *value = xstrdup(cases[i].pattern), *values[] = {value, NULL};
        struct filter f = {.values = values, .n = 1};
        struct filter_patterns *p = filter_patterns_new(&f);
        UNIT_INT_EQ(filter_patterns_match(p, cases[i].text), cases[i].match);
        filter_patterns_free(p);
        free_p(&value);
    }
    CU_ASSERT(filter_patterns_match(NULL, "x"));
}

UNIT_MAIN("api_filters", UNIT(test_both_spellings), UNIT(test_nothing), UNIT(test_refused), UNIT(test_labels_are_and),
          UNIT(test_values_are_or), UNIT(test_bool), UNIT(test_until), UNIT(test_patterns))
