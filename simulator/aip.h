/*
 * simulator/aip.h - filters of list requests (AIP-160): comparisons of a resource's fields, AND, OR, NOT, -, parentheses.
 *
 *     environment="GEN_2" AND (state=ACTIVE OR labels.team:*) AND -labels.old:*
 *
 * As in AIP-160 OR binds tighter than AND, and what stands side by side is joined by AND. "=" and "!=" ignore case, ":" asks whether a
 * text holds the value, a map the key, and with * whether the field is there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_AIP_H
#define SKL_SIM_AIP_H

#include <json-c/json.h>
#include <stdbool.h>
#include "base/error.h"

#define AIP_FILTER_MAX 20000u
#define AIP_DEPTH_MAX 50

struct aip;

struct aip *aip_parse(const char *text, struct skl_error *err); /* "" and NULL match all */
bool aip_match(const struct aip *f, struct json_object *resource);
void aip_free(struct aip *f);

#endif
