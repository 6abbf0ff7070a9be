/*
 * api/status.h - error kinds as HTTP statuses: the only place that knows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_STATUS_H
#define SKL_API_STATUS_H

int api_status_of(int kind); /* SKL_ERR_* */

#endif
