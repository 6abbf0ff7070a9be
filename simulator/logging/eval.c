/*
 * simulator/logging/eval.c - a filter on an entry.
 *
 * A field that the entry has not got matches no comparison, != and !~ included; NOT of one does. Of repeated fields one element that
 * matches is enough. Text compares without regard to (ASCII) case, regular expressions with regard to it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "simulator/logging/filter.h"
#include "simulator/logging/logging.h"

/* ---- one value ---- */

static bool decide(enum filter_op op, int c)
{
    switch (op) {
    case OP_EQ:
    case OP_HAS: return c == 0;
    case OP_NE: return c != 0;
    case OP_LT: return c < 0;
    case OP_LE: return c <= 0;
    case OP_GT: return c > 0;
    case OP_GE: return c >= 0;
    default: return false;
    }
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

/* b is in lower case. */
static int compare_text(const char *a, size_t na, const char *b, size_t nb)
{
    for (size_t i = 0; i < na && i < nb; i++)
        if (lower(a[i]) != (unsigned char)b[i])
            return lower(a[i]) - (unsigned char)b[i];
    return na < nb ? -1 : na > nb;
}

static bool on_string(const struct node *n, const char *s, size_t len)
{
    if (n->op == OP_MATCH || n->op == OP_NO_MATCH)
        return regex_search(n->value.regex, s, len) == (n->op == OP_MATCH);
    if (n->op == OP_HAS)
        return text_has(s, len, n->value.lower, n->value.len);
    return decide(n->op, compare_text(s, len, n->value.lower, n->value.len));
}

static bool on_number(const struct node *n, long double x)
{
    return n->value.is_number && decide(n->op, x < n->value.number ? -1 : x > n->value.number);
}

static bool on_ns(const struct node *n, int64_t t)
{
    return decide(n->op, t < n->value.time ? -1 : t > n->value.time);
}

static bool on_severity(const struct node *n, int severity)
{
    const char *name = log_severity_name(severity);

    if (n->value.regex != NULL)
        return on_string(n, name, strlen(name));
    return decide(n->op, severity < n->value.severity ? -1 : severity > n->value.severity);
}

static bool has_text(const void *arg, const char *s, size_t n, bool key)
{
    const struct node *node = arg;

    return key ? compare_text(s, n, node->value.lower, node->value.len) == 0 : text_has(s, n, node->value.lower, node->value.len);
}

/* A map has its keys; other objects have what stands anywhere in them too. */
static bool on_object(const struct node *n, struct json_object *o, bool map)
{
    struct json_object *unused;

    if (n->op != OP_HAS)
        return false;
    return json_object_object_get_ex(o, n->value.text, &unused) || (!map && json_any_text(o, has_text, n));
}

/* A value in a free-form field: the type is the value's own. */
static bool on_any(const struct node *n, struct json_object *v)
{
    switch (json_object_get_type(v)) {
    case json_type_string: return on_string(n, json_object_get_string(v), (size_t)json_object_get_string_len(v));
    case json_type_int: return on_number(n, json_object_get_int64(v));
    case json_type_double: return on_number(n, json_object_get_double(v));
    case json_type_boolean:
        return n->value.is_bool && decide(n->op, (json_object_get_boolean(v) != 0) - n->value.boolean);
    case json_type_object: return on_object(n, v, false);
    default: return n->value.text != NULL && !n->value.regex && decide(n->op, str_ieq(n->value.text, "NULL_VALUE") ? 0 : 1);
    }
}

static bool on_typed(const struct node *n, struct json_object *v)
{
    const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
    int64_t t;

    switch (n->leaf->type) {
    case LOG_INT: return s != NULL ? str_to_i64(s, INT64_MIN, INT64_MAX, &t) && on_number(n, t) : on_number(n, json_object_get_int64(v));
    case LOG_DURATION: return s != NULL && log_duration_parse(s, &t) && on_ns(n, t);
    case LOG_MAP: return on_object(n, v, true);
    default: return on_any(n, v);
    }
}

/* ---- the way to it ---- */

/* Calls fn for each value that the path leads to from v, which stands for the first `at` segments; true when one said so. */
static bool walk(const struct node *n, struct json_object *v, size_t at, bool (*fn)(const struct node *n, struct json_object *v))
{
    struct json_object *next = NULL;

    if (json_object_is_type(v, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(v); i++)
            if (walk(n, json_object_array_get_idx(v, i), at, fn))
                return true;
        return false;
    }
    if (at == n->n_path)
        return fn(n, v);
    if (!json_object_is_type(v, json_type_object))
        return false;
    if (json_object_object_get_ex(v, n->path[at], &next))
        return walk(n, next, at + 1, fn);
    /* An Any holds its message in "value", which is not named. */
    return json_member(v, "@type") != NULL && (next = json_member(v, "value")) != NULL && json_object_is_type(next, json_type_object) &&
           json_object_object_get_ex(next, n->path[at], &next) && walk(n, next, at + 1, fn);
}

static struct json_object *root_of(const struct node *n, const struct log_entry *e)
{
    return n->top->special == LOG_RESOURCE ? e->resource : n->top->special == LOG_LABELS ? e->labels : json_member(e->rest, n->top->name);
}

static bool on_value(const struct node *n, struct json_object *v)
{
    if (n->present)
        return true;
    return n->n_path == n->n_fixed ? on_typed(n, v) : on_any(n, v);
}

static bool compare(const struct node *n, const struct log_entry *e)
{
    switch (n->top->special) {
    case LOG_NAME: return n->present || on_string(n, e->log_name, strlen(e->log_name));
    case LOG_INSERT_ID: return n->present || on_string(n, e->insert_id, strlen(e->insert_id));
    case LOG_TIMESTAMP: return n->present || on_ns(n, e->time);
    case LOG_RECEIVED: return n->present || on_ns(n, e->received);
    case LOG_SEVERITY_OF: return n->present ? e->severity > 0 : on_severity(n, e->severity);
    case LOG_TEXT: return e->text != NULL && (n->present || on_string(n, e->text, e->text_len));
    default: {
        struct json_object *root = root_of(n, e);
        return root != NULL && walk(n, root, 1, on_value);
    }
    }
}

/* ---- functions ---- */

static bool in_net(const struct node *n, struct json_object *v)
{
    unsigned char addr[16];
    const char *s = json_string_or(v, "");
    unsigned whole = n->net_bits / 8, rest = n->net_bits % 8;

    if (inet_pton(n->net6 ? AF_INET6 : AF_INET, s, addr) != 1 || memcmp(addr, n->net, whole) != 0)
        return false;
    return rest == 0 || ((addr[whole] ^ n->net[whole]) >> (8 - rest)) == 0;
}

/* The same entries at every query, hence a hash of our own: FNV-1a, well mixed (the tables' hash has a key per process). */
static bool sampled(const struct node *n, const char *s, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    return (long double)(h >> 11) < n->value.number * (long double)(UINT64_C(1) << 53);
}

static bool sample_value(const struct node *n, struct json_object *v)
{
    const char *s = json_object_get_string(v);

    return s != NULL && sampled(n, s, strlen(s));
}

static bool sample(const struct node *n, const struct log_entry *e)
{
    char when[TIME_RFC3339_SIZE];
    const char *s = NULL;

    switch (n->top->special) {
    case LOG_NAME: s = e->log_name; break;
    case LOG_INSERT_ID: s = e->insert_id; break;
    case LOG_TIMESTAMP: s = time_format_rfc3339(e->time, when); break;
    case LOG_RECEIVED: s = time_format_rfc3339(e->received, when); break;
    case LOG_SEVERITY_OF: s = log_severity_name(e->severity); break;
    case LOG_TEXT: return e->text != NULL && sampled(n, e->text, e->text_len);
    default: {
        struct json_object *root = root_of(n, e);
        return root != NULL && walk(n, root, 1, sample_value);
    }
    }
    return sampled(n, s, strlen(s));
}

/* The ID as it is or as in URLs. */
static bool is_log(const struct node *n, const struct log_entry *e)
{
    const char *id = e->log_name + e->parent_len + strlen("/logs/");
    struct buf plain;
    bool same;

    buf_init(&plain, 4096);
    same = str_ieq(id, n->value.text) || (url_decode(&plain, id, strlen(id), false) == 0 && str_ieq(buf_str(&plain), n->value.text));
    buf_fini(&plain);
    return same;
}

static bool call(const struct node *n, const struct log_entry *e)
{
    switch (n->fn) {
    case FN_LOG_ID: return is_log(n, e);
    case FN_SOURCE: return strlen(n->value.text) == e->parent_len && strncasecmp(e->log_name, n->value.text, e->parent_len) == 0;
    case FN_SAMPLE: return sample(n, e);
    case FN_IP_IN_NET: {
        struct json_object *root = root_of(n, e);
        return root != NULL && walk(n, root, 1, in_net);
    }
    default: return search_matches(n, e);
    }
}

/* ---- the tree ---- */

static bool matches(const struct node *n, const struct log_entry *e)
{
    switch (n->kind) {
    case NODE_AND:
    case NODE_OR:
        for (size_t i = 0; i < n->n_kids; i++)
            if (matches(n->kids[i], e) == (n->kind == NODE_OR))
                return n->kind == NODE_OR;
        return n->kind == NODE_AND;
    case NODE_NOT: return !matches(n->kids[0], e);
    case NODE_COMPARE: return compare(n, e);
    case NODE_TEXT: return entry_any_text(e, has_text, n);
    default: return call(n, e);
    }
}

bool filter_matches(const struct filter *f, const struct log_entry *e)
{
    return f->root == NULL || matches(f->root, e);
}

static void narrow(const struct node *n, int64_t *min, int64_t *max)
{
    if (n->kind == NODE_AND)
        for (size_t i = 0; i < n->n_kids; i++)
            narrow(n->kids[i], min, max);
    if (n->kind != NODE_COMPARE || n->present || n->top->special != LOG_TIMESTAMP)
        return;
    if ((n->op == OP_GE || n->op == OP_GT || n->op == OP_EQ) && n->value.time > *min)
        *min = n->value.time;
    if ((n->op == OP_LE || n->op == OP_LT || n->op == OP_EQ) && n->value.time < *max)
        *max = n->value.time;
}

void filter_time_range(const struct filter *f, int64_t *min, int64_t *max)
{
    if (f->root != NULL)
        narrow(f->root, min, max);
}
