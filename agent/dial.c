/*
 * agent/dial.c - the connection to the daemon: address, TCP, proxy, TLS, WebSocket handshake, the link, and again.
 *
 *   RESOLVE -> CONNECT -> [PROXY] -> [TLS] -> HANDSHAKE -> UP -> (lost) -> WAIT -> RESOLVE ...
 *
 * A first dial of a run keeps trying for the connect timeout, a lost link for the reconnect timeout; then, or
 * when the daemon refuses for good, the invocation is told. Meanwhile the processes go on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agent/agent.h"
#include "agent/hosts.h"
#include "agent/tls.h"
#include "agent/url.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/ws.h"

#define RETRY_MIN_NS (INT64_C(50) * NS_PER_MS)
#define RETRY_MAX_NS (INT64_C(5) * NS_PER_S)
#define ATTEMPT_NS (INT64_C(15) * NS_PER_S)     /* one attempt, up to the handshake's answer */
#define READ_SIZE (64u * 1024)
#define READS_A_TURN 8

enum phase { PHASE_IDLE, PHASE_RESOLVE, PHASE_CONNECT, PHASE_PROXY, PHASE_TLS, PHASE_HANDSHAKE, PHASE_UP, PHASE_WAIT };

struct dialer {
    struct agent *agent;
    struct url url, proxy;
    bool has_proxy;
    enum phase phase;
    bool wanted;              /* a run is on */
    bool finishing;           /* link_shutdown was called */
    bool was_up;              /* in this run */
    int fd;
    struct tls *tls;
    struct io io;
    bool io_on;
    struct evdns_base *dns;
    struct evdns_getaddrinfo_request *dns_req;
    char key[WS_KEY_SIZE];
    struct buf in;            /* of handshakes */
    struct buf out;           /* not yet with the kernel */
    struct link *link;
    struct session session;
    struct soon flush;
    struct timer attempt, retry, tick;
    int64_t backoff, until;   /* until: monotonic; gives up then */
    struct skl_error last;    /* of the last attempt */
};

static uint8_t scratch[LINK_SCRATCH_SIZE];
static uint8_t input[READ_SIZE];

static void dial(struct dialer *d);
static void on_io(void *arg, unsigned ready);

/* ---- the end of an attempt or a link ---- */

static void close_socket(struct dialer *d)
{
    if (d->io_on)
        io_fini(&d->io);
    d->io_on = false;
    tlsc_free(d->tls);
    d->tls = NULL;
    close_p(&d->fd);
    d->fd = -1;
    buf_clear(&d->in);
    buf_clear(&d->out);
    timer_stop(&d->attempt);
    timer_stop(&d->tick);
    if (d->dns_req != NULL)
        evdns_getaddrinfo_cancel(d->dns_req);
    d->dns_req = NULL;
}

static void drop_link(struct dialer *d, const struct skl_error *why)
{
    if (d->link == NULL)
        return;
    link_close(d->link, why);
    link_free(d->link);
    d->link = NULL;
}

static bool is_final(int status)
{
    return status == 401 || status == 403 || status == 404 || status == 410;
}

static void give_up(struct dialer *d, int status)
{
    struct skl_error why = d->last;

    d->wanted = false;
    d->phase = PHASE_IDLE;
    error_prefix(&why, "the agent can't reach its daemon at %s", d->agent->cfg.callback_url);
    invoke_on_link_failed(d->agent, status, why.message);
}

/* The attempt or the link failed: again later, or never. http_status: of a refusal, 0 otherwise. */
static void fail(struct dialer *d, const struct skl_error *why, int http_status)
{
    int64_t now = loop_now(d->agent->loop), pause;

    d->last = *why;
    if (d->phase == PHASE_UP)
        d->until = now + d->agent->cfg.reconnect_timeout;
    close_socket(d);
    drop_link(d, why);
    if (!d->wanted) {
        d->phase = PHASE_IDLE;
        return;
    }
    log_debug("dial", "%s", why->message);
    if (is_final(http_status)) {
        give_up(d, 502);
        return;
    }
    if (now >= d->until) {
        give_up(d, d->was_up ? 504 : http_status != 0 ? 502 : 504);
        return;
    }
    pause = d->backoff / 2 + (int64_t)(random_u64() % (uint64_t)(d->backoff / 2 + 1));
    d->backoff = d->backoff * 2 > RETRY_MAX_NS ? RETRY_MAX_NS : d->backoff * 2;
    d->phase = PHASE_WAIT;
    timer_start(&d->retry, pause < d->until - now ? pause : d->until - now);
}

/* what, or "what: detail". */
static void fail_text(struct dialer *d, int kind, const char *what, const char *detail)
{
    struct skl_error why = {0};

    error_set(&why, kind, "%s%s%s", what, detail != NULL ? ": " : "", detail != NULL ? detail : "");
    fail(d, &why, 0);
}

static void on_retry(void *arg)
{
    dial(arg);
}

static void on_attempt(void *arg)
{
    struct dialer *d = arg;

    fail_text(d, SKL_ERR_TIMEOUT, "no answer within 15 s", NULL);
}

/* ---- bytes ---- */

static ssize_t sock_write(struct dialer *d, const void *p, size_t n)
{
    ssize_t w;

    if (d->tls != NULL)
        return tlsc_write(d->tls, p, n);
    w = send(d->fd, p, n, MSG_NOSIGNAL);
    return w < 0 ? -errno : w;
}

static ssize_t sock_read(struct dialer *d, void *p, size_t n)
{
    ssize_t r;

    if (d->tls != NULL)
        return tlsc_read(d->tls, p, n);
    r = recv(d->fd, p, n, 0);
    return r < 0 ? -errno : r;
}

/* -1: failed, d may have changed altogether. */
static int flush_out(struct dialer *d)
{
    while (d->out.len > 0) {
        ssize_t n = sock_write(d, d->out.data, d->out.len);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            fail_text(d, SKL_ERR_UNAVAILABLE, "sending", strerror((int)-n));
            return -1;
        }
        buf_consume(&d->out, (size_t)n);
    }
    io_want(&d->io, IO_READ | (d->out.len > 0 || tlsc_wants_write(d->tls) ? IO_WRITE : 0));
    return 0;
}

static void pump_link(struct dialer *d)
{
    while (d->phase == PHASE_UP && d->out.len == 0) {
        const uint8_t *p;
        size_t n = link_output(d->link, scratch, sizeof(scratch), &p);
        ssize_t w;
        if (n == 0)
            break;
        w = sock_write(d, p, n);
        if (w < 0 && w != -EAGAIN) {
            fail_text(d, SKL_ERR_UNAVAILABLE, "sending", strerror((int)-w));
            return;
        }
        if (w < 0)
            w = 0;
        if ((size_t)w < n && (buf_append(&d->out, p + w, n - (size_t)w) < 0 || flush_out(d) < 0))
            return;
    }
    if (d->phase == PHASE_UP && d->out.len == 0 && link_is_done(d->link))
        fail_text(d, SKL_ERR_UNAVAILABLE, "the link was shut down", NULL);
}

static void on_flush(void *arg)
{
    pump_link(arg);
}

/* ---- the link ---- */

static void on_wake(void *arg)
{
    struct dialer *d = arg;

    loop_soon(d->agent->loop, &d->flush);
}

static void on_tick(void *arg)
{
    struct dialer *d = arg;
    struct skl_error err = {0};
    int64_t now = loop_now(d->agent->loop), next;

    if (d->phase != PHASE_UP)
        return;
    next = link_tick(d->link, now, &err);
    if (next < 0) {
        fail(d, &err, 0);
        return;
    }
    timer_start(&d->tick, next - now);
    pump_link(d);
}

static void link_lost(struct dialer *d, const struct skl_error *err)
{
    bool released = err->detail == WS_CLOSE_NORMAL && d->wanted && !d->finishing;

    if (released)
        d->wanted = false; /* first: the link may be done when our own close frame is out */
    pump_link(d); /* that frame, as far as it goes */
    if (d->phase == PHASE_UP)
        fail(d, err, 0);
    if (released)
        invoke_on_released(d->agent);
}

static void feed_link(struct dialer *d, void *p, size_t n)
{
    struct skl_error err = {0};

    if (n > 0 && link_feed(d->link, p, n, loop_now(d->agent->loop), &err) < 0) {
        link_lost(d, &err);
        return;
    }
    pump_link(d);
}

static void link_up(struct dialer *d, void *rest, size_t n)
{
    struct link_opts opts = {.role = LINK_AGENT, .stream_window = LINK_STREAM_WINDOW};

    timer_stop(&d->attempt);
    d->phase = PHASE_UP;
    d->was_up = true;
    d->backoff = RETRY_MIN_NS;
    d->session = (struct session){.agent = d->agent, .on_wake = on_wake, .arg = d};
    d->link = link_new(&opts, &serve_ops, &d->session);
    timer_start(&d->tick, 0);
    invoke_on_link_up(d->agent);
    feed_link(d, rest, n);
}

/* ---- handshakes ---- */

static void send_text(struct dialer *d, const char *text, size_t n)
{
    (void)buf_append(&d->out, text, n);
    (void)flush_out(d);
}

static void begin_handshake(struct dialer *d)
{
    struct agent *a = d->agent;
    CLEANUP(free_p) char *target = xasprintf("%s" LINK_PATH "?container=%s", d->url.path,
                                             a->cfg.container != NULL ? a->cfg.container : "");
    CLEANUP(free_p) char *auth = xasprintf("Authorization: Bearer %s", a->cfg.token != NULL ? a->cfg.token : "");
    CLEANUP(free_p) char *boot = xasprintf("Sockerless-Boot-Id: %s", a->boot_id);
    CLEANUP(free_p) char *number = xasprintf("Sockerless-Link: %llu", (unsigned long long)++a->dials);
    const char *headers[] = {auth, "User-Agent: sockerless-agent/" PACKAGE_VERSION, "Sockerless-Protocol: 1", boot, number,
                             NULL};
    struct buf req;

    d->phase = PHASE_HANDSHAKE;
    ws_key_new(d->key);
    buf_init(&req, WS_HANDSHAKE_MAX);
    ws_client_request(&req, d->url.host_header, target, d->key, headers);
    send_text(d, buf_str(&req), req.len);
    mem_wipe(req.data, req.len);
    mem_wipe(auth, strlen(auth));
    buf_fini(&req);
}

static void on_handshake(struct dialer *d)
{
    struct skl_error err = {0};
    int status = 0;
    ssize_t head = ws_client_response(buf_str(&d->in), d->in.len, d->key, &status, &err);

    if (head == 0)
        return;
    if (head < 0) {
        fail(d, &err, status);
        return;
    }
    /* What came behind the head is the link's, and must be writable. */
    size_t rest = d->in.len - (size_t)head;
    memcpy(input, d->in.data + head, rest);
    buf_clear(&d->in);
    link_up(d, input, rest);
}

static void begin_proxy(struct dialer *d)
{
    CLEANUP(free_p) char *auth = url_basic_auth(&d->proxy);
    bool v6 = strchr(d->url.host, ':') != NULL;
    CLEANUP(free_p) char *to = xasprintf(v6 ? "[%s]:%u" : "%s:%u", d->url.host, d->url.port);
    CLEANUP(free_p) char *req = xasprintf("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", to, to, auth);

    d->phase = PHASE_PROXY;
    send_text(d, req, strlen(req));
}

static void after_connect(struct dialer *d)
{
    struct skl_error err = {0};

    if (!d->url.secure) {
        begin_handshake(d);
        return;
    }
    d->phase = PHASE_TLS;
    d->tls = tlsc_new(d->fd, d->url.host, d->agent->cfg.ca_file, d->agent->cfg.ca_pem, &err);
    if (d->tls == NULL)
        fail(d, &err, 0);
    else
        on_io(d, IO_READ | IO_WRITE);
}

static void on_proxy(struct dialer *d)
{
    const char *end = strstr(buf_str(&d->in), "\r\n\r\n");

    if (end == NULL)
        return;
    if (strncmp(d->in.data, "HTTP/1.", 7) != 0 || strncmp(d->in.data + 8, " 2", 2) != 0) {
        fail_text(d, SKL_ERR_BAD_GATEWAY, "the proxy refuses", d->in.data);
        return;
    }
    buf_clear(&d->in);
    after_connect(d);
}

/* ---- events ---- */

static void on_connected(struct dialer *d)
{
    int e = 0;
    socklen_t len = sizeof(e);

    getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &e, &len);
    if (e != 0) {
        fail_text(d, SKL_ERR_UNAVAILABLE, "connecting", strerror(e));
        return;
    }
    if (d->has_proxy)
        begin_proxy(d);
    else
        after_connect(d);
}

static void on_tls(struct dialer *d)
{
    struct skl_error err = {0};
    int rc = tlsc_handshake(d->tls, &err);

    if (rc < 0)
        fail(d, &err, 0);
    else if (rc > 0)
        begin_handshake(d);
    else
        io_want(&d->io, IO_READ | (tlsc_wants_write(d->tls) ? IO_WRITE : 0));
}

/* false: stop reading for now. */
static bool read_some(struct dialer *d)
{
    ssize_t n = sock_read(d, input, sizeof(input));

    if (n == -EAGAIN)
        return false;
    if (n <= 0) {
        fail_text(d, SKL_ERR_UNAVAILABLE, "reading", n == 0 ? "the connection was closed" : strerror((int)-n));
        return false;
    }
    if (d->phase == PHASE_UP) {
        feed_link(d, input, (size_t)n);
    } else if (buf_append(&d->in, input, (size_t)n) < 0) {
        fail_text(d, SKL_ERR_BAD_GATEWAY, "the answer to the handshake is too long", NULL);
        return false;
    } else if (d->phase == PHASE_PROXY) {
        on_proxy(d);
    } else {
        on_handshake(d);
    }
    return d->fd >= 0;
}

static void on_io(void *arg, unsigned ready)
{
    struct dialer *d = arg;

    (void)ready;
    if (d->phase == PHASE_CONNECT) {
        on_connected(d);
        return;
    }
    if (d->phase == PHASE_TLS) {
        on_tls(d);
        return;
    }
    if (flush_out(d) < 0)
        return;
    for (int i = 0; i < READS_A_TURN && d->fd >= 0 && d->phase != PHASE_TLS; i++)
        if (!read_some(d))
            break;
    if (d->phase == PHASE_UP)
        pump_link(d);
}

/* ---- addresses ---- */

static void connect_to(struct dialer *d, const struct sockaddr *sa, socklen_t len)
{
    int one = 1;

    d->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (d->fd < 0) {
        fail_text(d, SKL_ERR_INTERNAL, "making a socket", strerror(errno));
        return;
    }
    setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(d->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    io_init(d->agent->loop, &d->io, d->fd, on_io, d);
    d->io_on = true;
    d->phase = PHASE_CONNECT;
    if (connect(d->fd, sa, len) == 0 || errno == EINPROGRESS)
        io_want(&d->io, IO_WRITE);
    else
        fail_text(d, SKL_ERR_UNAVAILABLE, "connecting", strerror(errno));
}

static void on_resolved(int result, struct evutil_addrinfo *ai, void *arg)
{
    struct dialer *d = arg;

    if (result == EVUTIL_EAI_CANCEL)
        return;
    d->dns_req = NULL;
    if (result != 0 || ai == NULL)
        fail_text(d, SKL_ERR_UNAVAILABLE, "resolving the host name", evutil_gai_strerror(result));
    else
        connect_to(d, ai->ai_addr, (socklen_t)ai->ai_addrlen);
    if (ai != NULL)
        evutil_freeaddrinfo(ai);
}

static void resolve(struct dialer *d, const char *host, uint16_t port)
{
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    CLEANUP(free_p) char *found = hosts_lookup(host);
    struct sockaddr_storage ss;
    socklen_t len;
    char service[8];

    if (hosts_address(host, port, &ss, &len) || (found != NULL && hosts_address(found, port, &ss, &len))) {
        connect_to(d, (struct sockaddr *)&ss, len);
        return;
    }
    d->phase = PHASE_RESOLVE;
    if (d->dns == NULL)
        d->dns = evdns_base_new(loop_base(d->agent->loop), EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (d->dns == NULL) {
        fail_text(d, SKL_ERR_INTERNAL, "no name server: /etc/resolv.conf can't be used", NULL);
        return;
    }
    snprintf(service, sizeof(service), "%u", port);
    d->dns_req = evdns_getaddrinfo(d->dns, host, service, &hints, on_resolved, d);
}

static void dial(struct dialer *d)
{
    timer_start(&d->attempt, ATTEMPT_NS);
    d->has_proxy = url_proxy_for(&d->url, &d->proxy);
    if (d->has_proxy)
        resolve(d, d->proxy.host, d->proxy.port);
    else
        resolve(d, d->url.host, d->url.port);
}

/* ---- the door ---- */

struct dialer *dialer_new(struct agent *a)
{
    struct dialer *d = xcalloc(1, sizeof(*d));

    d->agent = a;
    d->fd = -1;
    buf_init(&d->in, WS_HANDSHAKE_MAX + READ_SIZE);
    buf_init(&d->out, 2 * LINK_SCRATCH_SIZE);
    soon_init(&d->flush, on_flush, d);
    timer_init(a->loop, &d->attempt, on_attempt, d);
    timer_init(a->loop, &d->retry, on_retry, d);
    timer_init(a->loop, &d->tick, on_tick, d);
    return d;
}

void dialer_start(struct dialer *d)
{
    struct skl_error err = {0};
    struct agent *a = d->agent;

    /* A link of the run before that is still closing gives way. */
    timer_stop(&d->retry);
    close_socket(d);
    error_set(&err, SKL_ERR_UNAVAILABLE, "a new run begins");
    drop_link(d, &err);
    d->finishing = d->was_up = false;
    d->backoff = RETRY_MIN_NS;
    d->wanted = true;
    d->until = loop_now(a->loop) + a->cfg.connect_timeout;
    if (url_parse(&d->url, a->cfg.callback_url, &d->last) < 0) {
        give_up(d, 502);
        return;
    }
    dial(d);
}

void dialer_finish(struct dialer *d, uint16_t code, const char *why)
{
    d->wanted = false;
    d->finishing = true;
    timer_stop(&d->retry);
    if (d->phase == PHASE_UP) {
        link_shutdown(d->link, code, why);
        loop_soon(d->agent->loop, &d->flush);
    } else {
        close_socket(d);
        d->phase = PHASE_IDLE;
    }
}

bool dialer_up(const struct dialer *d)
{
    return d->phase == PHASE_UP;
}
