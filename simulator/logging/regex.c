/*
 * simulator/logging/regex.c - RE2's syntax into a program. Filters come from outside, so nothing here backtracks, and the size of
 * what is made is bounded.
 *
 * Left out: Unicode classes (\p), which need tables, and what RE2 itself has not got (back references, look-around).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/logging/regex.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/logging/filter.h"

#define CODE_MAX 0x10ffffu
#define NO_MAX UINT32_MAX

enum part_kind { PART_EMPTY, PART_SET, PART_ASSERT, PART_CAT, PART_ALT, PART_REPEAT };
struct part {
    enum part_kind kind;
    uint32_t a, b;           /* CAT, ALT: parts; REPEAT: a; SET, ASSERT: which */
    uint32_t min, max;
};
struct flags {
    bool fold, multi, dot_all;
};
struct compiler {
    struct regex *re;
    const char *all, *p;
    struct flags flags;
    struct part *parts;
    size_t n_parts;
    unsigned depth;
    size_t steps;
    struct skl_error *err;
    bool failed;
};

static uint32_t parse_alt(struct compiler *c);

static uint32_t fail(struct compiler *c, const char *what, const char *from, size_t n)
{
    if (!c->failed)
        error_set(c->err, SKL_ERR_INVALID, "%s: %.*s", what, (int)(n > 100 ? 100 : n), from);
    c->failed = true;
    return 0;
}

static uint32_t part_new(struct compiler *c, enum part_kind kind, uint32_t a, uint32_t b)
{
    if (c->n_parts >= 4 * REGEX_PROGRAM_MAX)
        return fail(c, "pattern too large - compile failed", "", 0);
    if (c->n_parts % 64 == 0)
        c->parts = xrealloc(c->parts, (c->n_parts + 64) * sizeof(struct part));
    c->parts[c->n_parts] = (struct part){.kind = kind, .a = a, .b = b};
    return (uint32_t)c->n_parts++;
}

/* ---- sets ---- */

static struct set *set_new(struct compiler *c)
{
    struct regex *re = c->re;

    if (re->n_sets % 16 == 0)
        re->sets = xrealloc(re->sets, (re->n_sets + 16) * sizeof(struct set));
    re->sets[re->n_sets] = (struct set){.fold = c->flags.fold};
    return &re->sets[re->n_sets++];
}

static uint32_t set_part(struct compiler *c)
{
    return part_new(c, PART_SET, (uint32_t)(c->re->n_sets - 1), 0);
}

static void set_add(struct set *s, uint32_t from, uint32_t to)
{
    s->v = xrealloc(s->v, (s->n + 1) * sizeof(struct range));
    s->v[s->n++] = (struct range){from, to};
}

static uint32_t one(struct compiler *c, uint32_t code)
{
    set_add(set_new(c), code, code);
    return set_part(c);
}

/* Ranges as pairs of characters. */
static const struct {
    const char *name, *pairs;
} classes[] = {
    {"d", "09"}, {"w", "09AZaz__"}, {"s", "\t\n\f\r  "}, {"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"ascii", "\001\177"}, {"blank", "\t\t  "},
    {"cntrl", "\001\037\177\177"}, {"digit", "09"}, {"graph", "!~"}, {"lower", "az"}, {"print", " ~"}, {"punct", "!/:@[`{~"}, {"space", "\t\r  "},
    {"upper", "AZ"}, {"word", "09AZaz__"}, {"xdigit", "09AFaf"}};

static int by_start(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return x->from < y->from ? -1 : x->from > y->from;
}

static bool add_class(struct set *s, const char *name, size_t len, bool negated)
{
    struct range v[8];
    size_t n = 0, i = 0;
    uint32_t from = 0;

    while (i < ARRAY_LEN(classes) && (strlen(classes[i].name) != len || memcmp(classes[i].name, name, len) != 0))
        i++;
    if (i == ARRAY_LEN(classes))
        return false;
    for (const char *p = classes[i].pairs; *p != '\0'; p += 2)
        v[n++] = (struct range){(unsigned char)p[0], (unsigned char)p[1]};
    qsort(v, n, sizeof(v[0]), by_start);
    for (i = 0; i < n; i++) {
        if (!negated)
            set_add(s, v[i].from, v[i].to);
        else if (v[i].from > from)
            set_add(s, from, v[i].from - 1);
        from = v[i].to + 1;
    }
    if (negated)
        set_add(s, from, CODE_MAX);
    return true;
}

/* \d and the like, at the letter: whether it was one. */
static bool take_perl_class(struct compiler *c, struct set *s)
{
    char low = (char)(*c->p | 32);

    if (low != 'd' && low != 's' && low != 'w')
        return false;
    (void)add_class(s, &low, 1, *c->p != low);
    c->p++;
    return true;
}

/* ---- characters ---- */

static uint32_t take_char(struct compiler *c)
{
    size_t left = strlen(c->p), len = utf8_sequence(c->p, left);
    const unsigned char *u = (const unsigned char *)c->p;
    uint32_t code = u[0];

    if (len > 1) {
        code = u[0] & (0x7fu >> len);
        for (size_t i = 1; i < len; i++)
            code = code << 6 | (u[i] & 0x3f);
    }
    c->p += len > 1 ? len : 1;
    return code;
}

static bool is_alnum(char x)
{
    return (x >= '0' && x <= '9') || (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z');
}

static uint32_t take_number(struct compiler *c, int base, int most)
{
    uint32_t v = 0;

    for (int i = 0; i < most; i++, c->p++) {
        char x = *c->p;
        uint32_t d = x >= '0' && x <= '9' ? (uint32_t)(x - '0') : (x | 32) >= 'a' && (x | 32) <= 'f' ? (uint32_t)((x | 32) - 'a') + 10 : 99;
        if (d >= (uint32_t)base)
            break;
        v = v * (uint32_t)base + d;
    }
    return v;
}

/* An escape that stands for one character; at the character behind the backslash. */
static uint32_t take_escape(struct compiler *c)
{
    static const char from[] = "aftnrv", to[] = "\a\f\t\n\r\v";
    const char *start = c->p - 1, *at;
    uint32_t code;

    if (*c->p == '\0')
        return fail(c, "trailing \\ at end of regexp", "", 0);
    if (*c->p == 'x') {
        bool brace = *++c->p == '{';
        c->p += brace;
        at = c->p;
        code = take_number(c, 16, brace ? 6 : 2);
        if (code <= CODE_MAX && (brace ? c->p > at && *c->p == '}' : c->p == at + 2)) {
            c->p += brace;
            return code;
        }
    } else if (*c->p >= '0' && *c->p <= '7' && (*c->p == '0' || (c->p[1] >= '0' && c->p[1] <= '7'))) {
        return take_number(c, 8, 3);
    } else if ((at = strchr(from, *c->p)) != NULL) {
        c->p++;
        return (unsigned char)to[at - from];
    } else if (!is_alnum(*c->p)) {
        return take_char(c);
    } else {
        c->p++;
    }
    return fail(c, "invalid escape sequence", start, (size_t)(c->p - start));
}

/* One end of a range. */
static uint32_t take_class_char(struct compiler *c)
{
    if (*c->p != '\\')
        return take_char(c);
    c->p++;
    return take_escape(c);
}

/* "[:alpha:]", at its bracket: 1 taken, 0 not one. */
static bool take_posix(struct compiler *c, struct set *s)
{
    const char *end = c->p[0] == '[' && c->p[1] == ':' ? strstr(c->p + 2, ":]") : NULL;
    bool negated = end != NULL && c->p[2] == '^';

    if (end == NULL)
        return false;
    if (!add_class(s, c->p + 2 + negated, (size_t)(end - c->p) - 2 - negated, negated))
        (void)fail(c, "invalid character class range", c->p, (size_t)(end - c->p) + 2);
    c->p = end + 2;
    return true;
}

static uint32_t parse_class(struct compiler *c)
{
    const char *start = c->p++;
    struct set *s = set_new(c);
    uint32_t from, to;

    if (*c->p == '^') {
        s->negated = true;
        c->p++;
    }
    for (const char *first = c->p; (*c->p != ']' || c->p == first) && !c->failed;) {
        const char *at = c->p;
        if (*c->p == '\0')
            return fail(c, "missing ]", start, strlen(start));
        if (take_posix(c, s))
            continue;
        if (c->p[0] == '\\' && strchr("dDsSwW", c->p[1]) != NULL && c->p[1] != '\0') {
            c->p++;
            (void)take_perl_class(c, s);
            continue;
        }
        from = to = take_class_char(c);
        if (c->p[0] == '-' && c->p[1] != ']' && c->p[1] != '\0') {
            c->p++;
            to = take_class_char(c);
        }
        if (to < from)
            return fail(c, "invalid character class range", at, (size_t)(c->p - at));
        set_add(s, from, to);
    }
    c->p += !c->failed;
    return set_part(c);
}

/* ---- atoms ---- */

static uint32_t parse_backslash(struct compiler *c)
{
    static const char letters[] = "AzbB";
    static const enum assertion kinds[] = {AT_TEXT_BEGIN, AT_TEXT_END, AT_WORD, AT_NO_WORD};
    const char *at = c->p[1] != '\0' ? strchr(letters, c->p[1]) : NULL;
    uint32_t code;

    c->p++;
    if (at != NULL) {
        c->p++;
        return part_new(c, PART_ASSERT, kinds[at - letters], 0);
    }
    if (*c->p != '\0' && strchr("dDsSwW", *c->p) != NULL) {
        (void)take_perl_class(c, set_new(c));
        return set_part(c);
    }
    code = take_escape(c);
    return c->failed ? 0 : one(c, code);
}

/* \Q...\E */
static uint32_t parse_literal(struct compiler *c)
{
    uint32_t all = part_new(c, PART_EMPTY, 0, 0);

    for (c->p += 2; *c->p != '\0' && !c->failed; all = part_new(c, PART_CAT, all, one(c, take_char(c))))
        if (str_starts(c->p, "\\E")) {
            c->p += 2;
            break;
        }
    return all;
}

/* Behind "(?": flags, up to ')' or ':'. False: no such thing. */
static bool take_flags(struct compiler *c)
{
    bool on = true;

    for (; *c->p != ')' && *c->p != ':'; c->p++) {
        switch (*c->p) {
        case '-':
            if (!on)
                return false;
            on = false;
            break;
        case 'i': c->flags.fold = on; break;
        case 'm': c->flags.multi = on; break;
        case 's': c->flags.dot_all = on; break;
        case 'U': break; /* which match is found first does not matter here */
        default: return false;
        }
    }
    return true;
}

static bool take_group_name(struct compiler *c)
{
    const char *name = c->p[0] == 'P' && c->p[1] == '<' ? c->p + 2 : c->p[0] == '<' && c->p[1] != '=' && c->p[1] != '!' ? c->p + 1 : NULL;
    size_t n = 0;

    if (name == NULL)
        return false;
    while (is_alnum(name[n]) || name[n] == '_')
        n++;
    if (n == 0 || name[n] != '>')
        return false;
    c->p = name + n + 1;
    return true;
}

static uint32_t parse_group(struct compiler *c)
{
    const char *start = c->p++;
    struct flags before = c->flags;
    uint32_t part;

    if (c->p[0] == '?') {
        c->p++;
        if (!take_group_name(c)) {
            if (!take_flags(c))
                return fail(c, "invalid perl operator", start, (size_t)(c->p - start) + (*c->p != '\0'));
            if (*c->p++ == ')')
                return part_new(c, PART_EMPTY, 0, 0); /* the flags stay until the end of the group around */
        }
    }
    if (++c->depth > REGEX_DEPTH_MAX)
        return fail(c, "expression nests too deeply", start, strlen(start));
    part = parse_alt(c);
    c->depth--;
    if (*c->p != ')')
        return fail(c, "missing )", c->all, strlen(c->all));
    c->p++;
    c->flags = before;
    return part;
}

static uint32_t parse_atom(struct compiler *c)
{
    struct set *s;

    switch (*c->p) {
    case '(': return parse_group(c);
    case '[': return parse_class(c);
    case '\\': return c->p[1] == 'Q' ? parse_literal(c) : parse_backslash(c);
    case '^': c->p++; return part_new(c, PART_ASSERT, c->flags.multi ? AT_LINE_BEGIN : AT_TEXT_BEGIN, 0);
    case '$': c->p++; return part_new(c, PART_ASSERT, c->flags.multi ? AT_LINE_END : AT_TEXT_END, 0);
    case '*':
    case '+':
    case '?': return fail(c, "no argument for repetition operator", c->p, 1);
    case '.':
        c->p++;
        s = set_new(c);
        s->negated = true;
        if (!c->flags.dot_all)
            set_add(s, '\n', '\n');
        return set_part(c);
    default: return one(c, take_char(c));
    }
}

/* ---- repetition ---- */

/* "{2}", "{2,}", "{2,5}" at the brace; anything else there is text. */
static bool take_braces(struct compiler *c, uint32_t *min, uint32_t *max)
{
    const char *start = c->p++;
    bool ok = *c->p >= '0' && *c->p <= '9';

    *min = *max = take_number(c, 10, 5);
    if (ok && *c->p == ',') {
        c->p++;
        *max = *c->p == '}' ? NO_MAX : take_number(c, 10, 5);
    }
    if (!ok || *c->p != '}') {
        c->p = start;
        return false;
    }
    c->p++;
    if (*min > REGEX_REPEAT_MAX || (*max != NO_MAX && (*max > REGEX_REPEAT_MAX || *max < *min)))
        (void)fail(c, "invalid repetition size", start, (size_t)(c->p - start));
    return true;
}

static bool take_repeat(struct compiler *c, uint32_t *min, uint32_t *max)
{
    char x = *c->p;

    if (x == '{' && !take_braces(c, min, max))
        return false;
    if (x == '*' || x == '+' || x == '?') {
        *min = x == '+';
        *max = x == '?' ? 1 : NO_MAX;
        c->p++;
    } else if (x != '{') {
        return false;
    }
    c->p += *c->p == '?'; /* the least of it: no difference to whether there is a match */
    return true;
}

static uint32_t parse_repeated(struct compiler *c)
{
    uint32_t part = parse_atom(c), min, max;
    const char *start = c->p;

    if (c->failed || !take_repeat(c, &min, &max))
        return part;
    part = part_new(c, PART_REPEAT, part, 0);
    if (c->failed)
        return 0;
    c->parts[part].min = min;
    c->parts[part].max = max;
    if (take_repeat(c, &min, &max))
        return fail(c, "bad repetition operator", start, (size_t)(c->p - start));
    return part;
}

static uint32_t parse_cat(struct compiler *c)
{
    uint32_t all = part_new(c, PART_EMPTY, 0, 0);

    while (*c->p != '\0' && *c->p != '|' && *c->p != ')' && !c->failed)
        all = part_new(c, PART_CAT, all, parse_repeated(c));
    return all;
}

static uint32_t parse_alt(struct compiler *c)
{
    uint32_t all = parse_cat(c);

    while (*c->p == '|' && !c->failed) {
        c->p++;
        all = part_new(c, PART_ALT, all, parse_cat(c));
    }
    return all;
}

/* ---- code ---- */

static uint32_t emit(struct compiler *c, enum inst_op op, uint32_t x, uint32_t y)
{
    struct regex *re = c->re;

    if (re->n_prog >= REGEX_PROGRAM_MAX)
        return fail(c, "pattern too large - compile failed", "", 0);
    if (re->n_prog % 64 == 0)
        re->prog = xrealloc(re->prog, (re->n_prog + 64) * sizeof(struct inst));
    re->prog[re->n_prog] = (struct inst){op, x, y};
    return (uint32_t)re->n_prog++;
}

static void generate(struct compiler *c, uint32_t part);

static void generate_repeat(struct compiler *c, const struct part *p)
{
    uint32_t at, optional = p->max == NO_MAX ? 1 : p->max - p->min;
    CLEANUP(free_p) uint32_t *splits = xcalloc(optional + 1, sizeof(*splits));

    for (uint32_t i = 0; i < p->min && !c->failed; i++)
        generate(c, p->a);
    for (uint32_t i = 0; i < optional && !c->failed; i++) {
        splits[i] = at = emit(c, INST_SPLIT, (uint32_t)c->re->n_prog + 1, 0);
        generate(c, p->a);
        if (p->max == NO_MAX)
            (void)emit(c, INST_JUMP, at, 0);
    }
    for (uint32_t i = 0; i < optional && !c->failed; i++)
        c->re->prog[splits[i]].y = (uint32_t)c->re->n_prog;
}

/* A CAT's or ALT's left part is often one again: those are gone through in a loop, since there may be many. The parts from left to right. */
static uint32_t *flatten(struct compiler *c, uint32_t part, size_t *ret_n)
{
    enum part_kind kind = c->parts[part].kind;
    size_t n = 1;
    uint32_t *v;

    for (uint32_t p = part; c->parts[p].kind == kind; p = c->parts[p].a)
        n++;
    v = xcalloc(n, sizeof(*v));
    for (size_t i = n - 1; i > 0; i--, part = c->parts[part].a)
        v[i] = c->parts[part].b;
    v[0] = part;
    *ret_n = n;
    return v;
}

static void generate_cat(struct compiler *c, uint32_t part)
{
    size_t n;
    CLEANUP(free_p) uint32_t *v = flatten(c, part, &n);

    for (size_t i = 0; i < n && !c->failed; i++)
        generate(c, v[i]);
}

static void generate_alt(struct compiler *c, uint32_t part)
{
    size_t n;
    CLEANUP(free_p) uint32_t *v = flatten(c, part, &n);
    CLEANUP(free_p) uint32_t *jumps = xcalloc(n, sizeof(*jumps));

    for (size_t i = 0; i < n && !c->failed; i++) {
        uint32_t split = i + 1 < n ? emit(c, INST_SPLIT, (uint32_t)c->re->n_prog + 1, 0) : 0;
        generate(c, v[i]);
        if (i + 1 == n || c->failed)
            break;
        jumps[i] = emit(c, INST_JUMP, 0, 0);
        if (!c->failed)
            c->re->prog[split].y = (uint32_t)c->re->n_prog;
    }
    for (size_t i = 0; i + 1 < n && !c->failed; i++)
        c->re->prog[jumps[i]].x = (uint32_t)c->re->n_prog;
}

static void generate(struct compiler *c, uint32_t part)
{
    struct part p;

    /* Repetitions of nothing make no code, so what is made is no bound for what is done. */
    if (!c->failed && ++c->steps > 4 * REGEX_PROGRAM_MAX)
        (void)fail(c, "pattern too large - compile failed", "", 0);
    if (c->failed)
        return;
    p = c->parts[part];
    switch (p.kind) {
    case PART_EMPTY: break;
    case PART_SET: (void)emit(c, INST_SET, p.a, 0); break;
    case PART_ASSERT: (void)emit(c, INST_ASSERT, p.a, 0); break;
    case PART_CAT: generate_cat(c, part); break;
    case PART_ALT: generate_alt(c, part); break;
    case PART_REPEAT: generate_repeat(c, &p); break;
    }
}

static void allocate(struct regex *re)
{
    for (size_t i = 0; i < ARRAY_LEN(re->lists); i++) {
        re->lists[i].dense = xcalloc(re->n_prog, sizeof(uint32_t));
        re->lists[i].sparse = xcalloc(re->n_prog, sizeof(uint32_t));
    }
    re->stack = xcalloc(2 * re->n_prog + 2, sizeof(uint32_t));
}

struct regex *regex_new(const char *pattern, struct skl_error *err)
{
    struct compiler c = {.re = xcalloc(1, sizeof(struct regex)), .all = pattern, .p = pattern, .err = err};
    uint32_t part = parse_alt(&c);

    if (*c.p == ')')
        (void)fail(&c, "unexpected )", c.all, strlen(c.all));
    generate(&c, part);
    (void)emit(&c, INST_MATCH, 0, 0);
    free(c.parts);
    if (!c.failed) {
        allocate(c.re);
        return c.re;
    }
    regex_free(c.re);
    return NULL;
}
