/*
 * simulator/logging/lexer.c - tokens of the query language.
 *
 * Bare text may hold what Google's own examples write without quotes (letters, digits, _ . / % * + @ $ # & -, all but ASCII); anything else that
 * is no operator is an error at its place. A backslash before a character that has no meaning stays, since regular expressions are written so.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/logging/filter.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_text(char c)
{
    return (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("_./%*+@$#&-", c) != NULL);
}

void lexer_init(struct lexer *l, const char *s)
{
    *l = (struct lexer){.s = s};
    lexer_next(l);
}

void lexer_fini(struct lexer *l)
{
    free(l->t.text);
    l->t.text = NULL;
}

static void skip_blank(struct lexer *l)
{
    for (;;) {
        while (is_space(l->s[l->at]))
            l->at++;
        if (l->s[l->at] != '-' || l->s[l->at + 1] != '-')
            return;
        while (l->s[l->at] != '\0' && l->s[l->at] != '\n')
            l->at++;
    }
}

/* ---- quoted strings ---- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool put_utf8(struct buf *b, uint32_t c)
{
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return false;
    if (c < 0x80) {
        (void)buf_putc(b, (char)c);
    } else if (c < 0x800) {
        (void)buf_putc(b, (char)(0xc0 | c >> 6));
    } else if (c < 0x10000) {
        (void)buf_putc(b, (char)(0xe0 | c >> 12));
        (void)buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
    } else {
        (void)buf_putc(b, (char)(0xf0 | c >> 18));
        (void)buf_putc(b, (char)(0x80 | (c >> 12 & 63)));
        (void)buf_putc(b, (char)(0x80 | (c >> 6 & 63)));
    }
    if (c >= 0x80)
        (void)buf_putc(b, (char)(0x80 | (c & 63)));
    return true;
}

/* Digits of a number in base 8 or 16 at *p; false when there are fewer than `least`. */
static bool take_code(const char **p, int base, int least, int most, uint32_t *ret)
{
    uint32_t v = 0;
    int n = 0;

    while (n < most && hex_value(**p) >= 0 && hex_value(**p) < base) {
        v = v * (uint32_t)base + (uint32_t)hex_value(**p);
        (*p)++;
        n++;
    }
    *ret = v;
    return n >= least;
}

/* *p is behind the backslash. */
static bool take_escape(const char **p, struct buf *b)
{
    static const char from[] = "abfnrtv\"\\", to[] = "\a\b\f\n\r\t\v\"\\";
    const char *at = strchr(from, **p), *start = *p;
    uint32_t code = 0;

    if (**p == '\0')
        return false;
    if (at != NULL) {
        (*p)++;
        return buf_putc(b, to[at - from]) == 0;
    }
    (*p)++;
    if ((*start == 'x' && take_code(p, 16, 2, 2, &code)) || (*start == 'u' && take_code(p, 16, 4, 4, &code)) ||
        (*start == 'U' && take_code(p, 16, 8, 8, &code)))
        return put_utf8(b, code);
    if (*start >= '0' && *start <= '3') {
        *p = start;
        return take_code(p, 8, 3, 3, &code) && put_utf8(b, code);
    }
    *p = start + 1;
    (void)buf_putc(b, '\\');
    return buf_putc(b, *start) == 0;
}

static void take_string(struct lexer *l)
{
    const char *p = l->s + l->at + 1;
    struct buf b;

    buf_init(&b, 4 * FILTER_MAX);
    l->t.kind = TOKEN_STRING;
    while (*p != '"' && l->t.kind == TOKEN_STRING) {
        bool ok = *p != '\0';
        if (*p == '\\') {
            p++;
            ok = take_escape(&p, &b);
        } else if (ok) {
            (void)buf_putc(&b, *p++);
        }
        if (!ok)
            l->t.kind = TOKEN_BAD;
    }
    l->at = l->t.kind == TOKEN_BAD ? l->at + 1 : (size_t)(p + 1 - l->s);
    l->t.text = buf_steal(&b, NULL);
}

/* ---- the rest ---- */

static void take_op(struct lexer *l)
{
    static const struct {
        const char *text;
        enum filter_op op;
    } ops[] = {{"!=", OP_NE}, {"!~", OP_NO_MATCH}, {"=~", OP_MATCH}, {"<=", OP_LE}, {">=", OP_GE}, {"=", OP_EQ}, {"<", OP_LT}, {">", OP_GT}, {":", OP_HAS}};

    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (str_starts(l->s + l->at, ops[i].text)) {
            l->t.kind = TOKEN_OP;
            l->t.op = ops[i].op;
            l->at += strlen(ops[i].text);
            return;
        }
    l->t.kind = TOKEN_BAD;
    l->at++;
}

static void take_text(struct lexer *l)
{
    size_t from = l->at;

    while (is_text(l->s[l->at]))
        l->at++;
    l->t.kind = TOKEN_TEXT;
    l->t.text = xstrndup(l->s + from, l->at - from);
}

void lexer_next(struct lexer *l)
{
    static const char marks[] = "(),-";
    static const enum token_kind kinds[] = {TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_MINUS};
    size_t before = l->t.end;
    const char *mark;
    char c;

    free(l->t.text);
    skip_blank(l);
    l->t = (struct token){.at = l->at, .joined = l->at == before && before > 0};
    c = l->s[l->at];
    mark = c != '\0' ? strchr(marks, c) : NULL;
    if (c == '\0') {
        l->t.kind = TOKEN_END;
    } else if (mark != NULL) {
        l->t.kind = kinds[mark - marks];
        l->at++;
    } else if (c == '"') {
        take_string(l);
    } else if (is_text(c)) {
        take_text(l);
    } else {
        take_op(l);
    }
    l->t.end = l->at;
}

int lexer_fail(const struct lexer *l, struct skl_error *err)
{
    size_t line = 1, column = 1, n = l->t.end - l->t.at;

    for (size_t i = 0; i < l->t.at; i++, column++)
        if (l->s[i] == '\n') {
            line++;
            column = 0;
        }
    for (n = n > 100 ? 100 : n; n > 0 && (l->s[l->t.at + n] & 0xc0) == 0x80;)
        n--;
    return error_set(err, SKL_ERR_INVALID, "Unparseable filter: syntax error at line %zu, column %zu, token '%.*s'", line, column,
                     (int)n, l->s + l->t.at);
}
