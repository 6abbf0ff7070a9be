/*
 * agent/agent.h - what the files of the agent share. The protocol is README.md.
 *
 *   main.c      options, environment, the two modes          config.c   the environment
 *   invoke.c    HTTP on $PORT: an invocation is a run        dial.c     connecting to the daemon, the link's life
 *   serve.c     the link's resources: routing, JSON          streams.c  output and input resources
 *   process.c   a process: start, output, exit               spawn.c    fork and exec, in the child
 *   spec.c      what a request says of a process             users.c    passwd and group
 *   outlog.c    the output log                               feed.c     bytes for a process's stdin
 *   reap.c      children, orphans                            archive.c  files (extract.c, walk.c, glob.c)
 *   proc.c      top, stats                                   tunnel.c   TCP tunnels
 *
 * One thread, one loop. The agent is PID 1 in the function.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_AGENT_H
#define SKL_AGENT_AGENT_H

#include <json-c/json.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/ring.h"
#include "loop/loop.h"
#include "wire/h2.h"
#include "wire/link.h"
#include "wire/record.h"

#define AGENT_PROTOCOL 1
#define AGENT_EXECS_MAX 4096u
#define AGENT_OUTPUT_MAX (4u * 1024 * 1024)  /* kept per process; at it the process blocks */
#define AGENT_BODY_MAX (8u * 1024 * 1024)    /* a control body */
#define AGENT_FINISH_NS (INT64_C(10) * 1000000000)   /* the answer waits that long for the daemon's finish */
#define AGENT_GRACE_NS (INT64_C(8) * 1000000000)     /* SIGTERM of the platform: until SIGKILL */
#define AGENT_DRAIN_NS (INT64_C(2) * 1000000000)     /* output of an exec's leftover children */

struct agent;
struct process;

/* ---- config.c ---- */
struct agent_config {
    uint16_t port;
    char *container;          /* "" when not given */
    char *token;              /* secret */
    char *callback_url;       /* NULL: no link */
    char *image;
    struct json_object *process;  /* SOCKERLESS_PROCESS, or NULL */
    struct json_object *image_config; /* /.sockerless/image.json, or NULL */
    int64_t connect_timeout, reconnect_timeout;
    char *ca_file;            /* NULL: the system's */
    const char *ca_pem;       /* of SOCKERLESS_PROCESS: wins over the system's; or NULL */
    char **env;               /* what processes may see of our environment */
    const char *listen_unix;  /* alone mode */
};
int config_from_env(struct agent_config *c, struct skl_error *err);
void config_fini(struct agent_config *c);
#define AGENT_IMAGE_FILE "/.sockerless/image.json"

/* ---- outlog.c: an ordered log of records, kept until taken ---- */
struct outlog {
    struct ring ring;
    struct h2_stream *reader; /* the stream that reads it, or NULL */
    bool ended;               /* RECORD_EXIT is in */
    bool discard;             /* keep the exit alone */
    void (*on_room)(void *arg);
    void *arg;
};
bool outlog_has_room(const struct outlog *o);
void outlog_add(struct outlog *o, uint8_t kind, const void *p, size_t n);
void outlog_exit(struct outlog *o, const struct record_exit *e);
/* Makes st the reader, from offset `from`. 0, 410 (too old) or 409 (beyond the end). The head goes out here: `headers` as
 * in h2_respond. */
int outlog_read(struct outlog *o, struct h2_stream *st, uint64_t from, const char *const *headers);
void outlog_fini(struct outlog *o);

/* ---- feed.c: stdin ---- */
struct feed {
    struct loop *loop;
    int fd;                   /* -1: closed, or there never was one */
    bool tty;
    struct io io;
    bool io_on;
    uint64_t taken;           /* bytes from the process's start that it took, or that are dropped */
    struct h2_stream *writer; /* the open request */
    uint64_t at;              /* offset of the writer's next byte */
    struct buf pending;       /* of the writer, not written yet */
    bool ending;              /* the body has ended: EOF when pending is empty */
    bool keep_open;           /* eof=0 */
};
void feed_init(struct feed *f, struct loop *loop, int fd, bool tty);
void feed_close(struct feed *f);  /* the process is gone, or closed its end */
/* Takes over the request st: its body is bytes from offset `from` on. */
void feed_write(struct feed *f, struct h2_stream *st, uint64_t from, bool keep_open);
void feed_fini(struct feed *f);

/* ---- spec.c ---- */
struct process_spec {
    char **argv;
    char **env;
    char *cwd;                /* NULL: inherit */
    bool make_cwd;
    bool home_made;           /* HOME in env is the user's, nobody set it */
    char **dirs;              /* made if missing, main process only: where volumes are mounted; NULL-terminated or NULL */
    char **scratch;           /* likewise, for everybody to write to: tmpfs */
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    size_t n_groups;
    bool tty, open_stdin, discard_output, no_new_privileges;
    unsigned rows, cols;
    char *hostname;
    int stop_signal;
    int64_t run;
    int umask;                /* -1 */
    int oom_score_adj;        /* INT32_MIN: leave */
    struct json_object *rlimits; /* borrowed from the request, or NULL */
    bool inherit_stdio;       /* no link: the process writes to our own stdout and stderr */
};
/* body: the request; base: what is taken for what it leaves out (may be NULL). main: of the run's process; else the
 * defaults come from `of` (the main process's own spec). *ret_code: 126, 127 or 128 on failure. */
int spec_parse(struct process_spec *s, const struct agent_config *cfg, struct json_object *body, struct json_object *base,
               const struct process_spec *of, int *ret_code, struct skl_error *err);
void spec_fini(struct process_spec *s);

/* ---- users.c ---- */
struct user {
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    size_t n_groups;
    char *home;
};
/* "", "name", "uid", "name:group", "uid:gid". INVALID in Docker's words. */
int user_find(const char *spec, struct user *ret, struct skl_error *err);
int group_find(const char *name, gid_t *ret, struct skl_error *err);
void user_fini(struct user *u);

/* ---- spawn.c ---- */
struct spawned {
    pid_t pid;
    int stdin_fd, stdout_fd, stderr_fd; /* our ends; -1 where there is none; a TTY is both stdin and stdout */
};
/* 0 when execve succeeded; else *ret_code and err in Docker's words. */
int spawn_process(const struct process_spec *s, struct spawned *ret, int *ret_code, struct skl_error *err);

/* ---- process.c ---- */
enum process_state { PROCESS_IDLE, PROCESS_RUNNING, PROCESS_EXITED };

struct process {
    UT_hash_handle hh;        /* execs, by id */
    struct agent *agent;
    char *id;                 /* "" : the main process */
    enum process_state state;
    struct process_spec spec;
    pid_t pid;
    int64_t started, exited;
    struct outlog out;
    struct feed in;
    struct {
        int fd;
        struct io io;
        bool on;              /* io is initialised */
    } pipe[2];                /* stdout, stderr */
    bool mirrored_part[2];    /* what our own stdout, stderr got last had no end of line */
    bool status_known;        /* reaped; output may still come */
    uint64_t oom_before;
    struct timer drain;
    struct record_exit exit;
    bool forget;              /* free when it ends */
};
struct process *process_new(struct agent *a, const char *id);
void process_free(struct process *p);
/* Takes over spec's contents. On failure the process is EXITED with *ret_code. */
int process_start(struct process *p, struct process_spec *spec, int *ret_code, struct skl_error *err);
int process_signal(struct process *p, int signo, bool all, struct skl_error *err);
int process_resize(struct process *p, unsigned rows, unsigned cols, struct skl_error *err);
void process_on_reaped(struct process *p, int status);
struct json_object *process_json(const struct process *p);

/* ---- oom.c ---- */
uint64_t oom_kills(void);                      /* so far; only a difference means something */

/* ---- reap.c ---- */
int reap_init(struct agent *a, struct skl_error *err);
void reap_all(struct agent *a);

/* ---- dial.c ---- */
enum dial_state { DIAL_NONE, DIAL_TRYING, DIAL_UP, DIAL_WAITING };
struct dialer;
struct dialer *dialer_new(struct agent *a);
void dialer_start(struct dialer *d);           /* a run begins: dial at once */
void dialer_finish(struct dialer *d, uint16_t code, const char *why); /* the run is over: close the link, no re-dial */
bool dialer_up(const struct dialer *d);

/* ---- invoke.c ---- */
int invoke_listen(struct agent *a, struct skl_error *err);
void invoke_on_link_up(struct agent *a);
/* The link could not be made, or was refused for good: status 502 or 504. */
void invoke_on_link_failed(struct agent *a, int status, const char *message);
void invoke_on_released(struct agent *a);      /* the daemon closed with 1000 */
void invoke_on_exit(struct agent *a);          /* the main process ended */
void invoke_on_finish(struct agent *a);        /* the daemon has all it wants */
void invoke_terminate(struct agent *a);        /* SIGTERM of the platform */
void invoke_on_grace(struct agent *a);         /* what SIGTERM left over */

/* ---- serve.c ---- */
extern const struct h2_ops serve_ops;          /* arg of the session: struct session */
struct session {                               /* one connection's */
    struct agent *agent;
    void (*on_wake)(void *arg);
    void *arg;
};

/* ---- alone.c ---- */
int alone_listen(struct agent *a, const char *path, struct skl_error *err);

struct agent {
    struct loop *loop;
    struct agent_config cfg;
    char boot_id[33];
    uint64_t dials;
    int64_t invocation;       /* runs of this boot */
    struct process *main;     /* of the current run; never NULL */
    struct process *execs;    /* hash */
    struct dialer *dialer;
    struct invocation *call;  /* the POST in progress */
    struct timer grace;
    bool terminating;
    size_t reads;             /* archives on their way out: the run's answer waits for them */
    struct list events;       /* open GET /events */
    struct timer lost;        /* reconnect timeout */
};
void agent_new_main(struct agent *a);          /* a fresh main process */
void agent_kill_all(struct agent *a, int signo); /* every process but us */
struct process *agent_exec(struct agent *a, const char *id);
size_t agent_execs(const struct agent *a);
void events_emit(struct agent *a, struct json_object *o); /* takes o */

#endif
