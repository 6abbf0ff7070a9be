/*
 * driver.h - what the files of this driver share: the instance, its operations, and the function behind a
 * container.
 *
 * Operations (one skl_call each) are structs that begin with `struct gcf_op`, so that cancel() finds them.
 * Runs and functions being made in the background outlive the call that began them: they hang on the instance
 * by container ID.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_DRIVER_H
#define SKL_GCF_DRIVER_H

#include "cloud-run-functions/config.h"
#include "gcp/auth.h"
#include "gcp/client.h"
#include "gcp/operation.h"
#include "gcp/str.h"
#include "sockerless/driver.h"

#define GCF_VERSION "1.0"

struct json_object;
struct gcf_baked;
struct gcf_cleanup;
struct gcf_deploy;
struct gcf_log_share;
struct gcf_run;
struct gcf_removal;

/* What is added to images with "deploy": "image" (layer.c). */
struct gcf_layer {
    char *blob; /* gzipped tar; NULL: not made yet */
    size_t len;
    char digest[GCP_DIGEST_MAX];  /* of the blob */
    char diff_id[GCP_DIGEST_MAX]; /* of the tar */
};

/* An operation in progress for the host. */
struct gcf_op {
    struct skl_instance *inst;
    struct skl_call *call;
    struct gcf_op *prev, *next;
    /* Lets go of everything and frees; the call was completed, or the daemon ends (inst->closing). */
    void (*destroy)(struct gcf_op *op);
};

struct skl_instance {
    const struct skl_host *host; /* = &table */
    struct skl_host table;       /* our copy of the host's: close() makes it inert */
    struct gcf_config config;
    struct gcp_client client;
    struct gcp_auth *auth; /* NULL with an endpoint override */
    char *project;         /* NULL: not known yet (project.c) */
    char *user_agent;
    bool closing;
    struct gcf_op *ops;
    struct gcf_deploy *deploys; /* by container, hash (deploy.c) */
    struct gcf_run *runs;       /* by container, hash (run.c) */
    struct gcf_layer layer;     /* with "deploy": "image" (bake.c) */
    struct gcf_baked *baked;
    struct gcf_log_share *log_share; /* a read that waits for its turn (log_share.c) */
    struct gcf_cleanup *cleanups;    /* deletions nobody waits for (cleanup.c) */
    struct skl_timer *resume_timer;
};

void gcf_op_begin(struct gcf_op *op, struct skl_instance *inst, struct skl_call *call,
                  void (*destroy)(struct gcf_op *op));
/* Completes the call; the struct is off the list, and the caller frees it. */
void gcf_op_end(struct gcf_op *op, const struct skl_error *err, const void *result);

/* Takes it off the list; the call goes on otherwise. */
void gcf_op_leave(struct gcf_op *op);
/* Completes a call that has no struct yet. */
void gcf_refuse(struct skl_instance *inst, struct skl_call *call, int kind, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The vtable's entries. */
void gcf_cancel(struct skl_instance *inst, struct skl_call *call);
void gcf_create(struct skl_instance *inst, struct skl_call *call, const struct skl_create_req *req);
void gcf_start(struct skl_instance *inst, struct skl_call *call, const struct skl_start_req *req);
void gcf_kill(struct skl_instance *inst, struct skl_call *call, const struct skl_kill_req *req);
void gcf_remove(struct skl_instance *inst, struct skl_call *call, const struct skl_remove_req *req);
void gcf_logs(struct skl_instance *inst, struct skl_call *call, const struct skl_logs_req *req);
void gcf_list(struct skl_instance *inst, struct skl_call *call, const struct skl_list_req *req);
void gcf_inspect(struct skl_instance *inst, struct skl_call *call, const struct skl_inspect_req *req);

/*
 * True: credentials are read and the project is known, go on. Else the operation was put off: `again` is
 * called with the same request once that is so, or the call is completed with the reason.
 */
typedef void (*gcf_entry)(struct skl_instance *inst, struct skl_call *call, const void *req);
bool gcf_ready(struct skl_instance *inst, struct skl_call *call, gcf_entry again, const void *req);

/* One line to the daemon's log. */
void gcf_log(const struct skl_instance *inst, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int64_t gcf_now(const struct skl_instance *inst);

#endif
