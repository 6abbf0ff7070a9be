/*
 * http/parser.c - the glue to llhttp.
 *
 * Heads: the guard has collected the block and knows it to be plain, so llhttp gets it in one call and every span
 * is whole. Bodies with a length need no parser (conn.c counts); for chunked ones llhttp is put into its body
 * state with a head of our own and paused at the message's end, where its position was measured to be exact at
 * every split. Body bytes are moved together in place, so a read of many small chunks is one delivery.
 *
 * llhttp is lenient about what stands between chunks (8.x in its default build takes "helloXX0" and a bare LF
 * after the last chunk), so frame_bytes() holds every byte that is not body to CRLF rules of our own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <llhttp.h>
#include "base/mem.h"
#include "http/parser.h"

#define FRAME_LINE_MAX (16u * 1024) /* a chunk's size line with extensions, or all trailers */

/* ---- heads ---- */

static struct http_head *head_of(llhttp_t *p) { return p->data; }

static int on_url(llhttp_t *p, const char *at, size_t n)
{
    (void)n;
    head_of(p)->target = (char *)(uintptr_t)at;
    return 0;
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
    struct http_head *h = head_of(p);

    if (h->n_fields == h->max_fields)
        return HPE_USER;
    h->fields[h->n_fields].name = (char *)(uintptr_t)at;
    h->fields[h->n_fields].value = (char *)(uintptr_t)at + n; /* the colon: an empty value, if none comes */
    h->n_fields++;
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct http_head *h = head_of(p);

    if (n > 0)
        h->fields[h->n_fields - 1].value = (char *)(uintptr_t)at;
    return 0;
}

static int on_head_end(llhttp_t *p)
{
    struct http_head *h = head_of(p);

    h->chunked = (p->flags & F_CHUNKED) != 0;
    h->content_length = (p->flags & F_CONTENT_LENGTH) != 0 ? (int64_t)p->content_length : -1;
    h->keep_alive = llhttp_should_keep_alive(p) != 0;
    return HPE_PAUSED;
}

static const llhttp_settings_t head_settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head_end,
};

static int refuse(struct http_head *h, enum llhttp_errno e)
{
    h->status = e == HPE_INVALID_METHOD ? 501 : e == HPE_INVALID_VERSION ? 505 : 400;
    h->why = e == HPE_INVALID_METHOD ? "method not supported" : "malformed request";
    return -1;
}

/* Makes C strings of names and values, once llhttp is through with the block. */
static void cut_fields(struct http_head *h)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        char *colon = strchr(h->fields[i].name, ':');
        char *end = strchr(colon, '\r');

        while (end[-1] == ' ' || end[-1] == '\t')
            end--;
        *end = '\0';
        *colon = '\0';
    }
}

int http_parse_head(struct http_head *h, char *block, size_t n)
{
    llhttp_t p;
    enum llhttp_errno e;

    llhttp_init(&p, HTTP_REQUEST, &head_settings);
    p.data = h;
    h->n_fields = 0;
    h->target = NULL;
    e = llhttp_execute(&p, block, n);
    /* CONNECT asks for a tunnel and PRI is HTTP/2's greeting: neither is for us. */
    if (e == HPE_PAUSED && (p.method == HTTP_CONNECT || p.method == HTTP_PRI))
        e = HPE_INVALID_METHOD;
    if (e != HPE_PAUSED || h->target == NULL)
        return refuse(h, e);
    h->method = block;
    *strchr(block, ' ') = '\0';
    *strchr(h->target, ' ') = '\0';
    cut_fields(h);
    return 0;
}

/* ---- chunked bodies ---- */

struct http_chunked {
    llhttp_t p;
    char *out;         /* where the next body byte goes, during a feed */
    const char *frame; /* where framing began after the last body byte, during a feed */
    uint64_t left;     /* body bytes to come in this chunk */
    size_t line;       /* framing bytes since the last body byte or chunk */
    char last;         /* framing byte before this one */
    uint8_t crlf;      /* bytes of the CRLF behind a chunk's data still to come */
    bool bad;
};

/* Every byte outside the chunks' data: CR and LF only as pairs, and a pair right behind the data. */
static int frame_bytes(struct http_chunked *c, const char *end)
{
    for (const char *p = c->frame; p < end; p++) {
        if (c->crlf != 0 && *p != (c->crlf-- == 2 ? '\r' : '\n'))
            c->bad = true;
        if (*p == '\0' || (*p == '\n') != (c->last == '\r') || ++c->line > FRAME_LINE_MAX)
            c->bad = true;
        c->last = *p;
    }
    c->frame = end;
    return c->bad ? -1 : 0;
}

static int on_chunk_header(llhttp_t *p)
{
    struct http_chunked *c = p->data;

    c->left = p->content_length;
    c->line = 0;
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct http_chunked *c = p->data;

    if (frame_bytes(c, at) < 0)
        return -1;
    if (c->out != at)
        memmove(c->out, at, n);
    c->out += n;
    c->frame = at + n;
    c->last = '\0';
    c->line = 0;
    c->left -= n < c->left ? n : c->left;
    if (c->left == 0)
        c->crlf = 2;
    return 0;
}

static int on_end(llhttp_t *p)
{
    (void)p;
    return HPE_PAUSED;
}

static const llhttp_settings_t chunk_settings = {
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_end,
};

struct http_chunked *http_chunked_new(void)
{
    static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct http_chunked *c = xcalloc(1, sizeof(*c));

    llhttp_init(&c->p, HTTP_REQUEST, &chunk_settings);
    c->p.data = c;
    llhttp_execute(&c->p, head, sizeof(head) - 1);
    return c;
}

void http_chunked_free(struct http_chunked *c) { free(c); }

int http_chunked_feed(struct http_chunked *c, char *p, size_t n, size_t *ret_used, size_t *ret_len, bool *ret_end)
{
    enum llhttp_errno e;

    c->out = p;
    c->frame = p;
    e = llhttp_execute(&c->p, p, n);
    *ret_end = e == HPE_PAUSED;
    if (e != HPE_OK && e != HPE_PAUSED)
        return -1;
    *ret_used = *ret_end ? (size_t)(llhttp_get_error_pos(&c->p) - p) : n;
    *ret_len = (size_t)(c->out - p);
    return frame_bytes(c, p + *ret_used);
}
