/*
 * simulator/faults.h - faults on demand, so that any client of Google's API can be tested against them.
 *
 *     RPC[@WHEN]=WHAT
 *
 *     RPC    as in the request log (CreateFunction, GetOperation, Invoke, ListLogEntries, ...), or * for all
 *     WHEN   N      the Nth call from when the rule was made (1 is the next)
 *            N-M    the Nth to the Mth
 *            /N     every Nth
 *            P%     with that probability, in percent (may have a fraction)
 *            absent: each
 *     WHAT   400..599    that status with Google's envelope; nothing is done
 *            reset       the connection breaks; nothing is done
 *            lost        it is done, and the answer is lost with the connection
 *            slow:D      it is done D (a Go duration) later
 *            fail[:CODE] the operation is made and fails with that gRPC code (default 13, INTERNAL)
 *            short[:N]   of lists (ListFunctions, ListLogEntries, ...): the page holds N entries at most (default 0) and has a successor
 *            late:D      of LogEntry (each entry that comes in, counted as calls are): it is to be seen D later
 *            twice       of LogEntry: each answer that has it has it twice
 *
 *     agents/D=cut       every D, all connections from functions to the host's loopback break
 *
 * The first rule that applies decides. Rules are given by --fault (may be repeated), and at run time at the control endpoint (--control
 * ADDR:PORT): GET /faults lists them with how often each struck, POST /faults {"fault":"SPEC"} adds one, DELETE /faults takes all away.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIMULATOR_FAULTS_H
#define SKL_SIMULATOR_FAULTS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

#define FAULTS_MAX 256u

struct sim;
struct faults;

#define FAULTS_ENTRY "LogEntry" /* not an RPC: * does not mean it */

enum fault_kind { FAULT_NONE, FAULT_STATUS, FAULT_RESET, FAULT_LOST, FAULT_SLOW, FAULT_FAIL, FAULT_SHORT, FAULT_LATE, FAULT_TWICE };
struct fault_hit {
    enum fault_kind kind;
    int status;        /* STATUS */
    int64_t delay;     /* SLOW, LATE, ns */
    int64_t size;      /* SHORT */
    int grpc_code;     /* FAIL */
};

struct faults *faults_new(struct sim *s);
void faults_free(struct faults *f);
/* INVALID: what is wrong with the rule. */
int faults_add(struct faults *f, const char *spec, struct skl_error *err);
/* Counts the call and tells what is to happen to it. */
struct fault_hit faults_strike(struct faults *f, const char *rpc);
/* Opens the control endpoint; port 0 picks a free one, written to control-port in the state directory. */
int faults_listen(struct faults *f, const char *addr_port, struct skl_error *err);
/* Google's name of an HTTP status, for its error envelope. */
const char *fault_status_name(int http);

#endif
