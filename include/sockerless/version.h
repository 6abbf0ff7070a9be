/*
 * sockerless/version.h - the version of the driver ABI that this header set describes.
 *
 * The major number changes when something that was there changes its meaning or its place: a daemon and a driver of different majors
 * do not work together. The minor number grows when something is added. A driver that can use what a later minor has tests for it at run
 * time: SKL_HAS() on a struct it was given, or skl_host.abi_minor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOCKERLESS_VERSION_H
#define SOCKERLESS_VERSION_H

#define SKL_ABI_MAJOR 1u
#define SKL_ABI_MINOR 0u

/* For the preprocessor: what the headers at hand describe, not what the daemon at run time has. */
#define SKL_ABI_AT_LEAST(major, minor) (SKL_ABI_MAJOR == (major) && SKL_ABI_MINOR >= (minor))

#endif
