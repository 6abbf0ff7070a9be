/*
 * simulator/relay.c - services on the host's loopback for functions with a network of their own.
 *
 * A function reaches them as host.sockerless.internal, which is NETNS_HOST_ADDR: the simulator listens there on the ports
 * that URLs in the function's environment name, and relays to 127.0.0.1. No packet filter is involved.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "simulator/sim.h"

#define RELAY_BUFFER (512u * 1024) /* one direction; above it the source is not read */

struct relay {
    struct list link;
    struct sim *sim;
    uint16_t port;
    unsigned refs;
    struct evconnlistener *listener;
};

struct pipe_pair {
    struct list link; /* sim's pairs */
    struct bufferevent *a, *b;
    bool a_ended, b_ended; /* its peer has said its last */
    bool connected;        /* b */
};

static struct bufferevent *other(struct pipe_pair *p, struct bufferevent *bev)
{
    return bev == p->a ? p->b : p->a;
}

static bool *ended(struct pipe_pair *p, struct bufferevent *bev)
{
    return bev == p->a ? &p->a_ended : &p->b_ended;
}

static void pair_end(struct pipe_pair *p)
{
    list_remove(&p->link);
    if (p->a != NULL)
        bufferevent_free(p->a);
    if (p->b != NULL)
        bufferevent_free(p->b);
    free(p);
}

static bool written(struct bufferevent *bev)
{
    return evbuffer_get_length(bufferevent_get_output(bev)) == 0;
}

/* An end goes on to the other side behind what was said before it. The other may still speak. */
static void pass_end(struct pipe_pair *p, struct bufferevent *from)
{
    struct bufferevent *to = other(p, from);

    if (!p->connected || !written(to))
        return;
    if (*ended(p, to) && written(from))
        pair_end(p);
    else
        shutdown(bufferevent_getfd(to), SHUT_WR);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct pipe_pair *p = arg;
    struct bufferevent *to = other(p, bev);

    bufferevent_write_buffer(to, bufferevent_get_input(bev));
    if (evbuffer_get_length(bufferevent_get_output(to)) >= RELAY_BUFFER)
        bufferevent_disable(bev, EV_READ);
}

static void on_write(struct bufferevent *bev, void *arg)
{
    struct pipe_pair *p = arg;
    struct bufferevent *from = other(p, bev);

    if (*ended(p, from))
        pass_end(p, from);
    else
        bufferevent_enable(from, EV_READ);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct pipe_pair *p = arg;

    if ((what & BEV_EVENT_ERROR) != 0) {
        pair_end(p);
    } else if ((what & BEV_EVENT_CONNECTED) != 0) {
        p->connected = true;
        if (p->a_ended)
            pass_end(p, p->a);
    } else if ((what & BEV_EVENT_EOF) != 0) {
        *ended(p, bev) = true;
        bufferevent_write_buffer(other(p, bev), bufferevent_get_input(bev));
        pass_end(p, bev);
    }
}

static struct bufferevent *wrap(struct sim *s, int fd, struct pipe_pair *p)
{
    struct bufferevent *bev = bufferevent_socket_new(loop_base(s->loop), fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    int one = 1;

    bufferevent_setcb(bev, on_read, on_write, on_event, p);
    bufferevent_set_max_single_read(bev, 256 * 1024);
    bufferevent_set_max_single_write(bev, 256 * 1024);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return bev;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
    struct relay *r = arg;
    struct pipe_pair *p = xcalloc(1, sizeof(*p));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(r->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int out = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

    (void)l;
    (void)sa;
    (void)len;
    setsockopt(out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    list_push_back(&r->sim->pairs, &p->link);
    p->a = wrap(r->sim, fd, p);
    p->b = wrap(r->sim, out, p);
    if (out < 0 || bufferevent_socket_connect(p->b, (struct sockaddr *)&to, sizeof(to)) < 0) {
        pair_end(p);
        return;
    }
    bufferevent_enable(p->a, EV_READ | EV_WRITE);
    bufferevent_enable(p->b, EV_READ | EV_WRITE);
}

static struct relay *find(struct sim *s, uint16_t port)
{
    LIST_FOREACH_SAFE(n, tmp, &s->relays) {
        struct relay *r = LIST_ENTRY(n, struct relay, link);
        if (r->port == port)
            return r;
    }
    return NULL;
}

/* The address need not exist yet (IP_FREEBIND): it comes with the first namespace. */
static int open_listener(uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0)
        return -1;
    inet_pton(AF_INET, NETNS_HOST_ADDR, &sa.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 256) < 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

int relay_ref(struct sim *s, uint16_t port, struct skl_error *err)
{
    struct relay *r = find(s, port);
    int fd;

    if (r != NULL) {
        r->refs++;
        return 0;
    }
    fd = open_listener(port);
    if (fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "relaying port %u of the host's loopback", port);
    r = xcalloc(1, sizeof(*r));
    r->sim = s;
    r->port = port;
    r->refs = 1;
    r->listener = evconnlistener_new(loop_base(s->loop), on_accept, r, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    list_push_back(&s->relays, &r->link);
    return 0;
}

void relay_unref(struct sim *s, uint16_t port)
{
    struct relay *r = find(s, port);

    /* Kept once opened, though nobody uses it just now: the next function of the same daemon comes soon. */
    if (r != NULL && r->refs > 0)
        r->refs--;
}

size_t relay_cut_all(struct sim *s)
{
    size_t n = 0;

    LIST_FOREACH_SAFE(node, tmp, &s->pairs) {
        pair_end(LIST_ENTRY(node, struct pipe_pair, link));
        n++;
    }
    return n;
}
