/*
 * plugin.c - the one exported symbol.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/instance.h"

SKL_EXPORT const struct skl_driver *skl_driver_entry(const struct skl_abi *host_abi, struct skl_error *err)
{
    if (host_abi->major == SKL_ABI_MAJOR)
        return &gcf_driver;
    (void)gcp_error(err, SKL_ERR_UNAVAILABLE, "this driver is for driver ABI %u, the daemon has %u",
                    SKL_ABI_MAJOR, host_abi->major);
    return NULL;
}
