/*
 * api/decompress.c - see decompress.h.
 *
 * libarchive pulls its input with blocking calls, so it runs in a thread of its own between two pipes; the pipes'
 * capacity is the bound on memory, and back-pressure goes through them. The loop's worker pool is not used: a client
 * that stalls would hold one of its few threads. What is decompressed is bytes, not a tar: the tar goes on to the agent
 * as it is ("raw" format).
 *
 * The thread touches nothing but its ends of the pipes and `failure`, which the loop reads after joining it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/decompress.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "loop/loop.h"

#define MAGIC_SIZE 6u
#define BLOCK ((size_t)64 * 1024)
#define PENDING_MAX ((size_t)4 * 1024 * 1024) /* one write of the body reader at most */

enum mode { MODE_UNDECIDED, MODE_PLAIN, MODE_THREAD };

struct decompress {
    struct loop *loop;
    const struct decompress_ops *ops;
    void *arg;
    enum mode mode;
    struct buf pending; /* undecided: the first bytes; thread: what the pipe had no room for */
    bool input_ended;
    bool over;
    struct soon end_soon; /* plain: the end comes later, not inside decompress_end */
    struct io in, out;
    int in_fd, out_fd;               /* the loop's ends */
    int thread_in_fd, thread_out_fd; /* the thread's, who closes them */
    pthread_t thread;
    bool has_thread;
    char failure[256];
};

/* ---- the thread ---- */
static int copy_out(struct decompress *d, struct archive *a)
{
    struct archive_entry *entry;
    char *block = xmalloc(BLOCK);
    ssize_t n;
    int rc = archive_read_next_header(a, &entry) < ARCHIVE_WARN ? -1 : 0;

    while (rc == 0 && (n = archive_read_data(a, block, BLOCK)) != 0) {
        if (n < 0)
            rc = -1;
        else if (fs_write_all(d->thread_out_fd, block, (size_t)n) < 0)
            break; /* cancelled */
    }
    free(block);
    return rc;
}

static void *thread_main(void *arg)
{
    struct decompress *d = arg;
    struct archive *a = archive_read_new();

    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_raw(a);
    if (archive_read_open_fd(a, d->thread_in_fd, BLOCK) != ARCHIVE_OK || copy_out(d, a) < 0) {
        const char *text = archive_error_string(a);
        snprintf(d->failure, sizeof(d->failure), "%s", text != NULL ? text : "damaged data");
    }
    archive_read_free(a);
    close(d->thread_in_fd);
    close(d->thread_out_fd); /* the loop sees the end */
    return NULL;
}

/* ---- the loop's side ---- */
static void finish(struct decompress *d, const struct skl_error *err)
{
    if (d->over)
        return;
    d->over = true;
    d->ops->on_end(d->arg, err);
}

static void on_plain_end(void *arg)
{
    finish(arg, NULL);
}

static void close_input(struct decompress *d)
{
    if (d->in_fd < 0)
        return;
    io_fini(&d->in);
    close(d->in_fd);
    d->in_fd = -1;
}

static void on_thread_end(struct decompress *d)
{
    struct skl_error err = {0};

    io_want(&d->out, 0);
    pthread_join(d->thread, NULL);
    d->has_thread = false;
    if (d->failure[0] == '\0') {
        finish(d, NULL);
        return;
    }
    error_set(&err, SKL_ERR_INVALID, "cannot decompress: %s", d->failure);
    finish(d, &err);
}

static void on_output(void *arg, unsigned ready)
{
    struct decompress *d = arg;
    char block[16 * 1024];
    ssize_t n = read(d->out_fd, block, sizeof(block));

    (void)ready;
    if (n > 0) {
        if (!d->ops->on_data(d->arg, block, (size_t)n))
            io_want(&d->out, 0);
    } else if (n == 0) {
        on_thread_end(d);
    }
}

/* Moves what is pending into the pipe. The thread may have given up already: then its reason follows. */
static void flush_input(struct decompress *d)
{
    while (d->pending.len > 0) {
        ssize_t n = write(d->in_fd, d->pending.data, d->pending.len);
        if (n < 0 && errno == EAGAIN)
            break;
        buf_consume(&d->pending, n < 0 ? d->pending.len : (size_t)n);
    }
    io_want(&d->in, d->pending.len > 0 ? IO_WRITE : 0);
    if (d->pending.len == 0 && d->input_ended)
        close_input(d);
}

static void on_input_room(void *arg, unsigned ready)
{
    struct decompress *d = arg;

    (void)ready;
    flush_input(d);
    if (d->pending.len == 0 && !d->input_ended)
        d->ops->on_drain(d->arg);
}

static int make_pipe(int *ret_loop, int *ret_thread, bool loop_writes)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    *ret_loop = fds[loop_writes];
    *ret_thread = fds[!loop_writes];
    return fcntl(*ret_loop, F_SETFL, O_NONBLOCK);
}

static int start_thread(struct decompress *d)
{
    if (make_pipe(&d->in_fd, &d->thread_in_fd, true) < 0 || make_pipe(&d->out_fd, &d->thread_out_fd, false) < 0) {
        close_p(&d->thread_in_fd);
        return -1;
    }
    io_init(d->loop, &d->in, d->in_fd, on_input_room, d);
    io_init(d->loop, &d->out, d->out_fd, on_output, d);
    if (pthread_create(&d->thread, NULL, thread_main, d) != 0) {
        close_p(&d->thread_in_fd);
        close_p(&d->thread_out_fd);
        return -1;
    }
    d->has_thread = true;
    io_want(&d->out, IO_READ);
    return 0;
}

static bool is_compressed(const char *p, size_t n)
{
    return (n >= 2 && memcmp(p, "\x1f\x8b", 2) == 0) || (n >= 3 && memcmp(p, "BZh", 3) == 0) ||
           (n >= 6 && memcmp(p, "\xfd" "7zXZ\0", 6) == 0) || (n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0);
}

static bool pass_plain(struct decompress *d)
{
    bool go_on = d->pending.len == 0 || d->ops->on_data(d->arg, d->pending.data, d->pending.len);

    buf_clear(&d->pending);
    return go_on;
}

static bool decide(struct decompress *d)
{
    struct skl_error err = {0};

    if (!is_compressed(d->pending.data, d->pending.len)) {
        d->mode = MODE_PLAIN;
        return pass_plain(d);
    }
    d->mode = MODE_THREAD;
    if (start_thread(d) < 0) {
        error_set_errno(&err, SKL_ERR_INTERNAL, errno, "cannot start decompression");
        finish(d, &err);
        return false;
    }
    flush_input(d);
    return d->pending.len == 0;
}

struct decompress *decompress_new(struct loop *loop, const struct decompress_ops *ops, void *arg)
{
    struct decompress *d = xcalloc(1, sizeof(*d));

    d->loop = loop;
    d->ops = ops;
    d->arg = arg;
    d->in_fd = d->out_fd = d->thread_in_fd = d->thread_out_fd = -1;
    buf_init(&d->pending, PENDING_MAX);
    soon_init(&d->end_soon, on_plain_end, d);
    return d;
}

bool decompress_write(struct decompress *d, const char *p, size_t n)
{
    if (d->over || n == 0)
        return true;
    if (d->mode == MODE_PLAIN)
        return d->ops->on_data(d->arg, p, n);
    buf_append(&d->pending, p, n);
    if (d->mode == MODE_UNDECIDED)
        return d->pending.len < MAGIC_SIZE || decide(d);
    flush_input(d);
    return d->pending.len == 0;
}

void decompress_end(struct decompress *d)
{
    if (d->input_ended || d->over)
        return;
    d->input_ended = true;
    if (d->mode == MODE_UNDECIDED && d->pending.len > 0)
        decide(d);
    if (d->mode == MODE_THREAD)
        flush_input(d);
    else
        loop_soon(d->loop, &d->end_soon);
}

void decompress_resume(struct decompress *d)
{
    if (d->mode == MODE_PLAIN && !d->input_ended)
        d->ops->on_drain(d->arg);
    else if (d->has_thread)
        io_want(&d->out, IO_READ);
}

void decompress_free(struct decompress *d)
{
    if (d == NULL)
        return;
    soon_cancel(&d->end_soon);
    close_input(d);
    if (d->out_fd >= 0) {
        io_fini(&d->out);
        close(d->out_fd);
    }
    if (d->has_thread)
        pthread_join(d->thread, NULL); /* both its pipes are closed: it ends at its next step */
    buf_fini(&d->pending);
    free(d);
}
