/*
 * base/mem.c - see mem.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void die_no_memory(void)
{
    static const char message[] = "out of memory\n";
    ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);

    (void)ignored;
    abort();
}

void *xmalloc(size_t n)
{
    void *p = malloc(n != 0 ? n : 1);

    if (p == NULL)
        die_no_memory();
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n != 0 ? n : 1, size != 0 ? size : 1);

    if (p == NULL)
        die_no_memory();
    return p;
}

void *xrealloc(void *p, size_t n)
{
    void *q = realloc(p, n != 0 ? n : 1);

    if (q == NULL)
        die_no_memory();
    return q;
}

void *xmemdup(const void *p, size_t n)
{
    void *q = xmalloc(n);

    if (n != 0)
        memcpy(q, p, n);
    return q;
}

char *xstrdup(const char *s)
{
    return s != NULL ? xmemdup(s, strlen(s) + 1) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
    size_t len;
    char *q;

    if (s == NULL)
        return NULL;
    len = strnlen(s, n);
    q = xmalloc(len + 1);
    memcpy(q, s, len);
    q[len] = '\0';
    return q;
}

char *xvasprintf(const char *fmt, va_list ap)
{
    char *s;

    if (vasprintf(&s, fmt, ap) < 0)
        die_no_memory();
    return s;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = xvasprintf(fmt, ap);
    va_end(ap);
    return s;
}

void mem_wipe(void *p, size_t n)
{
    if (p != NULL)
        explicit_bzero(p, n);
}

void free_p(void *pp)
{
    void *p;

    /* pp points to a pointer of any type: read it without breaking the aliasing rules. */
    memcpy(&p, pp, sizeof(p));
    free(p);
}

void close_p(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
