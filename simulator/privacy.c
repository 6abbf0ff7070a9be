/*
 * simulator/privacy.c - the simulator's own namespaces: its mounts are nobody else's business, and go with it.
 *
 * An ordinary user is made root of a user namespace first. That has one user in it, so of an image all files are that user's and a function
 * can't be another; a network for each instance, and limits, take root. What is missing is said once, at the start.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "simulator/sim.h"

#define CGROUPS "/sys/fs/cgroup"

static int write_map(const char *path, const char *text, struct skl_error *err)
{
    FILE *f = fopen(path, "we");
    bool written = f != NULL && fputs(text, f) >= 0;

    if (f != NULL && fclose(f) == 0 && written)
        return 0;
    return error_set_errno(err, SKL_ERR_FORBIDDEN, errno, "writing %s", path);
}

/* Before there are threads. */
static int become_root(struct skl_error *err)
{
    CLEANUP(free_p) char *users = xasprintf("0 %u 1\n", geteuid()), *groups = xasprintf("0 %u 1\n", getegid());

    if (unshare(CLONE_NEWUSER) < 0)
        return error_set_errno(err, SKL_ERR_FORBIDDEN, errno,
                               "making a user namespace: run as root, or allow ordinary users to have them (user.max_user_namespaces, "
                               "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)");
    if (write_map("/proc/self/uid_map", users, err) < 0 || write_map("/proc/self/setgroups", "deny", err) < 0)
        return -1;
    return write_map("/proc/self/gid_map", groups, err);
}

/* crun 1.8 refuses to look at a hybrid hierarchy even when told to leave cgroups alone. Out of its sight, in this namespace alone, it is an
 * ordinary v1 one. In a user namespace nothing can be taken away, but covered. */
static void hide_unified(void)
{
    if (umount2(CGROUPS "/unified", MNT_DETACH) < 0 && errno == EINVAL && access(CGROUPS "/unified", F_OK) == 0)
        (void)mount("none", CGROUPS, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k");
}

int privacy_begin(struct sim *s, struct skl_error *err)
{
    s->ordinary = geteuid() != 0;
    if (s->ordinary && become_root(err) < 0)
        return -1;
    if (unshare(CLONE_NEWNS) < 0)
        return error_set_errno(err, SKL_ERR_FORBIDDEN, errno, "making a mount namespace");
    if (mount(NULL, "/", NULL, MS_REC | (s->ordinary ? MS_SLAVE : MS_PRIVATE), NULL) < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making mounts private");
    hide_unified();
    if (!s->ordinary)
        return 0;
    if (s->opts.network_isolated)
        return error_set(err, SKL_ERR_FORBIDDEN, "--network isolated: a network for each function takes root; leave it out, or say host");
    s->opts.network_host = true;
    log_warn("main", "not run as root: functions have the host's network, no memory or CPU limits, and no users but one");
    return 0;
}
