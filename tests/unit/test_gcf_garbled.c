/*
 * tests/unit/test_gcf_garbled.c - answers that are a success by their status and say nothing: cut off, empty,
 * a page of a proxy. Each call of a container's life gets them; none is taken for a word about a function.
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

#define NAME "skls-0123456789ab"
#define PAGE "<html><head><title>x</title></head><body>Please log in</body></html>"

static const struct fake_answer garbled[] = {
    {.status = 200, .body = ""},
    {.status = 200, .body = PAGE},
    {.status = 200, .body = "{\"name\":\"projects/acme/loc"},
    {.status = 200, .body = "[]"},
    {.status = 200, .body = "null"},
    {.status = 200, .body = "\"ok\""},
    {.status = 200, .body = "7"},
    {.status = 200, .body = "\xff\xfe{"},
    {.status = 204, .body = ""},
    {.status = 200, .body = "{\"name\":\"projects/acme/loc", .broken = true},
    {.status = 200, .body = "", .broken = true},
    {.status = 200, .body = "{}", .broken = true, .error_kind = SKL_ERR_TIMEOUT},
};
#define KINDS (sizeof(garbled) / sizeof(garbled[0]))

static const char *const calls[] = {"POST " CLOUD_BASE "/v2/projects", "GET " CLOUD_BASE "/v2/projects/acme/locations/us-central1/op",
                                    "GET " CLOUD_BASE "/v2/projects/acme/locations/us-central1/functions/",
                                    "DELETE " CLOUD_BASE};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static struct fake f;
static struct cloud cloud;
static struct skl_instance *inst;
static struct skl_container container;
static struct skl_error err;

static void begin(const char *create)
{
    fake_init(&f);
    cloud_init(&cloud, &f);
    cloud.deploy_time = 5 * FAKE_SEC;
    container = fake_container();
    inst = fake_open(&f, &err, "endpoint-url", CLOUD_BASE, "project", "acme", "create", create, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
}

static void end(void)
{
    fake_close(&f, inst);
    fake_fini(&f);
}

/* Create, start, remove; all must succeed. */
static void life(void)
{
    struct skl_call create = {.kind = FAKE_CREATE}, start = {.done = false}, gone = {.done = false};
    struct skl_create_req create_req = {.size = sizeof(create_req), .container = &container};
    struct skl_start_req start_req = {.size = sizeof(start_req), .container = &container};
    struct skl_remove_req remove_req = {.size = sizeof(remove_req), .container = &container};

    gcf_driver.ops->create(inst, &create, &create_req);
    fake_run(&f, &create.done, 400 * FAKE_SEC);
    if (create.failed)
        printf("# %s\n", create.err.message);
    CU_ASSERT_FALSE_FATAL(create.failed || !create.done);
    container.handle = create.handle;
    container.run = 1;
    gcf_driver.ops->start(inst, &start, &start_req);
    fake_run(&f, &start.done, 400 * FAKE_SEC);
    CU_ASSERT_FALSE(start.failed || !start.done);
    fake_pass(&f, 10 * FAKE_SEC);
    UNIT_INT_EQ(f.n_ended, 1);
    gcf_driver.ops->remove(inst, &gone, &remove_req);
    fake_run(&f, &gone.done, 400 * FAKE_SEC);
    CU_ASSERT_FALSE(gone.failed || !gone.done);
    UNIT_INT_EQ(cloud_left(&cloud), 0);
    UNIT_INT_EQ(cloud_find(&cloud, NAME)->runs, 1);
    fake_call_fini(&create);
}

static void test_each_call_once(void)
{
    for (size_t i = 0; i < KINDS; i++)
        for (size_t k = 0; k < CALLS; k++) {
            begin(i & 1 ? "wait" : "background");
            fake_on(&f, calls[k], 1, garbled[i]);
            life();
            end();
        }
}

/* The answer to the create is lost, so that the function itself is what tells; and that is garbled, too. */
static void test_adoption(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        begin("wait");
        for (size_t k = 0; k < CALLS; k++)
            fake_on(&f, calls[k], 2, garbled[i]);
        life();
        end();
    }
}

#define GETS "GET " CLOUD_BASE "/v2/projects/acme/locations/"

/* A list, an inspection: an error and not "nothing there". */
static void test_for_good(void)
{
    for (size_t i = 0; i < KINDS; i++) {
        struct skl_call list = {.kind = FAKE_LIST}, inspect = {.kind = FAKE_INSPECT}, gone = {.done = false};
        struct skl_list_req list_req = {.size = sizeof(list_req), .daemon_id = "daemon-1"};
        struct skl_inspect_req inspect_req = {.size = sizeof(inspect_req), .container = &container};
        struct skl_remove_req remove_req = {.size = sizeof(remove_req), .container = &container};

        begin("wait");
        container.handle = "{\"v\":1,\"function\":\"projects/acme/locations/us-central1/functions/" NAME "\"}";
        fake_on(&f, GETS, FAKE_ALWAYS, garbled[i]);
        fake_on(&f, "DELETE ", FAKE_ALWAYS, garbled[i]);
        gcf_driver.ops->list(inst, &list, &list_req);
        gcf_driver.ops->inspect(inst, &inspect, &inspect_req);
        gcf_driver.ops->remove(inst, &gone, &remove_req);
        fake_pass(&f, 1000 * FAKE_SEC);
        CU_ASSERT_TRUE(list.failed && inspect.failed && gone.failed);
        if (!strcmp(garbled[i].body, PAGE)) {
            UNIT_STR_EQ(gone.err.message,
                        "delete function " NAME ": not the API's answer (HTTP 200): Please log in");
            UNIT_INT_EQ(gone.err.kind, SKL_ERR_BAD_GATEWAY);
            UNIT_INT_EQ(fake_count(&f, "DELETE"), 4); /* not for ever */
        }
        end();
    }
}

/* A create that meets nothing but garbage fails, and what it made all the same is deleted, late as it may come. */
static void test_create_for_good(void)
{
    struct skl_call create = {.kind = FAKE_CREATE}, other = {.kind = FAKE_CREATE};
    struct skl_create_req req = {.size = sizeof(req), .container = &container};

    begin("wait");
    fake_on(&f, calls[0], 4, garbled[1]);
    gcf_driver.ops->create(inst, &create, &req);
    fake_run(&f, &create.done, 400 * FAKE_SEC);
    UNIT_INT_EQ(create.err.kind, SKL_ERR_BAD_GATEWAY);
    {
        struct skl_instance *mine = inst; /* the cloud takes its time: here it is */

        inst = fake_open(&f, &err, "endpoint-url", CLOUD_BASE, "project", "acme", NULL);
        gcf_driver.ops->create(inst, &other, &req);
        fake_run(&f, &other.done, 6 * FAKE_SEC);
        CU_ASSERT_FALSE(other.failed);
        fake_pass(&f, 60 * FAKE_SEC);
        UNIT_INT_EQ(cloud.deletes, 1);
        UNIT_INT_EQ(cloud_left(&cloud), 0);
        fake_shutdown(&f);
        gcf_driver.close(mine);
    }
    fake_call_fini(&other);
    end();
}

UNIT_MAIN("gcf_garbled", UNIT(test_each_call_once), UNIT(test_adoption), UNIT(test_for_good),
          UNIT(test_create_for_good))
