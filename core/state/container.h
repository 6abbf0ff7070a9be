/*
 * state/container.h - containers: what they are, how to find them, what can be done to them.
 *
 * A struct container is readable by everybody and written by core/state alone. It is in the tables from the moment a
 * create was accepted (its name is taken, lookups find nothing yet: `visible` is false) until it was removed.
 * Pointers stay valid while a reference is held; without one, only until the next return to the loop. After removal
 * `status` is CONTAINER_REMOVED.
 *
 * Docker's own view of a container, Config and HostConfig, is kept as JSON text in Docker's field names (with
 * the image's values merged in and defaults filled in by core/api), ready to be written into an answer.
 * What the daemon itself acts on is derived from that text once: the fields below. (Text, since a json-c tree of a
 * HostConfig takes ten times the room, and there may be ten thousand containers.)
 *
 * The state machine is machine.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_CONTAINER_H
#define SKL_STATE_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/id.h"
#include "base/list.h"
#include "state/logstore.h"
#include "state/network.h"

struct engine;
struct json_object;
struct exec;
struct health;
struct machine;

enum container_status {
    CONTAINER_CREATED,
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_RESTARTING, /* waits for its next run */
    CONTAINER_REMOVING,
    CONTAINER_EXITED,
    CONTAINER_DEAD,       /* its driver is not there any more */
    CONTAINER_REMOVED     /* only seen through a reference that is still held */
};
const char *container_status_name(enum container_status s); /* "created", ... */
bool container_status_parse(const char *s, enum container_status *ret); /* the seven Docker knows */

enum restart_policy { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };

enum health_status { HEALTH_NONE, HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
const char *health_status_name(enum health_status s); /* "none", "starting", ... */

#define HEALTH_LOG_MAX 5
#define HEALTH_OUTPUT_MAX 4096
struct health_entry {
    int64_t start, end; /* wall */
    int exit_code;
    char *output;       /* valid UTF-8 */
};
/* NULL in a container without a health check. */
struct health {
    enum health_status status;
    int streak;                 /* failures in a row */
    size_t n_log;
    struct health_entry log[HEALTH_LOG_MAX]; /* oldest first */
    char **test;                /* "CMD-SHELL" is resolved: argv, NULL-terminated */
    int64_t interval, timeout, start_period, start_interval;
    int retries;
    struct health_run *run;     /* health.c's; NULL while the container does not run */
};

enum mount_type { MOUNT_BIND, MOUNT_VOLUME, MOUNT_TMPFS };
struct container_mount {
    enum mount_type type;
    char *name;        /* volume; else "" */
    char *source;      /* as Docker reports it */
    char *destination;
    char *driver;      /* "local"; "" for binds */
    char *mode;        /* "z", "ro", ... */
    char *propagation; /* "rprivate" for binds, "" else */
    bool rw;
    bool made;         /* its volume was made for this container: goes when the create is undone */
    struct json_object *volume_labels, *volume_options; /* of a spec, for a volume that is made; borrowed, or NULL */
};

/* What the cloud has of a container, as far as recovery has asked. */
enum container_resource {
    RESOURCE_THERE,
    RESOURCE_UNKNOWN, /* its driver's list is awaited: a start waits for it */
    RESOURCE_GONE     /* the next start makes it anew */
};

struct container {
    char id[ID_SIZE];
    char *name;              /* without '/' */
    int64_t created;         /* wall */
    char *image_ref;         /* Config.Image: as given at create */
    char *image_id;          /* sha256:... */
    char *driver;            /* plugin's name: HostConfig.Runtime */
    char *handle;            /* the plugin's; NULL before create ended */
    char *platform;          /* "linux/amd64" or "" */
    char *config;            /* JSON text of Docker's Config */
    char *host_config;       /* JSON text of Docker's HostConfig */
    char agent_token[ID_SIZE]; /* secret */
    bool visible;            /* create was acknowledged */

    /* derived from config and host_config */
    char **argv;             /* entrypoint + cmd, NULL-terminated; empty: what the image says, which the agent knows */
    size_t n_entrypoint;     /* that many of argv are the entrypoint (at least argv[0] is Path either way) */
    char **env;              /* NULL-terminated */
    struct label *labels;    /* sorted by key */
    size_t n_labels;
    char *hostname;
    char *user, *working_dir;
    char **tmpfs;            /* where HostConfig.Tmpfs wants scratch space, NULL-terminated, or NULL */
    char **groups;           /* additional ones, NULL-terminated, or NULL */
    char *network_mode;
    bool tty, open_stdin, stdin_once, auto_remove;
    bool helper;             /* the mission's "helper command": anything but `tail -f /dev/null` */
    int stop_signal;         /* 15 */
    int64_t stop_timeout_ns; /* 10 s; < 0: for ever */
    enum restart_policy restart_policy;
    int restart_max;         /* on-failure:N, 0: no limit */
    int64_t memory, nano_cpus;
    struct log_limits log_limits;
    bool log_none;           /* LogConfig.Type "none": logs can't be read */

    struct container_mount *mounts;
    size_t n_mounts;
    struct endpoint **endpoints; /* state/network.h */
    size_t n_endpoints;
    struct port_binding *ports;  /* of the run that is on (state/ports.h); NULL: none are listened on */
    size_t n_ports;

    /* state */
    enum container_status status;
    uint32_t run;            /* number of the current or last run; 0: never started */
    int64_t started, finished; /* wall; 0: never */
    int exit_code;
    char *error;             /* State.Error, "" mostly */
    bool oom;
    bool manually_stopped;   /* for unless-stopped */
    bool was_starting;       /* as loaded: a start was cut off by the end of a daemon */
    int restart_count;       /* by policy, not by hand */
    unsigned tty_rows, tty_cols; /* last size asked for; ConsoleSize at first; 0: unknown */
    struct health *health;

    uint64_t generation;     /* bumped on each visible change */
    void *chain;             /* drivers/'s own */
    struct log *log;         /* state/logstore.h; never NULL while visible */
    struct list execs;       /* of struct exec.in_container */
    size_t n_execs;

    /* core/state's own */
    struct engine *engine;
    enum container_resource resource;
    struct machine *machine; /* NULL at rest: what goes on, timers, waiters (machine.c) */
    struct list waiters;
    struct list stdin_clients;
    struct list in_all;      /* engine's list, newest first */
    struct list in_image;    /* containers of the same image */
    unsigned refs;
    struct container_hash *hashes;
};

struct label {
    char *key, *value;
};
const char *container_label(const struct container *c, const char *key); /* or NULL */

void container_ref(struct container *c);
void container_unref(struct container *c);

/* Running in Docker's sense: paused and restarting count. */
bool container_is_running(const struct container *c);
/* A process exists: running or paused. */
bool container_is_live(const struct container *c);

/* Trees of the two texts, made anew: the caller puts them. */
struct json_object *container_config(const struct container *c);
struct json_object *container_host_config(const struct container *c);
/* Whether a member of HostConfig.SecurityOpt asks for it. */
bool security_opt_no_new_privileges(const char *opt);

/* ---- finding ---- */
/* Full ID, exact name with or without '/', unique prefix of an ID (in that order). INVALID
 * `multiple IDs found with provided prefix: x`; NOT_FOUND `No such container: x`. */
struct container *container_find(struct engine *e, const char *id_or_name, struct skl_error *err);
struct container *container_by_id(struct engine *e, const char *id);     /* full ID, invisible ones too; or NULL */
struct container *container_by_name(struct engine *e, const char *name); /* without '/'; or NULL */
/* Newest first; NULL at the end. The current one may be removed while iterating if a reference to it is held. */
struct container *container_first(struct engine *e);
struct container *container_next(const struct container *c);
size_t container_count(const struct engine *e);
#define CONTAINER_FOREACH(c, e) for (struct container *c = container_first(e); c != NULL; c = container_next(c))

/* INVALID `Invalid container name (x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`. A leading '/' is allowed. */
int container_name_check(const char *name, struct skl_error *err);

/* ---- creating ---- */
struct container_spec {
    const char *name;         /* NULL or "": one is made up (adjective_surname) */
    const char *image_ref;    /* as given */
    const char *image_id;     /* of a known image */
    const char *runtime;      /* "" or NULL: the default driver */
    const char *platform;     /* "" or NULL */
    struct json_object *config;      /* Docker's Config; read, not kept. "Hostname" "" becomes the short ID */
    struct json_object *host_config; /* "Runtime" is set to the driver's name */
    /* What container_create takes care of beyond the two: volumes are created when missing, endpoints attached. */
    const struct container_mount *mounts; /* name NULL or "" with MOUNT_VOLUME: an anonymous volume */
    size_t n_mounts;
    const struct endpoint_spec *endpoints;
    size_t n_endpoints;
};

/* done: err NULL: the container is there, the cloud's resource exists, everything is stored. Else nothing is left
 * (what the cloud still holds is deleted in the background). warnings: NULL-terminated, the driver's; borrowed. */
typedef void (*container_create_fn)(void *arg, const struct skl_error *err, struct container *c,
                                    const char *const *warnings);
/* What is wrong at once is told at once: -1, and done is never called. CONFLICT: the name is taken, in
 * Docker's words. 0: done follows. */
int container_create(struct engine *e, const struct container_spec *spec, container_create_fn done, void *arg,
                     struct skl_error *err);

/* ---- operations ----
 * done(arg, err) exactly once, later. done may be NULL. The errors are Docker's (reference 2.2.4, 2.15.1). */
typedef void (*container_done_fn)(void *arg, const struct skl_error *err);

/* Done when the process runs (or, without an agent, when the invocation is on its way). NOT_MODIFIED when it runs already.
 * A failed start: INVALID for what the command's fault is (127, 126), else the driver's kind; State.Error and
 * ExitCode tell as well. */
void container_start(struct container *c, container_done_fn done, void *arg);

#define CONTAINER_STOP_DEFAULT INT64_MIN /* the container's own StopTimeout */
/* timeout_ns < 0: for ever. signo 0: the container's own. NOT_MODIFIED when it does not run. Done after the exit.
 * A driver without SKL_CAP_STOP: success, nothing happens. */
void container_stop(struct container *c, int signo, int64_t timeout_ns, container_done_fn done, void *arg);
/* As stop, then start. */
void container_restart(struct container *c, int signo, int64_t timeout_ns, container_done_fn done, void *arg);
/* KILL: done after the exit (or 10 s). Others: when the signal was delivered. */
void container_kill(struct container *c, int signo, container_done_fn done, void *arg);
void container_pause(struct container *c, container_done_fn done, void *arg);
void container_unpause(struct container *c, container_done_fn done, void *arg);
/* Done when it is gone here; the cloud's deletion is tried again until it succeeds. volumes: anonymous ones go too. */
void container_remove(struct container *c, bool force, bool volumes, container_done_fn done, void *arg);
/* Events and stored state at once; errors: CONFLICT, INVALID. */
int container_rename(struct container *c, const char *new_name, struct skl_error *err);
/* h, w: CONFLICT `container ID is not running` when it does not run. Event resize. */
void container_resize(struct container *c, unsigned h, unsigned w, container_done_fn done, void *arg);

/* POST /containers/ID/update: `patch` holds HostConfig members (Memory, NanoCpus, RestartPolicy, ...); they replace those
 * of host_config. CONFLICT when an auto-remove container would get a restart policy. */
int container_update(struct container *c, struct json_object *patch, struct skl_error *err);

/* Publishes an event of this container with its labels, image and name, and up to 8 more attributes (key,
 * value, ..., NULL): attach, detach, top, copy, archive-path, extract-to-dir, export, commit, exec_*. */
void container_event(struct container *c, const char *action, ...) __attribute__((sentinel));

/* The cloud's own log of the container: entries as plugin_logs() gives them. since, until: wall ns, 0: none; tail: lines,
 * -1: all. NULL when its driver is not loaded any more: no callback follows then. */
struct plugin_call;
struct skl_log_entry;
struct plugin_call *container_cloud_logs(struct container *c, int64_t since, int64_t until, int64_t tail,
                                         bool (*on_entry)(void *arg, const struct skl_log_entry *e),
                                         container_done_fn done, void *arg, struct skl_error *err);

/* ---- waiting ---- */
enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };
bool wait_condition_parse(const char *s, enum wait_condition *ret); /* NULL and "": not-running */

struct waiter;
/* err: a failed removal, or a next-exit that will not come since a start failed; code is meaningful in any case. */
typedef void (*container_wait_fn)(void *arg, int code, const struct skl_error *err);
/* Armed when this returns: no exit can be missed after it. fn once, later, unless cancelled. The waiter is gone
 * when fn is called. */
struct waiter *container_wait(struct container *c, enum wait_condition cond, container_wait_fn fn, void *arg);
void waiter_cancel(struct waiter *w);

/* ---- stdin ----
 * Several clients may be attached; bytes go to the process in the order they come. With StdinOnce the first attached
 * client's end closes the process's stdin; without, nothing does but the process's end. When the container has
 * no OpenStdin, bytes are dropped and closing does nothing. */
struct stdin_client;
struct stdin_client *container_stdin_attach(struct container *c, void (*on_drain)(void *arg), void *arg);
/* true: go on. false: taken, but full: wait for on_drain. */
bool container_stdin_write(struct stdin_client *s, const void *p, size_t n);
/* eof: the client shut down its side (half-close). Either way s is gone. A client that broke off counts as an end too
 * with StdinOnce, as in Docker. */
void container_stdin_close(struct stdin_client *s, bool eof);

#endif
