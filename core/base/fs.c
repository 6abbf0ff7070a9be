/*
 * base/fs.c - see fs.h.
 *
 * fs_remove_tree works on directory fds, never on paths: a tree made by a container may hold symlinks that
 * change while it is being removed. It stays on its mount by comparing mount IDs (statx), so that a bind mount
 * left behind is an error and not a catastrophe. Directories deeper than FS_DEPTH are moved up to the top and
 * removed from there, so neither the stack nor the table of open files bounds the depth.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/fs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"

#define READ_STEP 16384u
#define FS_DEPTH 64

static int kind_of_errno(int e)
{
    return e == ENOENT ? SKL_ERR_NOT_FOUND : e == EACCES || e == EPERM ? SKL_ERR_FORBIDDEN : SKL_ERR_INTERNAL;
}

static int fail(struct skl_error *err, int e, const char *what, const char *path)
{
    return error_set_errno(err, kind_of_errno(e), e, "%s %s", what, path);
}

int fs_read_file(const char *path, struct buf *out, struct skl_error *err)
{
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return fail(err, errno, "cannot open", path);
    for (;;) {
        size_t left = out->max - out->len, step = left < READ_STEP ? left : READ_STEP;
        char extra, *room = step != 0 ? buf_reserve(out, step) : &extra;
        ssize_t n = read(fd, room, step != 0 ? step : 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(err, errno, "cannot read", path);
        if (n == 0)
            return 0;
        if (step == 0)
            return error_set(err, SKL_ERR_TOO_LARGE, "%s is larger than %zu bytes", path, out->max);
        buf_commit(out, (size_t)n);
    }
}

int fs_write_all(int fd, const void *p, size_t n)
{
    const char *at = p;

    while (n > 0) {
        ssize_t done = write(fd, at, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

int fs_write_file_atomic(const char *path, const void *p, size_t n, mode_t mode, struct skl_error *err)
{
    CLEANUP(free_p) char *tmp = xasprintf("%s.tmp-XXXXXX", path);
    CLEANUP(close_p) int fd = mkostemp(tmp, O_CLOEXEC);
    int r;

    if (fd < 0)
        return fail(err, errno, "cannot create", tmp);
    r = fchmod(fd, mode) < 0 ? -errno : fs_write_all(fd, p, n);
    if (r == 0 && rename(tmp, path) < 0)
        r = -errno;
    if (r == 0)
        return 0;
    unlink(tmp);
    return fail(err, -r, "cannot write", path);
}

static int mkdir_one(const char *path, mode_t mode)
{
    struct stat st;

    if (mkdir(path, mode) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    if (stat(path, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int fs_mkdir_p(const char *path, mode_t mode, struct skl_error *err)
{
    CLEANUP(free_p) char *copy = xstrdup(path);
    int r = 0;

    for (char *p = copy + (copy[0] == '/'); r == 0; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        r = copy[0] != '\0' ? mkdir_one(copy, mode) : 0;
        *p = c;
        if (c == '\0')
            break;
    }
    return r == 0 ? 0 : fail(err, -r, "cannot create directory", path);
}

/* ---- removing a tree ---- */

struct remover {
    int top;            /* the root of the tree */
    uint64_t mount;
    uint64_t serial;    /* of the next directory to be moved up; starts at random */
    bool moved;         /* another pass is needed */
};

static int mount_of(int fd, uint64_t *ret)
{
    struct statx stx;

    if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &stx) < 0)
        return -errno;
    /* Without mount IDs (Linux before 5.8) the device has to do. */
    *ret = stx.stx_mask & STATX_MNT_ID ? stx.stx_mnt_id : (uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
    return 0;
}

static int open_dir(int at, const char *name)
{
    int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(at, name, flags);

    if (fd < 0 && errno == EACCES && fchmodat(at, name, 0700, 0) == 0)
        fd = openat(at, name, flags);
    return fd < 0 ? -errno : fd;
}

static int remove_children(struct remover *r, int fd, int depth);

static int remove_dir(struct remover *r, int at, const char *name, int depth)
{
    char up[32];
    uint64_t mount;
    int fd, rc;

    if (depth >= FS_DEPTH) {
        snprintf(up, sizeof(up), ".skl-%016" PRIx64, r->serial++);
        r->moved = true;
        return renameat(at, name, r->top, up) < 0 ? -errno : 0;
    }
    fd = open_dir(at, name);
    if (fd < 0)
        return fd;
    rc = mount_of(fd, &mount);
    if (rc == 0 && mount != r->mount)
        rc = -EXDEV;
    if (rc == 0)
        rc = remove_children(r, fd, depth + 1); /* closes fd */
    else
        close(fd);
    if (rc < 0)
        return rc;
    return unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_entry(struct remover *r, int at, const char *name, int depth)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno == EACCES && fchmod(at, 0700) == 0 && unlinkat(at, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM && errno != EACCES)
        return -errno;
    return remove_dir(r, at, name, depth);
}

/* Takes fd. Goes on after a failure, and returns the first. */
static int remove_children(struct remover *r, int fd, int depth)
{
    DIR *d = fdopendir(fd);
    struct dirent *e;
    int rc = 0;

    if (d == NULL) {
        rc = -errno;
        close(fd);
        return rc;
    }
    while ((e = readdir(d)) != NULL) {
        int one;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        one = remove_entry(r, dirfd(d), e->d_name, depth);
        rc = rc == 0 ? one : rc;
    }
    closedir(d);
    return rc;
}

static int remove_passes(struct remover *r)
{
    int rc;

    do {
        int fd = openat(r->top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
            return -errno;
        r->moved = false;
        rc = remove_children(r, fd, 0);
    } while (rc == 0 && r->moved);
    return rc;
}

int fs_remove_tree(const char *path, struct skl_error *err)
{
    struct remover r = {.serial = random_u64()};
    int rc;

    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return fail(err, errno, "cannot remove", path);
    r.top = open_dir(AT_FDCWD, path);
    if (r.top < 0)
        return fail(err, -r.top, "cannot remove", path);
    rc = mount_of(r.top, &r.mount);
    if (rc == 0)
        rc = remove_passes(&r);
    close(r.top);
    if (rc == 0 && rmdir(path) < 0 && errno != ENOENT)
        rc = -errno;
    return rc == 0 ? 0 : fail(err, -rc, "cannot remove", path);
}

size_t fs_sweep(const char *dir, bool (*keep)(void *arg, const char *name), void *arg)
{
    DIR *d = opendir(dir);
    struct dirent *de;
    size_t n = 0;

    while (d != NULL && (de = readdir(d)) != NULL) {
        CLEANUP(free_p) char *path = fs_join(dir, de->d_name);
        struct skl_error err;

        if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 || keep(arg, de->d_name))
            continue;
        if (fs_remove_tree(path, &err) == 0)
            n++;
        else
            log_warn("fs", "%s", err.message);
    }
    if (d != NULL)
        closedir(d);
    return n;
}

char *fs_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);

    while (n > 1 && dir[n - 1] == '/')
        n--;
    while (*name == '/')
        name++;
    if (n == 0)
        return xstrdup(name);
    return xasprintf("%.*s%s%s", (int)n, dir, dir[n - 1] == '/' ? "" : "/", name);
}

void fs_raise_open_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}
