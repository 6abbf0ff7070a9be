/*
 * api/exec.c - POST /containers/{id}/exec, POST /exec/{id}/start, GET /exec/{id}/json, POST /exec/{id}/resize.
 *
 * Whatever can fail does so before the connection is hijacked: clients can't tell an error text from output (reference
 * 2.3.2). So the head waits for the chain's word that the process runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "api/internal.h"
#include "api/schema.h"
#include "api/streams.h"
#include "base/mem.h"
#include "base/str.h"
#include "drivers/chain.h"
#include "json/json.h"
#include "state/engine.h"

/* ---- create ---- */

static int take_size(struct json_object *body, unsigned *rows, unsigned *cols, struct skl_error *err)
{
    struct json_object *size = NULL;

    if (json_get_array(body, "ConsoleSize", &size, err) < 0)
        return -1;
    if (size == NULL)
        return 0;
    if (json_object_array_length(size) != 2)
        return error_set(err, SKL_ERR_INVALID, "ConsoleSize must be [height, width]");
    *rows = (unsigned)json_object_get_int(json_object_array_get_idx(size, 0)) & 0xffff;
    *cols = (unsigned)json_object_get_int(json_object_array_get_idx(size, 1)) & 0xffff;
    return 0;
}

static int read_config(struct json_object *b, struct exec_config *x, struct skl_error *err)
{
    const char *user = "", *dir = "", *keys = "";
    struct detach detach;
    size_t n = 0, n_env = 0;

    if (json_get_strings(b, "Cmd", &x->argv, &n, err) < 0 || json_get_strings(b, "Env", &x->env, &n_env, err) < 0 ||
        json_get_string(b, "User", &user, err) < 0 || json_get_string(b, "WorkingDir", &dir, err) < 0 ||
        json_get_string(b, "DetachKeys", &keys, err) < 0 || json_get_bool(b, "Tty", &x->tty, err) < 0 ||
        json_get_bool(b, "AttachStdin", &x->attach_stdin, err) < 0 || json_get_bool(b, "AttachStdout", &x->attach_stdout, err) < 0 ||
        json_get_bool(b, "AttachStderr", &x->attach_stderr, err) < 0 || json_get_bool(b, "Privileged", &x->privileged, err) < 0 ||
        take_size(b, &x->rows, &x->cols, err) < 0)
        return -1;
    if (n == 0)
        return error_set(err, SKL_ERR_INVALID, "No exec command specified");
    if (!str_empty(keys) && detach_parse(keys, &detach, err) < 0)
        return -1;
    x->user = xstrdup(user);
    x->working_dir = xstrdup(dir);
    x->detach_keys = xstrdup(keys);
    return 0;
}

static void config_free(struct exec_config *x)
{
    free(x->argv);
    free(x->env);
    free(x->user);
    free(x->working_dir);
    free(x->detach_keys);
}

/* The model would refuse it as well; Docker calls a paused container as the client did. */
static int check_paused(struct api_call *c, const struct container *k, struct skl_error *err)
{
    if (k->status != CONTAINER_PAUSED)
        return 0;
    return error_set(err, SKL_ERR_CONFLICT, "Container %s is paused, unpause the container before exec", api_param(c, "id"));
}

void api_exec_create(struct api_call *c)
{
    struct skl_error err = {0};
    struct container *k = container_find(c->api->opts.engine, api_param(c, "id"), &err);
    struct exec_config config = {0};
    struct exec *x = NULL;
    struct buf out;

    if (k == NULL || read_config(c->body, &config, &err) < 0 || check_paused(c, k, &err) < 0 ||
        exec_create(k, &config, &x, &err) < 0) {
        api_reply_error(c, &err);
    } else {
        buf_init(&out, 256);
        buf_printf(&out, "{\"Id\":\"%s\"}", x->id);
        api_reply_json(c, 201, &out);
    }
    config_free(&config);
}

/* ---- start ---- */

struct execution {
    struct api_call *call;     /* until the answer */
    struct client_stream client;
    struct exec_stream *stream;
    struct exec *exec;         /* a reference is held */
    bool tty_frames;           /* the start's own Tty: decides framing */
    bool detached;
};

static void execution_free(struct execution *e)
{
    exec_unref(e->exec);
    free(e);
}

static bool on_stdin(void *arg, const char *p, size_t n)
{
    struct execution *e = arg;

    return e->stream == NULL || exec_stream_write(e->stream, p, n);
}

static void on_eof(void *arg)
{
    struct execution *e = arg;

    if (e->stream != NULL && e->exec->config.attach_stdin)
        exec_stream_close_stdin(e->stream);
}

static void on_room(void *arg)
{
    struct execution *e = arg;

    if (e->stream != NULL)
        exec_stream_resume(e->stream);
}

static void on_detach(void *arg)
{
    struct execution *e = arg;

    container_event(e->exec->container, "exec_detach", "execID", e->exec->id, NULL);
    client_stream_close(&e->client);
    exec_stream_leave(e->stream);
    execution_free(e);
}

static void on_client_gone(void *arg)
{
    struct execution *e = arg;

    client_stream_abort(&e->client);
    exec_stream_detach(e->stream);
    execution_free(e);
}

static const struct client_stream_ops client_ops = {
    .on_stdin = on_stdin, .on_eof = on_eof, .on_room = on_room, .on_detach = on_detach, .on_gone = on_client_gone};

/* ---- from the chain ---- */

static bool on_output(void *arg, uint8_t stream, uint32_t frame_len, bool first, const void *p, size_t n)
{
    struct execution *e = arg;

    if (stream == RECORD_STDERR ? !e->exec->config.attach_stderr : !e->exec->config.attach_stdout)
        return true;
    client_stream_piece(&e->client, stream, frame_len, first, p, n);
    return client_stream_writable(&e->client);
}

static void on_drain(void *arg)
{
    struct execution *e = arg;

    client_stdin_resume(&e->client);
}

static void on_end(void *arg, const struct skl_error *err)
{
    struct execution *e = arg;

    e->stream = NULL;
    if (err != NULL) {
        CLEANUP(free_p) char *text = xasprintf("%s\r\n", err->message);
        client_stream_frame(&e->client, RECORD_STDERR, text, strlen(text));
    }
    client_stream_close(&e->client);
    execution_free(e);
}

static const struct exec_stream_ops stream_ops = {.on_output = on_output, .on_drain = on_drain, .on_end = on_end};

static void on_gone_early(void *arg)
{
    struct execution *e = arg;

    exec_stream_detach(e->stream);
    http_res_abort(e->call->req);
    api_call_free(e->call);
    execution_free(e);
}

static void on_started(void *arg, const struct skl_error *err)
{
    struct execution *e = arg;
    struct api_call *c = STEAL(e->call);

    http_req_on_gone(c->req, NULL, NULL);
    if (err != NULL) {
        api_reply_error(c, err);
        execution_free(e);
        return;
    }
    if (e->detached) {
        api_reply_empty(c, 200);
        execution_free(e);
        return;
    }
    e->client.tty = e->tty_frames;
    client_stream_open(&e->client, c->req, c->version, e->exec->config.attach_stdin);
    api_call_free(c);
}

static int read_start(struct api_call *c, struct exec *x, bool *ret_tty, struct exec_start_opts *opts, struct skl_error *err)
{
    unsigned rows = x->config.rows, cols = x->config.cols;
    bool detach = false;

    *ret_tty = false;
    if (json_get_bool(c->body, "Detach", &detach, err) < 0 || json_get_bool(c->body, "Tty", ret_tty, err) < 0 ||
        take_size(c->body, &rows, &cols, err) < 0)
        return -1;
    *opts = (struct exec_start_opts){.tty = x->config.tty, .attach_stdin = x->config.attach_stdin && !detach, .rows = rows,
                                     .cols = cols, .detached = detach};
    return 0;
}

void api_exec_start(struct api_call *c)
{
    struct skl_error err = {0};
    struct exec *x = exec_find(c->api->opts.engine, api_param(c, "id"), &err);
    struct exec_start_opts opts;
    struct detach detach;
    struct execution *e;
    bool tty;

    if (x == NULL || read_start(c, x, &tty, &opts, &err) < 0 || detach_parse(x->config.detach_keys, &detach, &err) < 0 ||
        exec_begin(x, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    e = xcalloc(1, sizeof(*e));
    e->call = c;
    e->exec = x;
    exec_ref(x);
    e->tty_frames = tty;
    e->detached = opts.detached;
    e->client = (struct client_stream){.detach = detach, .ops = &client_ops, .arg = e};
    http_req_on_gone(c->req, on_gone_early, e);
    e->stream = chain_exec_start(c->api->opts.chain, x, &opts, on_started, &stream_ops, e);
}

/* ---- inspect, resize ---- */

void api_exec_inspect(struct api_call *c)
{
    struct skl_error err = {0};
    struct exec *x = exec_find(c->api->opts.engine, api_param(c, "id"), &err);
    struct buf out;
    struct jw w;

    if (x == NULL) {
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_string(&w, "ID", x->id);
    jw_bool(&w, "Running", x->running);
    if (x->exited)
        jw_i64(&w, "ExitCode", x->exit_code);
    else
        jw_null(&w, "ExitCode");
    jw_object(&w, "ProcessConfig");
    jw_bool(&w, "tty", x->config.tty);
    jw_string(&w, "entrypoint", x->config.argv[0]);
    jw_strings(&w, "arguments", (const char *const *)x->config.argv + 1);
    jw_bool(&w, "privileged", x->config.privileged);
    if (!str_empty(x->config.user))
        jw_string(&w, "user", x->config.user);
    jw_object_end(&w);
    jw_bool(&w, "OpenStdin", x->config.attach_stdin);
    jw_bool(&w, "OpenStderr", x->config.attach_stderr);
    jw_bool(&w, "OpenStdout", x->config.attach_stdout);
    jw_bool(&w, "CanRemove", x->exited);
    jw_string(&w, "ContainerID", x->container->id);
    jw_string(&w, "DetachKeys", "");
    jw_i64(&w, "Pid", x->running ? x->pid : 0);
    jw_object_end(&w);
    api_reply_json(c, 200, &out);
}

static void on_resized(void *arg, const struct skl_error *err)
{
    if (err != NULL)
        api_reply_error(arg, err);
    else
        api_reply_empty(arg, 200);
}

void api_exec_resize(struct api_call *c)
{
    struct skl_error err = {0};
    unsigned h, w;
    struct exec *x;

    if (api_query_size(c, &h, &w, &err) < 0) {
        api_reply_error(c, &err);
        return;
    }
    x = exec_find(c->api->opts.engine, api_param(c, "id"), &err);
    if (x == NULL)
        api_reply_error(c, &err);
    else
        chain_exec_resize(c->api->opts.chain, x, h, w, on_resized, c);
}
