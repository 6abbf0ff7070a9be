/*
 * request.h - the CreateFunction request for a container.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_REQUEST_H
#define SKL_GCF_REQUEST_H

#include "cloud-run-functions/driver.h"

/* The Function resource, as a new JSON object; NULL: err tells. `warning` is "" or one line for the user. */
struct json_object *gcf_request_function(const struct skl_instance *inst, const struct skl_container *c,
                                         char *warning, size_t size, struct skl_error *err);

#endif
