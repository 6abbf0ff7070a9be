/*
 * log_share.h - one read of Cloud Logging for many containers.
 *
 * A project may read its logs 60 times a minute, however many readers there are. While a read has to wait for
 * its turn, others that come join it: one query for all of them, and each gets its own lines. So the number
 * of readers does not matter.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_LOG_SHARE_H
#define SKL_GCF_LOG_SHARE_H

#include "cloud-run-functions/driver.h"
#include "gcp/logging.h"

struct gcf_log_share;

/* A reader; the caller's memory until done was called or it left. */
struct gcf_log_member {
    struct gcf_log_member *next;
    struct gcf_log_share *share;
    char service[64];
    int64_t since, until;        /* wall ns; 0: none */
    struct gcp_log_batch *batch; /* gets the lines, not sorted */
    /* err: none of it; of kind TOO_LARGE when the readers together have too much: read alone then. */
    void (*done)(void *arg, const struct skl_error *err);
    void *arg;
};

/* Whether a read would have to wait now. */
bool gcf_log_share_wanted(const struct skl_instance *inst);
/* False: out of memory. */
bool gcf_log_share_join(struct skl_instance *inst, struct gcf_log_member *m);
void gcf_log_share_leave(struct gcf_log_member *m);

/* What all reads in extended semantics begin with: type, location, the two logs of a container's output. */
void gcf_log_filter_begin(struct gcp_str *filter, const struct skl_instance *inst, const char *region);
void gcf_log_filter_time(struct gcp_str *filter, const char *op, int64_t wall_ns);

#endif
