/*
 * simulator/logging/regex.h - what the compiler of regular expressions (regex.c) and what runs them (regex_run.c) share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_REGEX_H
#define SKL_SIM_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGEX_PROGRAM_MAX 5000u
#define REGEX_DEPTH_MAX 200u
#define REGEX_REPEAT_MAX 1000u  /* RE2's */

enum inst_op { INST_SET, INST_ASSERT, INST_SPLIT, INST_JUMP, INST_MATCH };
enum assertion { AT_TEXT_BEGIN, AT_TEXT_END, AT_LINE_BEGIN, AT_LINE_END, AT_WORD, AT_NO_WORD };
struct range {
    uint32_t from, to;
};
struct set {
    struct range *v;
    size_t n;
    bool negated, fold; /* fold: ASCII letters of either case */
};
struct inst {
    enum inst_op op;
    uint32_t x, y;      /* SET: which; ASSERT: which; SPLIT: both ways; JUMP: x */
};
struct threads {        /* a sparse set of places in the program */
    uint32_t *dense, *sparse;
    size_t n;
};
struct regex {
    struct inst *prog;
    size_t n_prog;
    struct set *sets;
    size_t n_sets;
    struct threads lists[2];
    uint32_t *stack;
};

#endif
