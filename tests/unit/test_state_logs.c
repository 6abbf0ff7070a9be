/*
 * The log store: exact bytes, cursors, tails, rotation, pinned readers, what a kill -9 leaves, a full disk.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/state/fake.h"

static struct container *live(struct fake *f, const char *host_config)
{
    fake_init(f, FAKE_CAPS, true);
    return fake_running(f, "one", FAKE_CMD, host_config);
}

static void put(struct container *c, int stream, const void *p, size_t n)
{
    uint8_t head[RECORD_HEADER_SIZE];
    struct record r = {.kind = (uint8_t)stream, .len = (uint32_t)n, .time = clock_wall()};
    bool malformed;

    record_encode(&r, head);
    engine_agent_output(c, c->run, head, sizeof(head), &malformed);
    engine_agent_output(c, c->run, p, n, &malformed);
    CU_ASSERT(!malformed);
}

static void on_ready(void *arg)
{
    (*(int *)arg)++;
}

/* "1:text|2:text|" until there is no more; the last word says why. */
static const char *drain(struct log_cursor *cur)
{
    static char out[8192];
    size_t n = 0;
    struct log_record r;
    enum log_next next;

    out[0] = '\0';
    while ((next = log_cursor_next(cur, &r, NULL)) == LOG_RECORD)
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%u:%.*s|", r.stream, (int)r.len, r.data);
    snprintf(out + n, sizeof(out) - n, "%s", next == LOG_END ? "end" : next == LOG_WAIT ? "wait" : "failed");
    return out;
}

static const char *lines(struct fake *f, struct container *c, int64_t tail, bool out, bool errs)
{
    static char text[8192];
    struct log_lines_opts o = {.want_stdout = out, .want_stderr = errs, .tail = tail};
    struct log_lines *l = log_lines_open(c, &o);
    struct log_piece p;
    enum log_next next;
    size_t n = 0;

    text[0] = '\0';
    while ((next = log_lines_next(l, &p, NULL)) == LOG_RECORD || next == LOG_WAIT) {
        if (next == LOG_WAIT)
            fake_spin(f);
        else
            n += n >= sizeof(text) ? 0 : (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", p.begin ? "+" : "", (int)p.len, p.data);
    }
    log_lines_close(l);
    return text;
}

/* P-19: bytes are bytes. */
static void test_exact_bytes(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);
    struct log_cursor_opts o = {.follow = true};
    struct log_cursor *cur = log_cursor_open(c, &o);
    struct log_record r;

    put(c, RECORD_STDOUT, "\355\253\356\333\3\0", 6);
    put(c, RECORD_STDERR, "", 0);
    put(c, RECORD_STDERR, "a\r\n", 3);
    UNIT_INT_EQ(log_cursor_next(cur, &r, NULL), LOG_RECORD);
    UNIT_INT_EQ(r.len, 6);
    CU_ASSERT(memcmp(r.data, "\355\253\356\333\3\0", 6) == 0);
    UNIT_STR_EQ(drain(cur), "2:a\r\n|wait");
    log_cursor_close(cur);
    fake_fini(&f);
}

/* 2.3.7: attach to a created container gets all of its first run, and ends with it; not before the state says so. */
static void test_attach(void)
{
    struct fake f;
    struct container *c;
    int ready = 0;
    struct log_cursor_opts o = {.from_end = true, .follow = true, .wait_start = true, .pinned = true,
                                .on_ready = on_ready, .arg = &ready};
    struct log_cursor *cur, *late;

    fake_init(&f, FAKE_CAPS, true);
    c = fake_create(&f, "one", FAKE_CMD, NULL);
    cur = log_cursor_open(c, &o);
    UNIT_STR_EQ(drain(cur), "wait");
    container_start(c, NULL, NULL);
    fake_spin(&f);
    UNIT_STR_EQ(drain(cur), "wait");
    ready = 0;
    fake_output(c, RECORD_STDOUT, "x");
    late = log_cursor_open(c, &o);
    UNIT_INT_EQ(ready, 0);
    fake_spin(&f);
    UNIT_INT_EQ(ready, 1);
    UNIT_STR_EQ(drain(cur), "1:x|wait");
    fake_output(c, RECORD_STDERR, "y");
    fake_exit(c, 0);
    UNIT_STR_EQ(drain(cur), "2:y|wait"); /* the exit is known, but not yet the container's state */
    ready = 0;
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_EXITED);
    CU_ASSERT(ready > 0);
    UNIT_STR_EQ(drain(cur), "end");
    UNIT_STR_EQ(drain(late), "2:y|end");
    log_cursor_close(cur);
    log_cursor_close(late);
    fake_fini(&f);
}

/* P-23, P-24, 2.6.5: follow ends with the run; on a stopped container at once; a second run is a run of its own. */
static void test_follow(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);
    struct log_cursor_opts o = {.follow = true};
    struct log_cursor *cur = log_cursor_open(c, &o);

    fake_output(c, RECORD_STDOUT, "one");
    fake_exit(c, 0);
    fake_spin(&f);
    fake_run_ended(&f, c, SKL_END_EXIT, 0, NULL);
    container_start(c, NULL, NULL);
    fake_spin(&f);
    fake_output(c, RECORD_STDOUT, "two");
    UNIT_STR_EQ(drain(cur), "1:one|end");
    log_cursor_close(cur);
    cur = log_cursor_open(c, &o);
    UNIT_STR_EQ(drain(cur), "1:one|1:two|wait");
    fake_exit(c, 0);
    fake_spin(&f);
    UNIT_STR_EQ(drain(cur), "end");
    log_cursor_close(cur);
    cur = log_cursor_open(c, &o);
    UNIT_STR_EQ(drain(cur), "1:one|1:two|end");
    log_cursor_close(cur);
    fake_fini(&f);
}

static void test_lines(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);

    fake_output(c, RECORD_STDOUT, "a\nb\n");
    fake_output(c, RECORD_STDOUT, "c1 ");
    fake_output(c, RECORD_STDERR, "E\n");
    fake_output(c, RECORD_STDOUT, "c2\nd");
    UNIT_STR_EQ(lines(&f, c, -1, true, true), "+a\n+b\n+c1 +E\nc2\n+d");
    UNIT_STR_EQ(lines(&f, c, -1, true, false), "+a\n+b\n+c1 c2\n+d");
    UNIT_STR_EQ(lines(&f, c, -1, false, true), "+E\n");
    UNIT_STR_EQ(lines(&f, c, 0, true, true), "");
    UNIT_STR_EQ(lines(&f, c, 1, true, true), "+d");
    UNIT_STR_EQ(lines(&f, c, 2, true, false), "+c1 c2\n+d");
    UNIT_STR_EQ(lines(&f, c, 2, true, true), "+c1 c2\n+d"); /* E ended first: it is not among the last two */
    UNIT_STR_EQ(lines(&f, c, 3, true, true), "+c1 +E\nc2\n+d");
    UNIT_STR_EQ(lines(&f, c, 100, true, true), "+a\n+b\n+c1 +E\nc2\n+d");
    fake_exit(c, 0);
    fake_spin(&f);
    fake_run_ended(&f, c, SKL_END_EXIT, 0, NULL);
    container_start(c, NULL, NULL);
    fake_spin(&f);
    fake_output(c, RECORD_STDOUT, "next\n");
    UNIT_STR_EQ(lines(&f, c, 2, true, true), "+d+next\n"); /* the end of a run ends a line */
    UNIT_STR_EQ(lines(&f, c, 1, true, true), "+next\n");
    fake_fini(&f);
}

static void test_since(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);
    struct log_lines_opts o = {.want_stdout = true, .tail = -1};
    struct log_lines *l;
    struct log_piece p;

    fake_output(c, RECORD_STDOUT, "old\n");
    o.since = clock_wall();
    fake_output(c, RECORD_STDOUT, "mid\n");
    o.until = clock_wall();
    usleep(1000);
    fake_output(c, RECORD_STDOUT, "new\n");
    l = log_lines_open(c, &o);
    UNIT_INT_EQ(log_lines_next(l, &p, NULL), LOG_RECORD);
    CU_ASSERT(p.len == 4 && memcmp(p.data, "mid\n", 4) == 0 && p.begin);
    UNIT_INT_EQ(log_lines_next(l, &p, NULL), LOG_END);
    log_lines_close(l);
    fake_fini(&f);
}

/* P-20: a line of 50 KB in several records has one beginning. */
static void test_long_line(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);
    struct log_lines_opts o = {.want_stdout = true, .tail = 1};
    struct log_lines *l;
    struct log_piece p;
    char part[1000];
    size_t bytes = 0;
    int begins = 0;

    memset(part, '-', sizeof(part));
    fake_output(c, RECORD_STDOUT, "before\n");
    for (int i = 0; i < 50; i++)
        put(c, RECORD_STDOUT, part, sizeof(part));
    fake_output(c, RECORD_STDOUT, "\n");
    l = log_lines_open(c, &o);
    while (log_lines_next(l, &p, NULL) == LOG_RECORD) {
        bytes += p.len;
        begins += p.begin;
    }
    UNIT_INT_EQ(bytes, 50001);
    UNIT_INT_EQ(begins, 1);
    log_lines_close(l);
    fake_fini(&f);
}

#define SMALL "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"max-size\":\"128k\",\"max-file\":\"2\"}}}"

static void fill(struct container *c, size_t bytes)
{
    char text[1024];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    for (size_t i = 0; i < bytes / sizeof(text); i++)
        put(c, RECORD_STDOUT, text, sizeof(text));
}

static void test_rotation(void)
{
    struct fake f;
    struct container *c = live(&f, SMALL);
    struct log_cursor_opts o = {.follow = true};
    struct log_cursor *cur = log_cursor_open(c, &o);
    struct log_record r;
    uint64_t offset;
    size_t n = 0;

    fake_output(c, RECORD_STDOUT, "first\n");
    fill(c, 1024 * 1024);
    CU_ASSERT(log_size(c->log) <= 2 * (128 * 1024 + 2048));
    fake_output(c, RECORD_STDOUT, "last\n");
    offset = engine_output_offset(c);
    CU_ASSERT(offset > 1024 * 1024);
    while (log_cursor_next(cur, &r, NULL) == LOG_RECORD) /* what is left, in order, to the last */
        n = r.len;
    UNIT_INT_EQ(n, 5);
    log_cursor_close(cur);
    fake_reopen(&f);
    c = container_first(f.e);
    engine_recover(f.e, false, NULL, NULL);
    fake_spin(&f);
    UNIT_INT_EQ(engine_output_offset(c), offset); /* across segments that are gone */
    UNIT_STR_EQ(lines(&f, c, 1, true, true), "+last\n");
    fake_fini(&f);
}

/* An attached reader loses nothing: the writer waits, and goes on when the reader does. */
static void test_pinned(void)
{
    struct fake f;
    struct container *c = live(&f, SMALL);
    struct log_cursor_opts o = {.follow = true, .pinned = true};
    struct log_cursor *cur = log_cursor_open(c, &o);
    struct log_record r;
    char text[1024] = "";
    int written = 0, given = 0;
    enum log_next next;
    uint64_t offset;

    while (written < 2000) { /* in records that tell their number */
        snprintf(text, sizeof(text), "%d", written++);
        if (!fake_output(c, RECORD_STDOUT, text) || (put(c, RECORD_STDERR, text, 1000), log_is_blocked(c->log)))
            break;
    }
    CU_ASSERT(written < 400);
    CU_ASSERT(log_is_blocked(c->log));
    offset = engine_output_offset(c);
    fake_output(c, RECORD_STDOUT, "more"); /* still in flight when told to wait */
    UNIT_INT_EQ(engine_output_offset(c), offset + RECORD_HEADER_SIZE + 4);
    UNIT_INT_EQ(f.host.n_resume, 0);
    for (int round = 0; round < 20; round++) {
        while ((next = log_cursor_next(cur, &r, NULL)) == LOG_RECORD) {
            char want[32];

            snprintf(want, sizeof(want), "%d", given);
            if (r.stream != RECORD_STDOUT)
                continue;
            if (given < written)
                CU_ASSERT(r.len == strlen(want) && memcmp(r.data, want, r.len) == 0);
            given++;
        }
        UNIT_INT_EQ(next, LOG_WAIT);
        fake_spin(&f);
    }
    UNIT_INT_EQ(given, written + 1);
    CU_ASSERT(!log_is_blocked(c->log));
    UNIT_INT_EQ(f.host.n_resume, 1);
    CU_ASSERT(engine_output_offset(c) >= offset);
    log_cursor_close(cur);
    fake_fini(&f);
}

/* `run --rm` with a client that is slow: the container, and its log, are gone before the last byte was taken. */
static void test_read_on_after_the_removal(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);
    struct log_cursor_opts o = {.follow = true, .pinned = true};
    struct log_cursor *cur = log_cursor_open(c, &o);
    struct fake_result r = {0};
    struct log_record rec;
    enum log_next next;
    int given = 0;

    for (int i = 0; i < 100; i++)
        fake_output(c, RECORD_STDOUT, "a line\n");
    fake_exit(c, 0);
    fake_spin(&f);
    container_remove(c, false, false, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.calls, 1);
    CU_ASSERT_PTR_NULL(container_first(f.e));
    while ((next = log_cursor_next(cur, &rec, NULL)) == LOG_RECORD)
        given += rec.len == 7 && memcmp(rec.data, "a line\n", 7) == 0;
    UNIT_INT_EQ(next, LOG_END);
    UNIT_INT_EQ(given, 100);
    log_cursor_close(cur);
    fake_fini(&f);
}

static void test_pinned_reader_goes(void)
{
    struct fake f;
    struct container *c = live(&f, SMALL);
    struct log_cursor_opts o = {.follow = true, .pinned = true};
    struct log_cursor *cur = log_cursor_open(c, &o);

    while (fake_output(c, RECORD_STDOUT, "0123456789abcdef0123456789abcdef0123456789abcdef"))
        ;
    log_cursor_close(cur);
    fake_spin(&f);
    UNIT_INT_EQ(f.host.n_resume, 1);
    CU_ASSERT(fake_output(c, RECORD_STDOUT, "x"));
    fake_fini(&f);
}

/* Half a record of a run that is over goes; damaged bytes are cut off. */
static void test_crash(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);
    CLEANUP(free_p) char *path = NULL;
    uint8_t head[RECORD_HEADER_SIZE] = {RECORD_STDOUT, 0, 0, 0, 0, 0, 0, 9};
    bool malformed;
    FILE *file;

    fake_output(c, RECORD_STDOUT, "good\n");
    engine_agent_output(c, c->run, head, sizeof(head), &malformed);
    engine_agent_output(c, c->run, "half", 4, &malformed);
    container_kill(c, SIGKILL, NULL, NULL);
    f.host.offline = true;
    fake_spin(&f);
    fake_exit(c, 0); /* stale, ignored */
    container_remove(c, true, false, NULL, NULL);
    fake_fini(&f);

    c = live(&f, NULL);
    fake_output(c, RECORD_STDOUT, "good\n");
    path = xasprintf("%s/logs/%s/00000001.log", f.dir, c->id);
    file = fopen(path, "a");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fwrite("\0\0\0\0\0garbage, and more than a header", 1, 36, file);
    fclose(file);
    fake_reopen(&f);
    c = container_first(f.e);
    engine_recover(f.e, false, NULL, NULL);
    UNIT_INT_EQ(engine_output_offset(c), RECORD_HEADER_SIZE + 5);
    fake_output(c, RECORD_STDOUT, "next\n");
    UNIT_STR_EQ(lines(&f, c, -1, true, true), "+good\n+next\n");
    fake_fini(&f);
}

static void test_malformed(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);
    uint8_t head[RECORD_HEADER_SIZE] = {77};
    struct record mark = {.kind = RECORD_RUN, .len = 4};
    bool malformed;

    engine_agent_output(c, c->run, head, sizeof(head), &malformed);
    CU_ASSERT(malformed);
    fake_fini(&f);
    c = live(&f, NULL);
    record_encode(&mark, head); /* run marks are ours */
    engine_agent_output(c, c->run, head, sizeof(head), &malformed);
    CU_ASSERT(malformed);
    fake_fini(&f);
}

/* Split at every byte, the stream is the same. */
static void test_split(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);
    uint8_t head[RECORD_HEADER_SIZE];
    struct record r = {.kind = RECORD_STDOUT, .len = 5, .time = 1};
    bool malformed;

    record_encode(&r, head);
    for (int i = 0; i < 3; i++) {
        for (size_t k = 0; k < sizeof(head); k++)
            engine_agent_output(c, c->run, head + k, 1, &malformed);
        for (size_t k = 0; k < 5; k++)
            engine_agent_output(c, c->run, "abcd\n" + k, 1, &malformed);
    }
    UNIT_STR_EQ(lines(&f, c, -1, true, true), "+abcd\n+abcd\n+abcd\n");
    UNIT_INT_EQ(engine_output_offset(c), 3 * (RECORD_HEADER_SIZE + 5));
    fake_fini(&f);
}

static bool unblocked(void *c)
{
    return !log_is_blocked(((struct container *)c)->log);
}

/* A full disk (here: a limit on file sizes): nothing is lost, and it goes on when there is room. */
static void test_full_disk(void)
{
    struct fake f;
    struct container *c = live(&f, NULL);
    struct rlimit old, small;
    int written = 0;
    char text[200];

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 100 * 1024;
    setrlimit(RLIMIT_FSIZE, &small);
    do {
        snprintf(text, sizeof(text), "%d\n", written++);
    } while (fake_output(c, RECORD_STDOUT, text) && written < 100000);
    CU_ASSERT(written > 1000 && written < 100000);
    fake_output(c, RECORD_STDOUT, "more\n");
    fake_exit(c, 6);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING); /* the exit is not on disk yet */
    setrlimit(RLIMIT_FSIZE, &old);
    fake_run_until(&f, unblocked, c);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_EXITED);
    UNIT_INT_EQ(c->exit_code, 6);
    UNIT_STR_EQ(lines(&f, c, 1, true, true), "+more\n");
    snprintf(text, sizeof(text), "+%d\n+more\n", written - 1);
    UNIT_STR_EQ(lines(&f, c, 2, true, true), text);
    fake_fini(&f);
}

UNIT_MAIN("state_logs", UNIT(test_exact_bytes), UNIT(test_attach), UNIT(test_follow), UNIT(test_lines), UNIT(test_since),
          UNIT(test_long_line), UNIT(test_rotation), UNIT(test_pinned), UNIT(test_pinned_reader_goes), UNIT(test_read_on_after_the_removal), UNIT(test_crash),
          UNIT(test_malformed), UNIT(test_split), UNIT(test_full_disk))
