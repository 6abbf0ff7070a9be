/*
 * simulator/logging/bind.c - a filter's names into fields of LogEntry and its values into those fields' types.
 *
 * What LogEntry does not define is an error; what lies below a label, a payload or another free-form field may be anything, and an entry that has
 * not got it does not match.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/logging/filter.h"
#include "simulator/logging/logging.h"

static int bad_value(const struct node *n, const char *type, struct skl_error *err)
{
    return error_set(err, SKL_ERR_INVALID, "Unparseable filter: invalid %s value '%.200s' for field '%s'", type, n->value.text, n->leaf->name);
}

/* ---- names ---- */

static int bind_path(struct node *n, struct skl_error *err)
{
    const struct log_field *fields = log_entry_fields, *f = NULL;

    for (size_t i = 0; i < n->n_path; i++) {
        const struct log_field *next = fields != NULL ? log_field_find(fields, n->path[i]) : NULL;
        if (next == NULL && (fields != NULL || (f->type != LOG_MAP && f->type != LOG_STRUCT))) {
            struct buf b;
            buf_init(&b, 4 * FILTER_MAX);
            for (size_t k = 0; k <= i; k++)
                (void)buf_printf(&b, "%s%s", k > 0 ? "." : "", n->path[k]);
            error_set(err, SKL_ERR_INVALID, "Field not found: '%.200s'.", buf_str(&b));
            buf_fini(&b);
            return -1;
        }
        if (next == NULL) /* free-form from here on */
            break;
        free(n->path[i]);
        n->path[i] = xstrdup(next->name); /* in its own spelling */
        f = next;
        fields = f->type == LOG_MESSAGE ? f->fields : NULL;
        n->top = i == 0 ? f : n->top;
        n->leaf = f;
        n->n_fixed = i + 1;
    }
    return 0;
}

/* ---- values ---- */

static void guess(struct filter_value *v)
{
    double d;

    v->is_number = str_to_double(v->text, &d);
    v->number = v->is_number ? strtold(v->text, NULL) : 0;
    v->is_bool = str_ieq(v->text, "true") || str_ieq(v->text, "false");
    v->boolean = str_ieq(v->text, "true");
}

/* +0000, as Python writes an offset. */
static bool has_bare_offset(const char *s, size_t n)
{
    return n > 5 && strchr(s, 'T') != NULL && (s[n - 5] == '+' || s[n - 5] == '-') && strspn(s + n - 4, "0123456789") == 4;
}

/* RFC 3339, or what ISO 8601 lets out of it: the day alone, no seconds, no zone, no colon in it. */
static bool parse_time(const char *s, int64_t *ret)
{
    static const char *const rest[] = {"", "Z", ":00Z", "T00:00:00Z", "-01T00:00:00Z"};
    char text[64];
    size_t n = strlen(s);

    if (n >= 48)
        return false;
    if (has_bare_offset(s, n)) {
        snprintf(text, sizeof(text), "%.*s:%s", (int)n - 2, s, s + n - 2);
        return time_parse_rfc3339(text, ret);
    }
    for (size_t i = 0; i < ARRAY_LEN(rest); i++) {
        snprintf(text, sizeof(text), "%s%s", s, rest[i]);
        if (time_parse_rfc3339(text, ret))
            return true;
    }
    return false;
}

static int bind_typed(struct node *n, struct skl_error *err)
{
    struct filter_value *v = &n->value;

    switch (n->leaf->type) {
    case LOG_INT: return v->is_number ? 0 : bad_value(n, "number", err);
    case LOG_BOOL: return v->is_bool ? 0 : bad_value(n, "boolean", err);
    case LOG_TIME: return parse_time(v->text, &v->time) ? 0 : bad_value(n, "timestamp", err);
    case LOG_DURATION:
        if (log_duration_parse(v->text, &v->time) || duration_parse(v->text, &v->time))
            return 0;
        return bad_value(n, "duration", err);
    case LOG_SEVERITY:
        v->severity = log_severity_parse(v->text);
        return v->severity >= 0 ? 0 : bad_value(n, "severity", err);
    default: return 0;
    }
}

static bool is_free_form(const struct node *n)
{
    return n->n_path > n->n_fixed;
}

static int bind_regex(struct node *n, struct skl_error *err)
{
    if (!is_free_form(n) && n->leaf->type != LOG_STRING && n->leaf->type != LOG_SEVERITY)
        return error_set(err, SKL_ERR_INVALID, "Unparseable filter: operator '%s' needs a string, and field '%s' is none", n->op == OP_MATCH ? "=~" : "!~",
                         n->leaf->name);
    n->value.regex = regex_new(n->value.text, err);
    return n->value.regex != NULL ? 0 : error_prefix(err, "Unparseable filter: invalid regular expression");
}

static int bind_compare(struct node *n, struct skl_error *err)
{
    if (bind_path(n, err) < 0)
        return -1;
    n->present = n->op == OP_HAS && !n->value.quoted && str_eq(n->value.text, "*");
    if (n->present)
        return 0;
    guess(&n->value);
    if (n->op == OP_MATCH || n->op == OP_NO_MATCH)
        return bind_regex(n, err);
    if (is_free_form(n))
        return 0;
    if ((n->leaf->type == LOG_MESSAGE || n->leaf->type == LOG_MAP || n->leaf->type == LOG_STRUCT) && n->op != OP_HAS)
        return error_set(err, SKL_ERR_INVALID, "Unparseable filter: field '%s' is a message and can only be compared with ':'", n->leaf->name);
    return bind_typed(n, err);
}

/* ---- functions ---- */

static int bind_net(struct node *n, struct skl_error *err)
{
    const char *slash = strchr(n->value.text, '/');
    CLEANUP(free_p) char *addr = slash != NULL ? xstrndup(n->value.text, (size_t)(slash - n->value.text)) : xstrdup(n->value.text);
    uint64_t bits = 0;

    n->net6 = strchr(addr, ':') != NULL;
    if (inet_pton(n->net6 ? AF_INET6 : AF_INET, addr, n->net) != 1 || (slash != NULL && !str_to_u64(slash + 1, 0, n->net6 ? 128 : 32, &bits)))
        return error_set(err, SKL_ERR_INVALID, "Unparseable filter: invalid subnet '%.100s' in function 'ip_in_net'", n->value.text);
    n->net_bits = slash != NULL ? (unsigned char)bits : n->net6 ? 128 : 32;
    return 0;
}

static int bind_function(struct node *n, struct skl_error *err)
{
    double fraction;

    if (n->n_path > 0 && bind_path(n, err) < 0)
        return -1;
    switch (n->fn) {
    case FN_SAMPLE:
        if (!str_to_double(n->value.text, &fraction) || fraction < 0 || fraction > 1)
            return error_set(err, SKL_ERR_INVALID, "Unparseable filter: the fraction in function 'sample' must be between 0.0 and 1.0");
        n->value.number = fraction;
        return 0;
    case FN_IP_IN_NET: return bind_net(n, err);
    default: return 0;
    }
}

int filter_bind(struct node *n, struct skl_error *err)
{
    for (size_t i = 0; i < n->n_kids; i++)
        if (filter_bind(n->kids[i], err) < 0)
            return -1;
    if (n->value.text != NULL) {
        n->value.lower = xstrdup(n->value.text);
        str_lower(n->value.lower);
        n->value.len = strlen(n->value.lower);
    }
    return n->kind == NODE_COMPARE ? bind_compare(n, err) : n->kind == NODE_FUNCTION ? bind_function(n, err) : 0;
}

struct filter *filter_new(const char *text, struct skl_error *ret_err)
{
    struct filter *f = xcalloc(1, sizeof(*f));
    struct skl_error err = {0};
    size_t n = 0;

    for (const char *p = text; *p != '\0'; p++)
        n += (*p & 0xc0) != 0x80;
    if (n > FILTER_MAX)
        error_set(&err, SKL_ERR_INVALID, "Filter is too long: %zu characters, at most %u", n, FILTER_MAX);
    else
        f->root = filter_parse(text, &err);
    if (err.kind == SKL_ERR_NONE && (f->root == NULL || filter_bind(f->root, &err) == 0))
        return f;
    error_copy(ret_err, &err);
    filter_free(f);
    return NULL;
}

void filter_free(struct filter *f)
{
    if (f == NULL)
        return;
    node_free(f->root);
    free(f);
}
