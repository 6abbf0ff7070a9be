/*
 * drivers/probe.c - health probes: an exec without a record, its output kept up to a bound, killed at its deadline.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/internal.h"

#include <signal.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "json/json.h"
#include "state/container.h"

#define PROBE_OUTPUT_MAX 4096u /* as Docker: more is cut */

struct probe {
    struct proc *proc;
    struct loop *loop;
    struct timer deadline;
    int64_t timeout_ns;
    bool timed_out;
    char output[PROBE_OUTPUT_MAX];
    size_t len;
    void (*done)(void *arg, int code, const char *output, size_t len, const struct skl_error *err);
    void *arg;
};

static bool on_output(void *arg, uint8_t stream, uint32_t frame_len, bool first, const void *p, size_t n)
{
    struct probe *pr = arg;
    size_t room = PROBE_OUTPUT_MAX - pr->len;

    (void)stream;
    (void)frame_len;
    (void)first;
    if (n > room)
        n = room;
    memcpy(pr->output + pr->len, p, n);
    pr->len += n;
    return true;
}

static void on_end(void *arg, int code, const struct skl_error *err)
{
    struct probe *pr = arg;
    struct skl_error why = {0};

    if (pr->timed_out) {
        error_set(&why, SKL_ERR_TIMEOUT, "Health check exceeded timeout (%lldms)",
                  (long long)(pr->timeout_ns / 1000000));
        err = &why;
    }
    timer_fini(&pr->deadline);
    pr->done(pr->arg, err ? -1 : code, pr->output, pr->len, err);
    free(pr);
}

static void on_deadline(void *arg)
{
    struct probe *pr = arg;

    pr->timed_out = true;
    proc_kill(pr->proc, SIGKILL);
}

static const struct proc_ops probe_ops = {.on_output = on_output, .on_end = on_end};

void probe_start(struct peer *p, struct container *c, const char *const *argv, int64_t timeout_ns,
                 void (*done)(void *arg, int code, const char *output, size_t len, const struct skl_error *err),
                 void *arg)
{
    struct probe *pr = xcalloc(1, sizeof(*pr));
    struct json_object *spec = json_new_object();
    char id[ID_SIZE];

    (void)c;
    id_new(id);
    pr->loop = p->ch->loop;
    pr->timeout_ns = timeout_ns;
    pr->done = done;
    pr->arg = arg;
    json_add_strings(spec, "argv", argv);
    timer_init(pr->loop, &pr->deadline, on_deadline, pr);
    timer_start(&pr->deadline, timeout_ns);
    pr->proc = proc_new(p, id, spec, false, &probe_ops, pr);
    json_object_put(spec);
}
