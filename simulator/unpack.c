/*
 * simulator/unpack.c - archives into directories, safely.
 *
 * Archives are hostile. An entry's parent directory is resolved inside the root by the kernel (openat2 with
 * RESOLVE_IN_ROOT: links of earlier entries can't lead out), and libarchive then writes the last component by its resolved
 * path under its own checks for links and "..".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/images.h"

#define READ_BLOCK (256u * 1024)
#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

struct unpack {
    struct archive *in, *out;
    const char *root;          /* real path */
    int root_fd;
    bool layer, root_user;
    struct skl_error *err;
};

/* Root of all users, and not of a user namespace with few: only that can make any file anybody's. */
static bool is_root(void)
{
    FILE *f = fopen("/proc/self/uid_map", "re");
    unsigned inside = 1, outside = 1, count = 0;
    bool all = f != NULL && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 && outside == 0 && count == UINT32_MAX;

    if (f != NULL)
        fclose(f);
    return geteuid() == 0 && all;
}

static int fail(struct unpack *u, struct archive *a, const char *what)
{
    return error_set(u->err, SKL_ERR_INVALID, "%s: %s", what, archive_error_string(a) != NULL ? archive_error_string(a) : "failed");
}

/* "./a//b/" -> "a/b"; NULL for the root itself or a name with "..". */
static char *clean_name(const char *name)
{
    size_t n, used = 0;
    char **parts = str_split(name, '/', &n), *out = xcalloc(1, strlen(name) + 1);

    for (size_t i = 0; i < n; i++) {
        if (parts[i][0] == '\0' || str_eq(parts[i], "."))
            continue;
        if (str_eq(parts[i], "..")) {
            used = 0;
            break;
        }
        if (used > 0)
            out[used++] = '/';
        memcpy(out + used, parts[i], strlen(parts[i]) + 1);
        used += strlen(parts[i]);
    }
    free(parts);
    if (used > 0)
        return out;
    free(out);
    return NULL;
}

/* Opens a directory inside the root, making it (and its parents) when missing. */
static int open_dir(struct unpack *u, const char *dir)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    int fd = (int)syscall(SYS_openat2, u->root_fd, dir[0] != '\0' ? dir : ".", &how, sizeof(how)), parent;
    CLEANUP(free_p) char *up = NULL;
    const char *base;

    if (fd >= 0 || errno != ENOENT || dir[0] == '\0')
        return fd;
    base = strrchr(dir, '/');
    up = base != NULL ? xstrndup(dir, (size_t)(base - dir)) : xstrdup("");
    parent = open_dir(u, up);
    if (parent < 0)
        return -1;
    (void)mkdirat(parent, base != NULL ? base + 1 : dir, 0755);
    close(parent);
    return (int)syscall(SYS_openat2, u->root_fd, dir, &how, sizeof(how));
}

/* Where name really lies: its parent resolved, its last component as it is. NULL on failure. */
static char *resolve(struct unpack *u, const char *name)
{
    const char *slash = strrchr(name, '/');
    CLEANUP(free_p) char *dir = slash != NULL ? xstrndup(name, (size_t)(slash - name)) : xstrdup("");
    char link[64], real[4096];
    int fd = open_dir(u, dir);
    ssize_t n;

    if (fd < 0)
        return NULL;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, real, sizeof(real) - 1);
    close(fd);
    if (n < 0)
        return NULL;
    real[n] = '\0';
    return fs_join(real, slash != NULL ? slash + 1 : name);
}

static int whiteout(struct unpack *u, const char *name)
{
    const char *base = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
    CLEANUP(free_p) char *at = resolve(u, name), *target = NULL;
    size_t dir_len;

    if (at == NULL)
        return 0; /* nothing there to remove */
    dir_len = strlen(at) - strlen(base);
    if (str_eq(base, OPAQUE)) {
        CLEANUP(free_p) char *dir = xstrndup(at, dir_len - 1);
        struct stat st;
        if (lstat(dir, &st) < 0 || str_eq(dir, u->root))
            return 0;
        if (fs_remove_tree(dir, u->err) < 0)
            return -1;
        return mkdir(dir, st.st_mode & 07777) < 0 || lchown(dir, st.st_uid, st.st_gid) < 0
                   ? error_set_errno(u->err, SKL_ERR_INTERNAL, errno, "emptying %s", dir)
                   : 0;
    }
    target = xasprintf("%.*s%s", (int)dir_len, at, base + strlen(WHITEOUT));
    return fs_remove_tree(target, u->err);
}

static int set_hardlink(struct unpack *u, struct archive_entry *e)
{
    CLEANUP(free_p) char *name = clean_name(archive_entry_hardlink(e));
    CLEANUP(free_p) char *real = name != NULL ? resolve(u, name) : NULL;

    if (real == NULL)
        return error_set(u->err, SKL_ERR_INVALID, "hard link to %s leads outside", archive_entry_hardlink(e));
    archive_entry_set_hardlink(e, real);
    return 0;
}

static int copy_data(struct unpack *u)
{
    const void *p;
    size_t n;
    int64_t off;
    int rc;

    while ((rc = archive_read_data_block(u->in, &p, &n, &off)) == ARCHIVE_OK)
        if (archive_write_data_block(u->out, p, n, off) < ARCHIVE_OK)
            return fail(u, u->out, "writing");
    return rc == ARCHIVE_EOF ? 0 : fail(u, u->in, "reading the archive");
}

/* A directory in the way of a file, or the reverse: the later layer wins. */
static int clear_way(struct unpack *u, struct archive_entry *e, const char *path)
{
    struct stat st;
    bool dir = archive_entry_filetype(e) == AE_IFDIR;

    if (lstat(path, &st) < 0 || (dir && S_ISDIR(st.st_mode)))
        return 0;
    return fs_remove_tree(path, u->err);
}

static int take_entry(struct unpack *u, struct archive_entry *e)
{
    CLEANUP(free_p) char *name = archive_entry_pathname(e) != NULL ? clean_name(archive_entry_pathname(e)) : NULL;
    CLEANUP(free_p) char *path = NULL;
    const char *base;

    if (name == NULL)
        return 0;
    base = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
    if (u->layer && str_starts(base, WHITEOUT))
        return whiteout(u, name);
    path = resolve(u, name);
    if (path == NULL)
        return error_set_errno(u->err, SKL_ERR_INVALID, errno, "the entry %s can't be placed", name);
    if (!u->root_user && (archive_entry_filetype(e) == AE_IFCHR || archive_entry_filetype(e) == AE_IFBLK))
        return 0; /* an ordinary user can't make devices; functions get theirs from crun */
    if (archive_entry_hardlink(e) != NULL && set_hardlink(u, e) < 0)
        return -1;
    if (clear_way(u, e, path) < 0)
        return -1;
    archive_entry_set_pathname(e, path);
    if (archive_write_header(u->out, e) < ARCHIVE_WARN)
        return fail(u, u->out, name);
    if (archive_entry_size(e) > 0 && archive_entry_hardlink(e) == NULL && copy_data(u) < 0)
        return -1;
    return archive_write_finish_entry(u->out) < ARCHIVE_WARN ? fail(u, u->out, name) : 0;
}

static int unpack(const char *tar, const char *root, bool layer, struct skl_error *err)
{
    struct unpack u = {.layer = layer, .root_user = is_root(), .err = err};
    CLEANUP(free_p) char *real = realpath(root, NULL);
    struct archive_entry *e;
    int rc = 0, r;

    if (real == NULL || (u.root_fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "opening %s", root);
    u.root = real;
    u.in = archive_read_new();
    archive_read_support_filter_all(u.in);
    archive_read_support_format_tar(u.in);
    u.out = archive_write_disk_new();
    archive_write_disk_set_options(u.out, ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_UNLINK |
                                              ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                              (u.root_user ? ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_XATTR : 0));
    if (archive_read_open_filename(u.in, tar, READ_BLOCK) != ARCHIVE_OK)
        rc = fail(&u, u.in, tar);
    while (rc == 0 && (r = archive_read_next_header(u.in, &e)) != ARCHIVE_EOF)
        rc = r < ARCHIVE_WARN ? fail(&u, u.in, tar) : take_entry(&u, e);
    if (archive_write_close(u.out) < ARCHIVE_WARN && rc == 0)
        rc = fail(&u, u.out, root);
    archive_write_free(u.out);
    archive_read_free(u.in);
    close(u.root_fd);
    return rc;
}

int unpack_layer(const char *tar, const char *root, struct skl_error *err)
{
    return unpack(tar, root, true, err);
}

int unpack_archive(const char *tar, const char *dir, struct skl_error *err)
{
    return unpack(tar, dir, false, err);
}

int unpack_find(const char *tar, const char *const *names, bool *ret_found, struct skl_error *err)
{
    struct archive *in = archive_read_new();
    struct archive_entry *e;
    int rc = 0, r;

    *ret_found = false;
    archive_read_support_filter_all(in);
    archive_read_support_format_tar(in);
    if (archive_read_open_filename(in, tar, READ_BLOCK) != ARCHIVE_OK)
        rc = error_set(err, SKL_ERR_INVALID, "%s: %s", tar, archive_error_string(in));
    while (rc == 0 && !*ret_found && (r = archive_read_next_header(in, &e)) != ARCHIVE_EOF) {
        CLEANUP(free_p) char *name = r < ARCHIVE_WARN ? NULL : clean_name(archive_entry_pathname(e));
        if (r < ARCHIVE_WARN)
            rc = error_set(err, SKL_ERR_INVALID, "%s: %s", tar, archive_error_string(in));
        for (size_t i = 0; name != NULL && names[i] != NULL; i++)
            *ret_found |= str_eq(names[i], name);
    }
    archive_read_free(in);
    return rc;
}
