/*
 * plugin/take.h - takes over structs that begin with their size from a driver built against another header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_PLUGIN_TAKE_H
#define SKL_PLUGIN_TAKE_H

#include <stdint.h>
#include <string.h>

/* No struct of any version comes near this; a size above it is garbage. */
#define TAKE_SIZE_MAX 4096u

/* Copies what both sides know into dst (dst_size bytes, the rest zero, its size set to dst_size). After that
 * all fields of this build can be read. -1: src is shorter than min (what version 1.0 had) or its size is
 * garbage. */
static inline int take_struct(void *dst, uint32_t dst_size, const void *src, size_t min)
{
    uint32_t size;

    memcpy(&size, src, sizeof size);
    if (size < min || size > TAKE_SIZE_MAX)
        return -1;
    memset(dst, 0, dst_size);
    memcpy(dst, src, size < dst_size ? size : dst_size);
    memcpy(dst, &dst_size, sizeof dst_size);
    return 0;
}

/* The size of a struct whose last 1.0 field is `last`, without padding that later fields may use. */
#define TAKE_MIN(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

#endif
