/*
 * wire/h2_stream.c - messages and streams of HTTP/2 sessions: requests, responses, bodies, header blocks.
 *
 * A stream's handle lives from h2_request() or on_request until its on_close. Its id is known from the start
 * (nghttp2 assigns it on submission), but nghttp2 opens the stream only when the HEADERS are sent; everything here
 * therefore works on the handle and tolerates a stream that nghttp2 does not know yet.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/h2_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define NV_MAX 24u               /* header fields we send */
#define ERROR_BODY_MAX 4096u

struct h2_stream *h2_stream_new(struct h2 *s, int32_t id)
{
    struct h2_stream *st = xcalloc(1, sizeof(*st));

    st->s = s;
    st->id = id;
    list_push_back(&s->streams, &st->link);
    s->n_streams++;
    return st;
}

void h2_stream_free(struct h2_stream *st)
{
    list_remove(&st->link);
    st->s->n_streams--;
    free(st->owned);
    free(st);
}

void h2_stream_end(struct h2_stream *st, const struct skl_error *err)
{
    /* Out of the list first: on_close may start other requests. */
    list_remove(&st->link);
    if (st->ops != NULL && st->ops->on_close != NULL)
        st->ops->on_close(st->arg, st, err);
    h2_stream_free(st);
}

/* ---- header blocks that come in ---- */

void h2_block_reset(struct h2 *s)
{
    if (s->block == NULL)
        return;
    buf_fini(&s->block->text);
    free(s->block);
    s->block = NULL;
}

static size_t *pseudo_slot(struct h2_block *b, const uint8_t *name, size_t nlen)
{
    if (nlen == 7 && memcmp(name, ":method", 7) == 0)
        return &b->method;
    if (nlen == 5 && memcmp(name, ":path", 5) == 0)
        return &b->path;
    if (nlen == 10 && memcmp(name, ":authority", 10) == 0)
        return &b->authority;
    if (nlen == 7 && memcmp(name, ":status", 7) == 0)
        return &b->status;
    return NULL;
}

static int block_text(struct h2_block *b, const uint8_t *p, size_t n, size_t *ret_at)
{
    *ret_at = b->text.len;
    if (memchr(p, '\0', n) != NULL)
        return -1;
    if (n > 0)
        buf_append(&b->text, p, n);
    return buf_putc(&b->text, '\0');
}

int h2_block_add(struct h2 *s, const uint8_t *name, size_t nlen, const uint8_t *value, size_t vlen)
{
    struct h2_block *b = s->block;
    size_t *slot, at;

    if (b == NULL) {
        b = s->block = xcalloc(1, sizeof(*b));
        buf_init(&b->text, H2_HEADERS_BYTES_MAX + 2 * H2_HEADERS_MAX);
    }
    slot = pseudo_slot(b, name, nlen);
    if (slot != NULL) {
        if (block_text(b, value, vlen, &at) < 0)
            return -1;
        *slot = at + 1;
        return 0;
    }
    if (nlen > 0 && name[0] == ':')
        return 0;
    if (b->n == H2_HEADERS_MAX || block_text(b, name, nlen, &b->offsets[b->n][0]) < 0 ||
        block_text(b, value, vlen, &b->offsets[b->n][1]) < 0)
        return -1;
    b->n++;
    return 0;
}

static const char *block_at(const struct h2_block *b, size_t slot)
{
    return slot != 0 ? b->text.data + slot - 1 : "";
}

void h2_block_deliver(struct h2 *s, struct h2_stream *st, void (*fn)(struct h2_stream *st, const struct h2_head *head))
{
    struct h2_block *b = s->block;
    struct h2_header headers[H2_HEADERS_MAX];
    struct h2_head head = {.headers = headers, .n_headers = b->n};

    for (size_t i = 0; i < b->n; i++) {
        headers[i].name = b->text.data + b->offsets[i][0];
        headers[i].value = b->text.data + b->offsets[i][1];
    }
    head.method = block_at(b, b->method);
    head.path = block_at(b, b->path);
    head.authority = block_at(b, b->authority);
    head.status = (int)strtol(block_at(b, b->status), NULL, 10);
    fn(st, &head);
}

const char *h2_head_get(const struct h2_head *head, const char *name)
{
    for (size_t i = 0; i < head->n_headers; i++) {
        if (strcmp(head->headers[i].name, name) == 0)
            return head->headers[i].value;
    }
    return NULL;
}

/* ---- bodies that go out ---- */

static ssize_t on_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t max, uint32_t *flags,
                       nghttp2_data_source *source, void *user)
{
    struct h2_stream *st = source->ptr;
    const uint8_t *p = NULL;
    bool eof = false;
    ssize_t n;

    (void)ng;
    (void)id;
    (void)buf;
    (void)user;
    if (st->body.pull == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    n = st->body.pull(st->body.arg, max, &p, &eof);
    if (n == H2_BODY_WAIT || (n == 0 && !eof))
        return NGHTTP2_ERR_DEFERRED;
    if (n < 0 || (size_t)n > max) {
        st->aborted = true;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (eof)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (n > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        st->lent = p;
        st->lent_len = (size_t)n;
    }
    return n;
}

nghttp2_data_provider h2_body_provider(struct h2_stream *st)
{
    nghttp2_data_provider prd = {.source = {.ptr = st}, .read_callback = on_read};
    return prd;
}

static ssize_t pull_owned(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct h2_stream *st = arg;
    size_t n = st->owned_len - st->owned_off;

    if (n > max)
        n = max;
    *ret_p = st->owned + st->owned_off;
    st->owned_off += n;
    *ret_eof = st->owned_off == st->owned_len;
    return (ssize_t)n;
}

static void own_body(struct h2_stream *st, const void *p, size_t n)
{
    st->owned = xmemdup(p, n);
    st->owned_len = n;
    st->owned_off = 0;
    st->body.pull = pull_owned;
    st->body.arg = st;
}

/* ---- header fields that go out ---- */

struct nv_list {
    nghttp2_nv nv[NV_MAX];
    size_t n;
};

static void nv_add(struct nv_list *l, const char *name, const char *value)
{
    nghttp2_nv *nv;

    if (l->n == NV_MAX)
        return;
    nv = &l->nv[l->n++];
    /* nghttp2 copies both; its struct just isn't const. */
    nv->name = (uint8_t *)(uintptr_t)name;
    nv->value = (uint8_t *)(uintptr_t)value;
    nv->namelen = strlen(name);
    nv->valuelen = strlen(value);
    /* Paths and lengths don't repeat; indexing them would only fill both ends' tables. */
    nv->flags = NGHTTP2_NV_FLAG_NO_INDEX;
}

static void nv_add_pairs(struct nv_list *l, const char *const *headers)
{
    for (; headers != NULL && headers[0] != NULL; headers += 2)
        nv_add(l, headers[0], headers[1]);
}

/* ---- client ---- */

static struct h2_stream *submit_request(struct h2 *s, const char *method, const char *path, const char *const *headers,
                                        struct h2_stream *st, struct skl_error *err)
{
    struct nv_list l = {.n = 0};
    nghttp2_data_provider prd = h2_body_provider(st);
    int32_t id;

    nv_add(&l, ":method", method);
    nv_add(&l, ":scheme", "http");
    nv_add(&l, ":authority", "agent");
    nv_add(&l, ":path", path);
    nv_add_pairs(&l, headers);
    id = nghttp2_submit_request(s->ng, NULL, l.nv, l.n, st->body.pull != NULL ? &prd : NULL, st);
    if (id < 0) {
        error_set(err, SKL_ERR_UNAVAILABLE, "http/2: %s", nghttp2_strerror(id));
        h2_stream_free(st);
        return NULL;
    }
    st->id = id;
    h2_wake(s);
    return st;
}

static int check_open(const struct h2 *s, struct skl_error *err)
{
    if (s->closed || s->going_away || s->server)
        return error_set(err, SKL_ERR_UNAVAILABLE, "the connection takes no new requests");
    return 0;
}

struct h2_stream *h2_request(struct h2 *s, const char *method, const char *path, const char *const *headers,
                             const struct h2_body *body, const struct h2_stream_ops *ops, void *arg,
                             struct skl_error *err)
{
    struct h2_stream *st;

    if (check_open(s, err) < 0)
        return NULL;
    st = h2_stream_new(s, 0);
    st->ops = ops;
    st->arg = arg;
    if (body != NULL)
        st->body = *body;
    return submit_request(s, method, path, headers, st, err);
}

struct h2_stream *h2_request_json(struct h2 *s, const char *method, const char *path, const void *json, size_t n,
                                  const struct h2_stream_ops *ops, void *arg, struct skl_error *err)
{
    static const char *const headers[] = {"content-type", "application/json", NULL};
    struct h2_stream *st;

    if (check_open(s, err) < 0)
        return NULL;
    st = h2_stream_new(s, 0);
    st->ops = ops;
    st->arg = arg;
    own_body(st, json, n);
    return submit_request(s, method, path, headers, st, err);
}

/* ---- server ---- */

static bool submit_response(struct h2_stream *st, int status, const char *const *headers)
{
    struct nv_list l = {.n = 0};
    nghttp2_data_provider prd = h2_body_provider(st);
    char code[16];

    if (st->s->closed || st->responded)
        return false;
    snprintf(code, sizeof(code), "%d", status);
    nv_add(&l, ":status", code);
    nv_add_pairs(&l, headers);
    st->responded = true;
    if (nghttp2_submit_response(st->s->ng, st->id, l.nv, l.n, st->body.pull != NULL ? &prd : NULL) != 0)
        return false;
    h2_wake(st->s);
    return true;
}

bool h2_respond(struct h2_stream *st, int status, const char *const *headers, const struct h2_body *body)
{
    if (st->responded)
        return false;
    if (body != NULL)
        st->body = *body;
    return submit_response(st, status, headers);
}

bool h2_respond_bytes(struct h2_stream *st, int status, const char *content_type, const void *p, size_t n)
{
    const char *headers[] = {"content-type", content_type, NULL};

    if (st->responded)
        return false;
    if (n > 0)
        own_body(st, p, n);
    return submit_response(st, status, content_type != NULL ? headers : NULL);
}

static int kind_status(int kind)
{
    static const short statuses[] = {
        [SKL_ERR_INVALID] = 400,     [SKL_ERR_UNAUTHORIZED] = 401,  [SKL_ERR_FORBIDDEN] = 403,
        [SKL_ERR_NOT_FOUND] = 404,   [SKL_ERR_CONFLICT] = 409,      [SKL_ERR_NOT_MODIFIED] = 304,
        [SKL_ERR_TOO_LARGE] = 413,   [SKL_ERR_UNIMPLEMENTED] = 501, [SKL_ERR_UNAVAILABLE] = 503,
        [SKL_ERR_TIMEOUT] = 504,     [SKL_ERR_BAD_GATEWAY] = 502,
    };

    if (kind < 0 || (size_t)kind >= ARRAY_LEN(statuses) || statuses[kind] == 0)
        return 500;
    return statuses[kind];
}

bool h2_respond_error(struct h2_stream *st, int status, const struct skl_error *why)
{
    struct skl_error none = {.kind = SKL_ERR_NOT_FOUND, .message = "no such resource"};
    struct buf b;
    bool sent;

    if (why == NULL)
        why = &none;
    buf_init(&b, ERROR_BODY_MAX + 6 * SKL_ERROR_MESSAGE_MAX);
    buf_puts(&b, "{\"message\":");
    buf_json_string(&b, why->message, strlen(why->message));
    buf_printf(&b, ",\"kind\":%d}", (int)why->kind);
    sent = h2_respond_bytes(st, status != 0 ? status : kind_status(why->kind), "application/json", b.data, b.len);
    buf_fini(&b);
    return sent;
}

void h2_continue(struct h2_stream *st)
{
    struct nv_list l = {.n = 0};

    if (st->s->closed || st->responded)
        return;
    nv_add(&l, ":status", "100");
    if (nghttp2_submit_headers(st->s->ng, NGHTTP2_FLAG_NONE, st->id, NULL, l.nv, l.n, NULL) == 0)
        h2_wake(st->s);
}

void h2_stream_keep_open(struct h2_stream *st)
{
    st->keep_open = true;
}

bool h2_stream_responded(const struct h2_stream *st)
{
    return st->responded;
}

/* ---- streams ---- */

void h2_stream_set_ops(struct h2_stream *st, const struct h2_stream_ops *ops, void *arg)
{
    st->ops = ops;
    st->arg = arg;
}

void *h2_stream_arg(const struct h2_stream *st)
{
    return st->arg;
}

int32_t h2_stream_id(const struct h2_stream *st)
{
    return st->id;
}

void h2_stream_consume(struct h2_stream *st, size_t n)
{
    if (st->s->closed)
        return;
    if (n > st->unconsumed)
        n = st->unconsumed;
    st->unconsumed -= n;
    if (n > 0 && nghttp2_session_consume_stream(st->s->ng, st->id, n) == 0 &&
        nghttp2_session_want_write(st->s->ng) != 0)
        h2_wake(st->s);
}

size_t h2_stream_unconsumed(const struct h2_stream *st)
{
    return st->unconsumed;
}

void h2_stream_resume(struct h2_stream *st)
{
    if (!st->s->closed && nghttp2_session_resume_data(st->s->ng, st->id) == 0)
        h2_wake(st->s);
}

size_t h2_stream_peer_window(const struct h2_stream *st)
{
    int32_t n = st->s->closed ? 0 : nghttp2_session_get_stream_remote_window_size(st->s->ng, st->id);
    return n > 0 ? (size_t)n : 0;
}

void h2_stream_cancel(struct h2_stream *st)
{
    if (st->s->closed || st->cancelled)
        return;
    st->cancelled = true;
    st->body.pull = NULL;
    if (nghttp2_submit_rst_stream(st->s->ng, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL) == 0)
        h2_wake(st->s);
}

void h2_stream_abandon(struct h2_stream *st)
{
    size_t n = st->unconsumed;

    st->ops = NULL;
    st->arg = NULL;
    h2_stream_consume(st, n);
    h2_stream_cancel(st);
}
