/*
 * agent/extract.c - see extract.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/extract.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/pax.h"

struct dir_time {
    char *path;
    int64_t mtime;
};

struct extract {
    struct pax_reader *reader;
    char *directory;
    bool no_overwrite, chown;
    uid_t uid;
    gid_t gid;
    char *path; /* of the current entry */
    int fd;     /* of the current file, or -1 */
    struct dir_time *dirs;
    size_t n_dirs;
};

struct extract *extract_new(const struct extract_opts *opts)
{
    struct extract *x = xcalloc(1, sizeof(*x));

    x->reader = pax_reader_new();
    x->directory = xstrdup(opts->directory);
    x->no_overwrite = opts->no_overwrite_dir_non_dir;
    x->chown = opts->chown;
    x->uid = opts->uid;
    x->gid = opts->gid;
    x->fd = -1;
    return x;
}

void extract_free(struct extract *x)
{
    if (x == NULL)
        return;
    if (x->fd >= 0)
        close(x->fd);
    for (size_t i = 0; i < x->n_dirs; i++)
        free(x->dirs[i].path);
    free(x->dirs);
    pax_reader_free(x->reader);
    free(x->directory);
    free(x->path);
    free(x);
}

static int failed(const char *what, const char *path, struct skl_error *err)
{
    if (errno == EROFS)
        return error_set(err, SKL_ERR_FORBIDDEN, "container rootfs is marked read-only: %s %s", what, path);
    return error_set_errno(err, errno == ENAMETOOLONG || errno == ELOOP ? SKL_ERR_INVALID : SKL_ERR_INTERNAL, errno, "%s %s", what, path);
}

/* ---- names ---- */

/* directory + "/" + the cleaned name; "." for the directory itself. */
static char *place(const struct extract *x, const char *name, struct skl_error *err)
{
    struct buf out;
    size_t depth = 0, n;

    buf_init(&out, 2 * PAX_NAME_MAX + 2);
    buf_puts(&out, str_eq(x->directory, "/") ? "" : x->directory);
    for (const char *p = name; *p != '\0'; p += n) {
        p += strspn(p, "/");
        n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.'))
            continue;
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (depth == 0) {
                buf_fini(&out);
                error_set(err, SKL_ERR_INVALID, "invalid tar: \"%s\" is outside of \"%s\"", name, x->directory);
                return NULL;
            }
            while (out.data[out.len - 1] != '/')
                out.len--;
            out.len--;
            depth--;
            continue;
        }
        buf_putc(&out, '/');
        (void)buf_append(&out, p, n);
        depth++;
    }
    if (out.len == 0)
        buf_putc(&out, '/');
    if (out.overflow) {
        buf_fini(&out);
        error_set(err, SKL_ERR_INVALID, "invalid tar: a name is too long");
        return NULL;
    }
    return buf_steal(&out, NULL);
}

static int make_parents(const char *path, struct skl_error *err)
{
    CLEANUP(free_p) char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    struct stat st;

    if (slash == parent)
        return 0;
    *slash = '\0';
    if (stat(parent, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    if (errno == EROFS || fs_mkdir_p(parent, 0755, NULL) < 0)
        return failed("mkdir", parent, err);
    return 0;
}

/* Makes room. *ret_keep: a directory stays where a directory is to be. */
static int clear_place(const struct extract *x, const char *path, bool is_dir, bool *ret_keep, struct skl_error *err)
{
    struct stat st;

    *ret_keep = false;
    if (lstat(path, &st) < 0)
        return 0;
    if (x->no_overwrite && S_ISDIR(st.st_mode) && !is_dir)
        return error_set(err, SKL_ERR_INVALID, "cannot overwrite directory \"%s\" with non-directory \"%s\"", path, x->directory);
    if (x->no_overwrite && !S_ISDIR(st.st_mode) && is_dir)
        return error_set(err, SKL_ERR_INVALID, "cannot overwrite non-directory \"%s\" with directory \"%s\"", path, x->directory);
    if (S_ISDIR(st.st_mode) && is_dir) {
        *ret_keep = true;
        return 0;
    }
    if (S_ISDIR(st.st_mode) ? fs_remove_tree(path, NULL) < 0 : unlink(path) < 0)
        return failed("remove", path, err);
    return 0;
}

/* ---- attributes ---- */

static void times_of(int64_t mtime, int64_t atime, struct timespec ts[2])
{
    int64_t values[2] = {atime != 0 ? atime : mtime, mtime};

    for (int i = 0; i < 2; i++) {
        ts[i].tv_sec = (time_t)(values[i] / NS_PER_S);
        ts[i].tv_nsec = (long)(values[i] % NS_PER_S);
        if (ts[i].tv_nsec < 0) {
            ts[i].tv_nsec += NS_PER_S;
            ts[i].tv_sec--;
        }
    }
}

/* Without root nobody can give files away: they are the agent's user's then, like all that its processes make. */
static int set_owner(const struct extract *x, const struct pax_entry *e, struct skl_error *err)
{
    uid_t uid = x->chown ? x->uid : (uid_t)e->uid;
    gid_t gid = x->chown ? x->gid : (gid_t)e->gid;

    if (lchown(x->path, uid, gid) < 0 && !(errno == EPERM && geteuid() != 0))
        return failed("chown", x->path, err);
    return 0;
}

/* File systems without them, and users who may not: as Docker's extractor. */
static int set_xattrs(const struct extract *x, const struct pax_entry *e, struct skl_error *err)
{
    for (size_t i = 0; i < e->n_xattrs; i++)
        if (lsetxattr(x->path, e->xattrs[i].name, e->xattrs[i].value, e->xattrs[i].len, 0) < 0 && errno != ENOTSUP && errno != EPERM)
            return failed("setxattr", x->path, err);
    return 0;
}

static int remember_dir(struct extract *x, const struct pax_entry *e)
{
    if (x->n_dirs == EXTRACT_DIRS_MAX)
        return -1;
    if (x->n_dirs % 64 == 0)
        x->dirs = xrealloc(x->dirs, (x->n_dirs + 64) * sizeof(*x->dirs));
    x->dirs[x->n_dirs++] = (struct dir_time){xstrdup(x->path), e->mtime};
    return 0;
}

static int set_attributes(struct extract *x, const struct pax_entry *e, struct skl_error *err)
{
    struct timespec ts[2];

    if (e->type == PAX_HARDLINK) /* they are the other name's */
        return 0;
    if (set_owner(x, e, err) < 0)
        return -1;
    if (e->type != PAX_SYMLINK && chmod(x->path, e->mode) < 0)
        return failed("chmod", x->path, err);
    if (set_xattrs(x, e, err) < 0)
        return -1;
    if (e->type == PAX_DIR && remember_dir(x, e) == 0)
        return 0;
    times_of(e->mtime, e->atime, ts);
    if (utimensat(AT_FDCWD, x->path, ts, AT_SYMLINK_NOFOLLOW) < 0)
        return failed("set times of", x->path, err);
    return 0;
}

/* ---- entries ---- */

static int make_hardlink(struct extract *x, const struct pax_entry *e, struct skl_error *err)
{
    CLEANUP(free_p) char *target = place(x, e->link, err);

    if (target == NULL)
        return -1;
    return linkat(AT_FDCWD, target, AT_FDCWD, x->path, 0) == 0 ? 0 : failed("link", x->path, err);
}

static int make(struct extract *x, const struct pax_entry *e, struct skl_error *err)
{
    mode_t type = e->type == PAX_CHAR ? S_IFCHR : e->type == PAX_BLOCK_DEVICE ? S_IFBLK : S_IFIFO;

    switch (e->type) {
    case PAX_FILE:
        x->fd = open(x->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        return x->fd >= 0 ? 0 : failed("create", x->path, err);
    case PAX_DIR:
        return mkdir(x->path, 0755) == 0 ? 0 : failed("mkdir", x->path, err);
    case PAX_SYMLINK:
        return symlink(e->link, x->path) == 0 ? 0 : failed("symlink", x->path, err);
    case PAX_HARDLINK:
        return make_hardlink(x, e, err);
    default:
        return mknod(x->path, type | 0600, makedev(e->major, e->minor)) == 0 ? 0 : failed("mknod", x->path, err);
    }
}

static int begin(struct extract *x, const struct pax_entry *e, struct skl_error *err)
{
    bool keep;

    free(x->path);
    x->path = place(x, e->path, err);
    if (x->path == NULL)
        return -1;
    if (str_eq(x->path, x->directory)) /* the directory itself: it is there, and stays whose it is */
        return e->type == PAX_DIR ? 0 : error_set(err, SKL_ERR_INVALID, "invalid tar: \"%s\" is the directory itself", e->path);
    if (make_parents(x->path, err) < 0 || clear_place(x, x->path, e->type == PAX_DIR, &keep, err) < 0)
        return -1;
    return keep ? 0 : make(x, e, err);
}

static int write_at(struct extract *x, const struct pax_event *ev, struct skl_error *err)
{
    size_t done = 0;

    while (x->fd >= 0 && done < ev->len) {
        ssize_t n = pwrite(x->fd, ev->data + done, ev->len - done, ev->offset + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed("write", x->path, err);
        done += (size_t)n;
    }
    return 0;
}

static int end(struct extract *x, const struct pax_entry *e, struct skl_error *err)
{
    if (x->fd >= 0) {
        int fd = x->fd;
        x->fd = -1;
        if (ftruncate(fd, e->size) < 0) { /* a hole at the end */
            close(fd);
            return failed("write", x->path, err);
        }
        if (close(fd) < 0)
            return failed("write", x->path, err);
    }
    return str_eq(x->path, x->directory) ? 0 : set_attributes(x, e, err);
}

static int on_event(struct extract *x, const struct pax_event *ev, struct skl_error *err)
{
    switch (ev->kind) {
    case PAX_ENTRY:
        return begin(x, ev->entry, err);
    case PAX_DATA:
        return write_at(x, ev, err);
    case PAX_ENTRY_END:
        return end(x, ev->entry, err);
    default:
        return 0;
    }
}

static int feed(struct extract *x, const uint8_t *p, size_t n, struct skl_error *err)
{
    struct pax_event ev;

    do {
        ssize_t used = pax_read(x->reader, p, n, &ev, err);
        if (used < 0 || on_event(x, &ev, err) < 0)
            return -1;
        p += used;
        n -= (size_t)used;
    } while (n > 0 || ev.kind == PAX_ENTRY_END || ev.kind == PAX_ENTRY);
    return 0;
}

int extract_feed(struct extract *x, const uint8_t *p, size_t n, struct skl_error *err)
{
    return n > 0 ? feed(x, p, n, err) : 0;
}

int extract_finish(struct extract *x, struct skl_error *err)
{
    static const uint8_t none[1];

    if (feed(x, none, 0, err) < 0 || pax_read_finish(x->reader, err) < 0)
        return -1;
    for (size_t i = x->n_dirs; i-- > 0;) {
        struct timespec ts[2];
        times_of(x->dirs[i].mtime, 0, ts);
        if (utimensat(AT_FDCWD, x->dirs[i].path, ts, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
            return failed("set times of", x->dirs[i].path, err);
    }
    return 0;
}
