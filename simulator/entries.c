/*
 * simulator/entries.c - log entries as Cloud Run writes them from a container's output: one a line, no severity for plain text.
 *
 * Bounded: beyond SIM_ENTRIES_MAX the oldest go, as retention would have it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "simulator/sim.h"

static void entry_free(struct sim *s, struct log_entry *e)
{
    list_remove(&e->link);
    s->n_entries--;
    free(e->project);
    free(e->location);
    free(e->service);
    free(e->revision);
    json_object_put(e->labels);
    free(e->text);
    free(e);
}

void entries_add(struct instance *in, int stream, const char *line, size_t n)
{
    struct sim *s = in->sim;
    struct log_entry *e = xcalloc(1, sizeof(*e));

    e->time = clock_wall();
    e->received = e->time + NS_PER_MS;
    snprintf(e->insert_id, sizeof(e->insert_id), "%024llx", (unsigned long long)++s->next_entry);
    e->log_id = stream == 1 ? "run.googleapis.com%2Fstdout" : "run.googleapis.com%2Fstderr";
    e->project = xstrdup(in->project);
    e->location = xstrdup(in->location);
    e->service = xstrdup(in->service);
    e->revision = xstrdup(in->revision);
    e->labels = json_object_get(in->labels);
    e->text = xstrndup(line, n);
    e->len = n;
    list_push_back(&s->entries, &e->link);
    if (++s->n_entries > SIM_ENTRIES_MAX)
        entry_free(s, LIST_ENTRY(s->entries.next, struct log_entry, link));
}

void entries_free(struct sim *s)
{
    LIST_FOREACH_SAFE(n, tmp, &s->entries)
        entry_free(s, LIST_ENTRY(n, struct log_entry, link));
}

struct json_object *entry_json(const struct log_entry *e)
{
    struct json_object *o = json_new_object(), *r, *l;
    CLEANUP(free_p) char *name = xasprintf("projects/%s/logs/%s", e->project, e->log_id);
    char when[TIME_RFC3339_SIZE];

    json_add_string(o, "logName", name);
    r = json_add_object(o, "resource");
    json_add_string(r, "type", "cloud_run_revision");
    l = json_add_object(r, "labels");
    json_add_string(l, "project_id", e->project);
    json_add_string(l, "location", e->location);
    json_add_string(l, "service_name", e->service);
    json_add_string(l, "revision_name", e->revision);
    json_add_string(l, "configuration_name", e->service);
    /* Invalid UTF-8 is replaced by buf_json_string's rules when emitted; here the text is kept. */
    json_add_stringn(o, "textPayload", e->text, e->len);
    json_add_string(o, "timestamp", time_format_rfc3339(e->time, when));
    json_add_string(o, "receiveTimestamp", time_format_rfc3339(e->received, when));
    json_add_string(o, "insertId", e->insert_id);
    l = json_add_object(o, "labels");
    json_add_string(l, "goog-managed-by", "cloudfunctions");
    json_add_string(l, "goog-drz-cloudfunctions-id", e->service);
    json_add_string(l, "goog-drz-cloudfunctions-location", e->location);
    return o;
}
