/*
 * A driver that refuses to load: holds the place of the real one until it lands.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include "sockerless/driver.h"

SKL_EXPORT const struct skl_driver *skl_driver_entry(const struct skl_abi *host, struct skl_error *err);

const struct skl_driver *skl_driver_entry(const struct skl_abi *host, struct skl_error *err)
{
    (void)host;
    err->kind = SKL_ERR_UNIMPLEMENTED;
    snprintf(err->message, sizeof(err->message), "this driver is not built yet");
    return NULL;
}
