/*
 * base/log.h - the log. Lines of level, component, message and key=value pairs on stderr (what
 * systemd and container platforms collect). Library code (core/base, core/http, core/wire) never
 * logs above debug; the caller that decides logs once. Secrets are never passed in.
 * Thread-safe.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_BASE_LOG_H
#define SKL_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
bool log_level_parse(const char *s, enum log_level *ret);  /* error warn info debug */
/* The program's name, put into each line; borrowed for ever. */
void log_set_program(const char *name);

/* component: short room name, e.g. "http", "state". A trailing newline is not wanted. Control
 * characters in the text are escaped, so outside text can't forge lines. */
void log_write(enum log_level level, const char *component, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(component, ...) log_write(LOG_LEVEL_ERROR, component, __VA_ARGS__)
#define log_warn(component, ...) log_write(LOG_LEVEL_WARN, component, __VA_ARGS__)
#define log_info(component, ...) log_write(LOG_LEVEL_INFO, component, __VA_ARGS__)
#define log_debug(component, ...)                          \
    do {                                                   \
        if (log_get_level() >= LOG_LEVEL_DEBUG)            \
            log_write(LOG_LEVEL_DEBUG, component, __VA_ARGS__); \
    } while (0)

#endif
