/*
 * tests/unit/test_api_version.c - the version prefix (reference 2.1.1 to 2.1.3) and the table of statuses.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "api/api.h"
#include "api/status.h"
#include "api/version.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

static int compare(const char *a, const char *b)
{
    return version_compare(a, strlen(a), b, strlen(b));
}

static void test_compare_is_numeric(void)
{
    CU_ASSERT(compare("1.9", "1.24") < 0);
    CU_ASSERT(compare("1.44", "1.24") > 0);
    UNIT_INT_EQ(compare("1.44", "1.44.0"), 0);
    CU_ASSERT(compare("2.0", "1.44") > 0);
    CU_ASSERT(compare("1.99999999999999999999", "1.44") > 0);
    CU_ASSERT(compare("1", "1.24") < 0);
}

static void test_split_good(void)
{
    static const struct {
        const char *path, *rest;
        int minor;
    } cases[] = {
        {"/v1.41/containers/json", "/containers/json", 41},
        {"/v1.24/version", "/version", 24},
        {"/v1.44/_ping", "/_ping", 44},
        {"/info", "/info", API_MINOR_MAX},
        {"/volumes", "/volumes", API_MINOR_MAX},
        {"/volumes/v1.2/x", "/volumes/v1.2/x", API_MINOR_MAX},
        {"/v1.44", "/v1.44", API_MINOR_MAX},
        {"/v/info", "/v/info", API_MINOR_MAX},
        {"/", "/", API_MINOR_MAX},
        {"", "", API_MINOR_MAX},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *rest;
        int minor, old;
        UNIT_INT_EQ(version_split(cases[i].path, &rest, &minor, &old, NULL), 0);
        UNIT_STR_EQ(rest, cases[i].rest);
        UNIT_INT_EQ(minor, cases[i].minor);
    }
}

static void test_split_refused(void)
{
    struct skl_error err = {0};
    const char *rest;
    int minor, old;

    UNIT_INT_EQ(version_split("/v1.99/info", &rest, &minor, &old, &err), -1);
    UNIT_STR_EQ(err.message, "client version 1.99 is too new. Maximum supported API version is 1.44");
    UNIT_INT_EQ(old, 0);
    UNIT_INT_EQ(version_split("/v1.9/info", &rest, &minor, &old, &err), -1);
    UNIT_STR_EQ(err.message, "client version 1.9 is too old. Minimum supported API version is 1.24, please upgrade "
                             "your client to a newer version");
    UNIT_INT_EQ(old, 1);
    UNIT_INT_EQ(version_split("/v99999999999999999999999999999999999999999999999.1/x", &rest, &minor, &old, &err), -1);
}

static void test_statuses(void)
{
    UNIT_INT_EQ(api_status_of(SKL_ERR_INVALID), 400);
    UNIT_INT_EQ(api_status_of(SKL_ERR_NOT_MODIFIED), 304);
    UNIT_INT_EQ(api_status_of(SKL_ERR_UNIMPLEMENTED), 501);
    UNIT_INT_EQ(api_status_of(SKL_ERR_BAD_GATEWAY), 500);
    UNIT_INT_EQ(api_status_of(-1), 500);
    UNIT_INT_EQ(api_status_of(1000), 500);
}

UNIT_MAIN("api_version", UNIT(test_compare_is_numeric), UNIT(test_split_good), UNIT(test_split_refused),
          UNIT(test_statuses))
