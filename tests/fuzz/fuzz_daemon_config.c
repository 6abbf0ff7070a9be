/*
 * tests/fuzz/fuzz_daemon_config.c - the configuration file.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config c;

    config_init_defaults(&c);
    config_read_text(&c, "fuzz", (const char *)data, size, NULL);
    config_fini(&c);
    return 0;
}
