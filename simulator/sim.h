/*
 * simulator/sim.h - what the files of the simulator share.
 *
 *   main.c       options, signals, life               images.c    the image store
 *   options.c    the command line                     import.c    archives into the store (unpack.c, layout.c)
 *   server.c     routing, errors, the request log     bundle.c    an OCI bundle for crun
 *   schema.c     what a request's JSON may hold       instance.c  one running container of a revision
 *   page.c aip.c lists: paging, order, filters        invoke.c    a service's URL: proxying
 *   operations.c long-running operations              upgrade.c   ... of WebSockets
 *   functions.c  the functions resource (service.h)   netns.c     network namespaces, made ahead
 *   run.c        Cloud Run's services, revisions      relay.c     the host's loopback for functions
 *   iam.c        policies of both                     warden.c    ends what a killed simulator leaves
 *   privacy.c    namespaces of our own                limits.c    memory and CPU of an instance
 *                                                     trash.c     what instances leave
 *   companions.c locations, runtimes, small APIs      recover.c   ... and what that left
 *   logging/     Cloud Logging v2                     persist.c   resources in the state directory
 *
 * One thread, one loop. Google's words are in reference/gcp-api.md.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_SIM_H
#define SKL_SIM_SIM_H

#include <json-c/json.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "http/route.h"
#include "http/server.h"
#include "json/json.h"
#include "loop/child.h"
#include "loop/loop.h"
#include "simulator/faults.h"
#include "simulator/logging/logging.h"

#define SIM_BODY_MAX (10u * 1024 * 1024)
#define SIM_LINE_MAX ENTRY_SIZE_MAX   /* of output in one log entry */
#define SIM_REQUEST_MAX (32u * 1024 * 1024) /* body of an invocation */
#define SIM_PROJECT_NUMBER "123456789012"

/* ---- options.c ---- */
struct sim_options {
    const char *listen;        /* "127.0.0.1:0" */
    const char *port_file;     /* or NULL */
    char *state_dir;
    char *images_dir;
    bool own_state_dir;        /* made for this run: removed at the end */
    enum { LIMITS_ALL, LIMITS_MEMORY, LIMITS_NONE } limits;
    bool pull;                 /* images from elsewhere */
    bool fresh;                /* nothing of an earlier run is taken over */
    bool docker_runtime;
    bool network_host, network_isolated; /* as asked for; neither: isolated where that is possible */
    bool require_auth;
    int64_t operation_delay, build_delay, cold_start_delay, log_delay;
    const char *agent;         /* the agent's binary */
    const char **faults;       /* --fault, as given */
    size_t n_faults;
    const char *control;       /* --control, or NULL */
    const char **credentials;  /* --credentials, as given */
    size_t n_credentials;
};
/* Exits on --help and usage errors. */
void sim_options_parse(struct sim_options *o, int argc, char **argv);
char *sim_default_images_dir(void);
int sim_image_command(int argc, char **argv); /* image import|pull|list|remove: the exit status */

struct function;
struct http_client;
struct revision;
struct service;
struct instance;
struct netns_pool;

struct sim {
    struct loop *loop;
    struct sim_options opts;
    uint16_t port;
    struct http_server *server;
    struct http_client *http;
    struct {
        bool v2;
        char *memory, *cpu;    /* directories of control groups; NULL: no such limits */
    } limits;
    bool ordinary;             /* not run as root: root of a user namespace */
    int request_log;           /* fd */
    struct function *functions; /* hash by name */
    struct service *services;   /* hash by name */
    struct operation *operations;
    struct list op_order;      /* oldest first */
    size_t n_operations;
    struct log_store logs;
    struct netns_pool *netns;
    struct list relays;
    struct list pairs;         /* connections through relays */
    struct faults *faults;
    struct list instances;
    struct list accounts;      /* auth/: who is known */
    struct token *tokens;      /* ... handed out: hash by name */
    struct list token_order;   /* oldest first */
    struct evp_pkey_st *signing_key; /* made when needed */
    bool trash_busy, trash_more;
    bool stopping;
};
void sim_stop_if_idle(struct sim *s);             /* trash.c: ends the loop when that is wanted and nothing is left */

/* ---- server.c ---- */
struct sim_call {              /* one API request */
    struct sim *sim;
    struct http_req *req;
    const struct sim_route *route;
    struct route_match match;
    struct json_object *body;  /* POST, PATCH, PUT with JSON */
    const char *rpc;
    bool lost;                 /* a fault: the answer is not to arrive */
    int fail_code;             /* a fault: the operation fails with this gRPC code; 0: it does not */
    bool short_page;           /* a fault: the page is to hold */
    int64_t page_max;          /* ... that many at most, and to have a successor */
    struct timer slow;         /* a fault: the call goes on when it fires */
};
struct sim_route {
    const char *method;
    const char *pattern;       /* the last segment may end in ":verb" */
    const char *rpc;           /* for the request log */
    void (*handler)(struct sim_call *c);
    bool raw;                  /* the handler reads the body itself */
};
/* Each resource has a table, ended by handler == NULL. */
extern const struct sim_route functions_routes[], functions_list_routes[], operations_routes[], logging_routes[], run_routes[],
    companions_routes[], upload_routes[], storage_routes[];

int server_start(struct sim *s, struct skl_error *err);
const char *call_param(const struct sim_call *c, const char *name);
/* Each answers once and frees the call. */
void call_json(struct sim_call *c, int status, struct json_object *o);   /* takes o */
void call_fail(struct sim_call *c, int http, const char *status, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void call_fail_quota(struct sim_call *c);                                 /* quota.c: 429 */
void call_error(struct sim_call *c, const struct skl_error *err);        /* kind -> Google's status */
struct schema_violation;
void call_violation(struct sim_call *c, const struct schema_violation *bad);
void call_end(struct sim_call *c, int status);                           /* answered by other means: log and free */
void server_log(struct sim *s, const char *rpc, const char *method, const char *path, int status, struct json_object *body);
char *target_redacted(const char *target); /* redact.c: without secrets in its query; caller frees */

/* ---- operations.c ---- */
struct operation {
    UT_hash_handle hh;
    struct list link;
    char *name;
    struct json_object *json;     /* as answered */
    struct json_object *metadata; /* in it; NULL: Cloud Run's */
    struct json_object *stages;   /* in that; or NULL */
    struct list waiters;
    bool done;
};
/* An operation on target; verb "create", "update", "delete"; kind e.g. "CREATE_FUNCTION". request may be NULL (taken). */
struct operation *operation_new(struct sim *s, const char *project, const char *location, const char *target, const char *verb,
                                const char *kind, struct json_object *request);
struct operation *operation_new_run(struct sim *s, const char *project, const char *location);
/* One that an earlier simulator made, with its name, and when it was over all of it. Takes json. */
void operation_restore(struct sim *s, struct json_object *json);
void operation_rename(struct sim *s, struct operation *op, const char *name);
void operation_metadata(struct operation *op, const char *type, struct json_object *metadata); /* takes it */
void operation_stage(struct operation *op, const char *name, const char *state);
void operation_build(struct operation *op, const char *build); /* names the build */
/* response is taken; it gets its @type. */
void operation_done(struct operation *op, const char *type, struct json_object *response);
void operation_failed(struct operation *op, int grpc_code, const char *message);

/* Bytes of "512M", "1Gi"; -1: not a size. validate.c */
int64_t memory_bytes(const char *text);

/* ---- images.c ---- */
struct image {
    char *name;                /* docker.io/library/busybox:latest */
    char *dir;                 /* of the store */
    char *rootfs;
    struct json_object *config; /* OCI image config's "config" object */
    unsigned refs;
};
/* Docker's normal form of a reference; NULL with err when malformed. Caller frees. */
char *image_normal_name(const char *ref, struct skl_error *err);
struct image *image_open(const char *images_dir, const char *ref, struct skl_error *err); /* NOT_FOUND names it */
void image_unref(struct image *im);
/* The image by that name: from the store, or from the simulator's registry. NULL with *ret_wait set: it is being unpacked, and done follows
 * (im is the callee's, or NULL with err). NULL without: err tells. */
struct image_wait;
struct image *image_get(struct sim *s, const char *ref, struct image_wait **ret_wait,
                        void (*done)(void *arg, struct image *im, const struct skl_error *err), void *arg, struct skl_error *err);
void image_wait_cancel(struct image_wait *w);    /* takes NULL */
int image_import(const char *images_dir, const char *name, const char *path, struct json_object *overrides,
                 struct skl_error *err);

/* ---- netns.c ---- */
struct netns {
    struct list link;
    struct netns_pool *pool;
    int fd;                    /* of the namespace */
    char host_if[16];
    struct in_addr addr;       /* inside */
};
#define NETNS_HOST_ADDR "169.254.77.1"
struct netns_pool *netns_pool_new(struct loop *loop, struct skl_error *err);
void netns_pool_free(struct netns_pool *p);
struct netns *netns_take(struct netns_pool *p, struct skl_error *err);
/* Its processes are gone: it may be used again. */
void netns_put(struct netns *n);

/* ---- warden.c ---- */
#define WARDEN_OPTION "--warden" /* STATE-DIR [own]: how the simulator starts it; for nobody else */
/* lock_fd: of the state directory's lock, which it shares. own_dir: the directory goes with the simulator. */
int warden_start(const char *state_dir, int lock_fd, bool own_dir, struct skl_error *err);
void warden_stop(void);                    /* orderly: all instances are gone */
int warden_run(const char *state_dir, bool own_dir); /* the process itself; its exit code */
pid_t instance_pid(const char *dir);       /* of its first process, as crun noted it; 0: not there yet */
bool instance_is_pid(const char *dir, pid_t pid); /* that pid is the instance's first process */

/* ---- trash.c ---- */
void trash_put(struct sim *s, const char *dir, const char *id); /* it is gone from where it was at once */
void trash_move(const struct sim *s, const char *dir, const char *id); /* ... and stays there for now */
void trash_begin(struct sim *s);           /* what an earlier simulator left there goes */
void trash_sweep(const struct sim *s);     /* blocking: by the warden */

/* ---- limits.c ---- */
void limits_begin(struct sim *s);
void limits_fini(struct sim *s);
void limits_end(const struct sim *s);      /* removes what is left of the groups of this state directory */
int limits_apply(struct instance *in, struct skl_error *err);
void limits_release(struct instance *in);  /* forgets the names */
void limits_forget(const struct sim *s, const char *id); /* removes an instance's groups */

/* ---- privacy.c ---- */
int privacy_begin(struct sim *s, struct skl_error *err); /* before there are threads */

/* ---- relay.c ---- */
/* Makes 127.0.0.1:port of the host reachable at NETNS_HOST_ADDR:port for functions; counted. */
int relay_ref(struct sim *s, uint16_t port, struct skl_error *err);
void relay_unref(struct sim *s, uint16_t port);
size_t relay_cut_all(struct sim *s); /* breaks what is connected; how many that was */

/* ---- instance.c ---- */
enum instance_state { INSTANCE_STARTING, INSTANCE_READY, INSTANCE_STOPPING };
struct instance {
    struct list link;          /* service's */
    struct list all;           /* sim's */
    struct sim *sim;
    struct service *svc;       /* NULL when it is gone */
    struct revision *rev;      /* what it is made of; held */
    char id[33];
    char *dir;
    enum instance_state state;
    struct netns *net;         /* NULL: host's network */
    uint16_t port;
    struct child *child;
    struct timer kill;
    struct io out[2];
    int out_fd[2];
    struct buf line[2];
    unsigned active;           /* requests */
    uint16_t relays[8];
    size_t n_relays;
    char *joins[2];            /* control groups' process lists */
    size_t n_joins;
    bool mounted;
    char *service, *location, *project, *revision; /* for log entries */
    struct json_object *labels;
    struct json_object *log_resource, *log_labels;    /* what its entries share: made with the first */
    struct {
        char uid[25];
        unsigned index;        /* of the next piece; 0: not within a long line */
    } split[2];
};
struct instance *instance_start(struct service *svc, struct skl_error *err);
void instance_stop(struct instance *in);        /* SIGTERM, 10 s later SIGKILL */
void instance_release(struct instance *in);     /* a request less; ends one whose revision serves no more */
void instances_stop_all(struct sim *s);
int bundle_write(struct instance *in, struct skl_error *err); /* bundle.c */
void recover(struct sim *s);                     /* recover.c */
void instance_dir_clean(struct sim *s, const char *dir, const char *id);

/* ---- invoke.c ---- */
void invoke_on_request(struct sim *s, struct http_req *req);
#define INVOKE_PREFIX "/_functions/"

#endif
