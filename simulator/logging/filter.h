/*
 * simulator/logging/filter.h - the query language of Cloud Logging (reference/gcp-api.md 4.3).
 *
 *   lexer.c    text into tokens            regex.c, regex_run.c  RE2's syntax, matched in linear time
 *   parser.c   tokens into a tree          search.c              SEARCH(), and all texts of an entry
 *   bind.c     names into fields, values into their types: what is wrong with a filter is said here, once
 *   eval.c     a tree on an entry
 *
 *   expr     := or-group { ["AND"] or-group }
 *   or-group := unary { "OR" unary }                  OR binds tighter than AND
 *   unary    := ["NOT" | "-"] ( "(" expr ")" | function | value | path op argument )
 *   argument := value | "(" the same grammar, with values for comparisons ")"
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_FILTER_H
#define SKL_SIM_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

#define FILTER_MAX 20000u       /* characters, as Google has it */
#define FILTER_DEPTH_MAX 100u   /* parentheses in parentheses */
#define FILTER_PATH_MAX 32u     /* segments of a field's name */

struct filter;
struct log_entry;

/* An empty text matches everything. NULL with err (SKL_ERR_INVALID) in Google's words. */
struct filter *filter_new(const char *text, struct skl_error *err);
void filter_free(struct filter *f);
/* Narrows [*min, *max] to the timestamps that the filter allows, as far as that is seen without looking at entries. */
void filter_time_range(const struct filter *f, int64_t *min, int64_t *max);
bool filter_matches(const struct filter *f, const struct log_entry *e);
/* What matching has cost since the start: bytes looked at, and steps of regular expressions. Filters come from outside: who goes through many
 * entries looks at this and stops in time. */
uint64_t filter_work(void);
void filter_work_add(uint64_t n);

/* ---- lexer.c ---- */
enum token_kind { TOKEN_END, TOKEN_TEXT, TOKEN_STRING, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_MINUS, TOKEN_OP, TOKEN_BAD };
enum filter_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_HAS, OP_MATCH, OP_NO_MATCH };
struct token {
    enum token_kind kind;
    enum filter_op op;
    size_t at, end;     /* in the text */
    bool joined;        /* nothing stands between it and the token before */
    char *text;         /* of TEXT and STRING, unescaped; owned by the lexer until the next call */
};
struct lexer {
    const char *s;
    size_t at;
    struct token t;     /* the current one */
};
void lexer_init(struct lexer *l, const char *s);
void lexer_fini(struct lexer *l);
void lexer_next(struct lexer *l);
/* "Unparseable filter: syntax error at line 1, column 7, token ':'", for the current token. Returns -1. */
int lexer_fail(const struct lexer *l, struct skl_error *err);

/* ---- the tree ---- */
enum node_kind { NODE_AND, NODE_OR, NODE_NOT, NODE_COMPARE, NODE_TEXT, NODE_FUNCTION };
enum filter_function { FN_LOG_ID, FN_SEARCH, FN_SAMPLE, FN_IP_IN_NET, FN_SOURCE };
struct regex;
struct log_field;
struct filter_value {
    char *text, *lower;
    size_t len;
    bool quoted;
    long double number;        /* when is_number */
    bool is_number, is_bool, boolean;
    int64_t time;              /* of timestamps and durations, ns */
    int severity;
    struct regex *regex;       /* of =~ and !~ */
};
struct node {
    enum node_kind kind;
    struct node **kids;        /* AND, OR: all; NOT: one */
    size_t n_kids;
    char **path;               /* COMPARE; FUNCTION when its first argument is a field */
    size_t n_path;
    size_t odd;                /* parser.c: 1 + where it holds what an unquoted name may not */
    const struct log_field *top, *leaf; /* bind.c: its first segment; the last that LogEntry defines */
    size_t n_fixed;            /* segments that LogEntry defines */
    bool present;              /* COMPARE: field:* */
    enum filter_op op;
    struct filter_value value; /* COMPARE, TEXT; the last argument of a FUNCTION */
    enum filter_function fn;
    unsigned char net[16], net_bits; /* ip_in_net */
    bool net6;
};
struct filter {
    struct node *root;         /* NULL: everything */
};
struct node *filter_parse(const char *text, struct skl_error *err); /* parser.c; NULL without err when the text is empty */
void node_free(struct node *n);
int filter_bind(struct node *n, struct skl_error *err);             /* bind.c */

/* ---- regex.c, regex_run.c ---- */
/* RE2's syntax without Unicode classes and without what RE2 itself leaves out. The error is RE2's. */
struct regex *regex_new(const char *pattern, struct skl_error *err);
void regex_free(struct regex *re);
bool regex_search(const struct regex *re, const char *s, size_t n); /* anywhere in s; linear in n */

/* ---- search.c ---- */
/* Calls fn with each text of the entry, field by field, keys of maps included, until fn returns true: whether one did. */
bool entry_any_text(const struct log_entry *e, bool (*fn)(const void *arg, const char *s, size_t n, bool key), const void *arg);
struct json_object;
bool json_any_text(struct json_object *v, bool (*fn)(const void *arg, const char *s, size_t n, bool key), const void *arg);
bool text_has(const char *s, size_t n, const char *lower, size_t len); /* lower: in lower case */
bool search_matches(const struct node *n, const struct log_entry *e);

#endif
