/*
 * tests/e2e/gcf/bench.c - a test bench for a driver: loads the shared object, lends it a host, obeys JSON
 * lines.
 *
 *     gcf-bench PLUGIN.so '{"project":"acme","endpoint-url":"http://127.0.0.1:1234"}'
 *
 *     {"op":"create","tag":"1","container":{"id":"...","image":"busybox","argv":["sh"],"env":["A=1"]}}
 *     {"op":"start","tag":"2","container":{"id":"...","handle":"...","run":1}}     kill, remove, logs, list,
 * inspect
 *     {"op":"cancel","tag":"1"}    {"op":"quit"}
 *
 * Answers, one JSON object a line: {"tag","error":null|{"kind","message"},...}, {"event":"run_ended",...},
 * {"event":"log",...},
 * {"tag","line","stream","time"}. So a test in any language drives the driver as it will run: the object that
 * is installed, real sockets, real time; the daemon's own host is tested elsewhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench.h"

#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS_MAX 64
#define LINE_MAX_   (1 << 20)

struct bench bench;

/* ---- what goes out ---- */

void bench_say(struct json_object *o)
{
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    fflush(stdout);
    json_object_put(o);
}

static struct json_object *error_json(const struct skl_error *err)
{
    struct json_object *o;

    if (!err)
        return NULL;
    o = json_object_new_object();
    json_object_object_add(o, "kind", json_object_new_int(err->kind));
    json_object_object_add(o, "message", json_object_new_string(err->message));
    return o;
}

static struct json_object *list_json(const struct skl_list_result *r)
{
    struct json_object *list = json_object_new_array(), *o;

    for (uint32_t i = 0; i < r->count; i++) {
        o = json_object_new_object();
        if (r->items[i].container_id)
            json_object_object_add(o, "id", json_object_new_string(r->items[i].container_id));
        json_object_object_add(o, "handle", json_object_new_string(r->items[i].handle));
        json_object_object_add(o, "state", json_object_new_string(r->items[i].state));
        json_object_array_add(list, o);
    }
    return list;
}

static void add_result(struct json_object *o, const char *op, const void *result)
{
    if (!strcmp(op, "create")) {
        const struct skl_create_result *r = result;

        json_object_object_add(o, "handle", json_object_new_string(r->handle));
    } else if (!strcmp(op, "list")) {
        json_object_object_add(o, "items", list_json(result));
    } else if (!strcmp(op, "inspect")) {
        const struct skl_inspect_result *r = result;

        json_object_object_add(o, "exists", json_object_new_boolean(r->exists));
        json_object_object_add(o, "state", json_object_new_string(r->state));
    }
}

static struct skl_call *call_find(const char *tag)
{
    struct skl_call *c = bench.calls;

    while (c && strcmp(c->tag, tag))
        c = c->next;
    return c;
}

static void on_complete(void *ctx, struct skl_call *call, const struct skl_error *err, const void *result)
{
    struct json_object *o = json_object_new_object();
    struct skl_call **p = &bench.calls;

    (void)ctx;
    while (*p != call)
        p = &(*p)->next;
    *p = call->next;
    json_object_object_add(o, "tag", json_object_new_string(call->tag));
    json_object_object_add(o, "error", error_json(err));
    if (!err && result)
        add_result(o, call->op, result);
    bench_say(o);
    json_object_put(call->request);
    free(call);
}

static void on_run_ended(void *ctx, const char *container_id, uint32_t run, const struct skl_run_end *end)
{
    struct json_object *o = json_object_new_object();

    (void)ctx;
    json_object_object_add(o, "event", json_object_new_string("run_ended"));
    json_object_object_add(o, "id", json_object_new_string(container_id));
    json_object_object_add(o, "run", json_object_new_int((int)run));
    json_object_object_add(o, "kind", json_object_new_int(end->kind));
    json_object_object_add(o, "exit_code", json_object_new_int(end->exit_code));
    json_object_object_add(o, "reason", end->reason ? json_object_new_string(end->reason) : NULL);
    bench_say(o);
}

static void on_log(void *ctx, int32_t level, const char *message)
{
    struct json_object *o = json_object_new_object();

    (void)ctx;
    json_object_object_add(o, "event", json_object_new_string("log"));
    json_object_object_add(o, "level", json_object_new_int(level));
    json_object_object_add(o, "message", json_object_new_string(message));
    bench_say(o);
}

/* A log stream is its call; there is always room. */
static int64_t on_log_push(void *ctx, struct skl_stream *s, const struct skl_log_entry *e)
{
    struct json_object *o = json_object_new_object();

    (void)ctx;
    json_object_object_add(o, "tag", json_object_new_string(((struct skl_call *)s)->tag));
    json_object_object_add(o, "line", json_object_new_string_len(e->data, (int)e->len));
    json_object_object_add(o, "stream", json_object_new_int((int)e->stream));
    json_object_object_add(o, "time", json_object_new_int64(e->time));
    bench_say(o);
    return 1000;
}

/* ---- what comes in ---- */

static const char *text(struct json_object *o, const char *key, const char *otherwise)
{
    struct json_object *v = NULL;

    return json_object_object_get_ex(o, key, &v) && v ? json_object_get_string(v) : otherwise;
}

static int64_t number(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;

    return json_object_object_get_ex(o, key, &v) ? json_object_get_int64(v) : 0;
}

/* The strings live as long as the request. */
static void strings(struct json_object *o, const char *key, const char **out, size_t max)
{
    struct json_object *v = NULL;
    size_t n = json_object_object_get_ex(o, key, &v) ? json_object_array_length(v) : 0;

    for (size_t i = 0; i < n && i + 1 < max; i++)
        out[i] = json_object_get_string(json_object_array_get_idx(v, i));
}

static void read_container(struct skl_call *call, struct json_object *o)
{
    struct skl_container *c = &call->container;

    c->size = sizeof(*c);
    c->id = text(o, "id", "");
    c->name = text(o, "name", "c");
    c->image = text(o, "image", "busybox");
    c->image_id = "sha256:0";
    strings(o, "argv", call->argv, BENCH_STRINGS);
    strings(o, "env", call->env, BENCH_STRINGS);
    c->argv = call->argv;
    c->env = call->env;
    c->labels = call->labels;
    c->working_dir = c->platform = "";
    c->user = text(o, "user", "");
    c->memory = number(o, "memory");
    c->nano_cpus = number(o, "nano_cpus");
    c->agent_token = text(o, "agent_token", NULL);
    c->agent_callback_url = text(o, "agent_callback_url", NULL);
    c->process = text(o, "process", "e30=");
    c->daemon_id = "bench";
    c->handle = text(o, "handle", NULL);
    c->run = (uint32_t)number(o, "run");
}

static void dispatch(struct skl_call *c, const struct skl_ops *ops)
{
    c->create =
        (struct skl_create_req){sizeof(c->create), &c->container, (uint32_t)number(c->request, "resumed")};
    c->start = (struct skl_start_req){sizeof(c->start), &c->container};
    c->kill = (struct skl_kill_req){sizeof(c->kill), &c->container, 9};
    c->remove = (struct skl_remove_req){sizeof(c->remove), &c->container, 1};
    c->list = (struct skl_list_req){sizeof(c->list), "bench"};
    c->inspect = (struct skl_inspect_req){sizeof(c->inspect), &c->container};
    c->logs = (struct skl_logs_req){
        .size = sizeof(c->logs), .container = &c->container, .tail = -1, .out = (struct skl_stream *)c};
    if (!strcmp(c->op, "create"))
        ops->create(bench.inst, c, &c->create);
    else if (!strcmp(c->op, "start"))
        ops->start(bench.inst, c, &c->start);
    else if (!strcmp(c->op, "kill"))
        ops->kill(bench.inst, c, &c->kill);
    else if (!strcmp(c->op, "remove"))
        ops->remove(bench.inst, c, &c->remove);
    else if (!strcmp(c->op, "logs"))
        ops->logs(bench.inst, c, &c->logs);
    else if (!strcmp(c->op, "list"))
        ops->list(bench.inst, c, &c->list);
    else
        ops->inspect(bench.inst, c, &c->inspect);
}

/* False: quit. */
static bool obey(const char *line)
{
    struct json_object *o = json_tokener_parse(line), *container = NULL;
    struct skl_call *c;

    if (!o || !strcmp(text(o, "op", "quit"), "quit")) {
        json_object_put(o);
        return false;
    }
    if (!strcmp(text(o, "op", ""), "cancel")) {
        c = call_find(text(o, "tag", ""));
        if (c)
            bench.driver->ops->cancel(bench.inst, c);
        json_object_put(o);
        return true;
    }
    c = calloc(1, sizeof(*c));
    c->request = o;
    c->op = text(o, "op", "");
    c->tag = text(o, "tag", "");
    (void)json_object_object_get_ex(o, "container", &container);
    read_container(c, container);
    c->next = bench.calls;
    bench.calls = c;
    dispatch(c, bench.driver->ops);
    return true;
}

/* Takes whole lines from stdin. False: end. */
static bool read_lines(void)
{
    static char buffer[LINE_MAX_];
    static size_t n;
    ssize_t got = read(STDIN_FILENO, buffer + n, sizeof(buffer) - 1 - n);
    char *end;

    if (got <= 0)
        return false;
    n += (size_t)got;
    buffer[n] = '\0';
    while ((end = strchr(buffer, '\n'))) {
        *end = '\0';
        if (!obey(buffer))
            return false;
        n -= (size_t)(end + 1 - buffer);
        memmove(buffer, end + 1, n + 1);
    }
    return true;
}

/* ---- set up ---- */

static int64_t duration_ns(const char *t)
{
    return (int64_t)(strtod(t, NULL) * 1e9);
}

static int open_driver(const char *path, const char *options_text, struct skl_error *err)
{
    static struct skl_value values[OPTIONS_MAX];
    static const struct skl_value *table[OPTIONS_MAX];
    struct skl_abi abi = {sizeof(abi), SKL_ABI_MAJOR, SKL_ABI_MINOR};
    struct json_object *options = json_tokener_parse(options_text);
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    skl_driver_entry_fn entry = NULL;
    uint64_t caps;

    if (so)
        *(void **)&entry = dlsym(so, SKL_DRIVER_ENTRY);
    if (!entry || !(bench.driver = entry(&abi, err))) {
        (void)snprintf(err->message, sizeof(err->message), "%s", dlerror());
        return -1;
    }
    for (int i = 0; bench.driver->options[i].name; i++) {
        const struct skl_option *o = &bench.driver->options[i];
        const char *given = text(options, o->name, NULL);

        values[i] = (struct skl_value){.size = sizeof(values[i]), .is_set = given != NULL};
        values[i].str = given ? strdup(given) : o->default_value;
        if (o->type == SKL_OPT_DURATION && values[i].str)
            values[i].num = duration_ns(values[i].str);
        table[i] = &values[i];
    }
    json_object_put(options);
    caps = bench.driver->caps;
    return bench.driver->open(&bench.host, table, &bench.inst, &caps, err);
}

static void run(void)
{
    struct curl_waitfd in = {.fd = STDIN_FILENO, .events = CURL_WAIT_POLLIN};

    for (;;) {
        int n = 0;

        in.revents = 0;
        bench_http_turn();
        (void)curl_multi_poll(bench.multi, &in, 1, bench_timers_wait_ms(), &n);
        bench_timers_turn();
        if (in.revents && !read_lines())
            return;
    }
}

int main(int argc, char **argv)
{
    struct skl_error err = {.message = ""};

    if (argc != 3) {
        fprintf(stderr, "usage: %s PLUGIN.so OPTIONS\n", argv[0]);
        return 2;
    }
    bench_host_init();
    bench.host.log = on_log;
    bench.host.complete = on_complete;
    bench.host.run_ended = on_run_ended;
    bench.host.log_push = on_log_push;
    if (open_driver(argv[1], argv[2], &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    run();
    bench_host_shutdown();
    bench.driver->close(bench.inst);
    bench_host_fini();
    return 0;
}
