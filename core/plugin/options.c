/*
 * plugin/options.c - a driver's option table (see options.h).
 *
 * Every value goes through one function per source: from_json() for the configuration file, where types are strict
 * (a number is not a string), from_text() for the environment and for defaults. Both end in the same
 * range checks and the same description of what would have been right, so a message reads alike wherever the value
 * came from: "FILE: drivers.null.exit-code: must be an integer from 0 to 255, not 300". The value of a
 * secret is never part of a message.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "plugin/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "plugin/take.h"

#define VALUE_SHOWN 80 /* bytes of a wrong value in the message */

/* What one source says. text is borrowed. */
struct parsed {
    const char *text;
    int64_t num;
};

static bool has_bounds(const struct skl_option *o)
{
    return o->min != 0 || o->max != 0;
}

static bool in_bounds(const struct skl_option *o, int64_t n)
{
    return !has_bounds(o) || (n >= o->min && n <= o->max);
}

/* ---- describing ---- */

static void describe_duration(struct buf *b, int64_t ns)
{
    if (ns % NS_PER_S == 0)
        buf_printf(b, "%llds", (long long)(ns / NS_PER_S));
    else if (ns % NS_PER_MS == 0)
        buf_printf(b, "%lldms", (long long)(ns / NS_PER_MS));
    else
        buf_printf(b, "%lldns", (long long)ns);
}

static void describe_choices(struct buf *b, const struct skl_option *o)
{
    for (size_t i = 0; o->choices[i] != NULL; i++)
        buf_printf(b, "%s\"%s\"", i == 0 ? "" : o->choices[i + 1] == NULL ? " or " : ", ", o->choices[i]);
}

static void describe_bounds(struct buf *b, const struct skl_option *o)
{
    if (!has_bounds(o))
        return;
    buf_puts(b, " from ");
    if (o->type == SKL_OPT_DURATION)
        describe_duration(b, o->min);
    else
        buf_printf(b, "%lld", (long long)o->min);
    buf_puts(b, " to ");
    if (o->type == SKL_OPT_DURATION)
        describe_duration(b, o->max);
    else
        buf_printf(b, "%lld", (long long)o->max);
}

/* "an integer from 0 to 255" */
static void describe_type(struct buf *b, const struct skl_option *o)
{
    switch (o->type) {
    case SKL_OPT_INT:
        buf_puts(b, "an integer");
        break;
    case SKL_OPT_BOOL:
        buf_puts(b, "true or false");
        break;
    case SKL_OPT_DURATION:
        buf_puts(b, "a duration (as \"30s\", or a number of seconds)");
        break;
    case SKL_OPT_ENUM:
        describe_choices(b, o);
        return;
    default:
        buf_puts(b, "a string");
        break;
    }
    describe_bounds(b, o);
}

/* value: how the wrong one was written, NULL: not to be shown. */
static int wrong_value(const struct skl_option *o, const char *value, struct skl_error *err)
{
    struct buf must;

    buf_init(&must, SKL_ERROR_MESSAGE_MAX);
    describe_type(&must, o);
    if (value == NULL || o->type == SKL_OPT_SECRET)
        error_set(err, SKL_ERR_INVALID, "must be %s", buf_str(&must));
    else
        error_set(err, SKL_ERR_INVALID, "must be %s, not %.*s", buf_str(&must), VALUE_SHOWN, value);
    buf_fini(&must);
    return -1;
}

static int wrong_text(const struct skl_option *o, const char *text, struct skl_error *err)
{
    CLEANUP(free_p) char *quoted = xasprintf("\"%.*s\"", VALUE_SHOWN, text);

    return wrong_value(o, quoted, err);
}

/* ---- values from text ---- */

static bool bool_from_text(const char *s, int64_t *ret)
{
    static const char *const yes[] = {"true", "1", "yes", "on"}, *const no[] = {"false", "0", "no", "off"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_ieq(s, yes[i]) || str_ieq(s, no[i])) {
            *ret = str_ieq(s, yes[i]);
            return true;
        }
    }
    return false;
}

static bool duration_from_seconds(double s, int64_t *ret)
{
    double ns = s * (double)NS_PER_S;

    if (!isfinite(ns) || ns < -9.2e18 || ns > 9.2e18)
        return false;
    *ret = (int64_t)llround(ns);
    return true;
}

static bool duration_from_text(const char *s, int64_t *ret)
{
    double seconds;

    if (str_to_double(s, &seconds))
        return duration_from_seconds(seconds, ret);
    return duration_parse(s, ret);
}

static bool is_choice(const struct skl_option *o, const char *s)
{
    for (size_t i = 0; o->choices[i] != NULL; i++)
        if (strcmp(o->choices[i], s) == 0)
            return true;
    return false;
}

static int from_text(const struct skl_option *o, const char *s, struct parsed *ret, struct skl_error *err)
{
    bool ok;

    ret->num = 0;
    ret->text = NULL;
    switch (o->type) {
    case SKL_OPT_INT:
        ok = str_to_i64(s, INT64_MIN, INT64_MAX, &ret->num) && in_bounds(o, ret->num);
        break;
    case SKL_OPT_BOOL:
        ok = bool_from_text(s, &ret->num);
        break;
    case SKL_OPT_DURATION:
        ok = duration_from_text(s, &ret->num) && in_bounds(o, ret->num);
        break;
    case SKL_OPT_ENUM:
        ok = is_choice(o, s);
        ret->text = s;
        break;
    default:
        ok = utf8_valid(s, strlen(s));
        ret->text = s;
        break;
    }
    return ok ? 0 : wrong_text(o, s, err);
}

/* ---- values from JSON ---- */

static bool number_from_json(const struct skl_option *o, struct json_object *v, int64_t *ret)
{
    bool integer = json_object_is_type(v, json_type_int);

    if (o->type == SKL_OPT_DURATION)
        return (integer || json_object_is_type(v, json_type_double)) &&
               duration_from_seconds(json_object_get_double(v), ret);
    if (!integer)
        return false;
    *ret = json_object_get_int64(v); /* saturates */
    return *ret != INT64_MAX || json_object_get_uint64(v) == (uint64_t)INT64_MAX;
}

static int from_json(const struct skl_option *o, struct json_object *v, struct parsed *ret, struct skl_error *err)
{
    bool is_string = json_object_is_type(v, json_type_string);
    const char *s = is_string ? json_object_get_string(v) : NULL;

    ret->num = 0;
    ret->text = NULL;
    if (is_string && strlen(s) != (size_t)json_object_get_string_len(v))
        return error_set(err, SKL_ERR_INVALID, "must not contain a NUL");
    if (is_string && o->type != SKL_OPT_INT && o->type != SKL_OPT_BOOL)
        return from_text(o, s, ret, err);
    if (o->type == SKL_OPT_BOOL && json_object_is_type(v, json_type_boolean)) {
        ret->num = json_object_get_boolean(v);
        return 0;
    }
    if ((o->type == SKL_OPT_INT || o->type == SKL_OPT_DURATION) && number_from_json(o, v, &ret->num) &&
        in_bounds(o, ret->num))
        return 0;
    return wrong_value(o, json_object_to_json_string_ext(v, JSON_C_TO_STRING_NOSLASHESCAPE), err);
}

/* ---- the table ---- */

static int check_name(const struct skl_option *o, size_t i, struct skl_error *err)
{
    size_t n = strnlen(o->name, OPTION_NAME_MAX + 1);

    if (n == 0 || n > OPTION_NAME_MAX || o->name[strspn(o->name, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
        return error_set(err, SKL_ERR_UNAVAILABLE, "option %zu of the driver has no proper name ([a-z0-9-]+)", i);
    return 0;
}

static int check_option(const struct skl_option *o, struct skl_error *err)
{
    struct parsed ignored;

    if (o->type < SKL_OPT_STRING || o->type > SKL_OPT_SECRET)
        return error_set(err, SKL_ERR_UNAVAILABLE, "option %s has a type (%u) that this daemon does not know", o->name,
                         o->type);
    if (o->type == SKL_OPT_ENUM && (o->choices == NULL || o->choices[0] == NULL))
        return error_set(err, SKL_ERR_UNAVAILABLE, "option %s has no choices", o->name);
    if (o->type == SKL_OPT_SECRET && o->default_value != NULL)
        return error_set(err, SKL_ERR_UNAVAILABLE, "option %s is a secret with a default", o->name);
    if (has_bounds(o) && o->min > o->max)
        return error_set(err, SKL_ERR_UNAVAILABLE, "option %s has bounds the wrong way round", o->name);
    if (o->default_value != NULL && from_text(o, o->default_value, &ignored, err) < 0) {
        error_prefix(err, "the default of option %s", o->name);
        if (err != NULL)
            err->kind = SKL_ERR_UNAVAILABLE;
        return -1;
    }
    return 0;
}

static const struct skl_option *option_find(const struct options *o, const char *name)
{
    for (size_t i = 0; i < o->n; i++)
        if (strcmp(o->table[i].name, name) == 0)
            return &o->table[i];
    return NULL;
}


static int take_option(struct options *o, const void *entry, size_t stride, struct skl_error *err)
{
    struct skl_option *mine = &o->table[o->n];
    uint32_t size;

    memcpy(&size, entry, sizeof size);
    if (size != stride || take_struct(mine, sizeof *mine, entry, TAKE_MIN(struct skl_option, max)) < 0)
        return error_set(err, SKL_ERR_UNAVAILABLE, "option %zu of the driver has a wrong size", o->n);
    if (check_name(mine, o->n, err) < 0 || check_option(mine, err) < 0)
        return -1;
    if (option_find(o, mine->name) != NULL)
        return error_set(err, SKL_ERR_UNAVAILABLE, "option %s is there twice", mine->name);
    return 0;
}

/* The closing entry may be all zeros, its size too. */
static bool is_last(const void *entry)
{
    const char *name;

    memcpy(&name, (const char *)entry + offsetof(struct skl_option, name), sizeof name);
    return name == NULL;
}

int options_check(struct options *o, const struct skl_option *table, struct skl_error *err)
{
    const char *entry = (const char *)table;
    size_t stride = table != NULL ? table->size : 0;

    memset(o, 0, sizeof *o);
    if (table == NULL || is_last(entry))
        return 0;
    o->table = xcalloc(OPTIONS_MAX, sizeof *o->table);
    for (; !is_last(entry); o->n++, entry += stride) {
        int r = o->n < OPTIONS_MAX ? take_option(o, entry, stride, err)
                                   : error_set(err, SKL_ERR_UNAVAILABLE, "the driver has more than %d options",
                                               OPTIONS_MAX);
        if (r < 0) {
            options_fini(o);
            return -1;
        }
    }
    return 0;
}

void options_fini(struct options *o)
{
    free(o->table);
    memset(o, 0, sizeof *o);
}

/* ---- the values ---- */

static int refuse_unknown_keys(const struct options *o, struct json_object *section, struct skl_error *err)
{
    struct buf known;

    json_object_object_foreach(section, key, ignored)
    {
        (void)ignored;
        if (option_find(o, key) != NULL)
            continue;
        buf_init(&known, SKL_ERROR_MESSAGE_MAX);
        for (size_t i = 0; i < o->n; i++)
            buf_printf(&known, "%s%s", i == 0 ? "" : ", ", o->table[i].name);
        error_set(err, SKL_ERR_INVALID, "unknown key \"%.*s\" (known: %s)", VALUE_SHOWN, key,
                  o->n == 0 ? "none" : buf_str(&known));
        buf_fini(&known);
        return -1;
    }
    return 0;
}

/* Finds the value's source. 1: set, 0: default, negative: wrong. */
static int value_source(const struct skl_option *o, struct json_object *section, const char *where,
                        struct parsed *ret, struct skl_error *err)
{
    const char *env = o->env != NULL ? getenv(o->env) : NULL;
    struct json_object *v = section != NULL ? json_member(section, o->name) : NULL;

    if (v != NULL && from_json(o, v, ret, err) < 0)
        return error_prefix(err, "%s.%s", where, o->name);
    if (env != NULL && env[0] != '\0')
        return from_text(o, env, ret, err) < 0 ? error_prefix(err, "environment variable %s", o->env) : 1;
    if (v != NULL)
        return 1;
    *ret = (struct parsed){NULL, 0};
    if (o->default_value != NULL)
        from_text(o, o->default_value, ret, NULL);
    return 0;
}

static void values_alloc(struct option_values *v, size_t n)
{
    v->n = n;
    v->values = xcalloc(n + 1, sizeof *v->values);
    v->pointers = xcalloc(n + 1, sizeof *v->pointers);
    v->texts = xcalloc(n + 1, sizeof *v->texts);
}

int option_values_init(struct option_values *v, const struct options *o, struct json_object *section,
                       const char *where, struct skl_error *err)
{
    if (section != NULL && !json_object_is_type(section, json_type_object)) {
        memset(v, 0, sizeof *v);
        return error_set(err, SKL_ERR_INVALID, "%s: must be an object, not %s", where, json_type_text(section));
    }
    values_alloc(v, o->n);
    if (section != NULL && refuse_unknown_keys(o, section, err) < 0) {
        option_values_fini(v);
        return error_prefix(err, "%s", where);
    }
    for (size_t i = 0; i < o->n; i++) {
        struct parsed got;
        int r = value_source(&o->table[i], section, where, &got, err);
        if (r < 0) {
            option_values_fini(v);
            return -1;
        }
        v->texts[i] = xstrdup(got.text);
        v->values[i] = (struct skl_value){
            .size = sizeof v->values[i], .is_set = (uint32_t)r, .str = v->texts[i], .num = got.num};
        v->pointers[i] = &v->values[i];
    }
    return 0;
}

void option_values_fini(struct option_values *v)
{
    for (size_t i = 0; i < v->n; i++) {
        if (v->texts[i] != NULL)
            mem_wipe(v->texts[i], strlen(v->texts[i]));
        free(v->texts[i]);
    }
    free(v->texts);
    free(v->values);
    free(v->pointers);
    memset(v, 0, sizeof *v);
}

/* ---- help ---- */

void options_print(const struct options *o, struct buf *out)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct skl_option *opt = &o->table[i];
        buf_printf(out, "  %s: ", opt->name);
        describe_type(out, opt);
        if (opt->type == SKL_OPT_SECRET)
            buf_puts(out, ", secret");
        if (opt->default_value != NULL && opt->default_value[0] != '\0')
            buf_printf(out, "; default %s", opt->default_value);
        buf_putc(out, '\n');
        if (opt->help != NULL)
            buf_printf(out, "      %s\n", opt->help);
        if (opt->env != NULL)
            buf_printf(out, "      environment: %s\n", opt->env);
    }
}
