/*
 * plugin/internal.h - what the files of core/plugin share.
 *
 * host.c      the host: life, the list of plugins, reporting of faults
 * load.c      from a path to a checked driver, from a driver to an instance
 * catalog.c   the driver directory: --list-drivers, --help-driver, loading all
 * call.c      operations: the state machine of one call
 * pack.c      deep copies of requests and results
 * stream.c    log entries on their way from driver to core
 * run.c       which runs are on, and their ends
 * services.c  log, time, timers, storage, threads for drivers
 * http.c      HTTP for drivers
 * options.c, handle.c, trust.c, elf.c: on their own, see there
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_PLUGIN_INTERNAL_H
#define SKL_PLUGIN_INTERNAL_H

#include <pthread.h>
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "plugin/handle.h"
#include "plugin/options.h"
#include "plugin/plugin.h"
#include "plugin/take.h"

#define PLUGIN_NAME_MAX 63
#define PLUGIN_FAULT_MAX 512

/* Calls that a driver was given up on and that it has not completed yet. They keep their memory, since the driver may
 * still use the request; a driver with this many gets no new calls until it completes some. */
#define PLUGIN_ABANDONED_MAX 256u

/* Ended runs that are remembered, to tell "ended twice" from "never started". */
#define PLUGIN_ENDED_MAX 256u

struct plugin_host {
    struct loop *loop;
    struct http_client *http; /* may be NULL */
    char *driver_dir, *daemon_id, *daemon_version, *callback_url, *config_file;
    struct plugin_kv kv; /* get and put NULL: none */
    struct json_object *drivers;
    struct list plugins;
    size_t busy;
    plugin_run_ended_fn on_run_ended;
    void *run_ended_arg;
    plugin_late_fn on_late;
    void *late_arg;
    pthread_t thread;
};

/* A driver as its file offers it: loaded and checked, no instance yet. */
struct driver_file {
    char *path;
    struct skl_driver driver; /* taken over: every field of this build may be read */
    struct skl_ops ops;
    struct options options;
};

/* Plugins outlive their host: a driver's threads may call log() and post() at any time. */
struct plugin {
    struct list link;
    struct plugin_host *host; /* NULL once closed */
    struct loop *loop;
    struct driver_file file;
    struct option_values values;
    struct skl_host services; /* what the driver sees; ctx is this plugin */
    char *daemon_id, *daemon_version, *callback_url;
    struct skl_instance *inst;
    uint64_t caps;

    struct handles handles;
    struct list calls;    /* struct plugin_call */
    struct list timers;   /* struct plugin_timer */
    struct list requests; /* struct plugin_http */
    unsigned abandoned;
    struct plugin_run *runs; /* uthash */
    struct list ended;       /* runs that are over, oldest first */
    unsigned n_ended;

    pthread_mutex_t lock; /* over `closed`: post() may come from any thread */
    bool closed;
    uint64_t faults;
    char last_fault[PLUGIN_FAULT_MAX];
};

/* host.c: the driver did what it must not. Logged and counted. */
void plugin_fault(struct plugin *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* false, and a fault, when not on the loop's thread. `what` names the host function. */
bool plugin_on_loop(struct plugin *p, const char *what);

/* load.c. expected_name: what the driver must call itself, or NULL. */
int driver_file_load(struct driver_file *f, const char *path, const char *expected_name, struct skl_error *err);
void driver_file_fini(struct driver_file *f);
char *driver_path(const struct plugin_host *host, const char *name_or_path, struct skl_error *err);

/* services.c, http.c */
void services_init(struct plugin *p);
void services_close(struct plugin *p); /* ends timers and requests, with the requests' done functions */
struct skl_http *service_http_submit(void *ctx, const struct skl_http_request *req,
                                     void (*done)(void *arg, const struct skl_http_response *res), void *arg,
                                     struct skl_error *err);
void service_http_cancel(void *ctx, struct skl_http *h);
void http_requests_close(struct plugin *p);

/* call.c */
void service_complete(void *ctx, struct skl_call *call, const struct skl_error *err, const void *result);
int64_t service_call_deadline(void *ctx, const struct skl_call *call);
void calls_close(struct plugin *p);  /* asks the driver to cancel what is in progress */
void calls_free(struct plugin *p);   /* after the instance was closed */

/* ---- stream.c: the log entries of one logs call ---- */
#define STREAM_ENTRIES_MAX 256
#define STREAM_BYTES_MAX ((size_t)4 * 1024 * 1024)

struct log_stream {
    struct plugin *p;
    struct skl_stream *handle;
    struct list entries;
    int64_t n;
    size_t bytes;
    bool paused;    /* the core wants no more for now */
    bool gone;      /* the core wants no more at all */
    bool exhausted; /* the driver was told to wait */
    uint64_t dropped;
    void (*on_credit)(void *arg);
    void *on_credit_arg;
    void (*wake)(void *arg); /* entries came while there were none */
    void *wake_arg;
};
int log_stream_init(struct log_stream *s, struct plugin *p, void (*wake)(void *arg), void *arg);
void log_stream_close(struct log_stream *s); /* the driver's handle is dead; entries stay */
void log_stream_fini(struct log_stream *s);
/* Hands entries to fn until it pauses or there are none; wakes the driver when it may go on. */
void log_stream_deliver(struct log_stream *s, plugin_log_fn fn, void *arg);
void log_stream_discard(struct log_stream *s); /* sets gone, drops the entries */
int64_t service_log_push(void *ctx, struct skl_stream *s, const struct skl_log_entry *e);
void service_stream_on_credit(void *ctx, struct skl_stream *s, void (*fn)(void *arg), void *arg);

/* ---- run.c ---- */
void runs_init(struct plugin *p);
void runs_fini(struct plugin *p);
void run_starting(struct plugin *p, const char *container_id, uint32_t run);
/* The start's done was called: with success, with an error, or given up (still unknown). */
enum run_start_result { RUN_STARTED, RUN_START_FAILED, RUN_START_GIVEN_UP };
void run_start_done(struct plugin *p, const char *container_id, uint32_t run, enum run_start_result result);
void service_run_ended(void *ctx, const char *container_id, uint32_t run, const struct skl_run_end *end);

/* ---- pack.c ---- */
/* Each returns one block from malloc that begins with the request struct and holds all it points to. */
struct packed {
    void *block;
    size_t size;
};
void packed_free(struct packed *k); /* wipes: there are tokens in requests */
struct packed pack_create(const struct skl_create_req *req);
struct packed pack_start(const struct skl_start_req *req);
struct packed pack_kill(const struct skl_kill_req *req);
struct packed pack_remove(const struct skl_remove_req *req);
struct packed pack_logs(const struct skl_logs_req *req, struct skl_stream *out);
struct packed pack_list(const struct skl_list_req *req);
struct packed pack_inspect(const struct skl_inspect_req *req);
/* Results: checked copies. Negative when the driver returned garbage: err says what, for the call's error. */
int pack_create_result(struct packed *k, const struct skl_create_result *res, struct skl_error *err);
int pack_list_result(struct packed *k, const struct skl_list_result *res, struct skl_error *err);
int pack_inspect_result(struct packed *k, const struct skl_inspect_result *res, struct skl_error *err);
/* A driver's error, made safe: known kind, terminated UTF-8 text. */
void take_error(struct skl_error *dst, const struct skl_error *src);
/* Whether s is NULL or valid UTF-8 of at most max bytes. */
bool text_ok(const char *s, size_t max);

#endif
