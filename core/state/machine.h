/*
 * state/machine.h - what machine.c (the transitions) and machine_ops.c (the operations) share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_STATE_MACHINE_H
#define SKL_STATE_MACHINE_H

#include "base/clock.h"
#include "state/internal.h"

#define START_GRACE_NS (2 * NS_PER_S)         /* the invocation answered before the start did: which is first? */
#define START_FREE_NS (10 * NS_PER_S)         /* how long a new run waits for the last invocation's answer */
/* Answered, and the agent's link is up: how long it may say nothing until its word is no longer waited for. Longer than a link
 * may be silent (LINK_SILENCE_NS): one that stalls that long is lost, and then DRAIN_LOST_NS counts. */
#define DRAIN_NS (75 * NS_PER_S)
#define STOP_AWAY_NS (10 * NS_PER_S)          /* a stop, and no agent to tell: how long it is waited for at most */
#define DRAIN_LOST_NS (5 * NS_PER_S)          /* answered, and no link */
#define HELPER_WAIT_NS (ENGINE_HELPER_GRACE_NS * 4 / 5)
#define AGENT_FINAL_NS (10 * NS_PER_S)        /* the agent said it goes for good */
#define KILL_WAIT_NS (5 * NS_PER_S)           /* SIGKILL was delivered: the exit must follow */
#define BACK_OFF_MIN_NS (100 * NS_PER_MS)
#define BACK_OFF_MAX_NS (60 * NS_PER_S)
#define BACK_OFF_RESET_NS (10 * NS_PER_S)     /* a run this long counts as a success */

enum phase {
    PHASE_REST,          /* created, exited: nothing runs */
    PHASE_START_DRIVER,  /* the driver's start() is on its way */
    PHASE_START_PROCESS, /* runner->start(): waits for the agent, starts the process */
    PHASE_RUNNING,       /* and paused */
    PHASE_BACK_OFF,      /* waits for the next run by policy */
    PHASE_REMOVING
};

enum op_kind { OP_START, OP_STOP, OP_RESTART, OP_KILL, OP_REMOVE, OP_SIGNAL_ALL, OP_RESIZE };

enum op_step {
    STEP_NEW,
    STEP_QUEUED, /* a stop or kill that waits for what becomes of a start */
    STEP_START,  /* waits for a run to begin */
    STEP_TERM,   /* stop signal sent, grace runs */
    STEP_KILL,   /* SIGKILL sent */
    STEP_ABORT   /* waits for a start to come down */
};

struct signal_call;
struct op {
    enum op_kind kind;
    enum op_step step;
    struct container *c;
    container_done_fn done;
    void *arg;
    struct list link;            /* machine's ops; then engine's finished */
    struct soon soon;
    struct timer timer;
    int signo;
    int64_t timeout;
    bool volumes, pause;
    struct signal_call *call;    /* in flight */
    struct skl_error *err;       /* the result */
};

/* The invocation's answer, while the run is still on. */
struct answer {
    bool valid;
    int kind;                    /* SKL_END_* */
    int code;
    char *reason;                /* NULL: none */
};

struct machine {
    struct container *c;
    enum phase phase;
    enum container_status before; /* START_*: what a failed start goes back to */
    struct list ops;
    uint32_t open_run;            /* the driver still owes us the end of this run; 0: none */
    struct answer answer;
    bool agent_up;
    bool resumed;                 /* the run was begun by an earlier daemon process: the driver may know nothing of it */
    bool restarting_by_hand;      /* an OP_RESTART is between its halves */
    int64_t back_off;
    struct plugin_call *start_call;
    struct timer wait_timer;      /* by phase: what run_check() or the start waits for */
    struct timer lost_timer;
    struct timer back_off_timer;
    struct soon check_soon, settle_soon;
    struct skl_error *abort;      /* a start is being aborted: why */
    struct list dirty;            /* engine's dirty */
};

struct run_result {
    int code;
    bool oom;
    int64_t time;       /* wall; 0: now */
    const char *error;  /* State.Error; NULL: none */
};

/* ---- machine.c ---- */
struct machine *machine_get(struct container *c); /* made when there is none */
void machine_settle(struct machine *m);           /* freed, later, if it has nothing to do any more */
void machine_start(struct machine *m);            /* from REST or BACK_OFF */
void machine_start_abort(struct machine *m, int kind, const char *why);
void machine_run_end(struct machine *m, const struct run_result *r);
/* Ends run and invocation, whatever becomes of them. */
void machine_force_end(struct machine *m, int signo, const char *error);
void machine_back_off_cancel(struct machine *m);
void machine_remove(struct machine *m, bool volumes);
struct machine *machine_of_run(const struct container *c, uint32_t run); /* NULL: that is not the present run */
void machine_kill_invocation(const struct container *c, uint32_t run, int signo); /* machine_kill.c */
struct plugin *machine_driver(const struct container *c); /* NULL: not loaded */
/* machine_agent.c: the chain expects the run's agent, and its published ports listen; -1: one of them can't. */
int machine_agent_prepare(struct container *c, struct skl_error *err);
void machine_agent_release(struct container *c, bool keep_files);
bool machine_acts_on_agent(const struct container *c, uint64_t cap); /* the driver's cap, and there can be an agent */

/* ---- machine_row.c ---- */
void machine_save(struct machine *m); /* stores the state; tries again when that fails */
int machine_rows_delete(struct container *c, bool volumes, struct skl_error *err); /* and stores the pending deletion */

/* ---- machine_ops.c: told by machine.c ---- */
void ops_run_began(struct machine *m);
void ops_start_failed(struct machine *m, const struct skl_error *err);
void ops_run_ending(struct machine *m);  /* before die: events of signals that are on their way */
void ops_run_ended(struct machine *m);   /* after die */
void ops_removed(struct machine *m, const struct skl_error *err);
void ops_free(struct machine *m);
void ops_finished_free(struct engine *e);

#endif
