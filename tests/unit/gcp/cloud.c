/*
 * tests/unit/gcp/cloud.c - see cloud.h.
 *
 * A fault may strike before a call has its effect or after it (the answer is lost). Reads of state settle
 * what time has brought about: a function is ACTIVE once its `ready` has passed, gone once `deleted` has.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cloud.h"
#include "tests/unit/harness.h"
#include "gcp/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARENT "projects/acme/locations/us-central1"

static unsigned roll(struct cloud *c, unsigned n)
{
    c->random = c->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(c->random >> 33) % n;
}

struct cloud_function *cloud_find(struct cloud *c, const char *id)
{
    for (size_t i = 0; i < c->n; i++)
        if (!strcmp(c->functions[i].id, id))
            return &c->functions[i];
    return NULL;
}

static void settle(struct cloud *c, struct cloud_function *fn)
{
    if (fn->exists && fn->deleted && c->fake->mono >= fn->deleted) {
        fn->exists = false;
        fn->deleted = 0;
    }
}

size_t cloud_left(struct cloud *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++) {
        settle(c, &c->functions[i]);
        n += c->functions[i].exists;
    }
    return n;
}

static void error(struct cloud *c, struct fake_answer *a, int status, const char *word, const char *message)
{
    a->status = status;
    (void)snprintf(c->text, sizeof(c->text), "{\"error\":{\"code\":%d,\"status\":\"%s\",\"message\":\"%s\"}}",
                   status, word, message);
    a->body = c->text;
}

static void function_text(struct cloud *c, struct cloud_function *fn, char *out, size_t size)
{
    bool pending = c->fake->mono < fn->ready;

    (void)snprintf(out, size,
                   "{\"name\":\"" PARENT
                   "/functions/%s\",\"state\":\"%s\",\"labels\":%s,\"serviceConfig\":{%s%s%s}}",
                   fn->id,
                   fn->deleted ? "DELETING"
                   : pending   ? "DEPLOYING"
                   : fn->fails ? "FAILED"
                               : "ACTIVE",
                   fn->labels, pending ? "" : "\"uri\":\"" CLOUD_BASE "/run/", pending ? "" : fn->id,
                   pending ? "" : "\"");
}

/* An operation is named after what it does: op-create-ID, op-delete-ID. */
static void operation(struct cloud *c, struct fake_answer *a, const char *verb, struct cloud_function *fn)
{
    bool create = !strcmp(verb, "create");
    bool done = create ? c->fake->mono >= fn->ready : !fn->exists || !fn->deleted;
    char response[2048] = "{\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}";

    if (create)
        function_text(c, fn, response, sizeof(response));
    a->status = 200;
    a->body = c->text;
    if (!done)
        (void)snprintf(c->text, sizeof(c->text), "{\"name\":\"" PARENT "/operations/op-%s-%s\"}", verb,
                       fn->id);
    else if (create && fn->fails)
        (void)snprintf(
            c->text, sizeof(c->text),
            "{\"name\":\"" PARENT
            "/operations/op-%s-%s\",\"done\":true,\"error\":{\"code\":3,\"message\":\"bad image\"}}",
            verb, fn->id);
    else
        (void)snprintf(c->text, sizeof(c->text),
                       "{\"name\":\"" PARENT "/operations/op-%s-%s\",\"done\":true,\"response\":%s}", verb,
                       fn->id, response);
}

static void create(struct cloud *c, const char *id, const char *body, struct fake_answer *a)
{
    struct json_object *o = gcp_json_parse(body, strlen(body)), *labels = gcp_json_get(o, "labels");
    struct cloud_function *fn = cloud_find(c, id);

    if (fn)
        settle(c, fn);
    if (fn && fn->exists) {
        error(c, a, 409, "ALREADY_EXISTS", "exists");
        json_object_put(o);
        return;
    }
    if (!fn) {
        CU_ASSERT_FATAL(c->n < CLOUD_MAX);
        fn = &c->functions[c->n++];
        (void)snprintf(fn->id, sizeof(fn->id), "%s", id);
    }
    (void)snprintf(fn->labels, sizeof(fn->labels), "%s", labels ? gcp_json_text(labels) : "{}");
    fn->exists = true;
    fn->deleted = 0;
    fn->fails = roll(c, 100) < c->deploy_fail_percent;
    fn->ready = c->fake->mono + (c->deploy_time ? (int64_t)roll(c, 1000) * c->deploy_time / 1000 : 0);
    c->creates++;
    operation(c, a, "create", fn);
    json_object_put(o);
}

static void delete (struct cloud *c, struct cloud_function *fn, struct fake_answer *a)
{
    if (fn->deleted || c->fake->mono < fn->ready) {
        error(c, a, 409, "ABORTED", "unable to queue the operation");
        return;
    }
    fn->deleted = c->fake->mono + (int64_t)roll(c, 1000) * c->deploy_time / 4000;
    c->deletes++;
    settle(c, fn);
    operation(c, a, "delete", fn);
}

static void run(struct cloud *c, struct cloud_function *fn, struct fake_answer *a)
{
    fn->runs++;
    a->status = 200;
    a->body = "{\"exit_code\":0}";
    a->delay = (1 + (int64_t)roll(c, 5000)) * FAKE_MS;
    (void)snprintf(c->headers, sizeof(c->headers), "X-Sockerless-Exit-Code: %u\n",
                   fn->id[strlen(fn->id) - 1] % 7u);
    a->headers = c->headers;
}

static void answer(struct cloud *c, const struct fake_request *r, struct fake_answer *a)
{
    static const char functions[] = CLOUD_BASE "/v2/" PARENT "/functions";
    static const char operations[] = CLOUD_BASE "/v2/" PARENT "/operations/op-";
    const char *id;
    struct cloud_function *fn;

    if (!strcmp(r->method, "POST") && !strncmp(r->url, functions, strlen(functions))) {
        create(c, strchr(r->url, '=') + 1, r->body, a);
        return;
    }
    id = strstr(r->url, "skls-");
    fn = id ? cloud_find(c, id) : NULL;
    if (fn)
        settle(c, fn);
    if (fn && !strncmp(r->url, operations, strlen(operations)))
        operation(c, a, !strncmp(r->url + strlen(operations), "create", 6) ? "create" : "delete", fn);
    else if (!fn || !fn->exists)
        error(c, a, 404, "NOT_FOUND", "not found");
    else if (!strcmp(r->method, "DELETE"))
        delete (c, fn, a);
    else if (!strcmp(r->method, "GET")) {
        a->status = 200;
        function_text(c, fn, c->text, sizeof(c->text));
        a->body = c->text;
    } else {
        run(c, fn, a);
    }
}

/* A success that says nothing: it broke off, or somebody in between answered. */
static void garble(struct cloud *c, struct fake_answer *a, bool run)
{
    a->status = 200;
    a->broken = run || roll(c, 2); /* what answers a run with a page has run it, as far as anybody can tell */
    a->body = a->broken ? "{\"name\":\"proj" : "<html><body>log in</body></html>";
}

static void fault(struct cloud *c, struct fake_answer *a, bool after, bool run)
{
    static const int statuses[] = {500, 503, 429};
    unsigned kind = roll(c, after ? 4 : 5); /* a 429 has no effect */
    int64_t delay = a->delay;

    memset(a, 0, sizeof(*a));
    a->delay = after ? delay : 0;
    c->faults++;
    if (kind == 2) {
        a->sent = true; /* a reset */
        return;
    }
    if (kind == 3) {
        garble(c, a, run);
        return;
    }
    kind = kind == 4 ? 2 : kind;
    error(c, a, statuses[kind], statuses[kind] == 429 ? "RESOURCE_EXHAUSTED" : "UNAVAILABLE",
          "a fault of the moment");
}

static bool serve(void *arg, const struct fake_request *r, struct fake_answer *a)
{
    struct cloud *c = arg;
    bool strikes = roll(c, 100) < c->fault_percent, after = roll(c, 2);

    a->delay = (1 + (int64_t)roll(c, 50)) * FAKE_MS;
    if (!strikes || after)
        answer(c, r, a);
    if (strikes)
        fault(c, a, after, strstr(r->url, "/run/") != NULL);
    return true;
}

void cloud_init(struct cloud *c, struct fake *f)
{
    memset(c, 0, sizeof(*c));
    c->fake = f;
    c->random = 7;
    f->serve = serve;
    f->serve_arg = c;
}
