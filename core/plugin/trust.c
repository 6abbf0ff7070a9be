/*
 * plugin/trust.c - owner and mode checks before a file becomes part of the process (see trust.h).
 *
 * The loader opens the path a second time (dlopen takes names), so it is not enough to look at the file: whoever
 * can write to a directory on the way can swap it in between. Therefore the whole way up is checked, as
 * sshd does with authorized_keys.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "plugin/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

static int check_owner_mode(const struct stat *st, const char *what, struct skl_error *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return error_set(err, SKL_ERR_FORBIDDEN, "%s belongs to user %lu: it must be root's or the daemon's own",
                         what, (unsigned long)st->st_uid);
    if ((st->st_mode & S_IWOTH) != 0)
        return error_set(err, SKL_ERR_FORBIDDEN, "%s can be written by everybody (mode %04o): chmod go-w", what,
                         (unsigned)st->st_mode & 07777u);
    if ((st->st_mode & S_IWGRP) != 0)
        return error_set(err, SKL_ERR_FORBIDDEN, "%s can be written by its group (mode %04o): chmod g-w", what,
                         (unsigned)st->st_mode & 07777u);
    return 0;
}

static int check_directory(const char *dir, struct skl_error *err)
{
    char what[PATH_MAX + 16];
    struct stat st;

    snprintf(what, sizeof what, "directory %s", dir);
    if (lstat(dir, &st) < 0)
        return error_set_errno(err, SKL_ERR_FORBIDDEN, errno, "%s", what);
    if ((st.st_mode & S_ISVTX) != 0)
        st.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
    return check_owner_mode(&st, what, err);
}

/* Each directory above path, which is absolute and without links. */
static int check_way(const char *path, struct skl_error *err)
{
    CLEANUP(free_p) char *dir = xstrdup(path);
    char *slash;

    while ((slash = strrchr(dir, '/')) != NULL && slash != dir) {
        *slash = '\0';
        if (check_directory(dir, err) < 0)
            return -1;
    }
    return check_directory("/", err);
}

static int check_file(int fd, struct skl_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set_errno(err, SKL_ERR_UNAVAILABLE, errno, "can't be examined");
    if (S_ISDIR(st.st_mode))
        return error_set(err, SKL_ERR_UNAVAILABLE, "is a directory, not a shared object");
    if (!S_ISREG(st.st_mode))
        return error_set(err, SKL_ERR_UNAVAILABLE, "not a regular file");
    return check_owner_mode(&st, "the file", err);
}

int trust_open(const char *path, char **ret_path, struct skl_error *err)
{
    CLEANUP(free_p) char *real = realpath(path, NULL);
    int fd;

    if (real == NULL)
        return error_set_errno(err, errno == ENOENT || errno == ENOTDIR ? SKL_ERR_NOT_FOUND : SKL_ERR_FORBIDDEN,
                               errno, "can't be found");
    /* O_NONBLOCK: opening a FIFO must not hang. */
    fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return error_set_errno(err, SKL_ERR_FORBIDDEN, errno, "can't be opened");
    if (check_file(fd, err) < 0 || check_way(real, err) < 0) {
        close(fd);
        return -1;
    }
    *ret_path = STEAL(real);
    return fd;
}
