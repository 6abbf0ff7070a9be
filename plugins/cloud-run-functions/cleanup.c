/*
 * cleanup.c - see cleanup.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud-run-functions/cleanup.h"
#include "cloud-run-functions/removal.h"
#include "gcp/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KV_KEY    "cleanup"
#define NAMES_MAX 250 /* of at most 250 bytes each, owner included: what fits one value of the storage */

/* A deletion that is refused (permissions, a cloud that is down for long) is begun again after a while. */
#define CLEANUP_AGAIN (300 * GCP_SECOND)

struct gcf_cleanup {
    struct skl_instance *inst;
    struct gcf_cleanup *prev, *next;
    char *name;
    char owner[65]; /* "": no doubt about whose it is */
    bool late;
    struct gcf_removal *removal;
    struct skl_timer *timer; /* until it is begun again */
};

static void cleanup_begin(void *arg);

static struct json_object *entry(const struct gcf_cleanup *c)
{
    struct json_object *o = json_object_new_object();

    gcp_json_put_str(o, "function", c->name);
    gcp_json_put_str(o, "owner", *c->owner ? c->owner : NULL);
    return o;
}

/* Writes down what is still to be deleted. */
static void note(struct skl_instance *inst)
{
    struct json_object *list = json_object_new_array();
    struct skl_error err;
    const char *text;
    int n = 0;

    for (const struct gcf_cleanup *c = inst->cleanups; c && list && n < NAMES_MAX; c = c->next, n++)
        json_object_array_add(list, entry(c));
    text = n ? gcp_json_text(list) : NULL;
    if (inst->host->kv_put(inst->host->ctx, KV_KEY, text, text ? strlen(text) : 0, &err) < 0)
        gcf_log(inst, SKL_LOG_WARN, "can't write down which functions are to be deleted: %s", err.message);
    json_object_put(list);
}

static void cleanup_free(struct gcf_cleanup *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->inst->cleanups = c->next;
    if (c->next)
        c->next->prev = c->prev;
    gcf_removal_stop(c->removal);
    if (c->timer)
        c->inst->host->timer_stop(c->inst->host->ctx, c->timer);
    free(c->name);
    free(c);
}

static void cleanup_later(struct gcf_cleanup *c)
{
    c->timer = c->inst->host->timer_start(c->inst->host->ctx, CLEANUP_AGAIN, cleanup_begin, c);
}

static void on_gone(void *arg, const struct skl_error *err)
{
    struct gcf_cleanup *c = arg;
    struct skl_instance *inst = c->inst;

    c->removal = NULL;
    if (err && err->kind == SKL_ERR_CANCELED)
        return; /* it stays written down, for the next start */
    if (err) {
        gcf_log(inst, SKL_LOG_WARN, "%s: not deleted, it may still be there: %s", c->name, err->message);
        cleanup_later(c);
        return;
    }
    cleanup_free(c);
    note(inst);
}

static void cleanup_begin(void *arg)
{
    struct gcf_cleanup *c = arg;

    c->timer = NULL;
    c->removal = gcf_removal_start(c->inst, c->name, *c->owner ? c->owner : NULL, c->late, on_gone, c);
    if (!c->removal)
        cleanup_later(c);
}

static void cleanup_add(struct skl_instance *inst, const char *name, const char *owner, bool late)
{
    struct gcf_cleanup *c = calloc(1, sizeof(*c));

    if (!c || !(c->name = strdup(name))) {
        gcf_log(inst, SKL_LOG_WARN, "%s: out of memory while deleting it", name);
        free(c);
        return;
    }
    c->inst = inst;
    c->late = late;
    (void)snprintf(c->owner, sizeof(c->owner), "%s", owner ? owner : "");
    c->next = inst->cleanups;
    if (c->next)
        c->next->prev = c;
    inst->cleanups = c;
    cleanup_begin(c);
}

void gcf_cleanup(struct skl_instance *inst, const char *name, const char *owner, bool late)
{
    cleanup_add(inst, name, owner, late);
    note(inst);
}

void gcf_cleanup_forget(struct skl_instance *inst, const char *name)
{
    struct gcf_cleanup *c = inst->cleanups;

    while (c && strcmp(c->name, name))
        c = c->next;
    if (!c)
        return;
    cleanup_free(c);
    note(inst);
}

static void on_resume(void *arg)
{
    struct skl_instance *inst = arg;
    size_t len;
    char *text = inst->host->kv_get(inst->host->ctx, KV_KEY, &len);
    struct json_object *list = text ? gcp_json_parse(text, len) : NULL;

    inst->resume_timer = NULL;
    if (text)
        inst->host->free(inst->host->ctx, text);
    for (size_t i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list);
         i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        const char *name = gcp_json_str(o, "function");

        if (name && gcp_has_prefix(name, "projects/") && strstr(name, "/functions/skls-"))
            cleanup_add(inst, name, gcp_json_str(o, "owner"), false);
    }
    json_object_put(list);
}

void gcf_cleanup_resume(struct skl_instance *inst)
{
    inst->resume_timer = inst->host->timer_start(inst->host->ctx, 0, on_resume, inst);
}

void gcf_cleanup_fini(struct skl_instance *inst)
{
    while (inst->cleanups)
        cleanup_free(inst->cleanups);
}
