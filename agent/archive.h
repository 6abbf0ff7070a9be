/*
 * agent/archive.h - /archive, /changes, /export.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_ARCHIVE_H
#define SKL_AGENT_ARCHIVE_H

#include "agent/request.h"

/* false: not one of ours. true: the stream has new ops or was answered; the request may be freed. */
bool archive_handle(struct request *r);

#endif
