/*
 * simulator/invoke.h - what the two ways of passing a request on share: HTTP (invoke.c) and raw bytes (upgrade.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_INVOKE_H
#define SKL_SIM_INVOKE_H

#include "simulator/service.h"

struct http_call;
struct upgrade;

struct invocation {
    struct sim *sim;
    struct http_req *req;
    char id[33];               /* of the instance, counted in its `active` */
    char *path;                /* behind the service's own */
    struct timer probe, deadline;
    int64_t probe_ns, give_up;
    unsigned probes;
    struct io io;
    int fd;                    /* of a probe */
    struct http_call *call;
    struct upgrade *upgrade;
    /* request body on its way */
    char *piece;
    size_t piece_len, piece_at;
    bool body_ended, body_bad;
    uint64_t body_bytes;
    bool answered;
};

struct instance *inv_instance(struct invocation *v); /* NULL: gone */
void inv_log(struct invocation *v, int status);
/* Each of these ends the invocation and frees it. */
void inv_fail(struct invocation *v, int status, const char *text); /* before an answer began */
void inv_end(struct invocation *v, bool well);
void inv_taken(struct invocation *v);
bool inv_hop_by_hop(const char *name);

/* Takes the request to the instance as it is and, when that agrees to the other protocol, becomes a pipe. */
struct upgrade *upgrade_new(struct invocation *v, const struct instance *in);
void upgrade_free(struct upgrade *u);                /* takes NULL */

#endif
