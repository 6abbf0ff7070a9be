/*
 * daemon/simulator.c - see simulator.h.
 *
 * The simulator writes the port it listens on into --port-file once it answers; we look for that file on a timer.
 * The first start takes any free port, later ones ask for the same again, since the URLs of existing functions hold
 * it; only when it is taken meanwhile a new one is chosen.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "daemon/simulator.h"
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/config.h"
#include "json/json.h"
#include "loop/child.h"
#include "loop/loop.h"

#define PROGRAM "sockerless-gcp-simulator"
#define POLL_NS (2 * NS_PER_MS)
#define START_LIMIT_NS (20 * NS_PER_S)
#define RESTART_DELAY_NS (500 * NS_PER_MS)

struct simulator {
    struct loop *loop;
    struct child *child;
    struct timer timer; /* poll for the port file; delay of a restart; limit of a stop */
    char *program;
    char *state_dir;
    char *port_file;
    char *images;
    char *log_level;
    uint16_t wanted; /* port asked for; 0: any */
    uint16_t port;   /* 0: not ready */
    int64_t deadline;
    void (*ready)(void *arg, uint16_t port, const struct skl_error *err);
    void (*again)(void *arg);
    void *arg;
    void (*gone)(void *arg); /* stopping */
    void *gone_arg;
};

/* ---- port files ---- */
uint16_t port_file_read(const char *path)
{
    struct buf text;
    uint64_t port = 0;

    buf_init(&text, 64);
    if (fs_read_file(path, &text, NULL) == 0 && text.len > 0)
        str_to_u64(str_trim(text.data), 1, 65535, &port);
    buf_fini(&text);
    return (uint16_t)port;
}

int port_file_write(const char *path, uint16_t port, struct skl_error *err)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%u\n", port);

    return fs_write_file_atomic(path, text, (size_t)n, 0600, err);
}

/* ---- finding and starting it ---- */
static char *find_beside_us(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        return NULL;
    self[n] = '\0';
    return fs_join(dirname(self), PROGRAM);
}

/* In the build tree and in most installations it is beside us; else where it was installed; else in PATH. */
static char *find_program(void)
{
    CLEANUP(free_p) char *beside = find_beside_us();

    if (beside != NULL && access(beside, X_OK) == 0)
        return STEAL(beside);
    if (access(SKL_BINDIR "/" PROGRAM, X_OK) == 0)
        return xstrdup(SKL_BINDIR "/" PROGRAM);
    if (access(SKL_PKGLIBEXECDIR "/" PROGRAM, X_OK) == 0)
        return xstrdup(SKL_PKGLIBEXECDIR "/" PROGRAM);
    return xstrdup(PROGRAM);
}

static void on_exit_status(void *arg, int status);
static void on_poll(void *arg);

static int spawn(struct simulator *s, struct skl_error *err)
{
    CLEANUP(free_p) char *listen = xasprintf("127.0.0.1:%u", s->wanted);
    /* --fresh: instances end with the simulator, and what runs no more is told from what does by its function being gone. Limits are
     * not enforced: entering a control group may take ten ms, and a developer waits for each. */
    const char *argv[16] = {s->program,   "--docker-runtime", "--fresh",    "--limits",    "none",    "--listen", listen,
                            "--port-file", s->port_file, "--state-dir", s->state_dir, "--log-level", s->log_level};
    struct child_spec spec = {.argv = argv, .stdin_fd = -1, .stdout_fd = STDERR_FILENO, .stderr_fd = -1,
                              .die_with_parent = true};

    if (!str_empty(s->images)) {
        argv[13] = "--images";
        argv[14] = s->images;
    }
    unlink(s->port_file);
    s->port = 0;
    s->deadline = loop_now(s->loop) + START_LIMIT_NS;
    s->child = child_spawn(s->loop, &spec, on_exit_status, s, err);
    if (s->child == NULL)
        return error_prefix(err, "cannot start %s", s->program);
    timer_start(&s->timer, POLL_NS);
    return 0;
}

static void simulator_free(struct simulator *s)
{
    timer_fini(&s->timer);
    free(s->program);
    free(s->state_dir);
    free(s->port_file);
    free(s->images);
    free(s->log_level);
    free(s);
}

struct simulator *simulator_start(struct loop *loop, const struct config *config,
                                  void (*ready)(void *arg, uint16_t port, const struct skl_error *err), void *arg,
                                  struct skl_error *err)
{
    struct simulator *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->ready = ready;
    s->arg = arg;
    s->program = find_program();
    s->state_dir = fs_join(config->state_dir, "simulator");
    s->port_file = fs_join(config->state_dir, "simulator.port");
    s->images = xstrdup(config->simulator_images);
    s->log_level = xstrdup(config->log_level);
    s->wanted = port_file_read(s->port_file);
    timer_init(loop, &s->timer, on_poll, s);
    if (fs_mkdir_p(s->state_dir, 0700, err) < 0 || spawn(s, err) < 0) {
        simulator_free(s);
        return NULL;
    }
    return s;
}

void simulator_on_again(struct simulator *s, void (*again)(void *arg))
{
    s->again = again;
}

/* ---- its life ---- */
static void report(struct simulator *s, const struct skl_error *err)
{
    void (*ready)(void *, uint16_t, const struct skl_error *) = s->ready;

    s->ready = NULL; /* a restart later on is nobody's news */
    if (err == NULL)
        log_info("simulator", "Google's APIs are simulated on 127.0.0.1:%u", s->port);
    else
        log_error("simulator", "%s", err->message);
    if (ready != NULL)
        ready(s->arg, s->port, err);
    else if (err == NULL && s->again != NULL)
        s->again(s->arg);
}

static void on_poll(void *arg)
{
    struct simulator *s = arg;
    struct skl_error err = {0};

    if (s->gone != NULL) { /* did not end in time */
        if (s->child != NULL)
            child_kill(s->child, SIGKILL);
        return;
    }
    if (s->child == NULL) { /* time for a restart */
        if (spawn(s, &err) < 0)
            report(s, &err);
        return;
    }
    s->port = port_file_read(s->port_file);
    if (s->port != 0) {
        s->wanted = s->port;
        report(s, NULL);
        return;
    }
    if (loop_now(s->loop) < s->deadline) {
        timer_start(&s->timer, POLL_NS);
        return;
    }
    error_set(&err, SKL_ERR_TIMEOUT, "%s did not come up", s->program);
    report(s, &err);
}

static void on_early_exit(struct simulator *s, int status)
{
    struct skl_error err = {0};

    if (s->wanted != 0) { /* most likely the port is taken */
        log_warn("simulator", "could not come up on port %u, trying another", s->wanted);
        s->wanted = 0;
        if (spawn(s, &err) == 0)
            return;
    } else {
        error_set(&err, SKL_ERR_INTERNAL, "%s ended with status %d before it was ready; its own words are above",
                  s->program, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    report(s, &err);
}

static void on_exit_status(void *arg, int status)
{
    struct simulator *s = arg;

    s->child = NULL;
    timer_stop(&s->timer);
    if (s->gone != NULL) {
        s->gone(s->gone_arg);
        simulator_free(s);
        return;
    }
    if (s->port == 0) {
        on_early_exit(s, status);
        return;
    }
    log_error("simulator", "ended unexpectedly (wait status %d); starting it again", status);
    s->port = 0;
    timer_start(&s->timer, RESTART_DELAY_NS);
}

void simulator_stop(struct simulator *s, void (*gone)(void *arg), void *arg)
{
    s->gone = gone;
    s->gone_arg = arg;
    if (s->child == NULL) {
        gone(arg);
        simulator_free(s);
        return;
    }
    child_kill(s->child, SIGTERM);
    timer_start(&s->timer, SIMULATOR_STOP_NS);
}

/* ---- the driver's configuration ---- */
static struct json_object *driver_options(struct config *c)
{
    struct json_object *options;

    if (c->drivers == NULL)
        c->drivers = json_new_object();
    options = json_member(c->drivers, c->driver);
    return options != NULL ? options : json_add_object(c->drivers, c->driver);
}

int simulator_configure(struct config *config, uint16_t port, const char *(*env)(const char *name),
                        struct skl_error *err)
{
    struct json_object *options = driver_options(config);
    CLEANUP(free_p) char *url = xasprintf("http://127.0.0.1:%u", port);

    if (!str_empty(env("SOCKERLESS_ENDPOINT_URL")) || !str_empty(json_string_or(json_member(options, "endpoint-url"), "")))
        return error_set(err, SKL_ERR_INVALID,
                         "the simulator and an endpoint-url exclude each other: leave out --simulator or the URL");
    json_add_string(options, "endpoint-url", url);
    if (str_empty(env("SOCKERLESS_GCF_PROJECT")) && str_empty(json_string_or(json_member(options, "project"), "")))
        json_add_string(options, "project", "sockerless-local"); /* the simulator takes any */
    return 0;
}
