/*
 * gcp/operation.h - waiting for a long-running operation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_OPERATION_H
#define SKL_GCP_OPERATION_H

#include "gcp/client.h"

struct gcp_op;

/* Borrowed until the callback returns. */
struct gcp_op_result {
    const struct skl_error *error; /* NULL: done, and no error was given */
    const struct gcp_fault *fault; /* with error */
    bool failed; /* the operation itself ended in an error (else: it could not be followed) */
    struct json_object *response; /* NULL: done without a word on what came of it; look at the resource */
};
typedef void (*gcp_op_fn)(void *arg, const struct gcp_op_result *result);

/*
 * `first` is the operation as the call that began it answered: when that is done already nothing is polled.
 * An operation without a name counts as done. The callback runs later, never inside. NULL: out of memory.
 */
struct gcp_op *gcp_op_wait(struct gcp_client *c, enum gcp_service service, struct json_object *first,
                           const char *what, int64_t deadline, gcp_op_fn fn, void *arg);
/* The same by name, for an operation begun earlier. */
struct gcp_op *gcp_op_resume(struct gcp_client *c, enum gcp_service service, const char *name,
                             const char *what, int64_t deadline, gcp_op_fn fn, void *arg);
void gcp_op_cancel(struct gcp_op *op); /* takes NULL; no callback follows */

#endif
