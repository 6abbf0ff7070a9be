/*
 * plugin/elf.h - what a shared object exports, read from the file before any of its code runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_PLUGIN_ELF_H
#define SKL_PLUGIN_ELF_H

#include "base/error.h"

#define ELF_SEGMENTS_MAX 64
#define ELF_DYNAMIC_MAX 512            /* entries */
#define ELF_SYMBOLS_MAX (1u << 16)
#define ELF_STRINGS_MAX (4u << 20)     /* bytes of names */

/* 0 when fd is a shared object of this machine's word size and byte order whose dynamic symbol table defines exactly
 * one global symbol, `only`. Otherwise SKL_ERR_UNAVAILABLE with a reason for the person who built it. The file
 * offset is not moved. */
int elf_check_exports(int fd, const char *only, struct skl_error *err);

#endif
