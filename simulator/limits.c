/*
 * simulator/limits.c - memory and CPU of an instance, by control groups of our own making: v1's controllers each in their hierarchy, or v2's.
 *
 * A directory for each simulator (named by its state directory, so that a warden, and the next simulator there, finds what is left), in it one
 * for each instance. crun is put into that before it begins, and all it runs is born there. crun's own management of groups is not used:
 * it refuses hybrid hierarchies.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/service.h"

#define TOP "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270
#define PERIOD_US 100000

/* Where groups of a controller are made; one hierarchy for all with v2. */
static const char *const places_v1[] = {TOP "/memory", TOP "/cpu", TOP "/cpu,cpuacct"};
static const char *const places_v2[] = {TOP};

static bool is_v2(void)
{
    struct statfs fs;

    return statfs(TOP, &fs) == 0 && fs.f_type == CGROUP2_MAGIC;
}

static char *base_of(const struct sim *s, const char *place)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;

    EVP_Digest(s->opts.state_dir, strlen(s->opts.state_dir), hash, &n, EVP_sha256(), NULL);
    hex_encode(hash, n, hex);
    return xasprintf("%s/sockerless-%.16s", place, hex);
}

static int write_file(const char *dir, const char *name, const char *text)
{
    CLEANUP(free_p) char *path = fs_join(dir, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC), rc = fd >= 0 ? fs_write_all(fd, text, strlen(text)) : -errno;

    if (fd >= 0)
        close(fd);
    return rc;
}

/* Groups that are left have no process any more, or they can't be removed. */
static void remove_base(const char *base)
{
    DIR *d = opendir(base);

    for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
        CLEANUP(free_p) char *path = fs_join(base, de->d_name);
        if (str_is_hex(de->d_name))
            (void)rmdir(path);
    }
    if (d != NULL)
        closedir(d);
    (void)rmdir(base);
}

static void each_base(const struct sim *s, void (*fn)(const char *base))
{
    const char *const *places = is_v2() ? places_v2 : places_v1;
    size_t n = is_v2() ? ARRAY_LEN(places_v2) : ARRAY_LEN(places_v1);

    for (size_t i = 0; i < n; i++) {
        CLEANUP(free_p) char *base = base_of(s, places[i]);
        fn(base);
    }
}

void limits_end(const struct sim *s)
{
    each_base(s, remove_base);
}

void limits_forget(const struct sim *s, const char *id)
{
    const char *const *places = is_v2() ? places_v2 : places_v1;
    size_t n = is_v2() ? ARRAY_LEN(places_v2) : ARRAY_LEN(places_v1);

    for (size_t i = 0; i < n; i++) {
        CLEANUP(free_p) char *base = base_of(s, places[i]), *dir = fs_join(base, id);
        (void)rmdir(dir);
    }
}

static bool make_base(const struct sim *s, const char *place, const char *file, char **ret)
{
    CLEANUP(free_p) char *base = base_of(s, place), *probe = xasprintf("%s/probe", base), *limit = xasprintf("%s/%s", probe, file);
    bool good = (mkdir(base, 0755) == 0 || errno == EEXIST);

    if (good && is_v2()) {
        (void)write_file(place, "cgroup.subtree_control", "+memory +cpu");
        (void)write_file(base, "cgroup.subtree_control", "+memory +cpu");
    }
    good = good && mkdir(probe, 0755) == 0 && access(limit, W_OK) == 0;
    (void)rmdir(probe);
    if (good)
        *ret = STEAL(base);
    else
        (void)rmdir(base);
    return good;
}

static const char *why_not(const struct sim *s)
{
    return s->limits.memory == NULL && s->limits.cpu == NULL ? "memory and CPU limits" : s->limits.memory == NULL ? "memory limits" : "CPU limits";
}

void limits_begin(struct sim *s)
{
    bool v2 = is_v2(), want_memory = s->opts.limits != LIMITS_NONE, want_cpu = s->opts.limits == LIMITS_ALL;

    if (s->ordinary || !want_memory)
        return;
    limits_end(s); /* what an earlier simulator left */
    s->limits.v2 = v2;
    (void)make_base(s, v2 ? TOP : TOP "/memory", v2 ? "memory.max" : "memory.limit_in_bytes", &s->limits.memory);
    if (want_cpu && !make_base(s, v2 ? TOP : TOP "/cpu", v2 ? "cpu.max" : "cpu.cfs_quota_us", &s->limits.cpu) && !v2)
        (void)make_base(s, TOP "/cpu,cpuacct", "cpu.cfs_quota_us", &s->limits.cpu);
    if (s->limits.memory == NULL || (want_cpu && s->limits.cpu == NULL))
        log_warn("limits", "functions run without %s: " TOP " has no controller for it that we may use", why_not(s));
}

void limits_fini(struct sim *s)
{
    if (s->limits.memory != NULL || s->limits.cpu != NULL)
        limits_end(s);
    free(s->limits.memory);
    free(s->limits.cpu);
}

/* ---- an instance ---- */

/* "512Mi", "1G"; 0: it does not say. */
static int64_t memory_of(const struct instance *in)
{
    const char *text = NULL;
    int64_t bytes;

    (void)json_get_string(in->rev->container, "resources.limits.memory", &text, NULL);
    bytes = text != NULL ? memory_bytes(text) : 0;
    return bytes > 0 ? bytes : 0;
}

/* "1", "0.5", "500m" in us of CPU per period; 0: it does not say. */
static long cpu_of(const struct instance *in)
{
    const char *text = NULL;
    double cpus = 0;
    CLEANUP(free_p) char *milli = NULL;

    (void)json_get_string(in->rev->container, "resources.limits.cpu", &text, NULL);
    if (text == NULL)
        return 0;
    milli = str_ends(text, "m") ? xstrndup(text, strlen(text) - 1) : NULL;
    if (!str_to_double(milli != NULL ? milli : text, &cpus) || cpus <= 0)
        return 0;
    return (long)((milli != NULL ? cpus / 1000 : cpus) * PERIOD_US);
}

/* A group in which file holds text; its process list is added to *n joins. */
static int make_group(struct instance *in, const char *base, const char *file, const char *text, struct skl_error *err)
{
    CLEANUP(free_p) char *dir = fs_join(base, in->id);
    int rc;

    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making the control group %s", dir);
    rc = write_file(dir, file, text);
    if (rc < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, -rc, "writing %s of the control group %s", file, dir);
    if (in->n_joins == 0 || !in->sim->limits.v2)
        in->joins[in->n_joins++] = fs_join(dir, "cgroup.procs");
    return 0;
}

int limits_apply(struct instance *in, struct skl_error *err)
{
    const struct sim *s = in->sim;
    int64_t bytes = memory_of(in);
    long quota = cpu_of(in);
    char text[64];

    if (s->limits.memory != NULL && bytes > 0) {
        snprintf(text, sizeof(text), "%lld", (long long)bytes);
        if (make_group(in, s->limits.memory, s->limits.v2 ? "memory.max" : "memory.limit_in_bytes", text, err) < 0)
            return -1;
    }
    if (s->limits.cpu == NULL || quota <= 0)
        return 0;
    snprintf(text, sizeof(text), s->limits.v2 ? "%ld %d" : "%ld", quota, PERIOD_US);
    return make_group(in, s->limits.cpu, s->limits.v2 ? "cpu.max" : "cpu.cfs_quota_us", text, err);
}

void limits_release(struct instance *in)
{
    for (size_t i = 0; i < in->n_joins; i++)
        free(in->joins[i]);
    in->n_joins = 0;
}
