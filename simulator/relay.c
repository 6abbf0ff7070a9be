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
#include <event2/listener.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "simulator/sim.h"

#define RELAY_BUFFER (1024 * 1024) /* one direction, in a pipe; above it the source is not read */
#define TURNS 16                   /* moves at a time, so that others have theirs */

struct relay {
    struct list link;
    struct sim *sim;
    uint16_t port;
    unsigned refs;
    struct evconnlistener *listener;
};

/* One direction. The bytes stay in the kernel: socket to pipe, pipe to socket. */
struct way {
    int from, to;
    int pipe[2];   /* made with the first bytes */
    size_t held;   /* in the pipe */
    bool ended;    /* its source has said its last */
    bool shut;     /* and the other side was told */
    bool full;     /* the other side takes nothing now */
};

struct pipe_pair {
    struct list link; /* sim's pairs */
    struct io io[2];  /* the function's side, the service's */
    int fd[2];
    bool connected;   /* the service's */
    struct way way[2]; /* way[i] begins at fd[i] */
};

static void pair_end(struct pipe_pair *p)
{
    list_remove(&p->link);
    for (int i = 0; i < 2; i++) {
        io_fini(&p->io[i]);
        if (p->fd[i] >= 0)
            close(p->fd[i]);
        if (p->way[i].pipe[0] >= 0) {
            close(p->way[i].pipe[0]);
            close(p->way[i].pipe[1]);
        }
    }
    free(p);
}

static bool way_open(struct way *w)
{
    if (w->pipe[0] >= 0)
        return true;
    if (pipe2(w->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        w->pipe[0] = w->pipe[1] = -1;
        return false;
    }
    (void)fcntl(w->pipe[1], F_SETPIPE_SZ, RELAY_BUFFER); /* less is only slower */
    return true;
}

/* 1: something moved; 0: nothing can now; -1: the connection is broken. */
static int way_move(struct way *w)
{
    ssize_t n;

    if (w->held == 0 && !w->ended) {
        n = splice(w->from, NULL, w->pipe[1], NULL, RELAY_BUFFER, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        w->held = (size_t)n;
        w->ended = n == 0;
    }
    if (w->held == 0)
        return 0;
    n = splice(w->pipe[0], NULL, w->to, NULL, w->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    w->full = n < 0 && errno == EAGAIN;
    if (n < 0)
        return w->full || errno == EINTR ? 0 : -1;
    w->held -= (size_t)n;
    return 1;
}

/* false: the pair is gone. */
static bool way_pump(struct pipe_pair *p, struct way *w)
{
    int rc = way_open(w) ? 1 : -1;

    for (int i = 0; rc > 0 && i < TURNS; i++)
        rc = way_move(w);
    if (rc < 0) {
        pair_end(p);
        return false;
    }
    if (w->ended && w->held == 0 && !w->shut) { /* an end goes on behind what was said before it; the other may still speak */
        w->shut = true;
        shutdown(w->to, SHUT_WR);
    }
    return true;
}

static void want(struct pipe_pair *p)
{
    for (int i = 0; i < 2; i++) {
        const struct way *in = &p->way[i], *out = &p->way[!i];
        unsigned interest = (out->full ? IO_WRITE : 0) | (!in->ended && in->held == 0 ? IO_READ : 0);

        if (p->connected)
            io_want(&p->io[i], interest);
    }
}

static void on_side(void *arg, unsigned ready)
{
    struct pipe_pair *p = arg;

    (void)ready;
    if (!p->connected) {
        int error = 0;
        socklen_t len = sizeof(error);

        if (getsockopt(p->fd[1], SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0) {
            pair_end(p);
            return;
        }
        p->connected = true;
    }
    if (!way_pump(p, &p->way[0]) || !way_pump(p, &p->way[1]))
        return;
    if (p->way[0].shut && p->way[1].shut)
        pair_end(p);
    else
        want(p);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
    struct relay *r = arg;
    struct pipe_pair *p = xcalloc(1, sizeof(*p));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(r->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    (void)l;
    (void)sa;
    (void)len;
    p->fd[0] = fd;
    p->fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    list_push_back(&r->sim->pairs, &p->link);
    for (int i = 0; i < 2; i++) {
        p->way[i] = (struct way){.from = p->fd[i], .to = p->fd[!i], .pipe = {-1, -1}};
        if (p->fd[i] < 0)
            continue;
        setsockopt(p->fd[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        io_init(r->sim->loop, &p->io[i], p->fd[i], on_side, p);
    }
    if (p->fd[1] < 0 || (connect(p->fd[1], (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)) {
        pair_end(p);
        return;
    }
    io_want(&p->io[1], IO_WRITE);
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
