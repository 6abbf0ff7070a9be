/*
 * gcp/str.h - text for Google plugins: a growable string, encodings, times, and making errors.
 *
 * A plugin sees no core header, so the few helpers it needs are here. A string that could not grow is
 * `failed` for good: a chain of appends needs one check at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_STR_H
#define SKL_GCP_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sockerless/error.h"

#define GCP_SECOND INT64_C(1000000000)
#define GCP_MSEC   INT64_C(1000000)

struct gcp_str {
    char *data; /* NUL-terminated once anything was appended */
    size_t len;
    size_t cap;
    bool failed;
};

void gcp_str_fini(struct gcp_str *s);
void gcp_str_append(struct gcp_str *s, const void *p, size_t n);
void gcp_str_puts(struct gcp_str *s, const char *text);
void gcp_str_printf(struct gcp_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Percent-encodes everything but RFC 3986's unreserved characters. */
void gcp_str_put_encoded(struct gcp_str *s, const char *text);
/* "key=value" of a form or query, encoded, with '&' before it when the string is not empty or ends in '?'. */
void gcp_str_put_pair(struct gcp_str *s, const char *key, const char *value);
void gcp_str_put_base64(struct gcp_str *s, const void *p, size_t n);
void gcp_str_put_base64url(struct gcp_str *s, const void *p, size_t n); /* no padding */
/* "" when empty; NULL when failed. */
const char *gcp_str_get(const struct gcp_str *s);
/* Caller frees; the string is empty afterwards. NULL when failed. */
char *gcp_str_take(struct gcp_str *s);

/* New string from a format, or NULL. Caller frees. */
char *gcp_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* strdup that takes NULL (gives NULL). */
char *gcp_dup(const char *text);
/* Decodes base64url or base64, padding optional. Caller frees; NULL when malformed. The result is
 * NUL-terminated. */
char *gcp_base64_decode(const char *text, size_t n, size_t *ret_len);

#define GCP_TIME_MAX 64
/* RFC 3339 with nanoseconds in UTC. */
void gcp_time_format(int64_t wall_ns, char out[GCP_TIME_MAX]);
/* Any offset, any number of fraction digits. False when it is not a time. */
bool gcp_time_parse(const char *text, int64_t *ret_ns);
/* An HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT"), in ns. */
bool gcp_http_date_parse(const char *text, int64_t *ret_ns);
/* "30s", "1.5s": a protobuf Duration. */
bool gcp_duration_parse(const char *text, int64_t *ret_ns);

bool gcp_utf8_valid(const char *text);
bool gcp_has_prefix(const char *text, const char *prefix);

/* Fills err (may be NULL), cut at a character; returns -1. */
int gcp_error(struct skl_error *err, int kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
