/*
 * sockerless/error.h - what went wrong, in a form that crosses the plugin line.
 *
 * An error is caller-owned, fixed-size storage: making one never allocates. `kind` decides the
 * HTTP status of the Docker API's answer (one table, core/api/status.c); `message` keeps the
 * cloud's own words, since that is what the user sees. Messages hold no secrets.
 *
 * Convention: a fallible function returns 0 or a negative value and takes `struct skl_error *err`
 * as its last argument; err may be NULL, is untouched on success and filled on failure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOCKERLESS_ERROR_H
#define SOCKERLESS_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Kinds (values are ABI: never renumber, only append). The HTTP status in brackets. */
enum {
    SKL_ERR_NONE = 0,
    SKL_ERR_INVALID = 1,       /* 400 a bad parameter, a malformed body */
    SKL_ERR_UNAUTHORIZED = 2,  /* 401 */
    SKL_ERR_FORBIDDEN = 3,     /* 403 */
    SKL_ERR_NOT_FOUND = 4,     /* 404 */
    SKL_ERR_CONFLICT = 5,      /* 409 */
    SKL_ERR_NOT_MODIFIED = 6,  /* 304 already in the state asked for */
    SKL_ERR_TOO_LARGE = 7,     /* 413 */
    SKL_ERR_UNIMPLEMENTED = 8, /* 501 */
    SKL_ERR_UNAVAILABLE = 9,   /* 503 */
    SKL_ERR_CANCELED = 10,     /* 500; the caller went away or the object was removed */
    SKL_ERR_TIMEOUT = 11,      /* 500; a deadline passed (the Docker API has no 504) */
    SKL_ERR_INTERNAL = 12,     /* 500 */
    SKL_ERR_EXHAUSTED = 13,    /* 500; a quota or rate limit of the cloud (gRPC RESOURCE_EXHAUSTED) */
    SKL_ERR_BAD_GATEWAY = 14   /* 500; the cloud answered with something that is not its protocol */
};

#define SKL_ERROR_MESSAGE_MAX 1024

struct skl_error {
    int32_t kind;     /* SKL_ERR_* */
    int32_t detail;   /* errno, HTTP status or gRPC code of the source; 0 if none */
    char message[SKL_ERROR_MESSAGE_MAX]; /* UTF-8, NUL-terminated, cut at a character */
};

#ifdef __cplusplus
}
#endif
#endif
