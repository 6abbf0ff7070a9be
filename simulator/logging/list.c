/*
 * simulator/logging/list.c - entries:list.
 *
 * A page ends when it is full, in number or in bytes, or when enough was looked at for one request: then it is short, maybe empty, and has a
 * successor all the same, as Google's pages do. A token is a place in the order and a fingerprint of the other parameters.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/logging/filter.h"
#include "simulator/logging/logging.h"
#include "simulator/sim.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX 1000
#define PAGE_BYTES_MAX (8u * 1024 * 1024)
#define SCAN_MAX 50000u       /* entries looked at for one page */
#define WORK_MAX 100000000u    /* of filter_work(), about: a part of a second */
#define NAMES_MAX 100
#define DUPLICATES_MAX 64     /* entries of one time and ID that are compared with each other */
#define TOKEN_MAX 4096
#define RETENTION_NS (INT64_C(30) * 24 * 3600 * NS_PER_S)

struct page {
    struct sim *sim;
    struct json_object *names; /* resourceNames */
    const char *text;
    struct filter *filter;
    bool desc;
    int64_t size;
    uint64_t print;            /* of the parameters */
    bool shortened;            /* a fault: size is less than was asked for, and a token is to be there */
    bool resumed;
    struct log_position from;  /* when resumed: the last entry that was looked at */
    char *from_id;
    int64_t now;
};

/* ---- the request ---- */

static int check_names(struct json_object *names, struct skl_error *err)
{
    size_t n = names != NULL ? json_object_array_length(names) : 0;

    if (n == 0)
        return error_set(err, SKL_ERR_INVALID, "At least one resource name must be specified in resource_names.");
    if (n > NAMES_MAX)
        return error_set(err, SKL_ERR_INVALID, "resource_names: at most %d are allowed", NAMES_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *s = json_string_or(json_object_array_get_idx(names, i), ""), *view = strstr(s, "/locations/");
        if (!log_parent_valid(s, view != NULL ? (size_t)(view - s) : strlen(s)))
            return error_set(err, SKL_ERR_INVALID, "The resource name \"%.200s\" in resource_names is invalid.", s);
    }
    return 0;
}

/* The older spelling: projects by their IDs. */
static int take_project_ids(struct json_object *body, struct json_object **names, struct skl_error *err)
{
    struct json_object *ids = NULL;

    if (json_get_array(body, "projectIds", &ids, err) < 0)
        return -1;
    if (ids != NULL) { /* the array itself is the request's, which is logged */
        struct json_object *own = *names != NULL ? json_dup(*names) : json_new_array();
        json_add(body, "resourceNames", own);
        *names = own;
    }
    for (size_t i = 0; ids != NULL && i < json_object_array_length(ids); i++) {
        CLEANUP(free_p) char *name = xasprintf("projects/%s", json_string_or(json_object_array_get_idx(ids, i), ""));
        json_push_string(*names, name);
    }
    return 0;
}

static int check_order(struct page *p, const char *order, struct skl_error *err)
{
    p->desc = str_eq(order, "timestamp desc");
    if (p->desc || str_empty(order) || str_eq(order, "timestamp asc"))
        return 0;
    return error_set(err, SKL_ERR_INVALID, "order_by must be \"timestamp asc\" or \"timestamp desc\"");
}

static int read_token(struct page *p, const char *token, struct skl_error *err)
{
    JSON_CLEANUP struct json_object *o = NULL;
    struct skl_error ignored = {0};
    uint64_t print = 0, seq = 0;
    struct buf text;

    if (str_empty(token))
        return 0;
    buf_init(&text, TOKEN_MAX);
    if (base64_decode(&text, token, strlen(token)) == 0)
        o = json_parse_object(text.data, text.len, TOKEN_MAX, &ignored);
    buf_fini(&text);
    p->resumed = o != NULL && json_get_u64(o, "p", &print, &ignored) > 0 && json_get_i64(o, "t", &p->from.time, &ignored) > 0 &&
                 json_get_u64(o, "s", &seq, &ignored) > 0 && json_get_string(o, "i", &p->from.insert_id, &ignored) > 0;
    if (!p->resumed)
        return error_set(err, SKL_ERR_INVALID, "page_token is invalid");
    if (print != p->print)
        return error_set(err, SKL_ERR_INVALID, "page_token doesn't match arguments from the request");
    p->from.insert_id = p->from_id = xstrdup(p->from.insert_id);
    p->from.seq = seq;
    return 0;
}

/* Of an empty page that nothing was looked at for: the place where it began. */
static struct log_position beginning(const struct page *p)
{
    if (p->resumed)
        return p->from;
    return (struct log_position){.time = p->desc ? INT64_MAX : INT64_MIN, .insert_id = ""};
}

static void add_token(const struct page *p, const struct log_position *last, struct json_object *to)
{
    JSON_CLEANUP struct json_object *o = json_new_object();
    struct buf text, token;

    json_add_u64(o, "p", p->print);
    json_add_i64(o, "t", last->time);
    json_add_u64(o, "s", last->seq);
    json_add_string(o, "i", last->insert_id);
    buf_init(&text, TOKEN_MAX);
    buf_init(&token, 2 * TOKEN_MAX);
    (void)json_emit(&text, o);
    (void)base64_encode(&token, buf_str(&text), text.len, true, false);
    json_add_string(to, "nextPageToken", buf_str(&token));
    buf_fini(&text);
    buf_fini(&token);
}

static const char *const parameters[] = {"resourceNames", "projectIds", "filter", "orderBy", "pageSize", "pageToken", NULL};

static int read_request(struct page *p, struct json_object *body, struct skl_error *err)
{
    const char *order = "", *token = "";

    p->text = "";
    p->size = PAGE_DEFAULT;
    if (json_get_string(body, "filter", &p->text, err) < 0 || json_get_string(body, "orderBy", &order, err) < 0 ||
        json_get_string(body, "pageToken", &token, err) < 0 || json_get_i64(body, "pageSize", &p->size, err) < 0 ||
        json_get_array(body, "resourceNames", &p->names, err) < 0 || take_project_ids(body, &p->names, err) < 0 || check_names(p->names, err) < 0 ||
        check_order(p, order, err) < 0)
        return -1;
    if (p->size < 0 || p->size > PAGE_MAX)
        return error_set(err, SKL_ERR_INVALID, "page_size must be between 0 and %d", PAGE_MAX);
    p->size = p->size == 0 ? PAGE_DEFAULT : p->size;
    p->filter = filter_new(p->text, err);
    if (p->filter == NULL)
        return -1;
    p->print = hash_bytes(p->text, strlen(p->text)) ^ (p->desc ? 1 : 0);
    for (size_t i = 0; i < json_object_array_length(p->names); i++) {
        const char *name = json_string_or(json_object_array_get_idx(p->names, i), "");
        p->print = p->print * 31 + hash_bytes(name, strlen(name));
    }
    return read_token(p, token, err);
}

/* ---- the answer ---- */

static bool in_resources(const struct page *p, const struct log_entry *e)
{
    for (size_t i = 0; i < json_object_array_length(p->names); i++) {
        const char *s = json_string_or(json_object_array_get_idx(p->names, i), ""), *view = strstr(s, "/locations/");
        size_t n = view != NULL ? (size_t)(view - s) : strlen(s);
        if (n == e->parent_len && memcmp(s, e->log_name, n) == 0)
            return true;
    }
    return false;
}

static bool wanted(const struct page *p, const struct log_entry *e)
{
    return e->received + p->sim->opts.log_delay + e->late <= p->now && e->time >= p->now - RETENTION_NS && in_resources(p, e) && filter_matches(p->filter, e);
}

/* One entry of a project, a time and an insert ID is given: the one that came first. */
static bool is_duplicate(const struct page *p, size_t i)
{
    const struct log_store *st = &p->sim->logs;
    const struct log_entry *e = log_store_at(st, i);

    for (size_t n = 1; n <= DUPLICATES_MAX && n <= i; n++) {
        const struct log_entry *other = log_store_at(st, i - n);
        if (other->time != e->time || !str_eq(other->insert_id, e->insert_id))
            return false;
        if (other->parent_len == e->parent_len && memcmp(other->log_name, e->log_name, e->parent_len) == 0 && wanted(p, other))
            return true;
    }
    return false;
}

/* Where the timestamps that the filter allows begin and end. */
static void find_bounds(const struct page *p, size_t *ret_from, size_t *ret_to)
{
    const struct log_store *st = &p->sim->logs;
    int64_t min = INT64_MIN, max = INT64_MAX;
    struct log_position at = {.insert_id = "", .seq = 0};

    filter_time_range(p->filter, &min, &max);
    at.time = min;
    *ret_from = min == INT64_MIN ? 0 : log_store_after(st, &at);
    at.time = max < INT64_MAX ? max + 1 : max;
    *ret_to = max == INT64_MAX ? log_store_count(st) : log_store_after(st, &at);
    if (p->resumed) {
        size_t mine = log_store_after(st, &p->from);
        if (p->desc) /* mine - 1 is the last that was seen, if it is still there */
            while (mine > 0 && log_store_at(st, mine - 1)->time == p->from.time && str_eq(log_store_at(st, mine - 1)->insert_id, p->from.insert_id) &&
                   log_store_at(st, mine - 1)->seq >= p->from.seq)
                mine--;
        if (p->desc && mine < *ret_to)
            *ret_to = mine;
        if (!p->desc && mine > *ret_from)
            *ret_from = mine;
    }
    if (*ret_to < *ret_from)
        *ret_to = *ret_from;
}

static struct json_object *answer(const struct page *p)
{
    const struct log_store *st = &p->sim->logs;
    struct json_object *o = json_new_object(), *list = json_new_array();
    struct log_position last = beginning(p);
    size_t from, to, i, seen = 0, bytes = 0;
    uint64_t work = filter_work();

    find_bounds(p, &from, &to);
    for (i = 0; i < to - from && seen < SCAN_MAX && filter_work() - work < WORK_MAX && bytes < PAGE_BYTES_MAX && json_object_array_length(list) < (size_t)p->size; i++, seen++) {
        size_t at = p->desc ? to - 1 - i : from + i;
        const struct log_entry *e = log_store_at(st, at);
        last = (struct log_position){e->time, e->insert_id, e->seq};
        if (!wanted(p, e) || is_duplicate(p, at))
            continue;
        for (int n = 0; n <= e->twice; n++)
            json_push(list, log_entry_json(e));
        bytes += e->size;
    }
    if (json_object_array_length(list) > 0)
        json_add(o, "entries", list);
    else
        json_object_put(list);
    if (i < to - from || p->shortened)
        add_token(p, &last, o);
    return o;
}

void logging_list_entries(struct sim_call *c)
{
    struct page p = {.sim = c->sim, .now = clock_wall(), .shortened = c->short_page};
    int64_t most = c->page_max;
    struct skl_error err = {0};
    JSON_CLEANUP struct json_object *body = log_request_read(c->body, parameters, &err);

    if (body == NULL || read_request(&p, body, &err) < 0) {
        call_error(c, &err);
    } else {
        p.size = p.shortened && most < p.size ? most : p.size;
        call_json(c, 200, answer(&p));
    }
    filter_free(p.filter);
    free(p.from_id);
}
