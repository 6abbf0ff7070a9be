/*
 * tests/unit/test_gcf_storm.c - many containers at once over a cloud with faults: nothing is left, nothing
 * runs twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/cloud.h"
#include "gcp/fake.h"
#include "cloud-run-functions/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 200

static struct fake f;
static struct cloud cloud;
static struct skl_instance *inst;
static struct skl_error err;

static struct one {
    struct skl_container c;
    char id[65], function[64];
    struct skl_call create, start, remove;
    struct skl_create_req create_req;
    struct skl_start_req start_req;
    struct skl_remove_req remove_req;
    int64_t begins, cancels;
    bool canceled;
} all[MANY];

static void begin(unsigned fault_percent, unsigned fail_percent, const char *create, uint64_t seed)
{
    fake_init(&f);
    f.random = seed;
    cloud_init(&cloud, &f);
    cloud.random = seed;
    cloud.fault_percent = fault_percent;
    cloud.deploy_fail_percent = fail_percent;
    cloud.deploy_time = 40 * FAKE_SEC;
    inst = fake_open(&f, &err, "endpoint-url", CLOUD_BASE, "project", "acme", "create", create, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
    for (int i = 0; i < MANY; i++) {
        struct one *o = &all[i];

        memset(o, 0, sizeof(*o));
        o->c = fake_container();
        (void)snprintf(o->id, sizeof(o->id), "%012d%052d", i, i);
        (void)snprintf(o->function, sizeof(o->function), "skls-%012d", i);
        o->c.id = o->id;
        o->create.kind = FAKE_CREATE;
    }
}

static void end(void)
{
    for (int i = 0; i < MANY; i++) {
        fake_call_fini(&all[i].create);
        fake_call_fini(&all[i].start);
        fake_call_fini(&all[i].remove);
    }
    fake_close(&f, inst);
    fake_fini(&f);
}

static struct fake_ended *ended(const struct one *o)
{
    for (size_t i = 0; i < f.n_ended; i++)
        if (!strcmp(f.ended[i].container, o->id))
            return &f.ended[i];
    return NULL;
}

/* The next thing to do with a container, once the one before is done. */
static void step(struct one *o)
{
    if (f.mono < o->begins)
        return;
    if (!o->create_req.size) {
        o->create_req = (struct skl_create_req){.size = sizeof(o->create_req), .container = &o->c};
        gcf_driver.ops->create(inst, &o->create, &o->create_req);
    } else if (o->cancels && !o->canceled && !o->create.done && f.mono >= o->cancels) {
        o->canceled = true;
        gcf_driver.ops->cancel(inst, &o->create);
    } else if (o->create.done && !o->create.failed && !o->start_req.size) {
        o->c.handle = o->create.handle;
        o->c.run = 1;
        o->start_req = (struct skl_start_req){.size = sizeof(o->start_req), .container = &o->c};
        gcf_driver.ops->start(inst, &o->start, &o->start_req);
    } else if (!o->remove_req.size && o->create.done && !o->create.failed && o->start.done &&
               (o->start.failed || ended(o))) {
        o->remove_req = (struct skl_remove_req){.size = sizeof(o->remove_req), .container = &o->c};
        gcf_driver.ops->remove(inst, &o->remove, &o->remove_req);
    }
}

static bool is_over(const struct one *o)
{
    return o->create.done && (o->create.failed || o->remove.done);
}

static void run_all(void)
{
    for (int round = 0; round < 20000; round++) {
        int over = 0;

        for (int i = 0; i < MANY; i++) {
            step(&all[i]);
            over += is_over(&all[i]);
        }
        if (over == MANY)
            break;
        fake_pass(&f, 100 * FAKE_MS);
    }
    fake_pass(&f, 1200 * FAKE_SEC); /* what goes on in the background */
}

static void check_all(bool failures_allowed)
{
    int failed = 0, exits = 0;

    for (int i = 0; i < MANY; i++) {
        struct one *o = &all[i];
        struct cloud_function *fn = cloud_find(&cloud, o->function);
        struct fake_ended *e = ended(o);

        CU_ASSERT_TRUE(is_over(o));
        failed += o->create.failed || o->start.failed;
        if (fn && fn->runs > 1)
            printf("# %s ran %u times\n", o->function, fn->runs);
        CU_ASSERT(!fn || fn->runs <= 1);
        if (!o->create.failed && o->remove.failed)
            printf("# %s: %s\n", o->function, o->remove.err.message);
        CU_ASSERT(o->create.failed || !o->remove.failed);
        if (e && e->kind == SKL_END_EXIT) {
            UNIT_INT_EQ(e->exit_code, o->function[strlen(o->function) - 1] % 7);
            exits++;
        }
        CU_ASSERT(!o->start_req.size || o->start.failed || e);
    }
    UNIT_INT_EQ(cloud_left(&cloud), 0);
    if (!failures_allowed)
        UNIT_INT_EQ(failed, 0);
    printf("# %zu requests, %zu faults, %d of %d failed, %d exits, %lld s\n", f.n_requests, cloud.faults,
           failed, MANY, exits, (long long)(f.mono / FAKE_SEC));
}

static void test_calm(void)
{
    begin(0, 0, "wait", 1);
    run_all();
    check_all(false);
    UNIT_INT_EQ(f.n_ended, MANY);
    UNIT_INT_EQ(cloud.creates, MANY);
    end();
}

/* 5 % of all calls fail. Creates and removes all succeed all the same. */
static void test_faults(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        begin(5, 0, seed & 1 ? "wait" : "background", seed);
        run_all();
        check_all(false);
        UNIT_INT_EQ(f.n_ended, MANY);
        end();
    }
}

/* Deployments fail, too, and callers give up in the middle: whatever happens, nothing is left. */
static void test_failures_and_cancels(void)
{
    for (uint64_t seed = 11; seed <= 15; seed++) {
        begin(15, 20, seed & 1 ? "wait" : "background", seed);
        for (int i = 0; i < MANY; i++) {
            all[i].begins = f.mono + (i % 10) * FAKE_SEC;
            all[i].cancels = i % 4 ? 0 : all[i].begins + (i % 23) * FAKE_SEC;
        }
        run_all();
        check_all(true);
        end();
    }
}

/* The daemon ends in the middle of everything, and starts again. */
static void test_abrupt_end(void)
{
    for (uint64_t seed = 21; seed <= 60; seed++) {
        begin(10, 10, seed & 1 ? "wait" : "background", seed);
        for (int i = 0; i < MANY; i++) {
            all[i].begins = f.mono + (i % 20) * FAKE_SEC / 2;
            all[i].cancels = i % 5 ? 0 : all[i].begins + (i % 7) * FAKE_SEC;
        }
        for (uint64_t round = 0; round < seed * 12; round++) {
            for (int i = 0; i < MANY; i++)
                step(&all[i]);
            fake_pass(&f, 100 * FAKE_MS);
        }
        fake_close(&f, inst);
        inst = fake_open(&f, &err, "endpoint-url", CLOUD_BASE, "project", "acme", NULL);
        fake_pass(&f, 10 * FAKE_SEC);
        end();
    }
    CU_PASS("no use of what is freed, nothing lost: the sanitizers tell");
}

UNIT_MAIN("gcf_storm", UNIT(test_calm), UNIT(test_faults), UNIT(test_failures_and_cancels),
          UNIT(test_abrupt_end))
