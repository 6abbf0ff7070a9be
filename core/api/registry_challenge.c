/*
 * api/registry_challenge.c - WWW-Authenticate: Bearer realm="...",service="...",scope="..."
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "api/registry.h"
#include "base/buf.h"
#include "base/mem.h"

#define CHALLENGE_MAX 4096u

/* A token or a quoted string; *s moves behind it. Caller frees. */
static char *take_value(const char **s)
{
    struct buf out;

    buf_init(&out, CHALLENGE_MAX);
    if (**s != '"') {
        size_t n = strcspn(*s, ", \t");
        buf_append(&out, *s, n);
        *s += n;
        return buf_steal(&out, NULL);
    }
    for ((*s)++; **s != '\0' && **s != '"'; (*s)++) {
        if (**s == '\\' && (*s)[1] != '\0')
            (*s)++;
        buf_putc(&out, **s);
    }
    *s += **s == '"';
    return buf_steal(&out, NULL);
}

static void take_parameter(const char **s, struct registry_challenge *ret)
{
    size_t n = strcspn(*s, "=, \t");
    const char *name = *s;
    char *value;
    char **to = NULL;

    *s += n;
    if (**s != '=')
        return;
    (*s)++;
    value = take_value(s);
    if (n == 5 && strncasecmp(name, "realm", n) == 0)
        to = &ret->realm;
    if (n == 7 && strncasecmp(name, "service", n) == 0)
        to = &ret->service;
    if (n == 5 && strncasecmp(name, "scope", n) == 0)
        to = &ret->scope;
    if (to != NULL && *to == NULL)
        *to = STEAL(value);
    free(value);
}

int registry_challenge_parse(const char *header, struct registry_challenge *ret)
{
    *ret = (struct registry_challenge){0};
    if (header == NULL || strlen(header) > CHALLENGE_MAX)
        return -1;
    header += strspn(header, " \t");
    if (strncasecmp(header, "Basic", 5) == 0)
        return 0;
    if (strncasecmp(header, "Bearer ", 7) != 0)
        return -1;
    ret->bearer = true;
    for (header += 7; *header != '\0';) {
        header += strspn(header, ", \t");
        if (*header == '\0')
            break;
        take_parameter(&header, ret);
    }
    if (ret->realm != NULL)
        return 0;
    registry_challenge_fini(ret);
    return -1;
}

void registry_challenge_fini(struct registry_challenge *c)
{
    free(c->realm);
    free(c->service);
    free(c->scope);
    *c = (struct registry_challenge){0};
}
