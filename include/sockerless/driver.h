/*
 * sockerless/driver.h - the interface of a driver plugin (ABI 1.0).
 *
 * A driver is a shared object that runs containers somewhere. It exports exactly one symbol,
 * skl_driver_entry(). The daemon loads it with dlopen(RTLD_NOW|RTLD_LOCAL), negotiates the ABI, validates
 * the user's configuration against the driver's option table, opens an instance and calls the operations.
 *
 * Rules for the whole interface
 *  - Threads: everything is called on the daemon's one loop thread, and the host's functions may be called on that
 *    thread only, except post(), log(), now_wall(), now_mono() and random(), which any thread may call. An
 *    operation must not block; what can only block goes to host->work().
 *  - No surprises on the stack: the host never calls the driver from inside one of the host's functions.
 *  - Operations are asynchronous: each gets a request struct and a `struct skl_call *`. The request and all it points to
 *    is borrowed until the call is completed. The driver completes each call exactly once with
 *    host->complete(), never before the operation has returned (the host enforces it: an early completion is
 *    queued), and on the loop thread.
 *  - A call has a deadline (host->call_deadline). When it passes, or the caller goes away, the host calls the driver's
 *    cancel(): a request to finish soon; the call must still be completed (SKL_ERR_CANCELED is fine). A driver that does not
 *    complete within SKL_CANCEL_GRACE_NS after a cancel is reported and its call is completed by the host; a
 *    completion that comes after that is ignored and reported.
 *  - Structs begin with `size` and are only ever appended to. A reader tests for a field with SKL_HAS(). Whoever makes a
 *    struct zeroes it first and sets size to sizeof. Fields that the 1.0 header has need no test. The elements of an array
 *    of such structs all have the same size, and the reader steps by that, not by its own sizeof. The few structs without
 *    a size (skl_kv, skl_http_header, skl_error) never change.
 *  - Strings are UTF-8, NUL-terminated unless they have a length; NULL where the comment says so.
 *  - Times are int64_t nanoseconds; wall-clock times count from the Unix epoch.
 *  - Errors: sockerless/error.h. Keep the cloud's own words. Never put a secret in.
 *  - Nothing of libevent, json-c or curl crosses this line.
 *
 * C99 and C++ clean. The template is plugins/null; docs/writing-a-driver.md walks through it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SOCKERLESS_DRIVER_H
#define SOCKERLESS_DRIVER_H

#include <stddef.h>
#include <stdint.h>
#include "sockerless/error.h"
#include "sockerless/version.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SKL_DRIVER_MAGIC 0x736b6c64u /* "skld" */

/* True when the struct p points to is long enough to hold field f. */
#define SKL_HAS(p, type, f) ((p)->size >= offsetof(type, f) + sizeof((p)->f))

struct skl_host;         /* the services, below */
struct skl_call;         /* one operation in progress; the host's */
struct skl_instance;     /* the driver's own; one per configured driver */
struct skl_timer;        /* host's */
struct skl_http;         /* host's: one HTTP request in progress */
struct skl_stream;       /* host's: a byte stream with credit */

/* ---- capability bits: what the core may do with containers of this driver ---- */
/* Optional operations that are present: */
#define SKL_CAP_LIST (UINT64_C(1) << 0)
#define SKL_CAP_INSPECT (UINT64_C(1) << 1)
/* What a connected agent may be used for (DESIGN.md 4; a driver in "strict" semantics leaves them out): */
#define SKL_CAP_STOP (UINT64_C(1) << 8)         /* stop and restart act; absent: they answer 204 and do nothing */
#define SKL_CAP_SIGNAL (UINT64_C(1) << 9)       /* kill delivers the signal; absent: kill disconnects the agent */
#define SKL_CAP_PAUSE (UINT64_C(1) << 10)       /* absent: 501 */
#define SKL_CAP_AGENT_EXIT (UINT64_C(1) << 11)  /* the agent's word ends the run; absent: the invocation's answer does */
#define SKL_CAP_AGENT_LOGS (UINT64_C(1) << 12)  /* logs come from the daemon's capture; absent: from logs() */
#define SKL_CAP_START_STAGED (UINT64_C(1) << 13)/* files copied before start are delivered, start errors are reported */
#define SKL_CAP_RESTART_RUN (UINT64_C(1) << 14) /* an exited container may be started again: a new start() of the same resource */
/* Containers run sockerless-agent, which dials agent_callback_url: a start waits for it, and exec, files and stdin go through it. Absent:
 * a container runs from start() to run_ended(), and the five operations are all there is (bits 8 to 13 then mean nothing). */
#define SKL_CAP_AGENT (UINT64_C(1) << 15)

/* ---- options ---- */
enum {
    SKL_OPT_STRING = 1,
    SKL_OPT_INT = 2,       /* int64, min..max */
    SKL_OPT_BOOL = 3,
    SKL_OPT_DURATION = 4,  /* int64 ns; written as "30s" or a number of seconds; min..max in ns */
    SKL_OPT_ENUM = 5,      /* one of `choices` */
    SKL_OPT_SECRET = 6     /* a string that is never shown */
};

struct skl_option {
    uint32_t size;
    uint32_t type;             /* SKL_OPT_* */
    const char *name;          /* key in the configuration's "drivers": { NAME: { ... } } */
    const char *env;           /* environment variable that overrides the file, or NULL */
    const char *default_value; /* as text; NULL: no default (STRING: NULL is passed on) */
    const char *help;          /* one line */
    const char *const *choices;/* ENUM: NULL-terminated */
    int64_t min, max;          /* INT, DURATION; both 0: no bounds */
};

/* One validated option. open() gets an array of pointers to them in the table's order. */
struct skl_value {
    uint32_t size;
    uint32_t is_set;           /* 1: came from file or environment, 0: the default */
    const char *str;           /* STRING, ENUM, SECRET; may be NULL */
    int64_t num;               /* INT, BOOL (0/1), DURATION */
};

/* ---- a container, as a driver sees it ---- */
struct skl_kv {
    const char *key;
    const char *value;
};

#define SKL_PROCESS_MAX 16384u

struct skl_container {
    uint32_t size;
    const char *id;              /* 64 hex digits */
    const char *name;            /* without '/' */
    const char *image;           /* the reference as given at create */
    const char *image_id;        /* sha256:... */
    const char *const *argv;     /* entrypoint + cmd, NULL-terminated: reaches execve unchanged */
    const char *const *env;      /* NULL-terminated "K=V", merged with the image's */
    const char *working_dir;     /* may be "" */
    const char *user;            /* may be "" */
    uint32_t tty;                /* 0/1 */
    uint32_t open_stdin;
    const struct skl_kv *labels; /* NULL-terminated by key == NULL */
    int64_t memory;              /* bytes, 0: the driver's default */
    int64_t nano_cpus;           /* 1e9 per CPU, 0: the driver's default */
    const char *platform;        /* "linux/amd64" or "" */
    /* Agent: NULL when the daemon has no callback URL, or the instance lacks SKL_CAP_AGENT. */
    const char *agent_token;     /* secret */
    const char *agent_callback_url;
    /* What SOCKERLESS_PROCESS should hold, base64 of JSON (agent/README): argv, env the cloud may refuse, cwd,
     * user, tty. NULL when longer than SKL_PROCESS_MAX bytes: then it travels over the agent's link. */
    const char *process;
    const char *daemon_id;       /* of this daemon: for the label that marks what it owns */
    const char *handle;          /* what create() returned; NULL in create() */
    uint32_t run;                /* number of this start, from 1; 0 in create() */
};

/* ---- requests ---- */
struct skl_create_req {
    uint32_t size;
    const struct skl_container *container;
    uint32_t resumed;            /* 1: an earlier create of this container was cut off by a daemon restart: adopt or redo */
};
struct skl_start_req {
    uint32_t size;
    const struct skl_container *container;
};
/* kill: end the run that start() began (cancel the invocation). Which signal was asked for is information. */
struct skl_kill_req {
    uint32_t size;
    const struct skl_container *container;
    int32_t signal;
};
struct skl_remove_req {
    uint32_t size;
    const struct skl_container *container;
    uint32_t force;
};
struct skl_logs_req {
    uint32_t size;
    const struct skl_container *container;
    int64_t since, until;        /* wall ns, 0: none */
    int64_t tail;                /* lines, -1: all */
    struct skl_stream *out;      /* push entries with host->log_push, then complete the call */
};
struct skl_list_req {
    uint32_t size;
    const char *daemon_id;       /* only what this daemon owns */
};
struct skl_inspect_req {
    uint32_t size;
    const struct skl_container *container;
};

/* ---- results: what complete() takes besides the error. NULL where nothing is to say ---- */
struct skl_create_result {
    uint32_t size;
    const char *handle;          /* text the driver gets back in every later request; <= SKL_HANDLE_MAX bytes */
    const char *const *warnings; /* NULL-terminated, or NULL */
};
#define SKL_HANDLE_MAX 4096u

struct skl_list_item {
    uint32_t size;
    const char *container_id;    /* 64 hex digits, or NULL when the resource does not tell */
    const char *handle;
    const char *state;           /* the cloud's own word, for reports */
    const char *resource;        /* the cloud's name of it, for reports */
};
struct skl_list_result {
    uint32_t size;
    uint32_t count;              /* <= SKL_LIST_MAX */
    const struct skl_list_item *items;
    uint32_t complete;           /* 0: parts could not be read: absent does not mean gone */
};
struct skl_inspect_result {
    uint32_t size;
    uint32_t exists;
    const char *state;
    const char *resource;
};

/* How a run ended, as the cloud tells it: host->run_ended(). */
struct skl_run_end {
    uint32_t size;
    int32_t kind;                /* SKL_END_* */
    int32_t exit_code;           /* meaningful for SKL_END_EXIT; else the code the container gets */
    const char *reason;          /* text for State.Error, or NULL */
};
enum {
    SKL_END_EXIT = 1,       /* the invocation answered with the command's exit code */
    SKL_END_FAILED = 2,     /* the cloud could not run it (429, 403, 5xx before the command ran): a start in
                               progress fails with `reason` */
    SKL_END_TIMEOUT = 3,    /* the function's own time limit; the process may live on */
    SKL_END_LOST = 4,       /* the connection broke; how the command ended is unknown */
    SKL_END_CANCELED = 5    /* after kill(), or while remove() is in progress */
};

/* ---- the driver ---- */
struct skl_ops {
    uint32_t size;
    /* REQUIRED. Makes the resource and waits until it can be started. Completes with skl_create_result. A failed
     * create leaves nothing behind. */
    void (*create)(struct skl_instance *inst, struct skl_call *call, const struct skl_create_req *req);
    /* REQUIRED. Begins a run. Completes once the run was handed to the cloud (the request is on its way); the end of
     * the run comes once, through host->run_ended(), also when the run fails before the command began. (run_ended()
     * may come before complete(): the host keeps the order for the core.) If the call completes with an error there is no
     * run and no run_ended. Never sent to the cloud twice. */
    void (*start)(struct skl_instance *inst, struct skl_call *call, const struct skl_start_req *req);
    /* REQUIRED. Ends the invocation of the current run if there is one; run_ended(SKL_END_CANCELED) follows or came
     * before. No run: success. */
    void (*kill)(struct skl_instance *inst, struct skl_call *call, const struct skl_kill_req *req);
    /* REQUIRED. Deletes the resource; what is gone already is success. On failure the host tries again later. A run that is
     * still on is given up: after a success nobody waits for its run_ended(). */
    void (*remove)(struct skl_instance *inst, struct skl_call *call, const struct skl_remove_req *req);
    /* REQUIRED. The cloud's log of the container, as lines. */
    void (*logs)(struct skl_instance *inst, struct skl_call *call, const struct skl_logs_req *req);
    /* Asks for an early end of a call in progress. May be NULL: then deadlines complete calls without the driver. */
    void (*cancel)(struct skl_instance *inst, struct skl_call *call);
    /* With SKL_CAP_LIST: all resources of this daemon. Completes with skl_list_result. */
    void (*list)(struct skl_instance *inst, struct skl_call *call, const struct skl_list_req *req);
    /* With SKL_CAP_INSPECT. Completes with skl_inspect_result. */
    void (*inspect)(struct skl_instance *inst, struct skl_call *call, const struct skl_inspect_req *req);
};

struct skl_driver {
    uint32_t size;
    uint32_t magic;              /* SKL_DRIVER_MAGIC */
    uint32_t abi_major, abi_minor; /* what it was built against */
    const char *name;            /* [a-z0-9-]+; the runtime's name in Docker */
    const char *version;
    const char *description;     /* one line */
    uint64_t caps;               /* the most it can offer; an instance may offer less */
    const struct skl_option *options; /* ended by an entry with name == NULL; NULL: no options */
    const struct skl_ops *ops;
    /* REQUIRED. Makes an instance. values[i] is that of options[i]; they and the host are borrowed until close(). Must not
     * do I/O: it runs at start-up and under --validate (where no request is ever sent and kv_get() finds nothing);
     * timers and HTTP requests begun here run later. 0 or negative with err filled. ret_caps holds driver->caps;
     * the driver may take bits away. */
    int (*open)(const struct skl_host *host, const struct skl_value *const *values, struct skl_instance **ret_inst,
                uint64_t *ret_caps, struct skl_error *err);
    /* REQUIRED. The daemon ends. Before it, the host has cancelled every call and every HTTP request, and the done
     * functions of those requests were called; timers are stopped and never fire. Calls not completed by now stay so.
     * Nothing of the host may be used after it but log(). The code stays mapped. */
    void (*close)(struct skl_instance *inst);
    /* Text for `docker info` ("Operating System"), borrowed for ever. NULL: the driver's description. */
    const char *platform_name;
};

/* The one exported symbol: `const struct skl_driver *skl_driver_entry(const struct skl_abi *, struct skl_error *)`.
 * No side effects. Returns NULL with err filled when it can't live with the host's ABI. */
struct skl_abi {
    uint32_t size;
    uint32_t major;              /* the host's */
    uint32_t minor;
};
typedef const struct skl_driver *(*skl_driver_entry_fn)(const struct skl_abi *host_abi, struct skl_error *err);
#define SKL_DRIVER_ENTRY "skl_driver_entry"
#if defined(__GNUC__)
#define SKL_EXPORT __attribute__((visibility("default")))
#else
#define SKL_EXPORT
#endif
SKL_EXPORT const struct skl_driver *skl_driver_entry(const struct skl_abi *host_abi, struct skl_error *err);

/* ---- the host's services ---- */
enum { SKL_LOG_ERROR = 0, SKL_LOG_WARN = 1, SKL_LOG_INFO = 2, SKL_LOG_DEBUG = 3 };

struct skl_http_header {
    const char *name, *value;
};

struct skl_http_request {
    uint32_t size;
    uint32_t flags;              /* SKL_HTTP_* */
    const char *method;
    const char *url;
    const struct skl_http_header *headers; /* ended by name == NULL; may be NULL */
    const void *body;            /* copied */
    size_t body_len;
    size_t max_response;         /* bytes kept; 0: 4 MiB. More: `truncated` */
    int64_t timeout_ns;          /* whole request, 0: none */
    int64_t connect_timeout_ns;  /* 0: 10 s */
};
#define SKL_HTTP_IDEMPOTENT 1u   /* may be repeated on a dead keep-alive connection */
#define SKL_HTTP_FRESH 2u        /* own connection, closed afterwards (the invocation) */

struct skl_http_response {
    uint32_t size;
    int32_t status;              /* 0: none arrived, see error */
    const char *body;            /* NUL-terminated */
    size_t body_len;
    uint32_t request_sent;       /* 1: bytes of the request may have reached the server */
    uint32_t truncated;
    const struct skl_error *error; /* NULL when a response of any status arrived; with a status: its body broke off */
    /* First header of that name, any case, or NULL; usable inside the callback. */
    const char *(*header)(const struct skl_http_response *res, const char *name);
    const void *priv;            /* the host's */
};

struct skl_log_entry {
    uint32_t size;
    uint32_t stream;             /* 1 stdout, 2 stderr */
    int64_t time;                /* wall ns */
    const char *data;            /* the line with its newline, if it had one; any bytes */
    size_t len;                  /* <= SKL_LOG_ENTRY_MAX */
};

#define SKL_CANCEL_GRACE_NS (INT64_C(10) * 1000000000)
#define SKL_KV_KEY_MAX 256u
#define SKL_KV_VALUE_MAX 65536u
#define SKL_LOG_ENTRY_MAX 1048576u /* bytes of data in one log entry */
#define SKL_LIST_MAX 65536u        /* items in one list result */

struct skl_host {
    uint32_t size;
    uint32_t abi_major, abi_minor;
    void *ctx;                   /* pass as first argument to every function below */

    /* Logging, one line. Component is the driver's name. Any thread. */
    void (*log)(void *ctx, int32_t level, const char *message);
    int64_t (*now_wall)(void *ctx);
    int64_t (*now_mono)(void *ctx);
    void (*random)(void *ctx, void *p, size_t n);

    /* Completes a call. err NULL: success, result as the operation says (borrowed until this returns). */
    void (*complete)(void *ctx, struct skl_call *call, const struct skl_error *err, const void *result);
    /* Monotonic ns at which the host will cancel, 0: none. */
    int64_t (*call_deadline)(void *ctx, const struct skl_call *call);
    /* The end of the run `run` of the container; once per run. */
    void (*run_ended)(void *ctx, const char *container_id, uint32_t run, const struct skl_run_end *end);

    /* Timers: one-shot. fn runs once unless stopped. The timer is gone after either. */
    struct skl_timer *(*timer_start)(void *ctx, int64_t delay_ns, void (*fn)(void *arg), void *arg);
    void (*timer_stop)(void *ctx, struct skl_timer *t);

    /* HTTP on the daemon's loop. done() runs once, later, never inside http_submit; after http_cancel too. NULL when
     * the request is malformed (err filled). Retries are the driver's business
     * (sockerless/retry.h has the rules). */
    struct skl_http *(*http_submit)(void *ctx, const struct skl_http_request *req,
                                    void (*done)(void *arg, const struct skl_http_response *res), void *arg,
                                    struct skl_error *err);
    void (*http_cancel)(void *ctx, struct skl_http *h);

    /* Logs: pushes one entry to a logs() stream. Returns the credit left in entries; at <= 0 the driver must wait for
     * on_credit (set with stream_on_credit) before it pushes more. An entry beyond the credit is dropped and reported
     * as the driver's fault. -1: the reader is gone, complete the call. */
    int64_t (*log_push)(void *ctx, struct skl_stream *s, const struct skl_log_entry *e);
    void (*stream_on_credit)(void *ctx, struct skl_stream *s, void (*fn)(void *arg), void *arg);

    /* Storage that survives restarts, private to the driver. Keys up to SKL_KV_KEY_MAX bytes, values up to
     * SKL_KV_VALUE_MAX. kv_get: caller frees with host->free; NUL-terminated beyond its length; NULL when absent. kv_put
     * with NULL value deletes; 0 or negative with err filled. */
    char *(*kv_get)(void *ctx, const char *key, size_t *ret_len);
    int (*kv_put)(void *ctx, const char *key, const void *value, size_t len, struct skl_error *err);
    void (*free)(void *ctx, void *p);

    /* Thread-safe: runs fn(arg) on the loop. */
    void (*post)(void *ctx, void (*fn)(void *arg), void *arg);
    /* Runs work(arg) on a pool thread, then done(arg) on the loop: for drivers that can only block. */
    void (*work)(void *ctx, void (*work)(void *arg), void (*done)(void *arg), void *arg);

    const char *daemon_version;
    const char *daemon_id;
    const char *callback_url;    /* NULL: none */
};

#ifdef __cplusplus
}
#endif
#endif
