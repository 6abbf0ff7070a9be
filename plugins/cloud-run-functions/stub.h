/*
 * stub.h - the source of the placeholder function that "deploy": "image" starts from, uploaded for one
 * create.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_STUB_H
#define SKL_GCF_STUB_H

#include "cloud-run-functions/driver.h"

#define GCF_STUB_ENTRY_POINT "stub"

struct gcf_stub;

/* err NULL: `source` is the storageSource to name in the create; borrowed until the callback returns. */
typedef void (*gcf_stub_fn)(void *arg, const struct skl_error *err, struct json_object *source);

struct gcf_stub *gcf_stub_start(struct skl_instance *inst, gcf_stub_fn fn,
                                void *arg); /* NULL: out of memory */
void gcf_stub_cancel(struct gcf_stub *s);   /* takes NULL; no callback follows */

#endif
