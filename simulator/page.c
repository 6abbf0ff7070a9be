/*
 * simulator/page.c - see page.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/page.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

#define TOKEN_MAX 128

/* The same in every run: a token outlives the simulator that made it. */
static const unsigned char key[16] = "simulator pages";

static uint64_t hash_args(struct sim_call *c)
{
    static const char *const names[] = {"filter", "orderBy", "showDeleted"};
    struct buf b;
    uint64_t h;

    buf_init(&b, 64u * 1024);
    buf_puts(&b, http_req_path(c->req));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *v = http_req_query(c->req, names[i]);
        buf_printf(&b, "\n%s", v != NULL ? v : "");
    }
    h = hash_siphash24(key, b.data, b.len);
    buf_fini(&b);
    return h;
}

static bool read_token(const char *token, struct page *p)
{
    struct buf text;
    unsigned long long from, args;
    bool ok;

    buf_init(&text, TOKEN_MAX);
    ok = strlen(token) < TOKEN_MAX && base64_decode(&text, token, strlen(token)) == 0 &&
         sscanf(buf_str(&text), "%20llu/%16llx", &from, &args) == 2 && args == p->args;
    if (ok)
        p->from = (size_t)from;
    buf_fini(&text);
    return ok;
}

/* Storage calls it otherwise. */
static const char *page_size(struct sim_call *c)
{
    const char *size = http_req_query(c->req, "pageSize");

    return size != NULL ? size : http_req_query(c->req, "maxResults");
}

bool page_read(struct sim_call *c, size_t standard, size_t max, struct page *ret)
{
    const char *size = page_size(c), *token = http_req_query(c->req, "pageToken");
    int64_t n = 0;

    memset(ret, 0, sizeof(*ret));
    if (size != NULL && size[0] != '\0' && !str_to_i64(size, INT32_MIN, INT32_MAX, &n)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Invalid value at 'page_size' (TYPE_INT32), \"%s\"", size);
        return false;
    }
    if (n < 0) {
        call_fail(c, 400, "INVALID_ARGUMENT", "page_size must be non-negative, got %lld", (long long)n);
        return false;
    }
    ret->size = n == 0 ? standard : (size_t)n > max ? max : (size_t)n;
    ret->shortened = c->short_page;
    if (c->short_page && (uint64_t)c->page_max < ret->size)
        ret->size = (size_t)c->page_max;
    ret->args = hash_args(c);
    if (!str_empty(token) && !read_token(token, ret)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "page_token doesn't match arguments from the request");
        return false;
    }
    return true;
}

/* ---- order ---- */

struct order {
    char path[64];
    bool descending;
};

static const struct order *sorting; /* one thread, and qsort takes no argument */

/* Numbers by value, all else as text. */
static int compare(struct json_object *a, struct json_object *b)
{
    int64_t x, y;

    if (json_object_is_type(a, json_type_int) && json_object_is_type(b, json_type_int)) {
        x = json_object_get_int64(a);
        y = json_object_get_int64(b);
        return x < y ? -1 : x > y;
    }
    return strcmp(json_string_or(a, ""), json_string_or(b, ""));
}

static int by_order(const void *a, const void *b)
{
    struct json_object *x = *(struct json_object *const *)a, *y = *(struct json_object *const *)b, *vx = NULL, *vy = NULL;
    int r;

    (void)json_get_any(x, sorting->path, &vx, NULL);
    (void)json_get_any(y, sorting->path, &vy, NULL);
    r = compare(vx, vy);
    if (r == 0)
        r = compare(json_member(x, "name"), json_member(y, "name"));
    return sorting->descending ? -r : r;
}

/* "update_time desc" */
static bool read_order(const char *text, struct order *ret)
{
    size_t n = 0;
    const char *p = text + strspn(text, " ");

    for (; isalnum((unsigned char)*p) || *p == '_' || *p == '.'; p++) {
        if (n + 1 >= sizeof(ret->path))
            return false;
        if (*p == '_' && p[1] != '\0')
            ret->path[n++] = (char)toupper((unsigned char)*++p);
        else
            ret->path[n++] = *p;
    }
    ret->path[n] = '\0';
    p += strspn(p, " ");
    ret->descending = str_ieq(p, "desc");
    return n > 0 && (*p == '\0' || ret->descending || str_ieq(p, "asc"));
}

static void put_token(struct json_object *answer, const struct page *p, size_t next)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%zu/%016llx", next, (unsigned long long)p->args);
    struct buf b;

    buf_init(&b, TOKEN_MAX);
    (void)base64_encode(&b, text, (size_t)n, true, false);
    json_add_string(answer, "nextPageToken", buf_str(&b));
    buf_fini(&b);
}

bool page_cut(struct sim_call *c, const struct page *p, struct json_object *all, struct json_object *answer, const char *list_key)
{
    const char *given = http_req_query(c->req, "orderBy");
    struct order order = {"name", false}, newest = {"createTime", true};
    size_t n = json_object_array_length(all);
    struct json_object *list;

    if (!str_empty(given) && !read_order(given, &order)) {
        call_fail(c, 400, "INVALID_ARGUMENT", "Invalid order_by: \"%s\"", given);
        return false;
    }
    sorting = str_empty(given) && p->newest ? &newest : &order;
    json_object_array_sort(all, by_order);
    if (n == 0)
        return true;
    list = json_add_array(answer, list_key);
    for (size_t i = p->from; i < n && i - p->from < p->size; i++)
        json_push(list, json_object_get(json_object_array_get_idx(all, i)));
    if (json_object_array_length(list) == 0)
        json_object_object_del(answer, list_key);
    if (p->from < n && (n - p->from > p->size || p->shortened))
        put_token(answer, p, p->from + p->size);
    return true;
}
