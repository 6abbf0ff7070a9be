/*
 * api/call.h - one API request on its way through a handler; internal to core/api.
 *
 * The dispatcher (api.c) makes a call, checks version and route, reads and parses the body if the route has one,
 * and gives the call to the handler, which owns it: each of the reply functions below answers and frees it, once.
 * A handler that must wait keeps the call; when the client goes away meanwhile, replies go nowhere, and whoever
 * wants to know sets http_req_on_gone().
 *
 * Validation order is Docker's: what is wrong with the request itself (400) before what it names (404).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_API_CALL_H
#define SKL_API_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <json-c/json.h>
#include "api/api.h"
#include "base/buf.h"
#include "base/error.h"
#include "http/route.h"
#include "http/server.h"

#define API_JSON_BODY_MAX (4u * 1024 * 1024) /* a JSON request body; beyond it 413 */
#define API_REPLY_MAX (256u * 1024 * 1024)   /* a JSON answer, df of a very full daemon included */

enum api_body {
    API_BODY_IGNORE,   /* whatever comes is drained: start with "{}", stop with text/plain */
    API_BODY_JSON,     /* a JSON object; an empty body is an error */
    API_BODY_OPTIONAL, /* a JSON object or nothing */
    API_BODY_DROP,     /* read and forgotten before the handler hijacks; what follows it is the stream (dockerode's attach) */
    API_BODY_HANDLER   /* the handler reads it itself: tar streams */
};

struct api_call;
struct api_route {
    const char *method;
    const char *pattern;
    void (*handler)(struct api_call *c);
    enum api_body body;
    int since; /* API minor version that brought it, 0: always there */
};
extern const struct api_route api_routes[]; /* ended by handler == NULL; grouped by first path segment */

struct api_call {
    struct http_req *req;
    struct api *api;
    const struct api_route *route;
    struct route_match match;
    int version;              /* minor number: 44 for 1.44 */
    struct json_object *body; /* NULL: none */
};

/* ---- the request ---- */
const char *api_param(const struct api_call *c, const char *name);     /* from the path; never NULL */
const char *api_query(struct api_call *c, const char *name);           /* decoded, or NULL */
bool api_query_bool(struct api_call *c, const char *name, bool if_absent);
/* A whole decimal number; absent or "": if_absent. 0, or -1 with `name` in the text. */
int api_query_i64(struct api_call *c, const char *name, int64_t min, int64_t max, int64_t if_absent,
                  int64_t *ret, struct skl_error *err);
/* since/until of logs and events. Absent: 0. */
int api_query_time(struct api_call *c, const char *name, int64_t *ret_wall, struct skl_error *err);
/* Content-Type is JSON, or absent on an empty body; n: the body's length. Docker's words otherwise. */
int api_check_content_type(struct api_call *c, size_t n, struct skl_error *err);
int api_parse_body(const char *data, size_t n, struct json_object **ret, struct skl_error *err);

/* ---- the answer: each of these ends and frees the call ---- */
void api_reply_error(struct api_call *c, const struct skl_error *err);
void api_reply_fail(struct api_call *c, int kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void api_reply_json(struct api_call *c, int status, struct buf *body); /* body is emptied; a newline is added */
void api_reply_text(struct api_call *c, int status, const char *text);
void api_reply_empty(struct api_call *c, int status);
/* For streams: the exchange was ended (or hijacked) already. */
void api_call_free(struct api_call *c);

struct route_group;
struct api {
    struct api_opts opts;
    struct route_group *groups;     /* index over api_routes by first path segment */
    size_t n_groups;
    struct lists_cache *lists;      /* rendered lists (containers_list.c) */
    struct api_prune_locks *prunes; /* prune.c: one at a time of each kind */
};

#endif
