/*
 * api/decompress.h - an uploaded tar may be compressed (gzip, bzip2, xz, zstd): this stage undoes it.
 *
 * Plain input (anything else) passes straight through. Bounded memory both ways.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_DECOMPRESS_H
#define SKL_API_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct decompress;
struct loop;

struct decompress_ops {
    bool (*on_data)(void *arg, const char *p, size_t n); /* false: the bytes were taken; pause until resume */
    void (*on_drain)(void *arg);                         /* decompress_write may go on */
    void (*on_end)(void *arg, const struct skl_error *err); /* once, after the last byte or the first error */
};

struct decompress *decompress_new(struct loop *loop, const struct decompress_ops *ops, void *arg);
/* All n bytes are taken; false: wait for on_drain before more. Plain input comes out of on_data at once. */
bool decompress_write(struct decompress *d, const char *p, size_t n);
void decompress_end(struct decompress *d);
void decompress_resume(struct decompress *d);
void decompress_free(struct decompress *d); /* at any time but inside on_data; NULL is fine */

#endif
