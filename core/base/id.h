/*
 * base/id.h - identifiers and secrets from the kernel's random source.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_ID_H
#define SKL_BASE_ID_H

#include <stddef.h>
#include <stdint.h>

#define ID_SIZE 65         /* 64 lower-case hex digits and a NUL: Docker's object IDs */
#define ID_SHORT_LEN 12

void random_bytes(void *p, size_t n);    /* getrandom(2); aborts if the kernel can't */
uint64_t random_u64(void);
/* 32 random bytes as hex. As in Docker, the first 12 characters are never all digits, so that a
 * short ID used as a host name is not mistaken for a number. */
void id_new(char out[ID_SIZE]);
void token_new(char out[ID_SIZE]);       /* 256 bits as hex: agent tokens */

#endif
