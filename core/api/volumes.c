/*
 * api/volumes.c - volumes (reference 2.12.7).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include "api/filters.h"
#include "api/internal.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "state/engine.h"

void volume_write(struct jw *w, const struct volume *v, bool usage)
{
    char when[TIME_RFC3339_SIZE];

    jw_object(w, NULL);
    /* To the second: a client parses it as RFC 3339 without a fraction. */
    jw_string(w, "CreatedAt", time_format_rfc3339(v->created / NS_PER_S * NS_PER_S, when));
    jw_string(w, "Driver", v->driver);
    if (v->n_labels == 0 && !v->anonymous) {
        jw_null(w, "Labels");
    } else {
        jw_object(w, "Labels");
        for (size_t i = 0; i < v->n_labels; i++)
            jw_key_string(w, v->labels[i].key, v->labels[i].value);
        jw_object_end(w);
    }
    jw_string(w, "Mountpoint", v->mountpoint);
    jw_string(w, "Name", v->name);
    jw_raw(w, "Options", v->options);
    jw_string(w, "Scope", "local");
    if (usage) {
        jw_object(w, "UsageData");
        jw_u64(w, "RefCount", v->n_refs);
        jw_i64(w, "Size", volume_size(v));
        jw_object_end(w);
    }
    jw_object_end(w);
}

static const char *label_of(void *arg, const char *key)
{
    return volume_label(arg, key);
}

void api_volumes_list(struct api_call *c)
{
    static const char *const allowed[] = {"dangling", "driver", "label", "name", NULL};
    struct filters f;
    struct skl_error err = {0};
    bool dangling = false;
    struct buf out;
    struct jw w;

    if (filters_parse(api_query(c, "filters"), allowed, &f, &err) < 0 || filters_bool(&f, "dangling", false, &dangling, &err) < 0) {
        filters_fini(&f);
        api_reply_error(c, &err);
        return;
    }
    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    jw_object(&w, NULL);
    jw_array(&w, "Volumes");
    for (struct volume *v = volume_first(c->api->opts.engine); v != NULL; v = volume_next(v)) {
        if (filters_has(&f, "dangling") && dangling != (v->n_refs == 0))
            continue;
        if (filters_match_substring(&f, "name", v->name) && filters_match_exact(&f, "driver", v->driver) &&
            filters_match_labels(&f, "label", label_of, v))
            volume_write(&w, v, false);
    }
    jw_array_end(&w);
    jw_null(&w, "Warnings");
    jw_object_end(&w);
    filters_fini(&f);
    api_reply_json(c, 200, &out);
}

static void reply_volume(struct api_call *c, int status, const struct volume *v)
{
    struct buf out;
    struct jw w;

    buf_init(&out, API_REPLY_MAX);
    jw_init(&w, &out);
    volume_write(&w, v, false);
    api_reply_json(c, status, &out);
}

void api_volumes_create(struct api_call *c)
{
    struct volume_spec spec = {0};
    struct skl_error err = {0};
    struct json_object *cluster = NULL;
    struct volume *v;

    if (json_get_object(c->body, "ClusterVolumeSpec", &cluster, &err) >= 0 && cluster != NULL) {
        api_swarm(c);
        return;
    }
    if (err.kind != SKL_ERR_NONE || json_get_string(c->body, "Name", &spec.name, &err) < 0 || json_get_string(c->body, "Driver", &spec.driver, &err) < 0 ||
        json_get_string_map(c->body, "DriverOpts", &spec.options, &err) < 0 ||
        json_get_string_map(c->body, "Labels", &spec.labels, &err) < 0 ||
        volume_create(c->api->opts.engine, &spec, &v, &err) < 0)
        api_reply_error(c, &err);
    else
        reply_volume(c, 201, v);
}

void api_volumes_inspect(struct api_call *c)
{
    struct skl_error err = {0};
    struct volume *v = volume_find(c->api->opts.engine, api_param(c, "name"), &err);

    if (v == NULL)
        api_reply_error(c, &err);
    else
        reply_volume(c, 200, v);
}

/* Only a cluster's volumes can be changed. */
void api_volumes_update(struct api_call *c)
{
    api_reply_fail(c, SKL_ERR_UNAVAILABLE, "volume update only valid for cluster volumes, but swarm is unavailable");
}

void api_volumes_remove(struct api_call *c)
{
    struct skl_error err = {0};
    struct volume *v = volume_find(c->api->opts.engine, api_param(c, "name"), &err);

    if (v == NULL && api_query_bool(c, "force", false))
        api_reply_empty(c, 204);
    else if (v == NULL || volume_remove(v, &err) < 0)
        api_reply_error(c, &err);
    else
        api_reply_empty(c, 204);
}
