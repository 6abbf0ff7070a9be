/*
 * http/listen.c - listening sockets and accepting.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/error.h"
#include "base/log.h"
#include "http/http-internal.h"
#include "http/tls.h"

#define LISTEN_BACKLOG 1024

void listener_free(struct http_listener *l)
{
    struct stat st;

    list_remove(&l->link);
    event_free(l->ev);
    close(l->fd);
    /* Only what we bound ourselves: somebody may have put another socket there since. */
    if (l->path != NULL && stat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        (void)unlink(l->path);
    free(l->path);
    tls_ctx_free(l->tls);
    free(l);
}

void listeners_pause(struct http_server *s, bool pause)
{
    LIST_FOREACH_SAFE(n, tmp, &s->listeners) {
        struct http_listener *l = LIST_ENTRY(n, struct http_listener, link);
        if (pause)
            event_del(l->ev);
        else
            event_add(l->ev, NULL);
    }
}

static void tune(int fd)
{
    int one = 1, idle = 30;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
}

/* false: stop accepting for this turn. */
static bool accept_one(struct http_listener *l)
{
    struct http_server *s = l->server;
    union {
        struct sockaddr sa;
        struct sockaddr_storage space;
    } addr;
    socklen_t len = sizeof(addr);
    struct ssl_st *ssl = NULL;
    int fd;

    if (s->n_conns >= s->opts.max_connections) {
        s->paused = true;
        listeners_pause(s, true);
        return false;
    }
    fd = accept4(l->fd, &addr.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            log_warn("http", "accepting: %s", strerror(errno));
            listeners_pause(s, true);
            timer_start(&s->accept_retry, HTTP_ACCEPT_RETRY_NS);
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    if (!l->is_unix)
        tune(fd);
    if (l->tls != NULL) {
        ssl = tls_conn_new(l->tls, fd);
        if (ssl == NULL) {
            close(fd);
            return true;
        }
    }
    conn_start(s, fd, l->is_unix, &addr.sa, ssl);
    return true;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    for (int i = 0; i < HTTP_ACCEPTS; i++)
        if (!accept_one(arg))
            return;
}

static struct http_listener *add(struct http_server *s, int fd, struct ssl_ctx_st *tls)
{
    struct http_listener *l = xcalloc(1, sizeof(*l));
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    evutil_make_socket_nonblocking(fd);
    evutil_make_socket_closeonexec(fd);
    l->server = s;
    l->fd = fd;
    l->tls = tls_ctx_ref(tls);
    l->is_unix = getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && sa.ss_family == AF_UNIX;
    l->ev = event_new(loop_base(s->loop), fd, EV_READ | EV_PERSIST, on_accept, l);
    event_add(l->ev, NULL);
    list_push_back(&s->listeners, &l->link);
    return l;
}

int http_server_add_fd(struct http_server *s, int fd, struct ssl_ctx_st *tls, struct skl_error *err)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
        return error_set(err, SKL_ERR_INVALID, "file descriptor %d is not a listening socket", fd);
    add(s, fd, tls);
    return 0;
}

static int bind_tcp(const struct sockaddr *sa, socklen_t len, const char *addr, unsigned port, struct skl_error *err)
{
    int one = 1, fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, sa, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
        int e = errno;
        close(fd);
        return error_set_errno(err, SKL_ERR_INTERNAL, e, "listening on %s port %u", addr, port);
    }
    return fd;
}

int http_server_add_tcp(struct http_server *s, const char *addr, uint16_t port, struct ssl_ctx_st *tls,
                        uint16_t *ret_port, struct skl_error *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd;

    if (inet_pton(AF_INET, addr, &v4.sin_addr) == 1)
        fd = bind_tcp((struct sockaddr *)&v4, sizeof(v4), addr, port, err);
    else if (inet_pton(AF_INET6, addr, &v6.sin6_addr) == 1)
        fd = bind_tcp((struct sockaddr *)&v6, sizeof(v6), addr, port, err);
    else
        return error_set(err, SKL_ERR_INVALID, "%s is not an IP address", addr);
    if (fd < 0)
        return -1;
    if (ret_port != NULL) {
        socklen_t len = sizeof(v6);
        getsockname(fd, (struct sockaddr *)&v6, &len); /* the port lies at the same place in both */
        *ret_port = ntohs(v6.sin6_port);
    }
    add(s, fd, tls);
    return 0;
}

/* A socket file nobody answers on is left over from a process that was killed. */
static int remove_stale(const char *path, const struct sockaddr_un *sa, struct skl_error *err)
{
    struct stat st;
    int fd, rc;

    if (lstat(path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, SKL_ERR_CONFLICT, "%s exists and is not a socket", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making a socket");
    rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
    if (rc < 0 && errno != ECONNREFUSED)
        rc = 0;
    close(fd);
    if (rc == 0)
        return error_set(err, SKL_ERR_CONFLICT, "%s is in use: another daemon answers there", path);
    (void)unlink(path);
    return 0;
}

static int bind_unix(const char *path, unsigned mode, int64_t gid, struct skl_error *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    mode_t old;
    int fd, rc, e;

    if (strlen(path) >= sizeof(sa.sun_path))
        return error_set(err, SKL_ERR_INVALID, "socket path %s is longer than %zu bytes", path,
                         sizeof(sa.sun_path) - 1);
    memcpy(sa.sun_path, path, strlen(path) + 1);
    if (remove_stale(path, &sa, err) < 0)
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making a socket");
    old = umask(0177); /* nobody else gets in before mode and group are set */
    rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
    e = errno;
    umask(old);
    if (rc == 0 && gid >= 0)
        rc = chown(path, (uid_t)-1, (gid_t)gid), e = errno;
    if (rc == 0)
        rc = chmod(path, mode), e = errno;
    if (rc == 0)
        rc = listen(fd, LISTEN_BACKLOG), e = errno;
    if (rc == 0)
        return fd;
    close(fd);
    return error_set_errno(err, SKL_ERR_INTERNAL, e, "listening on %s", path);
}

int http_server_add_unix(struct http_server *s, const char *path, unsigned mode, int64_t gid, struct skl_error *err)
{
    struct http_listener *l;
    struct stat st = {0};
    int fd = bind_unix(path, mode, gid, err);

    if (fd < 0)
        return -1;
    l = add(s, fd, NULL);
    l->path = xstrdup(path);
    if (stat(path, &st) == 0) {
        l->dev = st.st_dev;
        l->ino = st.st_ino;
    }
    return 0;
}
