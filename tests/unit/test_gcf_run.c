/*
 * tests/unit/test_gcf_run.c - start, kill and how runs end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "harness.h"
#include "gcp/fake.h"
#include "cloud-run-functions/function.h"
#include "cloud-run-functions/instance.h"
#include "cloud-run-functions/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE   "http://sim:1"
#define FN     "projects/acme/locations/us-central1/functions/skls-0123456789ab"
#define OP     "projects/acme/locations/us-central1/operations/op-1"
#define URI    "http://sim:1/run/skls-0123456789ab"
#define RUN    "POST " URI
#define GET    "GET " BASE "/v2/" FN
#define POLL   "GET " BASE "/v2/" OP
#define CREATE "POST " BASE "/v2/projects"
#define DEL    "DELETE " BASE "/v2/" FN
#define EXIT(n)                                                                                              \
    ((struct fake_answer){.status = 200,                                                                     \
                          .body = "{\"exit_code\":" #n "}",                                                  \
                          .delay = 3 * FAKE_SEC,                                                             \
                          .headers = "X-Sockerless-Exit-Code: " #n "\n"})
#define ANSWER(code, text) ((struct fake_answer){.status = (code), .body = (text)})
#define GONE               "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\",\"message\":\"not found\"}}"
#define FORBIDDEN                                                                                            \
    "<html><head><title>403 Forbidden</title></head><body><h1>Error: Forbidden</h1>"                         \
    "<h2>Your client does not have permission to get URL <code>/</code> from this "                          \
    "server.</h2></body></html>"

static struct fake f;
static struct skl_instance *inst;
static struct skl_call call;
static struct skl_container container;
static struct skl_error err;

static void begin_with(const char *mode)
{
    fake_init(&f);
    memset(&call, 0, sizeof(call));
    container = fake_container();
    container.handle = "{\"v\":1,\"function\":\"" FN "\",\"uri\":\"" URI "\"}";
    container.run = 1;
    inst =
        fake_open(&f, &err, "endpoint-url", BASE, "project", "acme", "create", mode, "timeout", "600", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(inst);
}

static void begin(void)
{
    begin_with("wait");
}

static void end(void)
{
    fake_close(&f, inst);
    fake_call_fini(&call);
    fake_fini(&f);
}

static void start(void)
{
    struct skl_start_req req = {.size = sizeof(req), .container = &container};

    gcf_driver.ops->start(inst, &call, &req);
}

static void kill_run(void)
{
    struct skl_kill_req req = {.size = sizeof(req), .container = &container, .signal = 9};
    struct skl_call c = {.done = false};

    gcf_driver.ops->kill(inst, &c, &req);
    fake_pass(&f, 0);
    CU_ASSERT_TRUE(c.done);
    CU_ASSERT_FALSE(c.failed);
}

static void check_end(int kind, int code)
{
    UNIT_INT_EQ(f.n_ended, 1);
    if (f.n_ended != 1)
        return;
    UNIT_STR_EQ(f.ended[0].container, FAKE_ID);
    UNIT_INT_EQ(f.ended[0].kind, kind);
    UNIT_INT_EQ(f.ended[0].exit_code, code);
}

static void test_exit_code(void)
{
    const struct fake_request *r;

    begin();
    fake_on(&f, RUN, 1, EXIT(7));
    start();
    CU_ASSERT_TRUE(call.done); /* as soon as the request is on its way */
    CU_ASSERT_FALSE(call.failed);
    fake_pass(&f, 10 * FAKE_SEC);
    check_end(SKL_END_EXIT, 7);
    UNIT_STR_EQ(f.ended[0].reason, "");
    r = fake_find(&f, RUN, 0);
    UNIT_INT_EQ(r->flags, SKL_HTTP_FRESH);
    CU_ASSERT(r->timeout >= 600 * FAKE_SEC);
    CU_ASSERT_PTR_NULL(fake_header(r, "Authorization"));
    end();
}

static void test_restart(void)
{
    begin();
    fake_on(&f, RUN, 1, EXIT(0));
    fake_on(&f, RUN, 1, EXIT(3));
    start();
    fake_pass(&f, 10 * FAKE_SEC);
    fake_call_fini(&call);
    container.run = 2;
    start();
    fake_pass(&f, 10 * FAKE_SEC);
    UNIT_INT_EQ(f.n_ended, 2);
    UNIT_INT_EQ(f.ended[1].run, 2);
    UNIT_INT_EQ(f.ended[1].exit_code, 3);
    end();
}

static void test_second_start_refused(void)
{
    begin();
    fake_on(&f, RUN, 1, (struct fake_answer){.delay = FAKE_NEVER});
    start();
    fake_call_fini(&call);
    start();
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CONFLICT);
    UNIT_INT_EQ(f.n_requests, 1);
    end();
}

static void test_kill(void)
{
    begin();
    fake_on(&f, RUN, 1, (struct fake_answer){.delay = FAKE_NEVER});
    start();
    fake_pass(&f, 5 * FAKE_SEC);
    kill_run();
    CU_ASSERT_TRUE(fake_find(&f, RUN, 0)->canceled);
    check_end(SKL_END_CANCELED, 137);
    kill_run(); /* no run: success */
    UNIT_INT_EQ(f.n_ended, 1);
    end();
}

/* The agent could not dial the daemon: its words are the reason. */
static void test_agent_message(void)
{
    begin();
    fake_on(&f, RUN, 1, ANSWER(502, "{\"message\":\"no connection to http://127.0.0.1:3376: refused\"}"));
    start();
    fake_pass(&f, 10 * FAKE_SEC);
    check_end(SKL_END_FAILED, 1);
    UNIT_STR_EQ(f.ended[0].reason, "no connection to http://127.0.0.1:3376: refused");
    end();

    /* An agent's 504 is not the platform's. Its 404 or 429 is not the front end's: no second POST. */
    begin();
    fake_on(&f, RUN, 1, ANSWER(504, "{\"message\":\"no agent link within 60s\"}"));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    check_end(SKL_END_FAILED, 1);
    end();
    begin();
    fake_on(&f, RUN, 1, ANSWER(429, "{\"message\":\"busy\"}"));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    check_end(SKL_END_FAILED, 1);
    UNIT_INT_EQ(fake_count(&f, RUN), 1);
    end();
}

/* Pitfall 25: 403 right after the deployment passes; later it does not. */
static void test_pitfall_25_forbidden(void)
{
    char handle[1024];

    begin();
    (void)snprintf(handle, sizeof(handle), "{\"function\":\"" FN "\",\"uri\":\"" URI "\",\"created\":%lld}",
                   (long long)FAKE_WALL);
    container.handle = handle;
    fake_on(&f, RUN, 4, ANSWER(403, FORBIDDEN));
    fake_on(&f, RUN, 1, EXIT(0));
    start();
    fake_pass(&f, 200 * FAKE_SEC);
    check_end(SKL_END_EXIT, 0);
    UNIT_INT_EQ(fake_count(&f, RUN), 5);
    end();

    begin();
    container.handle = handle;
    fake_on(&f, RUN, FAKE_ALWAYS, ANSWER(403, FORBIDDEN));
    start();
    fake_pass(&f, 300 * FAKE_SEC);
    check_end(SKL_END_FAILED, 1);
    CU_ASSERT(f.ended[0].time < 50 * FAKE_SEC); /* before the daemon gives up waiting for the agent */
    CU_ASSERT_TRUE(fake_logged(&f, "roles/run.invoker on the function's service; trying again"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.ended[0].reason, "Your client does not have permission"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.ended[0].reason, "roles/run.invoker"));
    end();

    begin();
    container.handle = handle;
    container.agent_callback_url = NULL; /* nobody waits */
    fake_on(&f, RUN, FAKE_ALWAYS, ANSWER(403, FORBIDDEN));
    start();
    fake_pass(&f, 300 * FAKE_SEC);
    check_end(SKL_END_FAILED, 1);
    CU_ASSERT(f.ended[0].time > 100 * FAKE_SEC && f.ended[0].time < 125 * FAKE_SEC);
    end();

    begin(); /* an old function: at once */
    fake_on(&f, RUN, 1, ANSWER(403, FORBIDDEN));
    start();
    fake_pass(&f, 10 * FAKE_MS);
    check_end(SKL_END_FAILED, 1);
    end();
}

/* Pitfall 27: whatever may have reached the function is not sent again. */
static void test_pitfall_27_once(void)
{
    static const struct {
        struct fake_answer a;
        int kind, code;
        const char *reason;
    } cases[] = {
        {{.status = 504, .body = "upstream request timeout"},
         SKL_END_TIMEOUT,
         124,
         "upstream request timeout"},
        {{.status = 408, .body = ""}, SKL_END_TIMEOUT, 124, "an empty answer"},
        {{.status = 500, .body = "<html><body>Internal</body></html>"}, SKL_END_FAILED, 1, "Internal"},
        {{.status = 502, .body = ""}, SKL_END_FAILED, 1, "HTTP 502"},
        {{.status = 503, .body = "no healthy upstream"}, SKL_END_FAILED, 1, "did not start"},
        {{.status = 0, .sent = true}, SKL_END_LOST, 1, "the connection to the function broke"},
        {{.status = 0, .delay = FAKE_NEVER}, SKL_END_TIMEOUT, 124, "timed out"},
        {{.status = 200, .body = "hello"}, SKL_END_EXIT, 0, "without an exit code"},
        {{.status = 200, .body = "hel", .broken = true}, SKL_END_LOST, 1, "connection reset"},
        {{.status = 200, .body = "{", .broken = true, .headers = "X-Sockerless-Exit-Code: 3\n"},
         SKL_END_EXIT,
         3,
         ""},
        {{.status = 400, .body = "bad"}, SKL_END_FAILED, 1, "bad"},
        {{.status = 302, .body = "", .headers = "Location: http://evil/\n"}, SKL_END_FAILED, 1, "HTTP 302"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        fake_on(&f, RUN, 1, cases[i].a);
        start();
        CU_ASSERT_FALSE(call.failed);
        fake_pass(&f, 3600 * FAKE_SEC);
        check_end(cases[i].kind, cases[i].code);
        if (!strstr(f.ended[0].reason, cases[i].reason))
            printf("# case %zu: %s\n", i, f.ended[0].reason);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.ended[0].reason, cases[i].reason));
        UNIT_INT_EQ(f.n_requests, 1);
        end();
    }
}

/* Pitfall 28: no free instance, then one; and no end to it. */
static void test_pitfall_28_busy(void)
{
    begin();
    fake_on(&f, RUN, 2, ANSWER(429, "Rate exceeded."));
    fake_on(&f, RUN, 1, EXIT(0));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    check_end(SKL_END_EXIT, 0);
    end();

    begin();
    fake_on(&f, RUN, FAKE_ALWAYS, ANSWER(429, "Rate exceeded."));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    check_end(SKL_END_FAILED, 1);
    CU_ASSERT(f.ended[0].time < 20 * FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.ended[0].reason, "no free instance"));
    end();
}

/* The instance is still at a run that a killed daemon had begun. */
static void test_old_run_in_progress(void)
{
    begin();
    fake_on(&f, RUN, 2, ANSWER(409, "{\"message\":\"a run is in progress\"}"));
    fake_on(&f, RUN, 1, EXIT(0));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    check_end(SKL_END_EXIT, 0);
    end();

    begin();
    fake_on(&f, RUN, FAKE_ALWAYS, ANSWER(409, "{\"message\":\"a run is in progress\"}"));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    check_end(SKL_END_FAILED, 1);
    CU_ASSERT(f.ended[0].time < 20 * FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.ended[0].reason, "a run is in progress"));
    end();
}

/* Nothing was sent: it may be tried again, for a moment. */
static void test_refused_connection(void)
{
    begin();
    fake_on(&f, RUN, 1, (struct fake_answer){.sent = false});
    fake_on(&f, RUN, 1, EXIT(0));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    check_end(SKL_END_EXIT, 0);
    end();

    begin();
    fake_on(&f, RUN, FAKE_ALWAYS, (struct fake_answer){.sent = false});
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    check_end(SKL_END_FAILED, 1);
    CU_ASSERT(f.ended[0].time < 5 * FAKE_SEC);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.ended[0].reason, "can't be reached: connection refused"));
    end();

    begin(); /* killed between two tries */
    fake_on(&f, RUN, FAKE_ALWAYS, ANSWER(429, "Rate exceeded."));
    start();
    fake_pass(&f, 10 * FAKE_MS);
    kill_run();
    check_end(SKL_END_CANCELED, 137);
    end();
}

/* The daemon ends: the request is cancelled by the host, the run is not over. */
static void test_shutdown_keeps_run(void)
{
    begin();
    fake_on(&f, RUN, 1, (struct fake_answer){.delay = FAKE_NEVER});
    start();
    fake_pass(&f, 5 * FAKE_SEC);
    fake_shutdown(&f);
    UNIT_INT_EQ(f.n_ended, 0);
    end();
}

static void test_remove_ends_run(void)
{
    struct skl_remove_req req = {.size = sizeof(req), .container = &container, .force = 1};
    struct skl_call c = {.done = false};

    begin();
    fake_on(&f, RUN, 1, (struct fake_answer){.delay = FAKE_NEVER});
    fake_on(&f, DEL, 1,
            ANSWER(404, "{\"error\":{\"code\":404,\"status\":\"NOT_FOUND\",\"message\":\"gone\"}}"));
    start();
    fake_pass(&f, FAKE_SEC);
    gcf_driver.ops->remove(inst, &c, &req);
    fake_run(&f, &c.done, FAKE_SEC);
    CU_ASSERT_FALSE(c.failed);
    check_end(SKL_END_CANCELED, 137);
    end();
}

/* ---- create: "background" ---- */

static char function_text[2048];

static const char *function(const char *state, const char *uri)
{
    char nonce[GCF_LABEL_MAX];

    gcf_nonce(&container, nonce);
    (void)snprintf(function_text, sizeof(function_text),
                   "{\"name\":\"%s\",\"state\":\"%s\",\"labels\":{\"sockerless-nonce\":\"%s\"},"
                   "\"stateMessages\":[{\"message\":\"no image\"}],\"serviceConfig\":{\"uri\":\"%s\"}}",
                   FN, state, nonce, uri);
    return function_text;
}

static char *create_in_background(void)
{
    struct skl_create_req req = {.size = sizeof(req), .container = &container};
    struct skl_call c = {.kind = FAKE_CREATE};
    char *handle;

    container.handle = NULL;
    fake_on(&f, CREATE, 1, ANSWER(200, "{\"name\":\"" OP "\"}"));
    fake_on(&f, POLL, 20, ANSWER(200, "{\"name\":\"" OP "\"}"));
    gcf_driver.ops->create(inst, &c, &req);
    fake_run(&f, &c.done, FAKE_SEC);
    CU_ASSERT_FALSE_FATAL(c.failed);
    handle = strdup(c.handle);
    container.handle = handle;
    fake_call_fini(&c);
    return handle;
}

static void test_pitfall_29_start_waits(void)
{
    char text[4096], *handle;

    begin_with("background");
    handle = create_in_background();
    (void)snprintf(text, sizeof(text), "{\"name\":\"" OP "\",\"done\":true,\"response\":%s}",
                   function("ACTIVE", URI));
    fake_on(&f, POLL, 1, ANSWER(200, text));
    fake_on(&f, RUN, 1, EXIT(0));
    fake_on(&f, RUN, 1, EXIT(5));
    start();
    fake_pass(&f, 100 * FAKE_MS);
    CU_ASSERT_FALSE(call.done);
    fake_pass(&f, 200 * FAKE_SEC);
    CU_ASSERT_TRUE(call.done);
    CU_ASSERT_FALSE(call.failed);
    check_end(SKL_END_EXIT, 0);
    fake_call_fini(&call); /* the second start knows the URL already */
    container.run = 2;
    start();
    fake_pass(&f, 10 * FAKE_SEC);
    UNIT_INT_EQ(f.n_ended, 2);
    free(handle);
    end();
}

static void test_background_failure(void)
{
    char text[4096], *handle;

    begin_with("background");
    handle = create_in_background();
    fake_on(&f, POLL, 1,
            ANSWER(200, "{\"name\":\"" OP
                        "\",\"done\":true,\"error\":{\"code\":3,\"message\":\"no such image\"}}"));
    fake_on(&f, DEL, 1, ANSWER(200, "{\"name\":\"" OP "x\",\"done\":true,\"response\":{}}"));
    fake_pass(&f, 200 * FAKE_SEC);
    UNIT_INT_EQ(fake_count(&f, DEL), 1);
    CU_ASSERT_TRUE(fake_logged(&f, "no such image")); /* nobody was there to be told */
    start();
    fake_run(&f, &call.done, FAKE_SEC);
    CU_ASSERT_TRUE(call.failed);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "no such image"));
    UNIT_INT_EQ(f.n_ended, 0);
    UNIT_INT_EQ(fake_count(&f, RUN), 0);
    fake_call_fini(&call); /* the next start tries again */
    (void)snprintf(text, sizeof(text), "{\"name\":\"" OP "\",\"done\":true,\"response\":%s}",
                   function("ACTIVE", URI));
    fake_on(&f, GET, 1, ANSWER(404, GONE));
    fake_on(&f, CREATE, 1, ANSWER(200, text));
    fake_on(&f, RUN, 1, EXIT(0));
    container.run = 2;
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    CU_ASSERT_FALSE(call.failed);
    check_end(SKL_END_EXIT, 0);
    free(handle);
    end();
}

/* The daemon was restarted in between: the function itself is asked, and made anew when that has failed. */
static void test_background_after_restart(void)
{
    begin();
    container.handle = "{\"v\":1,\"function\":\"" FN "\",\"operation\":\"" OP "\"}";
    fake_on(&f, GET, 1, ANSWER(200, function("DEPLOYING", "")));
    fake_on(&f, GET, 1, ANSWER(200, function("ACTIVE", URI)));
    fake_on(&f, RUN, 1, EXIT(0));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    CU_ASSERT_FALSE(call.failed);
    check_end(SKL_END_EXIT, 0);
    end();

    begin();
    container.handle = "{\"v\":1,\"function\":\"" FN "\",\"operation\":\"" OP "\"}";
    fake_on(&f, GET, 1, ANSWER(200, function("FAILED", "")));
    fake_on(&f, DEL, 1, ANSWER(200, "{\"name\":\"" OP "x\",\"done\":true,\"response\":{}}"));
    fake_on(&f, CREATE, 1, ANSWER(200, "{\"name\":\"" OP "\"}"));
    fake_on(&f, POLL, 1, ANSWER(200, "{\"name\":\"" OP "\",\"done\":true,\"error\":{\"code\":3,\"message\":\"no image\"}}"));
    fake_on(&f, DEL, 1, ANSWER(200, "{\"name\":\"" OP "x\",\"done\":true,\"response\":{}}"));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    CU_ASSERT_TRUE(call.failed);
    CU_ASSERT_PTR_NOT_NULL(strstr(call.err.message, "no image"));
    end();

    begin(); /* another's by now */
    container.handle = "{\"v\":1,\"function\":\"" FN "\",\"operation\":\"" OP "\"}";
    fake_on(&f, GET, 1, ANSWER(200, "{\"name\":\"" FN "\",\"state\":\"ACTIVE\",\"serviceConfig\":{\"uri\":\"" URI "\"}}"));
    start();
    fake_pass(&f, 60 * FAKE_SEC);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CONFLICT);
    UNIT_INT_EQ(fake_count(&f, RUN), 0);
    end();
}

static void test_background_kill_and_remove(void)
{
    struct skl_remove_req req = {.size = sizeof(req), .container = &container};
    struct skl_call c = {.done = false};
    char *handle;

    begin_with("background");
    handle = create_in_background();
    start();
    fake_pass(&f, 100 * FAKE_MS);
    kill_run(); /* the start that waits fails; no run, no run_ended */
    CU_ASSERT_TRUE(call.done);
    UNIT_INT_EQ(call.err.kind, SKL_ERR_CANCELED);
    fake_on(&f, DEL, 1,
            ANSWER(409, "{\"error\":{\"code\":409,\"status\":\"ABORTED\",\"message\":\"unable to queue the "
                        "operation\"}}"));
    fake_on(&f, DEL, 1, ANSWER(200, "{\"name\":\"" OP "x\",\"done\":true,\"response\":{}}"));
    gcf_driver.ops->remove(inst, &c, &req);
    fake_run(&f, &c.done, 100 * FAKE_SEC);
    CU_ASSERT_FALSE(c.failed);
    UNIT_INT_EQ(f.n_ended, 0);
    CU_ASSERT_PTR_NULL(f.events); /* the create is not polled any more */
    free(handle);
    end();
}

UNIT_MAIN("gcf_run", UNIT(test_exit_code), UNIT(test_restart), UNIT(test_second_start_refused),
          UNIT(test_kill), UNIT(test_agent_message), UNIT(test_pitfall_25_forbidden),
          UNIT(test_pitfall_27_once), UNIT(test_pitfall_28_busy), UNIT(test_old_run_in_progress), UNIT(test_refused_connection),
          UNIT(test_shutdown_keeps_run), UNIT(test_remove_ends_run), UNIT(test_pitfall_29_start_waits),
          UNIT(test_background_failure), UNIT(test_background_after_restart),
          UNIT(test_background_kill_and_remove))
