/*
 * daemon/notify.h - tells the service manager how far we are (sd_notify(3)): one datagram, so no library.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_DAEMON_NOTIFY_H
#define SKL_DAEMON_NOTIFY_H

/* "READY=1", "STOPPING=1", "RELOADING=1\n...". Nothing happens without NOTIFY_SOCKET. */
void notify_send(const char *text);

#endif
