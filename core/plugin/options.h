/*
 * plugin/options.h - a driver's option table: checked, filled from configuration and environment, printed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_PLUGIN_OPTIONS_H
#define SKL_PLUGIN_OPTIONS_H

#include <stddef.h>
#include "base/buf.h"
#include "base/error.h"
#include "sockerless/driver.h"

struct json_object;

#define OPTIONS_MAX 256
#define OPTION_NAME_MAX 64

/* A checked table: the driver's entries as this build's struct, whatever size the driver's have. */
struct options {
    struct skl_option *table;
    size_t n;
};

/* The values of one instance. */
struct option_values {
    struct skl_value *values;
    const struct skl_value **pointers; /* NULL-terminated; what open() gets */
    char **texts;                      /* copies that `str` points to */
    size_t n;
};

/* Checks the driver's table (NULL: no options): sizes, names, types, that each default is a valid value. The error
 * (UNAVAILABLE) blames the driver. The strings stay the driver's. */
int options_check(struct options *o, const struct skl_option *table, struct skl_error *err);
void options_fini(struct options *o);

/* section: the configuration's object for this driver, or NULL. where: "FILE: drivers.NAME", for messages.
 * Environment beats section beats default. The error (INVALID) names file, key and reason. */
int option_values_init(struct option_values *v, const struct options *o, struct json_object *section,
                       const char *where, struct skl_error *err);
void option_values_fini(struct option_values *v);   /* wipes secrets */

/* The table as help text, indented by two. */
void options_print(const struct options *o, struct buf *out);

#endif
