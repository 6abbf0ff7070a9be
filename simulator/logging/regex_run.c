/*
 * simulator/logging/regex_run.c - runs a compiled expression over a text: all its threads in step, so time grows with the text times the
 * program and never faster, whatever the expression.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/logging/filter.h"
#include "simulator/logging/regex.h"

#define NOTHING UINT32_MAX /* before the text, and behind it */

void regex_free(struct regex *re)
{
    if (re == NULL)
        return;
    for (size_t i = 0; i < re->n_sets; i++)
        free(re->sets[i].v);
    for (size_t i = 0; i < ARRAY_LEN(re->lists); i++) {
        free(re->lists[i].dense);
        free(re->lists[i].sparse);
    }
    free(re->sets);
    free(re->prog);
    free(re->stack);
    free(re);
}

/* A byte that begins no character stands for itself. */
static uint32_t decode(const char *s, size_t n, size_t *ret_len)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t len = utf8_sequence(s, n);

    *ret_len = len > 0 ? len : 1;
    switch (len) {
    case 2: return (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
    case 3: return (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
    case 4: return (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3f) << 12 | (uint32_t)(u[2] & 0x3f) << 6 | (u[3] & 0x3f);
    default: return u[0];
    }
}

static bool in_ranges(const struct set *set, uint32_t c)
{
    for (size_t i = 0; i < set->n; i++)
        if (c >= set->v[i].from && c <= set->v[i].to)
            return true;
    return false;
}

static bool in_set(const struct set *set, uint32_t c)
{
    bool found = in_ranges(set, c);

    if (!found && set->fold && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
        found = in_ranges(set, c ^ 32);
    return found != set->negated;
}

static bool is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool holds(uint32_t assertion, uint32_t before, uint32_t next)
{
    switch (assertion) {
    case AT_TEXT_BEGIN: return before == NOTHING;
    case AT_TEXT_END: return next == NOTHING;
    case AT_LINE_BEGIN: return before == NOTHING || before == '\n';
    case AT_LINE_END: return next == NOTHING || next == '\n';
    case AT_WORD: return is_word(before) != is_word(next);
    default: return is_word(before) == is_word(next);
    }
}

static bool has(const struct threads *t, uint32_t pc)
{
    return t->sparse[pc] < t->n && t->dense[t->sparse[pc]] == pc;
}

/* Adds the thread at pc and all it reaches without a character; true when that is the end. */
static bool add(const struct regex *re, struct threads *t, uint32_t pc, uint32_t before, uint32_t next)
{
    size_t top = 0;

    re->stack[top++] = pc;
    while (top > 0) {
        const struct inst *in;
        pc = re->stack[--top];
        if (has(t, pc))
            continue;
        t->sparse[pc] = (uint32_t)t->n;
        t->dense[t->n++] = pc;
        in = &re->prog[pc];
        if (in->op == INST_MATCH)
            return true;
        if (in->op == INST_JUMP || in->op == INST_SPLIT)
            re->stack[top++] = in->x;
        if (in->op == INST_SPLIT)
            re->stack[top++] = in->y;
        if (in->op == INST_ASSERT && holds(in->x, before, next))
            re->stack[top++] = pc + 1;
    }
    return false;
}

bool regex_search(const struct regex *re, const char *s, size_t n)
{
    struct threads now = re->lists[0], then = re->lists[1], swap;
    uint32_t before = NOTHING, c = NOTHING, next;
    size_t at = 0, len = 0, next_len = 0;

    now.n = 0;
    for (;;) {
        if (at == 0)
            c = n > 0 ? decode(s, n, &len) : NOTHING;
        if (add(re, &now, 0, before, c))
            return true;
        if (at == n)
            return false;
        next = at + len < n ? decode(s + at + len, n - at - len, &next_len) : NOTHING;
        then.n = 0;
        filter_work_add(now.n);
        for (size_t i = 0; i < now.n; i++) {
            uint32_t pc = now.dense[i];
            if (re->prog[pc].op == INST_SET && in_set(&re->sets[re->prog[pc].x], c) && add(re, &then, pc + 1, c, next))
                return true;
        }
        swap = now;
        now = then;
        then = swap;
        at += len;
        before = c;
        c = next;
        len = next_len;
    }
}
