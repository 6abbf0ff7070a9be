/*
 * simulator/page.h - paging and ordering of lists, as Google's services do both.
 *
 * A page token is opaque and bound to the other arguments of its request: one that comes with other arguments is refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_SIM_PAGE_H
#define SKL_SIM_PAGE_H

#include "simulator/sim.h"

struct page {
    size_t from, size;
    bool shortened; /* a fault: there is to be a next page */
    uint64_t args;  /* hash of the arguments that must not change */
    bool newest;    /* the order when none is asked for: by createTime, newest first; else by name */
};

/* Reads pageSize and pageToken. 0 and absent mean `standard`, what is above `max` is cut to it. False: answered with 400. */
bool page_read(struct sim_call *c, size_t standard, size_t max, struct page *ret);
/* Sorts `all` by orderBy ("name", "update_time desc", ...; absent: by name) and cuts the page out of it: a new array, and nextPageToken in
 * `answer`. `all` keeps its elements. False: orderBy is no good, answered with 400. */
bool page_cut(struct sim_call *c, const struct page *p, struct json_object *all, struct json_object *answer, const char *key);

#endif
