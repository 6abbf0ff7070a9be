/*
 * sockerless-gcp-simulator: prints its version, until the real main lands.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

int main(void)
{
    return printf("sockerless-gcp-simulator %s\n", PACKAGE_VERSION) < 0;
}
