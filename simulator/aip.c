/*
 * simulator/aip.c - see aip.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/aip.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

enum kind { AND, OR, NOT, COMPARE };

struct aip {
    enum kind kind;
    struct aip *a, *b;
    char *path, *value;
    char op[3];
    bool star; /* the value is a bare * */
};

struct parser {
    const char *start, *p;
    int depth;
    struct skl_error *err;
};

void aip_free(struct aip *f)
{
    if (f == NULL)
        return;
    aip_free(f->a);
    aip_free(f->b);
    free(f->path);
    free(f->value);
    free(f);
}

static struct aip *node(enum kind kind, struct aip *a, struct aip *b)
{
    struct aip *f = xcalloc(1, sizeof(*f));

    f->kind = kind;
    f->a = a;
    f->b = b;
    return f;
}

static struct aip *bad(struct parser *x)
{
    error_set(x->err, SKL_ERR_INVALID, "Invalid filter: syntax error at column %d, token '%.20s'", (int)(x->p - x->start) + 1, x->p);
    return NULL;
}

static void skip(struct parser *x)
{
    x->p += strspn(x->p, " \t\r\n");
}

/* A keyword, upper case as the grammar has it, that ends here. */
static bool take_word(struct parser *x, const char *word)
{
    size_t n = strlen(word);

    skip(x);
    if (strncmp(x->p, word, n) != 0 || (x->p[n] != '\0' && strchr(" \t\r\n(", x->p[n]) == NULL))
        return false;
    x->p += n;
    return true;
}

/* Quoted, or a run of plain characters. NULL: neither. */
static char *take_text(struct parser *x, bool *ret_quoted)
{
    char quote = *x->p, *out;
    size_t n = 0;

    *ret_quoted = quote == '"' || quote == '\'';
    if (!*ret_quoted) {
        n = strcspn(x->p, " \t\r\n()=!<>:\"'");
        out = n > 0 ? xstrndup(x->p, n) : NULL;
        x->p += n;
        return out;
    }
    out = xcalloc(1, strlen(x->p));
    for (x->p++; *x->p != quote; x->p++) {
        if (*x->p == '\\' && x->p[1] != '\0')
            x->p++;
        if (*x->p == '\0') {
            free(out);
            return NULL;
        }
        out[n++] = *x->p;
    }
    x->p++;
    return out;
}

/* labels."goog-managed-by": quoted parts are part of the path. A dot in a part is kept apart by \1. */
static char *take_path(struct parser *x)
{
    struct buf b;
    char *out;

    buf_init(&b, AIP_FILTER_MAX);
    for (;;) {
        bool quoted;
        CLEANUP(free_p) char *part = take_text(x, &quoted);
        if (part == NULL) {
            buf_fini(&b);
            return NULL;
        }
        for (char *c = part; !quoted && *c != '\0'; c++)
            *c = *c == '.' ? '\1' : *c;
        buf_puts(&b, part);
        if (part[0] != '\0' && part[strlen(part) - 1] == '\1' && (*x->p == '"' || *x->p == '\''))
            continue;
        if (quoted && *x->p == '.') {
            x->p++;
            buf_putc(&b, '\1');
            continue;
        }
        break;
    }
    out = buf_steal(&b, NULL);
    return out;
}

static bool take_operator(struct parser *x, char out[3])
{
    static const char *const ops[] = {"!=", "<=", ">=", "=", "<", ">", ":"};

    skip(x);
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (str_starts(x->p, ops[i])) {
            snprintf(out, 3, "%s", ops[i]);
            x->p += strlen(ops[i]);
            return true;
        }
    return false;
}

static struct aip *parse_compare(struct parser *x)
{
    struct aip *f = node(COMPARE, NULL, NULL);
    bool quoted;

    f->path = take_path(x);
    if (f->path != NULL && take_operator(x, f->op)) {
        skip(x);
        f->value = take_text(x, &quoted);
        f->star = f->value != NULL && !quoted && str_eq(f->value, "*");
    }
    if (f->value != NULL)
        return f;
    aip_free(f);
    return bad(x);
}

static struct aip *parse_and(struct parser *x);

static struct aip *parse_unary(struct parser *x)
{
    struct aip *f;

    if (++x->depth > AIP_DEPTH_MAX)
        return bad(x);
    skip(x);
    if (take_word(x, "NOT") || (*x->p == '-' && x->p++)) {
        f = parse_unary(x);
        f = f != NULL ? node(NOT, f, NULL) : NULL;
    } else if (*x->p == '(') {
        x->p++;
        f = parse_and(x);
        skip(x);
        if (f != NULL && *x->p++ != ')') {
            x->p--;
            aip_free(f);
            f = bad(x);
        }
    } else {
        f = parse_compare(x);
    }
    x->depth--;
    return f;
}

/* a followed by what next gives; both are gone when that fails. */
static struct aip *join(enum kind kind, struct aip *a, struct aip *b)
{
    if (b != NULL)
        return node(kind, a, b);
    aip_free(a);
    return NULL;
}

static struct aip *parse_or(struct parser *x)
{
    struct aip *f = parse_unary(x);

    while (f != NULL && take_word(x, "OR"))
        f = join(OR, f, parse_unary(x));
    return f;
}

static struct aip *parse_and(struct parser *x)
{
    struct aip *f = parse_or(x);

    for (;;) {
        skip(x);
        if (f == NULL || *x->p == '\0' || *x->p == ')')
            return f;
        (void)take_word(x, "AND");
        f = join(AND, f, parse_or(x));
    }
}

struct aip *aip_parse(const char *text, struct skl_error *err)
{
    struct parser x = {.start = text, .p = text, .err = err};
    struct aip *f;

    if (text == NULL || text[strspn(text, " \t\r\n")] == '\0')
        return node(AND, NULL, NULL);
    if (strlen(text) > AIP_FILTER_MAX) {
        error_set(err, SKL_ERR_INVALID, "Invalid filter: longer than %u characters", AIP_FILTER_MAX);
        return NULL;
    }
    f = parse_and(&x);
    if (f != NULL && *x.p != '\0') {
        aip_free(f);
        return bad(&x);
    }
    return f;
}

/* ---- matching ---- */

/* The field, by camelCase or snake_case parts; or NULL. */
static struct json_object *field(struct json_object *o, const char *path)
{
    CLEANUP(free_p) char **parts = NULL;
    size_t n;

    parts = str_split(path, '\1', &n);
    for (size_t i = 0; i < n && o != NULL; i++) {
        struct json_object *v = json_object_is_type(o, json_type_object) ? json_member(o, parts[i]) : NULL;
        char camel[128];
        size_t k = 0;
        if (v == NULL && strchr(parts[i], '_') != NULL && json_object_is_type(o, json_type_object)) {
            for (const char *p = parts[i]; *p != '\0' && k + 1 < sizeof(camel); p++)
                camel[k++] = *p == '_' && p[1] != '\0' ? (char)toupper((unsigned char)*++p) : *p;
            camel[k] = '\0';
            v = json_member(o, camel);
        }
        o = v;
    }
    return o;
}

static int order(struct json_object *v, const char *value)
{
    const char *s = json_object_get_string(v);
    double x, y;
    int64_t a, b;

    if ((json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double)) && str_to_double(value, &y)) {
        x = json_object_get_double(v);
        return x < y ? -1 : x > y;
    }
    if (time_parse_rfc3339(s, &a) && time_parse_rfc3339(value, &b))
        return a < b ? -1 : a > b;
    return strcasecmp(s, value);
}

static bool has(struct json_object *v, const struct aip *f)
{
    if (f->star)
        return true;
    if (json_object_is_type(v, json_type_object))
        return json_member(v, f->value) != NULL;
    if (json_object_is_type(v, json_type_string))
        return strcasestr(json_object_get_string(v), f->value) != NULL;
    return order(v, f->value) == 0;
}

static bool compare(const struct aip *f, struct json_object *o)
{
    struct json_object *v = field(o, f->path);

    if (v == NULL)
        return false;
    if (f->op[0] == ':')
        return has(v, f);
    if (f->star && f->op[1] == '\0' && f->op[0] == '=')
        return true;
    switch (f->op[0]) {
    case '=': return order(v, f->value) == 0;
    case '!': return order(v, f->value) != 0;
    case '<': return order(v, f->value) < (f->op[1] == '=' ? 1 : 0);
    default: return order(v, f->value) > (f->op[1] == '=' ? -1 : 0);
    }
}

bool aip_match(const struct aip *f, struct json_object *o)
{
    switch (f->kind) {
    case AND: return (f->a == NULL || aip_match(f->a, o)) && (f->b == NULL || aip_match(f->b, o));
    case OR: return aip_match(f->a, o) || aip_match(f->b, o);
    case NOT: return !aip_match(f->a, o);
    default: return compare(f, o);
    }
}
