/*
 * gcp/archive.c - see archive.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "gcp/archive.h"

#include <stdio.h>
#include <string.h>

#define TAR_BLOCK   512
#define STORED_MAX  65535
#define ZIP_VERSION 20
#define ZIP_UTF8    (1u << 11)
#define ZIP_DATE    0x0021 /* 1980-01-01: what the format can say at least */

uint32_t gcp_crc32(const void *p, size_t n)
{
    static uint32_t table[256];
    const unsigned char *b = p;
    uint32_t crc = 0xFFFFFFFFu;

    for (uint32_t i = 0; !table[255] && i < 256; i++) {
        uint32_t c = i;

        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    while (n--)
        crc = table[(crc ^ *b++) & 255] ^ (crc >> 8);
    return crc ^ 0xFFFFFFFFu;
}

static void put16(struct gcp_str *out, unsigned v)
{
    unsigned char b[2] = {v & 255, v >> 8 & 255};

    gcp_str_append(out, b, 2);
}

static void put32(struct gcp_str *out, uint32_t v)
{
    put16(out, v & 65535);
    put16(out, v >> 16);
}

void gcp_gzip_write(struct gcp_str *out, const void *p, size_t n)
{
    static const unsigned char head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    const unsigned char *b = p;
    size_t left = n, step;

    gcp_str_append(out, head, sizeof(head));
    do {
        unsigned char last;

        step = left > STORED_MAX ? STORED_MAX : left;
        last = step == left;
        gcp_str_append(out, &last, 1);
        put16(out, (unsigned)step);
        put16(out, (unsigned)~step & 65535);
        gcp_str_append(out, b, step);
        b += step;
        left -= step;
    } while (left);
    put32(out, gcp_crc32(p, n));
    put32(out, (uint32_t)n);
}

/* ---- tar ---- */

static void tar_header(struct gcp_str *out, const struct gcp_archive_file *f)
{
    char h[TAR_BLOCK] = {0};
    unsigned sum = 0;
    bool dir = f->name[strlen(f->name) - 1] == '/';

    (void)snprintf(h, 100, "%s", f->name);
    (void)snprintf(h + 100, 8, "%07o", f->mode & 07777u);
    (void)snprintf(h + 108, 8, "%07o", 0u);
    (void)snprintf(h + 116, 8, "%07o", 0u);
    (void)snprintf(h + 124, 12, "%011llo", (unsigned long long)f->len);
    (void)snprintf(h + 136, 12, "%011o", 0u);
    h[156] = dir ? '5' : '0';
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < sizeof(h); i++)
        sum += (unsigned char)h[i];
    (void)snprintf(h + 148, 8, "%06o", sum & 0777777u);
    gcp_str_append(out, h, sizeof(h));
}

void gcp_tar_write(struct gcp_str *out, const struct gcp_archive_file *files)
{
    static const char zeros[2 * TAR_BLOCK];

    for (const struct gcp_archive_file *f = files; f->name; f++) {
        tar_header(out, f);
        gcp_str_append(out, f->data ? f->data : "", f->len);
        gcp_str_append(out, zeros, (TAR_BLOCK - f->len % TAR_BLOCK) % TAR_BLOCK);
    }
    gcp_str_append(out, zeros, sizeof(zeros));
}

/* ---- zip ---- */

/* The fields that local header and directory entry share. */
static void zip_fields(struct gcp_str *out, const struct gcp_archive_file *f)
{
    put16(out, ZIP_VERSION);
    put16(out, ZIP_UTF8);
    put16(out, 0); /* stored */
    put16(out, 0);
    put16(out, ZIP_DATE);
    put32(out, gcp_crc32(f->data, f->len));
    put32(out, (uint32_t)f->len);
    put32(out, (uint32_t)f->len);
    put16(out, (unsigned)strlen(f->name));
    put16(out, 0);
}

static void zip_directory_entry(struct gcp_str *out, const struct gcp_archive_file *f, uint32_t offset)
{
    gcp_str_append(out, "PK\1\2", 4);
    put16(out, ZIP_VERSION | 3u << 8); /* made on Unix */
    zip_fields(out, f);
    put16(out, 0);
    put16(out, 0);
    put16(out, 0);
    put32(out, 0100644u << 16);
    put32(out, offset);
    gcp_str_puts(out, f->name);
}

void gcp_zip_write(struct gcp_str *out, const struct gcp_archive_file *files)
{
    size_t base = out->len, start, n = 0, offset = 0;

    for (const struct gcp_archive_file *f = files; f->name; f++, n++) {
        gcp_str_append(out, "PK\3\4", 4);
        zip_fields(out, f);
        gcp_str_puts(out, f->name);
        gcp_str_append(out, f->data, f->len);
    }
    start = out->len;
    for (const struct gcp_archive_file *f = files; f->name; f++) {
        zip_directory_entry(out, f, (uint32_t)offset);
        offset += 30 + strlen(f->name) + f->len;
    }
    gcp_str_append(out, "PK\5\6", 4);
    put16(out, 0);
    put16(out, 0);
    put16(out, (unsigned)n);
    put16(out, (unsigned)n);
    put32(out, (uint32_t)(out->len - 12 - start));
    put32(out, (uint32_t)(start - base));
    put16(out, 0);
}
