/*
 * base/error.h - making errors. The type and the convention: include/sockerless/error.h.
 *
 * The makers return a negative value so that `return error_set(err, ...)` is one line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_ERROR_H
#define SKL_BASE_ERROR_H

#include <stdarg.h>
#include "sockerless/error.h"

/* Fills err (may be NULL) and returns -1. */
int error_set(struct skl_error *err, int kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int error_vset(struct skl_error *err, int kind, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

/* As error_set, with ": strerror(errnum)" appended and detail = errnum. Returns -errnum. */
int error_set_errno(struct skl_error *err, int kind, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before the message of an error on its way up. Returns -1. */
int error_prefix(struct skl_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Copies src to dst (either may be NULL; NULL src clears dst). */
void error_copy(struct skl_error *dst, const struct skl_error *src);

/* "not found", "conflict", ...: for logs. */
const char *error_kind_name(int kind);

#endif
