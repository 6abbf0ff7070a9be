/*
 * api/streams.h - the client's side of attach and exec: a hijacked connection with Docker's frames or raw bytes, stdin
 * with back-pressure, detach keys. Internal to core/api.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_STREAMS_H
#define SKL_API_STREAMS_H

#include "api/detach.h"
#include "http/server.h"
#include "wire/ws.h"

/* Content-Type by TTY, version and Upgrade (reference 2.3.3). */
const char *stream_content_type(bool tty, int version, bool upgrade);

struct client_stream_ops {
    bool (*on_stdin)(void *arg, const char *p, size_t n); /* false: full; client_stdin_resume() when there is room */
    void (*on_eof)(void *arg);      /* the client shut its side */
    void (*on_room)(void *arg);     /* output may go on */
    void (*on_detach)(void *arg);   /* the detach keys were typed; then on_gone does not follow */
    void (*on_gone)(void *arg);     /* the connection is dead; the stream is to be freed */
};

struct client_stream {
    struct http_stream *http;
    bool tty;
    bool has_stdin;
    struct detach detach;
    bool stdin_full;
    bool ws;                     /* attach/ws: messages instead of Docker's frames */
    uint8_t ws_opcode;           /* of messages to the client */
    struct ws_decoder decoder;
    const struct client_stream_ops *ops;
    void *arg;
};

/* Hijacks; the request is gone after it. has_stdin false: input is read and dropped. */
void client_stream_open(struct client_stream *s, struct http_req *req, int version, bool has_stdin);
/* The same over a WebSocket (reference 2.3.19): never multiplexed, binary from API 1.28 on, text before. 0, or the HTTP
 * status of the answer that refuses the handshake, with err. */
int client_stream_open_ws(struct client_stream *s, struct http_req *req, int version, bool has_stdin, struct skl_error *err);
void client_stdin_resume(struct client_stream *s);
/* One output record: a frame, or raw on a TTY. */
void client_stream_frame(struct client_stream *s, uint8_t stream, const void *p, size_t n);
/* A frame in pieces: the first one brings the whole length. */
void client_stream_piece(struct client_stream *s, uint8_t stream, uint32_t frame_len, bool first, const void *p, size_t n);
bool client_stream_writable(const struct client_stream *s);
void client_stream_close(struct client_stream *s); /* flush, FIN; on_gone does not follow */
void client_stream_abort(struct client_stream *s);

#endif
