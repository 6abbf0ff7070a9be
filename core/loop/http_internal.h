/*
 * loop/http_internal.h - what http_client.c (the pool) and http_call.c (one exchange) share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_LOOP_HTTP_INTERNAL_H
#define SKL_LOOP_HTTP_INTERNAL_H

#include <curl/curl.h>
#include "base/buf.h"
#include "loop/http_client.h"

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct timer timer;
    struct list calls;      /* all of them */
    struct list sockets;    /* struct http_socket */
    char *no_proxy;
};

/* What a call is waiting to have done to it outside of curl's callbacks. */
#define CALL_START 1u
#define CALL_RESUME 2u
#define CALL_CANCEL 4u

struct http_call {
    struct list link;
    struct http_client *client;
    struct soon soon;
    unsigned todo;               /* CALL_* */
    CURL *easy;
    bool added;                  /* to the multi handle */
    struct curl_slist *headers;
    struct buf request_body;
    struct buf response_body;
    char *name;                  /* "GET http://host/path": for messages; no query, no credentials */
    char *method;
    size_t head_bytes;
    int64_t sent_bytes;          /* of the body, framing included */
    int64_t sent_goal;           /* < 0: until the end of a chunked body */
    unsigned attempts;
    bool canceled;
    bool refused_replay;
    bool head_done;
    bool head_too_large;
    bool sent;                   /* on_sent was called */
    bool source_ended;
    bool truncated;
    int status;
    struct http_call_spec spec;  /* strings and body in it are not used after the start */
    char error_text[CURL_ERROR_SIZE];
};

struct http_call *http_call_new(struct http_client *c, const struct http_call_spec *spec, struct skl_error *err);
void http_call_free(struct http_call *call);
/* Tells the caller. result: curl's, or CURLE_OK with call->canceled. Frees the call. */
void http_call_complete(struct http_call *call, CURLcode result);

#endif
