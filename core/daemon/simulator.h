/*
 * daemon/simulator.h - `--simulator`: runs sockerless-gcp-simulator as a child for as long as the daemon lives.
 *
 * It is the one place that knows of the simulator. What it yields is an endpoint URL, which goes into the driver's
 * configuration like any other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DAEMON_SIMULATOR_H
#define SKL_DAEMON_SIMULATOR_H

#include <stdint.h>
#include "base/error.h"

struct config;
struct loop;
struct simulator;

/* Starts it. ready(arg, port, err) once, later: its API answers on 127.0.0.1:port, or why not. It is started again
 * on the same port when it dies afterwards. */
struct simulator *simulator_start(struct loop *loop, const struct config *config,
                                  void (*ready)(void *arg, uint16_t port, const struct skl_error *err), void *arg,
                                  struct skl_error *err);
/* again(arg), with the arg of ready: it died and was started again. What it held is gone. */
void simulator_on_again(struct simulator *s, void (*again)(void *arg));
/* SIGTERM; gone(arg) once it has ended (SIGKILL after SIMULATOR_STOP_NS). The object is gone then. */
#define SIMULATOR_STOP_NS (INT64_C(10) * 1000000000)
void simulator_stop(struct simulator *s, void (*gone)(void *arg), void *arg);

/* Puts the endpoint into the configuration of the chosen driver. An endpoint from elsewhere is a contradiction. */
int simulator_configure(struct config *config, uint16_t port, const char *(*env)(const char *name),
                        struct skl_error *err);

/* Ports stay the same over restarts: functions that exist hold URLs with them. 0 when there is none yet. */
uint16_t port_file_read(const char *path);
int port_file_write(const char *path, uint16_t port, struct skl_error *err);

#endif
