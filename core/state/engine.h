/*
 * state/engine.h - the model as a whole: what the daemon knows, on disk and in memory.
 *
 * The engine owns the store (SQLite under the state directory), the event bus, the log store and the tables of
 * containers, images, networks, volumes and execs. It calls driver plugins (plugin/plugin.h) and the exec driver chain
 * (state/runner.h). It knows nothing of HTTP.
 *
 * Order of things at start-up, since each part needs the one before:
 *     engine_open()          takes the lock on the state directory, opens the store, loads everything
 *     plugin_host_new()      with engine_kv() and engine_daemon_id()
 *     engine_set_plugins()   which drivers there are
 *     chain_new(), engine_set_runner()
 *     engine_recover()       takes up runs that are still on, finishes what a killed daemon left half done
 *     ... serve ...
 *     engine_shutdown()      no new work; done when nothing is in flight, or its bound has passed
 *     chain_free(), plugin_host_free(), engine_close()
 *
 * Everything is for the loop thread. Operations that take a done function call it exactly once, on the loop, after
 * the starter returned. They never depend on the caller still being interested: a client that goes away does not
 * stop a stop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_ENGINE_H
#define SKL_STATE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "plugin/plugin.h"
#include "state/container.h"
#include "state/events.h"
#include "state/exec.h"
#include "state/image.h"
#include "state/logstore.h"
#include "state/network.h"
#include "state/runner.h"
#include "state/volume.h"

struct engine;
struct loop;

/* ---- limits ---- */
#define ENGINE_CREATE_TIMEOUT_NS (INT64_C(30) * 60 * 1000000000) /* a driver's create(), cloud builds included */
#define ENGINE_START_TIMEOUT_NS (INT64_C(30) * 60 * 1000000000)  /* a driver's start(): may wait for its create */
#define ENGINE_KILL_TIMEOUT_NS (INT64_C(30) * 1000000000)
#define ENGINE_REMOVE_TIMEOUT_NS (INT64_C(5) * 60 * 1000000000)
#define ENGINE_AGENT_LOST_NS (INT64_C(120) * 1000000000)         /* how long a lost agent is waited for */
#define ENGINE_START_PATIENCE_NS (INT64_C(10) * 1000000000)       /* how long a stop or kill waits at least for a start on its way */
#define ENGINE_AGENT_DISCONNECT_NS (INT64_C(30) * 60 * 1000000000) /* strict: after the invocation's answer */
#define ENGINE_HELPER_GRACE_NS (INT64_C(500) * 1000000)          /* strict: helper commands */
#define ENGINE_SHUTDOWN_NS (INT64_C(10) * 1000000000)

struct engine_opts {
    struct loop *loop;
    const char *state_dir;            /* made if missing, mode 0700 */
    const char *callback_url;         /* NULL or "": containers have no agent */
    const char *agent_ca;             /* PEM that agents trust for the callback URL; NULL or "": their image's */
    const char *publish_ip;           /* where published ports listen that name no address; NULL or "": 0.0.0.0 */
    int64_t agent_connect_timeout_ns; /* 0: 60 s */
    int64_t agent_lost_ns;            /* 0: ENGINE_AGENT_LOST_NS */
    int64_t start_patience_ns;        /* 0: ENGINE_START_PATIENCE_NS */
    int64_t driver_timeout_ns;        /* no operation of a driver may take longer; 0: the limits above alone */
    struct log_limits log_limits;     /* for containers that name none; zeros: LOG_DEFAULT_* */
};

/* Strings are copied. Errors say what is wrong in plain words: the state directory is in use (by process N), was made
 * by a newer version, is damaged (and is kept as it is). */
int engine_open(const struct engine_opts *opts, struct engine **ret, struct skl_error *err);
/* The callback URL, when it is known only after the state directory is ours (ports are chosen then). Before
 * engine_recover(). NULL or "": containers have no agent. */
void engine_set_callback(struct engine *e, const char *url);
/* After the plugin host and the chain are gone. Pending done functions are dropped. */
void engine_close(struct engine *e);

const char *engine_daemon_id(const struct engine *e); /* made once per state directory; labels what is ours in the cloud */
const struct plugin_kv *engine_kv(struct engine *e);  /* for plugin_host_opts.kv */
struct loop *engine_loop(struct engine *e);
const char *engine_state_dir(const struct engine *e);
bool engine_has_agent(const struct engine *e);        /* there is a callback URL */
const char *engine_callback_url(const struct engine *e); /* or NULL */

/* The host is borrowed until engine_close() or until it is set to NULL. default_driver: a loaded driver's name. */
int engine_set_plugins(struct engine *e, struct plugin_host *host, const char *default_driver, struct skl_error *err);
struct plugin_host *engine_plugins(struct engine *e);
const char *engine_default_driver(const struct engine *e);
/* The driver behind `docker run --runtime NAME`. "" or NULL: the default; so is "runc", which clients name out of
 * habit. INVALID `unknown or invalid runtime name: x`. */
struct plugin *engine_driver(struct engine *e, const char *runtime, struct skl_error *err);
/* The capabilities of a container's driver; 0 when it is not loaded (any more). */
uint64_t engine_caps(const struct engine *e, const struct container *c);
/* The daemon has a callback URL, and the container's driver an agent to dial it. A driver that is not loaded may have one. */
bool container_has_agent(const struct container *c);
/* It has volumes, and what they hold is kept when a run ends and given to the next one: in extended semantics. */
bool container_volumes_follow(const struct container *c);

void engine_set_runner(struct engine *e, const struct runner_ops *ops, void *ctx);

struct engine_recovery {
    size_t containers;    /* known */
    size_t running;       /* taken up again */
    size_t rolled_back;   /* half-done creates that are being undone */
    size_t removals;      /* pending deletions taken up */
    size_t orphans;       /* resources with our label that nobody knows; reported, removed when `prune` */
};
/* Begins recovery; containers are usable at once. done comes when the clouds' lists were compared. prune: remove
 * orphans. done may be NULL. */
void engine_recover(struct engine *e, bool prune, void (*done)(void *arg, const struct engine_recovery *r), void *arg);

/* The clouds may have lost what they had: asks for their lists. Runs whose resource is gone end, starts make it anew. */
void engine_ask_resources(struct engine *e);

/* Orderly end: no operation is accepted any more (UNAVAILABLE), containers stay as they are, creates in
 * progress are waited for, at most ENGINE_SHUTDOWN_NS. */
void engine_shutdown(struct engine *e, void (*done)(void *arg), void *arg);

/* ---- counts for `docker info` ---- */
struct engine_counts {
    size_t containers, running, paused, stopped; /* the last three add up to the first */
    size_t images, networks, volumes;
    size_t orphans; /* in the clouds, under our label, unknown here, as of the last look */
};
void engine_counts(const struct engine *e, struct engine_counts *ret);

/* Goes up whenever anything a list shows has changed (containers, images, networks, volumes): for render caches. */
uint64_t engine_generation(const struct engine *e);

#endif
