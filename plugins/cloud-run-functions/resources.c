/*
 * resources.c - see resources.h. The limits are Cloud Run's (reference/gcp-api.md 6).
 *
 * Google takes only certain pairs: whole CPUs above one, and for each amount of memory a least number of CPUs
 * and the other way round. What the user asked for is a lower bound for both; the smallest legal pair above
 * it is taken.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/resources.h"
#include "gcp/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MEMORY_MIN (128 * GCF_MI)
#define MEMORY_MAX (32 * 1024 * GCF_MI)
#define CPU_MIN    80
#define CPU_MAX    8000
/* Room beside the run's own POST, so that a probe or a restart's POST is not turned away. Needs a whole CPU.
 */
#define CONCURRENCY 8

/* More memory than this needs at least so many CPUs. */
static const struct {
    int64_t memory;
    int64_t milli;
} cpu_floor[] = {{24 * 1024 * GCF_MI, 8000}, {16 * 1024 * GCF_MI, 6000}, {8 * 1024 * GCF_MI, 4000},
                 {4 * 1024 * GCF_MI, 2000},  {1024 * GCF_MI, 1000},      {512 * GCF_MI, 500}};

/* So many CPUs need at least this much memory. */
static const struct {
    int64_t milli;
    int64_t memory;
} memory_floor[] = {{6000, 4096 * GCF_MI}, {4000, 2048 * GCF_MI}};

static int64_t unit(const char *suffix)
{
    static const struct {
        const char *suffix;
        int64_t bytes;
    } units[] = {{"", 1},      {"k", 1000},    {"K", 1000},           {"M", 1000000},  {"G", 1000000000},
                 {"Ki", 1024}, {"Mi", GCF_MI}, {"Gi", 1024 * GCF_MI}, {"MB", 1000000}, {"GB", 1000000000}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (!strcmp(units[i].suffix, suffix))
            return units[i].bytes;
    return 0;
}

/* Digits with at most three after the point, as thousandths. */
static int parse_milli(const char **text, int64_t *ret)
{
    const char *p = *text;
    int64_t v = 0, scale = 100;

    if (!isdigit((unsigned char)*p))
        return -1;
    for (; isdigit((unsigned char)*p); p++) {
        if (v > INT64_C(100000000000))
            return -1;
        v = v * 10 + (*p - '0');
    }
    v *= 1000;
    if (*p == '.')
        for (p++; isdigit((unsigned char)*p); p++, scale /= 10)
            v += (*p - '0') * scale;
    *text = p;
    *ret = v;
    return 0;
}

int gcf_memory_parse(const char *text, int64_t *ret_bytes)
{
    int64_t milli, bytes;

    if (!text || parse_milli(&text, &milli) < 0 || !unit(text))
        return -1;
    if (milli / 1000 > MEMORY_MAX / unit(text))
        return -1;
    bytes = milli / 1000 * unit(text) + milli % 1000 * unit(text) / 1000;
    if (bytes < MEMORY_MIN * 95 / 100 || bytes > MEMORY_MAX) /* 128M is a legal size, and less than 128Mi */
        return -1;
    *ret_bytes = bytes;
    return 0;
}

static int64_t cpu_round_up(int64_t milli)
{
    static const int64_t whole[] = {1000, 2000, 4000, 6000, 8000};

    if (milli < CPU_MIN)
        return CPU_MIN;
    if (milli < 1000)
        return (milli + 9) / 10 * 10;
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
        if (milli <= whole[i])
            return whole[i];
    return -1;
}

int gcf_cpu_parse(const char *text, int64_t *ret_milli)
{
    int64_t milli;

    if (!text || parse_milli(&text, &milli) < 0)
        return -1;
    if (!strcmp(text, "m"))
        milli /= 1000;
    else if (*text)
        return -1;
    if (milli < CPU_MIN || milli > CPU_MAX || (milli >= 1000 && cpu_round_up(milli) != milli))
        return -1;
    *ret_milli = milli;
    return 0;
}

static int64_t memory_at_least(int64_t memory, int64_t milli)
{
    if (memory < MEMORY_MIN * 95 / 100)
        memory = MEMORY_MIN;
    for (size_t i = 0; i < sizeof(memory_floor) / sizeof(memory_floor[0]); i++)
        if (milli >= memory_floor[i].milli && memory < memory_floor[i].memory)
            memory = memory_floor[i].memory;
    return memory;
}

static int64_t cpu_at_least(int64_t milli, int64_t memory)
{
    for (size_t i = 0; i < sizeof(cpu_floor) / sizeof(cpu_floor[0]); i++)
        if (memory > cpu_floor[i].memory && milli < cpu_floor[i].milli)
            milli = cpu_floor[i].milli;
    return milli;
}

static void write_cpu(struct gcf_resources *r, int64_t milli)
{
    if (milli % 1000 == 0)
        (void)snprintf(r->cpu, sizeof(r->cpu), "%d", (int)(milli / 1000));
    else
        (void)snprintf(r->cpu, sizeof(r->cpu), "%dm", (int)milli);
}

int gcf_resources_choose(struct gcf_resources *ret, int64_t memory, int64_t nano_cpus, int64_t default_memory,
                         const char *default_text, int64_t default_milli, struct skl_error *err)
{
    int64_t want_memory = memory > 0 ? (memory + GCF_MI - 1) / GCF_MI * GCF_MI : default_memory;
    int64_t want_milli = nano_cpus > 0 ? cpu_round_up((nano_cpus + 999999) / 1000000) : default_milli;
    int64_t fit_memory, fit_milli;

    memset(ret, 0, sizeof(*ret));
    if (want_milli < 0 || want_milli > CPU_MAX)
        return gcp_error(err, SKL_ERR_INVALID, "a function has at most 8 CPUs; %.2f were asked for",
                         (double)nano_cpus / 1e9);
    if (want_memory > MEMORY_MAX)
        return gcp_error(err, SKL_ERR_INVALID,
                         "a function has at most 32 GiB of memory; %lld MiB were asked for",
                         (long long)(want_memory / GCF_MI));
    fit_milli = cpu_at_least(want_milli, want_memory);
    fit_memory = memory_at_least(want_memory, fit_milli);
    ret->cpu_raised = fit_milli > want_milli;
    ret->cpu_rounded = nano_cpus > 0 && want_milli >= 1000 && want_milli * 1000000 > nano_cpus;
    ret->memory_raised = memory > 0 && fit_memory > want_memory;
    ret->concurrency = fit_milli >= 1000 ? CONCURRENCY : 1;
    write_cpu(ret, fit_milli);
    if (memory <= 0 && fit_memory == default_memory && strlen(default_text) < sizeof(ret->memory))
        (void)snprintf(ret->memory, sizeof(ret->memory), "%s", default_text);
    else
        (void)snprintf(ret->memory, sizeof(ret->memory), "%lldMi",
                       (long long)((fit_memory + GCF_MI - 1) / GCF_MI));
    return 0;
}
