/*
 * drivers/publish.c - published ports: listeners on the host while a container runs. What connects is tunnelled (tunnel.c).
 *
 * They open before the function is invoked, so that a port that is taken fails the start, and close when the run is over; what is
 * connected then ends with its process's side of it, so that last words arrive. The texts of failures are those of dockerd, which clients show and match ("port is already allocated").
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "drivers/internal.h"
#include "drivers/tunnel.h"
#include "state/container.h"
#include "state/ports.h"

#define BACKLOG 128
#define ACCEPTS_A_TURN 16
#define PAUSE_NS (INT64_C(100) * 1000000) /* when the daemon is out of files or memory */

struct listener {
    struct list link;   /* its peer's */
    struct peer *peer;
    struct io io;
    struct timer pause;
    int fd;
    uint16_t number;    /* inside */
};

static void listener_free(struct listener *l)
{
    list_remove(&l->link);
    io_fini(&l->io);
    timer_fini(&l->pause);
    close(l->fd);
    free(l);
}

void publish_close(struct peer *p)
{
    LIST_FOREACH_SAFE(n, tmp, &p->listeners)
        listener_free(LIST_ENTRY(n, struct listener, link));
}

static void want(struct listener *l)
{
    io_want(&l->io, tunnels_full(l->peer) || timer_armed(&l->pause) ? 0 : IO_READ);
}

static void on_pause_over(void *arg)
{
    want(arg);
}

void publish_room(struct peer *p)
{
    LIST_FOREACH_SAFE(n, tmp, &p->listeners)
        want(LIST_ENTRY(n, struct listener, link));
}

static void on_accept(void *arg, unsigned ready)
{
    struct listener *l = arg;

    (void)ready;
    for (int i = 0; i < ACCEPTS_A_TURN && !tunnels_full(l->peer); i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                timer_start(&l->pause, PAUSE_NS); /* the connection stays in the backlog, and the descriptor ready */
            break;
        }
        tunnel_new(l->peer, fd, l->number);
    }
    want(l);
}

/* ---- opening ---- */

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t len;
};

static bool address_parse(struct address *a, const char *ip, uint16_t port)
{
    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET, ip, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons(port);
        a->len = sizeof(a->v4);
    } else if (inet_pton(AF_INET6, ip, &a->v6.sin6_addr) == 1) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_port = htons(port);
        a->len = sizeof(a->v6);
    }
    return a->len > 0;
}

/* A listening socket, or -errno. */
static int open_one(const char *ip, uint16_t port)
{
    struct address a;
    int fd, one = 1, e;

    if (!address_parse(&a, ip, port))
        return -EADDRNOTAVAIL;
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (a.any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, &a.any, a.len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    e = errno;
    close(fd);
    return -e;
}

/* The first host port that is free. With `any` the search goes on through the whole range. */
static int open_binding(struct port_binding *b)
{
    unsigned count = b->any ? PORT_ANY_COUNT : (unsigned)(b->last - b->first) + 1;
    int rc = -EADDRINUSE;

    for (unsigned i = 0; i < count && rc == -EADDRINUSE; i++) {
        b->host_port = b->any ? (uint16_t)(PORT_ANY_FIRST + (b->first - PORT_ANY_FIRST + i) % PORT_ANY_COUNT) : (uint16_t)(b->first + i);
        rc = open_one(b->ip, b->host_port);
    }
    return rc;
}

static int refused(const struct container *c, const struct port_binding *b, int e, struct skl_error *err)
{
    const char *name = c->name != NULL ? c->name : c->id;

    if (e == EADDRINUSE)
        return error_set(err, SKL_ERR_INTERNAL, "driver failed programming external connectivity on endpoint %s (%s): Bind for %s:%u failed: "
                         "port is already allocated", name, c->id, b->ip, b->first);
    return error_set(err, SKL_ERR_INTERNAL, "driver failed programming external connectivity on endpoint %s (%s): listen tcp %s:%u: bind: %s",
                     name, c->id, b->ip, b->first, strerror(e));
}

static void listen_on(struct peer *p, int fd, uint16_t number)
{
    struct listener *l = xcalloc(1, sizeof(*l));

    l->peer = p;
    l->fd = fd;
    l->number = number;
    list_push_back(&p->listeners, &l->link);
    timer_init(p->ch->loop, &l->pause, on_pause_over, l);
    io_init(p->ch->loop, &l->io, fd, on_accept, l);
    io_want(&l->io, IO_READ);
}

int publish_open(struct peer *p, struct container *c, struct skl_error *err)
{
    publish_close(p);
    for (size_t i = 0; i < c->n_ports; i++) {
        struct port_binding *b = &c->ports[i];
        int fd = b->tcp ? open_binding(b) : -1;

        if (!b->tcp)
            continue;
        if (fd < 0) {
            publish_close(p);
            return refused(c, b, -fd, err);
        }
        listen_on(p, fd, b->number);
    }
    return 0;
}
