/*
 * simulator/logging/logging.h - Cloud Logging v2: its entries, where they lie, and who makes them.
 *
 *   log_schema.c what a LogEntry is           list.c     entries:list
 *   entry.c    one entry, from and to JSON  write.c    entries:write
 *   store.c    all entries, by time         logs.c     names of logs, monitored resources
 *   output.c   entries from what functions print
 *   filter.h   the query language
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_LOGGING_H
#define SKL_SIM_LOGGING_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct sim;

#define ENTRIES_MAX 200000u                        /* kept; the oldest go */
#define ENTRIES_BYTES_MAX (256u * 1024 * 1024)     /* of them together; the oldest go */
#define ENTRY_SIZE_MAX (256u * 1024)               /* of one */

/* ---- schema.c ---- */
enum log_type { LOG_STRING, LOG_INT, LOG_BOOL, LOG_TIME, LOG_DURATION, LOG_SEVERITY, LOG_MESSAGE, LOG_MAP, LOG_STRUCT };
enum log_special { LOG_OTHER, LOG_NAME, LOG_TIMESTAMP, LOG_RECEIVED, LOG_INSERT_ID, LOG_SEVERITY_OF, LOG_TEXT, LOG_RESOURCE, LOG_LABELS };
struct log_field {
    const char *name;
    enum log_type type;
    const struct log_field *fields; /* of a MESSAGE; ended by name == NULL */
    bool list, output;              /* repeated; set by the server alone */
    enum log_special special;       /* of LogEntry's own: what struct log_entry holds apart */
};
extern const struct log_field log_entry_fields[];
/* In either spelling, camelCase or snake_case. */
const struct log_field *log_field_find(const struct log_field *fields, const char *name);
/* Names in any case, or the number; -1. */
int log_severity_parse(const char *s);
const char *log_severity_name(int severity); /* NULL when there is none of that number */
bool log_duration_parse(const char *s, int64_t *ret_ns); /* "1.5s" */
/* A copy with camelCase keys, 64-bit numbers as strings, names for severities, defaults left out; where is for errors ("entries[0]"). */
struct json_object *log_message_read(const struct log_field *fields, struct json_object *from, const char *where, struct skl_error *err);

/* ---- entry.c ---- */
struct log_entry {
    int64_t time, received;
    uint64_t seq;
    char *log_name;                /* projects/P/logs/ID, ID as in URLs */
    size_t parent_len;             /* of "projects/P" in it */
    char *insert_id;
    int severity;
    char *text;                    /* textPayload, or NULL */
    size_t text_len;
    struct json_object *resource;  /* type, labels; never NULL */
    struct json_object *labels;    /* or NULL */
    struct json_object *rest;      /* all other fields, or NULL */
    int64_t late;                  /* a fault: it is seen that much later */
    bool twice;                    /* a fault: answers have it twice */
    bool shared;                   /* resource and labels are of several entries */
    size_t size;                   /* about what it takes */
};
void log_entry_free(struct log_entry *e);
/* message: a LogEntry as log_message_read() gives it, with a log name; what is missing is given by the caller afterwards. */
struct log_entry *log_entry_read(struct json_object *message, struct skl_error *err);
struct json_object *log_entry_json(const struct log_entry *e);
bool log_parent_valid(const char *s, size_t n); /* "projects/P" and the like */
char *log_name_new(const char *parent, size_t parent_len, const char *id); /* "projects/P/logs/ID" with the ID escaped; caller frees */
void log_entry_measure(struct log_entry *e);

/* ---- store.c ---- */
struct log_store {
    struct log_entry **v;          /* sorted by time, insert ID, arrival */
    size_t first, end, cap;
    size_t bytes;
    uint64_t seq;
};
struct log_position {              /* of an entry in the order */
    int64_t time;
    const char *insert_id;
    uint64_t seq;
};
void log_store_fini(struct log_store *st);
void log_store_add(struct log_store *st, struct log_entry *e); /* takes e */
size_t log_store_count(const struct log_store *st);
const struct log_entry *log_store_at(const struct log_store *st, size_t i); /* i < count */
size_t log_store_after(const struct log_store *st, const struct log_position *p); /* index of the first entry behind p */
size_t log_store_remove(struct log_store *st, bool (*which)(void *arg, const struct log_entry *e), void *arg);
void log_insert_id_new(struct log_store *st, int64_t time, char out[25]);

/* ---- output.c ---- */
struct instance;
enum log_piece { LOG_WHOLE, LOG_PIECE, LOG_LAST_PIECE };   /* a line; a part of one that is too long for an entry */
void log_output(struct instance *in, int stream, const char *line, size_t n, enum log_piece piece);
void log_output_forget(struct instance *in); /* at its end */
/* The entry's fields from a line that is a JSON object; else NULL. */
struct json_object *log_line_read(const char *line, size_t n);

/* Into the simulator's store, where a fault may meet it. Takes e. */
void log_take(struct sim *s, struct log_entry *e);

/* ---- handlers, and what they share (logs.c) ---- */
struct sim_call;
void logging_list_entries(struct sim_call *c);
void logging_write_entries(struct sim_call *c);
/* A request's members in their own spelling; an unknown one is an error. names ends with NULL. */
struct json_object *log_request_read(struct json_object *body, const char *const *names, struct skl_error *err);

#endif
