/*
 * Tests of base/log: what reaches stderr.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/harness.h"

static char seen[16384];

/* Runs fn with stderr going into `seen`. */
static void capture(void (*fn)(void))
{
    int pipe_fds[2], saved = dup(STDERR_FILENO);
    ssize_t n;

    CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    fn();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipe_fds[1]);
    n = read(pipe_fds[0], seen, sizeof(seen) - 1);
    seen[n > 0 ? n : 0] = '\0';
    close(pipe_fds[0]);
}

static void log_plain(void)
{
    log_info("http", "request path=%s", "/x");
}

static void test_line(void)
{
    unsetenv("JOURNAL_STREAM");
    log_set_program("prog");
    capture(log_plain);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen, "Z info  prog/http: request path=/x\n"));
    CU_ASSERT_TRUE(strlen(seen) > 24 && seen[10] == 'T' && seen[23] == 'Z');
}

static void test_journal_prefix(void)
{
    setenv("JOURNAL_STREAM", "8:1", 1);
    capture(log_plain);
    unsetenv("JOURNAL_STREAM");
    UNIT_STR_EQ(seen, "<6>http: request path=/x\n");
}

static void log_forged(void)
{
    log_warn("api", "%s", "one\ntwo\x1b[31m\ttab\x7f gr\xC3\xBC");
}

static void test_control_characters(void)
{
    capture(log_forged);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen, "one\\ntwo\\x1b[31m\\ttab\\x7f gr\xC3\xBC\n"));
    CU_ASSERT_PTR_EQUAL(strchr(seen, '\n'), seen + strlen(seen) - 1);
}

static void log_long(void)
{
    CLEANUP(free_p) char *text = xmalloc(100001);

    memset(text, '\n', 100000);
    text[100000] = '\0';
    log_error("x", "%s", text);
}

static void test_long_line(void)
{
    capture(log_long);
    CU_ASSERT_TRUE(strlen(seen) < 8192 + 1);
    UNIT_STR_EQ(seen + strlen(seen) - 6, "\\n...\n");
}

static void log_debugs(void)
{
    log_debug("x", "quiet");
    log_write(LOG_LEVEL_DEBUG, "x", "quiet");
}

static void test_levels(void)
{
    enum log_level l;

    log_set_level(LOG_LEVEL_INFO);
    capture(log_debugs);
    UNIT_STR_EQ(seen, "");
    CU_ASSERT_TRUE(log_level_parse("debug", &l) && l == LOG_LEVEL_DEBUG);
    CU_ASSERT_FALSE(log_level_parse("loud", &l));
    CU_ASSERT_FALSE(log_level_parse(NULL, &l));
    log_set_level(LOG_LEVEL_DEBUG);
    capture(log_debugs);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen, "quiet"));
}

UNIT_MAIN("log", UNIT(test_line), UNIT(test_journal_prefix), UNIT(test_control_characters), UNIT(test_long_line),
          UNIT(test_levels))
