/*
 * The tar reader and writer: what one writes the other reads, split at every byte; limits; malformed headers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/pax.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

static void add(struct buf *out, const struct pax_entry *e, const char *content)
{
    static const char zeros[PAX_BLOCK];

    UNIT_INT_EQ(pax_write_header(out, e, NULL), 0);
    (void)buf_append(out, content, strlen(content));
    (void)buf_append(out, zeros, pax_padding((int64_t)strlen(content)));
}

static void trailer(struct buf *out)
{
    static const char zeros[PAX_TRAILER_SIZE];

    (void)buf_append(out, zeros, sizeof(zeros));
}

/* Reads in pieces of n bytes; a line for each event. */
static const char *read_back(const struct buf *in, size_t n, bool *ret_finished)
{
    static struct buf said;
    struct pax_reader *r = pax_reader_new();
    struct pax_event ev = {0};
    struct skl_error err = {0};
    bool bad = false;

    buf_fini(&said);
    buf_init(&said, 1024 * 1024);
    for (size_t at = 0; !bad && at < in->len;) {
        size_t piece = in->len - at < n ? in->len - at : n, used = 0;
        do {
            ssize_t took = pax_read(r, (const uint8_t *)in->data + at + used, piece - used, &ev, &err);
            bad = took < 0;
            if (bad)
                break;
            used += (size_t)took;
            if (ev.kind == PAX_ENTRY)
                buf_printf(&said, "%c %s>%s %o %lld:%lld %lld %lld x%zu\n", ev.entry->type, ev.entry->path, ev.entry->link, ev.entry->mode,
                           (long long)ev.entry->uid, (long long)ev.entry->gid, (long long)ev.entry->size, (long long)ev.entry->mtime,
                           ev.entry->n_xattrs);
            if (ev.kind == PAX_DATA)
                (void)buf_append(&said, ev.data, ev.len);
            if (ev.kind == PAX_ENTRY_END)
                buf_puts(&said, "\n.\n");
        } while (used < piece || ev.kind == PAX_ENTRY || ev.kind == PAX_ENTRY_END);
        at += piece;
    }
    if (bad)
        buf_printf(&said, "bad: %s", err.message);
    *ret_finished = pax_read_finish(r, NULL) == 0;
    pax_reader_free(r);
    return buf_str(&said);
}

static void entry(struct pax_entry *e, enum pax_type type, const char *path, const char *link, int64_t size)
{
    pax_entry_init(e);
    e->type = type;
    e->mode = 0640;
    e->size = size;
    pax_entry_set(&e->path, path);
    pax_entry_set(&e->link, link);
}

static void test_round_trip(void)
{
    struct buf out;
    struct pax_entry e;
    char deep[400], want[4096];
    bool finished;

    memset(deep, 'd', sizeof(deep));
    deep[sizeof(deep) - 1] = '\0';
    buf_init(&out, 1024 * 1024);
    entry(&e, PAX_FILE, "plain", "", 5);
    e.mtime = 1577934245 * NS_PER_S;
    add(&out, &e, "hello");
    pax_entry_fini(&e);
    entry(&e, PAX_FILE, deep, "", 0);
    e.uid = 3000000;
    e.mtime = 1577934245 * NS_PER_S + 250;
    e.xattrs = xcalloc(1, sizeof(*e.xattrs));
    e.xattrs[0] = (struct pax_xattr){xstrdup("user.x"), xmemdup("a\0b", 3), 3};
    e.n_xattrs = 1;
    add(&out, &e, "");
    pax_entry_fini(&e);
    entry(&e, PAX_SYMLINK, "\xc3\xbc", deep, 0);
    e.mtime = -NS_PER_S / 4;
    add(&out, &e, "");
    pax_entry_fini(&e);
    trailer(&out);
    snprintf(want, sizeof(want), "0 plain> 640 0:0 5 1577934245000000000 x0\nhello\n.\n"
             "0 %s> 640 3000000:0 0 1577934245000000250 x1\n\n.\n2 \xc3\xbc>%s 640 0:0 0 -250000000 x0\n\n.\n", deep, deep);
    for (size_t n = 1; n < 1100; n += n < 20 ? 1 : 37) {
        UNIT_STR_EQ(read_back(&out, n, &finished), want);
        CU_ASSERT(finished);
    }
    buf_fini(&out);
}

/* 100 bytes fit the name, 155 and a slash more the prefix; nothing else does. */
static void test_where_names_fit(void)
{
    char name[300];
    struct pax_entry e;
    struct buf out;

    for (size_t n = 98; n < 260; n++) {
        bool slash = n > 101;
        memset(name, 'n', n);
        name[n] = '\0';
        if (slash)
            name[n - 101] = '/';
        buf_init(&out, 64 * 1024);
        entry(&e, PAX_FILE, name, "", 0);
        UNIT_INT_EQ(pax_write_header(&out, &e, NULL), 0);
        UNIT_INT_EQ(out.len, n <= 100 || (slash && n - 101 <= 155) ? 512 : 1536);
        pax_entry_fini(&e);
        buf_fini(&out);
    }
}

static void expect_bad(struct buf *out, size_t at, uint8_t byte, const char *part)
{
    uint8_t was = (uint8_t)out->data[at];
    unsigned sum = 0;
    bool finished;
    const char *said;

    out->data[at] = (char)byte;
    if (at < 148 || at >= 156) { /* with a right checksum, so that what is tested is the field */
        memset(out->data + 148, ' ', 8);
        for (size_t i = 0; i < PAX_BLOCK; i++)
            sum += (uint8_t)out->data[i];
        snprintf(out->data + 148, 8, "%06o", sum);
    }
    said = read_back(out, 4096, &finished);
    if (strstr(said, part) == NULL)
        UNIT_STR_EQ(said, part);
    CU_ASSERT(!finished);
    out->data[at] = (char)was;
}

static void test_malformed(void)
{
    struct pax_entry e;
    struct buf out;
    bool finished;

    buf_init(&out, 64 * 1024);
    entry(&e, PAX_FILE, "f", "", 3);
    add(&out, &e, "abc");
    pax_entry_fini(&e);
    expect_bad(&out, 150, 'z', "bad: invalid tar header: the checksum is wrong");
    expect_bad(&out, 124, '9', "bad: invalid tar header: a field is not a number");
    expect_bad(&out, 0, '\0', "bad: invalid tar header: an empty name");
    expect_bad(&out, 156, 'Q', "bad: invalid tar header: entries of type 'Q' are not understood");
    expect_bad(&out, 124, 0xff, "bad: invalid tar header: a field is not a number"); /* base 256: beyond 64 bits */
    out.len -= 10; /* the padding is not whole */
    read_back(&out, 100, &finished);
    CU_ASSERT(!finished);
    buf_fini(&out);
}

static void test_go_modes(void)
{
    UNIT_INT_EQ(pax_go_filemode(S_IFDIR | 0755), INT64_C(2147484141));
    UNIT_INT_EQ(pax_go_filemode(S_IFREG | 04644), 0644 | 1 << 23);
    UNIT_INT_EQ(pax_go_filemode(S_IFLNK | 0777), 0777 | 1 << 27);
    UNIT_INT_EQ(pax_go_filemode(S_IFCHR | 0600), 0600 | 1 << 26 | 1 << 21);
    UNIT_INT_EQ(pax_go_filemode(S_IFDIR | 01777), (int64_t)(0777 | 1u << 31 | 1u << 20));
}

UNIT_MAIN("wire_pax", UNIT(test_round_trip), UNIT(test_where_names_fit), UNIT(test_malformed), UNIT(test_go_modes))
