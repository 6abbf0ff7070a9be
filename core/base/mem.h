/*
 * base/mem.h - allocation and scope-bound clean-up.
 *
 * Small allocations do not fail: on Linux an out-of-memory condition arrives as a signal, not as
 * NULL, and state on disk survives a kill at any moment (core/state). So x-functions abort when
 * malloc returns NULL. Anything whose SIZE comes from outside goes through base/buf.h, which has a
 * limit and returns an error.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_MEM_H
#define SKL_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);      /* overflow-checked, zeroed */
void *xrealloc(void *p, size_t n);
void *xmemdup(const void *p, size_t n);    /* copy of n bytes; n may be 0 */
char *xstrdup(const char *s);              /* NULL in, NULL out */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Zeroes memory that held a secret; the compiler can't drop it. */
void mem_wipe(void *p, size_t n);

/* CLEANUP(free_p) char *s = ...; calls free(s) at the end of the scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))
void free_p(void *pp);   /* for any pointer from malloc */
void close_p(int *fd);   /* closes if >= 0 */

/* Moves a pointer out: yields the value and leaves NULL behind. */
#define STEAL(p) ({ __typeof__(p) steal_tmp_ = (p); (p) = NULL; steal_tmp_; })

#define CONTAINER_OF(ptr, type, member) \
    ((type *)((char *)(ptr) - offsetof(type, member)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
