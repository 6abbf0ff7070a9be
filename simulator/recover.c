/*
 * simulator/recover.c - at start: ends and removes what a simulator that was killed left in this state directory, and makes the
 * directories.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/netns.h"
#include "simulator/sim.h"

/* Blocking: nothing is served yet. */
static void crun_delete(struct sim *s, const char *id)
{
    CLEANUP(free_p) char *root = fs_join(s->opts.state_dir, "crun");
    pid_t pid = fork();

    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL || freopen("/dev/null", "w", stdout) == NULL)
            _exit(127);
        execlp("crun", "crun", "--root", root, "--cgroup-manager=disabled", "delete", "--force", id,
               (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
}

static bool keep_whole(void *arg, const char *name)
{
    (void)arg;
    return strstr(name, "part-") == NULL;
}

/* What was on its way in: uploads, pulls, images being unpacked. */
static void sweep_halves(struct sim *s)
{
    static const char *const wholes[] = {"pulls", "registry/uploads"}, *const halves[] = {"storage", "registry/roots"};

    for (size_t i = 0; i < ARRAY_LEN(wholes); i++) {
        CLEANUP(free_p) char *dir = fs_join(s->opts.state_dir, wholes[i]);
        (void)fs_remove_tree(dir, NULL);
    }
    for (size_t i = 0; i < ARRAY_LEN(halves); i++) {
        CLEANUP(free_p) char *dir = fs_join(s->opts.state_dir, halves[i]);
        if (access(dir, F_OK) == 0)
            (void)fs_sweep(dir, keep_whole, NULL);
    }
}

void recover(struct sim *s)
{
    CLEANUP(free_p) char *dir = fs_join(s->opts.state_dir, "instances"), *crun = fs_join(s->opts.state_dir, "crun");
    DIR *d = opendir(dir);
    size_t n = 0;

    for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;) {
        CLEANUP(free_p) char *path = fs_join(dir, de->d_name);
        if (!str_is_hex(de->d_name))
            continue;
        crun_delete(s, de->d_name);
        instance_dir_clean(s, path, de->d_name);
        n++;
    }
    if (d != NULL)
        closedir(d);
    if (n > 0)
        log_info("recover", "removed %zu instances that a killed simulator had left", n);
    sweep_halves(s);
    (void)fs_mkdir_p(dir, 0700, NULL);
    (void)fs_mkdir_p(crun, 0700, NULL);
}
