/*
 * agent/archive.c - /archive, /changes, /export: not served yet.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/archive.h"
#include "base/str.h"

bool archive_handle(struct request *r)
{
    if (!str_eq(r->path, "/archive") && !str_eq(r->path, "/changes") && !str_eq(r->path, "/export"))
        return false;
    request_fail(r, SKL_ERR_UNIMPLEMENTED, "this agent does not copy files yet");
    return true;
}
