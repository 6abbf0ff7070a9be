/*
 * simulator/parse.c - see parse.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/parse.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#define FORM_MAX (256u * 1024)

char *form_value(const char *form, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = form; p != NULL && *p != '\0'; p = strchr(p, '&') != NULL ? strchr(p, '&') + 1 : NULL)
        if (strncmp(p, name, n) == 0 && p[n] == '=') {
            struct buf b;
            buf_init(&b, FORM_MAX);
            if (url_decode(&b, p + n + 1, strcspn(p + n + 1, "&"), true) == 0)
                return buf_steal(&b, NULL);
            buf_fini(&b);
            return NULL;
        }
    return NULL;
}

char *multipart_next(char **at, const char *end, const char *boundary, size_t *ret_n, char **ret_type)
{
    char *start = memmem(*at, (size_t)(end - *at), boundary, strlen(boundary)), *head, *body, *stop, *type;

    head = start != NULL ? start + strlen(boundary) : NULL;
    body = head != NULL ? memmem(head, (size_t)(end - head), "\r\n\r\n", 4) : NULL;
    stop = body != NULL ? memmem(body, (size_t)(end - body), boundary, strlen(boundary)) : NULL;
    if (stop == NULL || stop - body < 6)
        return NULL;
    *body = '\0';
    type = strcasestr(head, "content-type:");
    *ret_type = type != NULL ? str_trim(xstrndup(type + 13, strcspn(type + 13, "\r\n"))) : NULL;
    *ret_n = (size_t)(stop - body) - 6; /* "\r\n\r\n" before, "\r\n" behind */
    *at = stop;
    return body + 4;
}

bool range_read(const char *text, uint64_t size, uint64_t *ret_from, uint64_t *ret_n)
{
    CLEANUP(free_p) char *spec = text != NULL && str_starts(text, "bytes=") ? xstrdup(text + 6) : NULL;
    char *dash = spec != NULL ? strchr(spec, '-') : NULL;
    uint64_t from = 0, to = size - 1;

    if (dash == NULL || size == 0 || strchr(spec, ',') != NULL)
        return false;
    *dash = '\0';
    if (spec[0] == '\0') {
        if (!str_to_u64(dash + 1, 1, INT64_MAX, &from))
            return false;
        from = from > size ? 0 : size - from;
    } else if (!str_to_u64(spec, 0, size - 1, &from) || (dash[1] != '\0' && !str_to_u64(dash + 1, from, INT64_MAX, &to))) {
        return false;
    }
    to = to >= size ? size - 1 : to;
    *ret_from = from;
    *ret_n = to - from + 1;
    return true;
}

bool content_range_read(const char *text, uint64_t have, uint64_t *ret_total)
{
    unsigned long long from, to, total;
    const char *slash = text != NULL ? strchr(text, '/') : NULL;

    *ret_total = UINT64_MAX;
    if (text == NULL)
        return have == 0;
    if (sscanf(text, "bytes */%20llu", &total) == 1) {
        *ret_total = total;
        return true;
    }
    if (str_eq(text, "bytes */*"))
        return true;
    if (slash == NULL || sscanf(text, "bytes %20llu-%20llu/", &from, &to) != 2 || from != have)
        return false;
    if (sscanf(slash + 1, "%20llu", &total) == 1)
        *ret_total = total;
    return true;
}
