/*
 * state/log.c - the writing side of the log store. See logstore.h.
 *
 * Records are written as they come, whole or not, so the length of the files tells where the run is to be resumed.
 * The writer goes along over the bytes to know where records end, for three reasons: segments begin at record boundaries, the
 * RECORD_EXIT must be seen, and bytes that aren't records must be refused.
 *
 * When bytes can't be written now, they stay in `pending` (and count as taken), the link is told to wait, and the rest
 * goes out when the disk has room or the pinned reader has moved on. A RECORD_EXIT is acted on only when it is on disk.
 *
 * A log at rest costs one struct: the directory is read when somebody wants to know.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "state/log_internal.h"

static char *log_dir(const struct log *l)
{
    return fs_join(l->ls->dir, l->c->id);
}

static char *segment_path(const struct log *l, unsigned no)
{
    return xasprintf("%s/%s/%08u.log", l->ls->dir, l->c->id, no);
}

/* ---- segments ---- */

struct segment *segment_first(const struct log *l)
{
    return list_empty(&l->segments) ? NULL : LIST_ENTRY(l->segments.next, struct segment, link);
}

struct segment *segment_last(const struct log *l)
{
    return list_empty(&l->segments) ? NULL : LIST_ENTRY(l->segments.prev, struct segment, link);
}

struct segment *segment_next(const struct segment *s)
{
    return s->link.next == &s->log->segments ? NULL : LIST_ENTRY(s->link.next, struct segment, link);
}

static struct segment *segment_add(struct log *l, unsigned no, uint64_t size)
{
    struct segment *s = xcalloc(1, sizeof(*s));

    s->log = l;
    s->no = no;
    s->fd = -1;
    s->size = size;
    list_push_back(&l->segments, &s->link);
    l->n_segments++;
    return s;
}

int segment_open_fd(struct segment *s, struct skl_error *err)
{
    if (s->fd < 0) {
        CLEANUP(free_p) char *path = segment_path(s->log, s->no);

        s->fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
        if (s->fd < 0)
            return error_set_errno(err, SKL_ERR_INTERNAL, errno, "cannot open %s", path);
    }
    return 0;
}

void segment_unuse(struct segment *s)
{
    bool writing = s->log->w != NULL && s == segment_last(s->log);

    if (s->log->deleted) /* the descriptor is all that is left of it */
        return;
    if (s->fd >= 0 && s->readers == 0 && !writing) {
        close(s->fd);
        s->fd = -1;
    }
}

static void segment_free(struct segment *s)
{
    struct logstore *ls = s->log->ls;

    if (ls->scratch_seg == s)
        ls->scratch_seg = NULL;
    if (s->fd >= 0)
        close(s->fd);
    list_remove(&s->link);
    s->log->n_segments--;
    free(s);
}

static void put_be(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static int header_write(int fd, const struct segment_header *h)
{
    uint8_t out[SEGMENT_HEADER_SIZE] = {0};

    memcpy(out, SEGMENT_MAGIC, 8);
    put_be(out + 8, h->run, 4);
    put_be(out + 16, h->run_offset, 8);
    return fs_write_all(fd, out, sizeof(out));
}

static bool header_read(int fd, struct segment_header *ret)
{
    uint8_t in[SEGMENT_HEADER_SIZE];

    if (pread(fd, in, sizeof(in), 0) != (ssize_t)sizeof(in) || memcmp(in, SEGMENT_MAGIC, 8) != 0)
        return false;
    ret->run = (uint32_t)get_be(in + 8, 4);
    ret->run_offset = get_be(in + 16, 8);
    return true;
}

/* A new segment at the end. -errno when the disk doesn't let us. */
static int segment_new(struct log *l)
{
    struct segment *last = segment_last(l);
    unsigned no = last != NULL ? last->no + 1 : 1;
    CLEANUP(free_p) char *path = segment_path(l, no);
    struct segment_header h = {.run = l->run, .run_offset = l->run_offset};
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0 && errno == ENOENT) {
        CLEANUP(free_p) char *dir = log_dir(l);

        if (mkdir(dir, 0700) == 0 || errno == EEXIST)
            fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    }
    if (fd < 0)
        return -errno;
    rc = header_write(fd, &h);
    if (rc < 0) {
        close(fd);
        unlink(path);
        return rc;
    }
    segment_add(l, no, SEGMENT_HEADER_SIZE)->fd = fd;
    if (last != NULL)
        segment_unuse(last);
    return 0;
}

static void segment_drop(struct segment *s)
{
    CLEANUP(free_p) char *path = segment_path(s->log, s->no);

    cursors_leave(s->log, s);
    unlink(path);
    segment_free(s);
}

/* ---- reading the directory ---- */

static int by_number(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return x < y ? -1 : x > y;
}

static size_t segment_numbers(const char *dir, unsigned **ret)
{
    DIR *d = opendir(dir);
    struct dirent *de;
    size_t n = 0;

    *ret = NULL;
    while (d != NULL && (de = readdir(d)) != NULL) {
        unsigned no;
        char tail[8];

        if (sscanf(de->d_name, "%8u.%4s", &no, tail) != 2 || strcmp(tail, "log") != 0 || no == 0)
            continue;
        *ret = xrealloc(*ret, (n + 1) * sizeof(**ret));
        (*ret)[n++] = no;
    }
    if (d != NULL)
        closedir(d);
    if (n > 0)
        qsort(*ret, n, sizeof(**ret), by_number);
    return n;
}

/* Goes over the records of the newest segment: which run it is, how many bytes of it there are. What doesn't decode
 * is cut off. */
static void segment_scan(struct log *l, struct segment *s)
{
    struct segment_header h;
    uint64_t off = SEGMENT_HEADER_SIZE;
    uint64_t run_begin;

    if (segment_open_fd(s, NULL) < 0 || !header_read(s->fd, &h))
        return;
    l->run = h.run;
    run_begin = off - h.run_offset; /* may wrap: only differences count */
    while (off < s->size) {
        uint8_t in[RECORD_HEADER_SIZE + 4];
        ssize_t n = pread(s->fd, in, sizeof(in), (off_t)off);
        struct record r;

        if (n < (ssize_t)RECORD_HEADER_SIZE || off + RECORD_HEADER_SIZE > s->size)
            break; /* half a head: more may come */
        if (record_decode(in, &r) < 0) {
            log_error("state", "log of container %.12s: %llu bytes that are no records cut off", l->c->id,
                      (unsigned long long)(s->size - off));
            if (ftruncate(s->fd, (off_t)off) == 0)
                s->size = off;
            break;
        }
        if (off + RECORD_HEADER_SIZE + r.len > s->size)
            break; /* half a record */
        off += RECORD_HEADER_SIZE + r.len;
        if (r.kind == RECORD_RUN && r.len == 4 && n == (ssize_t)sizeof(in)) {
            l->run = (uint32_t)get_be(in + RECORD_HEADER_SIZE, 4);
            run_begin = off;
        }
    }
    l->run_offset = s->size - run_begin;
    l->half = s->size - off;
}

void log_load(struct log *l)
{
    CLEANUP(free_p) char *dir = log_dir(l);
    CLEANUP(free_p) unsigned *numbers = NULL;
    size_t n;

    if (l->loaded)
        return;
    l->loaded = true;
    n = segment_numbers(dir, &numbers);
    for (size_t i = 0; i < n; i++) {
        CLEANUP(free_p) char *path = segment_path(l, numbers[i]);
        struct stat st;

        if (stat(path, &st) < 0)
            continue;
        if (st.st_size < (off_t)SEGMENT_HEADER_SIZE) { /* the daemon was killed while making it */
            unlink(path);
            continue;
        }
        segment_add(l, numbers[i], (uint64_t)st.st_size);
    }
    if (segment_last(l) != NULL) {
        segment_scan(l, segment_last(l));
        segment_unuse(segment_last(l));
    }
}

/* ---- the writer ---- */

static int64_t max_size(const struct log *l)
{
    int64_t n = l->limits.max_size > 0 ? l->limits.max_size : LOG_DEFAULT_MAX_SIZE;

    return n < LOG_MIN_MAX_SIZE ? LOG_MIN_MAX_SIZE : n;
}

static unsigned max_files(const struct log *l)
{
    return l->limits.max_files > 0 ? l->limits.max_files : LOG_DEFAULT_MAX_FILES;
}

static bool at_boundary(const struct writer *w)
{
    return w->head_len == 0 && !w->in_payload;
}

/* 0: there is room in the newest segment. 1: a pinned reader must move on first. -errno: the disk. */
static int make_room(struct log *l)
{
    struct segment *last = segment_last(l);
    int rc;

    if (last != NULL && (int64_t)last->size < max_size(l))
        return last->fd >= 0 || segment_open_fd(last, NULL) == 0 ? 0 : -EIO;
    if (l->n_segments >= max_files(l) && cursors_pin(l, segment_first(l)))
        return 1;
    rc = segment_new(l);
    if (rc < 0)
        return rc;
    while (l->n_segments > max_files(l))
        segment_drop(segment_first(l));
    return 0;
}

/* Writes to the newest segment. Returns the bytes written, or -errno. */
static ssize_t put_bytes(struct log *l, const uint8_t *p, size_t n)
{
    struct segment *s = segment_last(l);
    size_t done = 0;

    while (done < n) {
        ssize_t k = write(s->fd, p + done, n - done);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            if (done == 0)
                return k < 0 ? -errno : -EIO;
            break;
        }
        done += (size_t)k;
    }
    s->size += done;
    return (ssize_t)done;
}

static void payload_step(struct writer *w, const uint8_t *p, size_t n)
{
    if (n > 0 && w->kind == RECORD_EXIT && w->exit_len + n <= sizeof(w->exit_payload)) {
        memcpy(w->exit_payload + w->exit_len, p, n);
        w->exit_len += n;
    }
    w->left -= (uint32_t)n;
    if (w->left > 0)
        return;
    w->in_payload = false;
    w->head_len = 0;
    if (w->kind == RECORD_EXIT) {
        w->exited = record_exit_decode(w->exit_payload, w->exit_len, &w->exit) == 0;
        w->exit_time = w->time;
    }
}

static int head_done(struct writer *w)
{
    struct record r;

    if (record_decode(w->head, &r) < 0 || r.kind == RECORD_RUN ||
        (r.kind == RECORD_EXIT && (r.len < 12 || r.len > sizeof(w->exit_payload))))
        return -1;
    w->kind = r.kind;
    w->left = r.len;
    w->time = r.time;
    w->in_payload = true;
    w->exit_len = 0;
    payload_step(w, NULL, 0); /* an empty record ends here */
    return 0;
}

/* Goes on over p until the segment is to be changed, or a RECORD_EXIT ends. Returns how far, or -1: no records. */
static ssize_t walk(struct writer *w, const uint8_t *p, size_t n, uint64_t room)
{
    size_t i = 0;

    while (i < n) {
        if (w->exited)
            return -1; /* nothing may follow */
        if (at_boundary(w) && i >= room)
            break;
        if (w->in_payload) {
            size_t k = n - i < w->left ? n - i : w->left;

            payload_step(w, p + i, k);
            i += k;
            continue;
        }
        w->head[w->head_len++] = p[i++];
        if (w->head_len == RECORD_HEADER_SIZE && head_done(w) < 0)
            return -1;
    }
    return (ssize_t)i;
}

static void on_retry(void *arg);

static void hold_back(struct writer *w, const uint8_t *p, size_t n, size_t walked, int rc)
{
    if (buf_append(&w->pending, p, n) < 0) /* the link ignores what it is told; the run can't be kept complete */
        log_error("state", "log of container %.12s: more output than can be held back; %zu bytes are lost",
                  w->l->c->id, n);
    w->walked = walked;
    if (rc < 0) {
        if (!w->complained)
            log_error("state", "log of container %.12s can't be written: %s; trying again", w->l->c->id, strerror(-rc));
        w->complained = true;
        timer_start(&w->retry, LOG_RETRY_NS);
    }
}

/* The first `walked` bytes were gone over in an earlier try. 0: all written; 1: some held back; -1: malformed. */
static int write_out(struct writer *w, const uint8_t *p, size_t n, size_t walked)
{
    struct log *l = w->l;

    while (n > 0) {
        size_t k = walked;
        ssize_t done;

        if (k == 0) {
            int rc = at_boundary(w) ? make_room(l) : 0;
            struct segment *s = segment_last(l);
            ssize_t far;

            if (rc != 0) {
                hold_back(w, p, n, 0, rc);
                return 1;
            }
            far = walk(w, p, n, (int64_t)s->size < max_size(l) ? (uint64_t)max_size(l) - s->size : 0);
            if (far < 0)
                return -1;
            k = (size_t)far;
        }
        done = put_bytes(l, p, k);
        if (done > 0)
            l->run_offset += (uint64_t)done;
        if (done < 0 || (size_t)done < k) {
            size_t taken = done > 0 ? (size_t)done : 0;

            hold_back(w, p + taken, n - taken, k - taken, done < 0 ? (int)done : -ENOSPC);
            return 1;
        }
        walked = 0;
        p += k;
        n -= k;
    }
    return 0;
}

/* Tries what was held back. true: all of it is written. */
static bool flush(struct writer *w)
{
    struct buf old = w->pending;
    int rc;

    if (old.len == 0)
        return true;
    timer_stop(&w->retry);
    buf_init(&w->pending, LOG_PENDING_MAX);
    rc = write_out(w, (const uint8_t *)old.data, old.len, w->walked);
    buf_fini(&old);
    if (rc < 0)
        log_error("state", "log of container %.12s: output that is no records is dropped", w->l->c->id);
    log_notify(w->l);
    if (w->pending.len == 0)
        w->complained = false;
    return w->pending.len == 0;
}

static void on_retry(void *arg)
{
    struct writer *w = arg;
    struct container *c = w->l->c;

    if (flush(w))
        machine_log_room(c);
}

void log_reader_moved(struct log *l)
{
    if (l->w != NULL && l->w->pending.len > 0 && !timer_armed(&l->w->retry))
        timer_start(&l->w->retry, 0); /* not here: we are inside a reader's call */
}

bool log_append(struct log *l, const void *p, size_t n, bool *ret_malformed)
{
    struct writer *w = l->w;
    int rc;

    *ret_malformed = false;
    if (w == NULL)
        return true; /* between runs: stale */
    if (w->pending.len > 0) {
        hold_back(w, p, n, w->walked, 0);
        return false;
    }
    rc = write_out(w, p, n, 0);
    *ret_malformed = rc < 0;
    log_notify(l);
    return rc == 0;
}

bool log_is_blocked(const struct log *l)
{
    return l->w != NULL && l->w->pending.len > 0;
}

bool log_run_exit(const struct log *l, struct record_exit *ret, int64_t *ret_time)
{
    /* walked, but still to be written: not known yet */
    if (l->w == NULL || !l->w->exited || l->w->pending.len > 0)
        return false;
    if (ret != NULL)
        *ret = l->w->exit;
    if (ret_time != NULL)
        *ret_time = l->w->exit_time;
    return true;
}

uint64_t log_run_offset(const struct log *l)
{
    return l->run_offset + (l->w != NULL ? l->w->pending.len : 0);
}

size_t log_run_half(const struct log *l, uint8_t head[RECORD_HEADER_SIZE], uint32_t *ret_left)
{
    const struct writer *w = l->w;

    *ret_left = w != NULL && w->in_payload ? w->left : 0;
    if (w != NULL)
        memcpy(head, w->head, w->head_len);
    return w != NULL ? w->head_len : 0;
}

/* ---- runs ---- */

static void writer_new(struct log *l)
{
    struct writer *w = xcalloc(1, sizeof(*w));

    w->l = l;
    buf_init(&w->pending, LOG_PENDING_MAX);
    timer_init(l->ls->e->loop, &w->retry, on_retry, w);
    l->w = w;
}

static void writer_free(struct writer *w)
{
    timer_fini(&w->retry);
    buf_fini(&w->pending);
    w->l->w = NULL;
    free(w);
}

uint64_t writer_half(const struct writer *w)
{
    if (!w->in_payload)
        return w->head_len;
    return RECORD_HEADER_SIZE + get_be(w->head + 4, 4) - w->left;
}

/* Half a record at the end, of a run that is over: off with it. */
static void cut_half_record(struct log *l, uint64_t half)
{
    struct segment *s = segment_last(l);

    l->half = 0;
    if (half == 0 || s == NULL || half > s->size - SEGMENT_HEADER_SIZE || segment_open_fd(s, NULL) < 0 ||
        ftruncate(s->fd, (off_t)(s->size - half)) < 0)
        return;
    s->size -= half;
    if (l->ls->scratch_seg == s)
        l->ls->scratch_seg = NULL;
}

static int write_run_mark(struct log *l, uint32_t run, struct skl_error *err)
{
    uint8_t mark[RECORD_HEADER_SIZE + 4];
    struct record r = {.kind = RECORD_RUN, .len = 4, .time = clock_wall()};
    struct segment *s;
    int rc = make_room(l);

    if (rc > 0) /* one segment too many for a while is better than no run */
        rc = segment_new(l);
    if (rc < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, -rc, "cannot begin the log of container %.12s", l->c->id);
    record_encode(&r, mark);
    put_be(mark + RECORD_HEADER_SIZE, run, 4);
    s = segment_last(l);
    rc = fs_write_all(s->fd, mark, sizeof(mark));
    if (rc < 0) {
        if (ftruncate(s->fd, (off_t)s->size) < 0)
            log_error("state", "log of container %.12s: cannot undo a failed write", l->c->id);
        return error_set_errno(err, SKL_ERR_INTERNAL, -rc, "cannot begin the log of container %.12s", l->c->id);
    }
    s->size += sizeof(mark);
    return 0;
}

int log_run_begin(struct log *l, uint32_t run, struct skl_error *err)
{
    log_load(l);
    cut_half_record(l, l->half);
    if (write_run_mark(l, run, err) < 0) {
        if (segment_last(l) != NULL)
            segment_unuse(segment_last(l));
        return -1;
    }
    log_debug("state", "log of container %.12s: run %u begins", l->c->id, run);
    if (l->w != NULL)
        writer_free(l->w);
    writer_new(l);
    l->run = run;
    l->run_offset = 0;
    l->live = true;
    log_notify(l);
    return 0;
}

/* The writer's position is that of the end of the last segment: go over its records once more. */
static void writer_catch_up(struct writer *w, struct segment *s)
{
    uint64_t off = SEGMENT_HEADER_SIZE;

    while (off < s->size) {
        uint8_t head[RECORD_HEADER_SIZE];
        size_t avail = s->size - off < sizeof(head) ? (size_t)(s->size - off) : sizeof(head);
        struct record r;
        uint64_t part;

        if (pread(s->fd, head, avail, (off_t)off) != (ssize_t)avail)
            return;
        if (avail < sizeof(head)) {
            memcpy(w->head, head, avail);
            w->head_len = avail;
            return;
        }
        if (record_decode(head, &r) < 0)
            return;
        off += sizeof(head);
        part = s->size - off < r.len ? s->size - off : r.len;
        if (r.kind == RECORD_RUN) {
            w->exited = false;
        } else if (r.kind == RECORD_EXIT || part < r.len) {
            uint8_t payload[sizeof(w->exit_payload)];

            memcpy(w->head, head, sizeof(head));
            w->head_len = sizeof(head);
            if (head_done(w) < 0)
                return;
            if (r.kind == RECORD_EXIT && pread(s->fd, payload, part, (off_t)off) == (ssize_t)part)
                payload_step(w, payload, part);
            else if (r.kind != RECORD_EXIT)
                w->left -= (uint32_t)part;
        }
        off += part;
    }
}

int log_run_resume(struct log *l, uint32_t run, struct skl_error *err)
{
    log_load(l);
    if (l->run != run || segment_last(l) == NULL) /* killed before the mark was written */
        return log_run_begin(l, run, err);
    if (segment_open_fd(segment_last(l), err) < 0)
        return -1;
    writer_new(l);
    l->live = true;
    writer_catch_up(l->w, segment_last(l));
    log_debug("state", "log of container %.12s: run %u goes on at byte %llu", l->c->id, run,
              (unsigned long long)l->run_offset);
    l->half = 0;
    return 0;
}

void log_run_end(struct log *l)
{
    if (l->w != NULL) {
        if (l->w->pending.len > 0 && !flush(l->w))
            log_error("state", "log of container %.12s: the last %zu bytes could not be written", l->c->id,
                      l->w->pending.len);
        if (l->w->pending.len == 0)
            cut_half_record(l, writer_half(l->w));
        writer_free(l->w);
        segment_unuse(segment_last(l));
    }
    l->live = false;
    log_notify(l);
}

void log_set_limits(struct log *l, const struct log_limits *limits)
{
    l->limits = *limits;
    if (l->limits.max_files > LOG_MAX_FILES)
        l->limits.max_files = LOG_MAX_FILES;
}

/* ---- life ---- */

struct log *log_new(struct logstore *ls, struct container *c)
{
    struct log *l = xcalloc(1, sizeof(*l));

    l->ls = ls;
    l->c = c;
    list_init(&l->segments);
    list_init(&l->cursors);
    return l;
}

void log_free(struct log *l)
{
    if (l == NULL)
        return;
    if (l->w != NULL)
        writer_free(l->w);
    while (segment_first(l) != NULL)
        segment_free(segment_first(l));
    free(l);
}

/* Whoever is still reading (the client of a `run --rm` that ended before its last byte was taken) reads on to the end: what
 * stands before it lives until the last reference to the container goes. */
void log_delete(struct log *l)
{
    CLEANUP(free_p) char *dir = log_dir(l);
    struct skl_error err;

    if (l->w != NULL)
        writer_free(l->w);
    l->live = false;
    l->loaded = true;
    l->deleted = true;
    while (segment_first(l) != NULL && segment_first(l)->readers == 0 && !cursors_before(l))
        segment_free(segment_first(l));
    for (struct segment *s = segment_first(l); s != NULL; s = segment_next(s))
        if (segment_open_fd(s, &err) < 0)
            log_warn("state", "%s", err.message);
    log_notify(l);
    if (fs_remove_tree(dir, &err) < 0)
        log_warn("state", "log of container %.12s: %s", l->c->id, err.message);
}

uint64_t log_size(struct log *l)
{
    uint64_t total = 0;

    log_load(l);
    for (struct segment *s = segment_first(l); s != NULL; s = segment_next(s))
        total += s->size;
    return total;
}

bool log_has_capture(struct log *l)
{
    log_load(l);
    return !list_empty(&l->segments);
}

bool log_is_live(const struct log *l)
{
    return l->live;
}

struct logstore *logstore_new(struct engine *e)
{
    struct logstore *ls = xcalloc(1, sizeof(*ls));

    ls->e = e;
    ls->dir = fs_join(e->state_dir, "logs");
    return ls;
}

static bool is_known(void *arg, const char *name)
{
    return container_by_id(arg, name) != NULL;
}

void logstore_sweep(struct logstore *ls)
{
    size_t n = fs_sweep(ls->dir, is_known, ls->e);

    if (n > 0)
        log_info("state", "removed %zu logs of containers that are gone", n);
}

void logstore_free(struct logstore *ls)
{
    if (ls == NULL)
        return;
    free(ls->scratch);
    free(ls->dir);
    free(ls);
}
