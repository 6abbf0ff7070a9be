/*
 * api/status.c - the one table from error kinds (include/sockerless/error.h) to HTTP statuses.
 *
 * A fault of the cloud is 500 whatever the cloud's own status was: Docker clients retry or pull again on some
 * statuses (a 404 from create makes the CLI pull), and nothing the cloud says may trigger that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/status.h"
#include "base/mem.h"
#include "sockerless/error.h"

static const short statuses[] = {
    [SKL_ERR_NONE] = 200,          [SKL_ERR_INVALID] = 400,       [SKL_ERR_UNAUTHORIZED] = 401,
    [SKL_ERR_FORBIDDEN] = 403,     [SKL_ERR_NOT_FOUND] = 404,     [SKL_ERR_CONFLICT] = 409,
    [SKL_ERR_NOT_MODIFIED] = 304,  [SKL_ERR_TOO_LARGE] = 413,     [SKL_ERR_UNIMPLEMENTED] = 501,
    [SKL_ERR_UNAVAILABLE] = 503,   [SKL_ERR_CANCELED] = 500,      [SKL_ERR_TIMEOUT] = 500,
    [SKL_ERR_INTERNAL] = 500,      [SKL_ERR_EXHAUSTED] = 500,     [SKL_ERR_BAD_GATEWAY] = 500,
};

int api_status_of(int kind)
{
    if (kind < 0 || (size_t)kind >= ARRAY_LEN(statuses))
        return 500;
    return statuses[kind];
}
