/*
 * tests/fuzz/fuzz_plugin_elf.c - the dynamic symbol table of a file that says it is a driver.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "plugin/elf.h"
#include "sockerless/driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skl_error err = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    if (elf_check_exports(fd, SKL_DRIVER_ENTRY, &err) < 0 && err.message[0] == '\0')
        abort();
    close(fd);
    return 0;
}
