/*
 * tests/unit/testserver.c - see testserver.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/testserver.h"
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/mem.h"

struct testserver {
    struct evconnlistener *listener;
    struct list conns;
    ts_request_fn fn;
    void *arg;
    unsigned accepted;
};

struct ts_conn {
    struct list link;
    struct testserver *server;
    struct bufferevent *bev;
    struct buf in;
    bool chunked;
    bool closing;
};

static void conn_free(struct ts_conn *c)
{
    list_remove(&c->link);
    bufferevent_free(c->bev);
    buf_fini(&c->in);
    free(c);
}

/* Handles one request at the start of c->in. false: not all of it is here. */
static bool take_request(struct ts_conn *c)
{
    char *end = c->in.len != 0 ? strstr(c->in.data, "\r\n\r\n") : NULL, *length;
    size_t head_len, body_len = 0;

    if (end == NULL || c->chunked)
        return false;
    head_len = (size_t)(end - c->in.data) + 4;
    CLEANUP(free_p) char *head = xstrndup(c->in.data, head_len);
    c->chunked = strstr(head, "Transfer-Encoding: chunked") != NULL;
    length = strstr(head, "Content-Length: ");
    if (length != NULL)
        body_len = strtoul(length + 16, NULL, 10);
    if (c->in.len < head_len + body_len)
        return false;
    CLEANUP(free_p) char *body = xstrndup(c->in.data + head_len, body_len);
    buf_consume(&c->in, head_len + body_len);
    c->server->fn(c->server->arg, c, head, body, body_len);
    return true;
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct ts_conn *c = arg;
    struct evbuffer *in = bufferevent_get_input(bev);
    size_t n = evbuffer_get_length(in);

    buf_append(&c->in, evbuffer_pullup(in, -1), n);
    evbuffer_drain(in, n);
    /* the handler may have reset the connection: look it up again */
    for (bool more = true; more;) {
        bool alive = false;
        struct testserver *s = c->server;

        more = take_request(c);
        LIST_FOREACH_SAFE(node, tmp, &s->conns)
            alive = alive || node == &c->link;
        more = more && alive;
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    (void)what;
    conn_free(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
    struct ts_conn *c = arg;

    if (c->closing && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
        conn_free(c);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len, void *arg)
{
    struct testserver *s = arg;
    struct ts_conn *c = xcalloc(1, sizeof(*c));

    (void)addr;
    (void)len;
    s->accepted++;
    c->server = s;
    buf_init(&c->in, 64u << 20);
    list_push_back(&s->conns, &c->link);
    c->bev = bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
    bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

struct testserver *testserver_new(struct loop *loop, const char *unix_path, ts_request_fn fn, void *arg)
{
    struct testserver *s = xcalloc(1, sizeof(*s));
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr *addr = unix_path != NULL ? (struct sockaddr *)&un : (struct sockaddr *)&in;
    int len = unix_path != NULL ? (int)sizeof(un) : (int)sizeof(in);

    if (unix_path != NULL)
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", unix_path);
    list_init(&s->conns);
    s->fn = fn;
    s->arg = arg;
    s->listener = evconnlistener_new_bind(loop_base(loop), on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
                                          64, addr, len);
    if (s->listener == NULL) {
        perror("testserver: listen");
        exit(99);
    }
    return s;
}

void testserver_free(struct testserver *s)
{
    LIST_FOREACH_SAFE(node, tmp, &s->conns)
        conn_free(LIST_ENTRY(node, struct ts_conn, link));
    evconnlistener_free(s->listener);
    free(s);
}

int testserver_port(const struct testserver *s)
{
    struct sockaddr_in in = {0};
    socklen_t len = sizeof(in);

    getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&in, &len);
    return ntohs(in.sin_port);
}

unsigned testserver_accepted(const struct testserver *s)
{
    return s->accepted;
}

void ts_send(struct ts_conn *c, const void *p, size_t n)
{
    bufferevent_write(c->bev, p, n);
}

void ts_puts(struct ts_conn *c, const char *s)
{
    ts_send(c, s, strlen(s));
}

void ts_close(struct ts_conn *c)
{
    c->closing = true;
    if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
        bufferevent_trigger(c->bev, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
}

void ts_reset(struct ts_conn *c)
{
    conn_free(c);
}

size_t ts_queued(const struct ts_conn *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->bev));
}

struct buf *ts_conn_raw(struct ts_conn *c)
{
    return &c->in;
}
