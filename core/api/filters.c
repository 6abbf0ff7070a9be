/*
 * api/filters.c - see filters.h. Texts of errors are moby's (api/types/filters).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "api/filters.h"
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#define FILTERS_TEXT_MAX (64u * 1024)
#define FILTERS_VALUES_MAX 1024u   /* of one key */
#define FILTER_PATTERN_MAX 256u

static int fail(struct skl_error *err, const char *key)
{
    if (key == NULL)
        return error_set(err, SKL_ERR_INVALID, "invalid filter");
    return error_set(err, SKL_ERR_INVALID, "invalid filter '%s'", key);
}

static int add_value(struct filter *f, const char *v, size_t len, struct skl_error *err)
{
    if (f->n >= FILTERS_VALUES_MAX || strlen(v) != len)
        return fail(err, f->key);
    f->values[f->n++] = xstrdup(v);
    return 0;
}

static int add_list(struct filter *f, struct json_object *list, struct skl_error *err)
{
    size_t n = json_object_array_length(list);

    f->values = xcalloc(n + 1, sizeof(*f->values));
    for (size_t i = 0; i < n; i++) {
        struct json_object *v = json_object_array_get_idx(list, i);
        if (!json_object_is_type(v, json_type_string))
            return fail(err, NULL);
        if (add_value(f, json_object_get_string(v), (size_t)json_object_get_string_len(v), err) < 0)
            return -1;
    }
    return 0;
}

static int add_map(struct filter *f, struct json_object *map, struct skl_error *err)
{
    f->values = xcalloc((size_t)json_object_object_length(map) + 1, sizeof(*f->values));
    json_object_object_foreach(map, key, v)
    {
        if (!json_object_is_type(v, json_type_boolean))
            return fail(err, NULL);
        if (add_value(f, key, strlen(key), err) < 0)
            return -1;
    }
    return 0;
}

static bool is_allowed(const char *const *allowed, const char *key)
{
    if (allowed == NULL)
        return true;
    for (; *allowed != NULL; allowed++)
        if (strcmp(*allowed, key) == 0)
            return true;
    return false;
}

static int add_key(struct filters *ret, const char *key, struct json_object *v, struct skl_error *err)
{
    struct filter *f = &ret->items[ret->n++];

    f->key = xstrdup(key);
    if (json_object_is_type(v, json_type_array))
        return add_list(f, v, err);
    if (json_object_is_type(v, json_type_object))
        return add_map(f, v, err);
    f->values = xcalloc(1, sizeof(*f->values));
    return v == NULL ? 0 : fail(err, NULL);
}

static int read_object(struct filters *ret, struct json_object *top, const char *const *allowed,
                       struct skl_error *err)
{
    ret->items = xcalloc((size_t)json_object_object_length(top) + 1, sizeof(*ret->items));
    json_object_object_foreach(top, key, v)
    {
        if (add_key(ret, key, v, err) < 0)
            return -1;
        if (!is_allowed(allowed, key))
            return fail(err, key);
    }
    return 0;
}

int filters_parse(const char *text, const char *const *allowed, struct filters *ret, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *top = NULL;
    bool was_null = false;

    *ret = (struct filters){0};
    if (str_empty(text))
        return 0;
    top = json_parse(text, strlen(text), FILTERS_TEXT_MAX, JSON_WANT_OBJECT, &was_null, NULL);
    if (top == NULL)
        return was_null ? 0 : fail(err, NULL);
    if (read_object(ret, top, allowed, err) == 0)
        return 0;
    filters_fini(ret);
    return -1;
}

void filters_fini(struct filters *f)
{
    for (size_t i = 0; i < f->n; i++) {
        for (size_t k = 0; k < f->items[i].n; k++)
            free(f->items[i].values[k]);
        free(f->items[i].values);
        free(f->items[i].key);
    }
    free(f->items);
    *f = (struct filters){0};
}

const struct filter *filters_get(const struct filters *f, const char *key)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->items[i].n > 0 && strcmp(f->items[i].key, key) == 0)
            return &f->items[i];
    return NULL;
}

bool filters_has(const struct filters *f, const char *key)
{
    return filters_get(f, key) != NULL;
}

static bool match_any(const struct filters *f, const char *key, const char *v,
                      bool (*test)(const char *v, const char *wanted))
{
    const struct filter *k = filters_get(f, key);

    if (k == NULL)
        return true;
    for (size_t i = 0; i < k->n; i++)
        if (test(v, k->values[i]))
            return true;
    return false;
}

static bool is_substring(const char *v, const char *wanted)
{
    return strstr(v, wanted) != NULL;
}

bool filters_match_exact(const struct filters *f, const char *key, const char *v)
{
    return match_any(f, key, v, str_eq);
}

bool filters_match_prefix(const struct filters *f, const char *key, const char *v)
{
    return match_any(f, key, v, str_starts);
}

bool filters_match_substring(const struct filters *f, const char *key, const char *v)
{
    return match_any(f, key, v, is_substring);
}

static bool label_holds(const char *wanted, const char *(*get)(void *arg, const char *label), void *arg)
{
    const char *eq = strchr(wanted, '=');
    CLEANUP(free_p) char *name = eq != NULL ? xstrndup(wanted, (size_t)(eq - wanted)) : xstrdup(wanted);
    const char *v = get(arg, name);

    return v != NULL && (eq == NULL || strcmp(v, eq + 1) == 0);
}

bool filters_match_labels(const struct filters *f, const char *key, const char *(*get)(void *arg, const char *label),
                          void *arg)
{
    const struct filter *k = filters_get(f, key);
    bool negated = str_ends(key, "!");

    for (size_t i = 0; k != NULL && i < k->n; i++)
        if (label_holds(k->values[i], get, arg) == negated)
            return false;
    return true;
}

int filters_bool(const struct filters *f, const char *key, bool if_absent, bool *ret, struct skl_error *err)
{
    const struct filter *k = filters_get(f, key);
    const char *v = k != NULL ? k->values[0] : NULL;

    *ret = if_absent;
    if (v == NULL)
        return 0;
    if (k->n == 1 && (str_eq(v, "1") || str_eq(v, "true") || str_eq(v, "0") || str_eq(v, "false"))) {
        *ret = *v == '1' || *v == 't';
        return 0;
    }
    return error_set(err, SKL_ERR_INVALID, "invalid filter '%s=[%s]'", key, v);
}

int filters_until(const struct filters *f, int64_t now_wall, int64_t *ret_wall, struct skl_error *err)
{
    const struct filter *k = filters_get(f, "until");

    *ret_wall = 0;
    if (k == NULL)
        return 0;
    if (k->n > 1)
        return error_set(err, SKL_ERR_INVALID, "more than one until filter specified");
    if (time_parse_docker(k->values[0], now_wall, ret_wall))
        return 0;
    return error_set(err, SKL_ERR_INVALID, "invalid filter 'until=[%s]'", k->values[0]);
}

/* ---- patterns ---- */
struct filter_patterns {
    size_t n;
    struct {
        bool is_regex;
        regex_t regex;
        char *text;
    } items[];
};

/* glibc's matcher is linear in the text unless there are back references, and compiling is cheap unless there are
 * counted repeats: both are left out, since anybody may send these. */
static bool is_cheap(const char *s)
{
    if (strlen(s) > FILTER_PATTERN_MAX || strchr(s, '{') != NULL)
        return false;
    for (; (s = strchr(s, '\\')) != NULL; s += 1 + (s[1] != '\0'))
        if (s[1] >= '1' && s[1] <= '9')
            return false;
    return true;
}

struct filter_patterns *filter_patterns_new(const struct filter *f)
{
    struct filter_patterns *p;

    if (f == NULL)
        return NULL;
    p = xcalloc(1, sizeof(*p) + f->n * sizeof(p->items[0]));
    for (p->n = 0; p->n < f->n; p->n++) {
        const char *v = f->values[p->n];
        p->items[p->n].text = xstrdup(v);
        p->items[p->n].is_regex =
            is_cheap(v) && regcomp(&p->items[p->n].regex, v, REG_EXTENDED | REG_NOSUB) == 0;
    }
    return p;
}

void filter_patterns_free(struct filter_patterns *p)
{
    for (size_t i = 0; p != NULL && i < p->n; i++) {
        if (p->items[i].is_regex)
            regfree(&p->items[i].regex);
        free(p->items[i].text);
    }
    free(p);
}

bool filter_patterns_match(const struct filter_patterns *p, const char *s)
{
    if (p == NULL)
        return true;
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->items[i].text, s) == 0 ||
            (p->items[i].is_regex ? regexec(&p->items[i].regex, s, 0, NULL, 0) == 0
                                  : strstr(s, p->items[i].text) != NULL))
            return true;
    }
    return false;
}
