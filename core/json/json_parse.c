/*
 * json/json_parse.c - the parser: see json.h.
 *
 * Our own recursive descent and not json-c's tokener: that one saturates integers that don't fit, takes texts RFC 8259
 * does not (and which of them depends on its version), and can't tell where in the text the error is. Values are json-c's.
 * Depth is capped, so the recursion is; strings are built in one scratch buffer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "json/json.h"

#define NUMBER_MAX 1024u /* characters of one number */

struct parser {
    const char *start, *p, *end;
    unsigned flags;
    unsigned depth;
    struct buf text; /* the string being read */
    struct skl_error *err;
};

static int parse_value(struct parser *ps, struct json_object **ret);

static int fail(struct parser *ps, const char *at, const char *why)
{
    unsigned line = 1, column = 1;

    for (const char *c = ps->start; c < at; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    return error_set(ps->err, SKL_ERR_INVALID, "line %u, column %u: %s", line, column, why);
}

/* ---- white space and comments ---- */
static int skip_comment(struct parser *ps)
{
    const char *from = ps->p, *found;

    if (ps->end - ps->p < 2 || (ps->p[1] != '/' && ps->p[1] != '*'))
        return fail(ps, ps->p, "unexpected character '/'");
    if (ps->p[1] == '/') {
        found = memchr(ps->p, '\n', (size_t)(ps->end - ps->p));
        ps->p = found != NULL ? found : ps->end;
        return 0;
    }
    found = memmem(ps->p + 2, (size_t)(ps->end - ps->p - 2), "*/", 2);
    if (found == NULL)
        return fail(ps, from, "a comment that does not end");
    ps->p = found + 2;
    return 0;
}

static int skip_space(struct parser *ps)
{
    for (;;) {
        while (ps->p < ps->end && (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\n' || *ps->p == '\r'))
            ps->p++;
        if (ps->p == ps->end || *ps->p != '/' || !(ps->flags & JSON_COMMENTS))
            return 0;
        if (skip_comment(ps) < 0)
            return -1;
    }
}

/* ---- strings ---- */
static int hex4(struct parser *ps, unsigned *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++, ps->p++) {
        int c = ps->p < ps->end ? *ps->p : 0;
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (d < 0)
            return fail(ps, ps->p, "a \\u escape needs four hex digits");
        *ret = *ret << 4 | (unsigned)d;
    }
    return 0;
}

static void put_utf8(struct buf *b, unsigned c)
{
    if (c < 0x80) {
        buf_putc(b, (char)c);
    } else if (c < 0x800) {
        buf_putc(b, (char)(0xc0 | c >> 6));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_putc(b, (char)(0xe0 | c >> 12));
        buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_putc(b, (char)(0xf0 | c >> 18));
        buf_putc(b, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(b, (char)(0x80 | (c & 0x3f)));
    }
}

/* A lone surrogate becomes U+FFFD, as in Go. */
static int parse_unicode(struct parser *ps)
{
    unsigned c, low;

    if (hex4(ps, &c) < 0)
        return -1;
    if (c >= 0xd800 && c < 0xdc00 && ps->end - ps->p >= 6 && ps->p[0] == '\\' && ps->p[1] == 'u') {
        const char *before = ps->p;
        ps->p += 2;
        if (hex4(ps, &low) < 0)
            return -1;
        if (low >= 0xdc00 && low < 0xe000)
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        else
            ps->p = before;
    }
    put_utf8(&ps->text, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    return 0;
}

static int parse_escape(struct parser *ps)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = ps->p < ps->end && *ps->p != '\0' ? strchr(from, *ps->p) : NULL;

    if (ps->p < ps->end && *ps->p == 'u') {
        ps->p++;
        return parse_unicode(ps);
    }
    if (at == NULL)
        return fail(ps, ps->p, "unknown escape in a string");
    ps->p++;
    buf_putc(&ps->text, to[at - from]);
    return 0;
}

/* Into ps->text, from behind the opening quote. */
static int parse_string(struct parser *ps)
{
    const char *from = ps->p;

    buf_clear(&ps->text);
    for (;;) {
        const char *run = ps->p;
        while (ps->p < ps->end && *ps->p != '"' && *ps->p != '\\' && (unsigned char)*ps->p >= 0x20)
            ps->p++;
        buf_append(&ps->text, run, (size_t)(ps->p - run));
        if (ps->p == ps->end)
            return fail(ps, from, "a string that does not end");
        if ((unsigned char)*ps->p < 0x20)
            return fail(ps, ps->p, "a control character in a string");
        if (*ps->p++ == '"')
            break;
        if (parse_escape(ps) < 0)
            return -1;
    }
    if (!utf8_valid(buf_str(&ps->text), ps->text.len))
        return fail(ps, from, "a string that is not UTF-8");
    return 0;
}

/* ---- numbers ---- */
static size_t digits(const char *p, const char *end)
{
    const char *from = p;

    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return (size_t)(p - from);
}

/* The length of a number by RFC 8259, or 0. */
static size_t number_length(const char *p, const char *end, bool *ret_integer)
{
    const char *from = p;
    size_t n;

    *ret_integer = true;
    p += p < end && *p == '-';
    n = digits(p, end);
    if (n == 0 || (n > 1 && *p == '0'))
        return 0;
    p += n;
    if (p < end && *p == '.') {
        *ret_integer = false;
        n = digits(p + 1, end);
        if (n == 0)
            return 0;
        p += n + 1;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        *ret_integer = false;
        p++;
        p += p < end && (*p == '+' || *p == '-');
        n = digits(p, end);
        if (n == 0)
            return 0;
        p += n;
    }
    return (size_t)(p - from);
}

static struct json_object *integer(const char *text)
{
    int64_t i;
    uint64_t u;

    if (strcmp(text, "-0") == 0)
        return json_object_new_int64(0);
    if (str_to_i64(text, INT64_MIN, INT64_MAX, &i))
        return json_object_new_int64(i);
    return str_to_u64(text, 0, UINT64_MAX, &u) ? json_object_new_uint64(u) : NULL;
}

static int parse_number(struct parser *ps, struct json_object **ret)
{
    char text[NUMBER_MAX];
    bool is_integer;
    size_t n = number_length(ps->p, ps->end, &is_integer);
    double d;

    if (n == 0 || n >= sizeof(text))
        return fail(ps, ps->p, "not a number");
    memcpy(text, ps->p, n);
    text[n] = '\0';
    if (is_integer)
        *ret = integer(text);
    else if (str_to_double(text, &d) && isfinite(d))
        *ret = json_object_new_double_s(d, text);
    else
        *ret = NULL;
    if (*ret == NULL)
        return fail(ps, ps->p, "a number out of range");
    ps->p += n;
    return 0;
}

/* ---- values ---- */
static int parse_word(struct parser *ps, struct json_object **ret)
{
    size_t left = (size_t)(ps->end - ps->p);

    if (left >= 4 && memcmp(ps->p, "true", 4) == 0)
        *ret = json_object_new_boolean(1);
    else if (left >= 5 && memcmp(ps->p, "false", 5) == 0)
        *ret = json_object_new_boolean(0);
    else if (left < 4 || memcmp(ps->p, "null", 4) != 0)
        return fail(ps, ps->p, "not a value");
    ps->p += *ps->p == 'f' ? 5 : 4;
    return 0;
}

static int expect(struct parser *ps, char c, const char *why)
{
    if (skip_space(ps) < 0)
        return -1;
    if (ps->p == ps->end || *ps->p != c)
        return fail(ps, ps->p, ps->p == ps->end ? "the text ends too early" : why);
    ps->p++;
    return 0;
}

/* After an element: ',' (1), the closing character (0) or an error. */
static int parse_separator(struct parser *ps, char close)
{
    if (skip_space(ps) < 0)
        return -1;
    if (ps->p < ps->end && (*ps->p == ',' || *ps->p == close))
        return *ps->p++ == ',';
    return fail(ps, ps->p, ps->p == ps->end ? "the text ends too early" : close == '}' ? "expected ',' or '}'"
                                                                                       : "expected ',' or ']'");
}

static bool is_closed(struct parser *ps, char close)
{
    if (ps->p == ps->end || *ps->p != close)
        return false;
    ps->p++;
    return true;
}

static int parse_member(struct parser *ps, struct json_object *obj)
{
    CLEANUP(free_p) char *key = NULL;
    struct json_object *v = NULL;

    if (expect(ps, '"', "expected a member's name") < 0 || parse_string(ps) < 0)
        return -1;
    if (memchr(buf_str(&ps->text), '\0', ps->text.len) != NULL)
        return fail(ps, ps->p, "a name with a NUL character");
    key = xstrndup(buf_str(&ps->text), ps->text.len);
    if (expect(ps, ':', "expected ':'") < 0 || parse_value(ps, &v) < 0)
        return -1;
    json_object_object_add(obj, key, v);
    return 0;
}

static int parse_object(struct parser *ps, struct json_object **ret)
{
    int more;

    *ret = json_object_new_object();
    if (skip_space(ps) < 0)
        return -1;
    if (is_closed(ps, '}'))
        return 0;
    do {
        if (parse_member(ps, *ret) < 0)
            return -1;
        more = parse_separator(ps, '}');
    } while (more > 0);
    return more;
}

static int parse_array(struct parser *ps, struct json_object **ret)
{
    int more;

    *ret = json_object_new_array();
    if (skip_space(ps) < 0)
        return -1;
    if (is_closed(ps, ']'))
        return 0;
    do {
        struct json_object *v = NULL;
        if (parse_value(ps, &v) < 0)
            return -1;
        json_object_array_add(*ret, v);
        more = parse_separator(ps, ']');
    } while (more > 0);
    return more;
}

static int parse_nested(struct parser *ps, struct json_object **ret)
{
    int rc;

    if (ps->depth == JSON_DEPTH_MAX)
        return fail(ps, ps->p, "nested too deeply");
    ps->depth++;
    rc = *ps->p++ == '{' ? parse_object(ps, ret) : parse_array(ps, ret);
    ps->depth--;
    if (rc < 0)
        json_put_p(ret);
    return rc;
}

/* *ret is NULL for null, and on failure. */
static int parse_value(struct parser *ps, struct json_object **ret)
{
    *ret = NULL;
    if (skip_space(ps) < 0)
        return -1;
    if (ps->p == ps->end)
        return fail(ps, ps->p, "the text ends too early");
    if (*ps->p == '{' || *ps->p == '[')
        return parse_nested(ps, ret);
    if (*ps->p == '-' || (*ps->p >= '0' && *ps->p <= '9'))
        return parse_number(ps, ret);
    if (*ps->p != '"')
        return parse_word(ps, ret);
    ps->p++;
    if (parse_string(ps) < 0)
        return -1;
    *ret = json_object_new_string_len(buf_str(&ps->text), (int)ps->text.len);
    return 0;
}

static int parse_all(struct parser *ps, struct json_object **ret, bool *ret_null)
{
    if (parse_value(ps, ret) < 0 || skip_space(ps) < 0)
        return -1;
    if (ps->p != ps->end)
        return fail(ps, ps->p, "unexpected content after the value");
    if (*ret == NULL && ret_null == NULL)
        return fail(ps, ps->start, "null where a value is needed");
    if (*ret != NULL && (ps->flags & JSON_WANT_OBJECT) && !json_object_is_type(*ret, json_type_object))
        return fail(ps, ps->start, "must be an object");
    if (ret_null != NULL)
        *ret_null = *ret == NULL;
    return 0;
}

struct json_object *json_parse(const char *s, size_t n, size_t max, unsigned flags, bool *ret_null,
                               struct skl_error *err)
{
    struct parser ps = {.start = s, .p = s, .end = s + n, .flags = flags, .err = err};
    struct json_object *v = NULL;

    if (ret_null != NULL)
        *ret_null = false;
    if (n > max || n > INT32_MAX) {
        error_set(err, SKL_ERR_TOO_LARGE, "longer than %zu bytes", max);
        return NULL;
    }
    buf_init(&ps.text, n + 4);
    if (parse_all(&ps, &v, ret_null) < 0)
        json_put_p(&v);
    buf_fini(&ps.text);
    return v;
}

struct json_object *json_parse_object(const char *s, size_t n, size_t max, struct skl_error *err)
{
    return json_parse(s, n, max, JSON_WANT_OBJECT, NULL, err);
}
