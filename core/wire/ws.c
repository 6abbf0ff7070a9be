/*
 * wire/ws.c - WebSocket frames. The handshake is in ws_handshake.c.
 *
 * The decoder is a small state machine over two states: collecting a frame header (2 to 14 bytes, held in
 * `head`), and passing payload through. Control frames are at most 125 bytes and may arrive in pieces, so their
 * payload alone is collected. All checks of RFC 6455 5.2 to 5.6 are made as soon as the bytes they concern are
 * there: a bad frame is refused before its payload.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/ws.h"
#include <endian.h>
#include <string.h>
#include "base/id.h"
#include "base/str.h"

void ws_decoder_init(struct ws_decoder *d, bool server, bool check_utf8, uint64_t frame_max)
{
    memset(d, 0, sizeof(*d));
    d->expect_mask = server;
    d->check_utf8 = check_utf8;
    d->frame_max = frame_max != 0 ? frame_max : WS_FRAME_MAX;
    d->error_code = WS_CLOSE_PROTOCOL;
}

uint16_t ws_decoder_close_code(const struct ws_decoder *d)
{
    return d->error_code;
}

static bool is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}

static int fail(struct ws_decoder *d, uint16_t code, struct skl_error *err, const char *why)
{
    d->error_code = code;
    d->closed = true;
    return error_set(err, SKL_ERR_INVALID, "websocket: %s", why);
}

/* The header's length as far as its first bytes tell. */
static size_t head_need(const struct ws_decoder *d)
{
    size_t need = 2;

    if (d->head_len < 2)
        return need;
    if ((d->head[1] & 0x7f) == 126)
        need += 2;
    else if ((d->head[1] & 0x7f) == 127)
        need += 8;
    return need + (d->head[1] & 0x80 ? 4 : 0);
}

/* Rules that the first two bytes decide. */
static int check_head(struct ws_decoder *d, struct skl_error *err)
{
    uint8_t opcode = d->head[0] & 0x0f;
    bool fin = (d->head[0] & 0x80) != 0;

    if ((d->head[0] & 0x70) != 0)
        return fail(d, WS_CLOSE_PROTOCOL, err, "reserved bits are set");
    if ((opcode > WS_OP_BINARY && opcode < WS_OP_CLOSE) || opcode > WS_OP_PONG)
        return fail(d, WS_CLOSE_PROTOCOL, err, "unknown opcode");
    if (((d->head[1] & 0x80) != 0) != d->expect_mask)
        return fail(d, WS_CLOSE_PROTOCOL, err, d->expect_mask ? "frame is not masked" : "frame is masked");
    if (is_control(opcode) && (!fin || (d->head[1] & 0x7f) > WS_CONTROL_MAX))
        return fail(d, WS_CLOSE_PROTOCOL, err, "control frame is fragmented or too long");
    if (opcode == WS_OP_CONTINUATION && !d->in_message)
        return fail(d, WS_CLOSE_PROTOCOL, err, "continuation of nothing");
    if ((opcode == WS_OP_TEXT || opcode == WS_OP_BINARY) && d->in_message)
        return fail(d, WS_CLOSE_PROTOCOL, err, "new message inside a fragmented one");
    return 0;
}

static uint64_t head_payload_len(const struct ws_decoder *d)
{
    uint8_t n = d->head[1] & 0x7f;
    uint64_t v64;
    uint16_t v16;

    if (n < 126)
        return n;
    if (n == 126) {
        memcpy(&v16, d->head + 2, sizeof(v16));
        return be16toh(v16);
    }
    memcpy(&v64, d->head + 2, sizeof(v64));
    return be64toh(v64);
}

/* The header is complete: lengths are known. */
static int begin_frame(struct ws_decoder *d, struct skl_error *err)
{
    uint64_t len = head_payload_len(d);
    uint8_t form = d->head[1] & 0x7f;

    if ((form == 126 && len < 126) || (form == 127 && len <= 0xffff))
        return fail(d, WS_CLOSE_PROTOCOL, err, "length is not in its shortest form");
    if (len > INT64_MAX)
        return fail(d, WS_CLOSE_PROTOCOL, err, "length has its top bit set");
    if (len > d->frame_max)
        return fail(d, WS_CLOSE_TOO_BIG, err, "frame is too large");
    d->opcode = d->head[0] & 0x0f;
    d->fin = (d->head[0] & 0x80) != 0;
    if (d->expect_mask)
        memcpy(d->mask, d->head + head_need(d) - 4, 4);
    d->left = len;
    d->offset = 0;
    d->in_payload = true;
    if (d->opcode == WS_OP_TEXT || d->opcode == WS_OP_BINARY) {
        d->message_text = d->opcode == WS_OP_TEXT;
        d->in_message = true;
        d->piece_first = true;
        d->utf8_state = 0;
    }
    return 0;
}

/* Collects header bytes. Returns how many were taken, or -1. */
static ssize_t take_head(struct ws_decoder *d, const uint8_t *p, size_t n, struct skl_error *err)
{
    size_t used = 0;

    while (used < n) {
        d->head[d->head_len++] = p[used++];
        if (d->head_len == 2 && check_head(d, err) < 0)
            return -1;
        if (d->head_len >= 2 && d->head_len == head_need(d)) {
            if (begin_frame(d, err) < 0)
                return -1;
            d->head_len = 0;
            break;
        }
    }
    return (ssize_t)used;
}

/*
 * Incremental UTF-8 check. state: bits 0-1 continuation bytes still to come; bits 8-15 and 16-23: the range the next
 * byte must be in (0: 80..BF). Returns false at the first byte that can't be.
 */
static bool utf8_feed(uint32_t *state, const uint8_t *p, size_t n)
{
    uint32_t more = *state & 3, lo = *state >> 8 & 0xff, hi = *state >> 16 & 0xff;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = p[i];
        if (more > 0) {
            if (c < (lo ? lo : 0x80) || c > (hi ? hi : 0xbf))
                return false;
            more--;
            lo = hi = 0;
        } else if (c >= 0x80) {
            if (c < 0xc2 || c > 0xf4)
                return false;
            more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
            lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0;
            hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0;
        }
    }
    *state = more | lo << 8 | hi << 16;
    return true;
}

static int end_close(struct ws_decoder *d, struct ws_event *ev, struct skl_error *err)
{
    uint16_t code = WS_CLOSE_NO_CODE;

    if (d->offset == 1)
        return fail(d, WS_CLOSE_PROTOCOL, err, "close frame of one byte");
    ev->data = d->control;
    ev->len = 0;
    if (d->offset >= 2) {
        code = (uint16_t)(d->control[0] << 8 | d->control[1]);
        if (code < 1000 || (code > 1003 && code < 1007) || (code > 1014 && code < 3000) || code > 4999)
            return fail(d, WS_CLOSE_PROTOCOL, err, "invalid close code");
        ev->data = d->control + 2;
        ev->len = (size_t)d->offset - 2;
        if (!utf8_valid((const char *)ev->data, ev->len))
            return fail(d, WS_CLOSE_INVALID_DATA, err, "close reason is not UTF-8");
    }
    ev->kind = WS_CLOSE;
    ev->close_code = code;
    d->closed = true;
    return 0;
}

static int take_control(struct ws_decoder *d, const uint8_t *p, size_t n, struct ws_event *ev, struct skl_error *err)
{
    memcpy(d->control + d->offset, p, n);
    if (d->expect_mask)
        ws_mask(d->control + d->offset, n, d->mask, d->offset);
    d->offset += n;
    d->left -= n;
    if (d->left > 0)
        return 0;
    d->in_payload = false;
    if (d->opcode == WS_OP_CLOSE)
        return end_close(d, ev, err);
    ev->kind = d->opcode == WS_OP_PING ? WS_PING : WS_PONG;
    ev->data = d->control;
    ev->len = (size_t)d->offset;
    return 0;
}

static int take_data(struct ws_decoder *d, uint8_t *p, size_t n, struct ws_event *ev, struct skl_error *err)
{
    bool message_end;

    if (d->expect_mask)
        ws_mask(p, n, d->mask, d->offset);
    d->offset += n;
    d->left -= n;
    message_end = d->left == 0 && d->fin;
    if (d->message_text && d->check_utf8) {
        if (!utf8_feed(&d->utf8_state, p, n) || (message_end && (d->utf8_state & 3) != 0))
            return fail(d, WS_CLOSE_INVALID_DATA, err, "text is not UTF-8");
    }
    if (d->left == 0)
        d->in_payload = false;
    if (n == 0 && !message_end)
        return 0; /* an empty fragment */
    ev->kind = WS_DATA;
    ev->data = p;
    ev->len = n;
    ev->text = d->message_text;
    ev->message_start = d->piece_first;
    ev->message_end = message_end;
    d->piece_first = false;
    if (message_end)
        d->in_message = false;
    return 0;
}

ssize_t ws_decode(struct ws_decoder *d, uint8_t *p, size_t n, struct ws_event *ev, struct skl_error *err)
{
    ssize_t used = 0;
    size_t piece;
    int rc;

    memset(ev, 0, sizeof(*ev));
    if (d->closed)
        return error_set(err, SKL_ERR_INVALID, "websocket: bytes after the close frame");
    if (!d->in_payload) {
        used = take_head(d, p, n, err);
        if (used < 0 || !d->in_payload)
            return used;
    }
    piece = n - (size_t)used;
    if (piece > d->left)
        piece = (size_t)d->left;
    if (piece == 0 && d->left > 0)
        return used;
    if (is_control(d->opcode))
        rc = take_control(d, p + used, piece, ev, err);
    else
        rc = take_data(d, p + used, piece, ev, err);
    return rc < 0 ? -1 : used + (ssize_t)piece;
}

size_t ws_header_encode(uint8_t out[WS_HEADER_MAX], uint8_t opcode, bool fin, uint64_t payload_len,
                        const uint8_t mask[4])
{
    uint8_t mask_bit = mask != NULL ? 0x80 : 0;
    size_t n = 2;

    out[0] = (uint8_t)((fin ? 0x80 : 0) | opcode);
    if (payload_len < 126) {
        out[1] = (uint8_t)(mask_bit | payload_len);
    } else if (payload_len <= 0xffff) {
        uint16_t v = htobe16((uint16_t)payload_len);
        out[1] = mask_bit | 126;
        memcpy(out + 2, &v, sizeof(v));
        n += sizeof(v);
    } else {
        uint64_t v = htobe64(payload_len);
        out[1] = mask_bit | 127;
        memcpy(out + 2, &v, sizeof(v));
        n += sizeof(v);
    }
    if (mask != NULL) {
        memcpy(out + n, mask, 4);
        n += 4;
    }
    return n;
}

/* Keys are drawn from the kernel in blocks: a system call per frame would show in the throughput. */
void ws_mask_new(uint8_t mask[4])
{
    static uint8_t pool[256];
    static size_t left;

    if (left < 4) {
        random_bytes(pool, sizeof(pool));
        left = sizeof(pool);
    }
    left -= 4;
    memcpy(mask, pool + left, 4);
    memset(pool + left, 0, 4);
}

void ws_mask(uint8_t *p, size_t n, const uint8_t mask[4], uint64_t offset)
{
    uint8_t key[8];
    uint64_t wide, v;
    size_t i = 0;

    for (unsigned k = 0; k < 8; k++)
        key[k] = mask[(offset + k) & 3];
    memcpy(&wide, key, sizeof(wide));
    /* Four words a turn: the compiler makes vectors of them. */
    for (; i + 32 <= n; i += 32) {
        for (unsigned w = 0; w < 4; w++) {
            memcpy(&v, p + i + w * 8, sizeof(v));
            v ^= wide;
            memcpy(p + i + w * 8, &v, sizeof(v));
        }
    }
    for (; i < n; i++)
        p[i] ^= key[i & 7];
}

size_t ws_control_encode(uint8_t out[WS_CONTROL_FRAME_MAX], uint8_t opcode, const void *payload, size_t n, bool masked)
{
    uint8_t mask[4];
    size_t head;

    if (n > WS_CONTROL_MAX)
        n = WS_CONTROL_MAX;
    if (masked)
        ws_mask_new(mask);
    head = ws_header_encode(out, opcode, true, n, masked ? mask : NULL);
    if (n > 0)
        memcpy(out + head, payload, n);
    if (masked)
        ws_mask(out + head, n, mask, 0);
    return head + n;
}

size_t ws_close_encode(uint8_t out[WS_CONTROL_FRAME_MAX], uint16_t code, const char *reason, bool masked)
{
    uint8_t payload[WS_CONTROL_MAX];
    size_t n = 0;

    if (code != WS_CLOSE_NO_CODE) {
        size_t len = reason != NULL ? strlen(reason) : 0;
        payload[0] = (uint8_t)(code >> 8);
        payload[1] = (uint8_t)code;
        if (len > sizeof(payload) - 2) {
            len = sizeof(payload) - 2;
            while (len > 0 && ((uint8_t)reason[len] & 0xc0) == 0x80)
                len--;
        }
        if (len > 0)
            memcpy(payload + 2, reason, len);
        n = len + 2;
    }
    return ws_control_encode(out, WS_OP_CLOSE, payload, n, masked);
}
