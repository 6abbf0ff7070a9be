/*
 * simulator/logging/parser.c - tokens of the query language into a tree. The grammar is in filter.h.
 *
 * A group on the right of an operator is the same grammar with values for comparisons: `a = ("x" OR NOT "y")` becomes
 * `a = "x" OR NOT a = "y"`. So one set of functions reads both; `left` is the comparison that waits for its values.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/logging/filter.h"

struct parser {
    struct lexer lex;
    struct skl_error *err;
    unsigned depth;
};

static struct node *parse_expr(struct parser *p, const struct node *left);

static struct node *node_new(enum node_kind kind)
{
    struct node *n = xcalloc(1, sizeof(*n));

    n->kind = kind;
    return n;
}

static void path_clear(struct node *n)
{
    for (size_t i = 0; i < n->n_path; i++)
        free(n->path[i]);
    free(n->path);
    n->path = NULL;
    n->n_path = 0;
}

void node_free(struct node *n)
{
    if (n == NULL)
        return;
    for (size_t i = 0; i < n->n_kids; i++)
        node_free(n->kids[i]);
    path_clear(n);
    free(n->kids);
    free(n->value.text);
    free(n->value.lower);
    regex_free(n->value.regex);
    free(n);
}

static void add_kid(struct node *n, struct node *kid)
{
    n->kids = xrealloc(n->kids, (n->n_kids + 1) * sizeof(struct node *));
    n->kids[n->n_kids++] = kid;
}

static struct node *fail(struct parser *p)
{
    (void)lexer_fail(&p->lex, p->err);
    return NULL;
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->lex.t.kind == TOKEN_TEXT && str_eq(p->lex.t.text, word);
}

static bool is_keyword(const struct parser *p)
{
    return is_word(p, "AND") || is_word(p, "OR") || is_word(p, "NOT");
}

static bool take_word(struct parser *p, const char *word)
{
    if (!is_word(p, word))
        return false;
    lexer_next(&p->lex);
    return true;
}

/* Unquoted segments of a name; - and / need quotes. */
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

/* ---- members: what stands left of an operator, or alone ---- */

static bool add_segment(struct node *n, const char *s, size_t len)
{
    if (n->n_path == FILTER_PATH_MAX || len == 0)
        return false;
    n->path = xrealloc(n->path, (n->n_path + 1) * sizeof(char *));
    n->path[n->n_path++] = xstrndup(s, len);
    return true;
}

/* "a.b": text == "a.b", two segments. A dot at either end belongs to the quoted segment beside it. */
static bool add_segments(struct node *n, const char *text, bool more_before, bool more_behind)
{
    const char *dot;

    if (more_before && *text == '.')
        text++;
    for (; (dot = strchr(text, '.')) != NULL && !(more_behind && dot[1] == '\0'); text = dot + 1)
        if (!add_segment(n, text, (size_t)(dot - text)))
            return false;
    return add_segment(n, text, dot != NULL ? (size_t)(dot - text) : strlen(text));
}

static bool goes_on(const struct lexer *l, enum token_kind last, bool dot_behind)
{
    return l->t.joined && ((last == TOKEN_TEXT && dot_behind && l->t.kind == TOKEN_STRING) ||
                           (last == TOKEN_STRING && l->t.kind == TOKEN_TEXT && l->t.text[0] == '.'));
}

/* A value or a path: which of them is known when an operator follows or not. Both are filled; no path when the text is none. */
static struct node *parse_member(struct parser *p)
{
    struct node *n = node_new(NODE_TEXT);
    size_t pieces = 0;
    bool path = true, more = true;

    n->value.quoted = p->lex.t.kind == TOKEN_STRING;
    while (more) {
        enum token_kind kind = p->lex.t.kind;
        CLEANUP(free_p) char *text = STEAL(p->lex.t.text);
        size_t odd = kind == TOKEN_TEXT ? strspn(text, NAME_CHARS) : 0;
        bool dot = kind == TOKEN_TEXT && str_ends(text, ".");
        if (kind == TOKEN_TEXT && text[odd] != '\0' && n->odd == 0)
            n->odd = p->lex.t.at + odd + 1;
        lexer_next(&p->lex);
        more = goes_on(&p->lex, kind, dot);
        if (kind == TOKEN_STRING)
            path &= add_segment(n, text, strlen(text));
        else if (!(pieces > 0 && more && str_eq(text, ".")))
            path &= add_segments(n, text, pieces > 0, more);
        free(n->value.text);
        n->value.text = pieces++ == 0 ? STEAL(text) : NULL; /* of several pieces: no value */
    }
    if (!path)
        path_clear(n);
    return n;
}

/* Whether the member can be a name; if not, says where. */
static bool check_name(struct parser *p, const struct node *n)
{
    if (n->odd > 0) {
        p->lex.t.at = n->odd - 1;
        p->lex.t.end = n->odd;
    }
    return (n->odd == 0 && n->n_path > 0) || fail(p) != NULL;
}

/* ---- values ---- */

static struct node *compare_new(const struct node *left, char *text, bool quoted)
{
    struct node *n = node_new(NODE_COMPARE);

    n->op = left->op;
    for (size_t i = 0; i < left->n_path; i++)
        (void)add_segment(n, left->path[i], strlen(left->path[i]));
    n->value.text = text;
    n->value.quoted = quoted;
    return n;
}

/* A minus and the text it is joined to are one value: -5. */
static struct node *parse_value(struct parser *p, const struct node *left)
{
    bool minus = p->lex.t.kind == TOKEN_MINUS;
    struct node *n;

    if (minus)
        lexer_next(&p->lex);
    if ((p->lex.t.kind != TOKEN_TEXT && (minus || p->lex.t.kind != TOKEN_STRING)) || is_keyword(p) || (minus && !p->lex.t.joined))
        return fail(p);
    n = compare_new(left, minus ? xasprintf("-%s", p->lex.t.text) : STEAL(p->lex.t.text), p->lex.t.kind == TOKEN_STRING);
    lexer_next(&p->lex);
    return n;
}

static struct node *parse_group(struct parser *p, const struct node *left)
{
    struct node *n;

    if (++p->depth > FILTER_DEPTH_MAX) {
        error_set(p->err, SKL_ERR_INVALID, "Unparseable filter: parentheses are nested deeper than %u", FILTER_DEPTH_MAX);
        return NULL;
    }
    lexer_next(&p->lex);
    n = parse_expr(p, left);
    p->depth--;
    if (n != NULL && p->lex.t.kind != TOKEN_CLOSE) {
        node_free(n);
        return fail(p);
    }
    if (n != NULL)
        lexer_next(&p->lex);
    return n;
}

/* ---- functions ---- */

static const struct {
    const char *name;
    enum filter_function fn;
    unsigned least, most; /* arguments */
} functions[] = {{"log_id", FN_LOG_ID, 1, 1}, {"search", FN_SEARCH, 1, 2}, {"sample", FN_SAMPLE, 2, 2}, {"ip_in_net", FN_IP_IN_NET, 2, 2}, {"source", FN_SOURCE, 1, 1}};

/* The arguments behind the opening parenthesis: all but the last are fields. */
static bool parse_arguments(struct parser *p, struct node *n, unsigned *ret_n)
{
    for (;;) {
        struct node *arg;
        if ((p->lex.t.kind != TOKEN_TEXT && p->lex.t.kind != TOKEN_STRING) || is_keyword(p))
            return fail(p) != NULL;
        arg = parse_member(p);
        ++*ret_n;
        if (p->lex.t.kind != TOKEN_COMMA && p->lex.t.kind != TOKEN_CLOSE) {
            node_free(arg);
            return fail(p) != NULL;
        }
        if (p->lex.t.kind == TOKEN_COMMA) {
            if (!check_name(p, arg)) {
                node_free(arg);
                return false;
            }
            path_clear(n); /* of one argument too many */
            n->path = STEAL(arg->path);
            n->n_path = arg->n_path;
            arg->n_path = 0;
            node_free(arg);
            lexer_next(&p->lex);
            continue;
        }
        n->value.text = STEAL(arg->value.text);
        n->value.quoted = arg->value.quoted;
        node_free(arg);
        lexer_next(&p->lex);
        return true;
    }
}

static struct node *parse_function(struct parser *p, struct node *name)
{
    struct node *n = node_new(NODE_FUNCTION);
    unsigned args = 0;
    size_t i = 0;

    while (i < ARRAY_LEN(functions) && !str_ieq(functions[i].name, name->value.text))
        i++;
    if (i == ARRAY_LEN(functions)) {
        error_set(p->err, SKL_ERR_INVALID, "Unparseable filter: unknown function '%.64s'", name->value.text);
    } else {
        lexer_next(&p->lex);
        if (parse_arguments(p, n, &args) && args >= functions[i].least && args <= functions[i].most && n->value.text != NULL &&
            (args == 1 || n->n_path > 0)) {
            n->fn = functions[i].fn;
            node_free(name);
            return n;
        }
        if (p->err == NULL || p->err->kind == SKL_ERR_NONE)
            error_set(p->err, SKL_ERR_INVALID, "Unparseable filter: wrong arguments for function '%s'", functions[i].name);
    }
    node_free(name);
    node_free(n);
    return NULL;
}

/* ---- comparisons ---- */

static struct node *parse_restriction(struct parser *p)
{
    struct node *n, *right;

    if ((p->lex.t.kind != TOKEN_TEXT && p->lex.t.kind != TOKEN_STRING) || is_keyword(p))
        return fail(p);
    n = parse_member(p);
    if (p->lex.t.kind == TOKEN_OPEN && p->lex.t.joined && !n->value.quoted && n->value.text != NULL)
        return parse_function(p, n);
    if (p->lex.t.kind != TOKEN_OP) {
        if (n->value.text != NULL)
            return n;
        node_free(n);
        return fail(p);
    }
    if (!check_name(p, n)) {
        node_free(n);
        return NULL;
    }
    n->op = p->lex.t.op;
    lexer_next(&p->lex);
    right = p->lex.t.kind == TOKEN_OPEN ? parse_group(p, n) : parse_value(p, n);
    node_free(n);
    return right;
}

static struct node *parse_unary(struct parser *p, const struct node *left)
{
    struct node *n, *kid;
    bool minus = p->lex.t.kind == TOKEN_MINUS;
    /* In a group of values -5 is a number; before anything else, and outside, a minus says NOT. */
    struct lexer ahead = p->lex;

    if (left != NULL && minus) {
        ahead.t.text = NULL;
        lexer_next(&ahead);
        minus = ahead.t.kind != TOKEN_TEXT || ahead.t.text[0] < '0' || ahead.t.text[0] > '9';
        lexer_fini(&ahead);
    }
    if (!minus && !is_word(p, "NOT"))
        return p->lex.t.kind == TOKEN_OPEN ? parse_group(p, left) : left != NULL ? parse_value(p, left) : parse_restriction(p);
    lexer_next(&p->lex);
    kid = p->lex.t.kind == TOKEN_OPEN ? parse_group(p, left) : left != NULL ? parse_value(p, left) : parse_restriction(p);
    if (kid == NULL)
        return NULL;
    n = node_new(NODE_NOT);
    add_kid(n, kid);
    return n;
}

/* ---- AND and OR ---- */

/* One kid is its own node. */
static struct node *settle(struct node *n)
{
    struct node *only;

    if (n->n_kids != 1)
        return n;
    only = n->kids[0];
    n->n_kids = 0;
    node_free(n);
    return only;
}

static struct node *parse_or(struct parser *p, const struct node *left)
{
    struct node *n = node_new(NODE_OR), *kid;

    do {
        kid = parse_unary(p, left);
        if (kid == NULL) {
            node_free(n);
            return NULL;
        }
        add_kid(n, kid);
    } while (take_word(p, "OR"));
    return settle(n);
}

static struct node *parse_expr(struct parser *p, const struct node *left)
{
    struct node *n = node_new(NODE_AND), *kid;

    do {
        kid = parse_or(p, left);
        if (kid == NULL) {
            node_free(n);
            return NULL;
        }
        add_kid(n, kid);
    } while (take_word(p, "AND") || (p->lex.t.kind != TOKEN_END && p->lex.t.kind != TOKEN_CLOSE));
    return settle(n);
}

struct node *filter_parse(const char *text, struct skl_error *err)
{
    struct parser p = {.err = err};
    struct node *n = NULL;

    lexer_init(&p.lex, text);
    if (p.lex.t.kind != TOKEN_END)
        n = parse_expr(&p, NULL);
    if (n != NULL && p.lex.t.kind != TOKEN_END) {
        node_free(n);
        n = fail(&p);
    }
    lexer_fini(&p.lex);
    return n;
}
