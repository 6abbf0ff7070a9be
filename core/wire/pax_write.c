/*
 * wire/pax_write.c - headers of a tar: ustar where it fits, a pax header before it where it does not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/str.h"
#include "wire/pax.h"

#define NAME_SIZE 100
#define PREFIX_SIZE 155
#define OCTAL7_MAX INT64_C(07777777)
#define OCTAL11_MAX INT64_C(077777777777)

/* POSIX.1-2001, "ustar Interchange Format". */
struct header {
    char name[NAME_SIZE];
    char mode[8], uid[8], gid[8];
    char size[12], mtime[12];
    char chksum[8];
    char typeflag;
    char linkname[100];
    char magic[6], version[2];
    char uname[32], gname[32];
    char devmajor[8], devminor[8];
    char prefix[PREFIX_SIZE];
    char pad[12];
};
_Static_assert(sizeof(struct header) == PAX_BLOCK, "a header is one block");

static void octal(char *field, size_t size, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%0*" PRIo64, (int)size - 1, value);
    memcpy(field, text, size - 1); /* the last byte is NUL already */
}

static bool is_ascii(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s >= 0x80)
            return false;
    return true;
}

/* Where a long name may be cut into prefix and name; 0: it fits as it is; -1: nowhere. */
static ssize_t split_at(const char *path, size_t n)
{
    if (n <= NAME_SIZE)
        return 0;
    for (size_t i = n > PREFIX_SIZE ? PREFIX_SIZE : n - 1; i > 0; i--)
        if (path[i] == '/' && n - i - 1 <= NAME_SIZE && n - i - 1 > 0)
            return (ssize_t)i;
    return -1;
}

static void finish(struct header *h)
{
    const uint8_t *p = (const uint8_t *)h;
    unsigned sum = 0;

    memset(h->chksum, ' ', sizeof(h->chksum));
    for (size_t i = 0; i < sizeof(*h); i++)
        sum += p[i];
    octal(h->chksum, sizeof(h->chksum) - 1, sum);
    h->chksum[sizeof(h->chksum) - 1] = ' ';
    h->chksum[sizeof(h->chksum) - 2] = '\0';
}

/* ---- pax records ---- */

/* "LEN KEY=VALUE\n" where LEN counts itself. */
static void record(struct buf *out, const char *key, const void *value, size_t n)
{
    size_t body = strlen(key) + n + 3; /* blank, '=', newline */
    size_t len = body + 1;
    char digits[24];

    while ((size_t)snprintf(digits, sizeof(digits), "%zu", len) + body != len)
        len++;
    buf_printf(out, "%zu %s=", len, key);
    (void)buf_append(out, value, n);
    buf_putc(out, '\n');
}

static void record_text(struct buf *out, const char *key, const char *value)
{
    record(out, key, value, strlen(value));
}

static void record_number(struct buf *out, const char *key, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    record_text(out, key, text);
}

static void record_time(struct buf *out, const char *key, int64_t ns)
{
    int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;
    char text[48];

    if (rest < 0) {
        s--;
        rest += NS_PER_S;
    }
    if (s < 0 && rest > 0) /* -0.25 is written as such, not as -1 + 0.75 */
        snprintf(text, sizeof(text), "-%" PRId64 ".%09" PRId64, -(s + 1), NS_PER_S - rest);
    else
        snprintf(text, sizeof(text), "%" PRId64 ".%09" PRId64, s, rest);
    record_text(out, key, text);
}

static bool plain_time(int64_t ns)
{
    return ns >= 0 && ns % NS_PER_S == 0 && ns / NS_PER_S <= OCTAL11_MAX;
}

static void records(struct buf *out, const struct pax_entry *e, bool long_path)
{
    if (long_path)
        record_text(out, "path", e->path);
    if (strlen(e->link) > NAME_SIZE || !is_ascii(e->link))
        record_text(out, "linkpath", e->link);
    if (e->uid > OCTAL7_MAX)
        record_number(out, "uid", e->uid);
    if (e->gid > OCTAL7_MAX)
        record_number(out, "gid", e->gid);
    if (e->size > OCTAL11_MAX)
        record_number(out, "size", e->size);
    if (!plain_time(e->mtime))
        record_time(out, "mtime", e->mtime);
    if (e->atime != 0)
        record_time(out, "atime", e->atime);
    if (strlen(e->uname) > 31 || !is_ascii(e->uname))
        record_text(out, "uname", e->uname);
    if (strlen(e->gname) > 31 || !is_ascii(e->gname))
        record_text(out, "gname", e->gname);
    for (size_t i = 0; i < e->n_xattrs; i++) {
        char key[512];
        snprintf(key, sizeof(key), "SCHILY.xattr.%s", e->xattrs[i].name);
        record(out, key, e->xattrs[i].value, e->xattrs[i].len);
    }
}

static void write_extended(struct buf *out, const struct buf *body)
{
    static const char zeros[PAX_BLOCK];
    struct header h = {.name = "PaxHeaders/entry", .typeflag = 'x', .magic = "ustar", .version = "00"};

    octal(h.mode, sizeof(h.mode), 0644);
    octal(h.uid, sizeof(h.uid), 0);
    octal(h.gid, sizeof(h.gid), 0);
    octal(h.size, sizeof(h.size), body->len);
    octal(h.mtime, sizeof(h.mtime), 0);
    memcpy(h.version, "00", 2);
    finish(&h);
    (void)buf_append(out, &h, sizeof(h));
    (void)buf_append(out, body->data, body->len);
    (void)buf_append(out, zeros, pax_padding((int64_t)body->len));
}

static uint64_t clip(int64_t v, int64_t max)
{
    return v < 0 || v > max ? 0 : (uint64_t)v;
}

/* Truncation is fine here: what does not fit stands in the pax header. */
static void put(char *field, size_t size, const char *text)
{
    size_t n = strlen(text);

    memcpy(field, text, n < size ? n : size);
}

static void write_ustar(struct buf *out, const struct pax_entry *e, ssize_t split)
{
    struct header h = {.typeflag = (char)e->type};

    memcpy(h.magic, "ustar", 6);
    memcpy(h.version, "00", 2);
    if (split > 0)
        memcpy(h.prefix, e->path, (size_t)split);
    put(h.name, sizeof(h.name), split > 0 ? e->path + split + 1 : e->path);
    put(h.linkname, sizeof(h.linkname), e->link);
    put(h.uname, sizeof(h.uname) - 1, e->uname);
    put(h.gname, sizeof(h.gname) - 1, e->gname);
    octal(h.mode, sizeof(h.mode), e->mode & 07777);
    octal(h.uid, sizeof(h.uid), clip(e->uid, OCTAL7_MAX));
    octal(h.gid, sizeof(h.gid), clip(e->gid, OCTAL7_MAX));
    octal(h.size, sizeof(h.size), clip(e->size, OCTAL11_MAX));
    octal(h.mtime, sizeof(h.mtime), clip(e->mtime / NS_PER_S, OCTAL11_MAX));
    if (e->type == PAX_CHAR || e->type == PAX_BLOCK_DEVICE) {
        octal(h.devmajor, sizeof(h.devmajor), e->major & OCTAL7_MAX);
        octal(h.devminor, sizeof(h.devminor), e->minor & OCTAL7_MAX);
    }
    finish(&h);
    (void)buf_append(out, &h, sizeof(h));
}

int pax_write_header(struct buf *out, const struct pax_entry *e, struct skl_error *err)
{
    size_t n = strlen(e->path);
    ssize_t split = split_at(e->path, n);
    bool long_path = split < 0 || !is_ascii(e->path);
    struct buf body;
    int rc = 0;

    if (n == 0 || n > PAX_NAME_MAX || strlen(e->link) > PAX_NAME_MAX)
        return error_set(err, SKL_ERR_INVALID, "a name of %zu bytes does not go into a tar", n);
    buf_init(&body, PAX_EXTENDED_MAX);
    records(&body, e, long_path);
    if (body.len > 0)
        write_extended(out, &body);
    write_ustar(out, e, split < 0 ? 0 : split);
    if (body.overflow || out->overflow)
        rc = error_set(err, SKL_ERR_TOO_LARGE, "the attributes of %.200s are too large for a tar header", e->path);
    buf_fini(&body);
    return rc;
}
