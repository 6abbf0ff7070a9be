/*
 * tests/unit/harness_loop.c - the part of the harness that needs the event loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <event2/event.h>
#include <stdio.h>
#include "base/clock.h"
#include "loop/loop.h"
#include "tests/unit/harness.h"

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

bool unit_wait(struct loop *loop, const bool *flag, const char *what, const char *file, int line)
{
    char message[512];
    int64_t end = clock_mono() + UNIT_WAIT_S * NS_PER_S;
    struct timeval every = {.tv_usec = 50 * 1000};
    struct event *tick = event_new(loop_base(loop), -1, EV_PERSIST, on_tick, NULL);

    event_add(tick, &every);
    while (!*flag && clock_mono() < end)
        event_base_loop(loop_base(loop), EVLOOP_ONCE);
    event_free(tick);
    if (*flag)
        return true;
    snprintf(message, sizeof(message), "timed out waiting for %s", what);
    unit_fail(message, file, line);
    return false;
}
