/*
 * simulator/parse.h - small formats of requests: forms, multipart bodies, ranges.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_PARSE_H
#define SKL_SIM_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value of an application/x-www-form-urlencoded body. Caller frees; NULL: not there, or malformed. */
char *form_value(const char *form, const char *name);

/* The part that begins at *at, of a copy that ends at `end` with a NUL: its body, with *at behind it and its content type (caller frees; may be
 * NULL). NULL: there is none. boundary has its two dashes. */
char *multipart_next(char **at, const char *end, const char *boundary, size_t *ret_n, char **ret_type);

/* "bytes=0-99", "bytes=100-", "bytes=-5" of a file of that size; one range. False: there is none to honour. */
bool range_read(const char *text, uint64_t size, uint64_t *ret_from, uint64_t *ret_n);

/* "bytes 0-99/100", the total or all of it may be a star. False: malformed, or it does not go on at `have`. *ret_total UINT64_MAX: not known. */
bool content_range_read(const char *text, uint64_t have, uint64_t *ret_total);

#endif
