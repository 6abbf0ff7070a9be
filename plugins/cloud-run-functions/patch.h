/*
 * patch.h - putting an image under a function: its Cloud Run service gets a new revision.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_PATCH_H
#define SKL_GCF_PATCH_H

#include "cloud-run-functions/driver.h"

struct gcf_patch;

typedef void (*gcf_patch_fn)(void *arg, const struct skl_error *err);

/* Ends when the service serves `image`. One that does so already is left alone. NULL: out of memory. */
struct gcf_patch *gcf_patch_start(struct skl_instance *inst, const char *service, const char *image,
                                  int64_t deadline, gcf_patch_fn fn, void *arg);
void gcf_patch_cancel(struct gcf_patch *p); /* takes NULL; no callback follows */

/* The body of the PATCH from the service as it is; new text. NULL: it is no service. */
char *gcf_patch_body(struct json_object *service, const char *image);

enum gcf_served {
    GCF_SERVED_OTHER,   /* another image, or none */
    GCF_SERVED_PENDING, /* this image; not ready yet */
    GCF_SERVED_READY,
    GCF_SERVED_FAILED /* the revision with this image failed; the old one still serves */
};
enum gcf_served gcf_patch_served(struct json_object *service, const char *image);

#endif
