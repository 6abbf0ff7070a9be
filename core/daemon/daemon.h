/*
 * daemon/daemon.h - the daemon itself: brings the parts up in the order of state/engine.h, runs the loop, takes them
 * down again.
 *
 * Signals: SIGTERM and SIGINT end it in order (a second one at once); SIGHUP reads the configuration again and takes
 * the reloadable keys over; SIGQUIT and the like are left to the system.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DAEMON_DAEMON_H
#define SKL_DAEMON_DAEMON_H

struct config;
struct config_args;

/* Runs until it is told to end. config is changed by SIGHUP and --simulator. Returns the process's exit code; what
 * kept it from starting is on stderr. */
int daemon_run(struct config *config, const struct config_args *args);

#endif
