/*
 * base/signame.c - see signame.h. Real-time signals count from the kernel's 34 on, as in Docker's tables, whatever
 * the C library keeps for itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/signame.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "base/str.h"

#define RTMIN 34
#define RTMAX 64

static const struct {
    const char *name;
    int signo;
} names[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT},     {"ILL", SIGILL},     {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT}, {"IOT", SIGIOT},     {"BUS", SIGBUS},       {"FPE", SIGFPE},     {"KILL", SIGKILL},
    {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},   {"USR2", SIGUSR2},     {"PIPE", SIGPIPE},   {"ALRM", SIGALRM},
    {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD},   {"CLD", SIGCHLD},    {"CONT", SIGCONT},
    {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},   {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU},   {"URG", SIGURG},
    {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},   {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF},   {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"POLL", SIGPOLL},   {"PWR", SIGPWR},       {"SYS", SIGSYS},
};

static int parse_realtime(const char *s)
{
    int64_t n = 0;
    bool from_min = strncasecmp(s, "RTMIN", 5) == 0;

    if (!from_min && strncasecmp(s, "RTMAX", 5) != 0)
        return -1;
    s += 5;
    if (*s == '\0')
        return from_min ? RTMIN : RTMAX;
    if (*s != (from_min ? '+' : '-') || !str_to_i64(s + 1, 0, RTMAX - RTMIN, &n))
        return -1;
    return from_min ? RTMIN + (int)n : RTMAX - (int)n;
}

int signame_parse(const char *s)
{
    int64_t n;

    if (str_to_i64(s, 1, RTMAX, &n))
        return (int)n;
    if (strncasecmp(s, "SIG", 3) == 0)
        s += 3;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(names[i].name, s) == 0)
            return names[i].signo;
    return parse_realtime(s);
}

const char *signame_of(int signo)
{
    static char text[16];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].signo == signo) {
            snprintf(text, sizeof(text), "SIG%s", names[i].name);
            return text;
        }
    }
    if (signo < RTMIN || signo > RTMAX)
        return NULL;
    if (signo == RTMIN)
        return "SIGRTMIN";
    snprintf(text, sizeof(text), "SIGRTMIN+%d", signo - RTMIN);
    return text;
}
