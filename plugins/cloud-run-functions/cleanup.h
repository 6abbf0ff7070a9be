/*
 * cleanup.h - deletions that nobody waits for, remembered across restarts.
 *
 * A create that failed or was given up deletes its function in the background. If the daemon ends meanwhile,
 * nobody would know of that function any more: the core has forgotten the container. So the names are kept in
 * the host's storage until the deletion is done, and taken up again when the driver is opened.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_CLEANUP_H
#define SKL_GCF_CLEANUP_H

#include "cloud-run-functions/driver.h"

/* Begins to delete `name` and remembers it. owner, late: see removal.h. */
void gcf_cleanup(struct skl_instance *inst, const char *name, const char *owner, bool late);
/* Somebody makes that function anew: not ours to delete any more. */
void gcf_cleanup_forget(struct skl_instance *inst, const char *name);
/* Takes up what an earlier process left. Runs from a timer: open() does no I/O. */
void gcf_cleanup_resume(struct skl_instance *inst);
void gcf_cleanup_fini(struct skl_instance *inst);

#endif
