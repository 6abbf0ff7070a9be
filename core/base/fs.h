/*
 * base/fs.h - small file helpers. All paths are bytes; all fds are close-on-exec.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_FS_H
#define SKL_BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/error.h"

/* Reads a whole file of at most out->max bytes. */
int fs_read_file(const char *path, struct buf *out, struct skl_error *err);
/* Writes to a temporary name beside it, then renames: readers see the old or the new file, also after a kill at any
 * moment. No fsync (it would block the loop): what must survive a power failure belongs into the store. */
int fs_write_file_atomic(const char *path, const void *p, size_t n, mode_t mode, struct skl_error *err);
int fs_mkdir_p(const char *path, mode_t mode, struct skl_error *err);
/* Removes a tree without following links or crossing mounts; a missing path is success. */
int fs_remove_tree(const char *path, struct skl_error *err);
/* Removes what lies in dir and keep(arg, name) does not want: what a daemon that was killed had no time to remove. Returns
 * how many; what can't be removed is logged and stays. */
size_t fs_sweep(const char *dir, bool (*keep)(void *arg, const char *name), void *arg);
int fs_write_all(int fd, const void *p, size_t n);  /* 0 or -errno; loops over short writes */
char *fs_join(const char *dir, const char *name);   /* caller frees */

/* The soft limit of open files becomes the hard one: a shell's 1024 ends at some 300 links. What can't be is left. */
void fs_raise_open_files(void);

#endif
