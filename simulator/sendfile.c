/*
 * simulator/sendfile.c - a file as an answer, read as fast as the client takes it; one range of it when asked for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/parse.h"
#include "simulator/storage.h"

#define PIECE (256u * 1024)

struct sending {
    struct http_req *req;
    int fd;
    uint64_t left;
    struct soon go;
    char piece[PIECE];
};

static void sending_end(struct sending *t, bool well)
{
    http_res_on_drain(t->req, NULL, NULL);
    soon_cancel(&t->go);
    if (well)
        http_res_end(t->req);
    else
        http_res_abort(t->req);
    close(t->fd);
    free(t);
}

static void pump(void *arg)
{
    struct sending *t = arg;

    while (t->left > 0 && http_res_writable(t->req)) {
        ssize_t n = http_req_gone(t->req) ? -1 : read(t->fd, t->piece, t->left < PIECE ? (size_t)t->left : PIECE);
        if (n <= 0) {
            sending_end(t, false);
            return;
        }
        http_res_write(t->req, t->piece, (size_t)n);
        t->left -= (uint64_t)n;
    }
    if (t->left == 0)
        sending_end(t, true);
}

static void on_gone(void *arg)
{
    struct sending *t = arg;

    loop_soon(http_req_loop(t->req), &t->go); /* it finds the client gone */
}

void send_file(struct sim_call *c, const char *path, const char *content_type)
{
    struct http_req *req = c->req;
    struct sending *t;
    int fd = open(path, O_RDONLY | O_CLOEXEC), status = 200;
    uint64_t from = 0, n;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0)
            close(fd);
        call_fail(c, 404, "NOT_FOUND", "No such object.");
        return;
    }
    n = (uint64_t)st.st_size;
    if (range_read(http_req_header(req, "Range"), n, &from, &n)) {
        status = 206;
        http_res_header(req, "Content-Range", "bytes %llu-%llu/%lld", (unsigned long long)from, (unsigned long long)(from + n - 1), (long long)st.st_size);
    }
    call_end(c, status);
    http_res_header(req, "Accept-Ranges", "bytes");
    if (str_eq(http_req_method(req), "HEAD")) {
        http_res_begin(req, status, content_type, HTTP_RES_LENGTH, (int64_t)n);
        http_res_end(req);
        close(fd);
        return;
    }
    (void)lseek(fd, (off_t)from, SEEK_SET);
    t = xcalloc(1, sizeof(*t));
    t->req = req;
    t->fd = fd;
    t->left = n;
    soon_init(&t->go, pump, t);
    http_req_on_gone(req, on_gone, t);
    http_res_begin(req, status, content_type, HTTP_RES_LENGTH, (int64_t)n);
    http_res_on_drain(req, pump, t);
    pump(t);
}
