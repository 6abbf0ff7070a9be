/*
 * Tests of base/error.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/str.h"
#include "tests/unit/harness.h"

static void test_set_and_prefix(void)
{
    struct skl_error e = {0}, f;

    UNIT_INT_EQ(error_set(&e, SKL_ERR_CONFLICT, "name %s is taken", "x"), -1);
    UNIT_INT_EQ(e.kind, SKL_ERR_CONFLICT);
    UNIT_STR_EQ(e.message, "name x is taken");
    UNIT_INT_EQ(error_prefix(&e, "create %d", 1), -1);
    UNIT_STR_EQ(e.message, "create 1: name x is taken");
    UNIT_INT_EQ(e.kind, SKL_ERR_CONFLICT);
    error_copy(&f, &e);
    UNIT_STR_EQ(f.message, e.message);
    error_copy(&f, NULL);
    UNIT_INT_EQ(f.kind, SKL_ERR_NONE);
    error_copy(NULL, &e);
}

static void test_null_err(void)
{
    UNIT_INT_EQ(error_set(NULL, SKL_ERR_INVALID, "x"), -1);
    UNIT_INT_EQ(error_prefix(NULL, "x"), -1);
    UNIT_INT_EQ(error_set_errno(NULL, SKL_ERR_INTERNAL, ENOENT, "x"), -ENOENT);
}

static void test_errno(void)
{
    struct skl_error e;

    UNIT_INT_EQ(error_set_errno(&e, SKL_ERR_NOT_FOUND, ENOENT, "open %s", "/x"), -ENOENT);
    UNIT_STR_EQ(e.message, "open /x: No such file or directory");
    UNIT_INT_EQ(e.detail, ENOENT);
}

static void test_cut_at_a_character(void)
{
    struct skl_error e;
    char text[SKL_ERROR_MESSAGE_MAX + 10];

    for (size_t pad = 0; pad < 3; pad++) {
        memset(text, 'x', pad);
        for (size_t i = pad; i + 3 < sizeof(text); i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 4);
        error_set(&e, SKL_ERR_INTERNAL, "%s", text);
        CU_ASSERT_TRUE(utf8_valid(e.message, strlen(e.message)));
        CU_ASSERT_TRUE(strlen(e.message) > SKL_ERROR_MESSAGE_MAX - 5);
        CU_ASSERT_PTR_NULL(strchr(e.message, '?'));
    }
}

static void test_invalid_bytes(void)
{
    struct skl_error e;

    error_set(&e, SKL_ERR_INTERNAL, "a\xFF%s", "b\xC3");
    UNIT_STR_EQ(e.message, "a?b?");
}

static void test_kind_names(void)
{
    UNIT_STR_EQ(error_kind_name(SKL_ERR_NOT_FOUND), "not found");
    UNIT_STR_EQ(error_kind_name(SKL_ERR_BAD_GATEWAY), "bad gateway");
    UNIT_STR_EQ(error_kind_name(-1), "unknown");
    UNIT_STR_EQ(error_kind_name(99), "unknown");
}

UNIT_MAIN("error", UNIT(test_set_and_prefix), UNIT(test_null_err), UNIT(test_errno), UNIT(test_cut_at_a_character),
          UNIT(test_invalid_bytes), UNIT(test_kind_names))
