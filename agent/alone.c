/*
 * agent/alone.c - the link's resources as plain HTTP/2 on a unix socket: for tests and tools.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "agent/agent.h"
#include "base/error.h"
#include "base/mem.h"

#define READ_SIZE (64u * 1024)

struct client {
    struct agent *agent;
    struct session session;
    struct link *link;
    int fd;
    struct io io;
    struct buf out;
    struct soon flush;
};

static uint8_t scratch[LINK_SCRATCH_SIZE];
static uint8_t input[READ_SIZE];

static void client_end(struct client *c, const struct skl_error *why)
{
    soon_cancel(&c->flush);
    link_close(c->link, why);
    link_free(c->link);
    soon_cancel(&c->flush);
    io_fini(&c->io);
    close(c->fd);
    buf_fini(&c->out);
    free(c);
}

/* false: the client is gone. */
static bool client_pump(struct client *c)
{
    for (;;) {
        const uint8_t *p = (const uint8_t *)c->out.data;
        size_t n = c->out.len;
        ssize_t w;
        if (n == 0 && (n = link_output(c->link, scratch, sizeof(scratch), &p)) == 0)
            break;
        w = send(c->fd, p, n, MSG_NOSIGNAL);
        if (w < 0 && errno != EAGAIN) {
            struct skl_error err = {0};
            error_set_errno(&err, SKL_ERR_UNAVAILABLE, errno, "sending");
            client_end(c, &err);
            return false;
        }
        w = w < 0 ? 0 : w;
        if (c->out.len > 0)
            buf_consume(&c->out, (size_t)w);
        else
            (void)buf_append(&c->out, p + w, n - (size_t)w);
        if ((size_t)w < n)
            break;
    }
    if (c->out.len == 0 && link_is_done(c->link)) { /* the protocol is over: broken, or said goodbye */
        struct skl_error err = {0};
        error_set(&err, SKL_ERR_UNAVAILABLE, "the connection is over");
        client_end(c, &err);
        return false;
    }
    io_want(&c->io, IO_READ | (c->out.len > 0 ? IO_WRITE : 0));
    return true;
}

static void on_flush(void *arg)
{
    (void)client_pump(arg);
}

static void on_wake(void *arg)
{
    struct client *c = arg;

    loop_soon(c->agent->loop, &c->flush);
}

static void on_io(void *arg, unsigned ready)
{
    struct client *c = arg;
    struct skl_error err = {0};
    ssize_t n;

    if ((ready & IO_WRITE) != 0 && !client_pump(c))
        return;
    if ((ready & IO_READ) == 0)
        return;
    n = read(c->fd, input, sizeof(input));
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        error_set(&err, SKL_ERR_UNAVAILABLE, "the client closed the connection");
        client_end(c, &err);
        return;
    }
    if (link_feed(c->link, input, (size_t)n, loop_now(c->agent->loop), &err) < 0) {
        client_end(c, &err);
        return;
    }
    (void)client_pump(c);
}

struct alone {
    struct agent *agent;
    int fd;
    struct io io;
};

static void on_accept(void *arg, unsigned ready)
{
    struct alone *l = arg;
    struct link_opts opts = {.role = LINK_AGENT, .raw = true, .stream_window = LINK_STREAM_WINDOW};
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *c;

    (void)ready;
    if (fd < 0)
        return;
    c = xcalloc(1, sizeof(*c));
    c->agent = l->agent;
    c->fd = fd;
    c->session = (struct session){.agent = l->agent, .on_wake = on_wake, .arg = c};
    buf_init(&c->out, 2 * LINK_SCRATCH_SIZE);
    soon_init(&c->flush, on_flush, c);
    io_init(l->agent->loop, &c->io, fd, on_io, c);
    c->link = link_new(&opts, &serve_ops, &c->session);
    (void)client_pump(c);
}

int alone_listen(struct agent *a, const char *path, struct skl_error *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct alone *l = xcalloc(1, sizeof(*l));

    l->agent = a;
    if (strlen(path) >= sizeof(sa.sun_path)) {
        free(l);
        return error_set(err, SKL_ERR_INVALID, "%s is too long for a socket's path", path);
    }
    memcpy(sa.sun_path, path, strlen(path) + 1);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)unlink(path);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(l->fd, 16) < 0) {
        int e = errno;
        close_p(&l->fd);
        free(l);
        return error_set_errno(err, SKL_ERR_INTERNAL, e, "listening on %s", path);
    }
    io_init(a->loop, &l->io, l->fd, on_accept, l);
    io_want(&l->io, IO_READ);
    return 0;
}
