/*
 * wire/pax_entry.c - what the reader and the writer of wire/pax.h share: entries, Go's file modes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/mem.h"
#include "wire/pax.h"

void pax_entry_init(struct pax_entry *e)
{
    *e = (struct pax_entry){.type = PAX_FILE, .path = xstrdup(""), .link = xstrdup(""), .uname = xstrdup(""), .gname = xstrdup("")};
}

void pax_entry_fini(struct pax_entry *e)
{
    free(e->path);
    free(e->link);
    free(e->uname);
    free(e->gname);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        free(e->xattrs[i].name);
        free(e->xattrs[i].value);
    }
    free(e->xattrs);
    *e = (struct pax_entry){0};
}

void pax_entry_set(char **field, const char *value)
{
    char *copy = xstrdup(value);

    free(*field);
    *field = copy;
}

/* Go's io/fs.FileMode: type and special bits have places of their own. */
#define GO_DIR (1u << 31)
#define GO_SYMLINK (1u << 27)
#define GO_DEVICE (1u << 26)
#define GO_PIPE (1u << 25)
#define GO_SOCKET (1u << 24)
#define GO_SETUID (1u << 23)
#define GO_SETGID (1u << 22)
#define GO_CHAR (1u << 21)
#define GO_STICKY (1u << 20)

uint32_t pax_go_filemode(uint32_t st_mode)
{
    uint32_t mode = st_mode & 0777;

    if (S_ISDIR(st_mode))
        mode |= GO_DIR;
    else if (S_ISLNK(st_mode))
        mode |= GO_SYMLINK;
    else if (S_ISBLK(st_mode))
        mode |= GO_DEVICE;
    else if (S_ISCHR(st_mode))
        mode |= GO_DEVICE | GO_CHAR;
    else if (S_ISFIFO(st_mode))
        mode |= GO_PIPE;
    else if (S_ISSOCK(st_mode))
        mode |= GO_SOCKET;
    mode |= (st_mode & S_ISUID) != 0 ? GO_SETUID : 0;
    mode |= (st_mode & S_ISGID) != 0 ? GO_SETGID : 0;
    mode |= (st_mode & S_ISVTX) != 0 ? GO_STICKY : 0;
    return mode;
}
