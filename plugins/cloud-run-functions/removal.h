/*
 * removal.h - deleting a function until it is gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_REMOVAL_H
#define SKL_GCF_REMOVAL_H

#include "cloud-run-functions/driver.h"

typedef void (*gcf_removal_fn)(void *arg, const struct skl_error *err);

/*
 * Deletes function `name`. What is gone already is success; one that is still being made is waited for. late:
 * the function may yet appear (the answer to its create was lost), so a "not found" is not believed at once.
 * owner: nobody has said yet that the function is this container's, so it is looked at first; another's stays,
 * and that is success, too. NULL: it is known to be ours.
 * The callback runs later, never inside; CANCELED: the daemon ends. NULL: out of memory.
 */
struct gcf_removal *gcf_removal_start(struct skl_instance *inst, const char *name, const char *owner,
                                      bool late, gcf_removal_fn fn, void *arg);
void gcf_removal_stop(struct gcf_removal *r); /* takes NULL; no callback follows */

#endif
