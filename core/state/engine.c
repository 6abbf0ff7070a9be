/*
 * state/engine.c - the engine's life: lock, store, tables, plugins, orderly end. See engine.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "state/machine.h"

#define CONNECT_TIMEOUT_DEFAULT (60 * NS_PER_S)

/* ---- jobs ---- */

struct job {
    struct list link;
    void (*fini)(void *job);
    max_align_t payload[];
};

void *engine_job_new(struct engine *e, size_t size, void (*fini)(void *job))
{
    struct job *j = xcalloc(1, sizeof(*j) + size);

    j->fini = fini;
    list_push_back(&e->jobs, &j->link);
    return j->payload;
}

void engine_job_free(void *job)
{
    struct job *j = job != NULL ? CONTAINER_OF(job, struct job, payload) : NULL;

    if (j == NULL)
        return;
    list_remove(&j->link);
    if (j->fini != NULL)
        j->fini(job);
    free(j);
}

/* ---- the lock ---- */

static int lock_busy(int fd, const char *dir, struct skl_error *err)
{
    char pid[32] = "";
    ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

    pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
    return error_set(err, SKL_ERR_CONFLICT, "the state directory %s is in use by another daemon (process %s)", dir,
                     pid[0] != '\0' ? pid : "unknown");
}

/* Held as long as the process lives, whatever ends it. */
static int lock_state_dir(struct engine *e, struct skl_error *err)
{
    CLEANUP(free_p) char *path = fs_join(e->state_dir, "lock");
    char pid[32];
    int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

    e->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->lock_fd < 0)
        return error_set_errno(err, SKL_ERR_INTERNAL, errno, "cannot open %s", path);
    if (flock(e->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? lock_busy(e->lock_fd, e->state_dir, err)
                                    : error_set_errno(err, SKL_ERR_INTERNAL, errno, "cannot lock %s", path);
    if (ftruncate(e->lock_fd, 0) < 0 || pwrite(e->lock_fd, pid, (size_t)n, 0) < 0)
        log_warn("state", "%s: cannot write the process ID: %s", path, strerror(errno));
    return 0;
}

/* ---- what drivers store ---- */

struct blob {
    char *data;
    size_t len;
};

static int on_blob(void *arg, struct sqlite3_stmt *row, struct skl_error *err)
{
    struct blob *b = arg;
    const void *p = row_blob(row, 0, &b->len);

    (void)err;
    free(b->data);
    b->data = xmalloc(b->len + 1);
    memcpy(b->data, p, b->len);
    b->data[b->len] = '\0';
    return 0;
}

static char *kv_get(void *arg, const char *driver, const char *key, size_t *ret_len)
{
    struct engine *e = arg;
    struct blob b = {0};
    struct skl_error err;

    if (store_query(e->store, SQL_KV_GET, on_blob, &b, &err, "ss", driver, key) < 0)
        log_error("state", "%s", err.message);
    *ret_len = b.len;
    return b.data;
}

static int kv_put(void *arg, const char *driver, const char *key, const void *value, size_t len, struct skl_error *err)
{
    struct engine *e = arg;

    if (value == NULL)
        return store_run(e->store, SQL_KV_DELETE, err, "ss", driver, key);
    return store_run(e->store, SQL_KV_PUT, err, "ssb", driver, key, value, len);
}

const struct plugin_kv *engine_kv(struct engine *e)
{
    return &e->kv;
}

/* ---- opening ---- */

static int load_daemon_id(struct engine *e, struct skl_error *err)
{
    struct blob b = {0};

    if (store_query(e->store, SQL_META_GET, on_blob, &b, err, "s", "daemon_id") < 0)
        return -1;
    if (b.len == ID_SIZE - 1) {
        memcpy(e->daemon_id, b.data, ID_SIZE);
        free(b.data);
        return 0;
    }
    free(b.data);
    id_new(e->daemon_id);
    return store_run(e->store, SQL_META_PUT, err, "ss", "daemon_id", e->daemon_id);
}

static int load_all(struct engine *e, struct skl_error *err)
{
    if (load_daemon_id(e, err) < 0 || networks_load(e, err) < 0 || volumes_load(e, err) < 0 || images_load(e, err) < 0 ||
        containers_load(e, err) < 0)
        return -1;
    return removals_load(e, err);
}

static int open_all(struct engine *e, struct skl_error *err)
{
    CLEANUP(free_p) char *path = fs_join(e->state_dir, "state.db");
    CLEANUP(free_p) char *logs = fs_join(e->state_dir, "logs");

    if (fs_mkdir_p(e->state_dir, 0700, err) < 0 || lock_state_dir(e, err) < 0 || fs_mkdir_p(logs, 0700, err) < 0 ||
        store_open(e->loop, path, &e->store, err) < 0)
        return -1;
    return load_all(e, err);
}

static void on_dirty(void *arg)
{
    struct engine *e = arg;

    LIST_FOREACH_SAFE(node, tmp, &e->dirty)
        machine_save(LIST_ENTRY(node, struct machine, dirty));
    if (!list_empty(&e->dirty))
        timer_start(&e->dirty_timer, STORE_RETRY_NS);
}

static void on_idle_soon(void *arg)
{
    struct engine *e = arg;
    void (*fn)(void *) = e->on_idle;

    timer_stop(&e->shutdown_timer);
    soon_cancel(&e->idle_soon);
    e->on_idle = NULL;
    if (fn != NULL)
        fn(e->on_idle_arg);
}

static void init(struct engine *e, const struct engine_opts *opts)
{
    e->loop = opts->loop;
    e->state_dir = xstrdup(opts->state_dir);
    e->publish_ip = xstrdup(str_empty(opts->publish_ip) ? "0.0.0.0" : opts->publish_ip);
    e->callback_url = str_empty(opts->callback_url) ? NULL : xstrdup(opts->callback_url);
    e->agent_ca = str_empty(opts->agent_ca) ? NULL : xstrdup(opts->agent_ca);
    e->connect_timeout = opts->agent_connect_timeout_ns > 0 ? opts->agent_connect_timeout_ns : CONNECT_TIMEOUT_DEFAULT;
    e->start_patience = opts->start_patience_ns > 0 ? opts->start_patience_ns : ENGINE_START_PATIENCE_NS;
    e->agent_lost = opts->agent_lost_ns > 0 ? opts->agent_lost_ns : ENGINE_AGENT_LOST_NS;
    e->driver_timeout = opts->driver_timeout_ns;
    e->log_limits = opts->log_limits;
    e->lock_fd = -1;
    e->kv = (struct plugin_kv){kv_get, kv_put, e};
    list_init(&e->containers);
    list_init(&e->woken);
    list_init(&e->finished);
    list_init(&e->jobs);
    list_init(&e->dirty);
    list_init(&e->removals);
    list_init(&e->images);
    list_init(&e->networks);
    list_init(&e->volumes);
    events_init(e);
    timer_init(e->loop, &e->dirty_timer, on_dirty, e);
    timer_init(e->loop, &e->shutdown_timer, on_idle_soon, e);
    soon_init(&e->idle_soon, on_idle_soon, e);
    e->logs = logstore_new(e);
}

int engine_open(const struct engine_opts *opts, struct engine **ret, struct skl_error *err)
{
    struct engine *e = xcalloc(1, sizeof(*e));

    init(e, opts);
    if (open_all(e, err) < 0) {
        engine_close(e);
        return -1;
    }
    *ret = e;
    return 0;
}

void engine_set_callback(struct engine *e, const char *url)
{
    free(e->callback_url);
    e->callback_url = str_empty(url) ? NULL : xstrdup(url);
}

void engine_close(struct engine *e)
{
    if (e == NULL)
        return;
    waiters_woken_free(e);
    ops_finished_free(e);
    container_free_all(e);
    while (!list_empty(&e->jobs))
        engine_job_free(LIST_ENTRY(e->jobs.next, struct job, link)->payload);
    removals_free(e);
    images_free(e);
    networks_free(e);
    volumes_free(e);
    events_fini(e);
    timer_fini(&e->dirty_timer);
    timer_fini(&e->shutdown_timer);
    soon_cancel(&e->idle_soon);
    logstore_free(e->logs);
    store_close(e->store);
    if (e->lock_fd >= 0)
        close(e->lock_fd);
    free(e->default_driver);
    free(e->agent_ca);
    free(e->publish_ip);
    free(e->callback_url);
    free(e->state_dir);
    free(e);
}

/* ---- drivers ---- */

static void on_late(void *arg, struct plugin *p, const struct plugin_late *late)
{
    struct engine *e = arg;
    struct container *c = container_by_id(e, late->container_id);

    if (strcmp(late->op, "create") == 0) {
        if (c == NULL)
            removal_orphan(e, p, late->container_id, late->handle);
    } else if (c != NULL) {
        machine_kill_late(c, late->run);
    }
}

int engine_set_plugins(struct engine *e, struct plugin_host *host, const char *default_driver, struct skl_error *err)
{
    if (host != NULL && plugin_find(host, default_driver) == NULL)
        return error_set(err, SKL_ERR_NOT_FOUND, "driver %s is not loaded", default_driver);
    e->plugins = host;
    free(e->default_driver);
    e->default_driver = xstrdup(default_driver);
    if (host != NULL) {
        plugin_host_on_run_ended(host, machine_run_ended, e);
        plugin_host_on_late(host, on_late, e);
    }
    return 0;
}

struct plugin_host *engine_plugins(struct engine *e)
{
    return e->plugins;
}

const char *engine_default_driver(const struct engine *e)
{
    return e->default_driver;
}

struct plugin *engine_driver(struct engine *e, const char *runtime, struct skl_error *err)
{
    struct plugin *p = NULL;

    if (str_empty(runtime) || strcmp(runtime, "runc") == 0 || strcmp(runtime, "io.containerd.runc.v2") == 0)
        runtime = e->default_driver;
    if (e->plugins != NULL && runtime != NULL)
        p = plugin_find(e->plugins, runtime);
    if (p == NULL)
        error_set(err, SKL_ERR_INVALID, "unknown or invalid runtime name: %s", runtime != NULL ? runtime : "");
    return p;
}

uint64_t engine_caps(const struct engine *e, const struct container *c)
{
    struct plugin *p = e->plugins != NULL ? plugin_find(e->plugins, c->driver) : NULL;

    return p != NULL ? plugin_caps(p) : 0;
}

const char *engine_callback_url(const struct engine *e)
{
    return e->callback_url;
}

bool container_has_agent(const struct container *c)
{
    const struct engine *e = c->engine;
    struct plugin *p = e->plugins != NULL ? plugin_find(e->plugins, c->driver) : NULL;

    return engine_has_agent(e) && (p == NULL || (plugin_caps(p) & SKL_CAP_AGENT) != 0);
}

int64_t engine_driver_timeout(const struct engine *e, int64_t limit)
{
    return e->driver_timeout > 0 && e->driver_timeout < limit ? e->driver_timeout : limit;
}

void engine_set_runner(struct engine *e, const struct runner_ops *ops, void *ctx)
{
    e->runner = ops;
    e->runner_ctx = ctx;
}

/* ---- small things ---- */

struct loop *engine_loop(struct engine *e)
{
    return e->loop;
}

const char *engine_daemon_id(const struct engine *e)
{
    return e->daemon_id;
}

const char *engine_state_dir(const struct engine *e)
{
    return e->state_dir;
}

bool engine_has_agent(const struct engine *e)
{
    return e->callback_url != NULL && e->runner != NULL;
}

void engine_counts(const struct engine *e, struct engine_counts *ret)
{
    *ret = (struct engine_counts){.containers = e->n_containers, .running = e->n_status[CONTAINER_RUNNING],
                                  .paused = e->n_status[CONTAINER_PAUSED], .images = e->n_images,
                                  .networks = e->n_networks, .volumes = e->n_volumes,
                                  .orphans = e->n_orphans};
    ret->stopped = ret->containers - ret->running - ret->paused;
}

uint64_t engine_generation(const struct engine *e)
{
    return e->generation;
}

/* ---- the orderly end ---- */

int engine_check_open(const struct engine *e, struct skl_error *err)
{
    return e->closing ? error_set(err, SKL_ERR_UNAVAILABLE, "the daemon is shutting down") : 0;
}

void engine_busy(struct engine *e)
{
    e->busy++;
}

void engine_idle(struct engine *e)
{
    if (--e->busy == 0 && e->on_idle != NULL)
        loop_soon(e->loop, &e->idle_soon);
}

void engine_shutdown(struct engine *e, void (*done)(void *arg), void *arg)
{
    e->closing = true;
    e->on_idle = done;
    e->on_idle_arg = arg;
    if (e->busy == 0)
        loop_soon(e->loop, &e->idle_soon);
    else
        timer_start(&e->shutdown_timer, ENGINE_SHUTDOWN_NS);
}
