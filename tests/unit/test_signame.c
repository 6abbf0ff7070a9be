/*
 * tests/unit/test_signame.c - signals by name (cases P-34).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include "base/mem.h"
#include "base/signame.h"
#include "tests/unit/harness.h"

static void test_names(void)
{
    static const struct {
        const char *text;
        int signo;
    } cases[] = {
        {"9", 9},           {"KILL", 9},     {"SIGKILL", 9},    {"sigterm", 15},  {"Term", 15},    {"RTMIN", 34},
        {"RTMIN+3", 37},    {"SIGRTMIN+3", 37}, {"RTMAX-1", 63}, {"SIGRTMAX", 64}, {"64", 64},     {"WINCH", SIGWINCH},
        {"NOPE", -1},       {"", -1},        {"0", -1},         {"65", -1},       {"-9", -1},      {"SIG", -1},
        {"RTMIN+31", -1},   {"RTMIN-1", -1}, {"RTMIN+", -1},    {" TERM", -1},    {"SIGSIGTERM", -1}, {"1.5", -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        UNIT_INT_EQ(signame_parse(cases[i].text), cases[i].signo);
}

static void test_names_of_numbers(void)
{
    UNIT_STR_EQ(signame_of(SIGTERM), "SIGTERM");
    UNIT_STR_EQ(signame_of(34), "SIGRTMIN");
    UNIT_STR_EQ(signame_of(37), "SIGRTMIN+3");
    UNIT_STR_EQ(signame_of(0), NULL);
    UNIT_STR_EQ(signame_of(65), NULL);
    for (int n = 1; n <= 64; n++)
        if (signame_of(n) != NULL)
            UNIT_INT_EQ(signame_parse(signame_of(n)), n);
}

UNIT_MAIN("signame", UNIT(test_names), UNIT(test_names_of_numbers))
