/*
 * state/exec.c - exec records. See exec.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "state/internal.h"

static void config_fini(struct exec_config *c)
{
    strv_free(c->argv);
    strv_free(c->env);
    free(c->user);
    free(c->working_dir);
    free(c->detach_keys);
}

static void config_copy(struct exec_config *dst, const struct exec_config *src)
{
    static const char *const none[] = {NULL};

    *dst = *src;
    dst->argv = strv_dup((const char *const *)src->argv);
    dst->env = strv_dup(src->env != NULL ? (const char *const *)src->env : none);
    dst->user = xstrdup(src->user != NULL ? src->user : "");
    dst->working_dir = xstrdup(src->working_dir != NULL ? src->working_dir : "");
    dst->detach_keys = xstrdup(src->detach_keys != NULL ? src->detach_keys : "");
}

void exec_ref(struct exec *x)
{
    x->refs++;
}

void exec_unref(struct exec *x)
{
    if (x == NULL || --x->refs > 0)
        return;
    config_fini(&x->config);
    free(x);
}

/* Out of the tables; references keep the record. */
static void exec_forget(struct exec *x)
{
    if (x->hash == NULL)
        return;
    HASH_DEL(x->container->engine->execs, x->hash);
    free(x->hash);
    x->hash = NULL;
    list_remove(&x->in_container);
    x->container->n_execs--;
    exec_unref(x);
}

struct exec *exec_first(const struct container *c)
{
    return list_empty(&c->execs) ? NULL : LIST_ENTRY(c->execs.next, struct exec, in_container);
}

struct exec *exec_next(const struct exec *x)
{
    return x->in_container.next == &x->container->execs ? NULL
                                                        : LIST_ENTRY(x->in_container.next, struct exec, in_container);
}

/* Old ones go; so do unstarted ones when there are too many. */
static void exec_expire(struct container *c)
{
    int64_t now = loop_now(c->engine->loop);
    struct exec *next;

    for (struct exec *x = exec_first(c); x != NULL; x = next) {
        bool old = x->exited && now - x->ended_mono > EXEC_KEEP_NS;

        next = exec_next(x);
        if (old || (c->n_execs >= EXEC_MAX && !x->running))
            exec_forget(x);
    }
}

static char *exec_action(const char *what, const struct exec *x)
{
    struct buf b;

    buf_init(&b, 64u * 1024);
    buf_printf(&b, "%s:", what);
    for (size_t i = 0; x->config.argv[i] != NULL; i++)
        buf_printf(&b, " %s", x->config.argv[i]);
    return buf_steal(&b, NULL);
}

static int check_container(const struct container *c, struct skl_error *err)
{
    if (c->status == CONTAINER_PAUSED)
        return error_set(err, SKL_ERR_CONFLICT, "Container %s is paused, unpause the container before exec", c->id);
    if (c->status == CONTAINER_RESTARTING)
        return error_set(err, SKL_ERR_CONFLICT, "Container %s is restarting, wait until the container is running", c->id);
    if (c->status != CONTAINER_RUNNING)
        return error_set(err, SKL_ERR_CONFLICT, "container %s is not running", c->id);
    return 0;
}

int exec_create(struct container *c, const struct exec_config *config, struct exec **ret, struct skl_error *err)
{
    struct exec *x;
    CLEANUP(free_p) char *action = NULL;

    if (engine_check_open(c->engine, err) < 0 || check_container(c, err) < 0)
        return -1;
    if (config->argv == NULL || config->argv[0] == NULL)
        return error_set(err, SKL_ERR_INVALID, "No exec command specified");
    exec_expire(c);
    if (c->n_execs >= EXEC_MAX)
        return error_set(err, SKL_ERR_CONFLICT, "container %.12s has %u execs in progress already", c->id, EXEC_MAX);
    x = xcalloc(1, sizeof(*x));
    id_new(x->id);
    x->container = c;
    x->refs = 1;
    config_copy(&x->config, config);
    x->hash = xcalloc(1, sizeof(*x->hash));
    x->hash->x = x;
    HASH_ADD_KEYPTR(hh, c->engine->execs, x->id, strlen(x->id), x->hash);
    list_push_back(&c->execs, &x->in_container);
    c->n_execs++;
    container_touch(c);
    action = exec_action("exec_create", x);
    container_event(c, action, "execID", x->id, NULL);
    *ret = x;
    return 0;
}

struct exec *exec_find(struct engine *e, const char *id, struct skl_error *err)
{
    struct exec_hash *h, *tmp;
    struct exec *found = NULL;
    size_t hits = 0;

    HASH_FIND_STR(e->execs, id, h);
    if (h != NULL)
        return h->x;
    if (str_is_hex(id)) {
        HASH_ITER(hh, e->execs, h, tmp) {
            if (str_starts(h->x->id, id)) {
                found = h->x;
                hits++;
            }
        }
    }
    if (hits == 1)
        return found;
    error_set(err, SKL_ERR_NOT_FOUND, "No such exec instance: %s", id);
    return NULL;
}

int exec_begin(struct exec *x, struct skl_error *err)
{
    if (x->running || (x->started && !x->exited))
        return error_set(err, SKL_ERR_CONFLICT, "exec command %s is already running", x->id);
    if (x->exited)
        return error_set(err, SKL_ERR_CONFLICT, "exec command %s has already run", x->id);
    if (check_container(x->container, err) < 0)
        return -1;
    x->started = true;
    return 0;
}

void exec_begin_failed(struct exec *x)
{
    if (!x->running && !x->exited)
        x->started = false;
}

void exec_set_running(struct exec *x, int pid)
{
    CLEANUP(free_p) char *action = NULL;

    if (x->running || x->exited)
        return;
    x->started = x->running = true;
    x->pid = pid;
    if (x->hash == NULL)
        return;
    container_touch(x->container);
    action = exec_action("exec_start", x);
    container_event(x->container, action, "execID", x->id, NULL);
}

void exec_set_exited(struct exec *x, int code)
{
    char text[16];

    if (x->exited)
        return;
    x->started = x->exited = true;
    x->running = false;
    x->pid = 0;
    x->exit_code = code;
    if (x->hash == NULL)
        return;
    x->ended_mono = loop_now(x->container->engine->loop);
    container_touch(x->container);
    snprintf(text, sizeof(text), "%d", code);
    container_event(x->container, "exec_die", "execID", x->id, "exitCode", text, NULL);
}

/* The container's processes are gone, those of its execs too. The chain may know a code already; if not, it is that of a
 * kill. */
void execs_container_ended(struct container *c)
{
    struct exec *next;

    for (struct exec *x = exec_first(c); x != NULL; x = next) {
        next = exec_next(x);
        if (x->running)
            exec_set_exited(x, 137);
    }
}

void execs_free(struct container *c)
{
    while (exec_first(c) != NULL)
        exec_forget(exec_first(c));
}
