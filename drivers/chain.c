/*
 * drivers/chain.c - the chain's life, and the table that core/state calls (state/runner.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "drivers/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/internal.h"
#include "state/container.h"
#include "state/engine.h"

#define DEFAULT_CONNECT_TIMEOUT_NS (INT64_C(60) * 1000000000)

static bool is_known(void *arg, const char *id)
{
    return container_by_id(arg, id) != NULL;
}

static char **copy_strings(const char *const *list)
{
    size_t n = 0;
    char **out;

    while (list != NULL && list[n] != NULL)
        n++;
    out = xcalloc(n + 1, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = xstrdup(list[i]);
    return out;
}

struct chain *chain_new(const struct chain_opts *opts, struct skl_error *err)
{
    struct chain *ch = xcalloc(1, sizeof(*ch));

    list_init(&ch->conns);
    ch->loop = opts->loop;
    ch->engine = opts->engine;
    ch->connect_timeout = opts->connect_timeout_ns > 0 ? opts->connect_timeout_ns : DEFAULT_CONNECT_TIMEOUT_NS;
    ch->synthetic = opts->synthetic;
    ch->capture_paths = copy_strings(opts->capture_paths);
    ch->capture_limit = opts->capture_limit;
    ch->scratch = xmalloc(SCRATCH_OUT_SIZE);
    ch->scratch_in = xmalloc(SCRATCH_IN_SIZE);
    ch->staging = staging_new(opts->loop, opts->staging_dir, err);
    if (!ch->staging) {
        chain_free(ch);
        return NULL;
    }
    staging_sweep(ch->staging, is_known, ch->engine);
    ch->volume_limit = opts->volume_limit;
    if (opts->volumes_dir && volumes_init(ch, opts->volumes_dir, err) < 0) {
        chain_free(ch);
        return NULL;
    }
    return ch;
}

const char *chain_why_no_agent(const struct container *c)
{
    return engine_has_agent(c->engine) ? "the driver of this container runs none" : "this daemon has no agent.callback-url";
}

void chain_free(struct chain *ch)
{
    if (!ch)
        return;
    peers_free(ch);
    staging_free(ch->staging);
    for (size_t i = 0; ch->capture_paths[i] != NULL; i++)
        free(ch->capture_paths[i]);
    free(ch->capture_paths);
    free(ch->volumes_dir);
    free(ch->scratch);
    free(ch->scratch_in);
    free(ch);
}

/* ---- exchanges whose answer does not matter but for its error ---- */

struct simple {
    runner_done_fn done;
    void *arg;
};

static void on_simple(void *arg, const struct skl_error *err, const struct call_answer *a)
{
    struct simple *s = arg;

    (void)a;
    if (s->done)
        s->done(s->arg, err);
    free(s);
}

static void simple_call(struct chain *ch, struct container *c, const char *path, const char *json, runner_done_fn done,
                        void *arg)
{
    struct simple *s = xcalloc(1, sizeof(*s));

    s->done = done;
    s->arg = arg;
    (void)peer_call(peer_get(ch, c->id), "POST", path, json, on_simple, s);
}

/* ---- the runner's table ---- */

static void runner_prepare(void *ctx, struct container *c)
{
    peer_prepare(ctx, c);
}

static int runner_publish(void *ctx, struct container *c, struct skl_error *err)
{
    return publish_open(peer_get(ctx, c->id), c, err);
}

static void runner_start(void *ctx, struct container *c,
                         void (*done)(void *arg, const struct skl_error *err, int exit_code), void *arg)
{
    start_begin(peer_get(ctx, c->id), done, arg);
}

static void runner_start_abort(void *ctx, struct container *c, const struct skl_error *err)
{
    struct peer *p = peer_find(ctx, c->id);

    if (p)
        start_abort(p, err);
}

static void runner_release(void *ctx, struct container *c, bool keep_files)
{
    peer_release(ctx, c, keep_files);
}

static void runner_hurry(void *ctx, struct container *c)
{
    struct peer *p = peer_find(ctx, c->id);

    if (p)
        capture_stop(p, "the container was started again");
}

static void runner_finish(void *ctx, struct container *c)
{
    peer_finish(ctx, c);
}

static bool runner_connected(void *ctx, const struct container *c)
{
    struct peer *p = peer_find(ctx, c->id);

    return p && p->expected && peer_ready(p);
}

static void runner_signal(void *ctx, struct container *c, int signo, bool all, runner_done_fn done, void *arg)
{
    char json[64];

    snprintf(json, sizeof(json), "{\"signal\":%d,\"all\":%s}", signo, all ? "true" : "false");
    simple_call(ctx, c, "/process/signal", json, done, arg);
}

static void runner_resize(void *ctx, struct container *c, unsigned h, unsigned w, runner_done_fn done, void *arg)
{
    char json[64];

    snprintf(json, sizeof(json), "{\"h\":%u,\"w\":%u}", h, w);
    simple_call(ctx, c, "/process/resize", json, done, arg);
}

static bool runner_stdin_write(void *ctx, struct container *c, const void *p, size_t n)
{
    struct input *in = peer_input(ctx, c);

    return in ? input_write(in, p, n) : true;
}

static void runner_stdin_close(void *ctx, struct container *c)
{
    struct input *in = peer_input(ctx, c);

    if (in)
        input_close(in);
}

static void runner_output_resume(void *ctx, struct container *c)
{
    struct peer *peer = peer_find(ctx, c->id);

    if (peer)
        output_resume(peer);
}

static void runner_probe(void *ctx, struct container *c, const char *const *argv, int64_t timeout_ns,
                         void (*done)(void *arg, int code, const char *output, size_t len,
                                      const struct skl_error *err),
                         void *arg)
{
    probe_start(peer_get(ctx, c->id), c, argv, timeout_ns, done, arg);
}

static bool runner_keeping(void *ctx, const struct container *c)
{
    struct peer *p = peer_find(ctx, c->id);

    return p && p->volumes;
}

static int64_t runner_volume_size(void *ctx, const char *name)
{
    return volume_tar_size(ctx, name);
}

static void runner_volume_gone(void *ctx, const char *name)
{
    volume_tar_forget(ctx, name);
}

static void runner_forget(void *ctx, struct container *c)
{
    struct chain *ch = ctx;

    staging_remove(ch->staging, c->id);
    peer_forget(ch, c);
}

static const struct runner_ops runner = {
    .prepare = runner_prepare,
    .publish = runner_publish,
    .start = runner_start,
    .start_abort = runner_start_abort,
    .release = runner_release,
    .finish = runner_finish,
    .hurry = runner_hurry,
    .connected = runner_connected,
    .signal = runner_signal,
    .resize = runner_resize,
    .stdin_write = runner_stdin_write,
    .stdin_close = runner_stdin_close,
    .output_resume = runner_output_resume,
    .probe = runner_probe,
    .keeping = runner_keeping,
    .volume_size = runner_volume_size,
    .volume_gone = runner_volume_gone,
    .forget = runner_forget,
};

const struct runner_ops *chain_runner_ops(void)
{
    return &runner;
}

/* ---- JSON answers of the agent, passed on as they are ---- */

struct query {
    chain_json_fn done;
    void *arg;
};

static void on_query(void *arg, const struct skl_error *err, const struct call_answer *a)
{
    struct query *q = arg;

    q->done(q->arg, err, err ? NULL : a->body, err ? 0 : a->len);
    free(q);
}

static void query(struct chain *ch, struct container *c, const char *path, chain_json_fn done, void *arg)
{
    struct query *q = xcalloc(1, sizeof(*q));

    q->done = done;
    q->arg = arg;
    (void)peer_call(peer_get(ch, c->id), "GET", path, NULL, on_query, q);
}

void chain_top(struct chain *ch, struct container *c, const char *ps_args, chain_json_fn done, void *arg)
{
    struct buf path;

    buf_init(&path, 64 * 1024);
    buf_puts(&path, "/top?ps_args=");
    (void)url_encode(&path, ps_args ? ps_args : "", ps_args ? strlen(ps_args) : 0);
    query(ch, c, buf_str(&path), done, arg);
    buf_fini(&path);
}

void chain_stats(struct chain *ch, struct container *c, chain_json_fn done, void *arg)
{
    query(ch, c, "/stats", done, arg);
}

void chain_changes(struct chain *ch, struct container *c, chain_json_fn done, void *arg)
{
    query(ch, c, "/changes", done, arg);
}
