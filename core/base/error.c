/*
 * base/error.c - see error.h and include/sockerless/error.h.
 *
 * Messages often carry text from outside (a cloud's answer, a path). They are made valid UTF-8 here, once,
 * so that nobody downstream has to care.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/error.h"
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

/* Replaces invalid bytes by '?' and cuts a sequence that the size limit split. */
static void message_clean(char *m, bool was_cut)
{
    size_t n = strlen(m), i = 0;

    while (i < n) {
        size_t len = utf8_sequence(m + i, n - i);

        if (len == 0 && was_cut && n - i < 4 && (unsigned char)m[i] >= 0xC2) {
            m[i] = '\0';
            return;
        }
        if (len == 0)
            m[i] = '?';
        i += len != 0 ? len : 1;
    }
}

static void message_set(struct skl_error *err, const char *text)
{
    int n = snprintf(err->message, sizeof(err->message), "%s", text);

    message_clean(err->message, n >= (int)sizeof(err->message));
}

int error_vset(struct skl_error *err, int kind, const char *fmt, va_list ap)
{
    CLEANUP(free_p) char *text = NULL;

    if (err == NULL)
        return -1;
    text = xvasprintf(fmt, ap);
    err->kind = kind;
    err->detail = 0;
    message_set(err, text);
    return -1;
}

int error_set(struct skl_error *err, int kind, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    error_vset(err, kind, fmt, ap);
    va_end(ap);
    return -1;
}

int error_set_errno(struct skl_error *err, int kind, int errnum, const char *fmt, ...)
{
    if (err != NULL) {
        char why[128];
        CLEANUP(free_p) char *what = NULL, *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        what = xvasprintf(fmt, ap);
        va_end(ap);
        text = xasprintf("%s: %s", what, strerror_r(errnum, why, sizeof(why)));
        err->kind = kind;
        err->detail = errnum;
        message_set(err, text);
    }
    return errnum > 0 ? -errnum : -1;
}

int error_prefix(struct skl_error *err, const char *fmt, ...)
{
    if (err != NULL) {
        CLEANUP(free_p) char *prefix = NULL, *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        prefix = xvasprintf(fmt, ap);
        va_end(ap);
        text = xasprintf("%s: %s", prefix, err->message);
        message_set(err, text);
    }
    return -1;
}

void error_copy(struct skl_error *dst, const struct skl_error *src)
{
    if (dst == NULL || dst == src)
        return;
    if (src != NULL)
        *dst = *src;
    else
        *dst = (struct skl_error){0};
}

const char *error_kind_name(int kind)
{
    static const char *const names[] = {
        [SKL_ERR_NONE] = "none",
        [SKL_ERR_INVALID] = "invalid",
        [SKL_ERR_UNAUTHORIZED] = "unauthorized",
        [SKL_ERR_FORBIDDEN] = "forbidden",
        [SKL_ERR_NOT_FOUND] = "not found",
        [SKL_ERR_CONFLICT] = "conflict",
        [SKL_ERR_NOT_MODIFIED] = "not modified",
        [SKL_ERR_TOO_LARGE] = "too large",
        [SKL_ERR_UNIMPLEMENTED] = "not implemented",
        [SKL_ERR_UNAVAILABLE] = "unavailable",
        [SKL_ERR_CANCELED] = "canceled",
        [SKL_ERR_TIMEOUT] = "timeout",
        [SKL_ERR_INTERNAL] = "internal",
        [SKL_ERR_EXHAUSTED] = "exhausted",
        [SKL_ERR_BAD_GATEWAY] = "bad gateway",
    };

    return kind >= 0 && (size_t)kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}
