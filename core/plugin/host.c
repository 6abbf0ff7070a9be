/*
 * plugin/host.c - the host: life, the list of plugins, reporting of faults, accessors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>
#include "base/log.h"
#include "base/str.h"
#include "plugin/internal.h"

struct plugin_host *plugin_host_new(struct loop *loop, struct http_client *http, const struct plugin_host_opts *opts)
{
    struct plugin_host *h = xcalloc(1, sizeof *h);

    h->loop = loop;
    h->http = http;
    h->driver_dir = xstrdup(opts->driver_dir);
    h->daemon_id = xstrdup(opts->daemon_id != NULL ? opts->daemon_id : "");
    h->daemon_version = xstrdup(opts->daemon_version != NULL ? opts->daemon_version : "");
    h->callback_url = str_empty(opts->callback_url) ? NULL : xstrdup(opts->callback_url);
    h->config_file = xstrdup(opts->config_file != NULL ? opts->config_file : "configuration");
    if (opts->kv != NULL)
        h->kv = *opts->kv;
    h->drivers = json_object_get(opts->drivers);
    list_init(&h->plugins);
    h->thread = pthread_self();
    return h;
}

/* Closed ones, for as long as the process lives. */
static struct list retired = {&retired, &retired};

/* The plugin object stays: threads of the driver may still log or post. */
static void plugin_close(struct plugin *p)
{
    calls_close(p);
    services_close(p);
    if (p->inst != NULL)
        p->file.driver.close(p->inst);
    p->inst = NULL;
    pthread_mutex_lock(&p->lock);
    p->closed = true;
    pthread_mutex_unlock(&p->lock);
    calls_free(p);
    runs_fini(p);
    handles_fini(&p->handles);
    option_values_fini(&p->values);
    list_remove(&p->link);
    list_push_back(&retired, &p->link);
    p->host = NULL;
}

void plugin_host_free(struct plugin_host *h)
{
    if (h == NULL)
        return;
    LIST_FOREACH_SAFE(node, next, &h->plugins)
        plugin_close(LIST_ENTRY(node, struct plugin, link));
    json_object_put(h->drivers);
    free(h->driver_dir);
    free(h->daemon_id);
    free(h->daemon_version);
    free(h->callback_url);
    free(h->config_file);
    free(h);
}

size_t plugin_host_busy(const struct plugin_host *h)
{
    return h->busy;
}

void plugin_host_on_run_ended(struct plugin_host *h, plugin_run_ended_fn fn, void *arg)
{
    h->on_run_ended = fn;
    h->run_ended_arg = arg;
}

void plugin_host_on_late(struct plugin_host *h, plugin_late_fn fn, void *arg)
{
    h->on_late = fn;
    h->late_arg = arg;
}

void plugin_fault(struct plugin *p, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(p->last_fault, sizeof p->last_fault, fmt, ap);
    va_end(ap);
    p->faults++;
    log_error("plugin", "driver %s is at fault: %s", p->file.driver.name, p->last_fault);
}

bool plugin_on_loop(struct plugin *p, const char *what)
{
    bool closed;

    pthread_mutex_lock(&p->lock);
    closed = p->closed;
    pthread_mutex_unlock(&p->lock);
    if (closed)
        return false;
    if (pthread_equal(p->host->thread, pthread_self()))
        return true;
    /* Not counted: the counters belong to the loop's thread. */
    log_error("plugin", "driver %s is at fault: %s was called from a thread of its own", p->file.driver.name, what);
    return false;
}

/* ---- looking ---- */

struct plugin *plugin_find(struct plugin_host *h, const char *name)
{
    LIST_FOREACH_SAFE(node, next, &h->plugins)
    {
        struct plugin *p = LIST_ENTRY(node, struct plugin, link);
        if (str_eq(p->file.driver.name, name))
            return p;
    }
    return NULL;
}

size_t plugin_count(const struct plugin_host *h)
{
    size_t n = 0;

    for (const struct list *node = h->plugins.next; node != &h->plugins; node = node->next)
        n++;
    return n;
}

struct plugin *plugin_at(const struct plugin_host *h, size_t i)
{
    struct list *node = h->plugins.next;

    while (i-- > 0 && node != &h->plugins)
        node = node->next;
    return node != &h->plugins ? LIST_ENTRY(node, struct plugin, link) : NULL;
}

const char *plugin_name(const struct plugin *p) { return p->file.driver.name; }
const char *plugin_version(const struct plugin *p) { return p->file.driver.version; }
const char *plugin_description(const struct plugin *p) { return p->file.driver.description; }
const char *plugin_path(const struct plugin *p) { return p->file.path; }
uint64_t plugin_caps(const struct plugin *p) { return p->caps; }
uint64_t plugin_fault_count(const struct plugin *p) { return p->faults; }
const char *plugin_last_fault(const struct plugin *p) { return p->last_fault; }

const char *plugin_platform_name(const struct plugin *p)
{
    const char *name = p->file.driver.platform_name;

    return name != NULL ? name : p->file.driver.description;
}
