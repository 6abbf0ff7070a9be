/*
 * http/guard.c - strict check of a raw request head.
 *
 * Two programs that read one byte stream differently are a security hole (request smuggling), and llhttp has
 * been lenient in places: 8.x takes a bare CR as the end of a line (CVE-2023-30589), white space before the colon
 * and several Hosts. So the whole head is collected first (at most HTTP_HEAD_MAX) and must be plain here, by rules
 * that leave nothing to interpret:
 *
 *   - every line ends in CRLF; no CR, LF, NUL or other control character (but HT in values) anywhere else
 *   - METHOD SP target SP HTTP/1.0 or HTTP/1.1, one space each; other versions: 505
 *   - a field is token ":" value; so no space before the colon, no folded lines
 *   - Host: at most one, and in HTTP/1.1 exactly one
 *   - Content-Length: at most one, digits only, fits int64_t
 *   - Transfer-Encoding: at most one, exactly "chunked", never beside Content-Length, never in HTTP/1.0
 *   - escapes of the target are %XX and not %00
 *
 * The parser then only sees heads on which everybody agrees. The guard keeps nothing: it runs in place.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include "http/guard.h"

#define TCHAR 1u  /* of tokens: methods and field names */
#define VALUE 2u  /* of field values */
#define TARGET 4u /* of the request target; high bytes too: people type UTF-8 into curl */
#define HEX 8u

#define T_ (TCHAR | VALUE | TARGET)
#define X_ (TCHAR | VALUE | TARGET | HEX)
#define V_ (VALUE | TARGET)
static const uint8_t classes[256] = {
    ['\t'] = VALUE, [' '] = VALUE, [0x21] = T_, [0x22] = V_, [0x23 ... 0x27] = T_, ['('] = V_, [')'] = V_,
    ['*'] = T_, ['+'] = T_, [','] = V_, ['-'] = T_, ['.'] = T_, ['/'] = V_, ['0' ... '9'] = X_,
    [':' ... '@'] = V_, ['A' ... 'F'] = X_, ['G' ... 'Z'] = T_, ['['] = V_, ['\\'] = V_, [']'] = V_,
    ['^'] = T_, ['_'] = T_, ['`'] = T_, ['a' ... 'f'] = X_, ['g' ... 'z'] = T_, ['{'] = V_, ['|'] = T_,
    ['}'] = V_, ['~'] = T_, [0x80 ... 0xff] = V_,
};

static bool is_class(char c, unsigned cls) { return (classes[(unsigned char)c] & cls) != 0; }

static size_t span_class(const char *p, size_t n, unsigned cls)
{
    size_t i = 0;

    while (i < n && is_class(p[i], cls))
        i++;
    return i;
}

static int refuse(struct http_guard *g, int status, const char *why)
{
    g->status = status;
    g->why = why;
    return -1;
}

ssize_t http_guard_find_end(const char *p, size_t n, size_t *line)
{
    for (;;) {
        const char *start = p + *line;
        const char *nl = memchr(start, '\n', n - *line);

        if (nl == NULL)
            return 0;
        if (nl == start || nl[-1] != '\r')
            return -1;
        *line = (size_t)(nl - p) + 1;
        if (nl - start == 1)
            return (ssize_t)*line;
    }
}

static int check_target(struct http_guard *g, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != '%')
            continue;
        if (n - i < 3 || !is_class(p[i + 1], HEX) || !is_class(p[i + 2], HEX) || memcmp(p + i, "%00", 3) == 0)
            return refuse(g, 400, "malformed escape in the request target");
        i += 2;
    }
    return 0;
}

/* p[0..n): the request line without CRLF. */
static int check_request_line(struct http_guard *g, const char *p, size_t n)
{
    size_t method = span_class(p, n, TCHAR), target;

    if (method == 0 || method == n || p[method] != ' ')
        return refuse(g, 400, "malformed request line");
    p += method + 1;
    n -= method + 1;
    target = span_class(p, n, TARGET);
    if (target == 0 || n - target != sizeof(" HTTP/1.1") - 1 || memcmp(p + target, " HTTP/", 6) != 0)
        return refuse(g, 400, "malformed request line");
    if (memcmp(p + target + 6, "1.1", 3) != 0 && memcmp(p + target + 6, "1.0", 3) != 0)
        return refuse(g, 505, "HTTP version not supported");
    g->http10 = p[n - 1] == '0';
    return check_target(g, p, target);
}

static bool value_is(const char *v, size_t n, const char *want)
{
    return n == strlen(want) && strncasecmp(v, want, n) == 0;
}

static int check_length(struct http_guard *g, const char *v, size_t n)
{
    if (g->n_lengths++ != 0)
        return refuse(g, 400, "more than one Content-Length");
    if (n == 0 || n > 18 || strspn(v, "0123456789") != n) /* 18 digits fit int64_t */
        return refuse(g, 400, "malformed Content-Length");
    return 0;
}

/* v[0..n): the value without white space around it; v[n] is white space or CR. */
static int check_known_field(struct http_guard *g, const char *name, size_t len, const char *v, size_t n)
{
    if (len == 4 && strncasecmp(name, "Host", len) == 0) {
        if (g->n_hosts++ != 0)
            return refuse(g, 400, "more than one Host");
    } else if (len == 6 && strncasecmp(name, "Expect", len) == 0) {
        bool known = value_is(v, n, "100-continue") && g->expect != HTTP_EXPECT_OTHER;
        g->expect = known ? HTTP_EXPECT_CONTINUE : HTTP_EXPECT_OTHER;
    } else if (len == 14 && strncasecmp(name, "Content-Length", len) == 0) {
        return check_length(g, v, n);
    } else if (len == 17 && strncasecmp(name, "Transfer-Encoding", len) == 0) {
        if (g->n_codings++ != 0 || !value_is(v, n, "chunked"))
            return refuse(g, 400, "unsupported Transfer-Encoding");
    }
    return 0;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* p[0..n): one field line without CRLF. */
static int check_field(struct http_guard *g, const char *p, size_t n)
{
    size_t len = span_class(p, n, TCHAR);
    const char *v = p + len + 1;

    if (len == 0 || len == n || p[len] != ':')
        return refuse(g, 400, "malformed header field");
    n -= len + 1;
    if (span_class(v, n, VALUE) != n)
        return refuse(g, 400, "control character in a header field");
    for (; n > 0 && is_blank(v[n - 1]); n--)
        ;
    for (; n > 0 && is_blank(*v); n--)
        v++;
    if (++g->n_fields > HTTP_FIELDS_MAX)
        return refuse(g, 431, "too many header fields");
    return check_known_field(g, p, len, v, n);
}

static int check_fields_together(struct http_guard *g)
{
    if (g->n_codings != 0 && g->n_lengths != 0)
        return refuse(g, 400, "both Content-Length and Transfer-Encoding");
    if (g->n_codings != 0 && g->http10)
        return refuse(g, 400, "Transfer-Encoding in HTTP/1.0");
    if (g->n_hosts == 0 && !g->http10)
        return refuse(g, 400, "missing required Host header");
    return 0;
}

int http_guard_check(struct http_guard *g, const char *p, size_t n)
{
    const char *end = p + n - 2; /* where the empty line begins */
    const char *nl = memchr(p, '\n', n);

    memset(g, 0, sizeof(*g));
    if (check_request_line(g, p, (size_t)(nl - p) - 1) < 0)
        return -1;
    for (p = nl + 1; p < end; p = nl + 1) {
        nl = memchr(p, '\n', (size_t)(end - p));
        if (check_field(g, p, (size_t)(nl - p) - 1) < 0)
            return -1;
    }
    return check_fields_together(g);
}
