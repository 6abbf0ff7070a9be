/*
 * simulator/functions_list.c - ListFunctions, of one location or of all ("-").
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "simulator/aip.h"
#include "simulator/page.h"
#include "simulator/service.h"

#define PAGE_MAX 1000

static struct json_object *collect(struct sim_call *c, const struct aip *filter)
{
    const char *project = call_param(c, "project"), *location = call_param(c, "location");
    struct json_object *all = json_new_array();
    struct function *f, *tmp;

    HASH_ITER(hh, c->sim->functions, f, tmp) {
        struct json_object *o;
        if (!str_eq(f->project, project) || (!str_eq(location, "-") && !str_eq(f->location, location)))
            continue;
        o = function_answer(f);
        if (aip_match(filter, o))
            json_push(all, o);
        else
            json_object_put(o);
    }
    return all;
}

static void handle_list(struct sim_call *c)
{
    struct skl_error err = {0};
    struct aip *filter = aip_parse(http_req_query(c->req, "filter"), &err);
    struct json_object *all, *o;
    struct page page;

    if (filter == NULL) {
        call_error(c, &err);
        return;
    }
    if (!page_read(c, PAGE_MAX, PAGE_MAX, &page)) {
        aip_free(filter);
        return;
    }
    all = collect(c, filter);
    aip_free(filter);
    o = json_new_object();
    if (page_cut(c, &page, all, o, "functions"))
        call_json(c, 200, o);
    else
        json_object_put(o);
    json_object_put(all);
}

const struct sim_route functions_list_routes[] = {
    {"GET", "/v2/projects/{project}/locations/{location}/functions", "ListFunctions", handle_list, false},
    {NULL, NULL, NULL, NULL, false},
};
