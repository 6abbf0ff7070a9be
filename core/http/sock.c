/*
 * http/sock.c - bytes in and out of a connection's socket, plain or through TLS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include "http/http-internal.h"

ssize_t sock_read(struct http_conn *c, void *p, size_t n)
{
    ssize_t got;

    if (c->ssl != NULL)
        return tls_read(c, p, n);
    do {
        got = recv(c->fd, p, n, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    return got;
}

ssize_t sock_writev(struct http_conn *c, struct iovec *iov, int n)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)n};
    ssize_t sent;

    if (c->ssl != NULL)
        return tls_write(c, iov[0].iov_base, iov[0].iov_len);
    do {
        sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    return sent;
}

void sock_fin(struct http_conn *c)
{
    if (c->ssl != NULL)
        tls_fin(c);
    shutdown(c->fd, SHUT_WR);
}

bool sock_hung_up(struct http_conn *c, bool *ret_rdhup)
{
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};

    *ret_rdhup = false;
    if (poll(&p, 1, 0) <= 0)
        return false;
    *ret_rdhup = (p.revents & POLLRDHUP) != 0;
    return (p.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}
