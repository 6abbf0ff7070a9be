/*
 * state/view.c - a container as drivers see it (struct skl_container), and the process spec for its agent.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/jw.h"
#include "state/internal.h"

static void process_members(const struct container *c, struct jw *w)
{
    jw_strings(w, "argv", (const char *const *)c->argv);
    jw_strings(w, "env", (const char *const *)c->env);
    if (!str_empty(c->working_dir))
        jw_string(w, "cwd", c->working_dir);
    if (!str_empty(c->user))
        jw_string(w, "user", c->user);
    jw_bool(w, "tty", c->tty);
    jw_bool(w, "open_stdin", c->open_stdin);
    if (!str_empty(c->hostname))
        jw_string(w, "hostname", c->hostname);
    jw_i64(w, "stop_signal", c->stop_signal);
    if (c->n_mounts > 0) {
        jw_array(w, "dirs");
        for (size_t i = 0; i < c->n_mounts; i++)
            jw_string(w, NULL, c->mounts[i].destination);
        jw_array_end(w);
    }
}

/* The agent gives up before the daemon does: then it is the one that knows why which tells. */
static void dial_members(const struct engine *e, struct jw *w)
{
    jw_i64(w, "connect_timeout_ms", e->connect_timeout / NS_PER_MS * 3 / 4);
    if (e->agent_ca != NULL)
        jw_string(w, "ca", e->agent_ca);
}

/* agent/README.md 4, POST /process; and what the agent needs for its dial. all false: that alone. */
static void process_json(const struct container *c, struct buf *out, bool all)
{
    struct jw w;

    jw_init(&w, out);
    jw_object(&w, NULL);
    if (container_has_agent(c))
        dial_members(c->engine, &w);
    if (all)
        process_members(c, &w);
    jw_object_end(&w);
}

/* NULL when it is too long. */
static char *process_base64(const struct container *c, bool all)
{
    struct buf json, text;
    char *ret = NULL;

    buf_init(&json, SKL_PROCESS_MAX);
    buf_init(&text, SKL_PROCESS_MAX);
    process_json(c, &json, all);
    if (!json.overflow && base64_encode(&text, json.data, json.len, false, true) == 0 && !text.overflow)
        ret = buf_steal(&text, NULL);
    buf_fini(&json);
    buf_fini(&text);
    return ret;
}

/* A tag made here says nothing to a cloud, and an ID even less: the reference that the image came by does. */
static const char *deployable_ref(const struct container *c)
{
    const struct image *i = image_by_id(c->engine, c->image_id);

    return i != NULL ? i->origin : c->image_ref;
}

void view_init(struct view *v, const struct container *c)
{
    const struct engine *e = c->engine;
    bool agent = container_has_agent(c);

    *v = (struct view){0};
    v->labels = xcalloc(c->n_labels + 1, sizeof(*v->labels));
    for (size_t i = 0; i < c->n_labels; i++)
        v->labels[i] = (struct skl_kv){c->labels[i].key, c->labels[i].value};
    v->process = process_base64(c, true);
    if (v->process == NULL && agent && e->agent_ca != NULL) /* it travels over the link */
        v->process = process_base64(c, false);
    v->c = (struct skl_container){
        .size = sizeof(v->c),
        .id = c->id,
        .name = c->name,
        .image = deployable_ref(c),
        .image_id = c->image_id,
        .argv = (const char *const *)c->argv,
        .env = (const char *const *)c->env,
        .working_dir = c->working_dir,
        .user = c->user,
        .tty = c->tty,
        .open_stdin = c->open_stdin,
        .labels = v->labels,
        .memory = c->memory,
        .nano_cpus = c->nano_cpus,
        .platform = c->platform,
        .agent_token = agent ? c->agent_token : NULL,
        .agent_callback_url = agent ? e->callback_url : NULL,
        .process = v->process,
        .daemon_id = e->daemon_id,
        .handle = c->handle,
        .run = c->run,
    };
}

void view_fini(struct view *v)
{
    free(v->labels);
    free(v->process);
}

struct plugin_call *container_cloud_logs(struct container *c, int64_t since, int64_t until, int64_t tail,
                                         bool (*on_entry)(void *arg, const struct skl_log_entry *e),
                                         container_done_fn done, void *arg, struct skl_error *err)
{
    struct skl_logs_req req = {.size = sizeof(req), .since = since, .until = until, .tail = tail};
    struct plugin *p = engine_driver(c->engine, c->driver, err);
    struct plugin_call *call;
    struct view view;

    if (p == NULL)
        return NULL;
    view_init(&view, c);
    req.container = &view.c;
    call = plugin_logs(p, &req, 0, on_entry, done, arg);
    view_fini(&view);
    return call;
}
