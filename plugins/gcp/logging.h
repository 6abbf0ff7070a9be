/*
 * gcp/logging.h - reading Cloud Logging: entries:list, page by page, as lines in order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_GCP_LOGGING_H
#define SKL_GCP_LOGGING_H

#include "gcp/client.h"
#include "gcp/str.h"

struct gcp_log_line {
    int64_t time; /* wall ns */
    char *insert_id;
    uint32_t part;   /* of its entry: Google merges what looks like a stack trace */
    char *service;   /* resource.labels.service_name */
    uint32_t stream; /* 1 stdout, 2 stderr */
    char *data;      /* ends in a newline */
    size_t len;
};

struct gcp_log_batch {
    struct gcp_log_line *lines;
    size_t n, cap;
    size_t bytes;
};

/* Adds what a page of entries:list holds. Entries without text (audit, request logs) are passed over. False:
 * memory. */
bool gcp_log_batch_add(struct gcp_log_batch *b, struct json_object *page);
/* Adds a copy of a line. False: memory. */
bool gcp_log_batch_copy(struct gcp_log_batch *b, const struct gcp_log_line *line);
/* By time, then insertId, then place in the entry; entries that are there twice are dropped. */
void gcp_log_batch_sort(struct gcp_log_batch *b);
void gcp_log_batch_fini(struct gcp_log_batch *b);

/* `key op "value"` with the value escaped, after " AND " when there is something already. */
void gcp_log_filter_add(struct gcp_str *filter, const char *key, const char *op, const char *value);

/* The body of a request. New string, or NULL. */
char *gcp_log_request(const char *project, const char *filter, bool newest_first, int page_size,
                      const char *token);

#endif
