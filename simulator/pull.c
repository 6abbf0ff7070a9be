/*
 * simulator/pull.c - images that are neither in the registry nor in the store, got from where their name says (--pull), with skopeo.
 *
 *   skopeo copy docker://NAME oci:DIR (a child) -> image_import() (a worker thread) -> the store
 *
 * What skopeo says when it fails is what the deployment fails with.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/pull.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/child.h"
#include "simulator/images.h"

#define WORDS_MAX (64u * 1024)

struct pull {
    struct sim *sim;
    char *name, *dir, *layout, *words; /* words: the file that skopeo complains into */
    struct skl_error err;
    pull_fn done;
    void *arg;
};

static void pull_free(struct pull *p)
{
    (void)fs_remove_tree(p->dir, NULL);
    free(p->name);
    free(p->dir);
    free(p->layout);
    free(p->words);
    free(p);
}

static void finish(struct pull *p)
{
    p->done(p->arg, p->err.kind != 0 ? &p->err : NULL);
    pull_free(p);
}

/* ---- into the store ---- */

static void work(void *arg)
{
    struct pull *p = arg;
    JSON_CLEANUP struct json_object *none = json_new_object();

    (void)image_import(p->sim->opts.images_dir, p->name, p->layout, none, &p->err);
}

static void work_done(void *arg)
{
    finish(arg);
}

/* ---- skopeo ---- */

/* Its last line is the reason. */
static void complain(struct pull *p, int status)
{
    struct buf b;
    char *line, *msg;

    buf_init(&b, WORDS_MAX);
    if (fs_read_file(p->words, &b, NULL) == 0 && b.len > 0) {
        line = str_trim(b.data);
        line = strrchr(line, '\n') != NULL ? strrchr(line, '\n') + 1 : line;
        msg = strstr(line, "msg=");
        error_set(&p->err, SKL_ERR_NOT_FOUND, "image %s can't be pulled: %.600s", p->name, msg != NULL ? msg + 4 : line);
    } else {
        error_set(&p->err, SKL_ERR_NOT_FOUND, "image %s can't be pulled: skopeo ended with status %d", p->name, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
    }
    buf_fini(&b);
}

static void on_exit_status(void *arg, int status)
{
    struct pull *p = arg;

    if (status == 0) {
        loop_work(p->sim->loop, work, work_done, p);
        return;
    }
    complain(p, status);
    finish(p);
}

/* A registry on loopback speaks plain HTTP. */
static bool is_local(const char *name)
{
    return str_starts(name, "127.0.0.1:") || str_starts(name, "localhost:") || str_starts(name, "localhost/");
}

static int spawn(struct pull *p, struct skl_error *err)
{
    CLEANUP(free_p) char *from = xasprintf("docker://%s", p->name), *to = xasprintf("oci:%s:image", p->layout);
    const char *argv[] = {"skopeo", "--insecure-policy", "copy", is_local(p->name) ? "--src-tls-verify=false" : "--src-tls-verify=true", from, to, NULL};
    int fd = open(p->words, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct child_spec spec = {.argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = fd, .die_with_parent = true};
    struct child *c;

    if (fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "opening %s", p->words);
    c = child_spawn(p->sim->loop, &spec, on_exit_status, p, err);
    close(fd);
    return c != NULL ? 0 : -1;
}

int pull_begin(struct sim *s, const char *name, pull_fn done, void *arg, struct skl_error *err)
{
    struct pull *p = xcalloc(1, sizeof(*p));

    p->sim = s;
    p->name = xstrdup(name);
    p->dir = xasprintf("%s/pulls/%016llx", s->opts.state_dir, (unsigned long long)random_u64());
    p->layout = fs_join(p->dir, "layout");
    p->words = fs_join(p->dir, "words");
    p->done = done;
    p->arg = arg;
    if (fs_mkdir_p(p->layout, 0700, err) == 0 && spawn(p, err) == 0)
        return 0;
    pull_free(p);
    return -1;
}
