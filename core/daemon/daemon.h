/*
 * daemon/daemon.h - the running daemon: puts the parts together, and takes them apart in order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DAEMON_DAEMON_H
#define SKL_DAEMON_DAEMON_H

struct config;
struct config_args;

/* Until SIGTERM or SIGINT; the process's exit status. May change the configuration (simulator, reload). */
int daemon_run(struct config *config, const struct config_args *args);

#endif
