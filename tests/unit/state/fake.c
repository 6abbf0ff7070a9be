/*
 * tests/unit/state/fake.c - see fake.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "tests/unit/state/fake.h"

/* ---- calls ---- */

static void call_free(struct plugin_call *call)
{
    list_remove(&call->link);
    soon_cancel(&call->soon);
    free(call);
}

static void call_answer(struct plugin_call *call, const char *text)
{
    struct plugin_call copy = *call;
    struct skl_error err = {0};
    const struct skl_error *e = text != NULL ? &err : NULL;

    if (text != NULL)
        error_set(&err, call->canceled ? SKL_ERR_CANCELED : SKL_ERR_INTERNAL, "%s", text);
    call_free(call);
    if (strcmp(copy.op, "create") == 0) {
        struct skl_create_result res = {.size = sizeof(res), .handle = "handle"};

        ((plugin_create_fn)copy.done)(copy.arg, e, e == NULL ? &res : NULL);
    } else if (strcmp(copy.op, "list") == 0) {
        struct skl_list_result res = {.size = sizeof(res), .count = copy.host->n_items, .items = copy.host->items,
                                      .complete = !copy.host->list_partial};

        ((plugin_list_fn)copy.done)(copy.arg, e, e == NULL ? &res : NULL);
    } else if (strcmp(copy.op, "process") == 0) {
        ((void (*)(void *, const struct skl_error *, int))copy.done)(copy.arg, e, e != NULL ? copy.host->fail_code : 0);
    } else {
        ((plugin_done_fn)copy.done)(copy.arg, e);
    }
}

static void on_soon(void *arg)
{
    struct plugin_call *call = arg;
    struct plugin_host *h = call->host;
    const char *fail = strcmp(call->op, "create") == 0    ? h->fail_create
                       : strcmp(call->op, "start") == 0   ? h->fail_start
                       : strcmp(call->op, "remove") == 0  ? h->fail_remove
                       : strcmp(call->op, "process") == 0 ? h->fail_process
                                                          : NULL;

    call_answer(call, call->canceled ? "canceled" : fail);
}

static struct plugin_call *call_new(struct plugin_host *h, const char *op, const char *id, void *done, void *arg,
                                    bool hold)
{
    struct plugin_call *call = xcalloc(1, sizeof(*call));

    call->op = op;
    call->host = h;
    call->done = done;
    call->arg = arg;
    snprintf(call->id, sizeof(call->id), "%s", id);
    soon_init(&call->soon, on_soon, call);
    list_push_back(&h->calls, &call->link);
    buf_printf(&h->transcript, "%s ", op);
    if (!hold)
        loop_soon(h->loop, &call->soon);
    return call;
}

static struct plugin_call *call_find(struct fake *f, const char *op)
{
    LIST_FOREACH_SAFE(node, tmp, &f->host.calls)
        if (strcmp(LIST_ENTRY(node, struct plugin_call, link)->op, op) == 0)
            return LIST_ENTRY(node, struct plugin_call, link);
    return NULL;
}

bool fake_answer(struct fake *f, const char *op, const char *err)
{
    struct plugin_call *call = call_find(f, op);

    if (call == NULL)
        return false;
    call_answer(call, err);
    fake_spin(f);
    return true;
}

size_t fake_pending(struct fake *f, const char *op)
{
    size_t n = 0;

    LIST_FOREACH_SAFE(node, tmp, &f->host.calls)
        n += strcmp(LIST_ENTRY(node, struct plugin_call, link)->op, op) == 0;
    return n;
}

/* ---- plugin/plugin.h ---- */

struct plugin *plugin_find(struct plugin_host *host, const char *name)
{
    return strcmp(name, host->plugin.name) == 0 ? &host->plugin : NULL;
}
size_t plugin_count(const struct plugin_host *host)
{
    (void)host;
    return 1;
}
struct plugin *plugin_at(const struct plugin_host *host, size_t i)
{
    (void)i;
    return host->plugin.host != NULL ? &host->plugin.host->plugin : NULL;
}
const char *plugin_name(const struct plugin *p)
{
    return p->name;
}
uint64_t plugin_caps(const struct plugin *p)
{
    return p->caps;
}
void plugin_host_on_run_ended(struct plugin_host *host, plugin_run_ended_fn fn, void *arg)
{
    host->on_run_ended = fn;
    host->run_ended_arg = arg;
}
void plugin_host_on_late(struct plugin_host *host, plugin_late_fn fn, void *arg)
{
    host->on_late = fn;
    host->late_arg = arg;
}
void plugin_run_adopt(struct plugin *p, const char *container_id, uint32_t run)
{
    (void)container_id;
    (void)run;
    buf_puts(&p->host->transcript, "adopt ");
}
void plugin_run_forget(struct plugin *p, const char *container_id, uint32_t run)
{
    (void)p;
    (void)container_id;
    (void)run;
}

struct plugin_call *plugin_create(struct plugin *p, const struct skl_create_req *req, int64_t timeout_ns,
                                  plugin_create_fn done, void *arg)
{
    (void)timeout_ns;
    return call_new(p->host, "create", req->container->id, (void *)done, arg, p->host->hold_create);
}
struct plugin_call *plugin_start(struct plugin *p, const struct skl_start_req *req, int64_t timeout_ns,
                                 plugin_done_fn done, void *arg)
{
    struct plugin_call *call = call_new(p->host, "start", req->container->id, (void *)done, arg, p->host->hold_start);

    (void)timeout_ns;
    call->run = req->container->run;
    return call;
}
struct plugin_call *plugin_kill(struct plugin *p, const struct skl_kill_req *req, int64_t timeout_ns,
                                plugin_done_fn done, void *arg)
{
    (void)timeout_ns;
    return call_new(p->host, "kill", req->container->id, (void *)done, arg, p->host->hold_kill);
}
struct plugin_call *plugin_remove(struct plugin *p, const struct skl_remove_req *req, int64_t timeout_ns,
                                  plugin_done_fn done, void *arg)
{
    (void)timeout_ns;
    return call_new(p->host, "remove", req->container->id, (void *)done, arg, p->host->hold_remove);
}
struct plugin_call *plugin_list(struct plugin *p, const struct skl_list_req *req, int64_t timeout_ns,
                                plugin_list_fn done, void *arg)
{
    (void)req;
    (void)timeout_ns;
    return call_new(p->host, "list", "", (void *)done, arg, false);
}
struct plugin_call *plugin_logs(struct plugin *p, const struct skl_logs_req *req, int64_t timeout_ns,
                                plugin_log_fn on_entry, plugin_done_fn done, void *arg)
{
    (void)req;
    (void)timeout_ns;
    (void)on_entry;
    return call_new(p->host, "logs", "", (void *)done, arg, false);
}
void plugin_call_cancel(struct plugin_call *call)
{
    call->canceled = true;
    loop_soon(call->host->loop, &call->soon);
}

/* ---- state/runner.h ---- */

static void fake_prepare(void *ctx, struct container *c)
{
    struct fake *f = ctx;

    (void)c;
    buf_puts(&f->host.transcript, "prepare ");
}
static void fake_start(void *ctx, struct container *c, void (*done)(void *, const struct skl_error *, int), void *arg)
{
    struct fake *f = ctx;

    call_new(&f->host, "process", c->id, (void *)done, arg, f->host.hold_process);
}
static void fake_start_abort(void *ctx, struct container *c, const struct skl_error *err)
{
    struct fake *f = ctx;
    struct plugin_call *call = call_find(f, "process");

    (void)c;
    (void)err;
    buf_puts(&f->host.transcript, "abort ");
    if (call != NULL) {
        call->canceled = true;
        loop_soon(f->loop, &call->soon);
    }
}
static void fake_release(void *ctx, struct container *c, bool keep_files)
{
    struct fake *f = ctx;

    (void)c;
    f->host.n_keep += keep_files;
    buf_puts(&f->host.transcript, "release ");
}
static int fake_publish(void *ctx, struct container *c, struct skl_error *err)
{
    (void)ctx;
    (void)c;
    (void)err;
    return 0;
}
static void fake_finish(void *ctx, struct container *c)
{
    struct fake *f = ctx;

    (void)c;
    buf_puts(&f->host.transcript, "finish ");
}
static void fake_hurry(void *ctx, struct container *c)
{
    struct fake *f = ctx;

    (void)c;
    f->host.n_hurry++;
}
static bool fake_connected(void *ctx, const struct container *c)
{
    struct fake *f = ctx;

    (void)c;
    return !f->host.offline;
}
static void fake_signal(void *ctx, struct container *c, int signo, bool all, runner_done_fn done, void *arg)
{
    struct fake *f = ctx;
    struct plugin_call *call = call_new(&f->host, "signal", c->id, (void *)done, arg, f->host.hold_signal);

    call->signo = signo;
    buf_printf(&f->host.transcript, "%d%s ", signo, all ? "all" : "");
    if (f->host.signal_exits && (signo == SIGKILL || signo == SIGTERM))
        fake_exit(c, 128 + signo);
}
static void fake_resize(void *ctx, struct container *c, unsigned h, unsigned w, runner_done_fn done, void *arg)
{
    struct fake *f = ctx;

    (void)h;
    (void)w;
    call_new(&f->host, "resize", c->id, (void *)done, arg, false);
}
static bool fake_stdin_write(void *ctx, struct container *c, const void *p, size_t n)
{
    struct fake *f = ctx;

    (void)c;
    buf_printf(&f->host.transcript, "stdin:%.*s ", (int)n, (const char *)p);
    return !f->host.offline;
}
static void fake_stdin_close(void *ctx, struct container *c)
{
    struct fake *f = ctx;

    (void)c;
    buf_puts(&f->host.transcript, "eof ");
}
static void fake_output_resume(void *ctx, struct container *c)
{
    struct fake *f = ctx;

    (void)c;
    f->host.n_resume++;
}
static void fake_probe(void *ctx, struct container *c, const char *const *argv, int64_t timeout_ns,
                       void (*done)(void *, int, const char *, size_t, const struct skl_error *), void *arg)
{
    struct fake *f = ctx;

    (void)c;
    (void)timeout_ns;
    buf_puts(&f->host.transcript, "probe ");
    done(arg, strcmp(argv[0], "true") == 0 ? 0 : 1, "out\xff", 4, NULL);
}
static void fake_forget(void *ctx, struct container *c)
{
    struct fake *f = ctx;

    (void)c;
    buf_puts(&f->host.transcript, "forget ");
}

static const struct runner_ops fake_runner = {
    .prepare = fake_prepare, .start = fake_start, .start_abort = fake_start_abort, .release = fake_release,
    .finish = fake_finish, .publish = fake_publish, .hurry = fake_hurry, .connected = fake_connected, .signal = fake_signal, .resize = fake_resize, .stdin_write = fake_stdin_write,
    .stdin_close = fake_stdin_close, .output_resume = fake_output_resume, .probe = fake_probe, .forget = fake_forget,
};

/* ---- the world ---- */

static void on_event(void *arg)
{
    struct fake *f = arg;
    struct event *ev;

    while ((ev = events_next(f->sub)) != NULL) {
        const char *extra = event_attr(ev, strcmp(ev->action, "kill") == 0 ? "signal" : "exitCode");

        buf_printf(&f->events, "%s%s%s%s%s ", strcmp(ev->type, "container") == 0 ? "" : ev->type,
                   strcmp(ev->type, "container") == 0 ? "" : ".", ev->action, extra != NULL ? ":" : "",
                   extra != NULL ? extra : "");
        event_unref(ev);
    }
}

static void open_engine(struct fake *f)
{
    struct engine_opts opts = {.loop = f->loop, .state_dir = f->dir,
                               .callback_url = f->no_agent ? NULL : "http://127.0.0.1:1",
                               .agent_lost_ns = 200 * NS_PER_MS, .start_patience_ns = 100 * NS_PER_MS};
    struct events_opts eo = {.on_event = on_event, .arg = f};
    struct skl_error err = {0};

    if (engine_open(&opts, &f->e, &err) < 0) {
        fprintf(stderr, "engine_open: %s\n", err.message);
        abort();
    }
    engine_set_plugins(f->e, &f->host, "fake", &err);
    engine_set_runner(f->e, &fake_runner, f);
    f->sub = events_subscribe(f->e, &eo);
}

void fake_init(struct fake *f, uint64_t caps, bool agent)
{
    static int n;

    *f = (struct fake){.no_agent = !agent};
    f->loop = loop_new(NULL);
    list_init(&f->host.calls);
    f->host.loop = f->loop;
    f->host.plugin = (struct plugin){"fake", caps, &f->host};
    f->host.fail_code = 127;
    buf_init(&f->host.transcript, 1 << 20);
    buf_init(&f->events, 1 << 20);
    snprintf(f->dir, sizeof(f->dir), "%s/state%d", unit_tmpdir(), n++);
    open_engine(f);
}

static void close_engine(struct fake *f)
{
    LIST_FOREACH_SAFE(node, tmp, &f->host.calls)
        call_free(LIST_ENTRY(node, struct plugin_call, link));
    events_unsubscribe(f->sub);
    engine_close(f->e);
}

void fake_fini(struct fake *f)
{
    close_engine(f);
    buf_fini(&f->host.transcript);
    buf_fini(&f->events);
    loop_free(f->loop);
}

void fake_reopen(struct fake *f)
{
    close_engine(f);
    buf_clear(&f->host.transcript);
    buf_clear(&f->events);
    open_engine(f);
}

void fake_spin(struct fake *f)
{
    for (int i = 0; i < 20; i++)
        event_base_loop(loop_base(f->loop), EVLOOP_NONBLOCK);
}

void fake_run_until(struct fake *f, bool (*cond)(void *arg), void *arg)
{
    int64_t end = clock_mono() + UNIT_WAIT_S * NS_PER_S;
    struct timeval tick = {.tv_usec = 5000};

    while (!cond(arg) && clock_mono() < end) {
        event_base_loopexit(loop_base(f->loop), &tick);
        event_base_loop(loop_base(f->loop), EVLOOP_ONCE);
    }
    CU_ASSERT(cond(arg));
}

void fake_run_ended(struct fake *f, struct container *c, int kind, int code, const char *reason)
{
    struct skl_run_end end = {.size = sizeof(end), .kind = kind, .exit_code = code, .reason = reason};

    f->host.on_run_ended(f->host.run_ended_arg, &f->host.plugin, c->id, c->run, &end);
    fake_spin(f);
}

bool fake_output(struct container *c, int stream, const char *text)
{
    uint8_t head[RECORD_HEADER_SIZE];
    struct record r = {.kind = (uint8_t)stream, .len = (uint32_t)strlen(text), .time = clock_wall()};
    struct buf b;
    bool malformed, more;

    record_encode(&r, head);
    buf_init(&b, 1 << 20);
    buf_append(&b, head, sizeof(head));
    buf_puts(&b, text);
    more = engine_agent_output(c, c->run, b.data, b.len, &malformed);
    CU_ASSERT(!malformed);
    buf_fini(&b);
    return more;
}

void fake_exit(struct container *c, int code)
{
    uint8_t head[RECORD_HEADER_SIZE], payload[12 + RECORD_EXIT_REASON_MAX];
    struct record_exit x = {.code = code};
    size_t n = record_exit_encode(&x, payload);
    struct record r = {.kind = RECORD_EXIT, .len = (uint32_t)n, .time = clock_wall()};
    bool malformed;

    record_encode(&r, head);
    engine_agent_output(c, c->run, head, sizeof(head), &malformed);
    engine_agent_output(c, c->run, payload, n, &malformed);
}

static const char *take(struct buf *b)
{
    static char copy[2][8192];
    static int i;

    i = !i;
    snprintf(copy[i], sizeof(copy[i]), "%s", buf_str(b));
    str_trim(copy[i]);
    buf_clear(b);
    return copy[i];
}

const char *fake_transcript(struct fake *f)
{
    fake_spin(f);
    return take(&f->host.transcript);
}

const char *fake_events(struct fake *f)
{
    fake_spin(f);
    return take(&f->events);
}

/* ---- containers ---- */

void fake_done(void *arg, const struct skl_error *err)
{
    struct fake_result *r = arg;

    r->calls++;
    r->err = err != NULL ? *err : (struct skl_error){0};
}

void fake_wait_done(void *arg, int code, const struct skl_error *err)
{
    struct fake_result *r = arg;

    fake_done(arg, err);
    r->code = code;
}

static void on_create(void *arg, const struct skl_error *err, struct container *c, const char *const *warnings)
{
    struct fake_result *r = arg;

    (void)warnings;
    fake_done(arg, err);
    r->c = c;
}

struct container *fake_create(struct fake *f, const char *name, const char *config, const char *host_config)
{
    struct fake_result r = {0};
    struct container_spec spec = {.name = name, .image_ref = "busybox", .image_id = "sha256:0"};
    struct skl_error err = {0};

    spec.config = json_parse_object(config, strlen(config), JSON_SIZE_MAX, &err);
    spec.host_config = json_parse_object(host_config != NULL ? host_config : "{}",
                                         strlen(host_config != NULL ? host_config : "{}"), JSON_SIZE_MAX, &err);
    if (container_create(f->e, &spec, on_create, &r, &err) < 0)
        fprintf(stderr, "# create: %s\n", err.message);
    else
        fake_spin(f);
    json_object_put(spec.config);
    json_object_put(spec.host_config);
    return r.c;
}

struct container *fake_running(struct fake *f, const char *name, const char *config, const char *host_config)
{
    struct container *c = fake_create(f, name, config, host_config);
    struct fake_result r = {0};

    container_start(c, fake_done, &r);
    fake_spin(f);
    UNIT_INT_EQ(r.calls, 1);
    UNIT_STR_EQ(r.err.message, "");
    UNIT_INT_EQ(c->status, CONTAINER_RUNNING);
    fake_events(f);
    fake_transcript(f);
    return c;
}
