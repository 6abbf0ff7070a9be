/*
 * simulator/faults.c - see faults.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "simulator/faults.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/server.h"
#include "json/json.h"
#include "simulator/sim.h"

#define CONTROL_BODY_MAX (64u * 1024)
#define GRPC_INTERNAL 13

struct rule {
    char *spec, *rpc;           /* rpc "*": all; NULL: agents */
    uint64_t first, last;       /* calls; 0: no bound */
    uint64_t every;             /* 0: not by count */
    double percent;             /* < 0: not by chance */
    struct fault_hit hit;
    uint64_t calls, struck;
    struct timer timer;         /* agents */
    int64_t period;
    struct faults *owner;
};

struct faults {
    struct sim *sim;
    struct rule *rules[FAULTS_MAX];
    size_t n;
    struct http_server *control;
};

static void rule_free(struct rule *r)
{
    timer_fini(&r->timer);
    free(r->spec);
    free(r->rpc);
    free(r);
}

static void clear(struct faults *f)
{
    while (f->n > 0)
        rule_free(f->rules[--f->n]);
}

struct faults *faults_new(struct sim *s)
{
    struct faults *f = xcalloc(1, sizeof(*f));

    f->sim = s;
    return f;
}

void faults_free(struct faults *f)
{
    if (f == NULL)
        return;
    clear(f);
    http_server_free(f->control);
    free(f);
}

const char *fault_status_name(int http)
{
    switch (http) {
    case 400: return "INVALID_ARGUMENT";
    case 401: return "UNAUTHENTICATED";
    case 403: return "PERMISSION_DENIED";
    case 404: return "NOT_FOUND";
    case 409: return "ABORTED";
    case 429: return "RESOURCE_EXHAUSTED";
    case 499: return "CANCELLED";
    case 501: return "UNIMPLEMENTED";
    case 503: return "UNAVAILABLE";
    case 504: return "DEADLINE_EXCEEDED";
    default: return http < 500 ? "FAILED_PRECONDITION" : "INTERNAL";
    }
}

/* ---- a rule's text ---- */

static int bad(const char *spec, const char *why, struct skl_error *err)
{
    return error_set(err, SKL_ERR_INVALID, "fault \"%s\": %s", spec, why);
}

static bool parse_percent(struct rule *r, const char *when, size_t n)
{
    CLEANUP(free_p) char *text = xstrndup(when, n - 1);

    return str_to_double(text, &r->percent) && r->percent >= 0 && r->percent <= 100;
}

static bool parse_when(struct rule *r, const char *when)
{
    const char *dash = strchr(when, '-');
    CLEANUP(free_p) char *first = dash != NULL ? xstrndup(when, (size_t)(dash - when)) : xstrdup(when);
    size_t n = strlen(when);

    if (when[0] == '/')
        return str_to_u64(when + 1, 1, UINT32_MAX, &r->every);
    if (n > 1 && when[n - 1] == '%')
        return parse_percent(r, when, n);
    if (!str_to_u64(first, 1, UINT32_MAX, &r->first))
        return false;
    r->last = r->first;
    return dash == NULL || (str_to_u64(dash + 1, 1, UINT32_MAX, &r->last) && r->last >= r->first);
}

static bool parse_what(struct rule *r, const char *what)
{
    uint64_t n = GRPC_INTERNAL;

    if (str_eq(what, "reset")) {
        r->hit.kind = FAULT_RESET;
    } else if (str_eq(what, "lost")) {
        r->hit.kind = FAULT_LOST;
    } else if (str_starts(what, "slow:")) {
        r->hit.kind = FAULT_SLOW;
        return duration_parse(what + strlen("slow:"), &r->hit.delay) && r->hit.delay >= 0;
    } else if (str_eq(what, "short") || str_starts(what, "short:")) {
        r->hit.kind = FAULT_SHORT;
        return what[5] != ':' || str_to_i64(what + 6, 0, INT32_MAX, &r->hit.size);
    } else if (str_starts(what, "late:")) {
        r->hit.kind = FAULT_LATE;
        return duration_parse(what + strlen("late:"), &r->hit.delay) && r->hit.delay >= 0;
    } else if (str_eq(what, "twice")) {
        r->hit.kind = FAULT_TWICE;
    } else if (str_eq(what, "fail") || str_starts(what, "fail:")) {
        r->hit.kind = FAULT_FAIL;
        if (what[4] == ':' && !str_to_u64(what + 5, 1, 16, &n))
            return false;
        r->hit.grpc_code = (int)n;
    } else {
        r->hit.kind = FAULT_STATUS;
        if (!str_to_u64(what, 400, 599, &n))
            return false;
        r->hit.status = (int)n;
    }
    return true;
}

static void on_cut(void *arg)
{
    struct rule *r = arg;

    r->calls++;
    r->struck += relay_cut_all(r->owner->sim) > 0;
    timer_start(&r->timer, r->period);
}

static int parse(struct rule *r, const char *spec, struct skl_error *err)
{
    const char *equals = strchr(spec, '=');
    CLEANUP(free_p) char *who = equals != NULL ? xstrndup(spec, (size_t)(equals - spec)) : NULL;
    char *at = who != NULL ? strchr(who, '@') : NULL;

    if (who == NULL)
        return bad(spec, "no \"=WHAT\"", err);
    if (str_starts(who, "agents/")) {
        if (!str_eq(equals + 1, "cut") || !duration_parse(who + strlen("agents/"), &r->period) || r->period <= 0)
            return bad(spec, "agents are cut: agents/D=cut, with a duration such as 20s", err);
        timer_start(&r->timer, r->period);
        return 0;
    }
    if (at != NULL)
        *at = '\0';
    if (who[0] == '\0')
        return bad(spec, "no RPC", err);
    if (at != NULL && !parse_when(r, at + 1))
        return bad(spec, "WHEN is N, N-M, /N or P%", err);
    if (!parse_what(r, equals + 1))
        return bad(spec, "WHAT is a status from 400 to 599, reset, lost, slow:DURATION, fail[:CODE], short[:N], late:DURATION or twice", err);
    if ((r->hit.kind == FAULT_LATE || r->hit.kind == FAULT_TWICE) != str_eq(who, FAULTS_ENTRY))
        return bad(spec, "late and twice are for " FAULTS_ENTRY ", and nothing else is", err);
    if (r->hit.kind == FAULT_SHORT && !str_starts(who, "List"))
        return bad(spec, "short is for lists", err);
    r->rpc = STEAL(who);
    return 0;
}

int faults_add(struct faults *f, const char *spec, struct skl_error *err)
{
    struct rule *r;

    if (f->n == FAULTS_MAX)
        return error_set(err, SKL_ERR_INVALID, "more than %u faults", FAULTS_MAX);
    r = xcalloc(1, sizeof(*r));
    r->owner = f;
    r->percent = -1;
    r->spec = xstrdup(spec);
    timer_init(f->sim->loop, &r->timer, on_cut, r);
    if (parse(r, spec, err) < 0) {
        rule_free(r);
        return -1;
    }
    f->rules[f->n++] = r;
    return 0;
}

/* ---- striking ---- */

static bool applies(struct rule *r, const char *rpc)
{
    if (r->rpc == NULL || (!(str_eq(r->rpc, "*") && !str_eq(rpc, FAULTS_ENTRY)) && !str_eq(r->rpc, rpc)))
        return false;
    r->calls++;
    if (r->every > 0)
        return r->calls % r->every == 0;
    if (r->percent >= 0)
        return (double)(random_u64() % 1000000) < r->percent * 10000;
    return r->first == 0 || (r->calls >= r->first && r->calls <= r->last);
}

struct fault_hit faults_strike(struct faults *f, const char *rpc)
{
    struct fault_hit none = {.kind = FAULT_NONE};

    for (size_t i = 0; i < f->n; i++)
        if (applies(f->rules[i], rpc)) {
            f->rules[i]->struck++;
            return f->rules[i]->hit;
        }
    return none;
}

/* ---- the control endpoint ---- */

static void control_fail(struct http_req *req, int status, const char *message)
{
    struct buf b;

    buf_init(&b, CONTROL_BODY_MAX);
    buf_puts(&b, "{\"message\":");
    buf_json_string(&b, message, strlen(message));
    buf_puts(&b, "}\n");
    http_res_send(req, status, "application/json", b.data, b.len);
    buf_fini(&b);
}

static void control_list(struct faults *f, struct http_req *req)
{
    struct json_object *all = json_new_array();
    struct buf b;

    for (size_t i = 0; i < f->n; i++) {
        struct json_object *o = json_new_object();
        json_add_string(o, "fault", f->rules[i]->spec);
        json_add_u64(o, "calls", f->rules[i]->calls);
        json_add_u64(o, "struck", f->rules[i]->struck);
        json_push(all, o);
    }
    buf_init(&b, 16 * CONTROL_BODY_MAX);
    (void)json_emit(&b, all);
    json_object_put(all);
    http_res_send(req, 200, "application/json", b.data, b.len);
    buf_fini(&b);
}

static void control_on_body(void *arg, const char *data, size_t n, const struct skl_error *err)
{
    struct http_req *req = arg;
    struct faults *f = http_req_user(req);
    struct skl_error why = {0};
    JSON_CLEANUP struct json_object *o = NULL;

    if (err != NULL) {
        control_fail(req, 400, err->message);
        return;
    }
    o = json_parse_object(data, n, CONTROL_BODY_MAX, &why);
    if (o == NULL || faults_add(f, json_string_or(json_member(o, "fault"), ""), &why) < 0)
        control_fail(req, 400, why.message);
    else
        control_list(f, req);
}

static void control_on_request(struct http_req *req, void *arg)
{
    struct faults *f = arg;
    const char *method = http_req_method(req);

    http_req_set_user(req, f);
    if (!str_eq(http_req_path(req), "/faults")) {
        control_fail(req, 404, "there is only /faults");
    } else if (str_eq(method, "POST")) {
        http_req_read_all(req, CONTROL_BODY_MAX, control_on_body, req);
    } else if (str_eq(method, "DELETE")) {
        clear(f);
        control_list(f, req);
    } else {
        control_list(f, req);
    }
}

int faults_listen(struct faults *f, const char *addr_port, struct skl_error *err)
{
    struct http_server_opts opts = {.on_request = control_on_request, .arg = f};
    const char *colon = strrchr(addr_port, ':');
    CLEANUP(free_p) char *addr = colon != NULL ? xstrndup(addr_port, (size_t)(colon - addr_port)) : NULL;
    CLEANUP(free_p) char *file = fs_join(f->sim->opts.state_dir, "control-port");
    char text[16];
    uint64_t port;
    uint16_t got;

    if (colon == NULL || !str_to_u64(colon + 1, 0, 65535, &port))
        return error_set(err, SKL_ERR_INVALID, "--control %s: not ADDR:PORT", addr_port);
    f->control = http_server_new(f->sim->loop, &opts);
    if (http_server_add_tcp(f->control, addr, (uint16_t)port, NULL, &got, err) < 0)
        return -1;
    return fs_write_file_atomic(file, text, (size_t)snprintf(text, sizeof(text), "%u\n", got), 0644, err);
}
