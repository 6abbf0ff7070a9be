/*
 * tests/fuzz/fuzz_state_output.c - what an agent sends as its output: bytes in pieces. Whatever they are, the log
 * holds whole records only, a cursor gives back exactly what was taken, and after a restart the offset is the same.
 * First byte: the size of the pieces.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "state/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct engine *engine;
static char dir[] = "/tmp/skl-fuzz-output-XXXXXX";

static void clean_up(void)
{
    struct loop *loop = engine_loop(engine);

    engine_close(engine);
    loop_free(loop);
    fs_remove_tree(dir, NULL);
}

static void set_up(void)
{
    struct engine_opts opts = {.loop = loop_new(NULL), .state_dir = dir};

    log_set_level(LOG_LEVEL_ERROR);
    if (mkdtemp(dir) == NULL || engine_open(&opts, &engine, NULL) < 0)
        abort();
    atexit(clean_up);
}

static struct container *fresh(const char *id, uint64_t max_size)
{
    struct container *c = container_new(engine);
    struct log_limits limits = {.max_size = (int64_t)max_size, .max_files = 3};

    memcpy(c->id, id, strlen(id) + 1);
    log_set_limits(c->log, &limits);
    return c;
}

static uint64_t read_all(struct container *c)
{
    struct log_cursor_opts o = {0};
    struct log_cursor *cur = log_cursor_open(c, &o);
    struct log_record r;
    uint64_t bytes = 0;
    enum log_next next;

    while ((next = log_cursor_next(cur, &r, NULL)) == LOG_RECORD) {
        if (r.len == 0 || r.len > RECORD_PAYLOAD_MAX)
            abort();
        bytes += r.len + RECORD_HEADER_SIZE;
    }
    if (next != LOG_END)
        abort();
    log_cursor_close(cur);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct container *c, *again;
    size_t piece = size > 0 && data[0] > 0 ? data[0] : 1;
    uint64_t offset;
    bool malformed = false;

    if (size == 0)
        return 0;
    if (engine == NULL)
        set_up();
    c = fresh("0123456789abcdef", 0);
    if (log_run_begin(c->log, 1, NULL) < 0)
        abort();
    for (size_t at = 1; at < size && !malformed; at += piece)
        log_append(c->log, data + at, size - at < piece ? size - at : piece, &malformed);
    offset = log_run_offset(c->log);
    if (offset > size - 1 || read_all(c) > offset)
        abort();
    again = fresh("0123456789abcdef", 0);
    if (log_run_resume(again->log, 1, NULL) < 0 || log_run_offset(again->log) != offset)
        abort();
    container_unref(again);
    log_run_end(c->log);
    read_all(c);
    log_delete(c->log);
    container_unref(c);
    return 0;
}
