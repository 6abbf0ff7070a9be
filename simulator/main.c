/*
 * simulator/main.c - life of the simulator.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/http_client.h"
#include "simulator/auth/auth.h"
#include "simulator/service.h"

#define LOCK_PAUSE_NS (10 * 1000 * 1000)
#define LOCK_TRIES 300

static void on_term(void *arg, int signo)
{
    struct sim *s = arg;

    (void)signo;
    if (s->stopping)
        return;
    s->stopping = true;
    http_server_stop_accepting(s->server);
    instances_stop_all(s);
    sim_stop_if_idle(s);
}

/* The descriptor; held until we end. The warden of a simulator that was killed may have it for a moment. */
static int lock_state(struct sim *s, struct skl_error *err)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    CLEANUP(free_p) char *path = fs_join(s->opts.state_dir, "lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "opening %s", path);
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        nanosleep(&pause, NULL); /* nothing is served yet */
    }
    close(fd);
    return error_set(err, SKL_ERR_CONFLICT, "%s is in use by another simulator", s->opts.state_dir);
}

static int write_port(const struct sim *s, struct skl_error *err)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%u\n", s->port);

    return s->opts.port_file != NULL ? fs_write_file_atomic(s->opts.port_file, text, (size_t)n, 0644, err) : 0;
}

static int start(struct sim *s, struct skl_error *err)
{
    int lock;

    if (fs_mkdir_p(s->opts.state_dir, 0700, err) < 0 || (lock = lock_state(s, err)) < 0 ||
        warden_start(s->opts.state_dir, lock, s->opts.own_state_dir, err) < 0 || privacy_begin(s, err) < 0)
        return -1;
    limits_begin(s);
    recover(s);
    s->loop = loop_new(err);
    if (s->loop == NULL || (s->http = http_client_new(s->loop, err)) == NULL)
        return -1;
    trash_begin(s);
    if (!s->opts.network_host && (s->netns = netns_pool_new(s->loop, err)) == NULL)
        return -1;
    if (loop_on_signal(s->loop, SIGTERM, on_term, s, err) < 0 || loop_on_signal(s->loop, SIGINT, on_term, s, err) < 0)
        return -1;
    for (size_t i = 0; i < s->opts.n_credentials; i++)
        if (accounts_add(s, s->opts.credentials[i], err) < 0)
            return -1;
    s->faults = faults_new(s);
    for (size_t i = 0; i < s->opts.n_faults; i++)
        if (faults_add(s->faults, s->opts.faults[i], err) < 0)
            return -1;
    if (s->opts.control != NULL && faults_listen(s->faults, s->opts.control, err) < 0)
        return -1;
    if (server_start(s, err) < 0)
        return -1;
    persist_load(s);
    return write_port(s, err);
}

int main(int argc, char **argv)
{
    static struct sim s; /* what it still holds at the end goes with the process; lost memory stays visible to LeakSanitizer */
    struct skl_error err = {0};
    int rc;

    log_set_program("sockerless-gcp-simulator");
    if (argc >= 2 && str_eq(argv[1], "image"))
        return sim_image_command(argc - 2, argv + 2);
    if (argc >= 3 && str_eq(argv[1], WARDEN_OPTION))
        return warden_run(argv[2], argc > 3);
    sim_options_parse(&s.opts, argc, argv);
    fs_raise_open_files();
    list_init(&s.op_order);
    list_init(&s.relays);
    list_init(&s.pairs);
    list_init(&s.instances);
    list_init(&s.accounts);
    list_init(&s.token_order);
    rc = start(&s, &err);
    if (rc == 0) {
        log_info("main", "listening on port %u", s.port);
        loop_run(s.loop);
    } else {
        log_error("main", "%s", err.message);
    }
    netns_pool_free(s.netns);
    log_store_fini(&s.logs);
    limits_fini(&s);
    warden_stop();
    if (s.opts.own_state_dir)
        (void)fs_remove_tree(s.opts.state_dir, NULL);
    free(s.opts.state_dir);
    free(s.opts.images_dir);
    free(s.opts.faults);
    free(s.opts.credentials);
    accounts_free(&s);
    tokens_free(&s);
    return rc == 0 ? 0 : 1;
}
