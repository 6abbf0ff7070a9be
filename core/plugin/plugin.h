/*
 * plugin/plugin.h - loads driver plugins and calls their operations.
 *
 * The plugin host is the daemon's side of include/sockerless/driver.h: it checks and opens the shared
 * objects, validates each driver's options against its table, lends the drivers their services, and gives the
 * core operations that keep their word whatever a driver does:
 *
 *  - Each started operation calls its done function exactly once, on the loop, never inside the starter and
 * never on a driver's stack. That holds for a driver that completes twice, from inside the operation, too
 * late or never.
 *  - What is passed in is copied: the caller's memory may go when the starter returns. What done gets is
 *    borrowed until done returns, is checked (lengths, UTF-8, counts), and its structs have this build's
 * size, so items can be indexed and fields read without SKL_HAS().
 *  - A driver's fault is logged once as an error that names driver, operation and fault, and counted. The
 * daemon goes on.
 *
 * All functions are for the loop thread. Plugins are never unloaded; plugin_host_free() closes the instances.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_PLUGIN_PLUGIN_H
#define SKL_PLUGIN_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/error.h"
#include "sockerless/driver.h"

struct json_object;
struct loop;
struct http_client;
struct plugin_host;
struct plugin;
struct plugin_call;

/* ---- the host ---- */

/* Storage the drivers' kv_get/kv_put end in, namespaced by driver name. core/state provides it. */
struct plugin_kv {
    /* Copy from malloc, NUL-terminated beyond *ret_len; NULL when absent. */
    char *(*get)(void *arg, const char *driver, const char *key, size_t *ret_len);
    /* value NULL: delete. */
    int (*put)(void *arg, const char *driver, const char *key, const void *value, size_t len,
               struct skl_error *err);
    void *arg;
};

struct plugin_host_opts {
    const char *driver_dir; /* where "NAME" is NAME.so; copied, as all strings here */
    const char *daemon_id;  /* NULL: "" */
    const char *daemon_version;
    const char *callback_url; /* NULL: none */
    const struct plugin_kv
        *kv; /* copied; NULL: nothing is stored and kv_put fails (--validate, --list-drivers) */
    struct json_object
        *drivers; /* the configuration's "drivers" object, { NAME: {...} }; a reference is taken; or NULL */
    const char *config_file; /* for messages; NULL: "configuration" */
};

/* http may be NULL: drivers' requests then fail (--validate, --list-drivers). */
struct plugin_host *plugin_host_new(struct loop *loop, struct http_client *http,
                                    const struct plugin_host_opts *opts);

/* Closes every instance. Calls still in progress end WITHOUT their done functions; so stop what may start
 * calls first, and for an orderly end wait until plugin_host_busy() is 0. Before loop and http client are
 * freed. */
void plugin_host_free(struct plugin_host *host);

/* Calls in progress whose done has not run yet. */
size_t plugin_host_busy(const struct plugin_host *host);

/* A run started by plugin_start() is over: once per run, on the loop, after the start's done (never, when
 * that had an error). `end` is borrowed; kind is a known SKL_END_*, reason is valid UTF-8 or NULL. */
typedef void (*plugin_run_ended_fn)(void *arg, struct plugin *p, const char *container_id, uint32_t run,
                                    const struct skl_run_end *end);
void plugin_host_on_run_ended(struct plugin_host *host, plugin_run_ended_fn fn, void *arg);

/* A create or start whose done was already called with an error (deadline, cancel) did succeed after all:
 * there is a resource, or a run, that nobody knows. The core should remove (op "create") or kill (op "start")
 * it. */
struct plugin_late {
    const char *op; /* "create" or "start" */
    const char *container_id;
    uint32_t run;       /* start */
    const char *handle; /* create: the new one */
};
typedef void (*plugin_late_fn)(void *arg, struct plugin *p, const struct plugin_late *late);
void plugin_host_on_late(struct plugin_host *host, plugin_late_fn fn, void *arg);

/* ---- loading ---- */

/* Loads "NAME" (driver_dir/NAME.so) or an absolute path, checks it and opens its instance with the options of
 * drivers.NAME. Errors name the file and say why in plain words. Kinds tell the daemon whom to blame:
 *   NOT_FOUND    no such file
 *   FORBIDDEN    owner or mode of the file or of a directory above it
 *   UNAVAILABLE  not a driver: no ELF file, exports, ABI, missing operations
 *   CONFLICT     a driver of that name is loaded already
 *   INVALID      the configuration: unknown key, wrong type, out of range (file, key and reason)
 * and whatever the driver's own open() reports. */
int plugin_load(struct plugin_host *host, const char *name_or_path, struct plugin **ret,
                struct skl_error *err);

/* Loads every *.so of driver_dir not loaded yet, in order of name: installing a package offers a driver. Each
 * one that can't be used goes to on_refused (may be NULL) and the rest are loaded. Returns how many were
 * loaded, or negative when the directory can't be read (a missing one is 0). */
int plugin_load_dir(struct plugin_host *host,
                    void (*on_refused)(void *arg, const char *path, const struct skl_error *err), void *arg,
                    struct skl_error *err);

/* Loaded drivers. */
struct plugin *plugin_find(struct plugin_host *host, const char *name); /* or NULL */
size_t plugin_count(const struct plugin_host *host);
struct plugin *plugin_at(const struct plugin_host *host, size_t i); /* in the order loaded */

/* All borrowed for the host's life. */
const char *plugin_name(const struct plugin *p);
const char *plugin_version(const struct plugin *p);
const char *plugin_description(const struct plugin *p);
const char *plugin_platform_name(const struct plugin *p); /* `docker info` Operating System; never NULL */
const char *plugin_path(const struct plugin *p);
uint64_t plugin_caps(const struct plugin *p);          /* SKL_CAP_*, those of the instance this build knows */
uint64_t plugin_fault_count(const struct plugin *p);   /* reported faults of the driver so far */
const char *plugin_last_fault(const struct plugin *p); /* its text, or "" */

/* `--list-drivers`: one line per *.so of driver_dir (name, version, ABI, description; or why it is refused),
 * nothing is opened. 0, or negative when the directory can't be read. */
int plugin_list_drivers(struct plugin_host *host, struct buf *out, struct skl_error *err);
/* `--help-driver NAME`: what it is, capabilities and its option table as text. Nothing is opened. */
int plugin_help_driver(struct plugin_host *host, const char *name_or_path, struct buf *out,
                       struct skl_error *err);

/* ---- operations ---- */

/*
 * timeout_ns: from now; 0: no limit. When it passes, or plugin_call_cancel() was called, the driver is asked
 * to cancel; done then runs with what the driver completes with, or after SKL_CANCEL_GRACE_NS without it. The
 * error's kind is TIMEOUT after a passed deadline and CANCELED after plugin_call_cancel(), unless the driver
 * reports an error of its own, or succeeds.
 *
 * A plugin_call is valid until its done function was called (it may be cancelled, to no effect, even inside
 * it). Starters never fail and never return NULL: what can't be done is told through done.
 */
typedef void (*plugin_done_fn)(void *arg, const struct skl_error *err);
typedef void (*plugin_create_fn)(void *arg, const struct skl_error *err, const struct skl_create_result *res);
typedef void (*plugin_list_fn)(void *arg, const struct skl_error *err, const struct skl_list_result *res);
typedef void (*plugin_inspect_fn)(void *arg, const struct skl_error *err,
                                  const struct skl_inspect_result *res);

/* res is NULL exactly when err is not. res->handle is never NULL. */
struct plugin_call *plugin_create(struct plugin *p, const struct skl_create_req *req, int64_t timeout_ns,
                                  plugin_create_fn done, void *arg);
/* err NULL: the run began, and run_ended() will follow, later, once. */
struct plugin_call *plugin_start(struct plugin *p, const struct skl_start_req *req, int64_t timeout_ns,
                                 plugin_done_fn done, void *arg);
struct plugin_call *plugin_kill(struct plugin *p, const struct skl_kill_req *req, int64_t timeout_ns,
                                plugin_done_fn done, void *arg);
/* Success also ends the host's interest in runs of the container: no run_ended() follows. */
struct plugin_call *plugin_remove(struct plugin *p, const struct skl_remove_req *req, int64_t timeout_ns,
                                  plugin_done_fn done, void *arg);
/* UNIMPLEMENTED through done when the instance lacks SKL_CAP_LIST / SKL_CAP_INSPECT. */
struct plugin_call *plugin_list(struct plugin *p, const struct skl_list_req *req, int64_t timeout_ns,
                                plugin_list_fn done, void *arg);
struct plugin_call *plugin_inspect(struct plugin *p, const struct skl_inspect_req *req, int64_t timeout_ns,
                                   plugin_inspect_fn done, void *arg);

/* req->out is ignored. Entries come one by one through on_entry (may be any bytes, at most
 * SKL_LOG_ENTRY_MAX); it returns false to pause AFTER having taken that entry; plugin_logs_resume() goes on.
 * done comes after the last entry was taken. */

typedef bool (*plugin_log_fn)(void *arg, const struct skl_log_entry *e);
struct plugin_call *plugin_logs(struct plugin *p, const struct skl_logs_req *req, int64_t timeout_ns,
                                plugin_log_fn on_entry, plugin_done_fn done, void *arg);
void plugin_logs_resume(struct plugin_call *call);

/* done still follows, later: with CANCELED, or with what the driver had completed already. No on_entry any
 * more. */
void plugin_call_cancel(struct plugin_call *call);

/* A run of an earlier daemon process is still on: its run_ended() is to be let through. */
void plugin_run_adopt(struct plugin *p, const char *container_id, uint32_t run);
/* The core has ended this run by its own means: a run_ended() that still comes is dropped silently. */
void plugin_run_forget(struct plugin *p, const char *container_id, uint32_t run);

#endif
