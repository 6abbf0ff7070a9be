/*
 * tests/unit/test_sim_regex.c - regular expressions of filters: RE2's syntax, its errors, and no expression that takes for ever.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "harness.h"
#include "simulator/logging/filter.h"

static const struct {
    const char *re, *text;
    bool found;
} cases[] = {
    {"", "", true}, {"", "x", true}, {"abc", "xabcx", true}, {"abc", "ab", false}, {"a.c", "abc", true}, {"a.c", "a\nc", false},
    {"(?s)a.c", "a\nc", true}, {"^abc$", "abc", true}, {"^abc$", "abcd", false}, {"^b", "a\nb", false}, {"(?m)^b", "a\nb", true},
    {"a$", "a\nb", false}, {"(?m)a$", "a\nb", true}, {"\\Ab", "ab", false}, {"a\\z", "ba", true}, {"a|b|c", "xxc", true}, {"^(a|b|c)$", "d", false},
    {"^(?:ab|a)c$", "abc", true}, {"^a*$", "aaaa", true}, {"^a+$", "", false}, {"^a?$", "aa", false}, {"^a{2}$", "aa", true}, {"^a{2}$", "aaa", false},
    {"^a{2,}$", "aaaaa", true}, {"^a{2,3}$", "aaaa", false}, {"^a{0}$", "", true}, {"^a{2,3}?$", "aaa", true}, {"a{,2}", "a{,2}", true},
    {"^[abc]+$", "cab", true}, {"^[^abc]+$", "xyz", true}, {"^[^abc]$", "a", false}, {"^[a-c]+$", "abd", false}, {"^[]a]+$", "]a", true},
    {"^[a-]+$", "a-", true}, {"^[\\]x]+$", "]x", true}, {"^[\\d_]+$", "12_", true}, {"^[[:alpha:]]+$", "aB", true}, {"^[[:^alpha:]]+$", "aB", false},
    {"^[[:digit:][:space:]]+$", "1 2", true}, {"^\\d+\\s\\w+$", "12 ab_", true}, {"^\\D\\S\\W$", "ab-", true}, {"\\bcat\\b", "a cat.", true},
    {"\\bcat\\b", "concat", false}, {"\\Bcat", "concat", true}, {"(?i)HeLLo", "hEllO", true}, {"(?i:h)ello", "Hello", true},
    {"(?i:h)ello", "HELLO", false}, {"(?i)[a-c]+$", "ABC", true}, {"(?i)[^a]", "A", false}, {"x(?i)y", "xY", true}, {"(x(?i)y)z", "xYZ", false},
    {"(?P<n>a)b", "ab", true}, {"(?<n>a)b", "ab", true}, {"\\.\\*\\[", "a.*[", true}, {"\\x41\\x{42}", "AB", true}, {"\\101", "A", true},
    {"\\Qa.b\\E+", "a.bb", true}, {"\\Qa.b", "axb", false}, {"^.$", "\xc3\xbc", true}, {"^[\xc3\xa0-\xc3\xbf]$", "\xc3\xbc", true}, {"^..$", "\xff\xfe", true},
    {"^(a*)*$", "aaa", true}, {"^(a|aa)+$", "aaaaaaa", true}, {"(|a)+b", "b", true}, {"^(){1000}$", "", true}, {"^\\t\\n$", "\t\n", true},
    {"}]", "}]", true}, {"[^\\n]", "\n", false},
};

static void test_matching(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct skl_error err = {0};
        struct regex *re = regex_new(cases[i].re, &err);
        CU_ASSERT_PTR_NOT_NULL(re);
        if (re == NULL || regex_search(re, cases[i].text, strlen(cases[i].text)) != cases[i].found)
            printf("# %s on '%s': %s\n", cases[i].re, cases[i].text, err.message);
        CU_ASSERT(re != NULL && regex_search(re, cases[i].text, strlen(cases[i].text)) == cases[i].found);
        regex_free(re);
    }
}

static const struct {
    const char *re, *error;
} bad[] = {
    {"(a", "missing ): (a"}, {"a)", "unexpected ): a)"}, {"[a", "missing ]: [a"}, {"*a", "no argument for repetition operator: *"},
    {"a|*", "no argument for repetition operator: *"}, {"(+)", "no argument for repetition operator: +"}, {"a**", "bad repetition operator: **"},
    {"a{2}{3}", "bad repetition operator: {2}{3}"}, {"a{1001}", "invalid repetition size: {1001}"}, {"a{3,2}", "invalid repetition size: {3,2}"},
    {"[z-a]", "invalid character class range: z-a"}, {"[[:nope:]]", "invalid character class range: [:nope:]"}, {"\\y", "invalid escape sequence: \\y"},
    {"\\1", "invalid escape sequence: \\1"}, {"\\pL", "invalid escape sequence: \\p"}, {"a\\", "trailing \\ at end of regexp: "},
    {"(?=a)", "invalid perl operator: (?="}, {"(?<!a)", "invalid perl operator: (?<"}, {"\\x4", "invalid escape sequence: \\x4"},
    {"((a{1000}){1000}){1000}", "pattern too large - compile failed: "}, {"((((((){1000}){1000}){1000}){1000}){1000})", "pattern too large - compile failed: "},
};

static void test_errors(void)
{
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct skl_error err = {0};
        CU_ASSERT_PTR_NULL(regex_new(bad[i].re, &err));
        UNIT_STR_EQ(err.message, bad[i].error);
    }
}

/* Backtracking would take longer than there is time. */
static void test_time(void)
{
    static const char *const hard[] = {"^(a+)+$", "(a|a)*b", "(.*)(.*)(.*)(.*)(.*)x$", "^(a?){500}a{500}$"};
    CLEANUP(free_p) char *text = xcalloc(1, 20001);

    memset(text, 'a', 20000);
    text[19999] = '!';
    for (size_t i = 0; i < ARRAY_LEN(hard); i++) {
        struct skl_error err = {0};
        struct regex *re = regex_new(hard[i], &err);
        CU_ASSERT_FALSE(regex_search(re, text, i == 3 ? 400 : 20000));
        regex_free(re);
    }
}

static void test_depth(void)
{
    char text[4096];
    struct skl_error err = {0};

    memset(text, '(', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    CU_ASSERT_PTR_NULL(regex_new(text, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "nests too deeply"));
}

UNIT_MAIN("sim_regex", UNIT(test_matching), UNIT(test_errors), UNIT(test_time), UNIT(test_depth))
