/*
 * wire/pax_read.c - the tar reader of wire/pax.h.
 *
 *   HEADER --x, g, L, K--> EXTENDED --> HEADER
 *   HEADER --entry--> (SPARSE) --> CONTENT --> END --> PADDING --> HEADER        two zero blocks --> DONE
 *
 * SPARSE collects the map of a sparse file: GNU's extension blocks, or the lines that begin the data of pax 1.0.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/pax_impl.h"

#define SIZE_LIMIT (INT64_C(1) << 62)

struct pax_reader *pax_reader_new(void)
{
    struct pax_reader *r = xcalloc(1, sizeof(*r));

    pax_entry_init(&r->entry);
    buf_init(&r->ext, PAX_EXTENDED_MAX);
    return r;
}

static void forget_overrides(struct pax_reader *r)
{
    free(r->path);
    free(r->link);
    free(r->uname);
    free(r->gname);
    r->path = r->link = r->uname = r->gname = NULL;
    r->given = 0;
    for (size_t i = 0; i < r->n_xattrs; i++) {
        free(r->xattrs[i].name);
        free(r->xattrs[i].value);
    }
    free(r->xattrs);
    r->xattrs = NULL;
    r->n_xattrs = 0;
    pax_sparse_reset(&r->sparse);
}

void pax_reader_free(struct pax_reader *r)
{
    if (r == NULL)
        return;
    forget_overrides(r);
    pax_sparse_reset(&r->map);
    pax_entry_fini(&r->entry);
    buf_fini(&r->ext);
    free(r);
}

static int malformed(struct pax_reader *r, struct skl_error *err, const char *why)
{
    r->state = READ_BAD;
    return error_set(err, SKL_ERR_INVALID, "invalid tar header: %s", why);
}

/* ---- numbers and names of a header ---- */

/* Octal digits between blanks and NULs; or, with the high bit set, a big-endian two's complement number (GNU). */
bool pax_number(const uint8_t *p, size_t n, int64_t *ret)
{
    uint64_t v = 0;
    size_t i = 0;

    if ((p[0] & 0x80) != 0) {
        bool negative = (p[0] & 0x40) != 0;
        v = negative ? (uint64_t)-1 << 6 | (p[0] & 0x3f) : (p[0] & 0x3f);
        for (i = 1; i < n; i++) {
            uint8_t lost = (uint8_t)(v >> 55); /* bits that would leave, with the sign */
            if (negative ? lost != 0xff && (v >> 55) != 0x1ff : (v >> 55) != 0)
                return false;
            v = v << 8 | p[i];
        }
        *ret = (int64_t)v;
        return true;
    }
    while (i < n && (p[i] == ' ' || p[i] == '\0'))
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
        if (v >> 60 != 0)
            return false;
        v = v << 3 | (uint64_t)(p[i] - '0');
    }
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != '\0')
            return false;
    *ret = (int64_t)v;
    return true;
}

static bool checksum_is_right(const uint8_t *b)
{
    int64_t want;
    int64_t sum = 0, sum_signed = 0;

    if (!pax_number(b + 148, 8, &want))
        return false;
    for (size_t i = 0; i < PAX_BLOCK; i++) {
        bool blank = i >= 148 && i < 156;
        sum += blank ? ' ' : b[i];
        sum_signed += blank ? ' ' : (int8_t)b[i]; /* some old tars */
    }
    return want == sum || want == sum_signed;
}

static bool all_zero(const uint8_t *b)
{
    for (size_t i = 0; i < PAX_BLOCK; i++)
        if (b[i] != 0)
            return false;
    return true;
}

static char *text_of(const uint8_t *p, size_t n)
{
    return xstrndup((const char *)p, strnlen((const char *)p, n));
}

static char *header_path(const uint8_t *b)
{
    CLEANUP(free_p) char *name = text_of(b, 100);
    CLEANUP(free_p) char *prefix = NULL;

    /* GNU's magic has blanks behind "ustar" and other things where the prefix is. */
    if (memcmp(b + 257, "ustar\0", 6) != 0 || b[345] == '\0')
        return STEAL(name);
    prefix = text_of(b + 345, 155);
    return xasprintf("%s/%s", prefix, name);
}

/* ---- an entry's header ---- */

static void take_text(char **field, char *own)
{
    free(*field);
    *field = own;
}

static int take_texts(struct pax_reader *r, struct skl_error *err)
{
    const uint8_t *b = r->block;
    struct pax_entry *e = &r->entry;

    take_text(&e->path, r->path != NULL ? STEAL(r->path) : header_path(b));
    take_text(&e->link, r->link != NULL ? STEAL(r->link) : text_of(b + 157, 100));
    take_text(&e->uname, r->uname != NULL ? STEAL(r->uname) : text_of(b + 265, 32));
    take_text(&e->gname, r->gname != NULL ? STEAL(r->gname) : text_of(b + 297, 32));
    if (r->sparse.name != NULL)
        take_text(&e->path, STEAL(r->sparse.name));
    if (e->path[0] == '\0')
        return malformed(r, err, "an empty name");
    if (strlen(e->path) > PAX_NAME_MAX || strlen(e->link) > PAX_NAME_MAX)
        return malformed(r, err, "a name is too long");
    return 0;
}

static int take_numbers(struct pax_reader *r, struct skl_error *err)
{
    const uint8_t *b = r->block;
    struct pax_entry *e = &r->entry;
    int64_t mode, major = 0, minor = 0, seconds;

    if (!pax_number(b + 100, 8, &mode) || !pax_number(b + 108, 8, &e->uid) || !pax_number(b + 116, 8, &e->gid) ||
        !pax_number(b + 124, 12, &e->size) || !pax_number(b + 136, 12, &seconds))
        return malformed(r, err, "a field is not a number");
    if ((e->type == PAX_CHAR || e->type == PAX_BLOCK_DEVICE) &&
        (!pax_number(b + 329, 8, &major) || !pax_number(b + 337, 8, &minor) || major < 0 || minor < 0 || major > UINT32_MAX ||
         minor > UINT32_MAX))
        return malformed(r, err, "a device number");
    if (seconds > INT64_MAX / NS_PER_S || seconds < INT64_MIN / NS_PER_S)
        return malformed(r, err, "a time is out of range");
    e->mode = (uint32_t)mode & 07777;
    e->major = (uint32_t)major;
    e->minor = (uint32_t)minor;
    e->mtime = (r->given & PAX_HAS_MTIME) != 0 ? r->mtime : seconds * NS_PER_S;
    e->atime = (r->given & PAX_HAS_ATIME) != 0 ? r->atime : 0;
    e->uid = (r->given & PAX_HAS_UID) != 0 ? r->uid : e->uid;
    e->gid = (r->given & PAX_HAS_GID) != 0 ? r->gid : e->gid;
    e->size = (r->given & PAX_HAS_SIZE) != 0 ? r->size : e->size;
    if (e->size < 0 || e->size > SIZE_LIMIT || e->uid < 0 || e->gid < 0 || e->uid > UINT32_MAX || e->gid > UINT32_MAX)
        return malformed(r, err, "a size or an owner is out of range");
    return 0;
}

static int entry_type(struct pax_reader *r, struct skl_error *err)
{
    char type = (char)r->block[156];
    size_t n = strnlen((const char *)r->block, 100);

    if (type == '\0' || type == '7' || type == 'S')
        type = '0';
    if (type == '0' && r->block[156] == '\0' && n > 0 && r->block[n - 1] == '/')
        type = '5'; /* v7 */
    if (type < '0' || type > '6') {
        r->state = READ_BAD;
        return error_set(err, SKL_ERR_INVALID, "invalid tar header: entries of type '%c' are not understood",
                         type >= ' ' && type < 127 ? type : '?');
    }
    r->entry.type = (enum pax_type)type;
    return 0;
}

static void take_xattrs(struct pax_reader *r)
{
    struct pax_entry *e = &r->entry;

    for (size_t i = 0; i < e->n_xattrs; i++) {
        free(e->xattrs[i].name);
        free(e->xattrs[i].value);
    }
    free(e->xattrs);
    e->xattrs = STEAL(r->xattrs);
    e->n_xattrs = r->n_xattrs;
    r->n_xattrs = 0;
}

static int begin_entry(struct pax_reader *r, struct skl_error *err)
{
    if (entry_type(r, err) < 0 || take_numbers(r, err) < 0 || take_texts(r, err) < 0)
        return -1;
    take_xattrs(r);
    r->left = r->entry.type == PAX_FILE ? r->entry.size : 0;
    r->entry.size = r->left;
    r->pad = pax_padding(r->left);
    r->offset = 0;
    pax_sparse_reset(&r->map);
    if (pax_sparse_begin(r, err) < 0) {
        r->state = READ_BAD;
        return -1;
    }
    forget_overrides(r);
    return 0;
}

static int begin_extended(struct pax_reader *r, char type, struct skl_error *err)
{
    int64_t size;

    if (!pax_number(r->block + 124, 12, &size) || size < 0)
        return malformed(r, err, "a field is not a number");
    if (size > (int64_t)PAX_EXTENDED_MAX)
        return malformed(r, err, "an extended header is too large");
    buf_clear(&r->ext);
    r->ext_type = type;
    r->ext_left = size;
    r->pad = pax_padding(size);
    r->state = READ_EXTENDED;
    return 0;
}

static int take_header(struct pax_reader *r, struct pax_event *ev, struct skl_error *err)
{
    char type = (char)r->block[156];

    if (all_zero(r->block)) {
        if (++r->zeros == 2) {
            r->state = READ_DONE;
            ev->kind = PAX_END;
        }
        return 0;
    }
    r->zeros = 0;
    if (!checksum_is_right(r->block))
        return malformed(r, err, "the checksum is wrong");
    if (type == 'x' || type == 'g' || type == 'L' || type == 'K')
        return begin_extended(r, type, err);
    if (begin_entry(r, err) < 0)
        return -1;
    if (r->state == READ_SPARSE)
        return 0;
    r->state = READ_CONTENT;
    ev->kind = PAX_ENTRY;
    ev->entry = &r->entry;
    return 0;
}

/* ---- the loop ---- */

static int end_extended(struct pax_reader *r, struct skl_error *err)
{
    int rc = 0;

    if (r->ext_type == 'x')
        rc = pax_records(r, err);
    else if (r->ext_type != 'g')
        rc = pax_gnu_name(r, err);
    r->state = rc < 0 ? READ_BAD : READ_PADDING;
    return rc;
}

static size_t take_block(struct pax_reader *r, const uint8_t *p, size_t n)
{
    size_t want = PAX_BLOCK - r->have;

    if (n > want)
        n = want;
    memcpy(r->block + r->have, p, n);
    r->have += n;
    return n;
}

static size_t take_content(struct pax_reader *r, const uint8_t *p, size_t n, struct pax_event *ev)
{
    if (r->left == 0) {
        r->state = READ_PADDING;
        ev->kind = PAX_ENTRY_END;
        ev->entry = &r->entry;
        return 0;
    }
    if ((uint64_t)n > (uint64_t)r->left)
        n = (size_t)r->left;
    n = pax_sparse_place(r, n, &ev->offset);
    if (n == 0)
        return 0;
    ev->kind = PAX_DATA;
    ev->entry = &r->entry;
    ev->data = p;
    ev->len = n;
    r->left -= (int64_t)n;
    return n;
}

/* One step; -1 malformed, else bytes taken. *ret_stalled: more input is needed. */
static ssize_t step(struct pax_reader *r, const uint8_t *p, size_t n, struct pax_event *ev, bool *ret_stalled,
                    struct skl_error *err)
{
    size_t used = 0;

    switch (r->state) {
    case READ_HEADER:
    case READ_SPARSE:
        used = take_block(r, p, n);
        *ret_stalled = r->have < PAX_BLOCK;
        if (*ret_stalled)
            return (ssize_t)used;
        r->have = 0;
        if ((r->state == READ_HEADER ? take_header(r, ev, err) : pax_sparse_block(r, ev, err)) < 0)
            return -1;
        return (ssize_t)used;
    case READ_EXTENDED:
        used = (uint64_t)n < (uint64_t)r->ext_left ? n : (size_t)r->ext_left;
        (void)buf_append(&r->ext, p, used);
        r->ext_left -= (int64_t)used;
        *ret_stalled = r->ext_left > 0;
        return *ret_stalled || end_extended(r, err) == 0 ? (ssize_t)used : -1;
    case READ_CONTENT:
        *ret_stalled = r->left > 0 && n == 0;
        return *ret_stalled ? 0 : (ssize_t)take_content(r, p, n, ev);
    case READ_PADDING:
        used = n < r->pad ? n : r->pad;
        r->pad -= used;
        *ret_stalled = r->pad > 0;
        if (r->pad == 0)
            r->state = READ_HEADER;
        return (ssize_t)used;
    case READ_DONE:
        *ret_stalled = true;
        return (ssize_t)n;
    default:
        return error_set(err, SKL_ERR_INVALID, "invalid tar header: nothing more is read after an error");
    }
}

ssize_t pax_read(struct pax_reader *r, const uint8_t *p, size_t n, struct pax_event *ev, struct skl_error *err)
{
    size_t total = 0;
    bool stalled = false;

    *ev = (struct pax_event){.kind = PAX_NONE};
    while (!stalled && ev->kind == PAX_NONE) {
        ssize_t used = step(r, p + total, n - total, ev, &stalled, err);
        if (used < 0)
            return -1;
        total += (size_t)used;
        if (total == n && ev->kind == PAX_NONE && (r->state != READ_CONTENT || r->left > 0) && r->state != READ_PADDING)
            stalled = true;
    }
    return (ssize_t)total;
}

int pax_read_finish(struct pax_reader *r, struct skl_error *err)
{
    if (r->state == READ_DONE || (r->state == READ_HEADER && r->have == 0 && r->given == 0 && r->path == NULL && r->link == NULL))
        return 0;
    return error_set(err, SKL_ERR_INVALID, "unexpected end of the tar archive");
}
