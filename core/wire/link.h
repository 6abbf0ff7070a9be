/*
 * wire/link.h - the agent link without I/O: HTTP/2 in WebSocket binary messages, with pings.
 *
 * Begins after the WebSocket handshake. Both ends use it: the daemon (WebSocket server, HTTP/2 client) over a
 * hijacked connection, the agent (WebSocket client, HTTP/2 server) over its own socket. LINK_RAW leaves the WebSocket
 * out: plain HTTP/2 with prior knowledge on a byte stream, as `sockerless-agent --listen-unix` speaks it.
 *
 * Life: link_new; link_feed for what arrives; after each on_wake, each link_feed and each time the transport drained:
 *
 *     while (transport has room) {
 *         n = link_output(l, scratch, sizeof scratch, &p);
 *         if (n == 0) break;
 *         transport_write(p, n);
 *     }
 *     if (link_is_done(l)) close the transport;
 *
 * The scratch buffer may be shared by all links of a process: a link itself holds no output.
 * Pings: call link_tick when the timer it asked for fires. A peer that is silent for LINK_SILENCE_NS is gone.
 *
 * link_feed, link_output, link_close and link_free must not be called from inside the callbacks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_WIRE_LINK_H
#define SKL_WIRE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "wire/h2.h"

#define LINK_PING_NS (INT64_C(25) * 1000000000)         /* an HTTP/2 PING this long after the last */
#define LINK_SILENCE_NS (LINK_PING_NS * 5 / 2)          /* no byte for this long: the peer is gone */
#define LINK_SCRATCH_SIZE (256u * 1024 + 1024)          /* a good size for link_output's buffer */
/* Both ends' window on a stream. What a sender keeps until it is acknowledged must be at least that much: window updates,
 * which are the acknowledgements, come when half of it was consumed. */
#define LINK_STREAM_WINDOW (1024u * 1024)
#define LINK_PATH "/v1/agent"                           /* of the daemon's endpoint; ?container=ID */

enum link_role {
    LINK_DAEMON,     /* WebSocket server, HTTP/2 client */
    LINK_AGENT       /* WebSocket client, HTTP/2 server */
};

struct link_opts {
    enum link_role role;
    bool raw;                /* no WebSocket */
    uint32_t stream_window;  /* as in h2_opts */
    uint32_t max_streams;
    int64_t ping_ns;         /* 0: LINK_PING_NS. Tests make it short. */
};

struct link;

/* ops and arg are the HTTP/2 session's (wire/h2.h); on_wake: call link_output soon. */
struct link *link_new(const struct link_opts *opts, const struct h2_ops *ops, void *arg);
void link_free(struct link *l);                   /* closes first */
struct h2 *link_h2(struct link *l);

/* Takes all n bytes. p is overwritten (unmasked in place), so it must be writable memory. now: monotonic ns.
 * -1: protocol error or the peer closed in order (SKL_ERR_UNAVAILABLE, detail = WebSocket close code): flush
 * link_output, then drop the connection and link_close(l, err). */
int link_feed(struct link *l, void *p, size_t n, int64_t now, struct skl_error *err);
/* Puts output into scratch (n >= 8 KiB); returns its length and where it starts. 0: nothing to send now. */
size_t link_output(struct link *l, uint8_t *scratch, size_t n, const uint8_t **ret_p);
bool link_wants_output(const struct link *l);

/* Sends a ping when due. Returns when to call again (monotonic ns), or -1: the peer has been silent too long; err says
 * so, drop the connection. */
int64_t link_tick(struct link *l, int64_t now, struct skl_error *err);

/* Orderly end: GOAWAY with `why`; when the streams that are open have ended, a WebSocket close frame with close_code
 * (WS_CLOSE_*). link_is_done turns true when all of it was put out. */
void link_shutdown(struct link *l, uint16_t close_code, const char *why);
/* The same without waiting for the streams: the close frame is the next thing put out. A container is released by
 * its daemon with WS_CLOSE_NORMAL. */
void link_hangup(struct link *l, uint16_t close_code, const char *why);
bool link_is_done(const struct link *l);
/* The connection is gone: closes all streams with err. */
void link_close(struct link *l, const struct skl_error *err);

#endif
