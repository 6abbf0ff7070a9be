/*
 * wire/pax.h - streaming tar reader and writer, without I/O.
 *
 * Reads ustar, pax (1003.1-2001, global headers skipped), GNU ('L', 'K', base-256 numbers, old and pax sparse files)
 * and v7. Writes ustar where it fits and a pax header where it does not (long or non-ASCII names, large
 * numbers, times with fractions, extended attributes). Content is never collected.
 *
 * Reading is a loop over the bytes at hand:
 *
 *     while (n > 0) {
 *         ssize_t used = pax_read(r, p, n, &ev, err);
 *         if (used < 0) -> malformed
 *         p += used, n -= used;
 *         switch (ev.kind) { PAX_ENTRY: begin ev.entry; PAX_DATA: write ev.data at ev.offset; PAX_ENTRY_END: finish }
 *     }
 *     at the input's end: pax_read_finish(r, err)
 *
 * Names are what the archive says: the reader checks that they are not empty, hold no NUL and are at most
 * PAX_NAME_MAX long, nothing else. Keeping inside a root is the extractor's business.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_WIRE_PAX_H
#define SKL_WIRE_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/error.h"

#define PAX_BLOCK 512u
#define PAX_NAME_MAX 4096u
#define PAX_EXTENDED_MAX (1024u * 1024)  /* one extended header's body; the attributes of one entry */
#define PAX_SPARSE_MAX 65536u            /* map entries of one sparse file */

enum pax_type {
    PAX_FILE = '0',
    PAX_HARDLINK = '1',
    PAX_SYMLINK = '2',
    PAX_CHAR = '3',
    PAX_BLOCK_DEVICE = '4',
    PAX_DIR = '5',
    PAX_FIFO = '6'
};

struct pax_xattr {
    char *name;          /* "user.x", "security.capability": without SCHILY.xattr. */
    uint8_t *value;
    size_t len;
};

struct pax_entry {
    enum pax_type type;
    char *path;
    char *link;          /* target of a hard or symbolic link; "" otherwise */
    uint32_t mode;       /* 07777 */
    int64_t uid, gid;
    char *uname, *gname; /* may be "" */
    int64_t size;        /* of the file; for sparse files the whole with holes */
    int64_t mtime;       /* ns since the epoch */
    int64_t atime;       /* 0: not given (and not written) */
    uint32_t major, minor;
    struct pax_xattr *xattrs;
    size_t n_xattrs;
};
void pax_entry_init(struct pax_entry *e);         /* all fields usable; strings are heap-owned, never NULL */
void pax_entry_fini(struct pax_entry *e);
void pax_entry_set(char **field, const char *value); /* replaces a string field by a copy */

/* ---- reading ---- */

enum pax_event_kind {
    PAX_NONE,            /* bytes were taken; nothing to report yet */
    PAX_ENTRY,           /* a header is complete: entry is borrowed until PAX_ENTRY_END was returned */
    PAX_DATA,            /* content: data/len belongs at offset (holes of sparse files are skipped over) */
    PAX_ENTRY_END,       /* content complete. Also for entries without content. */
    PAX_END              /* the end marker; what follows is ignored (taken) */
};

struct pax_event {
    enum pax_event_kind kind;
    const struct pax_entry *entry;
    const uint8_t *data;
    size_t len;
    int64_t offset;
};

struct pax_reader;
struct pax_reader *pax_reader_new(void);
void pax_reader_free(struct pax_reader *r);
/* Takes bytes up to the next event; returns how many (0 is possible when the event needed none), or -1. */
ssize_t pax_read(struct pax_reader *r, const uint8_t *p, size_t n, struct pax_event *ev, struct skl_error *err);
/* An event that needs no more bytes may be left after the last byte (PAX_ENTRY_END): pax_read with n 0 returns it,
 * or PAX_NONE. */
/* 0 when the input may end here: at the marker or at a header boundary; else -1 (truncated). */
int pax_read_finish(struct pax_reader *r, struct skl_error *err);

/* ---- writing ---- */

/* Appends the header block(s) of e. Content of e->size bytes follows for PAX_FILE, then pax_padding(size) zeros. */
int pax_write_header(struct buf *out, const struct pax_entry *e, struct skl_error *err);
static inline size_t pax_padding(int64_t size)
{
    return (size_t)((PAX_BLOCK - (uint64_t)size % PAX_BLOCK) % PAX_BLOCK);
}
#define PAX_TRAILER_SIZE (2u * PAX_BLOCK)         /* zeros at the end */

/* ---- file modes ---- */

/* Go's os.FileMode of a Unix st_mode (reference 2.14.1). */
uint32_t pax_go_filemode(uint32_t st_mode);

#endif
