/*
 * resources.h - memory and CPU of a function: from Docker's numbers to a pair that Google takes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCF_RESOURCES_H
#define SKL_GCF_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#define GCF_MI INT64_C(1048576)

struct gcf_resources {
    char memory[24];    /* availableMemory */
    char cpu[16];       /* availableCpu */
    int concurrency;    /* maxInstanceRequestConcurrency */
    bool cpu_raised;    /* more than was asked for, because of the memory */
    bool cpu_rounded;   /* more than was asked for, because there is no such number of CPUs */
    bool memory_raised; /* more than was asked for, because of the CPUs or the minimum */
};

/* "1Gi", "512M", "1073741824": bytes within Google's limits, or -1. */
int gcf_memory_parse(const char *text, int64_t *ret_bytes);
/* "1", "0.5", "583m": thousandths of a CPU, a legal value, or -1. */
int gcf_cpu_parse(const char *text, int64_t *ret_milli);

/*
 * memory (bytes) and nano_cpus as the container gives them, 0: not given, then the defaults hold;
 * default_text is sent as it stands when the memory is the default and fits. -1: beyond what Google offers at
 * all; err tells (NULL terminated text in ret->memory is not set then).
 */
struct skl_error;
int gcf_resources_choose(struct gcf_resources *ret, int64_t memory, int64_t nano_cpus, int64_t default_memory,
                         const char *default_text, int64_t default_milli, struct skl_error *err);

#endif
