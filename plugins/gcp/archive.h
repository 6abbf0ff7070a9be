/*
 * gcp/archive.h - the two archives a deployment uploads, made without a library: neither is compressed (that
 * is allowed in both formats), so all they need is headers and a checksum.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_ARCHIVE_H
#define SKL_GCP_ARCHIVE_H

#include "gcp/str.h"

struct gcp_archive_file {
    const char *name; /* without a slash in front; ends in one: a directory */
    const void *data;
    size_t len;
    unsigned mode; /* tar */
};

/* A zip of plain files; table ended by name == NULL. */
void gcp_zip_write(struct gcp_str *out, const struct gcp_archive_file *files);
/* A tar (ustar), owner root, time 0, so that equal files make equal bytes. */
void gcp_tar_write(struct gcp_str *out, const struct gcp_archive_file *files);
/* gzip with stored blocks. */
void gcp_gzip_write(struct gcp_str *out, const void *p, size_t n);
uint32_t gcp_crc32(const void *p, size_t n);

#endif
