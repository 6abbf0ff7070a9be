/*
 * base/log.c - see log.h.
 *
 * A line is put together in a buffer on the stack and leaves in one write(2), so lines of several threads and
 * processes don't mix. Under systemd (JOURNAL_STREAM is set) a line begins with the priority that the journal
 * understands, and the time stamp is left to it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"

#define LOG_TEXT_MAX 3000   /* of the message, before escaping; longer ones are cut */
#define LOG_LINE_MAX 8192

static _Atomic int current_level = LOG_LEVEL_INFO;
static const char *program = "";

static const struct {
    const char *name;
    int priority; /* syslog's */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARN] = {"warn", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

void log_set_level(enum log_level level)
{
    atomic_store(&current_level, level);
}

enum log_level log_get_level(void)
{
    return atomic_load(&current_level);
}

bool log_level_parse(const char *s, enum log_level *ret)
{
    for (size_t i = 0; s != NULL && i < ARRAY_LEN(levels); i++) {
        if (strcmp(s, levels[i].name) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_program(const char *name)
{
    program = name;
}

/* Copies text with control characters as \n, \t or \xHH: a line stays a line, a terminal stays sane. */
static size_t put_escaped(char *out, size_t room, const char *text)
{
    size_t n = 0;

    for (; *text != '\0' && n + 4 < room; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= 0x20 && c != 0x7f) {
            out[n++] = (char)c;
        } else if (c == '\n' || c == '\t') {
            out[n++] = '\\';
            out[n++] = c == '\n' ? 'n' : 't';
        } else {
            n += (size_t)snprintf(out + n, room - n, "\\x%02x", c);
        }
    }
    return n;
}

static size_t put_head(char *out, size_t room, enum log_level level, const char *component)
{
    char now[TIME_RFC3339_SIZE];
    const char *slash = program[0] != '\0' && component[0] != '\0' ? "/" : "";

    if (getenv("JOURNAL_STREAM") != NULL)
        return (size_t)snprintf(out, room, "<%d>%s: ", levels[level].priority, component);
    time_format_log(clock_wall(), now);
    memcpy(now + 23, "Z", 2); /* milliseconds are enough here */
    return (size_t)snprintf(out, room, "%s %-5s %.64s%s%.64s: ", now, levels[level].name, program, slash, component);
}

static void write_line(const char *line, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, line, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* nobody listens, and there is nowhere else to say so */
        line += done;
        n -= (size_t)done;
    }
}

void log_write(enum log_level level, const char *component, const char *fmt, ...)
{
    char text[LOG_TEXT_MAX], line[LOG_LINE_MAX];
    int saved = errno, len;
    size_t n;
    va_list ap;

    if (level > log_get_level())
        return;
    va_start(ap, fmt);
    len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (len < 0)
        return;
    n = put_head(line, sizeof(line), level, component);
    n += put_escaped(line + n, sizeof(line) - n - 4, text);
    if ((size_t)len >= sizeof(text) || n + 8 >= sizeof(line)) {
        memcpy(line + n, "...", 3);
        n += 3;
    }
    line[n++] = '\n';
    write_line(line, n);
    errno = saved;
}
