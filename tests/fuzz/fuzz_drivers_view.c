/*
 * tests/fuzz/fuzz_drivers_view.c - tars that clients staged and agents sent, read back through the view. Whatever they hold, the
 * answer is a tar whose names, those of hard links too, lie below what was asked for.
 * First byte: the path that is asked for. Second: how the tar is there (an upload, twice, kept at the end).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/staging-internal.h"
#include "loop/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID "c0ffee"

static const struct {
    const char *path, *name; /* as asked for; what all names of the answer begin with */
} asked[] = {{"/", "."}, {"/.", "."}, {"/a", "a"}, {"/a/", "a"}, {"/a/.", "."}, {"/a/b", "b"}, {"/l/b", "b"}, {"/w/x/h", "h"}};

static struct loop *loop;
static struct staging *staging;
static char dir[] = "/tmp/skl-fuzz-view-XXXXXX";
static const char *name;

static void clean_up(void)
{
    staging_free(staging);
    loop_free(loop);
    fs_remove_tree(dir, NULL);
}

static void set_up(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new(NULL);
    if (mkdtemp(dir) == NULL || (staging = staging_new(loop, dir, NULL)) == NULL)
        abort();
    atexit(clean_up);
}

static void put(const char *file, const void *p, size_t n)
{
    CLEANUP(free_p) char *path = xasprintf("%s/" ID "/%s", dir, file);

    if (fs_write_file_atomic(path, p, n, 0600, NULL) < 0)
        abort();
}

static void lay_out(unsigned how, const uint8_t *tar, size_t n)
{
    static const char at_root[] = "{\"path\":\"/\"}", below_w[] = "{\"path\":\"/w/x\"}";
    CLEANUP(free_p) char *top = fs_join(dir, ID);
    struct staging_exit x = {.run = 1, .after = 1};

    (void)fs_remove_tree(top, NULL);
    if (fs_mkdir_p(top, 0700, NULL) < 0)
        abort();
    put("1.tar", tar, n);
    put("1.json", at_root, strlen(at_root));
    if ((how & 1) != 0) {
        put("2.tar", tar, n);
        put("2.json", below_w, strlen(below_w));
    }
    if ((how & 2) == 0)
        return;
    put("exit-1-0.tar", tar, n);
    staging_exit_add_path(&x, (how & 4) != 0 ? "/a" : "/*/b");
    staging_exit_add_tar(&x, "exit-1-0.tar", "/");
    if (staging_exit_store(staging, ID, &x, NULL) < 0)
        abort();
    staging_exit_fini(&x);
}

static void check_name(const char *s)
{
    size_t n = strlen(name);

    if (s == NULL || strncmp(s, name, n) != 0 || (s[n] != '\0' && s[n] != '/') || strstr(s, "/../") != NULL)
        abort();
}

static void check_tar(int fd)
{
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    int rc;

    archive_read_support_format_tar(a);
    archive_read_support_format_empty(a);
    if (archive_read_open_fd(a, fd, 64 * 1024) != ARCHIVE_OK)
        abort();
    while ((rc = archive_read_next_header(a, &e)) >= ARCHIVE_WARN && rc != ARCHIVE_EOF) {
        check_name(archive_entry_pathname(e));
        if (archive_entry_hardlink(e) != NULL)
            check_name(archive_entry_hardlink(e));
    }
    if (rc != ARCHIVE_EOF)
        abort();
    archive_read_free(a);
}

static void on_view(void *arg, const struct skl_error *err, const char *stat_json, int fd)
{
    (void)arg;
    if (err == NULL && (stat_json == NULL || stat_json[0] != '{'))
        abort();
    if (fd >= 0) {
        check_tar(fd);
        close(fd);
    }
    loop_stop(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (loop == NULL)
        set_up();
    lay_out(data[1], data + 2, size - 2);
    name = asked[data[0] % ARRAY_LEN(asked)].name;
    staging_view(staging, ID, asked[data[0] % ARRAY_LEN(asked)].path, (data[0] & 0x80) != 0, on_view, NULL);
    loop_run(loop);
    return 0;
}
