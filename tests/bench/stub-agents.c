/*
 * stub-agents PORT: many agents in one process, for tests/bench/many-links. Reads "ID TOKEN" lines on stdin; for each one an agent dials
 * 127.0.0.1:PORT and runs a process that does nothing until it gets a signal, which it dies of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/link.h"
#include "wire/record.h"
#include "wire/ws.h"

#define STUBS_MAX 20000u
#define ID_LENGTH 64
#define TICK_MS 1000
#define DIED 143 /* of SIGTERM, whatever was sent */

struct stub {
    int fd;
    char id[ID_LENGTH + 1], key[WS_KEY_SIZE];
    struct buf handshake;         /* what came of the answer */
    struct link *link;            /* NULL: handshake */
    int64_t tick;
    struct h2_stream *out;        /* the daemon reads the output */
    uint8_t exit[RECORD_HEADER_SIZE + 12 + RECORD_EXIT_REASON_MAX];
    size_t exit_len;              /* 0: it runs */
    bool said_hello, leaving;
};

static struct stub *stubs[STUBS_MAX];
static size_t n_stubs;
static int epoll_fd;
static struct sockaddr_in daemon_at;
static uint8_t scratch[LINK_SCRATCH_SIZE], input[64 * 1024];

/* ---- bodies ---- */

static ssize_t pull_output(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    struct stub *s = arg;

    (void)max;
    *ret_eof = s->exit_len > 0;
    *ret_p = s->exit;
    return s->exit_len > 0 ? (ssize_t)s->exit_len : H2_BODY_WAIT;
}

static ssize_t pull_events(void *arg, size_t max, const uint8_t **ret_p, bool *ret_eof)
{
    static const char hello[] = "{\"event\":\"hello\"}\n";
    struct stub *s = arg;

    (void)max;
    *ret_eof = false;
    if (s->said_hello)
        return H2_BODY_WAIT;
    s->said_hello = true;
    *ret_p = (const uint8_t *)hello;
    return sizeof(hello) - 1;
}

static void die(struct stub *s)
{
    struct record_exit x = {.code = DIED, .signal = DIED - 128};
    uint8_t payload[12 + RECORD_EXIT_REASON_MAX];
    struct record r = {.kind = RECORD_EXIT, .len = (uint32_t)record_exit_encode(&x, payload), .time = clock_wall()};

    record_encode(&r, s->exit);
    memcpy(s->exit + RECORD_HEADER_SIZE, payload, r.len);
    s->exit_len = RECORD_HEADER_SIZE + r.len;
    if (s->out != NULL)
        h2_stream_resume(s->out);
}

/* ---- requests ---- */

static void on_out_close(void *arg, struct h2_stream *st, const struct skl_error *err)
{
    struct stub *s = arg;

    (void)err;
    if (s->out == st)
        s->out = NULL;
}

static const struct h2_stream_ops plain;
static const struct h2_stream_ops output_ops = {.on_close = on_out_close};

static void answer_hello(struct stub *s, struct h2_stream *st)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "{\"protocol\":1,\"version\":\"stub\",\"container\":\"%s\",\"boot_id\":\"%.32s\",\"link\":1,\"invocation\":1,\"pid\":1,"
                     "\"terminating\":false,\"hostname\":\"stub\",\"kernel\":\"stub\",\"nproc\":1,\"mem_total\":0,"
                     "\"process\":{\"state\":\"idle\",\"run\":0},\"execs\":[]}",
                     s->id, s->id);

    h2_respond_bytes(st, 200, "application/json", text, (size_t)n);
}

static void on_request(void *arg, struct h2_stream *st, const struct h2_head *head)
{
    static const char *const started[] = {"sockerless-pid", "1", "sockerless-cwd", "/", NULL};
    struct stub *s = arg;

    h2_stream_set_ops(st, &plain, s);
    if (str_eq(head->path, "/hello")) {
        answer_hello(s, st);
    } else if (str_eq(head->path, "/events")) {
        h2_respond(st, 200, NULL, &(struct h2_body){pull_events, s});
    } else if (str_starts(head->path, "/process?") || str_starts(head->path, "/process/output")) {
        s->out = st;
        h2_stream_set_ops(st, &output_ops, s);
        h2_respond(st, 200, started, &(struct h2_body){pull_output, s});
    } else if (str_starts(head->path, "/process/signal")) {
        h2_respond(st, 204, NULL, NULL);
        die(s);
    } else if (str_eq(head->path, "/process/finish")) {
        h2_respond(st, 204, NULL, NULL);
        s->leaving = true;
    } else {
        h2_respond(st, 501, NULL, NULL);
    }
}

static const struct h2_ops link_ops = {.on_request = on_request};

/* ---- connections ---- */

static void stub_end(struct stub *s)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
    close(s->fd);
    s->fd = -1;
    if (s->link != NULL)
        link_free(s->link);
    s->link = NULL;
    buf_fini(&s->handshake);
}

static void flush(struct stub *s)
{
    const uint8_t *p;
    size_t n;

    while (s->link != NULL && (n = link_output(s->link, scratch, sizeof(scratch), &p)) > 0)
        if (fs_write_all(s->fd, p, n) < 0) {
            stub_end(s);
            return;
        }
    if (s->link != NULL && s->leaving) {
        s->leaving = false;
        link_shutdown(s->link, WS_CLOSE_NORMAL, "the run is over");
        flush(s);
    } else if (s->link != NULL && link_is_done(s->link)) {
        stub_end(s);
    }
}

static void feed(struct stub *s, void *p, size_t n)
{
    struct skl_error err = {0};

    if (n > 0 && link_feed(s->link, p, n, clock_mono(), &err) < 0) {
        stub_end(s);
        return;
    }
    flush(s);
}

static void on_handshake(struct stub *s)
{
    struct link_opts opts = {.role = LINK_AGENT};
    struct skl_error err = {0};
    int status = 0;
    ssize_t head = ws_client_response(buf_str(&s->handshake), s->handshake.len, s->key, &status, &err);
    size_t rest;

    if (head == 0)
        return;
    if (head < 0) {
        fprintf(stderr, "stub-agents: %.12s: %d %s\n", s->id, status, err.message);
        stub_end(s);
        return;
    }
    rest = s->handshake.len - (size_t)head;
    memcpy(input, s->handshake.data + head, rest);
    s->link = link_new(&opts, &link_ops, s);
    feed(s, input, rest);
}

static void on_readable(struct stub *s)
{
    ssize_t n = recv(s->fd, input, sizeof(input), MSG_DONTWAIT);

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            stub_end(s);
    } else if (s->link != NULL) {
        feed(s, input, (size_t)n);
    } else {
        (void)buf_append(&s->handshake, input, (size_t)n);
        on_handshake(s);
    }
}

static void dial(const char *id, const char *token)
{
    CLEANUP(free_p) char *target = xasprintf(LINK_PATH "?container=%s", id), *auth = xasprintf("Authorization: Bearer %s", token);
    CLEANUP(free_p) char *boot = xasprintf("Sockerless-Boot-Id: %.32s", id);
    const char *headers[] = {auth, "User-Agent: stub", "Sockerless-Protocol: 1", boot, "Sockerless-Link: 1", NULL};
    struct stub *s = xcalloc(1, sizeof(*s));
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = s};
    struct buf req;

    snprintf(s->id, sizeof(s->id), "%.*s", ID_LENGTH, id);
    buf_init(&s->handshake, WS_HANDSHAKE_MAX + sizeof(input));
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ws_key_new(s->key);
    buf_init(&req, WS_HANDSHAKE_MAX);
    ws_client_request(&req, "127.0.0.1", target, s->key, headers);
    if (s->fd < 0 || n_stubs == STUBS_MAX || connect(s->fd, (struct sockaddr *)&daemon_at, sizeof(daemon_at)) < 0 ||
        fs_write_all(s->fd, req.data, req.len) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &ev) < 0) {
        perror("stub-agents: dialling");
        exit(1);
    }
    buf_fini(&req);
    stubs[n_stubs++] = s;
}

/* false: no more will come. */
static bool read_lines(void)
{
    static char text[64 * 1024];
    static size_t len;
    ssize_t n = read(STDIN_FILENO, text + len, sizeof(text) - len - 1);
    char *line = text, *end;

    if (n <= 0)
        return n < 0 && errno == EINTR;
    text[len += (size_t)n] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
        char *space = strchr(line, ' ');
        *end = '\0';
        if (space != NULL) {
            *space = '\0';
            dial(line, space + 1);
        }
        line = end + 1;
    }
    len -= (size_t)(line - text);
    memmove(text, line, len);
    return true;
}

static void ticks(void)
{
    int64_t now = clock_mono();

    for (size_t i = 0; i < n_stubs; i++) {
        struct stub *s = stubs[i];
        if (s->link == NULL || now < s->tick)
            continue;
        s->tick = link_tick(s->link, now, NULL);
        if (s->tick < 0)
            stub_end(s);
        else
            flush(s);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event lines = {.events = EPOLLIN};
    bool more = true;

    if (argc != 2) {
        fprintf(stderr, "usage: stub-agents PORT <LINES\n");
        return 2;
    }
    fs_raise_open_files();
    daemon_at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &lines);
    while (more) {
        struct epoll_event ev[256];
        int n = epoll_wait(epoll_fd, ev, 256, TICK_MS);

        for (int i = 0; i < n; i++) {
            struct stub *s = ev[i].data.ptr;
            if (s == NULL)
                more = read_lines();
            else if (s->fd >= 0)
                on_readable(s);
        }
        ticks();
    }
    return 0;
}
