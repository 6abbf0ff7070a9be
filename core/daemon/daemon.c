/*
 * daemon/daemon.c - see daemon.h.
 *
 * Coming up: what needs no cloud first (state directory, agents' port), then the simulator if it was asked for, then the
 * drivers, the chain, recovery, and only then the listeners: a client that gets through finds everything.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "daemon/daemon.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "api/api.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/agents.h"
#include "daemon/config.h"
#include "daemon/endpoint.h"
#include "daemon/listen.h"
#include "daemon/notify.h"
#include "daemon/simulator.h"
#include "drivers/chain.h"
#include "http/server.h"
#include "loop/http_client.h"
#include "loop/loop.h"
#include "plugin/plugin.h"
#include "state/engine.h"

struct skl_daemon {
    struct config *config;
    const struct config_args *args;
    struct loop *loop;
    struct http_client *http;
    struct engine *engine;
    struct plugin_host *plugins;
    struct chain *chain;
    struct api *api;
    struct http_server *server, *agents;
    struct simulator *simulator;
    struct soon soon;
    char *callback_url; /* NULL: containers have no agent */
    bool stopping, pidfile;
    int status;
};

static const char *lookup_env(const char *name)
{
    return getenv(name);
}

/* ---- going down ---- */

/* Clients first, then what serves them; the cloud's side of containers stays as it is. */
static void take_down(struct skl_daemon *d)
{
    http_server_free(d->server);
    api_free(d->api);
    http_server_free(d->agents); /* tells the chain that its connections are gone */
    chain_free(d->chain);
    if (d->engine != NULL)
        engine_set_runner(d->engine, NULL, NULL);
    plugin_host_free(d->plugins);
    engine_close(d->engine);
    d->server = d->agents = NULL;
    d->api = NULL;
    d->chain = NULL;
    d->plugins = NULL;
    d->engine = NULL;
}

static void on_simulator_gone(void *arg)
{
    struct skl_daemon *d = arg;

    d->simulator = NULL;
    loop_stop(d->loop);
}

static void on_idle(void *arg)
{
    struct skl_daemon *d = arg;

    take_down(d);
    if (d->simulator != NULL)
        simulator_stop(d->simulator, on_simulator_gone, d);
    else
        loop_stop(d->loop);
}

static void stop(struct skl_daemon *d)
{
    d->stopping = true;
    notify_send("STOPPING=1");
    if (d->server != NULL)
        http_server_stop_accepting(d->server);
    engine_shutdown(d->engine, on_idle, d);
}

static void on_term(void *arg, int signo)
{
    struct skl_daemon *d = arg;

    if (d->stopping) {
        log_warn("daemon", "signal %d again: not waiting any longer", signo);
        loop_stop(d->loop);
        return;
    }
    log_info("daemon", "signal %d: ending; containers stay as they are", signo);
    stop(d);
}

static void fail(struct skl_daemon *d, const struct skl_error *err)
{
    fprintf(stderr, "sockerlessd: %s\n", err->message);
    d->status = EXIT_FAILURE;
    stop(d);
}

/* ---- SIGHUP ---- */

static void on_changed(void *arg, const char *path, bool applied)
{
    (void)arg;
    if (applied)
        log_info("daemon", "configuration: \"%s\" changed", path);
    else
        log_warn("daemon", "configuration: \"%s\" changed, which needs a restart", path);
}

static void on_hup(void *arg, int signo)
{
    struct skl_daemon *d = arg;
    struct config fresh;
    struct skl_error err = {0};
    enum log_level level;

    (void)signo;
    if (config_load(&fresh, d->args, lookup_env, &err) < 0) {
        log_error("daemon", "the configuration stays as it was: %s", err.message);
    } else {
        config_reload(d->config, &fresh, on_changed, d);
        if (log_level_parse(d->config->log_level, &level))
            log_set_level(level);
    }
    config_fini(&fresh);
}

/* ---- coming up ---- */

static void on_refused(void *arg, const char *path, const struct skl_error *err)
{
    (void)arg;
    log_warn("daemon", "driver %s is not offered: %s", path, err->message);
}

static int load_drivers(struct skl_daemon *d, const char **ret_name, struct skl_error *err)
{
    struct config *c = d->config;
    struct plugin_host_opts opts = {
        .driver_dir = c->driver_dir,
        .daemon_id = engine_daemon_id(d->engine),
        .daemon_version = PACKAGE_VERSION,
        .callback_url = d->callback_url,
        .kv = engine_kv(d->engine),
        .drivers = c->drivers,
        .config_file = c->file,
    };
    struct plugin *p;

    d->plugins = plugin_host_new(d->loop, d->http, &opts);
    if (plugin_load(d->plugins, c->driver, &p, err) < 0)
        return -1;
    *ret_name = plugin_name(p);
    if (plugin_load_dir(d->plugins, on_refused, d, err) < 0)
        return -1;
    return engine_set_plugins(d->engine, d->plugins, *ret_name, err);
}

static int make_chain(struct skl_daemon *d, struct skl_error *err)
{
    CLEANUP(free_p) char *staging = fs_join(d->config->state_dir, "staging");
    CLEANUP(free_p) char *volumes = fs_join(d->config->state_dir, "volumes");
    struct chain_opts opts = {
        .loop = d->loop,
        .engine = d->engine,
        .staging_dir = staging,
        .volumes_dir = volumes,
        .connect_timeout_ns = d->config->connect_timeout,
        .capture_paths = (const char *const *)d->config->capture_paths,
        .capture_limit = (uint64_t)d->config->capture_limit,
        .volume_limit = (uint64_t)d->config->volume_limit,
        .synthetic = str_eq(d->config->synthetic_exec, "echo") ? CHAIN_SYNTHETIC_ECHO : CHAIN_SYNTHETIC_REFUSE,
    };

    d->chain = chain_new(&opts, err);
    if (d->chain == NULL)
        return -1;
    engine_set_runner(d->engine, chain_runner_ops(), d->chain);
    return 0;
}

static int serve(struct skl_daemon *d, const char *driver, struct skl_error *err)
{
    struct config *c = d->config;
    struct api_opts opts = {
        .loop = d->loop,
        .engine = d->engine,
        .chain = d->chain,
        .http = d->http,
        .plugins = d->plugins,
        .default_runtime = driver,
        .state_dir = c->state_dir,
        .resolve_registry = str_eq(c->resolve, "registry"),
        .registry_mirrors = (const char *const *)c->mirrors,
        .insecure_registries = (const char *const *)c->insecure_registries,
        .debug = log_get_level() == LOG_LEVEL_DEBUG,
    };
    struct http_server_opts server = {.on_request = api_on_request, .default_headers = api_default_headers};

    d->api = api_new(&opts);
    server.arg = d->api;
    d->server = http_server_new(d->loop, &server);
    return listen_add_all(d->server, c, err);
}

static int write_pidfile(struct skl_daemon *d, struct skl_error *err)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    if (str_empty(d->config->pidfile))
        return 0;
    d->pidfile = fs_write_file_atomic(d->config->pidfile, text, (size_t)n, 0644, err) == 0;
    return d->pidfile ? 0 : -1;
}

/* The cloud's endpoint is known. */
static void come_up(void *arg)
{
    struct skl_daemon *d = arg;
    struct skl_error err = {0};
    const char *driver = NULL;

    if (load_drivers(d, &driver, &err) < 0 || make_chain(d, &err) < 0) {
        fail(d, &err);
        return;
    }
    engine_recover(d->engine, d->config->prune_orphans, NULL, NULL);
    if (serve(d, driver, &err) < 0 || write_pidfile(d, &err) < 0) {
        fail(d, &err);
        return;
    }
    notify_send("READY=1");
    log_info("daemon", "ready: sockerlessd %s, driver %s", PACKAGE_VERSION, driver);
}

static void on_simulator_ready(void *arg, uint16_t port, const struct skl_error *err)
{
    struct skl_daemon *d = arg;
    struct skl_error mine = {0};

    if (d->stopping)
        return;
    if (err == NULL && simulator_configure(d->config, port, lookup_env, &mine) < 0)
        err = &mine;
    if (err != NULL)
        fail(d, err);
    else
        come_up(d);
}

static void on_simulator_again(void *arg)
{
    struct skl_daemon *d = arg;

    if (!d->stopping && d->chain != NULL)
        engine_ask_resources(d->engine);
}

/* Until the drivers are loaded agents are turned away: they dial again. */
static void on_agents_request(struct http_req *req, void *arg)
{
    struct skl_daemon *d = arg;

    if (d->chain != NULL)
        agents_on_request(req, d->chain);
    else
        http_res_send(req, 503, "text/plain; charset=utf-8", "starting\n", strlen("starting\n"));
}

#define AGENT_CA_MAX (8u * 1024) /* it travels in each function's environment */

/* PEM of agent.ca-file, "" without one. */
static int read_agent_ca(const struct config *c, struct buf *out, struct skl_error *err)
{
    if (str_empty(c->agent_ca_file))
        return 0;
    if (fs_read_file(c->agent_ca_file, out, err) < 0)
        return error_prefix(err, "agent.ca-file");
    if (strstr(buf_str(out), "-----BEGIN CERTIFICATE-----") == NULL)
        return error_set(err, SKL_ERR_INVALID, "agent.ca-file: %s holds no certificate", c->agent_ca_file);
    return 0;
}

static int open_engine(struct skl_daemon *d, struct skl_error *err)
{
    struct config *c = d->config;
    struct buf ca;
    struct engine_opts opts = {
        .loop = d->loop,
        .state_dir = c->state_dir,
        .publish_ip = c->ip,
        .agent_connect_timeout_ns = c->connect_timeout,
        .driver_timeout_ns = c->driver_timeout,
    };
    struct http_server_opts agents = {.on_request = on_agents_request, .arg = d};
    int rc;

    buf_init(&ca, AGENT_CA_MAX);
    rc = read_agent_ca(c, &ca, err);
    opts.agent_ca = buf_str(&ca);
    if (rc == 0)
        rc = engine_open(&opts, &d->engine, err);
    buf_fini(&ca);
    if (rc < 0)
        return -1;
    d->agents = http_server_new(d->loop, &agents);
    if (endpoint_listen(d->agents, c, &d->callback_url, err) < 0)
        return -1;
    engine_set_callback(d->engine, d->callback_url);
    return 0;
}

static int begin(struct skl_daemon *d, struct skl_error *err)
{
    d->loop = loop_new(err);
    if (d->loop == NULL)
        return -1;
    d->http = http_client_new(d->loop, err);
    if (d->http == NULL || open_engine(d, err) < 0)
        return -1;
    if (loop_on_signal(d->loop, SIGTERM, on_term, d, err) < 0 || loop_on_signal(d->loop, SIGINT, on_term, d, err) < 0 ||
        loop_on_signal(d->loop, SIGHUP, on_hup, d, err) < 0)
        return -1;
    soon_init(&d->soon, come_up, d);
    if (!d->config->simulator) {
        loop_soon(d->loop, &d->soon);
        return 0;
    }
    d->simulator = simulator_start(d->loop, d->config, on_simulator_ready, d, err);
    if (d->simulator == NULL)
        return -1;
    simulator_on_again(d->simulator, on_simulator_again);
    return 0;
}

int daemon_run(struct config *config, const struct config_args *args)
{
    struct skl_daemon d = {.config = config, .args = args, .status = EXIT_SUCCESS};
    struct skl_error err = {0};

    if (begin(&d, &err) < 0) {
        fprintf(stderr, "sockerlessd: %s\n", err.message);
        d.status = EXIT_FAILURE;
    } else if (loop_run(d.loop) < 0) {
        d.status = EXIT_FAILURE;
    }
    take_down(&d);
    if (d.http != NULL)
        http_client_free(d.http);
    if (d.loop != NULL)
        loop_free(d.loop);
    if (d.pidfile)
        unlink(config->pidfile);
    free(d.callback_url);
    return d.status;
}
