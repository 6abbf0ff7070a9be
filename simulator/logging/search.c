/*
 * simulator/logging/search.c - all texts of an entry, and SEARCH(): words and phrases in them, whole and in any case.
 *
 * SEARCH("a b") finds entries with both words, wherever they stand; `a b` in backticks, the words in that order side by side.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "simulator/logging/filter.h"
#include "simulator/logging/logging.h"

#define LOWER_ON_STACK 1024

static uint64_t work;

uint64_t filter_work(void)
{
    return work;
}

void filter_work_add(uint64_t n)
{
    work += n;
}

bool text_has(const char *s, size_t n, const char *want, size_t len)
{
    char stack[LOWER_ON_STACK], *low = n <= sizeof(stack) ? stack : xmalloc(n);
    bool found;

    filter_work_add(n);
    for (size_t i = 0; i < n; i++)
        low[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 32) : s[i];
    found = len == 0 || memmem(low, n, want, len) != NULL;
    if (low != stack)
        free(low);
    return found;
}

/* ---- all texts ---- */

typedef bool text_fn(const void *arg, const char *s, size_t n, bool key);

bool json_any_text(struct json_object *v, text_fn *fn, const void *arg)
{
    switch (json_object_get_type(v)) {
    case json_type_null: return false;
    case json_type_string: return fn(arg, json_object_get_string(v), (size_t)json_object_get_string_len(v), false);
    case json_type_array:
        for (size_t i = 0; i < json_object_array_length(v); i++)
            if (json_any_text(json_object_array_get_idx(v, i), fn, arg))
                return true;
        return false;
    case json_type_object: {
        json_object_object_foreach(v, key, item)
            if (fn(arg, key, strlen(key), true) || json_any_text(item, fn, arg))
                return true;
        return false;
    }
    default: {
        const char *s = json_object_to_json_string(v);
        return fn(arg, s, strlen(s), false);
    }
    }
}

bool entry_any_text(const struct log_entry *e, text_fn *fn, const void *arg)
{
    const char *severity = log_severity_name(e->severity);

    return (e->text != NULL && fn(arg, e->text, e->text_len, false)) || fn(arg, e->log_name, strlen(e->log_name), false) ||
           fn(arg, e->insert_id, strlen(e->insert_id), false) || fn(arg, severity, strlen(severity), false) ||
           json_any_text(e->resource, fn, arg) || json_any_text(e->labels, fn, arg) || json_any_text(e->rest, fn, arg);
}

/* ---- SEARCH ---- */

static bool is_word(char c)
{
    return (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct term {
    const char *s, *end;   /* of the query: one word, or the words of a phrase */
    bool phrase;
};

static bool next_term(const char **p, struct term *t)
{
    while (**p != '\0' && **p != '`' && !is_word(**p))
        (*p)++;
    if (**p == '\0')
        return false;
    t->phrase = **p == '`';
    *p += t->phrase;
    t->s = *p;
    while (**p != '\0' && (t->phrase ? **p != '`' : is_word(**p)))
        (*p)++;
    t->end = *p;
    *p += t->phrase && **p == '`';
    return true;
}

/* The word at or behind p: its length; p is moved to it. 0: none. */
static size_t word_at(const char **p, const char *end)
{
    const char *q;

    while (*p < end && !is_word(**p))
        (*p)++;
    for (q = *p; q < end && is_word(*q);)
        q++;
    return (size_t)(q - *p);
}

/* Whether all words of the term follow one another from s on. */
static bool follows(const struct term *t, const char *s, const char *end)
{
    const char *want = t->s;
    size_t n;

    while ((n = word_at(&want, t->end)) > 0) {
        if (word_at(&s, end) != n || strncasecmp(s, want, n) != 0)
            return false;
        want += n;
        s += n;
    }
    return true;
}

static bool term_in(const void *arg, const char *s, size_t len, bool key)
{
    const char *end = s + len;
    size_t n;

    (void)key;
    filter_work_add(len);
    for (; (n = word_at(&s, end)) > 0; s += n)
        if (follows(arg, s, end))
            return true;
    return false;
}

static bool in_field(const struct node *n, const struct log_entry *e, struct term *t)
{
    struct json_object *v;

    switch (n->top->special) {
    case LOG_TEXT: return e->text != NULL && term_in(t, e->text, e->text_len, false);
    case LOG_NAME: return term_in(t, e->log_name, strlen(e->log_name), false);
    case LOG_INSERT_ID: return term_in(t, e->insert_id, strlen(e->insert_id), false);
    case LOG_RESOURCE: v = e->resource; break;
    case LOG_LABELS: v = e->labels; break;
    default: v = json_member(e->rest, n->top->name);
    }
    for (size_t i = 1; i < n->n_path && v != NULL; i++)
        v = json_object_is_type(v, json_type_object) ? json_member(v, n->path[i]) : NULL;
    return json_any_text(v, term_in, t);
}

bool search_matches(const struct node *n, const struct log_entry *e)
{
    const char *p = n->value.text;
    struct term t;

    while (next_term(&p, &t))
        if (!(n->n_path > 0 ? in_field(n, e, &t) : entry_any_text(e, term_in, &t)))
            return false;
    return true;
}
