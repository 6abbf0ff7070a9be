/*
 * base/hash.h - hash tables: uthash with a keyed hash.
 *
 * Keys come from clients (names, IDs), so the hash is SipHash-2-4 under a random key per process:
 * nobody can choose keys that collide. Include this, never uthash.h itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_HASH_H
#define SKL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *p, size_t n);   /* SipHash-2-4, per-process key */
uint64_t hash_siphash24(const unsigned char key[16], const void *p, size_t n);

#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#include <uthash.h>

#endif
