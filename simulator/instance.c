/*
 * simulator/instance.c - one running container of a revision.
 *
 *   STARTING -> (its port accepts: invoke.c) READY -> STOPPING -> gone;  it may end by itself at any time
 *
 * Everything of it lies in <state>/instances/<id>: bundle, overlay, hosts. crun's own state is in <state>/crun. What a
 * killed simulator leaves there the next one removes (recover.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/service.h"

#define GRACE_NS (INT64_C(10) * 1000000000) /* of the platform: SIGTERM to SIGKILL */
#define READ_SIZE (64u * 1024)
#define PORT 8080 /* where the revision names none */

/* ---- output ---- */

/* A line is an entry; one that is longer than an entry can be is several, cut between characters. */
static void flush_line(struct instance *in, int i, bool force)
{
    struct buf *b = &in->line[i];
    size_t at = 0; /* short lines are many: what is used goes at once */

    while (at < b->len) {
        char *p = b->data + at, *nl = memchr(p, '\n', b->len - at);
        size_t n = nl != NULL ? (size_t)(nl - p) : b->len - at;
        bool within = in->split[i].index > 0;
        if (n > SIM_LINE_MAX) {
            for (n = SIM_LINE_MAX; n > SIM_LINE_MAX - 3 && (p[n] & 0xc0) == 0x80;)
                n--;
            log_output(in, i + 1, p, n, LOG_PIECE);
            at += n;
            continue;
        }
        if (nl == NULL && !force)
            break;
        if (n > 0 || !within)
            log_output(in, i + 1, p, n, within ? LOG_LAST_PIECE : LOG_WHOLE);
        in->split[i].index = 0;
        at += n + (nl != NULL);
    }
    buf_consume(b, at);
}

static void close_output(struct instance *in, int i)
{
    if (in->out_fd[i] < 0)
        return;
    flush_line(in, i, true);
    io_fini(&in->out[i]);
    close(in->out_fd[i]);
    in->out_fd[i] = -1;
}

static void on_output(void *arg, unsigned ready)
{
    struct instance *in = arg;
    char data[READ_SIZE];

    (void)ready;
    for (int i = 0; i < 2; i++) {
        ssize_t n = in->out_fd[i] >= 0 ? read(in->out_fd[i], data, sizeof(data)) : -1;
        if (n > 0) {
            (void)buf_append(&in->line[i], data, (size_t)n);
            flush_line(in, i, false);
        } else if (n == 0) {
            close_output(in, i);
        }
    }
}

static int open_output(struct instance *in, int theirs[2], struct skl_error *err)
{
    for (int i = 0; i < 2; i++) {
        int fd[2];
        if (pipe2(fd, O_CLOEXEC) < 0)
            return error_set_errno(err, SKL_ERR_INTERNAL, errno, "making a pipe");
        fcntl(fd[0], F_SETFL, O_NONBLOCK);
        in->out_fd[i] = fd[0];
        theirs[i] = fd[1];
        buf_init(&in->line[i], SIM_LINE_MAX + READ_SIZE);
        io_init(in->sim->loop, &in->out[i], fd[0], on_output, in);
        io_want(&in->out[i], IO_READ);
    }
    return 0;
}

/* ---- the end ---- */

/* All but the files. */
static void unmount(struct sim *s, const char *dir, const char *id)
{
    CLEANUP(free_p) char *root = fs_join(dir, "rootfs"), *crun = xasprintf("%s/crun/%s", s->opts.state_dir, id);

    (void)umount2(root, MNT_DETACH);
    (void)fs_remove_tree(crun, NULL);
    limits_forget(s, id);
}

void instance_dir_clean(struct sim *s, const char *dir, const char *id)
{
    unmount(s, dir, id);
    trash_move(s, dir, id);
}

static void instance_free(struct instance *in)
{
    struct sim *s = in->sim;

    list_remove(&in->link);
    list_remove(&in->all);
    close_output(in, 0);
    close_output(in, 1);
    buf_fini(&in->line[0]);
    buf_fini(&in->line[1]);
    timer_fini(&in->kill);
    for (size_t i = 0; i < in->n_relays; i++)
        relay_unref(s, in->relays[i]);
    netns_put(in->net);
    unmount(s, in->dir, in->id);
    trash_put(s, in->dir, in->id);
    free(in->dir);
    free(in->service);
    free(in->location);
    free(in->project);
    free(in->revision);
    json_object_put(in->labels);
    log_output_forget(in);
    limits_release(in);
    revision_unref(in->rev);
    free(in);
    sim_stop_if_idle(s);
}

static void on_ended(void *arg, int status)
{
    struct instance *in = arg;

    in->child = NULL;
    log_debug("instance", "%s of %s ended with status %d", in->id, in->service, status);
    on_output(in, 0);
    instance_free(in);
}

/* To its first process, which crun, our child, waits for: the number is nobody else's as long as it is crun's child. */
static void signal_container(struct instance *in, int signo)
{
    pid_t pid = instance_pid(in->dir);
    int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

    if (fd < 0)
        return; /* not made yet: the timer comes back */
    if (instance_is_pid(in->dir, pid))
        (void)pidfd_send_signal(fd, signo, NULL, 0);
    close(fd);
}

static void on_kill(void *arg)
{
    struct instance *in = arg;

    signal_container(in, SIGKILL);
    timer_start(&in->kill, INT64_C(1000000000)); /* crun may not have made the container yet */
}

void instance_stop(struct instance *in)
{
    if (in->state == INSTANCE_STOPPING)
        return;
    in->state = INSTANCE_STOPPING;
    signal_container(in, SIGTERM);
    timer_start(&in->kill, in->sim->stopping ? INT64_C(500000000) : GRACE_NS);
}

void instances_stop_all(struct sim *s)
{
    LIST_FOREACH_SAFE(n, tmp, &s->instances) {
        struct instance *in = LIST_ENTRY(n, struct instance, all);
        in->state = INSTANCE_STOPPING;
        signal_container(in, SIGKILL);
        timer_start(&in->kill, INT64_C(500000000));
    }
}

/* ---- the start ---- */

/* The port of a URL that names host.sockerless.internal is relayed. */
static void add_relay(struct instance *in, const char *value)
{
    const char *at = strstr(value, "host.sockerless.internal:");
    struct skl_error err = {0};
    char digits[6];
    uint64_t port;

    if (at == NULL || in->n_relays == ARRAY_LEN(in->relays))
        return;
    snprintf(digits, sizeof(digits), "%.*s", (int)strspn(at + 25, "0123456789"), at + 25);
    if (!str_to_u64(digits, 1, 65535, &port))
        return;
    if (relay_ref(in->sim, (uint16_t)port, &err) < 0)
        log_warn("instance", "%s", err.message);
    else
        in->relays[in->n_relays++] = (uint16_t)port;
}

static void add_relays(struct instance *in)
{
    struct json_object *env = json_member(in->rev->container, "env");

    if (in->net != NULL && !in->rev->agent) { /* the metadata server: see bundle.c */
        CLEANUP(free_p) char *own = xasprintf("host.sockerless.internal:%u", in->sim->port);
        add_relay(in, own);
    }
    for (size_t i = 0; env != NULL && in->net != NULL && i < json_object_array_length(env); i++)
        add_relay(in, json_string_or(json_member(json_object_array_get_idx(env, i), "value"), ""));
}

static int free_port(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = -1;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        port = ntohs(sa.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static int container_port(const struct instance *in)
{
    struct json_object *ports = json_member(in->rev->container, "ports");
    struct json_object *first = ports != NULL ? json_object_array_get_idx(ports, 0) : NULL;
    struct json_object *port = first != NULL ? json_member(first, "containerPort") : NULL;
    int n = port != NULL ? json_object_get_int(port) : 0;

    return n > 0 && n <= UINT16_MAX ? n : PORT;
}

static int set_network(struct instance *in, struct skl_error *err)
{
    int port = container_port(in);

    if (!in->sim->opts.network_host) {
        in->net = netns_take(in->sim->netns, err);
        if (in->net == NULL)
            return -1;
    } else if ((port = free_port()) < 0) {
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "no free port");
    }
    in->port = (uint16_t)port;
    return 0;
}

static int spawn(struct instance *in, struct skl_error *err)
{
    CLEANUP(free_p) char *root = fs_join(in->sim->opts.state_dir, "crun");
    CLEANUP(free_p) char *pid_file = fs_join(in->dir, "pid");
    const char *argv[14] = {"crun", "--root", root};
    const char *joins[] = {in->n_joins > 0 ? in->joins[0] : NULL, in->n_joins > 1 ? in->joins[1] : NULL, NULL};
    int theirs[2] = {-1, -1}, n = 3;
    struct child_spec spec = {.argv = argv, .stdin_fd = -1, .die_with_parent = true};

    argv[n++] = "--cgroup-manager=disabled"; /* see limits.c */
    argv[n++] = "run";
    argv[n++] = "--bundle";
    argv[n++] = in->dir;
    argv[n++] = "--pid-file";
    argv[n++] = pid_file;
    argv[n++] = in->id;
    if (open_output(in, theirs, err) < 0)
        return -1;
    spec.join = joins;
    spec.stdout_fd = theirs[0];
    spec.stderr_fd = theirs[1];
    in->child = child_spawn(in->sim->loop, &spec, on_ended, in, err);
    close(theirs[0]);
    close(theirs[1]);
    return in->child != NULL ? 0 : -1;
}

void instance_release(struct instance *in)
{
    if (in->active > 0)
        in->active--;
    if (in->active == 0 && in->svc != NULL && in->rev != in->svc->serving)
        instance_stop(in);
}

static struct instance *instance_new(struct service *svc)
{
    struct instance *in = xcalloc(1, sizeof(*in));
    char id[ID_SIZE];

    id_new(id);
    snprintf(in->id, sizeof(in->id), "%.32s", id);
    in->sim = svc->sim;
    in->svc = svc;
    in->rev = svc->serving;
    in->rev->refs++;
    in->out_fd[0] = in->out_fd[1] = -1;
    in->dir = xasprintf("%s/instances/%s", svc->sim->opts.state_dir, in->id);
    in->service = xstrdup(svc->id);
    in->location = xstrdup(svc->location);
    in->project = xstrdup(svc->project);
    in->revision = xstrdup(in->rev->id);
    in->labels = json_object_get(json_member(in->rev->json, "labels"));
    timer_init(svc->sim->loop, &in->kill, on_kill, in);
    list_push_back(&svc->instances, &in->link);
    list_push_back(&svc->sim->instances, &in->all);
    return in;
}

struct instance *instance_start(struct service *svc, struct skl_error *err)
{
    struct instance *in;

    if (svc->serving->image == NULL) {
        error_set(err, SKL_ERR_UNAVAILABLE, "%s", svc->serving->why);
        return NULL;
    }
    in = instance_new(svc);
    if (fs_mkdir_p(in->dir, 0700, err) == 0 && set_network(in, err) == 0) {
        add_relays(in);
        if (bundle_write(in, err) == 0 && limits_apply(in, err) == 0 && spawn(in, err) == 0)
            return in;
    }
    instance_free(in);
    return NULL;
}
