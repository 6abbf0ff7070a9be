/*
 * tests/unit/gcp/fake.h - a host table for the Google plugins' tests: virtual time, no sockets.
 *
 * Time stands still while code runs and jumps to the next event, so a test of an hour takes microseconds and
 * is the same each time. HTTP requests are recorded and answered by rules: each rule answers matching
 * requests in turn. The host's promises are checked from its side of the line: no call back from inside a
 * host function, one completion a call.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SKL_TESTS_GCP_FAKE_H
#define SKL_TESTS_GCP_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sockerless/driver.h"

#define FAKE_MS   INT64_C(1000000)
#define FAKE_SEC  INT64_C(1000000000)
#define FAKE_WALL INT64_C(1767225600000000000) /* 2026-01-01T00:00:00Z */

/* One request that was sent. */
struct fake_request {
    int64_t time; /* mono */
    char *method, *url, *body;
    char *headers; /* "Name: value\n"... */
    size_t body_len;
    uint32_t flags;
    int64_t timeout;
    bool canceled, answered;
};

/* An answer. */
struct fake_answer {
    int status;          /* 0: no answer, see below */
    const char *body;    /* copied when given to fake_on() */
    const char *headers; /* "Name: value\n"..., or NULL */
    int64_t delay;       /* 0: 1 ms; FAKE_NEVER: until cancelled or timed out */
    int error_kind;      /* status 0: SKL_ERR_*; default UNAVAILABLE */
    bool sent;           /* status 0: the request may have reached the server */
    bool truncated;
    bool broken; /* with a status: the connection broke inside the body */
};
#define FAKE_NEVER INT64_MAX

struct fake_ended {
    char container[65];
    uint32_t run;
    int32_t kind, exit_code;
    char reason[1024];
    int64_t time;
};

struct fake {
    struct skl_host host;
    int64_t mono, wall_offset;
    uint64_t random;           /* state of the generator */
    struct fake_event *events; /* by time */
    uint64_t serial;
    struct fake_rule *rules;
    struct fake_request *requests;
    size_t n_requests, cap_requests;
    struct fake_ended *ended;
    size_t n_ended, cap_ended;
    char *log; /* all lines */
    size_t log_len;
    struct fake_kv *kv;
    bool inside; /* a host function runs: the driver must not be called */
    /* When set it answers what no rule does. False: not mine. Strings must stay until the next call. */
    bool (*serve)(void *arg, const struct fake_request *r, struct fake_answer *ret);
    void *serve_arg;
};

/* A call in progress. */
struct skl_call {
    bool done;
    int completions;
    int64_t time; /* when it was completed */
    bool failed;
    struct skl_error err;
    char *handle; /* create */
    char *warning;
    uint32_t count, complete; /* list */
    char *items;              /* "id handle state resource\n"... */
    bool exists;              /* inspect */
    char *state;
    int kind; /* FAKE_*: how to read the result */
};
enum { FAKE_PLAIN, FAKE_CREATE, FAKE_LIST, FAKE_INSPECT };
void fake_call_fini(struct skl_call *c);

struct skl_stream {
    int64_t credit; /* entries */
    bool gone;
    char *text; /* "1:line", "2:line" ... */
    size_t len;
    int64_t last_time;
    unsigned count, dropped;
    void (*on_credit)(void *arg);
    void *arg;
    struct fake *fake;
};
void fake_stream_fini(struct skl_stream *s);
void fake_stream_credit(struct skl_stream *s, int64_t n);

void fake_init(struct fake *f);
/* Fails the running test when something is still pending. */
void fake_fini(struct fake *f);

/* `times` requests whose "METHOD URL" contains `what` get this answer (the first rule that still has turns
 * wins). */
void fake_on(struct fake *f, const char *what, int times, struct fake_answer a);
#define FAKE_ALWAYS 1000000

/* Runs events until *flag, none is left, or `limit` virtual ns have passed. True when *flag. */
bool fake_run(struct fake *f, const bool *flag, int64_t limit);
/* Runs what happens within the next `ns`. */
void fake_pass(struct fake *f, int64_t ns);
/* As the daemon does before close(): cancels requests, runs their done functions, drops timers. */
void fake_shutdown(struct fake *f);
/* Requests whose "METHOD URL" contains `what`. */
size_t fake_count(const struct fake *f, const char *what);
/* The i-th of them, or NULL. */
const struct fake_request *fake_find(const struct fake *f, const char *what, size_t i);
/* A header's value in a static buffer, or NULL. */
const char *fake_header(const struct fake_request *r, const char *name);
bool fake_logged(const struct fake *f, const char *text);

/* ---- the driver under test ---- */

/* Opens an instance: pairs of option name and value text (durations in ns as a number), ended by NULL. */
struct skl_instance *fake_open(struct fake *f, struct skl_error *err, ...);
extern uint64_t fake_caps; /* of the last fake_open() */
/* shutdown + close. */
void fake_close(struct fake *f, struct skl_instance *inst);

#define FAKE_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
/* A container with an agent; change what matters. */
struct skl_container fake_container(void);

#endif
