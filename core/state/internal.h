/*
 * state/internal.h - what the files of core/state share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_INTERNAL_H
#define SKL_STATE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "loop/loop.h"
#include "state/engine.h"
#include "state/store.h"

#define STATE_JSON_MAX ((size_t)8 * 1024 * 1024) /* one JSON text of a container, image, network */
#define STORE_RETRY_NS (1 * NS_PER_S)            /* a full disk: when the next try is */

struct container_hash {
    struct container *c;
    UT_hash_handle by_id, by_name;
};
struct exec_hash {
    struct exec *x;
    UT_hash_handle hh;
};
struct image_hash {
    struct image *i;
    UT_hash_handle hh;
};
struct image_ref; /* image.c */
struct network_hash {
    struct network *n;
    UT_hash_handle by_id, by_name;
};
struct volume_hash {
    struct volume *v;
    UT_hash_handle hh;
};

struct event_bus {
    struct event *ring[EVENTS_RING]; /* oldest at next when full */
    size_t n, next;
    int64_t last;
    struct list subs;
    size_t n_subs;
};

struct engine {
    struct loop *loop;
    char *state_dir;
    char *callback_url; /* NULL: none */
    char *agent_ca;     /* PEM, or NULL */
    char *publish_ip;
    int64_t connect_timeout, agent_lost, start_patience, driver_timeout;
    struct log_limits log_limits;
    int lock_fd;
    char daemon_id[ID_SIZE];
    struct store *store;
    struct plugin_kv kv;

    struct plugin_host *plugins;
    char *default_driver;
    const struct runner_ops *runner;
    void *runner_ctx;

    bool closing;                    /* engine_shutdown() was called */
    size_t busy;                     /* creates in progress */
    void (*on_idle)(void *arg);
    void *on_idle_arg;
    struct timer shutdown_timer;
    struct soon idle_soon;

    struct event_bus events;
    struct logstore *logs;

    struct list containers;          /* newest first */
    struct container_hash *by_id, *by_name;
    size_t n_containers;             /* visible ones */
    size_t n_status[CONTAINER_REMOVED + 1];
    struct list woken;               /* waiters that are about to be told */
    struct list jobs;
    struct list finished;            /* operations whose callers are about to be told */
    struct list dirty;               /* machines whose state is still to be stored (a full disk) */
    struct timer dirty_timer;
    struct list removals;            /* of struct removal: deletions still to be done in the cloud */

    struct exec_hash *execs;

    struct list images;
    struct image_hash *image_ids;
    struct image_ref *image_refs;
    size_t n_images;

    struct list networks;
    struct network_hash *net_ids, *net_names;
    size_t n_networks;

    struct list volumes;
    struct volume_hash *volume_names;
    size_t n_volumes;

    size_t n_orphans;                /* recover.c: left where they are */

    uint64_t generation;
};

/* UNAVAILABLE after engine_shutdown(). */
int engine_check_open(const struct engine *e, struct skl_error *err);
static inline uint64_t engine_touch(struct engine *e) { return ++e->generation; }
/* Memory that a call of the driver or the runner carries: what is never answered, since the daemon ends, is
 * freed with the engine. fini (may be NULL) frees what it points to. */
/* The time a driver gets for an operation whose own limit is `limit`. */
int64_t engine_driver_timeout(const struct engine *e, int64_t limit);
void *engine_job_new(struct engine *e, size_t size, void (*fini)(void *job));
void engine_job_free(void *job);
/* One more, one fewer thing that an orderly end waits for. */
void engine_busy(struct engine *e);
void engine_idle(struct engine *e);

/* ---- events.c ---- */
void events_init(struct engine *e);
void events_fini(struct engine *e);

/* ---- labels (text.c) ---- */
/* From an object of strings; sorted by key. */
struct label *labels_from_json(struct json_object *o, size_t *ret_n);
struct label *labels_from_text(const char *json, size_t *ret_n);
char *labels_to_text(const struct label *labels, size_t n);
void labels_free(struct label *labels);
const char *labels_get(const struct label *labels, size_t n, const char *key);
/* Strings: NULL-terminated arrays, each string its own block. */
char **strv_dup(const char *const *v); /* NULL in, NULL out */
void strv_free(char **v);
size_t strv_len(const char *const *v);
/* From a JSON array of strings; NULL when o is NULL or no array. */
char **strv_from_json(struct json_object *o);
/* A value as JSON text; o NULL: `if_null`. */
char *json_text(struct json_object *o, const char *if_null);
/* The value of a text that core/state wrote itself; NULL when it does not parse. */
struct json_object *json_from_text(const char *text);

/* ---- containers ---- */
/* container.c: made, not in any table yet. */
struct container *container_new(struct engine *e);
/* Fills the derived fields from config and host_config. INVALID: what is out of shape. */
int container_derive(struct container *c, struct skl_error *err);
void container_index(struct container *c);   /* into the tables */
void container_unindex(struct container *c); /* out of them, without freeing */
void container_reindex_name(struct container *c, char *name);
void container_show(struct container *c);    /* visible from now on */
void container_set_status(struct container *c, enum container_status s);
void container_touch(struct container *c);
void container_free_all(struct engine *e);
int container_check_free_name(struct engine *e, const char *name, struct skl_error *err);
char *container_make_name(struct engine *e); /* names.c */
char *mounts_to_text(const struct container *c);
int mounts_from_text(struct container *c, const char *text, struct skl_error *err);
int containers_load(struct engine *e, struct skl_error *err);

/* machine.c */
void machine_free(struct container *c);
int machine_store(struct container *c, struct skl_error *err); /* the state columns of its row */
void machine_resume(struct container *c);     /* takes the run of an earlier daemon process up again */
/* c->resource is known now. GONE: a run that was taken up and whose agent is away is over. A start that waits goes on. */
void machine_resource_known(struct container *c);
void machine_cut_start(struct container *c);  /* a start that a daemon's end cut off: undo it */
void machine_start_by_policy(struct container *c, bool back_off);
void machine_remove_rest(struct container *c); /* goes on with a removal, or with what auto-remove left undone */
void machine_run_ended(void *engine, struct plugin *p, const char *id, uint32_t run, const struct skl_run_end *end);
/* Run `run` did begin, long after its start had failed. */
void machine_kill_late(struct container *c, uint32_t run);
void machine_log_room(struct container *c);   /* the log can take output again */

/* wait.c */
void waiters_wake(struct container *c, enum wait_condition cond, int code, const struct skl_error *err);
void waiters_free(struct container *c);
void waiters_woken_free(struct engine *e);

/* stdin.c */
void stdin_free(struct container *c);
void stdin_run_begins(struct container *c); /* whoever is attached now feeds this run, and no later one */

/* health.c */
void health_derive(struct container *c, struct json_object *healthcheck);
void health_started(struct container *c);
void health_stopped(struct container *c);
void health_free(struct container *c);

/* view.c: a container as drivers see it. The view borrows from the container. */
struct view {
    struct skl_container c;
    struct skl_kv *labels;
    char *process;
    const char *no_argv[1];
};
void view_init(struct view *v, const struct container *c);
void view_fini(struct view *v);

/* removal.c: deletions in the cloud, tried until they succeed. */
struct removal;
/* The row is written in the caller's transaction. */
int removal_store(struct engine *e, const struct container *c, struct skl_error *err);
/* done (may be NULL): after the first try, or REMOVAL_FIRST_NS. */
void removal_begin(struct engine *e, const struct container *c, void (*done)(void *arg, const struct skl_error *err),
                   void *arg);
void removal_orphan(struct engine *e, struct plugin *p, const char *container_id, const char *handle);
int removals_load(struct engine *e, struct skl_error *err);
size_t removals_resume(struct engine *e);
bool removal_pending(const struct engine *e, const char *container_id);
void removals_free(struct engine *e);

/* ---- logs ---- */
struct logstore *logstore_new(struct engine *e);
void logstore_free(struct logstore *ls);
void logstore_sweep(struct logstore *ls); /* removes logs of containers that are not there any more */
struct log *log_new(struct logstore *ls, struct container *c);
void log_free(struct log *l);
void log_delete(struct log *l);       /* the files */
/* Output of run `run` follows. A run that is taken up again after a restart of the daemon is told apart by its number. */
int log_run_begin(struct log *l, uint32_t run, struct skl_error *err);
int log_run_resume(struct log *l, uint32_t run, struct skl_error *err);
/* Takes n bytes of records. false: wait (log_room() of machine.c will tell). */
bool log_append(struct log *l, const void *p, size_t n, bool *ret_malformed);
uint64_t log_run_offset(const struct log *l);
/* Of the record that this offset is within: the bytes of its header that are there, and of its payload those to come. */
size_t log_run_half(const struct log *l, uint8_t head[RECORD_HEADER_SIZE], uint32_t *ret_left);
/* The run's RECORD_EXIT was captured; ret may be NULL. */
bool log_run_exit(const struct log *l, struct record_exit *ret, int64_t *ret_time);
bool log_is_blocked(const struct log *l);
void log_run_end(struct log *l);      /* nothing follows: followers end */
void log_set_limits(struct log *l, const struct log_limits *limits);

/* ---- the other tables ---- */
int images_load(struct engine *e, struct skl_error *err);
void images_free(struct engine *e);
void image_attach(struct container *c);  /* c->image_id -> its image, if there is one */
void image_detach(struct container *c);

int networks_load(struct engine *e, struct skl_error *err);
void networks_free(struct engine *e);
/* For create: NOT stored, no event; all or nothing. */
int endpoints_create(struct container *c, const struct endpoint_spec *specs, size_t n, struct skl_error *err);
void endpoints_free(struct container *c);
char *endpoints_to_text(const struct container *c);
int endpoints_from_text(struct container *c, const char *text, struct skl_error *err);
void endpoints_event(struct container *c, const char *action); /* connect, disconnect: for all */

int volumes_load(struct engine *e, struct skl_error *err);
void volumes_free(struct engine *e);
void volume_hold(struct container *c);    /* counts c's mounts */
void volume_release(struct container *c);
void volume_remove_anonymous(struct container *c);
void volume_remove_made(struct container *c); /* those made for it that nobody else uses: its create is undone */
int volume_delete_made_rows(struct container *c, struct skl_error *err);
/* In the transaction that removes c: the rows of its anonymous volumes that nobody else uses. volume_remove_anonymous()
 * follows when c has let go of them; until then nobody else may take them. */
int volume_delete_anonymous_rows(struct container *c, struct skl_error *err);
void volume_doom_anonymous(struct container *c);
void volume_mount_events(struct container *c, const char *action);

void execs_container_ended(struct container *c); /* the run is over: execs that still run have ended with it */
void execs_free(struct container *c);

#endif
