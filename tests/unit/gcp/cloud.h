/*
 * tests/unit/gcp/cloud.h - a small cloud behind the fake host: functions, operations, invocations, random
 * faults.
 *
 * It keeps books, so that a test can tell whether anything was left behind or run twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_TESTS_GCP_CLOUD_H
#define SKL_TESTS_GCP_CLOUD_H

#include "fake.h"

#define CLOUD_BASE "http://cloud:1"
#define CLOUD_MAX  512

struct cloud_function {
    char id[64];
    char labels[600];       /* JSON */
    int64_t ready, deleted; /* mono: when the create, the delete takes effect; 0: not begun */
    bool exists, fails;
    unsigned runs; /* commands run, over its whole life */
};

struct cloud {
    struct fake *fake;
    struct cloud_function functions[CLOUD_MAX];
    size_t n;
    unsigned fault_percent; /* of calls */
    unsigned deploy_fail_percent;
    int64_t deploy_time; /* longest */
    uint64_t random;
    size_t faults, creates, deletes;
    char text[8192], headers[128];
};

/* Answers for the fake host from now on. */
void cloud_init(struct cloud *c, struct fake *f);
/* Functions that are there. */
size_t cloud_left(struct cloud *c);
struct cloud_function *cloud_find(struct cloud *c, const char *id);

#endif
