/*
 * state/text.c - labels, string arrays and JSON texts, as the tables of core/state keep them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "json/jw.h"
#include "state/internal.h"

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static char *put_text(char **p, const char *s)
{
    char *at = *p;

    *p = stpcpy(at, s) + 1;
    return at;
}

/* One block: there may be ten thousand containers with a dozen labels each. */
struct label *labels_from_json(struct json_object *o, size_t *ret_n)
{
    struct label *labels;
    size_t n = 0, bytes = 0;
    char *p;

    *ret_n = 0;
    if (o == NULL || !json_object_is_type(o, json_type_object) || json_object_object_length(o) == 0)
        return NULL;
    json_object_object_foreach(o, key1, value1)
        bytes += strlen(key1) + strlen(json_string_or(value1, "")) + 2;
    labels = xmalloc((size_t)json_object_object_length(o) * sizeof(*labels) + bytes);
    p = (char *)(labels + json_object_object_length(o));
    json_object_object_foreach(o, key, value) {
        labels[n].key = put_text(&p, key);
        labels[n].value = put_text(&p, json_string_or(value, ""));
        n++;
    }
    qsort(labels, n, sizeof(*labels), by_key);
    *ret_n = n;
    return labels;
}

struct label *labels_from_text(const char *json, size_t *ret_n)
{
    JSON_CLEANUP struct json_object *o = json_from_text(json);

    return labels_from_json(o, ret_n);
}

char *labels_to_text(const struct label *labels, size_t n)
{
    struct buf b;
    struct jw w;

    buf_init(&b, STATE_JSON_MAX);
    jw_init(&w, &b);
    jw_object(&w, NULL);
    for (size_t i = 0; i < n; i++)
        jw_key_string(&w, labels[i].key, labels[i].value);
    jw_object_end(&w);
    return buf_steal(&b, NULL);
}

void labels_free(struct label *labels)
{
    free(labels);
}

const char *labels_get(const struct label *labels, size_t n, const char *key)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = strcmp(key, labels[mid].key);

        if (order == 0)
            return labels[mid].value;
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

size_t strv_len(const char *const *v)
{
    size_t n = 0;

    while (v != NULL && v[n] != NULL)
        n++;
    return n;
}

char **strv_dup(const char *const *v)
{
    size_t n = strv_len(v);
    char **ret;

    if (v == NULL)
        return NULL;
    ret = xcalloc(n + 1, sizeof(*ret));
    for (size_t i = 0; i < n; i++)
        ret[i] = xstrdup(v[i]);
    return ret;
}

void strv_free(char **v)
{
    for (size_t i = 0; v != NULL && v[i] != NULL; i++)
        free(v[i]);
    free(v);
}

char **strv_from_json(struct json_object *o)
{
    size_t n;
    char **ret;

    if (o == NULL || !json_object_is_type(o, json_type_array))
        return NULL;
    n = json_object_array_length(o);
    ret = xcalloc(n + 1, sizeof(*ret));
    for (size_t i = 0; i < n; i++)
        ret[i] = xstrdup(json_string_or(json_object_array_get_idx(o, i), ""));
    return ret;
}

char *json_text(struct json_object *o, const char *if_null)
{
    struct buf b;

    if (o == NULL)
        return xstrdup(if_null);
    buf_init(&b, STATE_JSON_MAX);
    json_emit(&b, o);
    return buf_steal(&b, NULL);
}

struct json_object *json_from_text(const char *text)
{
    bool is_null;

    if (str_empty(text))
        return NULL;
    return json_parse(text, strlen(text), STATE_JSON_MAX, 0, &is_null, NULL);
}
