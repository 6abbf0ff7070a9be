/*
 * http/http-internal.h - what the files of core/http share. The map:
 *
 *   listen.c    listening sockets, accepting                 server.c    the server object, timeouts
 *   conn.c      a connection's life, one turn of its work    sock.c      bytes in and out: plain or TLS (tls.c)
 *   input.c     from bytes to heads, bodies, stream input    output.c    the output queue
 *   request.c   accessors of a request                       body.c      reading request bodies
 *   response.c  responses                                    stream.c    hijacked connections
 *   guard.c, parser.c   what a head or a chunked body is     route.c     patterns      queue.c, blocks.c  byte queues
 *
 * Connections are not bufferevents: measured on a trivial handler, those cost 40 % of the requests per second.
 * A connection has one edge-triggered event for input that is registered once and never changed, and one for
 * output that exists while the socket is full. Not reading is how input is paused, at no system call; the edge of
 * a hang-up is still seen then, which is how a client that goes away is noticed while a handler works.
 *
 * Everything a connection does happens in conn_turn() (conn.c): on an event, or "soon" after an API call asked for
 * it. API calls only change state, and at most write to the socket; no user callback runs inside them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_HTTP_INTERNAL_H
#define SKL_HTTP_INTERNAL_H

#include <netinet/in.h>
#include <sys/uio.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include "base/list.h"
#include "base/mem.h"
#include "http/blocks.h"
#include "http/guard.h"
#include "http/parser.h"
#include "http/queue.h"
#include "http/server.h"

#define HTTP_INPUT_SIZE (64u * 1024)  /* the server's read buffer, shared by all connections */
#define HTTP_TURN_READS 16            /* reads of one connection before others get their turn */
#define HTTP_ACCEPTS 64               /* likewise for a listener */
#define HTTP_COPY_MAX (16u * 1024)    /* bodies up to this are copied behind their head: one send */
#define HTTP_FLUSH_SIZE (16u * 1024)  /* small writes are collected up to this, at most for this turn */
#define HTTP_DIRECT_MIN 4096u         /* writes from this size go to the socket without a copy */
#define HTTP_MAX_CONNECTIONS 65536u
#define HTTP_ACCEPT_RETRY_NS (INT64_C(100) * 1000000) /* after EMFILE and the like */
#define HTTP_LINGER_NS (INT64_C(2) * 1000000000)     /* reading the rest of a client before a close */
#define HTTP_SWEEP_NS (INT64_C(1) * 1000000000)      /* how often timeouts are looked at */
#define HTTP_HEAD_UNREAD_NS (INT64_C(250) * 1000000)  /* longest wait for a unix client to read a hijack's head */
#define HTTP_HEAD_APART_NS (INT64_C(2) * 1000000)     /* on TCP, where one can't see it */

struct ssl_st;

/* ---- server ---- */

/* A connection waits for at most one of these; each list is in the order of deadlines, since all waits of one kind
 * are equally long. */
enum http_wait { HTTP_WAIT_NONE, HTTP_WAIT_IDLE, HTTP_WAIT_HEAD, HTTP_WAIT_LINGER, HTTP_WAITS };

struct http_server {
    struct loop *loop;
    struct http_server_opts opts;
    char *default_block; /* default headers, ready for the wire */
    struct list listeners;
    struct list conns;
    struct list waits[HTTP_WAITS];
    struct timer sweep;
    struct timer accept_retry;
    size_t n_conns;
    size_t refs;         /* connection objects, and one for the user */
    bool stopping, paused;
    char *input;         /* HTTP_INPUT_SIZE; used inside one read only */
    struct buf head;     /* response heads are put together here; used inside one call only */
    int64_t date_s;      /* second for which date was made */
    char date[48];       /* "Date: ...\r\n" */
};

void server_unref(struct http_server *s);
const char *server_date(struct http_server *s);

struct http_listener {
    struct list link;
    struct http_server *server;
    struct event *ev;
    int fd;
    bool is_unix;
    struct ssl_ctx_st *tls;
    char *path;          /* of a unix socket that is ours to unlink */
    uint64_t dev, ino;
};
void listeners_pause(struct http_server *s, bool pause);
void listener_free(struct http_listener *l);

/* ---- connection ---- */

/* Who takes the input. */
enum http_sink {
    HTTP_SINK_HEAD,      /* the next request's head is awaited */
    HTTP_SINK_NONE,      /* a handler works and has not asked for the body */
    HTTP_SINK_READER,    /* a handler reads the body */
    HTTP_SINK_DISCARD,   /* thrown away: a body nobody read, or the rest before a close */
    HTTP_SINK_STREAM     /* hijacked */
};
/* How the input is framed from here on. */
enum http_framing {
    HTTP_FRAME_DONE,     /* the message is complete */
    HTTP_FRAME_LENGTH,
    HTTP_FRAME_CHUNKED,
    HTTP_FRAME_SNIFF,    /* raw, but for the last chunk of an empty chunked body that may come first (stream.c) */
    HTTP_FRAME_RAW
};

struct http_stream {
    struct http_conn *conn;
    struct http_stream_ops ops;
    void *arg;
    bool open;           /* between hijack and close */
    bool reading;
    bool eof_told, gone_told;
};

struct http_conn {
    struct list link;      /* in server->conns */
    struct list wait_link; /* in server->waits[wait] */
    int64_t wait_until;
    struct http_server *server;
    struct http_req *req;
    struct http_stream stream;
    struct event ev_in, ev_out;
    struct soon work;
    struct timer apart;    /* only around a hijack's head */
    int64_t apart_until;
    struct ssl_st *ssl;
    struct http_queue held; /* input read and not used yet */
    struct http_blocks out;
    struct http_chunked *chunked;
    int64_t body_left;     /* HTTP_FRAME_LENGTH: bytes to come */
    size_t discard_left;   /* HTTP_SINK_DISCARD in a body: bytes still tolerated */
    size_t head_scan;      /* held bytes that http_guard_find_end has seen */
    int fd;
    bool in_turn;
    enum http_sink sink;
    enum http_framing framing;
    enum http_wait wait;
    bool is_unix;
    bool readable;         /* the socket may have input (edge-triggered: our memory of it) */
    bool fin_seen;         /* the edge told of the peer's end: behind what there is to read comes the end */
    bool starved;          /* held input is not enough to go on */
    bool eof;              /* the client's end of input was read */
    bool left;             /* TCP: the client ended its side while a handler waits that wants to know */
    bool broken;           /* the request's framing is: no further request, no further body */
    bool blocked;          /* the socket takes no output now */
    bool closing;          /* close once output is flushed */
    bool fin_wanted, fin_sent;
    bool lingers;          /* read the client's rest before the close */
    bool closed;           /* fd is closed; the object lives while someone owns it */
    bool again;            /* another round of this turn */
    bool above;            /* pending output was above HTTP_WRITE_LOW: on_drain is due when it falls */
    bool apart_armed;      /* output is held until the hijack's head is read */
    char *peer;            /* made when first asked for */
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } addr;
};

/* Takes fd and ssl. */
void conn_start(struct http_server *s, int fd, bool is_unix, const struct sockaddr *sa, struct ssl_st *ssl);
void conn_schedule(struct http_conn *c);       /* a turn, soon */
void conn_close(struct http_conn *c);          /* at once; owners are told in the next turn */
void conn_turn(struct http_conn *c);           /* one turn, now: not from inside one of its callbacks */
void conn_release(struct http_conn *c);        /* frees it if nothing holds it any more */
void conn_wait(struct http_conn *c, enum http_wait kind);
void conn_close_after_flush(struct http_conn *c, bool linger);
void conn_timed_out(struct http_conn *c);

/* ---- bytes ---- */

/* > 0 bytes, 0 end of input, -EAGAIN, or another -errno: the connection is dead. */
ssize_t sock_read(struct http_conn *c, void *p, size_t n);
ssize_t sock_writev(struct http_conn *c, struct iovec *iov, int n); /* >= 0, -EAGAIN, -errno */
void sock_fin(struct http_conn *c);
/* Asks the kernel. *ret_rdhup: the peer ended its side (data may come before it). */
bool sock_hung_up(struct http_conn *c, bool *ret_rdhup);

struct ssl_st *tls_conn_new(struct ssl_ctx_st *ctx, int fd);
void tls_conn_free(struct ssl_st *ssl);
ssize_t tls_read(struct http_conn *c, void *p, size_t n);
ssize_t tls_write(struct http_conn *c, const void *p, size_t n);
void tls_fin(struct http_conn *c);
bool tls_has_input(const struct http_conn *c);

void input_pump(struct http_conn *c);

/* Sends what it can now if nothing waits, queues the rest. */
void out_send(struct http_conn *c, struct iovec *iov, int n);
/* Queues small pieces; they are sent at the end of this turn. */
void out_write(struct http_conn *c, struct iovec *iov, int n);
void out_flush(struct http_conn *c);

/* ---- exchange ---- */

struct http_query {
    char *name, *value;
};

struct http_req {
    struct http_conn *conn;
    struct http_head head;
    char *path;            /* raw */
    const char *query;
    struct http_query *params; /* parsed when first asked for */
    size_t n_params;
    bool params_parsed;
    void *user;
    void (*on_gone)(void *arg);
    void *on_gone_arg;
    void (*on_drain)(void *arg);
    void *on_drain_arg;
    const struct http_body_reader *reader; /* NULL: nobody reads */
    void *reader_arg;
    struct read_all *all;  /* http_req_read_all's, or NULL */
    struct skl_error *body_error; /* why the body can't be read to its end */
    struct buf headers;    /* set with http_res_header */
    int64_t res_left;      /* HTTP_RES_LENGTH: bytes still to be written */
    enum http_res_mode res_mode;
    enum http_expect expect; /* NONE once answered */
    bool http10;
    bool paused;           /* the reader */
    bool gone_told;
    bool res_started, res_no_body, res_keep;
    bool res_close;        /* the handler wants the connection to end */
    char *block;           /* the head's bytes */
    struct http_field fields[];
};

struct http_req *req_new(struct http_conn *c, const char *head, size_t n, const struct http_guard *g);
void req_free(struct http_req *req);
void req_refuse(struct http_conn *c, int status, const char *why); /* an error the server itself makes */

void body_deliver(struct http_conn *c, const char *p, size_t n);
void body_end(struct http_conn *c);            /* tells the reader, with req->body_error if set */
void body_set_error(struct http_req *req, int kind, const char *message);
void body_continue(struct http_req *req);      /* 100, if the client waits for it */
bool body_gave_up(const struct http_req *req); /* read_all met its limit: the rest is not waited for */
void read_all_free(struct read_all *all);

/* The exchange is over. keep: the connection may take another one. */
void exchange_end(struct http_conn *c, bool keep);

/* ---- hijacked ---- */
bool stream_head_unread(struct http_conn *c);  /* output is held back for now */
void stream_events(struct http_conn *c);       /* eof, drain, gone: in a turn */
/* Bytes of p that belong to an empty chunked body's end; *ret_wait: more is needed to tell. */
size_t stream_sniff(struct http_conn *c, const char *p, size_t n, bool *ret_wait);

#endif
