/*
 * Tests of base/fs.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

static char *tmp(const char *name)
{
    return fs_join(unit_tmpdir(), name);
}

static void test_read_write(void)
{
    CLEANUP(free_p) char *path = tmp("file");
    struct skl_error err = {0};
    struct stat st;
    struct buf b;

    UNIT_INT_EQ(fs_write_file_atomic(path, "0123456789", 10, 0640, &err), 0);
    CU_ASSERT_EQUAL_FATAL(stat(path, &st), 0);
    UNIT_INT_EQ(st.st_mode & 07777, 0640);
    buf_init(&b, 10);
    UNIT_INT_EQ(fs_read_file(path, &b, &err), 0);
    UNIT_STR_EQ(buf_str(&b), "0123456789");
    buf_fini(&b);
    buf_init(&b, 9);
    CU_ASSERT_TRUE(fs_read_file(path, &b, &err) < 0);
    UNIT_INT_EQ(err.kind, SKL_ERR_TOO_LARGE);
    buf_fini(&b);
    UNIT_INT_EQ(fs_write_file_atomic(path, "new", 3, 0600, &err), 0);
    buf_init(&b, 1 << 20);
    UNIT_INT_EQ(fs_read_file(path, &b, &err), 0);
    UNIT_STR_EQ(buf_str(&b), "new");
    buf_fini(&b);
}

static void test_errors(void)
{
    CLEANUP(free_p) char *path = tmp("no/such");
    struct skl_error err = {0};
    struct buf b;

    buf_init(&b, 10);
    UNIT_INT_EQ(fs_read_file(path, &b, &err), -ENOENT);
    UNIT_INT_EQ(err.kind, SKL_ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "no/such: No such file"));
    UNIT_INT_EQ(fs_write_file_atomic(path, "x", 1, 0600, &err), -ENOENT);
    buf_fini(&b);
}

static void test_mkdir_p(void)
{
    CLEANUP(free_p) char *path = tmp("a/b//c/"), *file = tmp("a/f"), *under = tmp("a/f/x");
    struct skl_error err = {0};

    UNIT_INT_EQ(fs_mkdir_p(path, 0755, &err), 0);
    UNIT_INT_EQ(fs_mkdir_p(path, 0755, &err), 0);
    UNIT_INT_EQ(access(path, F_OK), 0);
    UNIT_INT_EQ(fs_write_file_atomic(file, "", 0, 0600, &err), 0);
    UNIT_INT_EQ(fs_mkdir_p(under, 0755, &err), -ENOTDIR);
}

static void test_remove_keeps_link_targets(void)
{
    CLEANUP(free_p) char *tree = tmp("t"), *sub = tmp("t/d/e"), *kept = tmp("kept"), *inner = tmp("kept/file");
    CLEANUP(free_p) char *link = tmp("t/d/link"), *file = tmp("t/d/e/f");
    struct skl_error err = {0};

    fs_mkdir_p(sub, 0755, &err);
    fs_mkdir_p(kept, 0755, &err);
    fs_write_file_atomic(inner, "x", 1, 0600, &err);
    fs_write_file_atomic(file, "x", 1, 0600, &err);
    CU_ASSERT_EQUAL(symlink(kept, link), 0);
    UNIT_INT_EQ(fs_remove_tree(tree, &err), 0);
    UNIT_INT_EQ(access(tree, F_OK), -1);
    UNIT_INT_EQ(access(inner, F_OK), 0);
    UNIT_INT_EQ(fs_remove_tree(tree, &err), 0); /* missing: success */
    UNIT_INT_EQ(fs_remove_tree(inner, &err), 0); /* a file */
    UNIT_INT_EQ(access(inner, F_OK), -1);
}

static void test_remove_deep(void)
{
    CLEANUP(free_p) char *tree = tmp("deep");
    struct skl_error err = {0};
    int fd;

    CU_ASSERT_EQUAL(mkdir(tree, 0755), 0);
    fd = open(tree, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 1500; i++) {
        int next;

        CU_ASSERT_EQUAL_FATAL(mkdirat(fd, "directory", 0755), 0);
        next = openat(fd, "directory", O_RDONLY | O_DIRECTORY);
        CU_ASSERT_TRUE_FATAL(next >= 0);
        close(openat(next, "file", O_CREAT | O_WRONLY, 0600));
        close(fd);
        fd = next;
    }
    close(fd);
    UNIT_INT_EQ(fs_remove_tree(tree, &err), 0);
    UNIT_STR_EQ(err.message, "");
    UNIT_INT_EQ(access(tree, F_OK), -1);
}

static void test_join(void)
{
    static const char *const t[][3] = {
        {"/a", "b", "/a/b"}, {"/a/", "b", "/a/b"}, {"/", "b", "/b"}, {"a//", "/b", "a/b"}, {"", "b", "b"},
    };

    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        CLEANUP(free_p) char *s = fs_join(t[i][0], t[i][1]);
        UNIT_STR_EQ(s, t[i][2]);
    }
}

static bool keep_a(void *arg, const char *name)
{
    ++*(int *)arg;
    return name[0] == 'a';
}

static void test_sweep(void)
{
    CLEANUP(free_p) char *dir = tmp("sweep");
    CLEANUP(free_p) char *a = fs_join(dir, "a"), *deep = fs_join(dir, "b/c/d"), *b = fs_join(dir, "b");
    struct skl_error err = {0};
    struct stat st;
    int asked = 0;

    UNIT_INT_EQ(fs_mkdir_p(deep, 0700, &err), 0);
    UNIT_INT_EQ(fs_write_file_atomic(a, "x", 1, 0600, &err), 0);
    UNIT_INT_EQ(fs_sweep(dir, keep_a, &asked), 1);
    UNIT_INT_EQ(asked, 2);
    CU_ASSERT(stat(a, &st) == 0 && stat(b, &st) < 0);
    UNIT_INT_EQ(fs_sweep(deep, keep_a, &asked), 0); /* there is no such directory */
    UNIT_INT_EQ(fs_remove_tree(dir, &err), 0);
}

UNIT_MAIN("fs", UNIT(test_sweep), UNIT(test_read_write), UNIT(test_errors), UNIT(test_mkdir_p), UNIT(test_remove_keeps_link_targets),
          UNIT(test_remove_deep), UNIT(test_join))
