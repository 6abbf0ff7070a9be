/*
 * loop/http_client.h - HTTP client for daemon and plugins: libcurl's multi interface on the loop.
 *
 * One client (one connection pool) per process. A request completes exactly once through on_done, on the
 * loop, never before http_client_submit returned; after a cancel it completes with SKL_ERR_CANCELED.
 * Nothing is retried here: retrying is the caller's decision (the invocation POST must never be sent
 * twice, so requests are also never replayed on a dead keep-alive connection unless `idempotent`).
 *
 * Redirects are not followed. Authorization headers are never logged. Proxies come from the environment
 * as curl reads it; loopback and link-local addresses never go through one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_LOOP_HTTP_CLIENT_H
#define SKL_LOOP_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "loop/loop.h"

struct http_client;
struct http_call;

struct http_client *http_client_new(struct loop *loop, struct skl_error *err);
void http_client_free(struct http_client *c);      /* cancels what is pending, without callbacks;
                                                      not from inside a callback of a call */

/* What came back. Borrowed until on_done returns. */
struct http_result {
    int status;                   /* 0 when no response arrived: see error */
    const char *body;             /* NUL-terminated; "" when streamed through on_data */
    size_t body_len;
    bool request_sent;            /* bytes of the request may have reached the server */
    bool truncated;               /* the body was longer than max_body; body holds its start */
    const struct skl_error *error; /* NULL: a response arrived whole or cut by max_body, of any status. With an
                                    * error, status != 0 says that the connection broke inside the body */
};
/* First header of that name, any case, or NULL. Only inside on_done and on_head. */
const char *http_call_header(const struct http_call *call, const char *name);
/* All of them in order: pass NULL, then what it returned. NULL after the last. Same places. */
const void *http_call_next_header(const struct http_call *call, const void *prev, const char **ret_name,
                                  const char **ret_value);

struct http_call_spec {
    const char *method;            /* "GET" ... */
    const char *url;               /* http:// or https:// */
    const char *const *headers;    /* NULL-terminated "Name: value"; may be NULL */
    const void *body;              /* copied; NULL for none */
    size_t body_len;
    size_t max_body;               /* response cap in bytes; 0: 4 MiB */
    int64_t timeout_ns;            /* whole call; 0: none (the invocation may take an hour) */
    int64_t connect_timeout_ns;    /* 0: 10 s */
    bool idempotent;               /* may be repeated by curl on a dead keep-alive connection */
    bool fresh_connection;         /* never reuse a pooled connection, close it afterwards */
    const char *ca_file;           /* NULL: system */
    bool insecure_tls;             /* registry "insecure-registries" only */
    const char *unix_socket;       /* NULL: TCP */
    /* Optional streaming of the request body instead of `body`: fills p with up to n bytes; returns
     * bytes, 0 at the end, or HTTP_CALL_PAUSE (then http_call_resume). body_total < 0: chunked. */
    ssize_t (*read_body)(void *arg, char *p, size_t n);
    int64_t body_total;
    /* Optional: head arrived. */
    void (*on_head)(void *arg, struct http_call *call, int status);
    /* Optional streaming of the response: return false to pause (the bytes were NOT taken and come
     * again after http_call_resume). */
    bool (*on_data)(void *arg, const char *p, size_t n);
    void (*on_sent)(void *arg);    /* optional: the whole request was handed to the kernel */
    void (*on_done)(void *arg, const struct http_result *res);
    void *arg;
};
#define HTTP_CALL_PAUSE ((ssize_t)-2)

/* Copies what it needs of spec. Returns NULL only for a malformed spec (bad URL). */
struct http_call *http_client_submit(struct http_client *c, const struct http_call_spec *spec,
                                     struct skl_error *err);
void http_call_cancel(struct http_call *call);     /* on_done follows, later */
/* As cancel, but no callback runs any more: for owners that go away first. */
void http_call_forget(struct http_call *call);
void http_call_resume(struct http_call *call);     /* after a pause in either direction */

#endif
