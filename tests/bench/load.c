/*
 * load SOCKET PATH CONNECTIONS SECONDS: GET requests over a unix socket, each connection one at a time and kept open. Prints one
 * JSON object: requests a second, the median and 99th percentile of the time of one in microseconds, what did not answer 200.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define TIMES_MAX (1u << 22)
#define READ_SIZE (256u * 1024)
#define HEAD_MAX 8192u

struct client {
    int fd;
    int64_t sent;
    char head[HEAD_MAX + 1]; /* the answer's, as far as it came */
    size_t head_len;
    int64_t left;            /* of a body of known length; -1: chunked */
    char tail[5];            /* a chunked body's last bytes */
    bool in_body;
};

static char request[1024], data[READ_SIZE];
static size_t request_len;
static uint32_t *times;
static size_t n_times, failed;

static int64_t now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_one(struct client *c)
{
    c->head_len = 0;
    c->in_body = false;
    c->sent = now();
    if (write(c->fd, request, request_len) != (ssize_t)request_len)
        die("write");
}

static void take_head(struct client *c)
{
    const char *length = strcasestr(c->head, "\r\nContent-Length:");

    failed += strncmp(c->head + 9, "200", 3) != 0;
    c->left = length != NULL ? strtoll(length + 17, NULL, 10) : -1;
    memset(c->tail, 0, sizeof(c->tail));
    c->in_body = true;
}

/* Whether the answer is whole. */
static bool take(struct client *c, const char *p, size_t n)
{
    if (!c->in_body) {
        size_t before = c->head_len, piece = n < HEAD_MAX - before ? n : HEAD_MAX - before;
        char *end;

        memcpy(c->head + before, p, piece);
        c->head[c->head_len = before + piece] = '\0';
        if ((end = strstr(c->head, "\r\n\r\n")) == NULL)
            return false;
        piece = (size_t)(end + 4 - c->head) - before;
        take_head(c);
        p += piece;
        n -= piece;
    }
    if (c->left >= 0)
        return (c->left -= (int64_t)n) <= 0;
    for (size_t i = n > 5 ? n - 5 : 0; i < n; i++) {
        memmove(c->tail, c->tail + 1, 4);
        c->tail[4] = p[i];
    }
    return memcmp(c->tail, "0\r\n\r\n", 5) == 0;
}

static void on_readable(struct client *c)
{
    ssize_t n = read(c->fd, data, sizeof(data));

    if (n <= 0)
        die("read");
    if (!take(c, data, (size_t)n))
        return;
    if (n_times < TIMES_MAX)
        times[n_times++] = (uint32_t)((now() - c->sent) / 1000);
    send_one(c);
}

static void open_one(struct client *c, const char *path, int epoll)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
    c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        die(path);
    send_one(c);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    int n = argc == 5 ? atoi(argv[3]) : 0, epoll = epoll_create1(0);
    struct client *clients = calloc(CONNECTIONS_MAX, sizeof(*clients));
    int64_t began, end;
    double seconds;

    if (n < 1 || n > CONNECTIONS_MAX || clients == NULL || (times = calloc(TIMES_MAX, sizeof(*times))) == NULL) {
        fprintf(stderr, "usage: load SOCKET PATH CONNECTIONS SECONDS\n");
        return 2;
    }
    request_len = (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: docker\r\n\r\n", argv[2]);
    began = now();
    end = began + atoi(argv[4]) * INT64_C(1000000000);
    for (int i = 0; i < n; i++)
        open_one(&clients[i], argv[1], epoll);
    while (now() < end) {
        struct epoll_event ev[64];
        int ready = epoll_wait(epoll, ev, 64, 1000);

        for (int i = 0; i < ready; i++)
            on_readable(ev[i].data.ptr);
    }
    seconds = (double)(now() - began) / 1e9;
    qsort(times, n_times, sizeof(*times), by_value);
    printf("{\"rate\": %.1f, \"median\": %u, \"p99\": %u, \"failed\": %zu}\n", (double)n_times / seconds, n_times ? times[n_times / 2] : 0,
           n_times ? times[n_times * 99 / 100] : 0, failed);
    for (int i = 0; i < n; i++)
        close(clients[i].fd);
    close(epoll);
    free(clients);
    free(times);
    return 0;
}
