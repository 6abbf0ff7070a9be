/*
 * tests/unit/gcp/discovery.h - checks requests against Google's discovery documents (data/discovery.json).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_TESTS_GCP_DISCOVERY_H
#define SKL_TESTS_GCP_DISCOVERY_H

#include "fake.h"

/*
 * Method, path, query and body of a request to https://{cloudfunctions,run,logging}.googleapis.com: no
 * unknown field, no output-only field, right types, right enum values. NULL when all is well, else what is
 * wrong (a static buffer).
 */
const char *discovery_check(const struct fake_request *r);

#endif
