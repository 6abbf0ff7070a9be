/*
 * wire/pax_impl.h - the reader's insides. Internal to wire/pax_*.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_WIRE_PAX_IMPL_H
#define SKL_WIRE_PAX_IMPL_H

#include "wire/pax.h"

enum read_state { READ_HEADER, READ_EXTENDED, READ_SPARSE, READ_CONTENT, READ_PADDING, READ_DONE, READ_BAD };

struct sparse_piece {
    int64_t offset, len;
};

/* A sparse file's map, and what the pax records said of it before its header came. */
struct pax_sparse {
    struct sparse_piece *pieces;
    size_t n, cap;
    size_t at;             /* the piece being filled */
    int64_t in_piece;
    bool on;               /* the current file is sparse */
    int64_t real_size;     /* -1: not given */
    char *name;            /* GNU.sparse.name */
    int major, minor;      /* GNU.sparse.major, .minor */
    bool half;             /* pax 0.0: an offset came, its length did not yet */
};

/* The map of pax 1.0, number by number. */
struct pax_map_text {
    int64_t count;         /* pairs still to come; -1: not known yet */
    int64_t value, offset;
    size_t seen;
    bool digits, second;
};

enum { PAX_HAS_SIZE = 1, PAX_HAS_UID = 2, PAX_HAS_GID = 4, PAX_HAS_MTIME = 8, PAX_HAS_ATIME = 16 };

struct pax_reader {
    enum read_state state;
    uint8_t block[PAX_BLOCK];
    size_t have;
    int zeros;
    /* an extended header */
    struct buf ext;
    char ext_type;
    int64_t ext_left;
    /* what extended headers say of the next entry */
    unsigned given;
    char *path, *link, *uname, *gname;
    int64_t size, uid, gid, mtime, atime;
    struct pax_xattr *xattrs;
    size_t n_xattrs;
    struct pax_sparse sparse;
    /* the current entry */
    struct pax_entry entry;
    int64_t left;          /* stored bytes still to come */
    size_t pad;
    int64_t offset;
    struct pax_sparse map;
    struct pax_map_text text;
};

bool pax_number(const uint8_t *p, size_t n, int64_t *ret);

/* ---- pax_records.c: the bodies of extended headers ---- */
int pax_records(struct pax_reader *r, struct skl_error *err);
int pax_gnu_name(struct pax_reader *r, struct skl_error *err);

/* ---- pax_sparse.c ---- */
void pax_sparse_reset(struct pax_sparse *s);
/* A GNU.sparse.* record. */
int pax_sparse_record(struct pax_sparse *s, const char *key, const char *value, struct skl_error *err);
/* The entry's header is complete: is it sparse, and is its map? state READ_SPARSE when blocks of it are to come. */
int pax_sparse_begin(struct pax_reader *r, struct skl_error *err);
int pax_sparse_block(struct pax_reader *r, struct pax_event *ev, struct skl_error *err);
/* Where the next bytes go and how many of n go there. */
size_t pax_sparse_place(struct pax_reader *r, size_t n, int64_t *ret_offset);

#endif
