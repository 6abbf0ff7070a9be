/*
 * Property test of the state machine: random operations of several clients, random answers and failures of driver and
 * agent, in random order, from a fixed set of seeds. Whatever happens:
 *   - the events of a container are a word of the grammar create (start die)* [start] ... destroy, one die per run;
 *   - every operation and every waiter is told exactly once, and not before the starter returned;
 *   - a waiter for the next exit gets the code that the die event of that exit had;
 *   - the state is consistent: times, codes, counts, names; what is stored is what is there (checked by reopening).
 *
 * SKL_SEED=N runs one seed, verbosely.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "state/machine.h"
#include "tests/unit/state/fake.h"

#define STEPS 300
#define SEEDS 60
#define SLOTS 4

struct history {
    char id[ID_SIZE];
    bool running, destroyed;
    int dies, starts;
    int last_code;
};

struct told {
    struct list link;
    int calls;
    bool armed;         /* the starter returned */
    char id[ID_SIZE];
    int dies_then;      /* waiters for the next exit: how many there had been */
    bool next_exit;
    struct world *w;
};

struct world {
    struct fake f;
    struct events_sub *sub;
    uint64_t seed;
    struct history h[4096];
    size_t n_h;
    struct list told;
    char listed[SLOTS][ID_SIZE];
    int bad;
    bool verbose;
};

static unsigned rnd(struct world *w, unsigned n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->seed >> 33) % n;
}

static void complain(struct world *w, const char *what, const char *id)
{
    w->bad++;
    if (w->bad < 10)
        printf("# %s (container %.12s)\n", what, id);
}

static struct history *history(struct world *w, const char *id)
{
    for (size_t i = 0; i < w->n_h; i++)
        if (strcmp(w->h[i].id, id) == 0)
            return &w->h[i];
    w->h[w->n_h] = (struct history){0};
    snprintf(w->h[w->n_h].id, ID_SIZE, "%s", id);
    return &w->h[w->n_h++];
}

static void on_one(struct world *w, const struct event *ev)
{
    struct history *h;

    if (strcmp(ev->type, "container") != 0)
        return;
    h = history(w, ev->id);
    if (w->verbose)
        printf("#   %.12s %s\n", ev->id, ev->action);
    if (h->destroyed)
        complain(w, "an event after destroy", ev->id);
    if (strcmp(ev->action, "start") == 0) {
        if (h->running)
            complain(w, "start without die", ev->id);
        h->running = true;
        h->starts++;
    } else if (strcmp(ev->action, "die") == 0) {
        if (!h->running)
            complain(w, "die without start", ev->id);
        h->running = false;
        h->dies++;
        h->last_code = atoi(event_attr(ev, "exitCode"));
    } else if (strcmp(ev->action, "destroy") == 0) {
        if (h->running)
            complain(w, "destroy without die", ev->id);
        h->destroyed = true;
    }
}

static void take_events(struct world *w)
{
    struct event *ev;

    while ((ev = events_next(w->sub)) != NULL) {
        on_one(w, ev);
        event_unref(ev);
    }
}

static void on_events(void *arg)
{
    take_events(arg);
}

/* ---- who is told ---- */

static struct told *told_new(struct world *w, struct container *c)
{
    struct told *t = xcalloc(1, sizeof(*t));

    t->w = w;
    if (c != NULL)
        memcpy(t->id, c->id, ID_SIZE);
    list_push_back(&w->told, &t->link);
    return t;
}

static void on_told(void *arg, const struct skl_error *err)
{
    struct told *t = arg;

    (void)err;
    t->calls++;
    if (!t->armed)
        complain(t->w, "told inside the starter", t->id);
}

static void on_waited(void *arg, int code, const struct skl_error *err)
{
    struct told *t = arg;
    struct history *h = history(t->w, t->id);

    on_told(arg, err);
    if (t->next_exit && h->dies > t->dies_then + 1)
        complain(t->w, "a waiter missed an exit", t->id);
    if (t->next_exit && h->dies == t->dies_then + 1 && code != h->last_code)
        complain(t->w, "a waiter got another code than the die event", t->id);
    if (t->next_exit && h->dies == t->dies_then && !h->destroyed)
        complain(t->w, "a waiter was told before die", t->id);
}

static void on_create(void *arg, const struct skl_error *err, struct container *c, const char *const *warnings)
{
    (void)c;
    (void)warnings;
    on_told(arg, err);
}

/* ---- actions ---- */

static struct container *pick(struct world *w)
{
    unsigned k = rnd(w, SLOTS);
    struct container *c = container_first(w->f.e);

    while (c != NULL && k-- > 0 && container_next(c) != NULL)
        c = container_next(c);
    return c;
}

static void act_create(struct world *w)
{
    static const char *const policies[] = {
        "{}", "{\"AutoRemove\":true}", "{\"RestartPolicy\":{\"Name\":\"always\"}}",
        "{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":1}}"};
    struct container_spec spec = {.image_ref = "x", .image_id = "sha256:0"};
    const char *policy = policies[rnd(w, ARRAY_LEN(policies))];
    struct told *t;
    char name[8];

    if (container_count(w->f.e) >= SLOTS)
        return;
    snprintf(name, sizeof(name), "c%u", rnd(w, 6));
    spec.name = name;
    spec.config = json_tokener_parse(FAKE_CMD);
    spec.host_config = json_tokener_parse(policy);
    t = told_new(w, NULL);
    if (container_create(w->f.e, &spec, on_create, t, NULL) < 0)
        t->calls = 1;
    t->armed = true;
    json_object_put(spec.config);
    json_object_put(spec.host_config);
}

static void act_wait(struct world *w, struct container *c)
{
    struct told *t = told_new(w, c);
    enum wait_condition cond = (enum wait_condition)rnd(w, 3);
    struct waiter *waiter;

    take_events(w);
    t->next_exit = cond == WAIT_NEXT_EXIT && c->status != CONTAINER_REMOVED;
    t->dies_then = history(w, c->id)->dies;
    waiter = container_wait(c, cond, on_waited, t);
    t->armed = true;
    if (rnd(w, 8) == 0) {
        waiter_cancel(waiter);
        t->calls++;
    }
}

static void act_operation(struct world *w, struct container *c)
{
    static const int signals[] = {SIGTERM, SIGKILL, SIGHUP};
    struct told *t = told_new(w, c);

    switch (rnd(w, 9)) {
    case 0:
    case 1:
    case 2:
        container_start(c, on_told, t);
        break;
    case 3:
        container_stop(c, 0, (int64_t)rnd(w, 3) * NS_PER_MS, on_told, t);
        break;
    case 4:
        container_kill(c, signals[rnd(w, 3)], on_told, t);
        break;
    case 5:
        container_restart(c, 0, (int64_t)rnd(w, 3) * NS_PER_MS, on_told, t);
        break;
    case 6:
        container_pause(c, on_told, t);
        break;
    case 7:
        container_unpause(c, on_told, t);
        break;
    default:
        container_remove(c, rnd(w, 2) == 0, rnd(w, 2) == 0, on_told, t);
    }
    t->armed = true;
}

static void act_driver(struct world *w, struct container *c)
{
    struct machine *m = c->machine;
    uint32_t run = c->run;
    struct skl_run_end end = {.size = sizeof(end), .kind = 1 + (int)rnd(w, 5), .exit_code = (int)rnd(w, 3),
                              .reason = rnd(w, 2) ? "because" : NULL};

    if (m == NULL || m->open_run == 0 || m->phase == PHASE_START_DRIVER)
        return;
    run = m->open_run;
    w->f.host.on_run_ended(w->f.host.run_ended_arg, &w->f.host.plugin, c->id, run, &end);
}

static void act_agent(struct world *w, struct container *c)
{
    switch (rnd(w, 6)) {
    case 0:
        engine_agent_lost(c, c->run, rnd(w, 2) == 0);
        break;
    case 1:
        engine_agent_back(c, c->run);
        break;
    case 2:
        if (!log_run_exit(c->log, NULL, NULL))
            fake_output(c, 1 + (int)rnd(w, 2), "some text\n");
        break;
    default:
        if (c->machine != NULL && (c->machine->phase == PHASE_RUNNING || c->machine->phase == PHASE_START_PROCESS) &&
            !log_run_exit(c->log, NULL, NULL))
            fake_exit(c, (int)rnd(w, 3));
    }
}

static void act_world(struct world *w)
{
    static const char *const ops[] = {"create", "start", "kill", "remove", "process", "signal"};
    struct plugin_host *h = &w->f.host;

    h->hold_create = rnd(w, 4) == 0;
    h->hold_start = rnd(w, 3) == 0;
    h->hold_process = rnd(w, 3) == 0;
    h->hold_signal = rnd(w, 3) == 0;
    h->hold_remove = rnd(w, 3) == 0;
    h->offline = rnd(w, 6) == 0;
    h->signal_exits = rnd(w, 2) == 0;
    h->fail_start = rnd(w, 6) == 0 ? "no" : NULL;
    h->fail_process = rnd(w, 6) == 0 ? "no" : NULL;
    fake_answer(&w->f, ops[rnd(w, ARRAY_LEN(ops))], rnd(w, 4) == 0 ? "failed" : NULL);
}

/* The cloud is asked what it has: some of it is gone. */
static void act_cloud(struct world *w)
{
    struct plugin_host *h = &w->f.host;

    h->n_items = 0;
    CONTAINER_FOREACH(c, w->f.e) {
        if (h->n_items == SLOTS || rnd(w, 4) == 0)
            continue;
        memcpy(w->listed[h->n_items], c->id, ID_SIZE);
        h->items[h->n_items] = (struct skl_list_item){.container_id = w->listed[h->n_items]};
        h->n_items++;
    }
    engine_ask_resources(w->f.e);
}

/* ---- invariants ---- */

/* What waits for the end of a run does not outlive it. */
static void check_ops(struct world *w, const struct container *c)
{
    const struct machine *m = c->machine;

    if (m == NULL || (m->phase != PHASE_REST && m->phase != PHASE_BACK_OFF))
        return;
    LIST_FOREACH_SAFE(node, tmp, &m->ops) {
        const struct op *op = LIST_ENTRY(node, struct op, link);

        if (op->kind == OP_STOP || op->kind == OP_KILL || op->kind == OP_REMOVE)
            complain(w, "an operation waits for a run that is over", c->id);
    }
}

static void check(struct world *w)
{
    struct engine *e = w->f.e;
    size_t n = 0, live = 0;

    CONTAINER_FOREACH(c, e) {
        struct history *h = history(w, c->id);

        check_ops(w, c);
        n++;
        live += container_is_live(c);
        if (container_is_live(c) != h->running)
            complain(w, "state and events differ", c->id);
        if (container_is_live(c) && (c->started == 0 || c->machine == NULL || c->machine->phase != PHASE_RUNNING))
            complain(w, "running without a start", c->id);
        if (c->status == CONTAINER_EXITED && (c->finished == 0 || c->run == 0))
            complain(w, "exited without an end", c->id);
        if (c->status == CONTAINER_CREATED && c->started != 0)
            complain(w, "created, but it ran", c->id);
        if (container_by_name(e, c->name) != c)
            complain(w, "the name leads elsewhere", c->id);
        if (log_is_live(c->log) != (c->machine != NULL && c->machine->phase >= PHASE_START_DRIVER &&
                                    c->machine->phase <= PHASE_RUNNING))
            complain(w, "the log's life is not the run's", c->id);
    }
    if (n != container_count(e) || live != e->n_status[CONTAINER_RUNNING] + e->n_status[CONTAINER_PAUSED])
        complain(w, "the counts are wrong", "-");
}

static void step(struct world *w)
{
    struct container *c = pick(w);

    if (c == NULL || rnd(w, 8) == 0)
        act_create(w);
    else
        switch (rnd(w, 8)) {
        case 0:
        case 1:
        case 2:
            act_operation(w, c);
            break;
        case 3:
            act_wait(w, c);
            break;
        case 4:
            act_driver(w, c);
            break;
        case 5:
            act_agent(w, c);
            break;
        case 6:
            if (rnd(w, 4) == 0) {
                act_cloud(w);
                break;
            } /* fall through */
        default:
            act_world(w);
        }
    if (rnd(w, 2) == 0) {
        fake_spin(&w->f);
        take_events(w);
        check(w);
    }
}

/* Everybody gets an answer, everything is removed. */
static void wind_down(struct world *w)
{
    struct plugin_host *h = &w->f.host;
    int64_t end = clock_mono() + 30 * NS_PER_S;

    h->hold_create = h->hold_start = h->hold_process = h->hold_signal = h->hold_remove = h->offline = false;
    h->fail_start = h->fail_process = NULL;
    h->signal_exits = true;
    while ((container_count(w->f.e) > 0 || !list_empty(&h->calls)) && clock_mono() < end) {
        LIST_FOREACH_SAFE(node, tmp, &h->calls)
            loop_soon(w->f.loop, &LIST_ENTRY(node, struct plugin_call, link)->soon);
        fake_spin(&w->f);
        CONTAINER_FOREACH(c, w->f.e)
            container_remove(c, true, true, NULL, NULL);
        fake_spin(&w->f);
    }
    take_events(w);
    if (container_count(w->f.e) > 0)
        complain(w, "containers can't be removed", container_first(w->f.e)->id);
    while (!list_empty(&w->told)) {
        struct told *t = LIST_ENTRY(w->told.next, struct told, link);

        if (t->calls != 1)
            complain(w, t->calls == 0 ? "somebody was never told" : "somebody was told twice", t->id);
        list_remove(&t->link);
        free(t);
    }
}

static int one_seed(uint64_t seed, bool verbose)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct events_opts eo = {.on_event = on_events, .arg = w};
    int bad;

    list_init(&w->told);
    w->seed = seed * 7919 + 1;
    w->verbose = verbose;
    log_set_level(LOG_LEVEL_ERROR);
    fake_init(&w->f, rnd(w, 4) == 0 ? SKL_CAP_LIST | SKL_CAP_AGENT : FAKE_CAPS, rnd(w, 5) != 0);
    w->sub = events_subscribe(w->f.e, &eo);
    for (int i = 0; i < STEPS && w->bad == 0; i++)
        step(w);
    wind_down(w);
    bad = w->bad;
    if (bad > 0)
        printf("# seed %llu\n", (unsigned long long)seed);
    events_unsubscribe(w->sub);
    fake_fini(&w->f);
    free(w);
    return bad;
}

static void test_property(void)
{
    const char *one = getenv("SKL_SEED");

    if (one != NULL) {
        UNIT_INT_EQ(one_seed(strtoull(one, NULL, 10), true), 0);
        return;
    }
    for (uint64_t seed = 1; seed <= (getenv("SKL_SEEDS") != NULL ? strtoull(getenv("SKL_SEEDS"), NULL, 10) : SEEDS); seed++)
        UNIT_INT_EQ(one_seed(seed, false), 0);
}

UNIT_MAIN("state_machine", UNIT(test_property))
