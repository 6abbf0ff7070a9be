/*
 * tests/e2e/gcf/bench.h - the bench's state, and the host it lends (host.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_TESTS_GCF_BENCH_H
#define SKL_TESTS_GCF_BENCH_H

#include <curl/curl.h>
#include <json-c/json.h>
#include <stdbool.h>
#include "sockerless/driver.h"

#define BENCH_STRINGS 64

struct skl_call {
    struct skl_call *next;
    const char *op, *tag; /* in request */
    struct json_object *request;
    struct skl_container container;
    const char *argv[BENCH_STRINGS], *env[BENCH_STRINGS];
    struct skl_kv labels[1];
    struct skl_create_req create;
    struct skl_start_req start;
    struct skl_kill_req kill;
    struct skl_remove_req remove;
    struct skl_logs_req logs;
    struct skl_list_req list;
    struct skl_inspect_req inspect;
};

struct bench {
    struct skl_host host;
    const struct skl_driver *driver;
    struct skl_instance *inst;
    struct skl_call *calls;
    CURLM *multi;
};
extern struct bench bench;

void bench_say(struct json_object *o); /* takes it */

void bench_host_init(void);
void bench_host_shutdown(void); /* as the daemon does before close() */
void bench_host_fini(void);
void bench_http_turn(void); /* moves transfers on, tells their ends */
int bench_timers_wait_ms(void);
void bench_timers_turn(void);

#endif
