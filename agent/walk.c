/*
 * agent/walk.c - see walk.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agent/walk.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/pax.h"

#define PIECE (64u * 1024)
#define HEADER_MAX (PAX_EXTENDED_MAX + 64u * 1024)
#define CAPABILITY "security.capability" /* the one attribute that changes what a program may do; Docker keeps it, too */
#define CAPABILITY_MAX 64
#define OWN_DIRECTORY "/.sockerless"

struct level {
    DIR *dir;
    size_t name_len; /* of the names' common start, with its slash */
};

/* A file with several names: the first one goes out whole, the others as links to it. */
struct seen {
    struct {
        dev_t dev;
        ino_t ino;
    } key;
    char *name;
    UT_hash_handle hh;
};

struct walk {
    struct level levels[WALK_DEPTH_MAX];
    size_t depth;
    bool began, finished;
    bool one_fs;
    dev_t dev;
    struct stat own; /* of the agent's directory; st_ino 0: there is none */
    char *path;      /* of the top */
    bool follow;
    struct buf name; /* of the current entry */
    struct buf out;  /* headers and padding to send */
    size_t out_at;
    int fd;          /* the file being sent, or -1 */
    int64_t left;
    size_t pad;
    uint8_t *piece;
    struct seen *seen;
    struct skl_error err;
};

struct walk *walk_new(const struct walk_opts *opts, struct skl_error *err)
{
    struct walk *w = xcalloc(1, sizeof(*w));
    struct stat st;

    w->fd = -1;
    w->path = xstrdup(opts->path);
    w->follow = opts->follow;
    w->one_fs = opts->one_file_system;
    buf_init(&w->name, PAX_NAME_MAX + 1);
    buf_init(&w->out, HEADER_MAX);
    buf_puts(&w->name, opts->name);
    if (fstatat(AT_FDCWD, w->path, &st, opts->follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0) {
        error_set_errno(err, errno == ENOENT || errno == ENOTDIR ? SKL_ERR_NOT_FOUND : SKL_ERR_INTERNAL, errno, "%s", w->path);
        walk_free(w);
        return NULL;
    }
    w->dev = st.st_dev;
    if (stat(OWN_DIRECTORY, &w->own) < 0)
        w->own.st_ino = 0;
    return w;
}

void walk_free(struct walk *w)
{
    struct seen *s, *tmp;

    if (w == NULL)
        return;
    while (w->depth > 0)
        closedir(w->levels[--w->depth].dir);
    if (w->fd >= 0)
        close(w->fd);
    HASH_ITER(hh, w->seen, s, tmp) {
        HASH_DEL(w->seen, s);
        free(s->name);
        free(s);
    }
    buf_fini(&w->name);
    buf_fini(&w->out);
    free(w->piece);
    free(w->path);
    free(w);
}

const char *walk_failure(const struct walk *w)
{
    return w->err.message;
}

static int fail(struct walk *w, const char *what)
{
    return error_set_errno(&w->err, SKL_ERR_INTERNAL, errno, "%s %s", what, buf_str(&w->name));
}

/* ---- entries ---- */

/* True when an earlier name of the same file was sent; else remembers this one. */
static bool is_second_name(struct walk *w, const struct stat *st, struct pax_entry *e)
{
    struct seen *s;
    typeof(s->key) key;

    if (st->st_nlink < 2)
        return false;
    memset(&key, 0, sizeof(key));
    key.dev = st->st_dev;
    key.ino = st->st_ino;
    HASH_FIND(hh, w->seen, &key, sizeof(key), s);
    if (s != NULL) {
        e->type = PAX_HARDLINK;
        e->size = 0;
        pax_entry_set(&e->link, s->name);
        return true;
    }
    if (HASH_COUNT(w->seen) < WALK_LINKS_MAX) {
        s = xcalloc(1, sizeof(*s));
        s->key = key;
        s->name = xstrdup(e->path);
        HASH_ADD(hh, w->seen, key, sizeof(s->key), s);
    }
    return false;
}

static void add_capability(struct pax_entry *e, int fd)
{
    uint8_t value[CAPABILITY_MAX];
    ssize_t n = fgetxattr(fd, CAPABILITY, value, sizeof(value));

    if (n <= 0)
        return;
    e->xattrs = xcalloc(1, sizeof(*e->xattrs));
    e->xattrs[0] = (struct pax_xattr){xstrdup(CAPABILITY), xmemdup(value, (size_t)n), (size_t)n};
    e->n_xattrs = 1;
}

static bool is_virtual(int fd)
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return false;
    switch ((unsigned long)fs.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEVPTS_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case BPF_FS_MAGIC:
    case SECURITYFS_MAGIC:
        return true;
    default:
        return false;
    }
}

/* Goes into a directory, unless it is one that is only named. */
static int enter(struct walk *w, int at, const char *name, const struct stat *st, bool follow)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    DIR *dir;

    if (fd < 0)
        return errno == ENOENT ? 0 : fail(w, "open");
    if ((w->one_fs && st->st_dev != w->dev) || is_virtual(fd)) {
        close(fd);
        return 0;
    }
    if (w->depth == WALK_DEPTH_MAX) {
        close(fd);
        return error_set(&w->err, SKL_ERR_INTERNAL, "%s: more than %u levels", buf_str(&w->name), WALK_DEPTH_MAX);
    }
    dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return fail(w, "open");
    }
    w->levels[w->depth++] = (struct level){dir, w->name.len};
    return 0;
}

static int open_file(struct walk *w, int at, const char *name, struct pax_entry *e, bool follow, bool *ret_gone)
{
    struct stat st;
    int fd = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW));

    if (fd < 0) {
        *ret_gone = errno == ENOENT;
        return *ret_gone ? 0 : fail(w, "open");
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        *ret_gone = true; /* another thing by now */
        return 0;
    }
    e->size = st.st_size;
    add_capability(e, fd);
    w->fd = fd;
    w->left = st.st_size;
    w->pad = pax_padding(st.st_size);
    return 0;
}

static int read_link(struct walk *w, int at, const char *name, struct pax_entry *e)
{
    char target[PAX_NAME_MAX + 1];
    ssize_t n = readlinkat(at, name, target, sizeof(target));

    if (n < 0 || n > (ssize_t)PAX_NAME_MAX)
        return fail(w, "readlink");
    target[n] = '\0';
    pax_entry_set(&e->link, target);
    return 0;
}

static bool entry_type(mode_t mode, enum pax_type *ret)
{
    switch (mode & S_IFMT) {
    case S_IFREG: *ret = PAX_FILE; return true;
    case S_IFDIR: *ret = PAX_DIR; return true;
    case S_IFLNK: *ret = PAX_SYMLINK; return true;
    case S_IFCHR: *ret = PAX_CHAR; return true;
    case S_IFBLK: *ret = PAX_BLOCK_DEVICE; return true;
    case S_IFIFO: *ret = PAX_FIFO; return true;
    default: return false;
    }
}

static int write_entry(struct walk *w, int at, const char *name, const struct stat *st, struct pax_entry *e, bool follow)
{
    bool gone = false;

    if (e->type == PAX_SYMLINK && read_link(w, at, name, e) < 0)
        return -1;
    if (e->type == PAX_FILE && !is_second_name(w, st, e) && open_file(w, at, name, e, follow, &gone) < 0)
        return -1;
    if (gone)
        return 0;
    return pax_write_header(&w->out, e, &w->err);
}

/* w->name is the entry's name; `at` and `name` are where it is. */
static int emit(struct walk *w, int at, const char *name, bool follow)
{
    struct pax_entry e;
    struct stat st;
    int rc;

    if (fstatat(at, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : fail(w, "stat");
    if (S_ISSOCK(st.st_mode) || (w->own.st_ino != 0 && st.st_ino == w->own.st_ino && st.st_dev == w->own.st_dev))
        return 0;
    if (w->name.len == 0) /* the top, which has no entry of its own */
        return enter(w, at, name, &st, follow);
    if (S_ISDIR(st.st_mode) && !str_ends(buf_str(&w->name), "/"))
        buf_putc(&w->name, '/');
    if (w->name.overflow)
        return error_set(&w->err, SKL_ERR_INTERNAL, "%s...: the name is too long", buf_str(&w->name));
    pax_entry_init(&e);
    if (!entry_type(st.st_mode, &e.type)) {
        pax_entry_fini(&e);
        return 0;
    }
    pax_entry_set(&e.path, buf_str(&w->name));
    e.mode = st.st_mode & 07777;
    e.uid = st.st_uid;
    e.gid = st.st_gid;
    e.mtime = (int64_t)st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
    e.major = major(st.st_rdev);
    e.minor = minor(st.st_rdev);
    rc = write_entry(w, at, name, &st, &e, follow);
    pax_entry_fini(&e);
    if (rc == 0 && S_ISDIR(st.st_mode))
        rc = enter(w, at, name, &st, follow);
    return rc;
}

/* ---- the order of things ---- */

static void finish(struct walk *w)
{
    static const char zeros[PAX_TRAILER_SIZE];

    (void)buf_append(&w->out, zeros, sizeof(zeros));
    w->finished = true;
}

static int next(struct walk *w)
{
    struct level *l;
    struct dirent *d;

    if (!w->began) {
        w->began = true;
        return emit(w, AT_FDCWD, w->path, w->follow);
    }
    if (w->depth == 0) {
        finish(w);
        return 0;
    }
    l = &w->levels[w->depth - 1];
    errno = 0;
    d = readdir(l->dir);
    w->name.len = l->name_len;
    if (w->name.data != NULL)
        w->name.data[w->name.len] = '\0';
    if (d == NULL) {
        if (errno != 0)
            return fail(w, "read");
        closedir(l->dir);
        w->depth--;
        return 0;
    }
    if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
        return 0;
    buf_puts(&w->name, d->d_name);
    return emit(w, dirfd(l->dir), d->d_name, false);
}

static ssize_t pull_file(struct walk *w, size_t max, const uint8_t **ret_p)
{
    size_t want = max < PIECE ? max : PIECE;
    ssize_t n;

    if ((int64_t)want > w->left)
        want = (size_t)w->left;
    if (w->piece == NULL)
        w->piece = xmalloc(PIECE);
    n = read(w->fd, w->piece, want);
    if (n <= 0) {
        if (n == 0)
            error_set(&w->err, SKL_ERR_INTERNAL, "%s became shorter while it was read", buf_str(&w->name));
        else
            fail(w, "read");
        return H2_BODY_ABORT;
    }
    w->left -= n;
    *ret_p = w->piece;
    return n;
}

static void end_file(struct walk *w)
{
    static const char zeros[PAX_BLOCK];

    close(w->fd);
    w->fd = -1;
    (void)buf_append(&w->out, zeros, w->pad);
    w->pad = 0;
}

ssize_t walk_pull(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct walk *w = arg;

    *ret_eof = false;
    if (w->out_at == w->out.len) {
        buf_clear(&w->out);
        w->out_at = 0;
        if (w->fd >= 0 && w->left > 0)
            return pull_file(w, max, ret_p);
        if (w->fd >= 0)
            end_file(w);
    }
    while (w->out.len == 0 && !w->finished && w->fd < 0)
        if (next(w) < 0)
            return H2_BODY_ABORT;
    if (w->out.len == 0)
        return walk_pull(arg, max, ret_p, ret_eof); /* an aligned file's end, a hard link of nothing: once */
    *ret_p = (const uint8_t *)w->out.data + w->out_at;
    if (max > w->out.len - w->out_at)
        max = w->out.len - w->out_at;
    w->out_at += max;
    *ret_eof = w->finished && w->out_at == w->out.len;
    return (ssize_t)max;
}
