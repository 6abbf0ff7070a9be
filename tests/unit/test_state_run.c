/*
 * The life of containers: create, start, the ends of runs, stop, kill, restart, remove, policies, recovery; with a fake
 * driver and a fake agent.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <signal.h>
#include <string.h>
#include "base/clock.h"
#include "tests/unit/state/fake.h"

/* U-37, U-61: run --rm. */
static void test_run(void)
{
    struct fake f;
    struct container *c;
    struct fake_result start = {0}, wait = {0}, next = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_create(&f, "one", FAKE_CMD, "{\"AutoRemove\":true}");
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    UNIT_STR_EQ(fake_transcript(&f), "create");
    container_ref(c);
    container_wait(c, WAIT_REMOVED, fake_wait_done, &wait);
    container_wait(c, WAIT_NEXT_EXIT, fake_wait_done, &next);
    container_start(c, fake_done, &start);
    UNIT_INT_EQ(start.calls, 0);
    fake_spin(&f);
    UNIT_INT_EQ(start.calls, 1);
    UNIT_INT_EQ(start.err.kind, 0);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    UNIT_STR_EQ(fake_transcript(&f), "prepare start process");
    fake_output(c, RECORD_STDOUT, "hi\n");
    fake_exit(c, 9);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_REMOVED);
    UNIT_INT_EQ(wait.calls, 1);
    UNIT_INT_EQ(wait.code, 9);
    UNIT_INT_EQ(next.calls, 1);
    UNIT_INT_EQ(next.code, 9);
    UNIT_STR_EQ(fake_events(&f), "create start die:9 destroy");
    UNIT_STR_EQ(fake_transcript(&f), "release remove forget");
    CU_ASSERT_PTR_NULL(container_find(f.e, "one", NULL));
    container_unref(c);
    fake_fini(&f);
}

static void test_create_fails(void)
{
    struct fake f;
    struct skl_error err;

    fake_init(&f, FAKE_CAPS, true);
    f.host.fail_create = "no quota";
    CU_ASSERT_PTR_NULL(fake_create(&f, "one", FAKE_CMD, NULL));
    CU_ASSERT_PTR_NULL(container_find(f.e, "one", &err));
    UNIT_STR_EQ(err.message, "No such container: one");
    f.host.fail_create = NULL;
    CU_ASSERT_PTR_NOT_NULL(fake_create(&f, "one", FAKE_CMD, NULL));
    CU_ASSERT_PTR_NULL(fake_create(&f, "one", FAKE_CMD, NULL));
    CU_ASSERT_PTR_NULL(fake_create(&f, NULL, "{\"Cmd\":7}", NULL));
    fake_reopen(&f);
    UNIT_INT_EQ(container_count(f.e), 1);
    fake_fini(&f);
}

/* Files are asked for when a container has exited and stays; a start cuts that short. */
static void test_files_are_kept_at_the_end(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_create(&f, "one", FAKE_CMD, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    container_start(c, fake_done, &r);
    fake_spin(&f);
    fake_exit(c, 0);
    fake_spin(&f);
    UNIT_INT_EQ(f.host.n_keep, 1);
    UNIT_INT_EQ(f.host.n_hurry, 0);
    container_start(c, fake_done, &r); /* its invocation is still to be answered */
    UNIT_INT_EQ(f.host.n_hurry, 1);
    fake_run_ended(&f, c, SKL_END_EXIT, 0, NULL);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    container_remove(c, true, true, fake_done, &r);
    fake_spin(&f);
    c = fake_create(&f, "two", FAKE_CMD, "{\"AutoRemove\":true}");
    container_start(c, fake_done, &r);
    fake_spin(&f);
    fake_exit(c, 0);
    fake_spin(&f);
    UNIT_INT_EQ(f.host.n_keep, 1);
    fake_fini(&f);
}

/* U-40: the container stays as it was, and can be started again. */
static void test_start_fails(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0}, wait = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_create(&f, "one", FAKE_CMD, NULL);
    container_wait(c, WAIT_NEXT_EXIT, fake_wait_done, &wait);
    f.host.fail_start = "PERMISSION_DENIED";
    container_start(c, fake_done, &r);
    fake_spin(&f);
    UNIT_STR_EQ(r.err.message, "PERMISSION_DENIED");
    UNIT_INT_EQ(c->status, CONTAINER_CREATED);
    UNIT_INT_EQ(c->exit_code, 128);
    UNIT_STR_EQ(c->error, "PERMISSION_DENIED");
    f.host.fail_start = NULL;
    f.host.fail_process = "exec: \"x\": executable file not found in $PATH";
    container_start(c, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.calls, 2);
    UNIT_INT_EQ(c->exit_code, 127);
    UNIT_INT_EQ(wait.calls, 0);
    UNIT_STR_EQ(fake_transcript(&f), "create prepare start release prepare start process kill release");
    f.host.fail_process = NULL;
    fake_run_ended(&f, c, SKL_END_CANCELED, 0, NULL);
    container_start(c, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    UNIT_STR_EQ(c->error, "");
    UNIT_STR_EQ(fake_events(&f), "create start");
    fake_exit(c, 0);
    fake_spin(&f);
    UNIT_INT_EQ(wait.calls, 1);
    fake_fini(&f);
}

/* The invocation fails while the agent is waited for: start fails with the cloud's words. */
static void test_invocation_fails_early(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_create(&f, "one", FAKE_CMD, NULL);
    f.host.hold_process = true;
    container_start(c, fake_done, &r);
    fake_spin(&f);
    fake_run_ended(&f, c, SKL_END_FAILED, 0, "429 too many instances");
    UNIT_INT_EQ(r.calls, 1);
    UNIT_STR_EQ(r.err.message, "429 too many instances");
    UNIT_STR_EQ(fake_transcript(&f), "create prepare start process abort release");
    UNIT_INT_EQ(c->status, CONTAINER_CREATED);
    fake_fini(&f);
}

static void test_stop(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0}, wait = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    f.host.signal_exits = true;
    container_wait(c, WAIT_NOT_RUNNING, fake_wait_done, &wait);
    container_stop(c, 0, CONTAINER_STOP_DEFAULT, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.calls, 1);
    UNIT_INT_EQ(r.err.kind, 0);
    UNIT_INT_EQ(c->exit_code, 143);
    UNIT_INT_EQ(wait.code, 143);
    UNIT_STR_EQ(fake_events(&f), "kill:15 die:143 stop");
    container_stop(c, 0, CONTAINER_STOP_DEFAULT, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.err.kind, SKL_ERR_NOT_MODIFIED);
    container_kill(c, SIGKILL, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.err.kind, SKL_ERR_CONFLICT);
    fake_fini(&f);
}

static bool exited(void *c)
{
    return ((struct container *)c)->status == CONTAINER_EXITED;
}

/* U-44: the signal is ignored, then SIGKILL. */
static void test_stop_escalates(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    container_stop(c, SIGINT, 50 * NS_PER_MS, fake_done, &r);
    fake_spin(&f);
    f.host.signal_exits = true;
    fake_run_until(&f, exited, c);
    fake_spin(&f);
    UNIT_INT_EQ(r.calls, 1);
    UNIT_INT_EQ(c->exit_code, 137);
    UNIT_STR_EQ(fake_events(&f), "kill:2 kill:9 die:137 stop");
    fake_fini(&f);
}

static void test_kill(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    container_kill(c, SIGHUP, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.calls, 1);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    UNIT_STR_EQ(fake_events(&f), "kill:1");
    f.host.signal_exits = true;
    f.host.hold_signal = true; /* the exit overtakes the answer: the kill event still comes first */
    container_kill(c, SIGKILL, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.calls, 2);
    UNIT_STR_EQ(fake_events(&f), "kill:9 die:137");
    CU_ASSERT(fake_answer(&f, "signal", NULL));
    UNIT_INT_EQ(r.calls, 2);
    UNIT_STR_EQ(fake_events(&f), "");
    fake_fini(&f);
}

/* U-45, 2.5.4: kill, die, stop, start, restart. A new run waits for the old invocation's answer. */
static void test_restart(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0}, wait = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, "{\"AutoRemove\":true}");
    f.host.signal_exits = true;
    container_wait(c, WAIT_NOT_RUNNING, fake_wait_done, &wait);
    container_restart(c, 0, CONTAINER_STOP_DEFAULT, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_EXITED);
    UNIT_INT_EQ(wait.calls, 1);
    UNIT_INT_EQ(r.calls, 0);
    {
        struct skl_run_end end = {.size = sizeof(end), .kind = SKL_END_EXIT, .exit_code = 143};

        f.host.on_run_ended(f.host.run_ended_arg, &f.host.plugin, c->id, 1, &end);
    }
    fake_spin(&f);
    UNIT_INT_EQ(r.calls, 1);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    UNIT_INT_EQ(c->run, 2);
    UNIT_INT_EQ(c->restart_count, 0);
    UNIT_STR_EQ(fake_events(&f), "kill:15 die:143 stop start restart");
    fake_fini(&f);
}

/* The mapping's strict semantics: no-ops, and a kill that disconnects. */
static void test_strict(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0};

    fake_init(&f, SKL_CAP_LIST | SKL_CAP_AGENT, true);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    container_stop(c, 0, CONTAINER_STOP_DEFAULT, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.err.kind, 0);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    container_restart(c, 0, CONTAINER_STOP_DEFAULT, fake_done, &r);
    container_pause(c, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.calls, 3);
    UNIT_INT_EQ(r.err.kind, SKL_ERR_UNIMPLEMENTED);
    UNIT_STR_EQ(fake_events(&f), "");
    fake_exit(c, 5); /* the agent's word does not count */
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    container_kill(c, SIGTERM, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(c->exit_code, 137);
    UNIT_STR_EQ(fake_events(&f), "kill:15 die:137");
    UNIT_STR_EQ(fake_transcript(&f), "finish kill release"); /* at its exit the agent may answer the invocation */
    container_start(c, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.err.kind, SKL_ERR_UNIMPLEMENTED);
    fake_fini(&f);
}

static void test_strict_helper(void)
{
    struct fake f;
    struct container *c;

    fake_init(&f, SKL_CAP_LIST | SKL_CAP_AGENT, true);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    CU_ASSERT(c->helper);
    fake_run_ended(&f, c, SKL_END_EXIT, 3, NULL);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING); /* output may still come */
    fake_run_until(&f, exited, c);
    UNIT_INT_EQ(c->exit_code, 3);
    c = fake_running(&f, "two", "{\"Cmd\":[\"tail\",\"-f\",\"/dev/null\"]}", NULL);
    CU_ASSERT(!c->helper);
    fake_run_ended(&f, c, SKL_END_EXIT, 4, NULL);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    engine_agent_lost(c, c->run, false);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_EXITED);
    UNIT_INT_EQ(c->exit_code, 4);
    fake_fini(&f);
}

/* A front end that answers 502 in the middle of a run has lost the function, not ended it: the agent is there. */
static void test_front_end_fails_in_mid_run(void)
{
    struct fake f;
    struct container *c;

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    fake_run_ended(&f, c, SKL_END_FAILED, 1, "502");
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    fake_exit(c, 5);
    fake_spin(&f);
    UNIT_INT_EQ(c->exit_code, 5);
    UNIT_STR_EQ(c->error, "");
    c = fake_running(&f, "two", FAKE_CMD, NULL);
    fake_run_ended(&f, c, SKL_END_FAILED, 1, "the instance died");
    engine_agent_lost(c, c->run, false);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_EXITED); /* at once: both say so */
    UNIT_INT_EQ(c->exit_code, 1);
    UNIT_STR_EQ(c->error, "the instance died");
    fake_fini(&f);
}

static void run_without_agent(uint64_t caps, bool callback)
{
    struct fake f;
    struct container *c;

    fake_init(&f, caps, callback);
    c = fake_create(&f, "one", FAKE_CMD, NULL);
    container_start(c, NULL, NULL);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    UNIT_STR_EQ(fake_transcript(&f), "create start");
    fake_run_ended(&f, c, SKL_END_EXIT, 7, NULL);
    UNIT_INT_EQ(c->status, CONTAINER_EXITED);
    UNIT_INT_EQ(c->exit_code, 7);
    CU_ASSERT(c->finished >= c->started);
    UNIT_STR_EQ(fake_events(&f), "create start die:7");
    fake_fini(&f);
}

static void test_no_agent(void)
{
    run_without_agent(FAKE_CAPS, false);                       /* the daemon has no callback URL */
    run_without_agent(SKL_CAP_LIST | SKL_CAP_INSPECT, true); /* the driver has no agent */
}

static void test_agent_lost(void)
{
    struct fake f;
    struct container *c;

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    engine_agent_lost(c, c->run, false);
    engine_agent_back(c, c->run);
    fake_spin(&f);
    CU_ASSERT(!timer_armed(&f.e->dirty_timer));
    engine_agent_lost(c, c->run + 1, false); /* stale */
    engine_agent_lost(c, c->run, false);
    fake_run_until(&f, exited, c);
    UNIT_INT_EQ(c->exit_code, 137);
    CU_ASSERT(c->error[0] != '\0');
    UNIT_STR_EQ(fake_transcript(&f), "kill release");
    fake_fini(&f);
}

/* U-38: forced removal answers every waiter. */
static void test_remove(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0}, second = {0}, w[3] = {{0}};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    for (int i = 0; i < 3; i++)
        container_wait(c, (enum wait_condition)i, fake_wait_done, &w[i]);
    container_remove(c, false, false, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.err.kind, SKL_ERR_CONFLICT);
    UNIT_STR_EQ(r.err.message, "cannot remove container \"/one\": container is running: stop the container before removing "
                               "or force remove");
    f.host.hold_remove = true;
    container_remove(c, true, false, fake_done, &r);
    container_remove(c, true, false, fake_done, &second);
    fake_spin(&f);
    UNIT_INT_EQ(second.err.kind, SKL_ERR_CONFLICT);
    UNIT_INT_EQ(c->status, CONTAINER_REMOVING);
    UNIT_STR_EQ(fake_events(&f), "kill:9 die:137");
    CU_ASSERT(fake_answer(&f, "remove", NULL));
    for (int i = 0; i < 3; i++) {
        UNIT_INT_EQ(w[i].calls, 1);
        UNIT_INT_EQ(w[i].code, 137);
    }
    UNIT_INT_EQ(r.calls, 2);
    UNIT_INT_EQ(r.err.kind, 0);
    UNIT_STR_EQ(fake_events(&f), "destroy");
    UNIT_INT_EQ(container_count(f.e), 0);
    fake_fini(&f);
}

static void test_remove_while_starting(void)
{
    struct fake f;
    struct container *c;
    struct fake_result start = {0}, r = {0};

    for (int i = 0; i < 2; i++) {
        fake_init(&f, FAKE_CAPS, true);
        c = fake_create(&f, "one", FAKE_CMD, NULL);
        f.host.hold_start = i == 0;
        f.host.hold_process = i == 1;
        container_start(c, fake_done, &start);
        fake_spin(&f);
        container_remove(c, true, false, fake_done, &r);
        fake_spin(&f);
        UNIT_INT_EQ(start.calls, i + 1);
        UNIT_INT_EQ(start.err.kind, SKL_ERR_CONFLICT);
        UNIT_INT_EQ(r.calls, i + 1);
        UNIT_INT_EQ(r.err.kind, 0);
        UNIT_STR_EQ(fake_events(&f), "create destroy");
        fake_fini(&f);
    }
}

/* U-46 */
static void test_on_failure(void)
{
    struct fake f;
    struct container *c;
    struct fake_result wait = {0}, next = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, "{\"RestartPolicy\":{\"Name\":\"on-failure\",\"MaximumRetryCount\":2}}");
    container_wait(c, WAIT_NOT_RUNNING, fake_wait_done, &wait);
    container_wait(c, WAIT_NEXT_EXIT, fake_wait_done, &next);
    for (uint32_t run = 1; run <= 3; run++) {
        int64_t end = clock_mono() + 5 * NS_PER_S;

        while ((c->run < run || c->status != CONTAINER_RUNNING) && clock_mono() < end)
            fake_spin(&f);
        UNIT_INT_EQ(c->run, run);
        fake_exit(c, 1);
        fake_spin(&f);
        fake_run_ended(&f, c, SKL_END_EXIT, 1, NULL);
        UNIT_INT_EQ(next.calls, 1);
        UNIT_INT_EQ(wait.calls, run == 3);
    }
    UNIT_INT_EQ(c->status, CONTAINER_EXITED);
    UNIT_INT_EQ(c->restart_count, 2);
    UNIT_STR_EQ(fake_events(&f), "die:1 start die:1 start die:1");
    fake_fini(&f);
}

static bool in_second_run(void *arg)
{
    const struct container *c = arg;

    return c->status == CONTAINER_RUNNING && c->run > 1;
}

static bool failed_twice(void *arg)
{
    return ((const struct container *)arg)->restart_count >= 2;
}

/* The cloud can't start it for a while: the policy goes on, and only a stop ends it. */
static void test_policy_outlives_failed_starts(void)
{
    struct fake f;
    struct container *c;
    struct fake_result wait = {0}, stop = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, "{\"RestartPolicy\":{\"Name\":\"always\"}}");
    container_wait(c, WAIT_NOT_RUNNING, fake_wait_done, &wait);
    f.host.fail_start = "503";
    fake_exit(c, 1);
    fake_spin(&f);
    fake_run_ended(&f, c, SKL_END_EXIT, 1, NULL);
    fake_run_until(&f, failed_twice, c);
    UNIT_INT_EQ(c->status, CONTAINER_RESTARTING);
    UNIT_STR_EQ(c->error, "503");
    f.host.fail_start = NULL;
    fake_run_until(&f, in_second_run, c);
    UNIT_INT_EQ(wait.calls, 0);
    UNIT_STR_EQ(c->error, "");
    f.host.fail_start = "503";
    fake_exit(c, 1);
    fake_spin(&f);
    fake_run_ended(&f, c, SKL_END_EXIT, 1, NULL);
    fake_spin(&f);
    container_stop(c, 0, CONTAINER_STOP_DEFAULT, fake_done, &stop);
    fake_spin(&f);
    UNIT_INT_EQ(stop.calls, 1);
    UNIT_INT_EQ(c->status, CONTAINER_EXITED);
    UNIT_INT_EQ(wait.calls, 1);
    UNIT_STR_EQ(fake_events(&f), "die:1 start die:1 stop");
    fake_fini(&f);
}

static void test_pause(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", FAKE_CMD, NULL);
    container_pause(c, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_PAUSED);
    container_pause(c, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.err.kind, SKL_ERR_CONFLICT);
    container_start(c, fake_done, &r);
    fake_spin(&f);
    UNIT_STR_EQ(r.err.message, "cannot start a paused container, try unpause instead");
    container_unpause(c, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    UNIT_STR_EQ(fake_events(&f), "pause unpause");
    UNIT_STR_EQ(fake_transcript(&f), "signal 19all signal 18all");
    fake_fini(&f);
}

/* Issue 4: what was acknowledged is there after a kill -9; what was not is undone. */
static void test_recovery(void)
{
    struct fake f;
    struct container *c;
    char id[ID_SIZE];
    struct skl_list_item there = {.container_id = id};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_running(&f, "one", "{\"Cmd\":[\"x\"],\"Labels\":{\"K.y/Z\":\"\\u00e9 \\n\"}}", NULL);
    memcpy(id, c->id, sizeof(id));
    fake_output(c, RECORD_STDOUT, "first\n");
    {
        uint64_t before = engine_output_offset(c);
        uint8_t head[RECORD_HEADER_SIZE] = {RECORD_STDOUT, 0, 0, 0, 0, 0, 0, 9};
        bool malformed;

        engine_agent_output(c, c->run, head, sizeof(head), &malformed);
        engine_agent_output(c, c->run, "half", 4, &malformed);
        UNIT_INT_EQ(engine_output_offset(c), before + 20);
        f.host.hold_create = true;
        fake_create(&f, "half", FAKE_CMD, NULL);
        f.host.hold_create = false;
        fake_reopen(&f);
        f.host.items[0] = there;
        f.host.n_items = 1;
        c = container_find(f.e, id, NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(c);
        UNIT_STR_EQ(container_label(c, "K.y/Z"), "\xc3\xa9 \n");
        engine_recover(f.e, false, NULL, NULL);
        fake_spin(&f);
        UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
        UNIT_INT_EQ(engine_output_offset(c), before + 20);
        CU_ASSERT_PTR_NULL(container_find(f.e, "half", NULL));
        UNIT_STR_EQ(fake_transcript(&f), "adopt prepare remove list");
        engine_agent_back(c, c->run);
        engine_agent_output(c, c->run, "whole", 5, &malformed);
        CU_ASSERT(!malformed);
    }
    fake_exit(c, 3);
    fake_spin(&f);
    UNIT_INT_EQ(c->exit_code, 3);
    UNIT_STR_EQ(fake_events(&f), "die:3");
    fake_fini(&f);
}

/* The cloud has nothing of what ran, of what was never started, and of what is started before it could say so. */
static void test_resource_gone(void)
{
    struct fake f;
    struct container *c;
    struct fake_result early = {0}, late = {0};

    fake_init(&f, FAKE_CAPS, true);
    fake_create(&f, "idle", FAKE_CMD, NULL);
    fake_running(&f, "one", FAKE_CMD, NULL);
    fake_reopen(&f);
    engine_recover(f.e, false, NULL, NULL);
    c = container_find(f.e, "idle", NULL);
    container_start(c, fake_done, &early);
    fake_spin(&f);
    UNIT_INT_EQ(early.calls, 1);
    UNIT_INT_EQ(early.err.kind, 0);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    c = container_find(f.e, "one", NULL);
    UNIT_INT_EQ(c->status, CONTAINER_EXITED);
    UNIT_INT_EQ(c->exit_code, 137);
    CU_ASSERT_PTR_NOT_NULL(strstr(c->error, "does not have the container's resource any more"));
    UNIT_STR_EQ(fake_transcript(&f), "adopt prepare list create release prepare start process");
    container_start(c, fake_done, &late);
    fake_spin(&f);
    UNIT_INT_EQ(late.err.kind, 0);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    UNIT_STR_EQ(fake_transcript(&f), "create prepare start process");
    fake_fini(&f);
}

static bool told(void *r)
{
    return ((struct fake_result *)r)->calls > 0;
}

/* A stop or a kill that comes while a start is on its way: first the start, then they, as with Docker. */
static void test_stop_while_starting(void)
{
    static const char *const told_of[2][2] = {{"create start kill:15 die:143 stop", "create start kill:9 die:137"}, {"create", "create"}};

    for (int i = 0; i < 8; i++) {
        struct fake f;
        struct container *c;
        struct fake_result start = {0}, r = {0};
        bool kill = (i & 1) != 0, fails = (i & 2) != 0, late = (i & 4) != 0;

        fake_init(&f, FAKE_CAPS, true);
        f.host.signal_exits = true;
        c = fake_create(&f, "one", FAKE_CMD, "{\"RestartPolicy\":{\"Name\":\"always\"}}");
        f.host.hold_start = !late;
        f.host.hold_process = late;
        container_start(c, fake_done, &start);
        fake_spin(&f);
        if (kill)
            container_kill(c, SIGKILL, fake_done, &r);
        else
            container_stop(c, 0, CONTAINER_STOP_DEFAULT, fake_done, &r);
        fake_spin(&f);
        UNIT_INT_EQ(r.calls + start.calls, 0);
        CU_ASSERT(fake_answer(&f, late ? "process" : "start", fails ? "no" : NULL));
        fake_run_until(&f, told, &r);
        fake_spin(&f);
        UNIT_INT_EQ(start.calls, 1);
        UNIT_INT_EQ(start.err.kind == 0, !fails);
        UNIT_INT_EQ(r.err.kind, !fails ? 0 : kill ? SKL_ERR_CONFLICT : SKL_ERR_NOT_MODIFIED);
        UNIT_INT_EQ(c->status, fails ? CONTAINER_CREATED : CONTAINER_EXITED);
        UNIT_STR_EQ(fake_events(&f), told_of[fails][kill]);
        fake_fini(&f);
    }
}

/* ... but not for ever. */
static void test_stop_of_an_endless_start(void)
{
    for (int kill = 0; kill < 2; kill++) {
        struct fake f;
        struct container *c;
        struct fake_result start = {0}, r = {0};

        fake_init(&f, FAKE_CAPS, true);
        c = fake_create(&f, "one", FAKE_CMD, NULL);
        f.host.hold_process = true;
        container_start(c, fake_done, &start);
        fake_spin(&f);
        if (kill)
            container_kill(c, SIGTERM, fake_done, &r);
        else
            container_stop(c, 0, 0, fake_done, &r);
        fake_run_until(&f, told, &r);
        fake_spin(&f);
        UNIT_INT_EQ(start.err.kind, SKL_ERR_CONFLICT);
        CU_ASSERT_PTR_NOT_NULL(strstr(start.err.message, "while it was starting"));
        UNIT_INT_EQ(r.err.kind, 0);
        UNIT_INT_EQ(c->status, CONTAINER_CREATED);
        fake_fini(&f);
    }
}

/* A list that some place could not be read for: what it lacks may well be there. */
static void test_partial_list(void)
{
    struct fake f;
    struct container *c;
    struct fake_result start = {0};

    fake_init(&f, FAKE_CAPS, true);
    fake_create(&f, "idle", FAKE_CMD, NULL);
    fake_running(&f, "one", FAKE_CMD, NULL);
    fake_reopen(&f);
    f.host.list_partial = true;
    engine_recover(f.e, false, NULL, NULL);
    fake_spin(&f);
    c = container_find(f.e, "one", NULL);
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    c = container_find(f.e, "idle", NULL);
    container_start(c, fake_done, &start);
    fake_spin(&f);
    UNIT_INT_EQ(start.err.kind, 0);
    UNIT_STR_EQ(fake_transcript(&f), "adopt prepare list prepare start process");
    fake_fini(&f);
}

/* A start that waits for the cloud's list is aborted. */
static void test_remove_before_the_list(void)
{
    struct fake f;
    struct container *c;
    struct fake_result start = {0}, r = {0};

    fake_init(&f, FAKE_CAPS, true);
    fake_create(&f, "idle", FAKE_CMD, NULL);
    fake_reopen(&f);
    engine_recover(f.e, false, NULL, NULL);
    c = container_find(f.e, "idle", NULL);
    container_start(c, fake_done, &start);
    container_remove(c, true, false, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(start.calls, 1);
    UNIT_INT_EQ(start.err.kind, SKL_ERR_CONFLICT);
    UNIT_INT_EQ(r.calls, 1);
    UNIT_INT_EQ(r.err.kind, 0);
    UNIT_INT_EQ(container_count(f.e), 0);
    fake_fini(&f);
}

static void test_removal_retried(void)
{
    struct fake f;
    struct container *c;
    struct fake_result r = {0};

    fake_init(&f, FAKE_CAPS, true);
    c = fake_create(&f, "one", FAKE_CMD, NULL);
    f.host.fail_remove = "503";
    container_remove(c, false, false, fake_done, &r);
    fake_spin(&f);
    UNIT_INT_EQ(r.calls, 1);
    UNIT_INT_EQ(r.err.kind, 0);
    f.host.fail_remove = NULL;
    fake_reopen(&f);
    engine_recover(f.e, false, NULL, NULL);
    UNIT_STR_EQ(fake_transcript(&f), "remove list");
    fake_reopen(&f);
    engine_recover(f.e, false, NULL, NULL);
    UNIT_STR_EQ(fake_transcript(&f), "list");
    fake_fini(&f);
}

UNIT_MAIN("state_run", UNIT(test_run), UNIT(test_create_fails), UNIT(test_files_are_kept_at_the_end), UNIT(test_start_fails),
          UNIT(test_invocation_fails_early), UNIT(test_stop), UNIT(test_stop_escalates), UNIT(test_kill), UNIT(test_restart),
          UNIT(test_strict), UNIT(test_strict_helper), UNIT(test_no_agent), UNIT(test_front_end_fails_in_mid_run), UNIT(test_agent_lost), UNIT(test_remove),
          UNIT(test_remove_while_starting), UNIT(test_on_failure), UNIT(test_policy_outlives_failed_starts), UNIT(test_pause), UNIT(test_recovery),
          UNIT(test_resource_gone), UNIT(test_partial_list), UNIT(test_stop_while_starting), UNIT(test_stop_of_an_endless_start),
          UNIT(test_remove_before_the_list),
          UNIT(test_removal_retried))
