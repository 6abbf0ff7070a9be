/*
 * agent/request.h - one request on the link, as its handler sees it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_AGENT_REQUEST_H
#define SKL_AGENT_REQUEST_H

#include "agent/agent.h"

struct request {
    struct agent *agent;
    struct h2_stream *stream;
    char method[16];
    char *path, *query;       /* raw */
    char *exec_id;            /* of /exec/ID..., or NULL */
    const char *rest;         /* behind the ID, inside path */
    struct buf body;
    struct json_object *json; /* the body; {} when there was none */
    bool dispatched;
    bool handed_over;         /* the stream belongs to somebody else now */
};

/* Each answers once. */
void request_error(struct request *r, int status, const struct skl_error *err); /* status 0: by the kind */
void request_fail(struct request *r, int kind, const char *message);
void request_json(struct request *r, int status, struct json_object *o);        /* takes o */

char *request_query(const struct request *r, const char *name);   /* decoded; caller frees; or NULL */
bool request_flag(const struct request *r, const char *name);
bool request_number(const struct request *r, const char *name, uint64_t *ret); /* absent: 0 */

/* glob.c: GET /glob. */
void glob_handle(struct request *r);

/* events.c: GET /events. As archive_handle. */
bool events_handle(struct request *r);

#endif
