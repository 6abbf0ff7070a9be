/*
 * WebSocket: the examples of RFC 6455, every split point, what must be refused, round trips, the handshake.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire/ws.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "tests/unit/harness.h"

/* Everything a run of the decoder reported, in a form that can be compared: "T[Hello]." and the like. */
struct trace {
    struct buf text;
    bool failed;
};

static void trace_event(struct trace *t, const struct ws_event *ev)
{
    switch (ev->kind) {
    case WS_DATA:
        if (ev->message_start)
            buf_puts(&t->text, ev->text ? "T[" : "B[");
        buf_append(&t->text, ev->data, ev->len);
        if (ev->message_end)
            buf_puts(&t->text, "]");
        break;
    case WS_PING:
    case WS_PONG:
        buf_printf(&t->text, "%s(%.*s)", ev->kind == WS_PING ? "ping" : "pong", (int)ev->len, (char *)ev->data);
        break;
    case WS_CLOSE:
        buf_printf(&t->text, "close(%u %.*s)", ev->close_code, (int)ev->len, (char *)ev->data);
        break;
    case WS_NONE:
        break;
    }
}

/* Decodes n bytes in pieces of `step`, beginning with one of `first`. */
static void decode(struct trace *t, struct ws_decoder *d, const uint8_t *p, size_t n, size_t first, size_t step)
{
    size_t at = 0;

    buf_init(&t->text, 1 << 20);
    t->failed = false;
    while (at < n && !t->failed) {
        size_t piece = at == 0 && first > 0 ? first : step;
        uint8_t *copy, *q;
        if (piece > n - at)
            piece = n - at;
        copy = q = xmemdup(p + at, piece);
        at += piece;
        while (piece > 0) {
            struct ws_event ev;
            ssize_t used = ws_decode(d, q, piece, &ev, NULL);
            if (used < 0) {
                t->failed = true;
                break;
            }
            trace_event(t, &ev);
            q += used;
            piece -= (size_t)used;
        }
        free(copy);
    }
}

static void check(bool server, const void *bytes, size_t n, const char *want)
{
    for (size_t split = 0; split <= n; split++) {
        struct ws_decoder d;
        struct trace t;
        ws_decoder_init(&d, server, true, 0);
        decode(&t, &d, bytes, n, split, split == 0 ? 1 : n);
        if (want == NULL) {
            CU_ASSERT_TRUE(t.failed);
        } else {
            UNIT_STR_EQ(buf_str(&t.text), want);
        }
        buf_fini(&t.text);
    }
}
#define CHECK(server, bytes, want) check(server, bytes, sizeof(bytes) - 1, want)

static void test_rfc_examples(void)
{
    CHECK(false, "\x81\x05Hello", "T[Hello]");
    CHECK(true, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "T[Hello]");
    CHECK(false, "\x01\x03Hel\x80\x02lo", "T[Hello]");
    CHECK(false, "\x89\x05Hello", "ping(Hello)");
    CHECK(true, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "pong(Hello)");
}

static void test_control_inside_message(void)
{
    CHECK(false, "\x02\x02" "ab\x89\x00\x00\x01" "c\x8a\x01x\x80\x00", "B[abping()cpong(x)]");
    CHECK(false, "\x82\x00\x82\x01z", "B[]B[z]");
}

static void test_close(void)
{
    CHECK(false, "\x88\x00", "close(1005 )");
    CHECK(false, "\x88\x02\x03\xe8", "close(1000 )");
    CHECK(false, "\x88\x05\x03\xe9" "bye", "close(1001 bye)");
    CHECK(false, "\x88\x01\x03", NULL);
    CHECK(false, "\x88\x02\x03\xed", NULL);         /* 1005 is never on the wire */
    CHECK(false, "\x88\x02\x00\x10", NULL);
    CHECK(false, "\x88\x03\x03\xe8\xff", NULL);     /* reason is not UTF-8 */
    CHECK(false, "\x88\x00\x89\x00", NULL);         /* a frame after the close */
}

static void test_refuses(void)
{
    CHECK(true, "\x81\x05Hello", NULL);             /* client frame without mask */
    CHECK(false, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", NULL);
    CHECK(false, "\xc1\x00", NULL);                 /* reserved bits */
    CHECK(false, "\x83\x00", NULL);                 /* unknown opcodes */
    CHECK(false, "\x8b\x00", NULL);
    CHECK(false, "\x80\x00", NULL);                 /* continuation of nothing */
    CHECK(false, "\x01\x01" "a\x01\x01" "b", NULL); /* message in a message */
    CHECK(false, "\x09\x00", NULL);                 /* fragmented ping */
    CHECK(false, "\x89\x7e\x00\x7e", NULL);         /* long ping */
    CHECK(false, "\x82\x7e\x00\x7d", NULL);         /* lengths not in shortest form */
    CHECK(false, "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", NULL);
    CHECK(false, "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", NULL);
}

static void test_utf8(void)
{
    CHECK(false, "\x81\x04\xf0\x9f\x90\xb3", "T[\xf0\x9f\x90\xb3]");
    CHECK(false, "\x01\x02\xf0\x9f\x80\x02\x90\xb3", "T[\xf0\x9f\x90\xb3]"); /* split inside a character */
    CHECK(false, "\x81\x01\xc3", NULL);             /* cut short */
    CHECK(false, "\x81\x02\xc0\xaf", NULL);         /* overlong */
    CHECK(false, "\x81\x03\xe0\x80\xaf", NULL);
    CHECK(false, "\x81\x03\xed\xa0\x80", NULL);     /* surrogate */
    CHECK(false, "\x81\x04\xf4\x90\x80\x80", NULL); /* beyond U+10FFFF */
    CHECK(false, "\x82\x01\xff", "B[\xff]");        /* binary may be anything */
}

static void test_frame_max(void)
{
    uint8_t ok[] = {0x82, 0x02, 'a', 'b'}, big[] = {0x82, 0x03, 'a', 'b', 'c'};
    struct ws_decoder d;
    struct ws_event ev;

    ws_decoder_init(&d, false, false, 2);
    UNIT_INT_EQ(ws_decode(&d, ok, sizeof(ok), &ev, NULL), 4);
    UNIT_INT_EQ(ws_decode(&d, big, sizeof(big), &ev, NULL), -1);
    UNIT_INT_EQ(ws_decoder_close_code(&d), WS_CLOSE_TOO_BIG);
}

static void round_trip(size_t len, bool masked)
{
    uint8_t head[WS_HEADER_MAX], mask[4] = {0xa1, 0, 0x7f, 0x55};
    size_t hn = ws_header_encode(head, WS_OP_BINARY, true, len, masked ? mask : NULL);
    uint8_t *frame = xmalloc(hn + len + 1), *want = xmalloc(len + 1);
    struct ws_decoder d;
    struct trace t;

    for (size_t i = 0; i < len; i++)
        want[i] = frame[hn + i] = (uint8_t)(i * 7 + 3);
    memcpy(frame, head, hn);
    if (masked)
        ws_mask(frame + hn, len, mask, 0);
    ws_decoder_init(&d, masked, false, 0);
    decode(&t, &d, frame, hn + len, 0, 97);
    CU_ASSERT_FALSE(t.failed);
    UNIT_INT_EQ(t.text.len, len + 3);
    CU_ASSERT_TRUE(t.text.len == len + 3 && memcmp(t.text.data + 2, want, len) == 0);
    buf_fini(&t.text);
    free(frame);
    free(want);
}

static void test_round_trip(void)
{
    static const size_t lens[] = {0, 1, 7, 31, 32, 33, 125, 126, 127, 65535, 65536, 300000};

    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        round_trip(lens[i], false);
        round_trip(lens[i], true);
    }
}

/* Masking in pieces at any offset is masking at once. */
static void test_mask_offsets(void)
{
    uint8_t a[200], b[200], mask[4] = {1, 2, 3, 4};

    for (size_t cut = 0; cut <= sizeof(a); cut++) {
        for (size_t i = 0; i < sizeof(a); i++)
            a[i] = b[i] = (uint8_t)(i * 31);
        for (size_t i = 0; i < sizeof(a); i++)
            a[i] ^= mask[i & 3];
        ws_mask(b, cut, mask, 0);
        ws_mask(b + cut, sizeof(b) - cut, mask, cut);
        CU_ASSERT_EQUAL(memcmp(a, b, sizeof(a)), 0);
    }
}

static void test_close_encode_cuts_at_character(void)
{
    uint8_t out[WS_CONTROL_FRAME_MAX];
    char reason[200] = "";
    size_t n;

    for (size_t i = 0; i < 63; i++)
        memcpy(reason + 2 * i, "\xc3\xa9", 3); /* 126 bytes of e-acute */
    n = ws_close_encode(out, WS_CLOSE_NORMAL, reason, false);
    UNIT_INT_EQ(n, 2 + 2 + 122);
    UNIT_INT_EQ(ws_close_encode(out, WS_CLOSE_NO_CODE, NULL, false), 2);
    UNIT_INT_EQ(ws_close_encode(out, WS_CLOSE_NORMAL, NULL, true), 2 + 4 + 2);
}

/* ---- handshake ---- */

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define OK_HEAD "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
                "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n"

static void test_accept(void)
{
    char out[WS_ACCEPT_SIZE], key[WS_KEY_SIZE];

    ws_accept(KEY, out);
    UNIT_STR_EQ(out, ACCEPT);
    ws_key_new(key);
    UNIT_INT_EQ(ws_server_check("GET", "keep-alive, Upgrade", "WebSocket", "13", key, NULL), 0);
}

static void test_server_check(void)
{
    UNIT_INT_EQ(ws_server_check("POST", "Upgrade", "websocket", "13", KEY, NULL), 400);
    UNIT_INT_EQ(ws_server_check("GET", "close", "websocket", "13", KEY, NULL), 400);
    UNIT_INT_EQ(ws_server_check("GET", NULL, NULL, NULL, NULL, NULL), 400);
    UNIT_INT_EQ(ws_server_check("GET", "Upgrade", "tcp", "13", KEY, NULL), 400);
    UNIT_INT_EQ(ws_server_check("GET", "Upgrade", "websocket", "8", KEY, NULL), 426);
    UNIT_INT_EQ(ws_server_check("GET", "Upgrade", "websocket", "13", "dGhl", NULL), 400);
    UNIT_INT_EQ(ws_server_check("GET", "Upgrade", "websocket", "13", "dGhlIHNhbXBsZSBub25jZS==", NULL), 0);
}

static ssize_t respond(const char *text, int *status)
{
    return ws_client_response(text, strlen(text), KEY, status, NULL);
}

static void test_client_response(void)
{
    const char *text = OK_HEAD "\x81\x05Hello";
    int status;

    for (size_t n = 0; n < strlen(OK_HEAD); n++)
        UNIT_INT_EQ(ws_client_response(text, n, KEY, &status, NULL), 0);
    UNIT_INT_EQ(respond(text, &status), strlen(OK_HEAD));
    UNIT_INT_EQ(status, 101);
    UNIT_INT_EQ(ws_client_response(text, strlen(text), "AAAAAAAAAAAAAAAAAAAAAA==", &status, NULL), -1);
}

static void test_client_refusals(void)
{
    struct skl_error err = {0};
    const char *text = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nbad token";
    int status;

    UNIT_INT_EQ(ws_client_response(text, strlen(text), KEY, &status, &err), -1);
    UNIT_INT_EQ(status, 401);
    UNIT_STR_EQ(err.message, "HTTP status 401 instead of 101: bad token");
    UNIT_INT_EQ(respond("SSH-2.0-OpenSSH\r\n\r\n", &status), -1);
    UNIT_INT_EQ(status, 0);
    UNIT_INT_EQ(respond("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", &status), -1);
    UNIT_INT_EQ(respond("HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", &status), -1);
    UNIT_INT_EQ(respond("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
                        &status), -1);
    UNIT_INT_EQ(respond("HTTP/1.1 1x1 X\r\n\r\n", &status), -1);
    UNIT_INT_EQ(respond("HTTP/1.1 101 X\r\nno colon\r\n\r\n", &status), -1);
}

UNIT_MAIN("wire_ws", UNIT(test_rfc_examples), UNIT(test_control_inside_message), UNIT(test_close),
          UNIT(test_refuses), UNIT(test_utf8), UNIT(test_frame_max), UNIT(test_round_trip),
          UNIT(test_mask_offsets), UNIT(test_close_encode_cuts_at_character), UNIT(test_accept),
          UNIT(test_server_check), UNIT(test_client_response), UNIT(test_client_refusals))
