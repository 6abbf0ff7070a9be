/*
 * tests/unit/state/fake.h - an engine between a fake plugin host and a fake exec driver chain.
 *
 * The fakes take the place of core/plugin and drivers/ at their doors (plugin/plugin.h, state/runner.h). What is
 * asked of them is written to a transcript; answers come at the next turn of the loop, or, when `hold` is set, when
 * the test says so.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_TESTS_STATE_FAKE_H
#define SKL_TESTS_STATE_FAKE_H

#include "state/internal.h"
#include "tests/unit/harness.h"

#define FAKE_CAPS                                                                                                     \
    (SKL_CAP_LIST | SKL_CAP_STOP | SKL_CAP_SIGNAL | SKL_CAP_PAUSE | SKL_CAP_AGENT_EXIT | SKL_CAP_AGENT_LOGS |         \
     SKL_CAP_START_STAGED | SKL_CAP_RESTART_RUN | SKL_CAP_AGENT)

struct plugin {
    const char *name;
    uint64_t caps;
    struct plugin_host *host;
};

/* A call of the driver, or of the runner, that was not answered yet. */
struct plugin_call {
    struct list link;
    const char *op; /* "create", "start", "kill", "remove", "list"; "process", "signal", "probe" */
    char id[ID_SIZE];
    uint32_t run;
    int signo;
    bool canceled;
    void *done;
    void *arg;
    struct soon soon;
    struct plugin_host *host;
};

struct plugin_host {
    struct plugin plugin;
    struct loop *loop;
    plugin_run_ended_fn on_run_ended;
    void *run_ended_arg;
    plugin_late_fn on_late;
    void *late_arg;
    struct list calls;
    /* how to answer */
    bool hold_create, hold_start, hold_kill, hold_remove, hold_process, hold_signal;
    const char *fail_create, *fail_start, *fail_remove, *fail_process; /* text of the error; NULL: success */
    int fail_code;              /* process: exit code of a failed start */
    bool signal_exits;          /* SIGKILL and SIGTERM end the process: a RECORD_EXIT comes */
    bool offline;               /* the agent is not connected */
    struct skl_list_item items[8];
    uint32_t n_items;
    bool list_partial;          /* the cloud could not read all parts */
    struct buf transcript;      /* "create start process ... " */
    int n_resume;
    int n_keep, n_hurry;
};

struct fake {
    struct loop *loop;
    struct engine *e;
    struct plugin_host host;
    char dir[256];
    struct events_sub *sub;
    struct buf events;          /* "create die:3 destroy ..." */
    bool no_agent;
};

void fake_init(struct fake *f, uint64_t caps, bool agent);
void fake_fini(struct fake *f);
/* The engine is closed and opened again on the same directory, as after a kill -9. */
void fake_reopen(struct fake *f);
void fake_spin(struct fake *f);              /* until nothing is due any more */
void fake_run_until(struct fake *f, bool (*cond)(void *arg), void *arg);

/* Answers a held call of that kind; err NULL: success. Returns false when there is none. */
bool fake_answer(struct fake *f, const char *op, const char *err);
size_t fake_pending(struct fake *f, const char *op);
void fake_run_ended(struct fake *f, struct container *c, int kind, int code, const char *reason);
/* Output of the process; RECORD_EXIT. */
bool fake_output(struct container *c, int stream, const char *text);
void fake_exit(struct container *c, int code);
/* The transcripts since the last call, space-separated. */
const char *fake_transcript(struct fake *f);
const char *fake_events(struct fake *f);

struct fake_result {
    int calls;
    struct skl_error err; /* kind 0: success */
    struct container *c;
    int code;
};
void fake_done(void *arg, const struct skl_error *err); /* container_done_fn with a fake_result */
void fake_wait_done(void *arg, int code, const struct skl_error *err);

/* {"Cmd":[...]} and host config as JSON text. */
struct container *fake_create(struct fake *f, const char *name, const char *config, const char *host_config);
struct container *fake_running(struct fake *f, const char *name, const char *config, const char *host_config);
#define FAKE_CMD "{\"Cmd\":[\"echo\",\"hi\"]}"

#endif
