/*
 * wire/ws.h - WebSocket (RFC 6455): frame codec and handshake helpers, without I/O.
 *
 * Used by both ends of the agent link (through wire/link.h) and by attach/ws. Payload is never collected:
 * a frame of any size streams through in the pieces the transport delivers. Version 13, no extensions.
 *
 * Decoding is a loop over the bytes at hand; the payload is unmasked in place:
 *
 *     while (n > 0) {
 *         ssize_t used = ws_decode(&d, p, n, &ev, err);
 *         if (used < 0)
 *             -> send ws_close_encode(ws_decoder_close_code(&d)), drop the connection
 *         p += used, n -= used;
 *         switch (ev.kind) { WS_NONE: more bytes needed ... }
 *     }
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_WIRE_WS_H
#define SKL_WIRE_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/error.h"

#define WS_HEADER_MAX 14u
#define WS_CONTROL_MAX 125u                      /* payload of ping, pong, close */
#define WS_FRAME_MAX (UINT64_C(1) << 62)         /* no cap of our own */

enum ws_opcode {
    WS_OP_CONTINUATION = 0,
    WS_OP_TEXT = 1,
    WS_OP_BINARY = 2,
    WS_OP_CLOSE = 8,
    WS_OP_PING = 9,
    WS_OP_PONG = 10
};

/* Close codes (RFC 6455 7.4.1). */
enum {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_UNSUPPORTED = 1003,
    WS_CLOSE_NO_CODE = 1005,      /* never on the wire: the close frame had no code */
    WS_CLOSE_INVALID_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011
};

/* ---- decoding ---- */

enum ws_event_kind {
    WS_NONE,   /* all bytes were taken; nothing to report yet */
    WS_DATA,   /* a piece of a text or binary message; data/len (may be 0 at a message's end) */
    WS_PING,   /* data/len: answer with a pong of the same payload */
    WS_PONG,
    WS_CLOSE   /* close_code, data/len = reason (UTF-8). Answer with a close frame if none was sent. */
};

struct ws_event {
    enum ws_event_kind kind;
    uint8_t *data;       /* WS_DATA: inside the caller's p. Else: inside the decoder, until the next call */
    size_t len;
    bool text;           /* WS_DATA: of a text message */
    bool message_start;  /* WS_DATA: first piece of its message */
    bool message_end;    /* WS_DATA: last piece of its message */
    uint16_t close_code; /* WS_CLOSE; WS_CLOSE_NO_CODE when empty */
};

struct ws_decoder {
    bool expect_mask;        /* server role: client frames must be masked, and the reverse */
    bool check_utf8;         /* verify text messages (close 1007) */
    uint64_t frame_max;      /* larger frames: error with close code 1009 */
    /* private from here */
    uint8_t head[WS_HEADER_MAX];
    uint8_t head_len;
    uint8_t opcode;          /* of the current frame */
    bool fin;
    bool in_payload;
    bool in_message;         /* between a first fragment and the last */
    bool message_text;
    bool piece_first;        /* no piece of the current message was reported yet */
    bool closed;             /* a close frame was decoded: nothing may follow */
    uint8_t mask[4];
    uint64_t left;           /* payload bytes of the frame still to come */
    uint64_t offset;         /* payload bytes of the frame seen: mask position */
    uint8_t control[WS_CONTROL_MAX];
    uint32_t utf8_state;
    uint16_t error_code;
};

/* server: this end is the server (frames from the client are masked). frame_max 0: WS_FRAME_MAX. */
void ws_decoder_init(struct ws_decoder *d, bool server, bool check_utf8, uint64_t frame_max);
/* Takes bytes from p (writable: payload is unmasked in place) up to the next event; returns how many, or -1
 * on a protocol error. Returns 0 only for n == 0. After WS_CLOSE or an error it takes nothing more: -1. */
ssize_t ws_decode(struct ws_decoder *d, uint8_t *p, size_t n, struct ws_event *ev, struct skl_error *err);
/* The code for the close frame that answers a decode error. */
uint16_t ws_decoder_close_code(const struct ws_decoder *d);

/* ---- encoding ---- */

/* Writes a frame header; returns its length (2..WS_HEADER_MAX). mask NULL: not masked (server role). */
size_t ws_header_encode(uint8_t out[WS_HEADER_MAX], uint8_t opcode, bool fin, uint64_t payload_len,
                        const uint8_t mask[4]);
/* A fresh masking key from the kernel's random source (drawn in blocks). */
void ws_mask_new(uint8_t mask[4]);
/* XORs n bytes, the first of which is payload byte `offset` of the frame. */
void ws_mask(uint8_t *p, size_t n, const uint8_t mask[4], uint64_t offset);

/* Whole control frames into out; the length is returned. payload at most WS_CONTROL_MAX (cut). */
#define WS_CONTROL_FRAME_MAX (WS_HEADER_MAX + WS_CONTROL_MAX)
size_t ws_control_encode(uint8_t out[WS_CONTROL_FRAME_MAX], uint8_t opcode, const void *payload, size_t n,
                         bool masked);
/* reason may be NULL; it is cut at a character to fit. code WS_CLOSE_NO_CODE: an empty close frame. */
size_t ws_close_encode(uint8_t out[WS_CONTROL_FRAME_MAX], uint16_t code, const char *reason, bool masked);

/* ---- handshake ---- */

#define WS_KEY_SIZE 25     /* base64 of 16 bytes and a NUL */
#define WS_ACCEPT_SIZE 29  /* base64 of a SHA-1 and a NUL */
#define WS_HANDSHAKE_MAX (16u * 1024)

/* Server: what to check and to answer. The request must be a GET with "Upgrade: websocket" (any case, among
 * others), "Connection: upgrade" (among others), "Sec-WebSocket-Version: 13" (else 426 with that header) and a
 * valid key. Header values may be NULL. 0, or an HTTP status (400, 426) with err. */
int ws_server_check(const char *method, const char *connection, const char *upgrade, const char *version,
                    const char *key, struct skl_error *err);
/* The value of Sec-WebSocket-Accept. */
void ws_accept(const char *key, char out[WS_ACCEPT_SIZE]);

/* Client. */
void ws_key_new(char out[WS_KEY_SIZE]);
/* Appends the request. host: the Host header's value. headers: NULL-terminated "Name: value" lines, or NULL. */
int ws_client_request(struct buf *out, const char *host, const char *target, const char *key,
                      const char *const *headers);
/* Looks at the start of the response. 0: incomplete. > 0: accepted, the head's length; what follows is frames.
 * -1: refused or malformed: *ret_status is the HTTP status (0 when there is none). When the server refused
 * with a body, what has arrived of it is put into the message. */
ssize_t ws_client_response(const char *p, size_t n, const char *key, int *ret_status, struct skl_error *err);

#endif
