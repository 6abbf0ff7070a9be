/*
 * tests/abi/refused.c - a driver with one thing wrong, chosen when it is compiled: for the loader's refusals.
 *
 *   -DNAME='"x"'          what it calls itself
 *   -DMAJOR=2             built for another ABI
 *   -DDRIVER_SIZE=8       a short skl_driver        -DOPS_SIZE=8   a short skl_ops
 *   -DNO_KILL             a required operation is missing
 *   -DNO_LIST             SKL_CAP_LIST without list
 *   -DSECOND_SYMBOL       exports one symbol more
 *   -DMAGIC=1             not a driver's magic number
 *   -DDECLINES            the entry function says no
 *   -DOPEN_FAILS          open() fails
 * With none of them it loads: the test tries that too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>
#include "sockerless/driver.h"

#ifndef NAME
#define NAME "fine"
#endif
#ifndef MAJOR
#define MAJOR SKL_ABI_MAJOR
#endif
#ifndef DRIVER_SIZE
#define DRIVER_SIZE sizeof(struct skl_driver)
#endif
#ifndef OPS_SIZE
#define OPS_SIZE sizeof(struct skl_ops)
#endif
#ifndef MAGIC
#define MAGIC SKL_DRIVER_MAGIC
#endif

struct skl_instance {
    const struct skl_host *host;
};

static struct skl_instance the_instance;

static void on_create(struct skl_instance *i, struct skl_call *call, const struct skl_create_req *req)
{
    struct skl_create_result result = {sizeof(result), req->container->id, NULL};

    i->host->complete(i->host->ctx, call, NULL, &result);
}

static void on_start(struct skl_instance *i, struct skl_call *call, const struct skl_start_req *req)
{
    struct skl_run_end end = {sizeof(end), SKL_END_EXIT, 0, NULL};

    i->host->complete(i->host->ctx, call, NULL, NULL);
    i->host->run_ended(i->host->ctx, req->container->id, req->container->run, &end);
}

#ifndef NO_KILL
static void on_kill(struct skl_instance *i, struct skl_call *call, const struct skl_kill_req *req)
{
    (void)req;
    i->host->complete(i->host->ctx, call, NULL, NULL);
}
#else
#define on_kill NULL
#endif

static void on_remove(struct skl_instance *i, struct skl_call *call, const struct skl_remove_req *req)
{
    (void)req;
    i->host->complete(i->host->ctx, call, NULL, NULL);
}

static void on_logs(struct skl_instance *i, struct skl_call *call, const struct skl_logs_req *req)
{
    (void)req;
    i->host->complete(i->host->ctx, call, NULL, NULL);
}

static int on_open(const struct skl_host *host, const struct skl_value *const *values, struct skl_instance **ret_inst,
                   uint64_t *ret_caps, struct skl_error *err)
{
    (void)values;
    (void)ret_caps;
    the_instance.host = host;
    *ret_inst = &the_instance;
    err->kind = SKL_ERR_UNAVAILABLE;
    memcpy(err->message, "not today", sizeof("not today"));
#ifdef OPEN_FAILS
    return -1;
#else
    return 0;
#endif
}

static void on_close(struct skl_instance *i)
{
    (void)i;
}

static const struct skl_ops ops = {
    OPS_SIZE, on_create, on_start, on_kill, on_remove, on_logs, NULL, NULL, NULL,
};

static const struct skl_driver driver = {
    DRIVER_SIZE, MAGIC, MAJOR, 0, NAME, "1", "a driver with one thing wrong",
#ifdef NO_LIST
    SKL_CAP_LIST,
#else
    0,
#endif
    NULL, &ops, on_open, on_close, NULL,
};

#ifdef SECOND_SYMBOL
SKL_EXPORT int second_symbol(void);
SKL_EXPORT int second_symbol(void)
{
    return 1;
}
#endif

SKL_EXPORT const struct skl_driver *skl_driver_entry(const struct skl_abi *host_abi, struct skl_error *err)
{
    (void)host_abi;
    (void)driver;
#ifdef DECLINES
    err->kind = SKL_ERR_UNIMPLEMENTED;
    snprintf(err->message, sizeof(err->message), "it wants ABI 7");
    return NULL;
#else
    (void)err;
    return &driver;
#endif
}
