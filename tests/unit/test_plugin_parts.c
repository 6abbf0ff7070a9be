/*
 * tests/unit/test_plugin_parts.c - what core/plugin stands on: structs of other versions, handles, option tables.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>
#include "plugin/handle.h"
#include "plugin/options.h"
#include "plugin/take.h"
#include "tests/unit/harness.h"

struct now {
    uint32_t size;
    uint32_t first;
    uint64_t later;
};

/* ---- take.h ---- */

static void test_take_older(void)
{
    /* On the heap and of its exact size: a sanitizer sees what is read beyond. */
    uint32_t *old = malloc(2 * sizeof(*old));
    struct now mine;

    memset(&mine, 0xff, sizeof(mine));
    old[0] = 2 * sizeof(*old);
    old[1] = 7;
    UNIT_INT_EQ(take_struct(&mine, sizeof(mine), old, TAKE_MIN(struct now, first)), 0);
    UNIT_INT_EQ(mine.size, sizeof(mine));
    UNIT_INT_EQ(mine.first, 7);
    UNIT_INT_EQ(mine.later, 0);
    free(old);
}

static void test_take_newer(void)
{
    struct {
        struct now known;
        uint64_t unknown;
    } newer = {{sizeof(newer), 7, 8}, 9};
    struct now mine[2];

    memset(mine, 0x11, sizeof(mine));
    UNIT_INT_EQ(take_struct(&mine[0], sizeof(mine[0]), &newer, TAKE_MIN(struct now, first)), 0);
    UNIT_INT_EQ(mine[0].size, sizeof(mine[0]));
    UNIT_INT_EQ(mine[0].later, 8);
    UNIT_INT_EQ(mine[1].first, 0x11111111);
}

static void test_take_garbage(void)
{
    const uint32_t sizes[] = {0, 4, 7, TAKE_SIZE_MAX + 1, UINT32_MAX};
    struct now mine, theirs = {0};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        theirs.size = sizes[i];
        CU_ASSERT(take_struct(&mine, sizeof(mine), &theirs, TAKE_MIN(struct now, first)) < 0);
    }
}

/* ---- handles ---- */

static void test_handles(void)
{
    int a, b;
    void *first, *second, *again;
    struct handles h;

    handles_init(&h);
    first = handle_new(&h, HANDLE_CALL, &a, "create");
    second = handle_new(&h, HANDLE_TIMER, &b, "a timer");
    CU_ASSERT_PTR_EQUAL(handle_get(&h, HANDLE_CALL, first), &a);
    CU_ASSERT_PTR_EQUAL(handle_get(&h, HANDLE_TIMER, second), &b);
    CU_ASSERT_PTR_NULL(handle_get(&h, HANDLE_TIMER, first)); /* another kind */
    handle_drop(&h, first);
    CU_ASSERT_PTR_NULL(handle_get(&h, HANDLE_CALL, first));
    UNIT_STR_EQ(handle_label(&h, first), "create"); /* for the report */
    handle_drop(&h, first);                         /* to no effect */
    again = handle_new(&h, HANDLE_CALL, &b, "start");
    CU_ASSERT_PTR_NOT_EQUAL(again, first); /* the slot, not the number */
    CU_ASSERT_PTR_NULL(handle_get(&h, HANDLE_CALL, first));
    handle_drop(&h, first);
    CU_ASSERT_PTR_EQUAL(handle_get(&h, HANDLE_CALL, again), &b);
    UNIT_INT_EQ(h.live, 2);
    handles_fini(&h);
}

static void test_handles_that_never_were(void)
{
    int a;
    struct handles h;
    const uintptr_t wild[] = {0, 1, 2, 0xfff, UINTPTR_MAX, UINTPTR_MAX - 7};

    handles_init(&h);
    handle_new(&h, HANDLE_CALL, &a, "create");
    for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        CU_ASSERT_PTR_NULL(handle_get(&h, HANDLE_CALL, (const void *)wild[i]));
        handle_drop(&h, (const void *)wild[i]);
    }
    CU_ASSERT_PTR_NULL(handle_get(&h, HANDLE_CALL, &a));
    UNIT_INT_EQ(h.live, 1);
    handles_fini(&h);
}

/* ---- options ---- */

static const char *const colours[] = {"red", "green", NULL};

#define OPT(type, name, def, choices, min, max) {sizeof(struct skl_option), type, name, NULL, def, "help", choices, min, max}
#define END {0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0}

static void expect_table(const struct skl_option *table, const char *words)
{
    struct options o;
    struct skl_error err = {0};

    CU_ASSERT(options_check(&o, table, &err) < 0);
    CU_ASSERT(strstr(err.message, words) != NULL);
    if (strstr(err.message, words) == NULL)
        UNIT_STR_EQ(err.message, words);
    options_fini(&o);
}

static void test_tables(void)
{
    const struct skl_option bad_type[] = {OPT(9, "a", NULL, NULL, 0, 0), END}, bad_name[] = {OPT(1, "A b", NULL, NULL, 0, 0), END},
                            twice[] = {OPT(1, "a", NULL, NULL, 0, 0), OPT(1, "a", NULL, NULL, 0, 0), END},
                            no_choices[] = {OPT(SKL_OPT_ENUM, "a", NULL, NULL, 0, 0), END},
                            bounds[] = {OPT(SKL_OPT_INT, "a", "1", NULL, 5, 2), END},
                            bad_default[] = {OPT(SKL_OPT_INT, "a", "9", NULL, 1, 5), END},
                            secret[] = {OPT(SKL_OPT_SECRET, "a", "x", NULL, 0, 0), END};
    struct skl_option short_entry[] = {OPT(1, "a", NULL, NULL, 0, 0), END};

    short_entry[0].size = 12;
    expect_table(bad_type, "has a type (9) that this daemon does not know");
    expect_table(bad_name, "has no proper name");
    expect_table(twice, "option a is there twice");
    expect_table(no_choices, "option a has no choices");
    expect_table(bounds, "bounds the wrong way round");
    expect_table(bad_default, "the default of option a");
    expect_table(secret, "is a secret with a default");
    expect_table(short_entry, "has a wrong size");
}

/* The value of the one option of that type, given as JSON, or the error. */
static int64_t number(uint32_t type, const char *json, char *ret_error)
{
    const struct skl_option table[] = {OPT(type, "a", NULL, type == SKL_OPT_ENUM ? colours : NULL, type == SKL_OPT_INT ? -5 : 0, type == SKL_OPT_INT ? 5 : 0), END};
    struct json_object *section = json_object_new_object();
    struct option_values v;
    struct options o;
    struct skl_error err = {0};
    int64_t n = INT64_MIN;

    json_object_object_add(section, "a", json_tokener_parse(json));
    UNIT_INT_EQ(options_check(&o, table, &err), 0);
    if (option_values_init(&v, &o, section, "f: drivers.d", &err) == 0) {
        n = v.pointers[0]->num;
        UNIT_INT_EQ(v.pointers[0]->is_set, 1);
        option_values_fini(&v);
    }
    memcpy(ret_error, err.message, sizeof(err.message));
    options_fini(&o);
    json_object_put(section);
    return n;
}

static void test_values(void)
{
    char why[SKL_ERROR_MESSAGE_MAX];

    UNIT_INT_EQ(number(SKL_OPT_INT, "-5", why), -5);
    UNIT_INT_EQ(number(SKL_OPT_BOOL, "true", why), 1);
    UNIT_INT_EQ(number(SKL_OPT_DURATION, "\"1.5s\"", why), 1500000000);
    UNIT_INT_EQ(number(SKL_OPT_DURATION, "2", why), 2000000000);
    number(SKL_OPT_INT, "6", why);
    UNIT_STR_EQ(why, "f: drivers.d.a: must be an integer from -5 to 5, not 6");
    number(SKL_OPT_INT, "18446744073709551615", why);
    CU_ASSERT(strstr(why, "must be an integer") != NULL);
    number(SKL_OPT_BOOL, "\"true\"", why);
    UNIT_STR_EQ(why, "f: drivers.d.a: must be true or false, not \"true\"");
    number(SKL_OPT_ENUM, "\"blue\"", why);
    UNIT_STR_EQ(why, "f: drivers.d.a: must be \"red\" or \"green\", not \"blue\"");
    number(SKL_OPT_STRING, "3", why);
    UNIT_STR_EQ(why, "f: drivers.d.a: must be a string, not 3");
    number(SKL_OPT_SECRET, "12345", why);
    CU_ASSERT(why[0] != '\0' && strstr(why, "12345") == NULL);
}

static void test_environment_wins(void)
{
    struct skl_option table[] = {OPT(SKL_OPT_INT, "a", "1", NULL, 0, 0), OPT(SKL_OPT_STRING, "b", NULL, NULL, 0, 0), END};
    struct option_values v;
    struct options o;
    struct skl_error err = {0};
    struct json_object *section = json_object_new_object();

    table[0].env = "SKL_TEST_OPTION_A";
    json_object_object_add(section, "a", json_object_new_int(2));
    setenv("SKL_TEST_OPTION_A", "3", 1);
    UNIT_INT_EQ(options_check(&o, table, &err), 0);
    UNIT_INT_EQ(option_values_init(&v, &o, section, "f", &err), 0);
    UNIT_INT_EQ(v.pointers[0]->num, 3);
    CU_ASSERT_PTR_NULL(v.pointers[1]->str);
    UNIT_INT_EQ(v.pointers[1]->is_set, 0);
    option_values_fini(&v);
    setenv("SKL_TEST_OPTION_A", "x", 1);
    CU_ASSERT(option_values_init(&v, &o, section, "f", &err) < 0);
    CU_ASSERT(strstr(err.message, "environment variable SKL_TEST_OPTION_A") != NULL);
    unsetenv("SKL_TEST_OPTION_A");
    options_fini(&o);
    json_object_put(section);
}

UNIT_MAIN("plugin", UNIT(test_take_older), UNIT(test_take_newer), UNIT(test_take_garbage), UNIT(test_handles),
          UNIT(test_handles_that_never_were), UNIT(test_tables), UNIT(test_values), UNIT(test_environment_wins))
