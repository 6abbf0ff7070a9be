/*
 * tests/unit/testserver.h - a scripted HTTP/1.1 server on the test's own loop. It knows only as much HTTP as
 * it takes to find the end of a request; the test writes the bytes of the answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_TESTS_TESTSERVER_H
#define SKL_TESTS_TESTSERVER_H

#include "base/buf.h"
#include "loop/loop.h"

struct testserver;
struct ts_conn;

/* head: request line and headers as they came. Called once per request, when its body is there (and once with
 * body_len 0 for chunked bodies, whose bytes can be read with ts_conn_raw). */
typedef void (*ts_request_fn)(void *arg, struct ts_conn *conn, const char *head, const char *body, size_t body_len);

/* unix_path NULL: a free port of 127.0.0.1. */
struct testserver *testserver_new(struct loop *loop, const char *unix_path, ts_request_fn fn, void *arg);
void testserver_free(struct testserver *s);
int testserver_port(const struct testserver *s);
unsigned testserver_accepted(const struct testserver *s);  /* connections so far */

void ts_send(struct ts_conn *conn, const void *p, size_t n);
void ts_puts(struct ts_conn *conn, const char *s);
void ts_close(struct ts_conn *conn);       /* after what was sent */
void ts_reset(struct ts_conn *conn);       /* at once */
size_t ts_queued(const struct ts_conn *conn);
/* The bytes after the head of a chunked request, so far. */
struct buf *ts_conn_raw(struct ts_conn *conn);

#endif
