/*
 * agent/main.c - the in-function agent: options, environment, signals, and the two modes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent/agent.h"
#include "base/error.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

static void on_grace(void *arg)
{
    invoke_on_grace(arg);
}

static void on_term(void *arg, int signo)
{
    (void)signo;
    invoke_terminate(arg);
}

/* What our own stdout and stderr can't take at once must not block the link. */
static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int agent_init(struct agent *a, struct skl_error *err)
{
    char boot[ID_SIZE];

    id_new(boot);
    memcpy(a->boot_id, boot, sizeof(a->boot_id) - 1);
    list_init(&a->events);
    a->loop = loop_new(err);
    if (a->loop == NULL)
        return -1;
    timer_init(a->loop, &a->grace, on_grace, a);
    a->dialer = dialer_new(a);
    agent_new_main(a);
    if (reap_init(a, err) < 0 || loop_on_signal(a->loop, SIGTERM, on_term, a, err) < 0 ||
        loop_on_signal(a->loop, SIGINT, on_term, a, err) < 0)
        return -1;
    return 0;
}

static int serve(struct agent *a, struct skl_error *err)
{
    if (a->cfg.listen_unix != NULL)
        return alone_listen(a, a->cfg.listen_unix, err);
    if (a->cfg.callback_url != NULL) {
        set_nonblocking(1);
        set_nonblocking(2);
    }
    return invoke_listen(a, err);
}

static int usage(FILE *out)
{
    fputs("usage: sockerless-agent [--listen-unix PATH | --version | --help]\n"
          "The entry point of a function: serves $PORT and dials the daemon back.\n"
          "With --listen-unix the link's resources are served as plain HTTP/2 on a unix socket.\n",
          out);
    return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct agent a = {0};
    struct skl_error err = {0};
    const char *listen_unix = NULL;

    log_set_program("sockerless-agent");
    if (argc == 2 && str_eq(argv[1], "--version"))
        return printf("sockerless-agent %s\n", PACKAGE_VERSION) < 0;
    if (argc == 2 && str_eq(argv[1], "--help"))
        return usage(stdout);
    if (argc == 3 && str_eq(argv[1], "--listen-unix"))
        listen_unix = argv[2];
    else if (argc != 1)
        return usage(stderr);
    if (config_from_env(&a.cfg, &err) < 0) {
        log_error("agent", "%s", err.message);
        return 1;
    }
    a.cfg.listen_unix = listen_unix;
    if (agent_init(&a, &err) < 0 || serve(&a, &err) < 0) {
        log_error("agent", "%s", err.message);
        return 1;
    }
    loop_run(a.loop);
    agent_kill_all(&a, SIGKILL);
    return 0;
}
