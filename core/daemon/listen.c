/*
 * daemon/listen.c - see listen.h. systemd's socket activation is two environment variables and descriptors from 3 on
 * (sd_listen_fds(3)), so there is no library for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "daemon/listen.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/config.h"
#include "http/server.h"
#include "http/tls.h"

#define SOCKET_MODE 0660u
#define FIRST_FD 3
#define PORT_PLAIN 2375
#define PORT_TLS 2376

static int bad(const char *url, const char *why, struct skl_error *err)
{
    return error_set(err, SKL_ERR_INVALID, "host \"%s\": %s", url, why);
}

static int parse_unix(const char *url, struct listen_addr *ret, struct skl_error *err)
{
    const char *path = url + strlen("unix://");

    ret->kind = LISTEN_UNIX;
    if (*path != '/')
        return bad(url, "the socket's path must be absolute", err);
    if (strlen(path) >= sizeof(ret->path))
        return bad(url, "the socket's path is too long (107 bytes at most)", err);
    memcpy(ret->path, path, strlen(path) + 1);
    return 0;
}

static int parse_fd(const char *url, struct listen_addr *ret, struct skl_error *err)
{
    const char *n = url + strlen("fd://");
    int64_t fd = -1;

    ret->kind = LISTEN_FD;
    if (*n != '\0' && strcmp(n, "*") != 0 && !str_to_i64(n, FIRST_FD, 1023, &fd))
        return bad(url, "not a descriptor's number", err);
    ret->fd = (int)fd;
    return 0;
}

/* Splits "[::1]:80", "127.0.0.1:80", ":80", "localhost". */
static int split_port(const char *url, const char *s, uint16_t default_port, struct listen_addr *ret,
                      struct skl_error *err)
{
    const char *end = s[0] == '[' ? strchr(s, ']') : s + strcspn(s, ":/");
    size_t n;
    int64_t port = default_port;

    if (end == NULL)
        return bad(url, "missing ]", err);
    s += s[0] == '[';
    n = (size_t)(end - s);
    end += *end == ']';
    if (n >= sizeof(ret->host))
        return bad(url, "the address is too long", err);
    memcpy(ret->host, s, n);
    ret->host[n] = '\0';
    if (*end == ':' && !str_to_i64(end + 1, 0, 65535, &port))
        return bad(url, "not a port number", err);
    if (*end != ':' && *end != '\0')
        return bad(url, "nothing may follow the port", err);
    ret->port = (uint16_t)port;
    return 0;
}

static int parse_tcp(const char *url, uint16_t default_port, struct listen_addr *ret, struct skl_error *err)
{
    struct in6_addr probe;

    ret->kind = LISTEN_TCP;
    if (split_port(url, url + strlen("tcp://"), default_port, ret, err) < 0)
        return -1;
    if (ret->host[0] == '\0' || strcmp(ret->host, "*") == 0)
        memcpy(ret->host, "0.0.0.0", sizeof("0.0.0.0"));
    if (strcmp(ret->host, "localhost") == 0)
        memcpy(ret->host, "127.0.0.1", sizeof("127.0.0.1"));
    if (inet_pton(AF_INET, ret->host, &probe) != 1 && inet_pton(AF_INET6, ret->host, &probe) != 1)
        return bad(url, "not an IP address", err);
    return 0;
}

int listen_parse(const char *url, uint16_t default_port, struct listen_addr *ret, struct skl_error *err)
{
    *ret = (struct listen_addr){.fd = -1};
    if (str_starts(url, "unix://"))
        return parse_unix(url, ret, err);
    if (str_starts(url, "fd://"))
        return parse_fd(url, ret, err);
    if (str_starts(url, "tcp://"))
        return parse_tcp(url, default_port, ret, err);
    return bad(url, "must begin with unix://, tcp:// or fd://", err);
}

bool listen_is_loopback(const char *host)
{
    return str_starts(host, "127.") || strcmp(host, "::1") == 0;
}

/* ---- TLS ---- */
static int api_tls(const struct config *c, struct ssl_ctx_st **ret, struct skl_error *err)
{
    *ret = NULL;
    if (!c->tls && !c->tlsverify)
        return 0;
    *ret = tls_server_ctx_new(c->tlscert, c->tlskey, c->tlsverify ? c->tlscacert : NULL, c->tlsverify, err);
    return *ret != NULL ? 0 : -1;
}

static int check_exposed(const struct config *c, const char *host, struct skl_error *err)
{
    if (listen_is_loopback(host) || c->tlsverify || c->insecure_tcp)
        return 0;
    return error_set(err, SKL_ERR_FORBIDDEN,
                     "refusing to listen on %s without client certificates: whoever reaches this port controls the "
                     "daemon. Use --tlsverify, or --insecure-tcp if the network is trusted",
                     host);
}

/* ---- the three kinds ---- */
static int64_t group_id(const char *name)
{
    struct group *g = str_empty(name) ? NULL : getgrnam(name);

    return g != NULL ? (int64_t)g->gr_gid : -1;
}

static int add_unix(struct http_server *s, const struct config *c, const struct listen_addr *a, struct skl_error *err)
{
    int64_t gid = geteuid() == 0 ? group_id(c->group) : -1;

    if (s == NULL)
        return 0;
    if (http_server_add_unix(s, a->path, SOCKET_MODE, gid, err) < 0)
        return -1;
    log_info("daemon", "listening on unix://%s", a->path);
    return 0;
}

static int add_tcp(struct http_server *s, const struct config *c, const struct listen_addr *a,
                   struct ssl_ctx_st *tls, struct skl_error *err)
{
    uint16_t port = a->port;

    if (check_exposed(c, a->host, err) < 0)
        return -1;
    if (s == NULL)
        return 0;
    if (http_server_add_tcp(s, a->host, a->port, tls, &port, err) < 0)
        return -1;
    log_info("daemon", "listening on tcp://%s:%u%s", a->host, port, tls != NULL ? " (TLS)" : "");
    return 0;
}

/* The numeric address a passed descriptor is bound to; "" for a unix socket. */
static int fd_address(int fd, char host[64], struct skl_error *err)
{
    struct sockaddr_storage ss = {0};
    socklen_t n = sizeof(ss);

    host[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
        return error_set(err, SKL_ERR_INVALID, "descriptor %d is not a socket", fd);
    if (ss.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&ss)->sin_addr, host, 64);
    else if (ss.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&ss)->sin6_addr, host, 64);
    return 0;
}

static int add_one_fd(struct http_server *s, const struct config *c, int fd, struct ssl_ctx_st *tls,
                      struct skl_error *err)
{
    char host[64];

    if (fd_address(fd, host, err) < 0 || (host[0] != '\0' && check_exposed(c, host, err) < 0))
        return -1;
    if (s == NULL)
        return 0;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (http_server_add_fd(s, fd, host[0] != '\0' ? tls : NULL, err) < 0)
        return -1;
    log_info("daemon", "listening on descriptor %d", fd);
    return 0;
}

static int passed_fds(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    int64_t n = 0;

    if (pid == NULL || fds == NULL || !str_to_i64(pid, getpid(), getpid(), &n) || !str_to_i64(fds, 0, 256, &n))
        return 0;
    return (int)n;
}

static int add_fds(struct http_server *s, const struct config *c, const struct listen_addr *a,
                   struct ssl_ctx_st *tls, struct skl_error *err)
{
    int n = passed_fds();

    if (n == 0 || a->fd >= FIRST_FD + n)
        return error_set(err, SKL_ERR_INVALID, "fd://: no such socket was passed (LISTEN_FDS, LISTEN_PID)");
    if (a->fd >= 0)
        return add_one_fd(s, c, a->fd, tls, err);
    for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++)
        if (add_one_fd(s, c, fd, tls, err) < 0)
            return -1;
    return 0;
}

/* ---- all ---- */
static int add_url(struct http_server *s, const struct config *c, const char *url, struct ssl_ctx_st *tls,
                   struct skl_error *err)
{
    struct listen_addr a;

    if (listen_parse(url, tls != NULL ? PORT_TLS : PORT_PLAIN, &a, err) < 0)
        return -1;
    if (a.kind == LISTEN_UNIX)
        return add_unix(s, c, &a, err);
    if (a.kind == LISTEN_TCP)
        return add_tcp(s, c, &a, tls, err);
    return s == NULL ? 0 : add_fds(s, c, &a, tls, err);
}

static char *default_url(void)
{
    const char *run = getenv("XDG_RUNTIME_DIR");

    if (geteuid() == 0 || str_empty(run))
        return xstrdup("unix:///run/sockerless.sock");
    return xasprintf("unix://%s/sockerless.sock", run);
}

int listen_add_all(struct http_server *server, const struct config *config, struct skl_error *err)
{
    struct ssl_ctx_st *tls;
    CLEANUP(free_p) char *url = default_url();
    int rc = 0;

    if (api_tls(config, &tls, err) < 0)
        return -1;
    for (char **h = config->hosts; rc == 0 && *h != NULL; h++)
        rc = add_url(server, config, *h, tls, err);
    if (rc == 0 && config->hosts[0] == NULL)
        rc = add_url(server, config, url, tls, err);
    tls_ctx_free(tls);
    return rc;
}

int listen_add_tcp(struct http_server *server, const struct listen_addr *addr, const char *cert, const char *key,
                   uint16_t *ret_port, struct skl_error *err)
{
    struct ssl_ctx_st *tls = NULL;
    int rc;

    if (!str_empty(cert) || !str_empty(key)) {
        tls = tls_server_ctx_new(cert, key, NULL, false, err);
        if (tls == NULL)
            return -1;
    }
    rc = http_server_add_tcp(server, addr->host, addr->port, tls, ret_port, err);
    tls_ctx_free(tls);
    return rc;
}
